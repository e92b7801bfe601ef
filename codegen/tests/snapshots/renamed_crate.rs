//! The expansion of:
//! ```text
//! #[service(crate = "shop::rpc")]
//! pub trait Blobs {
//!     #[rpc(raw)]
//!     async fn echo(&self, body: Bytes) -> Result<Bytes, Problem>;
//! }
//! ```

pub trait Blobs: ::core::marker::Send + ::core::marker::Sync + 'static {
    fn echo(
        &self,
        body: Bytes,
    ) -> impl ::core::future::Future<
        Output = Result<Bytes, Problem>,
    > + ::core::marker::Send;
}
/// Client of [`Blobs`]: each of its methods is a call.
///
/// Cheap to clone, and all clones share their connections. Dropping the future of a call
/// cancels the call, on the server too.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct BlobsClient {
    channel: shop::rpc::private::Channel,
}
/// Serves an implementation of [`Blobs`].
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct BlobsServer {
    service: shop::rpc::private::Service,
}
#[allow(clippy::too_many_arguments, deprecated)]
const _: () = {
    enum Method_echo {}
    impl shop::rpc::private::Signature for Method_echo {
        type Arguments = (Bytes,);
        type Input = ();
        type Value = Bytes;
        type Error = Problem;
        type Caller = shop::rpc::CallError<Problem>;
        const METHOD: &'static shop::rpc::private::Method = &shop::rpc::private::Method::new(
                "Blobs",
                "echo",
                "Blobs/echo",
                shop::rpc::private::Shape::Unary,
            )
            .raw()
            .arguments(&["body"])
            .within("Blobs", "");
        fn cell() -> &'static shop::rpc::private::TypesCell {
            static CELL: shop::rpc::private::TypesCell = shop::rpc::private::TypesCell::new();
            &CELL
        }
    }
    impl BlobsClient {
        /// The same client, with these options for each call that is made through it.
        #[must_use]
        pub fn with(&self, options: shop::rpc::CallOptions) -> Self {
            Self {
                channel: self.channel.with(options),
            }
        }
        /// A client of an implementation in this process: the same pipeline and the same encoding,
        /// with no network.
        #[must_use]
        pub fn local(service: impl Blobs) -> Self {
            Self {
                channel: shop::rpc::private::Channel::local(
                    BlobsServer::new(service).service,
                ),
            }
        }
        /// Calls [`Blobs::echo`].
        pub fn echo(
            &self,
            body: Bytes,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<Bytes, shop::rpc::CallError<Problem>>,
        > + ::core::marker::Send + 'static + use<> {
            shop::rpc::private::unary::<Method_echo>(&self.channel, (body,))
        }
    }
    impl shop::rpc::ServiceClient for BlobsClient {
        const SERVICE: &'static str = "Blobs";
        fn from_channel(channel: shop::rpc::private::Channel) -> Self {
            Self { channel }
        }
        fn types() -> ::std::vec::Vec<&'static shop::rpc::private::Types> {
            ::core::convert::From::from([shop::rpc::private::types::<Method_echo>()])
        }
    }
    impl<
        Implementation_Blobs: Blobs,
    > shop::rpc::private::Handles<Implementation_Blobs, (), Bytes> for Method_echo {
        fn handle(
            this: &Implementation_Blobs,
            (body,): (Bytes,),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<Bytes, Problem>,
        > + ::core::marker::Send {
            Blobs::echo(this, body)
        }
    }
    impl BlobsServer {
        /// Serves `service`: one value answers all calls, at once.
        #[must_use]
        pub fn new(service: impl Blobs) -> Self {
            let service = ::std::sync::Arc::new(service);
            Self {
                service: shop::rpc::private::Service::new(
                    "Blobs",
                    ::core::convert::From::from([
                        shop::rpc::private::unary_handler::<_, Method_echo>(&service),
                    ]),
                ),
            }
        }
    }
    impl ::core::convert::From<BlobsServer> for shop::rpc::private::Service {
        fn from(server: BlobsServer) -> Self {
            server.service
        }
    }
};
