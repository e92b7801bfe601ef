//! Enums whose variants come, go, move and change what they hold.

use super::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::from([
        variant_appended::case(),
        variant_inserted::case(),
        variants_swapped::case(),
        variant_renamed::case(),
        variant_renamed_with_alias::case(),
        variant_with_other::case(),
        variant_content_added::case(),
        variant_content_removed::case(),
        variant_content_extended::case(),
        variant_tuple_made_struct::case(),
        variant_newtype_made_tuple::case(),
        unit_variant_made_number::case(),
        number_made_enum::case(),
        text_made_enum::case(),
        list_made_enum::case(),
        tagged_extended::case(),
        adjacently_tagged_extended::case(),
        untagged_extended::case(),
        made_tagged::case(),
        variant_skipped::case(),
        variant_in_an_option::case(),
        result_error_extended::case(),
    ])
}

change! {
    variant_appended "versions.variant_appended" Fallback;
    v1 { enum T { A, B(u8) } }
    v2 { enum T { A, B(u8), C { x: u32 } } }
    up { T::A => sees(T::A); T::B(7) => sees(T::B(7)); }
    down {
        T::A => sees(T::A);
        T::B(7) => sees(T::B(7));
        T::C { x: 1 } => refused("unknown variant `C`");
    }
}

change! {
    variant_inserted "versions.variant_inserted" Fallback;
    v1 { enum T { A, C } }
    v2 { enum T { A, B, C } }
    up { T::A => sees(T::A); T::C => sees(T::C); }
    down { T::C => sees(T::C); T::B => refused("unknown variant `B`"); }
}

change! {
    variants_swapped "versions.variants_swapped" Fallback;
    v1 { enum T { Credit(u64), Debit(u64) } }
    v2 { enum T { Debit(u64), Credit(u64) } }
    up { T::Credit(7) => sees(T::Credit(7)); T::Debit(8) => sees(T::Debit(8)); }
    down { T::Credit(7) => sees(T::Credit(7)); T::Debit(8) => sees(T::Debit(8)); }
}

change! {
    variant_renamed "versions.variant_renamed" Fallback;
    v1 { enum T { A, B } }
    v2 { enum T { A, X } }
    up { T::B => refused("unknown variant `B`"); T::A => sees(T::A); }
    down { T::X => refused("unknown variant `X`"); T::A => sees(T::A); }
}

