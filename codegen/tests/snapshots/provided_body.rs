//! The expansion of:
//! ```text
//! #[service]
//! pub trait Greeter {
//!     async fn name(&self) -> String;
//!     async fn greet(&self, mut greeting: String) -> String {
//!         greeting.push_str(&self.name().await);
//!         greeting
//!     }
//! }
//! ```

pub trait Greeter: ::core::marker::Send + ::core::marker::Sync + 'static {
    fn name(
        &self,
    ) -> impl ::core::future::Future<Output = String> + ::core::marker::Send;
    fn greet(
        &self,
        mut greeting: String,
    ) -> impl ::core::future::Future<Output = String> + ::core::marker::Send {
        async move {
            greeting.push_str(&self.name().await);
            greeting
        }
    }
}
/// Client of [`Greeter`]: each of its methods is a call.
///
/// Cheap to clone, and all clones share their connections. Dropping the future of a call
/// cancels the call, on the server too.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct GreeterClient {
    channel: ::sinew::private::Channel,
}
/// Serves an implementation of [`Greeter`].
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct GreeterServer {
    service: ::sinew::private::Service,
}
#[allow(clippy::too_many_arguments, deprecated)]
const _: () = {
    enum Method_name {}
    impl ::sinew::private::Signature for Method_name {
        type Arguments = ();
        type Input = ();
        type Value = String;
        type Error = ::sinew::Status;
        type Caller = ::sinew::Status;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Greeter",
                "name",
                "Greeter/name",
                ::sinew::private::Shape::Unary,
            )
            .arguments(&[])
            .within("Greeter", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    enum Method_greet {}
    impl ::sinew::private::Signature for Method_greet {
        type Arguments = (String,);
        type Input = ();
        type Value = String;
        type Error = ::sinew::Status;
        type Caller = ::sinew::Status;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Greeter",
                "greet",
                "Greeter/greet",
                ::sinew::private::Shape::Unary,
            )
            .arguments(&["greeting"])
            .within("Greeter", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    const _: () = ::sinew::private::assert_distinct_methods(
        &[
            <Method_name as ::sinew::private::Signature>::METHOD,
            <Method_greet as ::sinew::private::Signature>::METHOD,
        ],
    );
    impl GreeterClient {
        /// The same client, with these options for each call that is made through it.
        #[must_use]
        pub fn with(&self, options: ::sinew::CallOptions) -> Self {
            Self {
                channel: self.channel.with(options),
            }
        }
        /// A client of an implementation in this process: the same pipeline and the same encoding,
        /// with no network.
        #[must_use]
        pub fn local(service: impl Greeter) -> Self {
            Self {
                channel: ::sinew::private::Channel::local(
                    GreeterServer::new(service).service,
                ),
            }
        }
        /// Calls [`Greeter::name`].
        pub fn name(
            &self,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<String, ::sinew::Status>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<Method_name>(&self.channel, ())
        }
        /// Calls [`Greeter::greet`].
        pub fn greet(
            &self,
            greeting: String,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<String, ::sinew::Status>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<Method_greet>(&self.channel, (greeting,))
        }
    }
    impl ::sinew::ServiceClient for GreeterClient {
        const SERVICE: &'static str = "Greeter";
        fn from_channel(channel: ::sinew::private::Channel) -> Self {
            Self { channel }
        }
        fn types() -> ::std::vec::Vec<&'static ::sinew::private::Types> {
            ::core::convert::From::from([
                ::sinew::private::types::<Method_name>(),
                ::sinew::private::types::<Method_greet>(),
            ])
        }
    }
    impl<
        Implementation_Greeter: Greeter,
    > ::sinew::private::Handles<Implementation_Greeter, (), String> for Method_name {
        fn handle(
            this: &Implementation_Greeter,
            (): (),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<String, ::sinew::Status>,
        > + ::core::marker::Send {
            ::sinew::private::infallible(Greeter::name(this))
        }
    }
    impl<
        Implementation_Greeter: Greeter,
    > ::sinew::private::Handles<Implementation_Greeter, (), String> for Method_greet {
        fn handle(
            this: &Implementation_Greeter,
            (greeting,): (String,),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<String, ::sinew::Status>,
        > + ::core::marker::Send {
            ::sinew::private::infallible(Greeter::greet(this, greeting))
        }
    }
    impl GreeterServer {
        /// Serves `service`: one value answers all calls, at once.
        #[must_use]
        pub fn new(service: impl Greeter) -> Self {
            let service = ::std::sync::Arc::new(service);
            Self {
                service: ::sinew::private::Service::new(
                    "Greeter",
                    ::core::convert::From::from([
                        ::sinew::private::unary_handler::<_, Method_name>(&service),
                        ::sinew::private::unary_handler::<_, Method_greet>(&service),
                    ]),
                ),
            }
        }
    }
    impl ::core::convert::From<GreeterServer> for ::sinew::private::Service {
        fn from(server: GreeterServer) -> Self {
            server.service
        }
    }
};
