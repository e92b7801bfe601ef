//! Methods and their arguments, errors and streams; and what an attribute vouches for.

use super::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::from([
        argument_optional_added::case(),
        argument_required_added::case(),
        arguments_swapped::case(),
        argument_renamed::case(),
        argument_type_changed::case(),
        first_argument_added::case(),
        result_made_fallible::case(),
        result_type_changed::case(),
        error_extended::case(),
        error_type_changed::case(),
        stream_item_extended::case(),
        stream_item_changed::case(),
        input_item_extended::case(),
        input_item_changed::case(),
        raw_bytes::case(),
        raw_made_typed::case(),
        method_added::case(),
        same_version::case(),
        other_version::case(),
        trusted_layout::case(),
    ])
}

by_hand! {
    argument_optional_added "versions.argument_optional_added";
    v1 {
        #[sinew::service(name = "versions.argument_optional_added")]
        trait Api { async fn book(&self, room: u32) -> String; }
        impl Api for Handled { async fn book(&self, room: u32) -> String { self.ran(format!("{room}")) } }
    }
    calls(client) {
        Argument Fallback client.book(7) => sees("7 None");
    }
    v2 {
        #[sinew::service(name = "versions.argument_optional_added")]
        trait Api { async fn book(&self, room: u32, note: Option<String>) -> String; }
        impl Api for Handled { async fn book(&self, room: u32, note: Option<String>) -> String { self.ran(format!("{room} {note:?}")) } }
    }
    calls(client) {
        Argument Fallback client.book(7, None) => sees("7");
        Argument Fallback client.book(7, Some("x".into())) => sees("7");
    }
}

by_hand! {
    argument_required_added "versions.argument_required_added";
    v1 {
        #[sinew::service(name = "versions.argument_required_added")]
        trait Api { async fn book(&self, room: u32) -> String; }
        impl Api for Handled { async fn book(&self, room: u32) -> String { self.ran(format!("{room}")) } }
    }
    calls(client) {
        Argument Fallback client.book(7) => refused("`nights`", "missing");
    }
    v2 {
        #[sinew::service(name = "versions.argument_required_added")]
        trait Api { async fn book(&self, room: u32, nights: u32) -> String; }
        impl Api for Handled { async fn book(&self, room: u32, nights: u32) -> String { self.ran(format!("{room} {nights}")) } }
    }
    calls(client) {
        Argument Fallback client.book(7, 2) => sees("7");
    }
}

by_hand! {
    arguments_swapped "versions.arguments_swapped";
    v1 {
        #[sinew::service(name = "versions.arguments_swapped")]
        trait Api { async fn move_to(&self, from: u32, to: u32) -> String; }
        impl Api for Handled { async fn move_to(&self, from: u32, to: u32) -> String { self.ran(format!("{from} to {to}")) } }
    }
    calls(client) {
        Argument Fallback client.move_to(1, 2) => sees("1 to 2");
    }
    v2 {
        #[sinew::service(name = "versions.arguments_swapped")]
        trait Api { async fn move_to(&self, to: u32, from: u32) -> String; }
        impl Api for Handled { async fn move_to(&self, to: u32, from: u32) -> String { self.ran(format!("{from} to {to}")) } }
    }
    calls(client) {
        Argument Fallback client.move_to(2, 1) => sees("1 to 2");
    }
}

by_hand! {
    argument_renamed "versions.argument_renamed";
    v1 {
        #[sinew::service(name = "versions.argument_renamed")]
        trait Api { async fn book(&self, room: u32) -> String; }
        impl Api for Handled { async fn book(&self, room: u32) -> String { self.ran(format!("{room}")) } }
    }
    calls(client) {
        Argument Fallback client.book(7) => refused("`suite`", "missing");
    }
    v2 {
        #[sinew::service(name = "versions.argument_renamed")]
        trait Api { async fn book(&self, suite: u32) -> String; }
        impl Api for Handled { async fn book(&self, suite: u32) -> String { self.ran(format!("{suite}")) } }
    }
    calls(client) {
        Argument Fallback client.book(7) => refused("`room`", "missing");
    }
}