change! {
    variant_renamed_with_alias "versions.variant_renamed_with_alias" Fallback;
    v1 { enum T { A, B } }
    v2 { enum T { A, #[serde(alias = "B")] X } }
    up { T::B => sees(T::X); }
    down { T::X => refused("unknown variant `X`"); }
}

change! {
    variant_with_other "versions.variant_with_other" Fallback;
    v1 { enum T { A, #[serde(other)] Unknown } }
    v2 { enum T { A, B, #[serde(other)] Unknown } }
    up { T::A => sees(T::A); T::Unknown => sees(T::Unknown); }
    down { T::A => sees(T::A); T::B => sees(T::Unknown); }
}

change! {
    variant_content_added "versions.variant_content_added" Fallback;
    v1 { enum T { A, B } }
    v2 { enum T { A, B(u32) } }
    up { T::A => sees(T::A); T::B => refused("`B`", "without content"); }
    down { T::B(7) => refused("`B`", "with content"); }
}

change! {
    variant_content_removed "versions.variant_content_removed" Fallback;
    v1 { enum T { A { x: u8, y: u8 } } }
    v2 { enum T { A { x: u8 } } }
    up { T::A { x: 1, y: 2 } => sees(T::A { x: 1 }); }
    down { T::A { x: 1 } => refused("missing field `y`"); }
}

change! {
    variant_content_extended "versions.variant_content_extended" Fallback;
    v1 { enum T { A { x: u8 } } }
    v2 { enum T { A { y: Option<u8>, x: u8 } } }
    up { T::A { x: 1 } => sees(T::A { y: None, x: 1 }); }
    down { T::A { y: Some(2), x: 1 } => sees(T::A { x: 1 }); }
}

change! {
    variant_tuple_made_struct "versions.variant_tuple_made_struct" Fallback;
    v1 { enum T { At(f64, f64) } }
    v2 { enum T { At { lon: f64, lat: f64 } } }
    up { T::At(1.0, 2.0) => refused("fields by their names"); }
    down { T::At { lon: 1.0, lat: 2.0 } => refused("a tuple of 2"); }
}

change! {
    variant_newtype_made_tuple "versions.variant_newtype_made_tuple" Fallback;
    v1 { enum T { A(u8) } }
    v2 { enum T { A(u8, u8) } }
    up { T::A(1) => refused("a tuple of 2"); }
    down { T::A(1, 2) => refused("u8"); }
}

change! {
    unit_variant_made_number "versions.unit_variant_made_number" Fallback;
    v1 { enum Level { Low, High } struct T { level: Level } }
    v2 { struct T { level: u32 } }
    up { T { level: Level::Low } => refused("level"); T { level: Level::High } => refused("u32"); }
    down { T { level: 1 } => refused("level", "variant by its name"); }
}

change! {
    number_made_enum "versions.number_made_enum" Fallback;
    v1 { struct T { level: u8 } }
    v2 { enum Level { Zero, One } struct T { level: Level } }
    up { T { level: 0 } => refused("variant by its name"); T { level: 1 } => refused("level"); }
    down { T { level: Level::Zero } => refused("u8"); T { level: Level::One } => refused("level"); }
}

change! {
    text_made_enum "versions.text_made_enum" Fallback;
    v1 { struct T { state: String } }
    v2 { enum State { Open, Closed } struct T { state: State } }
    up {
        T { state: "Open".into() } => sees(T { state: State::Open });
        T { state: "Lost".into() } => refused("unknown variant `Lost`");
    }
    down { T { state: State::Closed } => sees(T { state: "Closed".into() }); }
}

change! {
    list_made_enum "versions.list_made_enum" Fallback;
    v1 { struct T { state: Vec<String> } }
    v2 { enum State { Open(u8) } struct T { state: State } }
    up { T { state: vec!["Open".into()] } => refused("variant by its name"); }
    down { T { state: State::Open(1) } => refused("a sequence"); }
}

change! {
    tagged_extended "versions.tagged_extended" Fallback;
    v1 { #[serde(tag = "type")] enum T { A { x: u8 } } }
    v2 { #[serde(tag = "type")] enum T { B { z: u8 }, A { x: u8, y: Option<u8> } } }
    up { T::A { x: 1 } => sees(T::A { x: 1, y: None }); }
    down {
        T::A { x: 1, y: Some(2) } => sees(T::A { x: 1 });
        T::B { z: 3 } => refused("unknown variant `B`");
    }
}

change! {
    adjacently_tagged_extended "versions.adjacently_tagged_extended" Fallback;
    v1 { #[serde(tag = "t", content = "c")] enum T { A(u8), B } }
    v2 { #[serde(tag = "t", content = "c")] enum T { B, C, A(u8) } }
    up { T::A(1) => sees(T::A(1)); T::B => sees(T::B); }
    down { T::A(1) => sees(T::A(1)); T::C => refused("unknown variant `C`"); }
}

change! {
    untagged_extended "versions.untagged_extended" Fallback;
    v1 { #[serde(untagged)] enum T { Number(u32), Text(String) } }
    v2 { #[serde(untagged)] enum T { Number(u32), Flag(bool), Text(String) } }
    up { T::Number(1) => sees(T::Number(1)); T::Text("x".into()) => sees(T::Text("x".into())); }
    down { T::Number(1) => sees(T::Number(1)); T::Flag(true) => refused("untagged"); }
}

change! {
    made_tagged "versions.made_tagged" Fallback;
    v1 { enum T { A { x: u8 } } }
    v2 { #[serde(tag = "type")] enum T { A { x: u8 } } }
    up { T::A { x: 1 } => refused("type"); }
    down { T::A { x: 1 } => refused("variant by its name"); }
}

change! {
    variant_skipped "versions.variant_skipped" Fallback;
    v1 { enum T { A, B, C(u8) } }
    v2 { enum T { A, #[serde(skip)] #[expect(dead_code, reason = "never sent")] B, C(u8) } }
    up { T::C(1) => sees(T::C(1)); T::B => refused("unknown variant `B`"); }
    down { T::C(1) => sees(T::C(1)); T::A => sees(T::A); }
}

change! {
    variant_in_an_option "versions.variant_in_an_option" Fallback;
    v1 { enum E { A } struct T { e: Option<E>, f: u8 } }
    v2 { enum E { A, B } struct T { e: Option<E>, f: u8 } }
    up { T { e: Some(E::A), f: 1 } => sees(T { e: Some(E::A), f: 1 }); T { e: None, f: 1 } => sees(T { e: None, f: 1 }); }
    down { T { e: None, f: 1 } => sees(T { e: None, f: 1 }); T { e: Some(E::B), f: 1 } => refused("unknown variant `B`"); }
}

change! {
    result_error_extended "versions.result_error_extended" Fallback;
    v1 { enum E { Full } struct T { r: Result<u8, E> } }
    v2 { enum E { Full, Closed } struct T { r: Result<u8, E> } }
    up { T { r: Ok(1) } => sees(T { r: Ok(1) }); T { r: Err(E::Full) } => sees(T { r: Err(E::Full) }); }
    down { T { r: Ok(1) } => sees(T { r: Ok(1) }); T { r: Err(E::Closed) } => refused("unknown variant `Closed`"); }
}
