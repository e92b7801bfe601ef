//! The expansion of:
//! ```text
//! #[service]
//! pub trait Store {
//!     #[cfg(unix)]
//!     async fn open(&self, path: String) -> u64;
//!     #[cfg(not(unix))]
//!     async fn open(&self, path: Vec<u16>) -> u64;
//!     #[cfg_attr(docsrs, doc(cfg(feature = "close")))]
//!     #[cfg(feature = "close")]
//!     async fn close(&self, handle: u64);
//! }
//! ```

pub trait Store: ::core::marker::Send + ::core::marker::Sync + 'static {
    #[cfg(unix)]
    fn open(
        &self,
        path: String,
    ) -> impl ::core::future::Future<Output = u64> + ::core::marker::Send;
    #[cfg(not(unix))]
    fn open(
        &self,
        path: Vec<u16>,
    ) -> impl ::core::future::Future<Output = u64> + ::core::marker::Send;
    #[cfg(feature = "close")]
    #[cfg_attr(docsrs, doc(cfg(feature = "close")))]
    fn close(
        &self,
        handle: u64,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send;
}
/// Client of [`Store`]: each of its methods is a call.
///
/// Cheap to clone, and all clones share their connections. Dropping the future of a call
/// cancels the call, on the server too.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct StoreClient {
    channel: ::sinew::private::Channel,
}
/// Serves an implementation of [`Store`].
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct StoreServer {
    service: ::sinew::private::Service,
}
#[allow(clippy::too_many_arguments, deprecated)]
const _: () = {
    #[cfg(unix)]
    enum Method_open {}
    #[cfg(unix)]
    impl ::sinew::private::Signature for Method_open {
        type Arguments = (String,);
        type Input = ();
        type Value = u64;
        type Error = ::sinew::Status;
        type Caller = ::sinew::Status;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Store",
                "open",
                "Store/open",
                ::sinew::private::Shape::Unary,
            )
            .arguments(&["path"])
            .within("Store", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    #[cfg(not(unix))]
    enum Method_open {}
    #[cfg(not(unix))]
    impl ::sinew::private::Signature for Method_open {
        type Arguments = (Vec<u16>,);
        type Input = ();
        type Value = u64;
        type Error = ::sinew::Status;
        type Caller = ::sinew::Status;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Store",
                "open",
                "Store/open",
                ::sinew::private::Shape::Unary,
            )
            .arguments(&["path"])
            .within("Store", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    #[cfg(feature = "close")]
    enum Method_close {}
    #[cfg(feature = "close")]
    impl ::sinew::private::Signature for Method_close {
        type Arguments = (u64,);
        type Input = ();
        type Value = ();
        type Error = ::sinew::Status;
        type Caller = ::sinew::Status;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Store",
                "close",
                "Store/close",
                ::sinew::private::Shape::Unary,
            )
            .arguments(&["handle"])
            .within("Store", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    const _: () = ::sinew::private::assert_distinct_methods(
        &[
            #[cfg(unix)]
            <Method_open as ::sinew::private::Signature>::METHOD,
            #[cfg(not(unix))]
            <Method_open as ::sinew::private::Signature>::METHOD,
            #[cfg(feature = "close")]
            <Method_close as ::sinew::private::Signature>::METHOD,
        ],
    );
    impl StoreClient {
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
        pub fn local(service: impl Store) -> Self {
            Self {
                channel: ::sinew::private::Channel::local(
                    StoreServer::new(service).service,
                ),
            }
        }
        #[cfg(unix)]
        /// Calls [`Store::open`].
        pub fn open(
            &self,
            path: String,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u64, ::sinew::Status>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<Method_open>(&self.channel, (path,))
        }
        #[cfg(not(unix))]
        /// Calls [`Store::open`].
        pub fn open(
            &self,
            path: Vec<u16>,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u64, ::sinew::Status>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<Method_open>(&self.channel, (path,))
        }
        #[cfg(feature = "close")]
        /// Calls [`Store::close`].
        pub fn close(
            &self,
            handle: u64,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<(), ::sinew::Status>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<Method_close>(&self.channel, (handle,))
        }
    }
    impl ::sinew::ServiceClient for StoreClient {
        const SERVICE: &'static str = "Store";
        fn from_channel(channel: ::sinew::private::Channel) -> Self {
            Self { channel }
        }
        fn types() -> ::std::vec::Vec<&'static ::sinew::private::Types> {
            ::core::convert::From::from([
                #[cfg(unix)]
                ::sinew::private::types::<Method_open>(),
                #[cfg(not(unix))]
                ::sinew::private::types::<Method_open>(),
                #[cfg(feature = "close")]
                ::sinew::private::types::<Method_close>(),
            ])
        }
    }
    #[cfg(unix)]
    impl<
        Implementation_Store: Store,
    > ::sinew::private::Handles<Implementation_Store, (), u64> for Method_open {
        fn handle(
            this: &Implementation_Store,
            (path,): (String,),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u64, ::sinew::Status>,
        > + ::core::marker::Send {
            ::sinew::private::infallible(Store::open(this, path))
        }
    }
    #[cfg(not(unix))]
    impl<
        Implementation_Store: Store,
    > ::sinew::private::Handles<Implementation_Store, (), u64> for Method_open {
        fn handle(
            this: &Implementation_Store,
            (path,): (Vec<u16>,),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u64, ::sinew::Status>,
        > + ::core::marker::Send {
            ::sinew::private::infallible(Store::open(this, path))
        }
    }
    #[cfg(feature = "close")]
    impl<
        Implementation_Store: Store,
    > ::sinew::private::Handles<Implementation_Store, (), ()> for Method_close {
        fn handle(
            this: &Implementation_Store,
            (handle,): (u64,),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<(), ::sinew::Status>,
        > + ::core::marker::Send {
            ::sinew::private::infallible(Store::close(this, handle))
        }
    }
    impl StoreServer {
        /// Serves `service`: one value answers all calls, at once.
        #[must_use]
        pub fn new(service: impl Store) -> Self {
            let service = ::std::sync::Arc::new(service);
            Self {
                service: ::sinew::private::Service::new(
                    "Store",
                    ::core::convert::From::from([
                        #[cfg(unix)]
                        ::sinew::private::unary_handler::<_, Method_open>(&service),
                        #[cfg(not(unix))]
                        ::sinew::private::unary_handler::<_, Method_open>(&service),
                        #[cfg(feature = "close")]
                        ::sinew::private::unary_handler::<_, Method_close>(&service),
                    ]),
                ),
            }
        }
    }
    impl ::core::convert::From<StoreServer> for ::sinew::private::Service {
        fn from(server: StoreServer) -> Self {
            server.service
        }
    }
};
