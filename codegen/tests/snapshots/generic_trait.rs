//! The expansion of:
//! ```text
//! #[service]
//! pub trait Store<K: Key> where K: Copy { async fn get(&self, key: K); }
//! ```

pub trait Store<K: Key>: ::core::marker::Send + ::core::marker::Sync + 'static
where
    K: Copy,
{
    fn get(
        &self,
        key: K,
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
    enum Method_get {}
    impl ::sinew::private::Signature for Method_get {
        type Arguments = (K,);
        type Input = ();
        type Value = ();
        type Error = ::sinew::Status;
        type Caller = ::sinew::Status;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Store",
                "get",
                "Store/get",
                ::sinew::private::Shape::Unary,
            )
            .arguments(&["key"])
            .within("Store", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
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
        pub fn local<S>(service: S) -> Self {
            ::core::unreachable!()
        }
    }
    impl ::sinew::ServiceClient for StoreClient {
        const SERVICE: &'static str = "Store";
        fn from_channel(channel: ::sinew::private::Channel) -> Self {
            Self { channel }
        }
        fn types() -> ::std::vec::Vec<&'static ::sinew::private::Types> {
            ::core::convert::From::from([::sinew::private::types::<Method_get>()])
        }
    }
    impl StoreServer {
        /// Serves `service`: one value answers all calls, at once.
        #[must_use]
        pub fn new<S>(service: S) -> Self {
            ::core::unreachable!()
        }
    }
    impl ::core::convert::From<StoreServer> for ::sinew::private::Service {
        fn from(server: StoreServer) -> Self {
            server.service
        }
    }
};
::core::compile_error! {
    "a service trait cannot be generic\nhelp: name the types: callers and servers are compiled apart and must agree on them"
}
::core::compile_error! {
    "a service trait cannot have a `where` clause\nhelp: write bounds on the implementation as supertraits: `trait Name: Bound`"
}
