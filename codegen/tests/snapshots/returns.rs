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
    enum Method_nothing {}
    impl ::sinew::private::Signature for Method_nothing {
        type Arguments = ();
        type Input = ();
        type Value = ();
        type Error = ::sinew::Status;
        type Caller = ::sinew::Status;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Forms",
                "nothing",
                "Forms/nothing",
                ::sinew::private::Shape::Unary,
            )
            .arguments(&[])
            .within("Forms", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    enum Method_plain {}
    impl ::sinew::private::Signature for Method_plain {
        type Arguments = ();
        type Input = ();
        type Value = u64;
        type Error = ::sinew::Status;
        type Caller = ::sinew::Status;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Forms",
                "plain",
                "Forms/plain",
                ::sinew::private::Shape::Unary,
            )
            .arguments(&[])
            .within("Forms", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    enum Method_own_error {}
    impl ::sinew::private::Signature for Method_own_error {
        type Arguments = ();
        type Input = ();
        type Value = u64;
        type Error = Problem;
        type Caller = ::sinew::CallError<Problem>;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Forms",
                "own_error",
                "Forms/own_error",
                ::sinew::private::Shape::Unary,
            )
            .arguments(&[])
            .within("Forms", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    enum Method_status {}
    impl ::sinew::private::Signature for Method_status {
        type Arguments = ();
        type Input = ();
        type Value = u64;
        type Error = sinew::Status;
        type Caller = sinew::Status;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Forms",
                "status",
                "Forms/status",
                ::sinew::private::Shape::Unary,
            )
            .arguments(&[])
            .within("Forms", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    enum Method_call_error {}
    impl ::sinew::private::Signature for Method_call_error {
        type Arguments = ();
        type Input = ();
        type Value = u64;
        type Error = CallError<Problem>;
        type Caller = CallError<Problem>;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Forms",
                "call_error",
                "Forms/call_error",
                ::sinew::private::Shape::Unary,
            )
            .arguments(&[])
            .within("Forms", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    enum Method_alias {}
    impl ::sinew::private::Signature for Method_alias {
        type Arguments = ();
        type Input = ();
        type Value = <shop::Result<u64> as ::sinew::private::ResultType>::Ok;
        type Error = <shop::Result<u64> as ::sinew::private::ResultType>::Err;
        type Caller = <<shop::Result<
            u64,
        > as ::sinew::private::ResultType>::Err as ::sinew::private::MethodError>::Caller;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Forms",
                "alias",
                "Forms/alias",
                ::sinew::private::Shape::Unary,
            )
            .arguments(&[])
            .within("Forms", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    enum Method_alias_of_stream {}
    impl ::sinew::private::Signature for Method_alias_of_stream {
        type Arguments = ();
        type Input = ();
        type Value = u64;
        type Error = <Result<Streaming<u64>> as ::sinew::private::ResultType>::Err;
        type Caller = <<Result<
            Streaming<u64>,
        > as ::sinew::private::ResultType>::Err as ::sinew::private::MethodError>::Caller;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Forms",
                "alias_of_stream",
                "Forms/alias_of_stream",
                ::sinew::private::Shape::ServerStreaming,
            )
            .arguments(&[])
            .within("Forms", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    enum Method_type_named_result {}
    impl ::sinew::private::Signature for Method_type_named_result {
        type Arguments = ();
        type Input = ();
        type Value = shop::Result;
        type Error = ::sinew::Status;
        type Caller = ::sinew::Status;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Forms",
                "type_named_result",
                "Forms/type_named_result",
                ::sinew::private::Shape::Unary,
            )
            .arguments(&[])
            .within("Forms", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    const _: () = ::sinew::private::assert_distinct_methods(
        &[
            <Method_nothing as ::sinew::private::Signature>::METHOD,
            <Method_plain as ::sinew::private::Signature>::METHOD,
            <Method_own_error as ::sinew::private::Signature>::METHOD,
            <Method_status as ::sinew::private::Signature>::METHOD,
            <Method_call_error as ::sinew::private::Signature>::METHOD,
            <Method_alias as ::sinew::private::Signature>::METHOD,
            <Method_alias_of_stream as ::sinew::private::Signature>::METHOD,
            <Method_type_named_result as ::sinew::private::Signature>::METHOD,
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
            ::sinew::private::unary::<Method_nothing>(&self.channel, ())
        }
        /// Calls [`Forms::plain`].
        fn plain(
            &self,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u64, ::sinew::Status>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<Method_plain>(&self.channel, ())
        }
        /// Calls [`Forms::own_error`].
        fn own_error(
            &self,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u64, ::sinew::CallError<Problem>>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<Method_own_error>(&self.channel, ())
        }
        /// Calls [`Forms::status`].
        fn status(
            &self,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u64, sinew::Status>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<Method_status>(&self.channel, ())
        }
        /// Calls [`Forms::call_error`].
        fn call_error(
            &self,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u64, CallError<Problem>>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<Method_call_error>(&self.channel, ())
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
            ::sinew::private::unary::<Method_alias>(&self.channel, ())
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
                Method_alias_of_stream,
            >(&self.channel, ())
        }
        /// Calls [`Forms::type_named_result`].
        fn type_named_result(
            &self,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<shop::Result, ::sinew::Status>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<Method_type_named_result>(&self.channel, ())
        }
    }
    impl ::sinew::ServiceClient for FormsClient {
        const SERVICE: &'static str = "Forms";
        fn from_channel(channel: ::sinew::private::Channel) -> Self {
            Self { channel }
        }
        fn types() -> ::std::vec::Vec<&'static ::sinew::private::Types> {
            ::core::convert::From::from([
                ::sinew::private::types::<Method_nothing>(),
                ::sinew::private::types::<Method_plain>(),
                ::sinew::private::types::<Method_own_error>(),
                ::sinew::private::types::<Method_status>(),
                ::sinew::private::types::<Method_call_error>(),
                ::sinew::private::types::<Method_alias>(),
                ::sinew::private::types::<Method_alias_of_stream>(),
                ::sinew::private::types::<Method_type_named_result>(),
            ])
        }
    }
    impl<
        Implementation_Forms: Forms,
    > ::sinew::private::Handles<Implementation_Forms, (), ()> for Method_nothing {
        fn handle(
            this: &Implementation_Forms,
            (): (),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<(), ::sinew::Status>,
        > + ::core::marker::Send {
            ::sinew::private::infallible(Forms::nothing(this))
        }
    }
    impl<
        Implementation_Forms: Forms,
    > ::sinew::private::Handles<Implementation_Forms, (), u64> for Method_plain {
        fn handle(
            this: &Implementation_Forms,
            (): (),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u64, ::sinew::Status>,
        > + ::core::marker::Send {
            ::sinew::private::infallible(Forms::plain(this))
        }
    }
    impl<
        Implementation_Forms: Forms,
    > ::sinew::private::Handles<Implementation_Forms, (), u64> for Method_own_error {
        fn handle(
            this: &Implementation_Forms,
            (): (),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u64, Problem>,
        > + ::core::marker::Send {
            Forms::own_error(this)
        }
    }
    impl<
        Implementation_Forms: Forms,
    > ::sinew::private::Handles<Implementation_Forms, (), u64> for Method_status {
        fn handle(
            this: &Implementation_Forms,
            (): (),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u64, sinew::Status>,
        > + ::core::marker::Send {
            Forms::status(this)
        }
    }
    impl<
        Implementation_Forms: Forms,
    > ::sinew::private::Handles<Implementation_Forms, (), u64> for Method_call_error {
        fn handle(
            this: &Implementation_Forms,
            (): (),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u64, CallError<Problem>>,
        > + ::core::marker::Send {
            Forms::call_error(this)
        }
    }
    impl<
        Implementation_Forms: Forms,
    > ::sinew::private::Handles<
        Implementation_Forms,
        (),
        <shop::Result<u64> as ::sinew::private::ResultType>::Ok,
    > for Method_alias {
        fn handle(
            this: &Implementation_Forms,
            (): (),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<
                <shop::Result<u64> as ::sinew::private::ResultType>::Ok,
                <shop::Result<u64> as ::sinew::private::ResultType>::Err,
            >,
        > + ::core::marker::Send {
            Forms::alias(this)
        }
    }
    impl<
        Implementation_Forms: Forms,
    > ::sinew::private::Handles<Implementation_Forms, (), ::sinew::Streaming<u64>>
    for Method_alias_of_stream {
        fn handle(
            this: &Implementation_Forms,
            (): (),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<
                ::sinew::Streaming<u64>,
                <Result<Streaming<u64>> as ::sinew::private::ResultType>::Err,
            >,
        > + ::core::marker::Send {
            Forms::alias_of_stream(this)
        }
    }
    impl<
        Implementation_Forms: Forms,
    > ::sinew::private::Handles<Implementation_Forms, (), shop::Result>
    for Method_type_named_result {
        fn handle(
            this: &Implementation_Forms,
            (): (),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<shop::Result, ::sinew::Status>,
        > + ::core::marker::Send {
            ::sinew::private::infallible(Forms::type_named_result(this))
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
                        ::sinew::private::unary_handler::<_, Method_nothing>(&service),
                        ::sinew::private::unary_handler::<_, Method_plain>(&service),
                        ::sinew::private::unary_handler::<_, Method_own_error>(&service),
                        ::sinew::private::unary_handler::<_, Method_status>(&service),
                        ::sinew::private::unary_handler::<
                            _,
                            Method_call_error,
                        >(&service),
                        ::sinew::private::unary_handler::<_, Method_alias>(&service),
                        ::sinew::private::server_streaming_handler::<
                            _,
                            Method_alias_of_stream,
                        >(&service),
                        ::sinew::private::unary_handler::<
                            _,
                            Method_type_named_result,
                        >(&service),
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
