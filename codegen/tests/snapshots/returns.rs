//! The expansion of:
//! ```text
//! #[service]
//! trait Forms {
//!     async fn nothing(&self);
//!     async fn plain(&self) -> u64;
//!     async fn own_error(&self) -> Result<u64, Problem>;
//!     async fn status(&self) -> Result<u64, sinew::Status>;
//!     async fn call_error(&self) -> Result<u64, CallError<Problem>>;
//!     async fn alias(&self) -> shop::Result<u64>;
//!     async fn alias_of_stream(&self) -> Result<Streaming<u64>>;
//!     async fn type_named_result(&self) -> shop::Result;
//! }
//! ```

trait Forms: ::core::marker::Send + ::core::marker::Sync + 'static {
    fn nothing(&self) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send;
    fn plain(&self) -> impl ::core::future::Future<Output = u64> + ::core::marker::Send;
    fn own_error(
        &self,
    ) -> impl ::core::future::Future<
        Output = Result<u64, Problem>,
    > + ::core::marker::Send;
    fn status(
        &self,
    ) -> impl ::core::future::Future<
        Output = Result<u64, sinew::Status>,
    > + ::core::marker::Send;
    fn call_error(
        &self,
    ) -> impl ::core::future::Future<
        Output = Result<u64, CallError<Problem>>,
    > + ::core::marker::Send;
    fn alias(
        &self,
    ) -> impl ::core::future::Future<Output = shop::Result<u64>> + ::core::marker::Send;
    fn alias_of_stream(
        &self,
    ) -> impl ::core::future::Future<
        Output = Result<Streaming<u64>>,
    > + ::core::marker::Send;
    fn type_named_result(
        &self,
    ) -> impl ::core::future::Future<Output = shop::Result> + ::core::marker::Send;
}
/// Client of [`Forms`]: each of its methods is a call.
///
/// Cheap to clone, and all clones share their connections. Dropping the future of a call
/// cancels the call, on the server too.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
struct FormsClient {
    channel: ::sinew::private::Channel,
}
/// Serves an implementation of [`Forms`].
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
struct FormsServer {
    service: ::sinew::private::Service,
}
#[allow(clippy::too_many_arguments, deprecated)]
const _: () = {
    static METHOD_nothing: ::sinew::private::Method = ::sinew::private::Method::new(
            "Forms",
            "nothing",
            "Forms/nothing",
            ::sinew::private::Shape::Unary,
        )
        .arguments(&[]);
    static METHOD_plain: ::sinew::private::Method = ::sinew::private::Method::new(
            "Forms",
            "plain",
            "Forms/plain",
            ::sinew::private::Shape::Unary,
        )
        .arguments(&[]);
    static METHOD_own_error: ::sinew::private::Method = ::sinew::private::Method::new(
            "Forms",
            "own_error",
            "Forms/own_error",
            ::sinew::private::Shape::Unary,
        )
        .arguments(&[]);
    static METHOD_status: ::sinew::private::Method = ::sinew::private::Method::new(
            "Forms",
            "status",
            "Forms/status",
            ::sinew::private::Shape::Unary,
        )
        .arguments(&[]);
    static METHOD_call_error: ::sinew::private::Method = ::sinew::private::Method::new(
            "Forms",
            "call_error",
            "Forms/call_error",
            ::sinew::private::Shape::Unary,
        )
        .arguments(&[]);
    static METHOD_alias: ::sinew::private::Method = ::sinew::private::Method::new(
            "Forms",
            "alias",
            "Forms/alias",
            ::sinew::private::Shape::Unary,
        )
        .arguments(&[]);
    static METHOD_alias_of_stream: ::sinew::private::Method = ::sinew::private::Method::new(
            "Forms",
            "alias_of_stream",
            "Forms/alias_of_stream",
            ::sinew::private::Shape::ServerStreaming,
        )
        .arguments(&[]);
    static METHOD_type_named_result: ::sinew::private::Method = ::sinew::private::Method::new(
            "Forms",
            "type_named_result",
            "Forms/type_named_result",
            ::sinew::private::Shape::Unary,
        )
        .arguments(&[]);
    const _: () = ::sinew::private::assert_distinct_methods(
        &[
            &METHOD_nothing,
            &METHOD_plain,
            &METHOD_own_error,
            &METHOD_status,
            &METHOD_call_error,
            &METHOD_alias,
            &METHOD_alias_of_stream,
            &METHOD_type_named_result,
        ],
    );
    impl FormsClient {
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
        fn local(service: impl Forms) -> Self {
            Self {
                channel: ::sinew::private::Channel::local(
                    FormsServer::new(service).service,
                ),
            }
        }
        /// Calls [`Forms::nothing`].
        fn nothing(
            &self,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<(), ::sinew::Status>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<
                (),
                (),
                ::sinew::Status,
            >(&self.channel, &METHOD_nothing, ())
        }
        /// Calls [`Forms::plain`].
        fn plain(
            &self,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u64, ::sinew::Status>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<
                (),
                u64,
                ::sinew::Status,
            >(&self.channel, &METHOD_plain, ())
        }
        /// Calls [`Forms::own_error`].
        fn own_error(
            &self,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u64, ::sinew::CallError<Problem>>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<
                (),
                u64,
                Problem,
            >(&self.channel, &METHOD_own_error, ())
        }
        /// Calls [`Forms::status`].
        fn status(
            &self,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u64, sinew::Status>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<
                (),
                u64,
                sinew::Status,
            >(&self.channel, &METHOD_status, ())
        }
        /// Calls [`Forms::call_error`].
        fn call_error(
            &self,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u64, CallError<Problem>>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<
                (),
                u64,
                CallError<Problem>,
            >(&self.channel, &METHOD_call_error, ())
        }
        /// Calls [`Forms::alias`].
        fn alias(
            &self,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<
                <shop::Result<u64> as ::sinew::private::ResultType>::Ok,
                <<shop::Result<
                    u64,
                > as ::sinew::private::ResultType>::Err as ::sinew::private::MethodError>::Caller,
            >,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<
                (),
                <shop::Result<u64> as ::sinew::private::ResultType>::Ok,
                <shop::Result<u64> as ::sinew::private::ResultType>::Err,
            >(&self.channel, &METHOD_alias, ())
        }
        /// Calls [`Forms::alias_of_stream`].
        fn alias_of_stream(
            &self,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<
                ::sinew::Streaming<
                    u64,
                    <Result<Streaming<u64>> as ::sinew::private::ResultType>::Err,
                >,
                <<Result<
                    Streaming<u64>,
                > as ::sinew::private::ResultType>::Err as ::sinew::private::MethodError>::Caller,
            >,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::server_streaming::<
                (),
                u64,
                <Result<Streaming<u64>> as ::sinew::private::ResultType>::Err,
            >(&self.channel, &METHOD_alias_of_stream, ())
        }
        /// Calls [`Forms::type_named_result`].
        fn type_named_result(
            &self,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<shop::Result, ::sinew::Status>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<
                (),
                shop::Result,
                ::sinew::Status,
            >(&self.channel, &METHOD_type_named_result, ())
        }
    }
    impl ::sinew::ServiceClient for FormsClient {
        const SERVICE: &'static str = "Forms";
        fn from_channel(channel: ::sinew::private::Channel) -> Self {
            Self { channel }
        }
    }
    impl FormsServer {
        /// Serves `service`: one value answers all calls, at once.
        #[must_use]
        fn new(service: impl Forms) -> Self {
            let service = ::std::sync::Arc::new(service);
            Self {
                service: ::sinew::private::Service::new(
                    "Forms",
                    ::core::convert::From::from([
                        ::sinew::private::unary_handler::<
                            (),
                            (),
                            ::sinew::Status,
                            _,
                            _,
                        >(
                            &METHOD_nothing,
                            {
                                let this = ::core::clone::Clone::clone(&service);
                                move |()| {
                                    let this = ::core::clone::Clone::clone(&this);
                                    async move {
                                        ::core::result::Result::<
                                            (),
                                            ::sinew::Status,
                                        >::Ok(Forms::nothing(&*this).await)
                                    }
                                }
                            },
                        ),
                        ::sinew::private::unary_handler::<
                            (),
                            u64,
                            ::sinew::Status,
                            _,
                            _,
                        >(
                            &METHOD_plain,
                            {
                                let this = ::core::clone::Clone::clone(&service);
                                move |()| {
                                    let this = ::core::clone::Clone::clone(&this);
                                    async move {
                                        ::core::result::Result::<
                                            u64,
                                            ::sinew::Status,
                                        >::Ok(Forms::plain(&*this).await)
                                    }
                                }
                            },
                        ),
                        ::sinew::private::unary_handler::<
                            (),
                            u64,
                            Problem,
                            _,
                            _,
                        >(
                            &METHOD_own_error,
                            {
                                let this = ::core::clone::Clone::clone(&service);
                                move |()| {
                                    let this = ::core::clone::Clone::clone(&this);
                                    async move { Forms::own_error(&*this).await }
                                }
                            },
                        ),
                        ::sinew::private::unary_handler::<
                            (),
                            u64,
                            sinew::Status,
                            _,
                            _,
                        >(
                            &METHOD_status,
                            {
                                let this = ::core::clone::Clone::clone(&service);
                                move |()| {
                                    let this = ::core::clone::Clone::clone(&this);
                                    async move { Forms::status(&*this).await }
                                }
                            },
                        ),
                        ::sinew::private::unary_handler::<
                            (),
                            u64,
                            CallError<Problem>,
                            _,
                            _,
                        >(
                            &METHOD_call_error,
                            {
                                let this = ::core::clone::Clone::clone(&service);
                                move |()| {
                                    let this = ::core::clone::Clone::clone(&this);
                                    async move { Forms::call_error(&*this).await }
                                }
                            },
                        ),
                        ::sinew::private::unary_handler::<
                            (),
                            <shop::Result<u64> as ::sinew::private::ResultType>::Ok,
                            <shop::Result<u64> as ::sinew::private::ResultType>::Err,
                            _,
                            _,
                        >(
                            &METHOD_alias,
                            {
                                let this = ::core::clone::Clone::clone(&service);
                                move |()| {
                                    let this = ::core::clone::Clone::clone(&this);
                                    async move { Forms::alias(&*this).await }
                                }
                            },
                        ),
                        ::sinew::private::server_streaming_handler::<
                            (),
                            u64,
                            <Result<
                                Streaming<u64>,
                            > as ::sinew::private::ResultType>::Err,
                            _,
                            _,
                        >(
                            &METHOD_alias_of_stream,
                            {
                                let this = ::core::clone::Clone::clone(&service);
                                move |()| {
                                    let this = ::core::clone::Clone::clone(&this);
                                    async move { Forms::alias_of_stream(&*this).await }
                                }
                            },
                        ),
                        ::sinew::private::unary_handler::<
                            (),
                            shop::Result,
                            ::sinew::Status,
                            _,
                            _,
                        >(
                            &METHOD_type_named_result,
                            {
                                let this = ::core::clone::Clone::clone(&service);
                                move |()| {
                                    let this = ::core::clone::Clone::clone(&this);
                                    async move {
                                        ::core::result::Result::<
                                            shop::Result,
                                            ::sinew::Status,
                                        >::Ok(Forms::type_named_result(&*this).await)
                                    }
                                }
                            },
                        ),
                    ]),
                ),
            }
        }
    }
    impl ::core::convert::From<FormsServer> for ::sinew::private::Service {
        fn from(server: FormsServer) -> Self {
            server.service
        }
    }
};
