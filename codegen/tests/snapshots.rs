//! What `#[service]` writes, formatted and kept beside the input: reviewed like code, because users
//! debug it.
//!
//! `UPDATE_EXPECT=1 cargo test -p sinew-codegen` rewrites the snapshots.

use expect_test::{ExpectFile, expect_file};
use proc_macro2::TokenStream;

/// Expands `item` under `#[service(args)]`, formats it and compares it with the snapshot.
fn check(args: &str, item: &str, snapshot: ExpectFile) {
    let expanded = sinew_codegen::from_trait(tokens(args), tokens(item));
    let file =
        syn::parse2(expanded).unwrap_or_else(|why| panic!("the expansion is no Rust: {why}"));
    snapshot.assert_eq(&format!("//! {}\n\n{}", header(args, item), prettyplease::unparse(&file)));
}

fn tokens(text: &str) -> TokenStream {
    text.parse().unwrap_or_else(|why| panic!("the test's input is no Rust: {why}"))
}

/// The input as inner docs, so that a snapshot can be read alone.
fn header(args: &str, item: &str) -> String {
    let attribute = if args.is_empty() { String::new() } else { format!("({args})") };
    let indent = item.lines().filter(|line| !line.trim().is_empty()).map(spaces).min().unwrap_or(0);
    let lines = item.trim().lines().map(|line| line.get(indent.min(spaces(line))..).unwrap_or(""));
    std::iter::once(format!("The expansion of:\n//! ```text\n//! #[service{attribute}]"))
        .chain(lines.map(|line| format!("//! {line}").trim_end().to_owned()))
        .chain(["//! ```".to_owned()])
        .collect::<Vec<_>>()
        .join("\n")
}

fn spaces(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[test]
fn a_key_among_arguments_of_which_one_is_a_stream() {
    check(
        "",
        r#"
        trait Sessions {
            #[rpc(key = "type")]
            async fn feed(&self, at: u64, events: Streaming<Event>, r#type: String) -> u64;
        }
        "#,
        expect_file!["snapshots/key.rs"],
    );
}

#[test]
fn a_unary_method_with_all_its_attributes() {
    check(
        r#"name = "shop.Inventory""#,
        r#"
        /// Stock levels and reservations.
        #[allow(clippy::module_name_repetitions)]
        pub trait Inventory: Health {
            /// Units on hand.
            ///
            /// Safe to repeat.
            #[rpc(idempotent, timeout = "500ms")]
            #[rpc(criticality = "sheddable_plus", name = "stock-level", hedge = "p95")]
            #[deprecated = "use `levels`"]
            #[must_use]
            async fn stock(&self, sku: Sku) -> Result<u32, StockError>;

            async fn move_all(&self, from: Place, to: Place);
        }
        "#,
        expect_file!["snapshots/unary.rs"],
    );
}

#[test]
fn streams_in_each_direction() {
    check(
        "",
        "
        pub(crate) trait Inventory {
            async fn watch(&self, sku: Sku) -> Result<Streaming<Level>, StockError>;
            async fn restock(&self, deliveries: Streaming<Delivery>) -> Result<Summary, StockError>;
            async fn audit(&self, since: Day, lines: sinew::Streaming<Line>, until: Day)
                -> Result<Streaming<Finding>, StockError>;
            async fn ticks(&self) -> Streaming<Tick>;
        }
        ",
        expect_file!["snapshots/streams.rs"],
    );
}

#[test]
fn every_form_of_return() {
    check(
        "",
        "
        trait Forms {
            async fn nothing(&self);
            async fn plain(&self) -> u64;
            async fn own_error(&self) -> Result<u64, Problem>;
            async fn status(&self) -> Result<u64, sinew::Status>;
            async fn call_error(&self) -> Result<u64, CallError<Problem>>;
            async fn alias(&self) -> shop::Result<u64>;
            async fn alias_of_stream(&self) -> Result<Streaming<u64>>;
            async fn type_named_result(&self) -> shop::Result;
        }
        ",
        expect_file!["snapshots/returns.rs"],
    );
}

#[test]
fn conditions_stay_on_everything_of_a_method() {
    check(
        "",
        r#"
        pub trait Store {
            #[cfg(unix)]
            async fn open(&self, path: String) -> u64;
            #[cfg(not(unix))]
            async fn open(&self, path: Vec<u16>) -> u64;
            #[cfg_attr(docsrs, doc(cfg(feature = "close")))]
            #[cfg(feature = "close")]
            async fn close(&self, handle: u64);
        }
        "#,
        expect_file!["snapshots/conditions.rs"],
    );
}

#[test]
fn raw_identifiers_lose_their_prefix_on_the_wire() {
    check(
        "",
        "
        pub trait r#Trait {
            async fn r#match(&self, r#type: String, service: u8, this: u8) -> bool;
        }
        ",
        expect_file!["snapshots/raw_identifiers.rs"],
    );
}

#[test]
fn the_crate_under_another_name() {
    check(
        r#"crate = "shop::rpc""#,
        r#"
        pub trait Blobs {
            #[rpc(raw)]
            async fn echo(&self, body: Bytes) -> Result<Bytes, Problem>;
        }
        "#,
        expect_file!["snapshots/renamed_crate.rs"],
    );
}

#[test]
fn a_provided_body_stays_a_future_that_is_send() {
    check(
        "",
        "
        pub trait Greeter {
            async fn name(&self) -> String;
            async fn greet(&self, mut greeting: String) -> String {
                greeting.push_str(&self.name().await);
                greeting
            }
        }
        ",
        expect_file!["snapshots/provided_body.rs"],
    );
}

#[test]
fn a_broken_method_leaves_a_stub_and_the_rest_whole() {
    check(
        "",
        r#"
        pub trait Broken {
            async fn sound(&self) -> u64;
            async fn borrowed(&self, key: &str, (a, b): (u8, u8)) -> Result<u32, Problem>;
            fn not_async<T: Clone>(self, value: T) -> T where T: Send;
            async fn with(&self);
            #[rpc(name = "sound")]
            async fn same_name(&self);
            const LIMIT: u32;
        }
        "#,
        expect_file!["snapshots/broken_methods.rs"],
    );
}

#[test]
fn a_generic_trait_leaves_a_client_without_calls() {
    check(
        "",
        "pub trait Store<K: Key> where K: Copy { async fn get(&self, key: K); }",
        expect_file!["snapshots/generic_trait.rs"],
    );
}

#[test]
fn an_item_that_is_no_trait_is_left_alone() {
    check("", "pub struct Inventory { stock: u32 }", expect_file!["snapshots/not_a_trait.rs"]);
}

#[test]
fn a_trait_without_methods_is_a_service() {
    check("", "pub trait Empty {}", expect_file!["snapshots/empty.rs"]);
}

#[test]
fn bindings_to_http() {
    check(
        "",
        r#"
        trait Users {
            #[http(get = "/users/{id}", query("per_page" = "size"), header("x-tenant" = "tenant"))]
            async fn user(&self, id: u64, size: Option<u32>, tenant: String) -> Result<Option<User>, Problem>;

            #[http(post = "/users/{id}/{name}.png", bytes = "picture", from_header = "location", error = [404, 420..=429])]
            #[rpc(idempotent)]
            async fn draw(&self, id: u64, picture: Bytes, name: String) -> String;

            #[http(put = "/users")]
            async fn import(&self, users: Streaming<User>) -> Streaming<Bytes>;
        }
        "#,
        expect_file!["snapshots/http.rs"],
    );
}
