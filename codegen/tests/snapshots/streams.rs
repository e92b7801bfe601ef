//! The expansion of:
//! ```text
//! #[service]
//! pub(crate) trait Inventory {
//!     async fn watch(&self, sku: Sku) -> Result<Streaming<Level>, StockError>;
//!     async fn restock(&self, deliveries: Streaming<Delivery>) -> Result<Summary, StockError>;
//!     async fn audit(&self, since: Day, lines: sinew::Streaming<Line>, until: Day)
//!         -> Result<Streaming<Finding>, StockError>;
//!     async fn ticks(&self) -> Streaming<Tick>;
//! }
//! ```

pub(crate) trait Inventory: ::core::marker::Send + ::core::marker::Sync + 'static {
    fn watch(
        &self,
        sku: Sku,
    ) -> impl ::core::future::Future<
        Output = Result<Streaming<Level>, StockError>,
    > + ::core::marker::Send;
    fn restock(
        &self,
        deliveries: Streaming<Delivery>,
    ) -> impl ::core::future::Future<
        Output = Result<Summary, StockError>,
    > + ::core::marker::Send;
    fn audit(
        &self,
        since: Day,
        lines: sinew::Streaming<Line>,
        until: Day,
    ) -> impl ::core::future::Future<
        Output = Result<Streaming<Finding>, StockError>,
    > + ::core::marker::Send;
    fn ticks(
        &self,
    ) -> impl ::core::future::Future<Output = Streaming<Tick>> + ::core::marker::Send;
}
/// Client of [`Inventory`]: each of its methods is a call.
///
/// Cheap to clone, and all clones share their connections. Dropping the future of a call
/// cancels the call, on the server too.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub(crate) struct InventoryClient {
    channel: ::sinew::private::Channel,
}
/// Serves an implementation of [`Inventory`].
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub(crate) struct InventoryServer {
    service: ::sinew::private::Service,
}
#[allow(clippy::too_many_arguments, deprecated)]
const _: () = {
    static METHOD_watch: ::sinew::private::Method = ::sinew::private::Method::new(
            "Inventory",
            "watch",
            "Inventory/watch",
            ::sinew::private::Shape::ServerStreaming,
        )
        .arguments(&["sku"]);
    static METHOD_restock: ::sinew::private::Method = ::sinew::private::Method::new(
            "Inventory",
            "restock",
            "Inventory/restock",
            ::sinew::private::Shape::ClientStreaming,
        )
        .arguments(&[]);
    static METHOD_audit: ::sinew::private::Method = ::sinew::private::Method::new(
            "Inventory",
            "audit",
            "Inventory/audit",
            ::sinew::private::Shape::Bidirectional,
        )
        .arguments(&["since", "until"]);
    static METHOD_ticks: ::sinew::private::Method = ::sinew::private::Method::new(
            "Inventory",
            "ticks",
            "Inventory/ticks",
            ::sinew::private::Shape::ServerStreaming,
        )
        .arguments(&[]);
    const _: () = ::sinew::private::assert_distinct_methods(
        &[&METHOD_watch, &METHOD_restock, &METHOD_audit, &METHOD_ticks],
    );
    impl InventoryClient {
        /// The same client, with these options for each call that is made through it.
        #[must_use]
        pub(crate) fn with(&self, options: ::sinew::CallOptions) -> Self {
            Self {
                channel: self.channel.with(options),
            }
        }
        /// A client of an implementation in this process: the same pipeline and the same encoding,
        /// with no network.
        #[must_use]
        pub(crate) fn local(service: impl Inventory) -> Self {
            Self {
                channel: ::sinew::private::Channel::local(
                    InventoryServer::new(service).service,
                ),
            }
        }
        /// Calls [`Inventory::watch`].
        pub(crate) fn watch(
            &self,
            sku: Sku,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<
                ::sinew::Streaming<Level, StockError>,
                ::sinew::CallError<StockError>,
            >,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::server_streaming::<
                (Sku,),
                Level,
                StockError,
            >(&self.channel, &METHOD_watch, (sku,))
        }
        /// Calls [`Inventory::restock`].
        pub(crate) fn restock(
            &self,
            deliveries: Streaming<Delivery>,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<Summary, ::sinew::CallError<StockError>>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::client_streaming::<
                (),
                Delivery,
                Summary,
                StockError,
            >(&self.channel, &METHOD_restock, (), deliveries)
        }
        /// Calls [`Inventory::audit`].
        pub(crate) fn audit(
            &self,
            since: Day,
            lines: sinew::Streaming<Line>,
            until: Day,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<
                ::sinew::Streaming<Finding, StockError>,
                ::sinew::CallError<StockError>,
            >,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::bidirectional::<
                (Day, Day),
                Line,
                Finding,
                StockError,
            >(&self.channel, &METHOD_audit, (since, until), lines)
        }
        /// Calls [`Inventory::ticks`].
        pub(crate) fn ticks(
            &self,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<::sinew::Streaming<Tick>, ::sinew::Status>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::server_streaming::<
                (),
                Tick,
                ::sinew::Status,
            >(&self.channel, &METHOD_ticks, ())
        }
    }
    impl ::sinew::ServiceClient for InventoryClient {
        const SERVICE: &'static str = "Inventory";
        fn from_channel(channel: ::sinew::private::Channel) -> Self {
            Self { channel }
        }
    }
    impl InventoryServer {
        /// Serves `service`: one value answers all calls, at once.
        #[must_use]
        pub(crate) fn new(service: impl Inventory) -> Self {
            let service = ::std::sync::Arc::new(service);
            Self {
                service: ::sinew::private::Service::new(
                    "Inventory",
                    ::core::convert::From::from([
                        ::sinew::private::server_streaming_handler::<
                            (Sku,),
                            Level,
                            StockError,
                            _,
                            _,
                        >(
                            &METHOD_watch,
                            {
                                let this = ::core::clone::Clone::clone(&service);
                                move |(sku,)| {
                                    let this = ::core::clone::Clone::clone(&this);
                                    async move { Inventory::watch(&*this, sku).await }
                                }
                            },
                        ),
                        ::sinew::private::client_streaming_handler::<
                            (),
                            Delivery,
                            Summary,
                            StockError,
                            _,
                            _,
                        >(
                            &METHOD_restock,
                            {
                                let this = ::core::clone::Clone::clone(&service);
                                move |(), deliveries| {
                                    let this = ::core::clone::Clone::clone(&this);
                                    async move { Inventory::restock(&*this, deliveries).await }
                                }
                            },
                        ),
                        ::sinew::private::bidirectional_handler::<
                            (Day, Day),
                            Line,
                            Finding,
                            StockError,
                            _,
                            _,
                        >(
                            &METHOD_audit,
                            {
                                let this = ::core::clone::Clone::clone(&service);
                                move |(since, until), lines| {
                                    let this = ::core::clone::Clone::clone(&this);
                                    async move {
                                        Inventory::audit(&*this, since, lines, until).await
                                    }
                                }
                            },
                        ),
                        ::sinew::private::server_streaming_handler::<
                            (),
                            Tick,
                            ::sinew::Status,
                            _,
                            _,
                        >(
                            &METHOD_ticks,
                            {
                                let this = ::core::clone::Clone::clone(&service);
                                move |()| {
                                    let this = ::core::clone::Clone::clone(&this);
                                    async move {
                                        ::core::result::Result::<
                                            ::sinew::Streaming<Tick>,
                                            ::sinew::Status,
                                        >::Ok(Inventory::ticks(&*this).await)
                                    }
                                }
                            },
                        ),
                    ]),
                ),
            }
        }
    }
    impl ::core::convert::From<InventoryServer> for ::sinew::private::Service {
        fn from(server: InventoryServer) -> Self {
            server.service
        }
    }
};
