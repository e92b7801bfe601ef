//! The expansion of:
//! ```text
//! #[service]
//! pub trait Empty {}
//! ```

pub trait Empty: ::core::marker::Send + ::core::marker::Sync + 'static {}
/// Client of [`Empty`]: each of its methods is a call.
///
/// Cheap to clone, and all clones share their connections. Dropping the future of a call
/// cancels the call, on the server too.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct EmptyClient {
    channel: ::sinew::private::Channel,
}
/// Serves an implementation of [`Empty`].
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct EmptyServer {
    service: ::sinew::private::Service,
}
#[allow(clippy::too_many_arguments, deprecated)]
const _: () = {
    impl EmptyClient {
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
        pub fn local(service: impl Empty) -> Self {
            Self {
                channel: ::sinew::private::Channel::local(
                    EmptyServer::new(service).service,
                ),
            }
        }
    }
    impl ::sinew::ServiceClient for EmptyClient {
        const SERVICE: &'static str = "Empty";
        fn from_channel(channel: ::sinew::private::Channel) -> Self {
            Self { channel }
        }
        fn types() -> ::std::vec::Vec<&'static ::sinew::private::Types> {
            ::core::convert::From::from([])
        }
    }
    impl EmptyServer {
        /// Serves `service`: one value answers all calls, at once.
        #[must_use]
        pub fn new(service: impl Empty) -> Self {
            let service = ::std::sync::Arc::new(service);
            Self {
                service: ::sinew::private::Service::new(
                    "Empty",
                    ::core::convert::From::from([]),
                ),
            }
        }
    }
    impl ::core::convert::From<EmptyServer> for ::sinew::private::Service {
        fn from(server: EmptyServer) -> Self {
            server.service
        }
    }
};
