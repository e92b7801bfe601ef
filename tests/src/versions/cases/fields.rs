//! Fields of a struct that come, go, move and change their names.

use super::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::from([field_optional_added::case()])
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