by_hand! {
    argument_type_changed "versions.argument_type_changed";
    v1 {
        #[sinew::service(name = "versions.argument_type_changed")]
        trait Api { async fn book(&self, room: u32, who: String) -> String; }
        impl Api for Handled { async fn book(&self, room: u32, who: String) -> String { self.ran(format!("{room} {who}")) } }
    }
    calls(client) {
        Argument Fallback client.book(7, "x".into()) => refused("`room`", "text");
    }
    v2 {
        #[sinew::service(name = "versions.argument_type_changed")]
        trait Api { async fn book(&self, room: String, who: String) -> String; }
        impl Api for Handled { async fn book(&self, room: String, who: String) -> String { self.ran(format!("{room} {who}")) } }
    }
    calls(client) {
        Argument Fallback client.book("7".into(), "x".into()) => refused("`room`", "u32");
    }
}

by_hand! {
    first_argument_added "versions.first_argument_added";
    v1 {
        #[sinew::service(name = "versions.first_argument_added")]
        trait Api { async fn ping(&self) -> String; }
        impl Api for Handled { async fn ping(&self) -> String { self.ran("pong".to_owned()) } }
    }
    calls(client) {
        Argument Fallback client.ping() => sees("pong None");
    }
    v2 {
        #[sinew::service(name = "versions.first_argument_added")]
        trait Api { async fn ping(&self, note: Option<u8>) -> String; }
        impl Api for Handled { async fn ping(&self, note: Option<u8>) -> String { self.ran(format!("pong {note:?}")) } }
    }
    calls(client) {
        Argument Fallback client.ping(Some(1)) => sees("pong");
    }
}

by_hand! {
    result_made_fallible "versions.result_made_fallible";
    v1 {
        #[sinew::service(name = "versions.result_made_fallible")]
        trait Api {
            async fn count(&self) -> u32;
            async fn lost(&self) -> u32;
        }
        impl Api for Handled {
            async fn count(&self) -> u32 { self.ran(7) }
            async fn lost(&self) -> u32 { self.ran(8) }
        }
    }
    calls(client) {
        Result Fallback client.count() => sees(7);
        Result Fallback client.lost() => refused("an error of its own");
    }
    v2 {
        #[derive(Debug, Clone, Serialize, Deserialize)]
        struct Gone { since: u32 }
        #[sinew::service(name = "versions.result_made_fallible")]
        trait Api {
            async fn count(&self) -> Result<u32, Gone>;
            async fn lost(&self) -> Result<u32, Gone>;
        }
        impl Api for Handled {
            async fn count(&self) -> Result<u32, Gone> { self.ran(Ok(7)) }
            async fn lost(&self) -> Result<u32, Gone> { self.ran(Err(Gone { since: 1 })) }
        }
    }
    calls(client) {
        Result Fallback client.count() => sees(7);
        Result Fallback client.lost() => sees(8);
    }
}

by_hand! {
    result_type_changed "versions.result_type_changed";
    v1 {
        #[sinew::service(name = "versions.result_type_changed")]
        trait Api { async fn count(&self) -> u32; }
        impl Api for Handled { async fn count(&self) -> u32 { self.ran(7) } }
    }
    calls(client) {
        Result Fallback client.count() => refused("u32");
    }
    v2 {
        #[sinew::service(name = "versions.result_type_changed")]
        trait Api { async fn count(&self) -> String; }
        impl Api for Handled { async fn count(&self) -> String { self.ran("7".to_owned()) } }
    }
    calls(client) {
        Result Fallback client.count() => refused("String");
    }
}

