//! The expansion of:
//! ```text
//! #[service]
//! pub trait Broken {
//!     async fn sound(&self) -> u64;
//!     async fn borrowed(&self, key: &str, (a, b): (u8, u8)) -> Result<u32, Problem>;
//!     fn not_async<T: Clone>(self, value: T) -> T where T: Send;
//!     async fn with(&self);
//!     #[rpc(name = "sound")]
//!     async fn same_name(&self);
//!     const LIMIT: u32;
//! }
//! ```

pub trait Broken: ::core::marker::Send + ::core::marker::Sync + 'static {
    const LIMIT: u32;
    fn sound(&self) -> impl ::core::future::Future<Output = u64> + ::core::marker::Send;
    fn borrowed(
        &self,
        key: &str,
        argument_1: (u8, u8),
    ) -> impl ::core::future::Future<
        Output = Result<u32, Problem>,
    > + ::core::marker::Send;
    fn not_async<T: Clone>(self, value: T) -> T
    where
        T: Send;
    fn with(&self) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send;
    fn same_name(
        &self,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send;
}
/// Client of [`Broken`]: each of its methods is a call.
///
/// Cheap to clone, and all clones share their connections. Dropping the future of a call
/// cancels the call, on the server too.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct BrokenClient {
    channel: ::sinew::private::Channel,
}
/// Serves an implementation of [`Broken`].
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct BrokenServer {
    service: ::sinew::private::Service,
}
#[allow(clippy::too_many_arguments, deprecated)]
const _: () = {
    enum Method_sound {}
    impl ::sinew::private::Signature for Method_sound {
        type Arguments = ();
        type Input = ();
        type Value = u64;
        type Error = ::sinew::Status;
        type Caller = ::sinew::Status;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Broken",
                "sound",
                "Broken/sound",
                ::sinew::private::Shape::Unary,
            )
            .arguments(&[])
            .within("Broken", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    impl BrokenClient {
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
        pub fn local(service: impl Broken) -> Self {
            Self {
                channel: ::sinew::private::Channel::local(
                    BrokenServer::new(service).service,
                ),
            }
        }
        /// Calls [`Broken::sound`].
        pub fn sound(
            &self,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u64, ::sinew::Status>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<Method_sound>(&self.channel, ())
        }
        /// Calls [`Broken::borrowed`].
        pub fn borrowed(
            &self,
            _: &str,
            _: (u8, u8),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u32, ::sinew::CallError<Problem>>,
        > + ::core::marker::Send + 'static {
            async { ::core::unreachable!() }
        }
        /// Calls [`Broken::not_async`].
        pub fn not_async<T: Clone>(
            &self,
            _: T,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<T, ::sinew::Status>,
        > + ::core::marker::Send + 'static
        where
            T: Send,
        {
            async { ::core::unreachable!() }
        }
        /// Calls [`Broken::same_name`].
        pub fn same_name(
            &self,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<(), ::sinew::Status>,
        > + ::core::marker::Send + 'static {
            async { ::core::unreachable!() }
        }
    }
    impl ::sinew::ServiceClient for BrokenClient {
        const SERVICE: &'static str = "Broken";
        fn from_channel(channel: ::sinew::private::Channel) -> Self {
            Self { channel }
        }
        fn types() -> ::std::vec::Vec<&'static ::sinew::private::Types> {
            ::core::convert::From::from([::sinew::private::types::<Method_sound>()])
        }
    }
    impl<
        Implementation_Broken: Broken,
    > ::sinew::private::Handles<Implementation_Broken, (), u64> for Method_sound {
        fn handle(
            this: &Implementation_Broken,
            (): (),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u64, ::sinew::Status>,
        > + ::core::marker::Send {
            ::sinew::private::infallible(Broken::sound(this))
        }
    }
    impl BrokenServer {
        /// Serves `service`: one value answers all calls, at once.
        #[must_use]
        pub fn new(service: impl Broken) -> Self {
            let service = ::std::sync::Arc::new(service);
            Self {
                service: ::sinew::private::Service::new(
                    "Broken",
                    ::core::convert::From::from([
                        ::sinew::private::unary_handler::<_, Method_sound>(&service),
                    ]),
                ),
            }
        }
    }
    impl ::core::convert::From<BrokenServer> for ::sinew::private::Service {
        fn from(server: BrokenServer) -> Self {
            server.service
        }
    }
};
::core::compile_error! {
    "a borrowed value cannot be sent\nhelp: write `String`"
}
::core::compile_error! {
    "an argument of a service method must be a plain name\nhelp: write `name: Type` and take the value apart in the implementation"
}
::core::compile_error! {
    "a service method cannot be generic\nhelp: name the type, or take an enum of those that it may be"
}
::core::compile_error! {
    "a service method cannot have a `where` clause\nhelp: remove it: the types of a service method are concrete"
}
::core::compile_error! {
    "a service method must take `&self`\nhelp: write `&self`: one implementation serves all calls at once, so what changes in it goes into a lock, an atomic or a channel"
}
::core::compile_error! {
    "a service method must be `async fn`\nhelp: write `async` in front of `fn`"
}
::core::compile_error! {
    "a service trait cannot have associated constants\nhelp: put the constant beside the trait, or make it a method that returns it"
}
::core::compile_error! {
    "`with` is a method that every client has\nhelp: rename the method; `#[rpc(name = \"with\")]` keeps the name on the wire if it matters"
}
::core::compile_error! {
    "two methods have the wire name `sound`\nhelp: rename one of them, or give it another name with `#[rpc(name = \"..\")]`"
}
