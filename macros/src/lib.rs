//! The doorbell of [`#[service]`](macro@service): everything behind it is in `sinew-codegen`.
//!
//! Use it through the crate `sinew`, which exports it as `sinew::service`.

use proc_macro::TokenStream;

/// Makes a trait a service: from one definition come the trait to implement, a client to call and a server to run.
///
/// ```text
/// use serde::{Deserialize, Serialize};
/// use sinew::Streaming;
///
/// /// Stock levels and reservations.
/// #[sinew::service(name = "shop.Inventory")]
/// pub trait Inventory {
///     /// Units on hand. Safe to repeat.
///     #[rpc(idempotent, timeout = "500ms")]
///     async fn stock(&self, sku: Sku) -> Result<u32, StockError>;
///
///     /// A plain value needs no `Result`.
///     async fn count(&self) -> u64;
///
///     /// Streams in either direction, or both.
///     async fn watch(&self, sku: Sku) -> Result<Streaming<Level>, StockError>;
///     async fn restock(&self, deliveries: Streaming<Delivery>) -> Result<Summary, StockError>;
/// }
///
/// struct Warehouse;
///
/// impl Inventory for Warehouse {
///     async fn stock(&self, sku: Sku) -> Result<u32, StockError> { .. }
///     ..
/// }
/// ```
///
/// # What is generated
/// | item | what it is |
/// |---|---|
/// | `trait Inventory` | the trait as written, with the supertraits `Send + Sync + 'static`; the futures of its methods are `Send` |
/// | `struct InventoryClient` | one concrete type with a method for each of the trait's; `Clone`, `Debug`, `Send`, `Sync` |
/// | `struct InventoryServer` | what `ServerBuilder::serve` takes, made by `InventoryServer::new(implementation)` |
///
/// Client and server are as visible as the trait. Besides the calls a client has:
///
/// - `InventoryClient::local(implementation)`: a client of an implementation in this process, through the same
///   pipeline and encoding, with no network; for tests, and for services that live together.
/// - `inventory.with(options)`: the same client, with these `CallOptions` for each call made through it.
///
/// # Methods
/// A method is an `async fn` with `&self`. It is implemented as written, with `async fn`. The client's method has the
/// same arguments and returns a future that is `Send` and `'static`: it borrows nothing, not even the client.
///
/// | a method that returns | is called with |
/// |---|---|
/// | `T`, or nothing | `Result<T, Status>` |
/// | `Result<T, E>` | `Result<T, CallError<E>>` |
/// | `Result<T, Status>` | `Result<T, Status>` |
/// | `Result<T, CallError<E>>` | `Result<T, CallError<E>>` |
/// | `Streaming<T>` for `T` in one of these | `Streaming<T, E>` for `T`, with the error of that line |
///
/// `E` is the service's own answer, a type of yours with serde's traits. A `Status` says that there is none, and why.
/// An alias of `Result` with one parameter works too (`shop::Result<T>`).
///
/// Arguments and results are owned types with serde's `Serialize` and `Deserialize`. One argument may be a
/// `Streaming<T>`, in any place. A method has at most 12 arguments besides it.
///
/// A method may have a body: an implementation then need not write it. It is served and called like the others.
///
/// A macro sees names, not types: `Result`, `Streaming`, `Status`, `CallError` and `Bytes` are told by the last
/// segment of their path. Do not give these names to other types in a signature.
///
/// # `#[service(..)]`
/// | attribute | meaning | default |
/// |---|---|---|
/// | `name = "shop.Inventory"` | the service in discovery, policy, metrics, tools and on the wire | the identifier of the trait |
/// | `version = 3` | builds that say the same version have the same types: their calls go as bincode when the versions agree, as MessagePack with named fields when not. Raise it with *every* change of a type that the service sends; forgetting it lets two layouts meet | the structure of the types is compared |
/// | `crate = "rpc"` | the path of the crate `sinew`, where Cargo.toml or a facade has it under another name | `::sinew` |
///
/// # `#[rpc(..)]` on a method
/// | attribute | meaning | default |
/// |---|---|---|
/// | `idempotent` | running it twice is as good as once: it is repeated even where it may have run, and may be hedged | it is repeated only where it provably did not run; what a verb of `#[http(..)]` says. `idempotent = false` says that it is not |
/// | `timeout = "500ms"` | how long a call may take in all; a whole number of `ns`, `us`, `ms`, `s` or `m`, from 1 ms to 5 min | policy's, which is 10 s by default |
/// | `criticality = "sheddable"` | who is refused first when there is too much: `critical_plus`, `critical`, `sheddable_plus`, `sheddable` | inherited from the call that is being served, else `critical` |
/// | `hedge = "p95"` | a call that is not answered in the time in which 95 % of them are is sent to another endpoint as well, and the first answer counts; `p95` to `p99`, or a time such as `"20ms"`. With `idempotent` only, not with streams; at most 5 % of the calls | not hedged |
/// | `key = "user_id"` | calls with the same value of this argument go to the same server, as long as it is well and has no more than a quarter above its share to do: see `docs/balance.md`. Any argument that is no stream, of a type that encodes equal values the same way | policy's `balance` decides |
/// | `name = "wire_name"` | the method everywhere outside of this program | the identifier, without `r#` |
/// | `trust_layout` | you vouch that the types are fit for bincode and the same in every build: nothing is compared | the structure of the types is compared |
/// | `raw` | one `Bytes` argument and a `Bytes` result go over the wire as they are | values are encoded |
///
/// # `#[http(..)]` on a method
/// How the method goes over plain HTTP, where an endpoint speaks that (`docs/bridge.md`; needs the crate `sinew-bridge`).
///
/// | attribute | meaning | default |
/// |---|---|---|
/// | `get = "/users/{id}"` | the request: `get`, `head`, `options`, `put`, `delete`, `post` or `patch`, and its path, with arguments in braces | `post = "/{service}/{method}"` |
/// | `query = ["page"]`, `query("per_page" = "size")` | arguments that are parameters | |
/// | `header("x-tenant" = "tenant")` | arguments that are headers | |
/// | `body = "user"`, `form = "user"`, `bytes = "data"` | the argument that is the body: in JSON, as a form, untouched | a JSON object of what is left |
/// | `value`, `error`, `none` `= [404, 420..=429]` | the statuses that carry the value or the method's own error, or mean `None` | 200 to 299; 400 to 499 but 408, 425 and 429; 404 for an `Option` |
/// | `from_header = "location"` | the header of the answer that is the value | its body |
///
/// Names start with a letter or `_`, go on with letters, digits, `_`, `.` and `-`, all ASCII, and have at most 256
/// bytes. Renaming a trait or a method in the program without giving it its old name here is a change of the wire.
///
/// # Other attributes
/// - Doc comments are the client's too, and tools show those of methods.
/// - `#[cfg(..)]` on a method holds for everything that is generated for it. (`#[cfg_attr(.., rpc(..))]` is refused:
///   an attribute macro sees it before it is decided.)
/// - `#[deprecated]` on a method holds for the client's method, on the trait for client and server.
/// - All others stay on the trait and its methods.
///
/// # Errors
/// Every mistake is reported at the place where it was made, all of them at once, and says what to write instead:
/// generics and borrowed types (nothing borrowed can be sent), a missing `&self` or `async`, streams inside of other
/// types, two methods of one wire name, and methods named like those that every client has (`with`, `local`, `clone`,
/// `from_channel`).
///
/// That a type has serde's traits is for the compiler to say, at the type. That a handler's future is `Send` it says
/// at the handler.
#[proc_macro_attribute]
pub fn service(args: TokenStream, item: TokenStream) -> TokenStream {
    sinew_codegen::from_trait(args.into(), item.into()).into()
}