by_hand! {
    error_extended "versions.error_extended";
    v1 {
        #[derive(Debug, Clone, Serialize, Deserialize)]
        enum Refusal { Empty { left: u32 } }
        #[sinew::service(name = "versions.error_extended")]
        trait Api { async fn take(&self, n: u32) -> Result<u32, Refusal>; }
        impl Api for Handled { async fn take(&self, n: u32) -> Result<u32, Refusal> { self.ran(Err(Refusal::Empty { left: n })) } }
    }
    calls(client) {
        Result Fallback client.take(1) => sees(Refusal::Empty { left: 1 });
        Result Fallback client.take(9) => refused("unknown variant `Closed`");
    }
    v2 {
        #[derive(Debug, Clone, Serialize, Deserialize)]
        enum Refusal { Closed, Empty { left: u32, note: Option<u8> } }
        #[sinew::service(name = "versions.error_extended")]
        trait Api { async fn take(&self, n: u32) -> Result<u32, Refusal>; }
        impl Api for Handled { async fn take(&self, n: u32) -> Result<u32, Refusal> { self.ran(Err(if n > 5 { Refusal::Closed } else { Refusal::Empty { left: n, note: None } })) } }
    }
    calls(client) {
        Result Fallback client.take(1) => sees(Refusal::Empty { left: 1, note: None });
    }
}

by_hand! {
    error_type_changed "versions.error_type_changed";
    v1 {
        #[derive(Debug, Clone, Serialize, Deserialize)]
        struct Refusal { left: u32 }
        #[sinew::service(name = "versions.error_type_changed")]
        trait Api { async fn take(&self) -> Result<u32, Refusal>; }
        impl Api for Handled { async fn take(&self) -> Result<u32, Refusal> { self.ran(Err(Refusal { left: 3 })) } }
    }
    calls(client) {
        Result Fallback client.take() => refused("Refusal");
    }
    v2 {
        #[sinew::service(name = "versions.error_type_changed")]
        trait Api { async fn take(&self) -> Result<u32, String>; }
        impl Api for Handled { async fn take(&self) -> Result<u32, String> { self.ran(Err("none left".to_owned())) } }
    }
    calls(client) {
        Result Fallback client.take() => refused("String");
    }
}

by_hand! {
    stream_item_extended "versions.stream_item_extended";
    v1 {
        use sinew::Streaming;
        #[derive(Debug, Clone, Serialize, Deserialize)]
        struct Item { id: u32 }
        #[sinew::service(name = "versions.stream_item_extended")]
        trait Api { async fn list(&self) -> Streaming<Item>; }
        impl Api for Handled { async fn list(&self) -> Streaming<Item> { self.ran(Streaming::iter([Item { id: 1 }, Item { id: 2 }])) } }
    }
    calls(client) {
        Result Fallback (async move { client.list().await?.collect().await }) => sees([Item { id: 1 }, Item { id: 2 }]);
    }
    v2 {
        use sinew::Streaming;
        #[derive(Debug, Clone, Serialize, Deserialize)]
        struct Item { note: Option<u8>, id: u32 }
        #[sinew::service(name = "versions.stream_item_extended")]
        trait Api { async fn list(&self) -> Streaming<Item>; }
        impl Api for Handled { async fn list(&self) -> Streaming<Item> { self.ran(Streaming::iter([Item { note: None, id: 1 }, Item { note: Some(3), id: 2 }])) } }
    }
    calls(client) {
        Result Fallback (async move { client.list().await?.collect().await }) => sees([Item { note: None, id: 1 }, Item { note: None, id: 2 }]);
    }
}

by_hand! {
    stream_item_changed "versions.stream_item_changed";
    v1 {
        use sinew::Streaming;
        #[sinew::service(name = "versions.stream_item_changed")]
        trait Api { async fn list(&self) -> Streaming<u32>; }
        impl Api for Handled { async fn list(&self) -> Streaming<u32> { self.ran(Streaming::iter([1, 2])) } }
    }
    calls(client) {
        Result Fallback (async move { client.list().await?.collect().await }) => refused("item", "u32");
    }
    v2 {
        use sinew::Streaming;
        #[sinew::service(name = "versions.stream_item_changed")]
        trait Api { async fn list(&self) -> Streaming<String>; }
        impl Api for Handled { async fn list(&self) -> Streaming<String> { self.ran(Streaming::iter(["1".to_owned()])) } }
    }
    calls(client) {
        Result Fallback (async move { client.list().await?.collect().await }) => refused("item", "String");
    }
}

