//! Fields of a struct that come, go, move and change their names.

use super::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::from([
        field_optional_added::case(),
        field_defaulted_added::case(),
        container_default::case(),
        field_required_added::case(),
        field_removed::case(),
        fields_of_one_type_swapped::case(),
        fields_moved::case(),
        field_renamed::case(),
        field_renamed_with_alias::case(),
        field_renamed_on_the_wire_only::case(),
        fields_grouped::case(),
        field_in_a_nested_struct::case(),
        field_in_a_list::case(),
        denies_unknown_fields::case(),
        field_made_optional::case(),
        field_skipped::case(),
        type_renamed::case(),
        newtype_introduced::case(),
        pointers_introduced::case(),
        made_transparent::case(),
        recursive_extended::case(),
        skip_serializing_if_introduced::case(),
        option_in_option_extended::case(),
    ])
}

change! {
    field_optional_added "versions.field_optional_added" Fallback;
    v1 { struct T { a: u32 } }
    v2 { struct T { a: u32, note: Option<String> } }
    up { T { a: 7 } => sees(T { a: 7, note: None }); }
    down {
        T { a: 7, note: None } => sees(T { a: 7 });
        T { a: 7, note: Some("x".into()) } => sees(T { a: 7 });
    }
}

change! {
    field_defaulted_added "versions.field_defaulted_added" Fallback;
    v1 { struct T { a: u32 } }
    v2 { struct T { #[serde(default = "five")] b: u32, a: u32 } } with { fn five() -> u32 { 5 } }
    up { T { a: 7 } => sees(T { b: 5, a: 7 }); }
    down { T { b: 6, a: 7 } => sees(T { a: 7 }); }
}

change! {
    container_default "versions.container_default" Fallback;
    v1 { struct T { a: u32 } }
    v2 { #[serde(default)] #[derive(Default)] struct T { a: u32, b: Vec<u8>, c: bool } }
    up { T { a: 7 } => sees(T { a: 7, b: vec![], c: false }); }
    down { T { a: 7, b: vec![1], c: true } => sees(T { a: 7 }); }
}

change! {
    field_required_added "versions.field_required_added" Fallback;
    v1 { struct T { a: u32 } }
    v2 { struct T { a: u32, b: u32 } }
    up { T { a: 7 } => refused("missing field `b`"); }
    down { T { a: 7, b: 8 } => sees(T { a: 7 }); }
}

change! {
    field_removed "versions.field_removed" Fallback;
    v1 { struct T { a: u32, b: u32, c: Option<u8> } }
    v2 { struct T { a: u32 } }
    up { T { a: 7, b: 8, c: Some(9) } => sees(T { a: 7 }); }
    down { T { a: 7 } => refused("missing field `b`"); }
}

change! {
    fields_of_one_type_swapped "versions.fields_of_one_type_swapped" Fallback;
    v1 { struct T { lat: f64, lon: f64 } }
    v2 { struct T { lon: f64, lat: f64 } }
    up { T { lat: 1.5, lon: 2.5 } => sees(T { lon: 2.5, lat: 1.5 }); }
    down { T { lon: 3.5, lat: 4.5 } => sees(T { lat: 4.5, lon: 3.5 }); }
}

change! {
    fields_moved "versions.fields_moved" Fallback;
    v1 { struct T { a: u32, b: String, c: f64 } }
    v2 { struct T { c: f64, a: u32, b: String } }
    up { T { a: 1, b: "x".into(), c: 2.0 } => sees(T { c: 2.0, a: 1, b: "x".into() }); }
    down { T { c: 2.0, a: 1, b: "x".into() } => sees(T { a: 1, b: "x".into(), c: 2.0 }); }
}

change! {
    field_renamed "versions.field_renamed" Fallback;
    v1 { struct T { a: u32 } }
    v2 { struct T { b: u32 } }
    up { T { a: 7 } => refused("missing field `b`"); }
    down { T { b: 7 } => refused("missing field `a`"); }
}

change! {
    field_renamed_with_alias "versions.field_renamed_with_alias" Fallback;
    v1 { struct T { a: u32, z: u8 } }
    v2 { struct T { #[serde(alias = "a")] b: u32, z: u8 } }
    up { T { a: 7, z: 1 } => sees(T { b: 7, z: 1 }); }
    down { T { b: 7, z: 1 } => refused("missing field `a`"); }
}

change! {
    field_renamed_on_the_wire_only "versions.field_renamed_on_the_wire_only" Bincode;
    v1 { struct T { a: u32 } }
    v2 { struct T { #[serde(rename = "a")] new: u32 } }
    up { T { a: 7 } => sees(T { new: 7 }); }
    down { T { new: 7 } => sees(T { a: 7 }); }
}

change! {
    fields_grouped "versions.fields_grouped" Fallback;
    v1 { struct T { lat: f64, lon: f64 } }
    v2 { struct Place { lat: f64, lon: f64 } struct T { place: Place } }
    up { T { lat: 1.0, lon: 2.0 } => refused("missing field `place`"); }
    down { T { place: Place { lat: 1.0, lon: 2.0 } } => refused("missing field `lat`"); }
}

change! {
    field_in_a_nested_struct "versions.field_in_a_nested_struct" Fallback;
    v1 { struct In { x: u8 } struct T { a: u32, inner: In } }
    v2 { struct In { y: Option<u8>, x: u8 } struct T { inner: In, a: u32 } }
    up { T { a: 7, inner: In { x: 1 } } => sees(T { inner: In { y: None, x: 1 }, a: 7 }); }
    down { T { inner: In { y: Some(2), x: 1 }, a: 7 } => sees(T { a: 7, inner: In { x: 1 } }); }
}

change! {
    field_in_a_list "versions.field_in_a_list" Fallback;
    v1 { struct Item { qty: u32 } struct T { items: Vec<Item> } }
    v2 { struct Item { qty: u32, price: u64 } struct T { items: Vec<Item> } }
    up { T { items: vec![Item { qty: 1 }] } => refused("items[0]", "missing field `price`"); }
    down {
        T { items: vec![Item { qty: 1, price: 2 }, Item { qty: 3, price: 4 }] }
            => sees(T { items: vec![Item { qty: 1 }, Item { qty: 3 }] });
    }
}

change! {
    denies_unknown_fields "versions.denies_unknown_fields" Fallback;
    v1 { #[serde(deny_unknown_fields)] struct T { a: u32 } }
    v2 { #[serde(deny_unknown_fields)] struct T { a: u32, b: Option<u8> } }
    up { T { a: 7 } => sees(T { a: 7, b: None }); }
    down { T { a: 7, b: None } => refused("unknown field `b`"); }
}

change! {
    field_made_optional "versions.field_made_optional" Fallback;
    v1 { struct T { a: u32 } }
    v2 { struct T { a: Option<u32> } }
    up { T { a: 7 } => sees(T { a: Some(7) }); }
    down {
        T { a: Some(7) } => sees(T { a: 7 });
        T { a: None } => refused("at `", "a`");
    }
}

change! {
    field_skipped "versions.field_skipped" Bincode;
    v1 { struct T { a: u32, b: u32 } }
    v2 { struct T { a: u32, #[serde(skip)] _cache: u64, b: u32 } }
    up { T { a: 7, b: 8 } => sees(T { a: 7, _cache: 0, b: 8 }); }
    down { T { a: 7, _cache: 9, b: 8 } => sees(T { a: 7, b: 8 }); }
}

change! {
    type_renamed "versions.type_renamed" Bincode;
    v1 { struct Old { x: u8 } struct T { inner: Old } }
    v2 { struct New { x: u8 } struct T { inner: New } }
    up { T { inner: Old { x: 1 } } => sees(T { inner: New { x: 1 } }); }
    down { T { inner: New { x: 1 } } => sees(T { inner: Old { x: 1 } }); }
}

change! {
    newtype_introduced "versions.newtype_introduced" Bincode;
    v1 { struct T { id: u64, name: String } }
    v2 { struct Id(u64); struct Name(String); struct T { id: Id, name: Name } }
    up { T { id: 7, name: "x".into() } => sees(T { id: Id(7), name: Name("x".into()) }); }
    down { T { id: Id(7), name: Name("x".into()) } => sees(T { id: 7, name: "x".into() }); }
}

change! {
    pointers_introduced "versions.pointers_introduced" Bincode;
    v1 { struct T { name: String, list: Vec<u8>, one: u64 } }
    v2 { struct T { name: Box<str>, list: Box<[u8]>, one: Box<u64> } }
    up { T { name: "x".into(), list: vec![1], one: 2 }
        => sees(T { name: "x".into(), list: [1].into(), one: Box::new(2) }); }
    down { T { name: "x".into(), list: [1].into(), one: Box::new(2) }
        => sees(T { name: "x".into(), list: vec![1], one: 2 }); }
}

change! {
    made_transparent "versions.made_transparent" Fallback;
    v1 { struct T { a: u32 } }
    v2 { #[serde(transparent)] struct T { a: u32 } }
    up { T { a: 7 } => refused("u32"); }
    down { T { a: 7 } => refused("fields by their names"); }
}

change! {
    recursive_extended "versions.recursive_extended" Fallback;
    v1 { struct T { value: u32, next: Option<Box<T>> } }
    v2 { struct T { value: u32, note: Option<u8>, next: Option<Box<T>> } }
    up {
        T { value: 1, next: Some(Box::new(T { value: 2, next: None })) }
            => sees(T { value: 1, note: None, next: Some(Box::new(T { value: 2, note: None, next: None })) });
    }
    down {
        T { value: 1, note: Some(3), next: Some(Box::new(T { value: 2, note: None, next: None })) }
            => sees(T { value: 1, next: Some(Box::new(T { value: 2, next: None })) });
    }
}

change! {
    skip_serializing_if_introduced "versions.skip_serializing_if_introduced" Fallback;
    v1 { struct T { a: u8, b: Option<u8>, c: u8 } }
    v2 { struct T { a: u8, #[serde(default, skip_serializing_if = "Option::is_none")] b: Option<u8>, c: u8 } }
    up { T { a: 1, b: None, c: 3 } => sees(T { a: 1, b: None, c: 3 }); }
    down {
        T { a: 1, b: None, c: 3 } => sees(T { a: 1, b: None, c: 3 });
        T { a: 1, b: Some(2), c: 3 } => sees(T { a: 1, b: Some(2), c: 3 });
    }
}

by_hand! {
    option_in_option_extended "versions.option_in_option_extended";
    v1 {
        #[sinew::service(name = "versions.option_in_option_extended")]
        trait Api {
            async fn rename(&self, nickname: Option<Option<String>>) -> String;
        }
        impl Api for Handled {
            async fn rename(&self, nickname: Option<Option<String>>) -> String {
                self.ran(format!("{nickname:?}"))
            }
        }
    }
    calls(client) {
        Argument Fallback client.rename(Some(None)) => refused("nickname", "option");
    }
    v2 {
        #[sinew::service(name = "versions.option_in_option_extended")]
        trait Api {
            async fn rename(&self, nickname: Option<Option<String>>, more: Option<u8>) -> String;
        }
        impl Api for Handled {
            async fn rename(&self, nickname: Option<Option<String>>, more: Option<u8>) -> String {
                self.ran(format!("{nickname:?} {more:?}"))
            }
        }
    }
    calls(client) {
        Argument Fallback client.rename(Some(None), None) => refused("nickname", "option");
    }
}
