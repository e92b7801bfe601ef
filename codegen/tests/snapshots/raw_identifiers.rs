//! The expansion of:
//! ```text
//! #[service]
//! pub trait r#Trait {
//!     async fn r#match(&self, r#type: String, service: u8, this: u8) -> bool;
//! }
//! ```

pub trait r#Trait: ::core::marker::Send + ::core::marker::Sync + 'static {
    fn r#match(
        &self,
        r#type: String,
        service: u8,
        this: u8,
    ) -> impl ::core::future::Future<Output = bool> + ::core::marker::Send;
}
/// Client of [`r#Trait`]: each of its methods is a call.
///
/// Cheap to clone, and all clones share their connections. Dropping the future of a call
/// cancels the call, on the server too.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct TraitClient {
    channel: ::sinew::private::Channel,
}
/// Serves an implementation of [`r#Trait`].
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct TraitServer {
    service: ::sinew::private::Service,
}
#[allow(clippy::too_many_arguments, deprecated)]
const _: () = {
    enum Method_match {}
    impl ::sinew::private::Signature for Method_match {
        type Arguments = (String, u8, u8);
        type Input = ();
        type Value = bool;
        type Error = ::sinew::Status;
        type Caller = ::sinew::Status;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Trait",
                "match",
                "Trait/match",
                ::sinew::private::Shape::Unary,
            )
            .arguments(&["type", "service", "this"])
            .within("Trait", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    impl TraitClient {
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
        pub fn local(service: impl r#Trait) -> Self {
            Self {
                channel: ::sinew::private::Channel::local(
                    TraitServer::new(service).service,
                ),
            }
        }
        /// Calls [`r#Trait::match`].
        pub fn r#match(
            &self,
            r#type: String,
            service: u8,
            this: u8,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<bool, ::sinew::Status>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<
                Method_match,
            >(&self.channel, (r#type, service, this))
        }
    }
    impl ::sinew::ServiceClient for TraitClient {
        const SERVICE: &'static str = "Trait";
        fn from_channel(channel: ::sinew::private::Channel) -> Self {
            Self { channel }
        }
        fn types() -> ::std::vec::Vec<&'static ::sinew::private::Types> {
            ::core::convert::From::from([::sinew::private::types::<Method_match>()])
        }
    }
    impl<
        Implementation_Trait: r#Trait,
    > ::sinew::private::Handles<Implementation_Trait, (), bool> for Method_match {
        fn handle(
            this: &Implementation_Trait,
            (r#type, service, this): (String, u8, u8),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<bool, ::sinew::Status>,
        > + ::core::marker::Send {
            ::sinew::private::infallible(r#Trait::r#match(this, r#type, service, this))
        }
    }
    impl TraitServer {
        /// Serves `service`: one value answers all calls, at once.
        #[must_use]
        pub fn new(service: impl r#Trait) -> Self {
            let service = ::std::sync::Arc::new(service);
            Self {
                service: ::sinew::private::Service::new(
                    "Trait",
                    ::core::convert::From::from([
                        ::sinew::private::unary_handler::<_, Method_match>(&service),
                    ]),
                ),
            }
        }
    }
    impl ::core::convert::From<TraitServer> for ::sinew::private::Service {
        fn from(server: TraitServer) -> Self {
            server.service
        }
    }
};
