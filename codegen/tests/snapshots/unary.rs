//! The expansion of:
//! ```text
//! #[service(name = "shop.Inventory")]
//! /// Stock levels and reservations.
//! #[allow(clippy::module_name_repetitions)]
//! pub trait Inventory: Health {
//!     /// Units on hand.
//!     ///
//!     /// Safe to repeat.
//!     #[rpc(idempotent, timeout = "500ms")]
//!     #[rpc(criticality = "sheddable_plus", name = "stock-level", hedge = "p95")]
//!     #[deprecated = "use `levels`"]
//!     #[must_use]
//!     async fn stock(&self, sku: Sku) -> Result<u32, StockError>;
//!
//!     async fn move_all(&self, from: Place, to: Place);
//! }
//! ```

/// Stock levels and reservations.
#[allow(clippy::module_name_repetitions)]
pub trait Inventory: ::core::marker::Send + ::core::marker::Sync + 'static + Health {
    /// Units on hand.
    ///
    /// Safe to repeat.
    #[deprecated = "use `levels`"]
    #[must_use]
    fn stock(
        &self,
        sku: Sku,
    ) -> impl ::core::future::Future<
        Output = Result<u32, StockError>,
    > + ::core::marker::Send;
    fn move_all(
        &self,
        from: Place,
        to: Place,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send;
}
/// Client of [`Inventory`]: each of its methods is a call.
///
/// Cheap to clone, and all clones share their connections. Dropping the future of a call
/// cancels the call, on the server too.
///
/// Stock levels and reservations.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct InventoryClient {
    channel: ::sinew::private::Channel,
}
/// Serves an implementation of [`Inventory`].
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct InventoryServer {
    service: ::sinew::private::Service,
}
#[allow(clippy::too_many_arguments, deprecated)]
const _: () = {
    enum Method_stock {}
    impl ::sinew::private::Signature for Method_stock {
        type Arguments = (Sku,);
        type Input = ();
        type Value = u32;
        type Error = StockError;
        type Caller = ::sinew::CallError<StockError>;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "shop.Inventory",
                "stock-level",
                "shop.Inventory/stock-level",
                ::sinew::private::Shape::Unary,
            )
            .idempotent()
            .timeout_us(500000u64)
            .criticality(::sinew::Criticality::SheddablePlus)
            .hedge_after_percentile(95u8)
            .arguments(&["sku"])
            .doc("Units on hand.\n\nSafe to repeat.")
            .within("Inventory", "Stock levels and reservations.");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    enum Method_move_all {}
    impl ::sinew::private::Signature for Method_move_all {
        type Arguments = (Place, Place);
        type Input = ();
        type Value = ();
        type Error = ::sinew::Status;
        type Caller = ::sinew::Status;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "shop.Inventory",
                "move_all",
                "shop.Inventory/move_all",
                ::sinew::private::Shape::Unary,
            )
            .arguments(&["from", "to"])
            .within("Inventory", "Stock levels and reservations.");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    const _: () = ::sinew::private::assert_distinct_methods(
        &[
            <Method_stock as ::sinew::private::Signature>::METHOD,
            <Method_move_all as ::sinew::private::Signature>::METHOD,
        ],
    );
    impl InventoryClient {
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
        pub fn local(service: impl Inventory) -> Self {
            Self {
                channel: ::sinew::private::Channel::local(
                    InventoryServer::new(service).service,
                ),
            }
        }
        /// Units on hand.
        ///
        /// Safe to repeat.
        #[deprecated = "use `levels`"]
        pub fn stock(
            &self,
            sku: Sku,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u32, ::sinew::CallError<StockError>>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<Method_stock>(&self.channel, (sku,))
        }
        /// Calls [`Inventory::move_all`].
        pub fn move_all(
            &self,
            from: Place,
            to: Place,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<(), ::sinew::Status>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<Method_move_all>(&self.channel, (from, to))
        }
    }
    impl ::sinew::ServiceClient for InventoryClient {
        const SERVICE: &'static str = "shop.Inventory";
        fn from_channel(channel: ::sinew::private::Channel) -> Self {
            Self { channel }
        }
        fn types() -> ::std::vec::Vec<&'static ::sinew::private::Types> {
            ::core::convert::From::from([
                ::sinew::private::types::<Method_stock>(),
                ::sinew::private::types::<Method_move_all>(),
            ])
        }
    }
    impl<
        Implementation_Inventory: Inventory,
    > ::sinew::private::Handles<Implementation_Inventory, (), u32> for Method_stock {
        fn handle(
            this: &Implementation_Inventory,
            (sku,): (Sku,),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<u32, StockError>,
        > + ::core::marker::Send {
            Inventory::stock(this, sku)
        }
    }
    impl<
        Implementation_Inventory: Inventory,
    > ::sinew::private::Handles<Implementation_Inventory, (), ()> for Method_move_all {
        fn handle(
            this: &Implementation_Inventory,
            (from, to): (Place, Place),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<(), ::sinew::Status>,
        > + ::core::marker::Send {
            ::sinew::private::infallible(Inventory::move_all(this, from, to))
        }
    }
    impl InventoryServer {
        /// Serves `service`: one value answers all calls, at once.
        #[must_use]
        pub fn new(service: impl Inventory) -> Self {
            let service = ::std::sync::Arc::new(service);
            Self {
                service: ::sinew::private::Service::new(
                    "shop.Inventory",
                    ::core::convert::From::from([
                        ::sinew::private::unary_handler::<_, Method_stock>(&service),
                        ::sinew::private::unary_handler::<_, Method_move_all>(&service),
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
