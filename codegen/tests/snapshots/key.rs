//! The expansion of:
//! ```text
//! #[service]
//! trait Sessions {
//!     #[rpc(key = "type")]
//!     async fn feed(&self, at: u64, events: Streaming<Event>, r#type: String) -> u64;
//! }
//! ```

trait Sessions: ::core::marker::Send + ::core::marker::Sync + 'static {
    fn feed(
        &self,
        at: u64,
        events: Streaming<Event>,
        r#type: String,
    ) -> impl ::core::future::Future<Output = u64> + ::core::marker::Send;
}
/// Client of [`Sessions`]: each of its methods is a call.
///
/// Cheap to clone, and all clones share their connections. Dropping the future of a call
/// cancels the call, on the server too.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
struct SessionsClient {
    channel: ::sinew::private::Channel,
}
/// Serves an implementation of [`Sessions`].
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
struct SessionsServer {
    service: ::sinew::private::Service,
}
#[allow(clippy::too_many_arguments, deprecated)]
const _: () = {
    enum Method_feed {}
    impl ::sinew::private::Signature for Method_feed {
        type Arguments = (u64, String);
        type Input = Event;
        type Value = u64;
        type Error = ::sinew::Status;
        type Caller = ::sinew::Status;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Sessions",
                "feed",
                "Sessions/feed",
                ::sinew::private::Shape::ClientStreaming,
            )
            .arguments(&["at", "type"])
            .with_input("events", 1)
            .with_key("type")
            .within("Sessions", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
        fn key(arguments: &Self::Arguments) -> ::core::option::Option<u64> {
            ::sinew::private::key(&arguments.1)
        }
    }
    impl SessionsClient {
        /// The same client, with these options for each call that is made through it.
        #[must_use]
        fn with(&self, options: ::sinew::CallOptions) -> Self {
            Self {
                channel: self.channel.with(options),
            }
        }
        /// A client of an implementation in this process: the same pipeline and the same encoding,
        /// with no network.
        #[must_use]
        fn local(service: impl Sessions) -> Self {
            Self {
                channel: ::sinew::private::Channel::local(
                    SessionsServer::new(service).service,
                ),
            }
        }
        /// Calls [`Sessions::feed`].
        fn feed(
            &self,
            at: u64,
            events: Streaming<Event>,
            r#type: String,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u64, ::sinew::Status>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::client_streaming::<
                Method_feed,
            >(&self.channel, (at, r#type), events)
        }
    }
    impl ::sinew::ServiceClient for SessionsClient {
        const SERVICE: &'static str = "Sessions";
        fn from_channel(channel: ::sinew::private::Channel) -> Self {
            Self { channel }
        }
        fn types() -> ::std::vec::Vec<&'static ::sinew::private::Types> {
            ::core::convert::From::from([::sinew::private::types::<Method_feed>()])
        }
    }
    impl<
        Implementation_Sessions: Sessions,
    > ::sinew::private::Handles<Implementation_Sessions, ::sinew::Streaming<Event>, u64>
    for Method_feed {
        fn handle(
            this: &Implementation_Sessions,
            (at, r#type): (u64, String),
            events: ::sinew::Streaming<Event>,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u64, ::sinew::Status>,
        > + ::core::marker::Send {
            ::sinew::private::infallible(Sessions::feed(this, at, events, r#type))
        }
    }
    impl SessionsServer {
        /// Serves `service`: one value answers all calls, at once.
        #[must_use]
        fn new(service: impl Sessions) -> Self {
            let service = ::std::sync::Arc::new(service);
            Self {
                service: ::sinew::private::Service::new(
                    "Sessions",
                    ::core::convert::From::from([
                        ::sinew::private::client_streaming_handler::<
                            _,
                            Method_feed,
                        >(&service),
                    ]),
                ),
            }
        }
    }
    impl ::core::convert::From<SessionsServer> for ::sinew::private::Service {
        fn from(server: SessionsServer) -> Self {
            server.service
        }
    }
};