by_hand! {
    input_item_extended "versions.input_item_extended";
    v1 {
        use sinew::{Status, Streaming};
        #[derive(Debug, Clone, Serialize, Deserialize)]
        struct Item { n: u32 }
        #[sinew::service(name = "versions.input_item_extended")]
        trait Api { async fn sum(&self, items: Streaming<Item>) -> Result<u32, Status>; }
        impl Api for Handled { async fn sum(&self, items: Streaming<Item>) -> Result<u32, Status> { self.ran(items.collect().await.map(|all| all.iter().map(|item| item.n).sum())) } }
    }
    calls(client) {
        Result Fallback client.sum(Streaming::iter([Item { n: 1 }, Item { n: 2 }])) => sees(23);
    }
    v2 {
        use sinew::{Status, Streaming};
        #[derive(Debug, Clone, Serialize, Deserialize)]
        struct Item { more: Option<u32>, n: u32 }
        #[sinew::service(name = "versions.input_item_extended")]
        trait Api { async fn sum(&self, items: Streaming<Item>) -> Result<u32, Status>; }
        impl Api for Handled { async fn sum(&self, items: Streaming<Item>) -> Result<u32, Status> { self.ran(items.collect().await.map(|all| all.iter().map(|item| item.n + item.more.unwrap_or(10)).sum())) } }
    }
    calls(client) {
        Result Fallback client.sum(Streaming::iter([Item { more: Some(5), n: 1 }])) => sees(1);
    }
}

by_hand! {
    input_item_changed "versions.input_item_changed";
    v1 {
        use sinew::{Status, Streaming};
        #[sinew::service(name = "versions.input_item_changed")]
        trait Api { async fn sum(&self, items: Streaming<u32>) -> Result<u32, Status>; }
        impl Api for Handled { async fn sum(&self, items: Streaming<u32>) -> Result<u32, Status> { self.ran(items.collect().await.map(|all| all.iter().sum())) } }
    }
    calls(client) {
        Result Fallback client.sum(Streaming::iter([1, 2])) => refused("item", "text");
    }
    v2 {
        use sinew::{Status, Streaming};
        #[sinew::service(name = "versions.input_item_changed")]
        trait Api { async fn sum(&self, items: Streaming<String>) -> Result<u32, Status>; }
        impl Api for Handled { async fn sum(&self, items: Streaming<String>) -> Result<u32, Status> { self.ran(items.collect().await.map(|all| all.len() as u32)) } }
    }
    calls(client) {
        Result Fallback client.sum(Streaming::iter(["x".to_owned()])) => refused("item", "u32");
    }
}

