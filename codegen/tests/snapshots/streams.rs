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
    enum Method_watch {}
    impl ::sinew::private::Signature for Method_watch {
        type Arguments = (Sku,);
        type Input = ();
        type Value = Level;
        type Error = StockError;
        type Caller = ::sinew::CallError<StockError>;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Inventory",
                "watch",
                "Inventory/watch",
                ::sinew::private::Shape::ServerStreaming,
            )
            .arguments(&["sku"])
            .within("Inventory", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    enum Method_restock {}
    impl ::sinew::private::Signature for Method_restock {
        type Arguments = ();
        type Input = Delivery;
        type Value = Summary;
        type Error = StockError;
        type Caller = ::sinew::CallError<StockError>;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Inventory",
                "restock",
                "Inventory/restock",
                ::sinew::private::Shape::ClientStreaming,
            )
            .arguments(&[])
            .with_input("deliveries", 0)
            .within("Inventory", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    enum Method_audit {}
    impl ::sinew::private::Signature for Method_audit {
        type Arguments = (Day, Day);
        type Input = Line;
        type Value = Finding;
        type Error = StockError;
        type Caller = ::sinew::CallError<StockError>;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Inventory",
                "audit",
                "Inventory/audit",
                ::sinew::private::Shape::Bidirectional,
            )
            .arguments(&["since", "until"])
            .with_input("lines", 1)
            .within("Inventory", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    enum Method_ticks {}
    impl ::sinew::private::Signature for Method_ticks {
        type Arguments = ();
        type Input = ();
        type Value = Tick;
        type Error = ::sinew::Status;
        type Caller = ::sinew::Status;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Inventory",
                "ticks",
                "Inventory/ticks",
                ::sinew::private::Shape::ServerStreaming,
            )
            .arguments(&[])
            .within("Inventory", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    const _: () = ::sinew::private::assert_distinct_methods(
        &[
            <Method_watch as ::sinew::private::Signature>::METHOD,
            <Method_restock as ::sinew::private::Signature>::METHOD,
            <Method_audit as ::sinew::private::Signature>::METHOD,
            <Method_ticks as ::sinew::private::Signature>::METHOD,
        ],
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
            ::sinew::private::server_streaming::<Method_watch>(&self.channel, (sku,))
        }
        /// Calls [`Inventory::restock`].
        pub(crate) fn restock(
            &self,
            deliveries: Streaming<Delivery>,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<Summary, ::sinew::CallError<StockError>>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::client_streaming::<
                Method_restock,
            >(&self.channel, (), deliveries)
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
                Method_audit,
            >(&self.channel, (since, until), lines)
        }
        /// Calls [`Inventory::ticks`].
        pub(crate) fn ticks(
            &self,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<::sinew::Streaming<Tick>, ::sinew::Status>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::server_streaming::<Method_ticks>(&self.channel, ())
        }
    }
    impl ::sinew::ServiceClient for InventoryClient {
        const SERVICE: &'static str = "Inventory";
        fn from_channel(channel: ::sinew::private::Channel) -> Self {
            Self { channel }
        }
        fn types() -> ::std::vec::Vec<&'static ::sinew::private::Types> {
            ::core::convert::From::from([
                ::sinew::private::types::<Method_watch>(),
                ::sinew::private::types::<Method_restock>(),
                ::sinew::private::types::<Method_audit>(),
                ::sinew::private::types::<Method_ticks>(),
            ])
        }
    }
    impl<
        Implementation_Inventory: Inventory,
    > ::sinew::private::Handles<Implementation_Inventory, (), ::sinew::Streaming<Level>>
    for Method_watch {
        fn handle(
            this: &Implementation_Inventory,
            (sku,): (Sku,),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<::sinew::Streaming<Level>, StockError>,
        > + ::core::marker::Send {
            Inventory::watch(this, sku)
        }
    }
    impl<
        Implementation_Inventory: Inventory,
    > ::sinew::private::Handles<
        Implementation_Inventory,
        ::sinew::Streaming<Delivery>,
        Summary,
    > for Method_restock {
        fn handle(
            this: &Implementation_Inventory,
            (): (),
            deliveries: ::sinew::Streaming<Delivery>,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<Summary, StockError>,
        > + ::core::marker::Send {
            Inventory::restock(this, deliveries)
        }
    }
    impl<
        Implementation_Inventory: Inventory,
    > ::sinew::private::Handles<
        Implementation_Inventory,
        ::sinew::Streaming<Line>,
        ::sinew::Streaming<Finding>,
    > for Method_audit {
        fn handle(
            this: &Implementation_Inventory,
            (since, until): (Day, Day),
            lines: ::sinew::Streaming<Line>,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<::sinew::Streaming<Finding>, StockError>,
        > + ::core::marker::Send {
            Inventory::audit(this, since, lines, until)
        }
    }
    impl<
        Implementation_Inventory: Inventory,
    > ::sinew::private::Handles<Implementation_Inventory, (), ::sinew::Streaming<Tick>>
    for Method_ticks {
        fn handle(
            this: &Implementation_Inventory,
            (): (),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<::sinew::Streaming<Tick>, ::sinew::Status>,
        > + ::core::marker::Send {
            ::sinew::private::infallible(Inventory::ticks(this))
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
                            _,
                            Method_watch,
                        >(&service),
                        ::sinew::private::client_streaming_handler::<
                            _,
                            Method_restock,
                        >(&service),
                        ::sinew::private::bidirectional_handler::<
                            _,
                            Method_audit,
                        >(&service),
                        ::sinew::private::server_streaming_handler::<
                            _,
                            Method_ticks,
                        >(&service),
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