by_hand! {
    raw_bytes "versions.raw_bytes";
    v1 {
        use bytes::Bytes;
        #[sinew::service(name = "versions.raw_bytes")]
        trait Api { #[rpc(raw)] async fn flip(&self, body: Bytes) -> Bytes; }
        impl Api for Handled { async fn flip(&self, body: Bytes) -> Bytes { self.ran(body.iter().rev().copied().collect()) } }
    }
    calls(client) {
        Result Raw client.flip(Bytes::from_static(b"ab")) => sees(Bytes::from_static(b"ba"));
    }
    v2 {
        use bytes::Bytes;
        #[sinew::service(name = "versions.raw_bytes")]
        trait Api { #[rpc(raw)] async fn flip(&self, bytes: Bytes) -> Bytes; }
        impl Api for Handled { async fn flip(&self, bytes: Bytes) -> Bytes { self.ran(bytes.iter().rev().copied().collect()) } }
    }
    calls(client) {
        Result Raw client.flip(Bytes::from_static(b"ab")) => sees(Bytes::from_static(b"ba"));
    }
}

by_hand! {
    raw_made_typed "versions.raw_made_typed";
    v1 {
        use bytes::Bytes;
        #[sinew::service(name = "versions.raw_made_typed")]
        trait Api { #[rpc(raw)] async fn flip(&self, body: Bytes) -> Bytes; }
        impl Api for Handled { async fn flip(&self, body: Bytes) -> Bytes { self.ran(body) } }
    }
    calls(client) {
        Argument Raw client.flip(Bytes::from_static(b"ab")) => refused("raw");
    }
    v2 {
        use bytes::Bytes;
        #[sinew::service(name = "versions.raw_made_typed")]
        trait Api { async fn flip(&self, body: Bytes) -> Bytes; }
        impl Api for Handled { async fn flip(&self, body: Bytes) -> Bytes { self.ran(body) } }
    }
    calls(client) {
        Argument Fallback client.flip(Bytes::from_static(b"ab")) => refused("not spoken");
    }
}

by_hand! {
    method_added "versions.method_added";
    v1 {
        #[sinew::service(name = "versions.method_added")]
        trait Api { async fn one(&self, n: u8) -> u8; }
        impl Api for Handled { async fn one(&self, n: u8) -> u8 { self.ran(n) } }
    }
    calls(client) {
        Result Bincode client.one(1) => sees(1);
    }
    v2 {
        #[sinew::service(name = "versions.method_added")]
        trait Api {
            async fn two(&self, n: u8) -> u8;
            async fn one(&self, n: u8) -> u8;
        }
        impl Api for Handled {
            async fn two(&self, n: u8) -> u8 { self.ran(n * 2) }
            async fn one(&self, n: u8) -> u8 { self.ran(n) }
        }
    }
    calls(client) {
        Result Bincode client.one(1) => sees(1);
        Argument Bincode client.two(1) => refused("no method");
    }
}

by_hand! {
    same_version "versions.same_version";
    v1 {
        #[derive(Debug, Clone, Serialize, Deserialize)]
        struct T { a: u32 }
        #[sinew::service(name = "versions.same_version", version = 3)]
        trait Api { async fn put(&self, value: T) -> String; }
        impl Api for Handled { async fn put(&self, value: T) -> String { self.ran(format!("{value:?}")) } }
    }
    calls(client) {
        Argument Bincode client.put(T { a: 7 }) => sees("T { b: 7 }");
    }
    v2 {
        #[derive(Debug, Clone, Serialize, Deserialize)]
        struct T { b: u32 }
        #[sinew::service(name = "versions.same_version", version = 3)]
        trait Api { async fn put(&self, value: T) -> String; }
        impl Api for Handled { async fn put(&self, value: T) -> String { self.ran(format!("{value:?}")) } }
    }
    calls(client) {
        Argument Bincode client.put(T { b: 7 }) => sees("T { a: 7 }");
    }
}

by_hand! {
    other_version "versions.other_version";
    v1 {
        #[derive(Debug, Clone, Serialize, Deserialize)]
        struct T { a: u32 }
        #[sinew::service(name = "versions.other_version", version = 3)]
        trait Api { async fn put(&self, value: T) -> String; }
        impl Api for Handled { async fn put(&self, value: T) -> String { self.ran(format!("{value:?}")) } }
    }
    calls(client) {
        Argument Fallback client.put(T { a: 7 }) => sees("T { a: 7 }");
    }
    v2 {
        #[derive(Debug, Clone, Serialize, Deserialize)]
        struct T { a: u32 }
        #[sinew::service(name = "versions.other_version", version = 4)]
        trait Api { async fn put(&self, value: T) -> String; }
        impl Api for Handled { async fn put(&self, value: T) -> String { self.ran(format!("{value:?}")) } }
    }
    calls(client) {
        Argument Fallback client.put(T { a: 7 }) => sees("T { a: 7 }");
    }
}

by_hand! {
    trusted_layout "versions.trusted_layout";
    v1 {
        #[derive(Debug, Clone, Serialize, Deserialize)]
        struct T(u32);
        #[sinew::service(name = "versions.trusted_layout")]
        trait Api { #[rpc(trust_layout)] async fn put(&self, value: T) -> String; }
        impl Api for Handled { async fn put(&self, value: T) -> String { self.ran(format!("{value:?}")) } }
    }
    calls(client) {
        Argument Bincode client.put(T(7)) => sees("T(7)");
    }
    v2 {
        #[derive(Debug, Clone, Serialize, Deserialize)]
        struct T(u64);
        #[sinew::service(name = "versions.trusted_layout")]
        trait Api { #[rpc(trust_layout)] async fn put(&self, value: T) -> String; }
        impl Api for Handled { async fn put(&self, value: T) -> String { self.ran(format!("{value:?}")) } }
    }
    calls(client) {
        Argument Bincode client.put(T(7)) => sees("T(7)");
    }
}
