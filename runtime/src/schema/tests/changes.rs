//! What changes a fingerprint, and what does not.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sinew_core::ids::Fingerprint;

use super::{canonical, fingerprint};
use crate::schema::{MethodTypes, argument_facts, facts};

#[derive(Serialize, Deserialize)]
enum Kind {
    A,
    B(u8),
}

#[derive(Serialize, Deserialize)]
struct Base {
    lat: f64,
    lon: f64,
    n: u32,
    s: String,
    kind: Kind,
}

macro_rules! variations {
    ($($name:ident { $($field:tt)* } $(with [$($item:item)*])?;)*) => {$(
        mod $name {
            use super::*;
            $($(#[derive(Serialize, Deserialize)] $item)*)?
            #[derive(Serialize, Deserialize)]
            pub(super) struct Base { $($field)* }
        }
    )*};
}

variations! {
    same { lat: f64, lon: f64, n: u32, s: String, kind: Kind };
    newtypes { lat: Degrees, lon: Degrees, n: Count, s: Box<str>, kind: Arc<Kind> } with [
        struct Degrees(f64);
        struct Count(Inner);
        struct Inner(u32);];
    enum_renamed { lat: f64, lon: f64, n: u32, s: String, kind: Sort } with [
        enum Sort { A, B(u8) }];
    aliased { #[serde(alias = "latitude")] lat: f64, lon: f64, n: u32, s: String, kind: Kind };
    aliased_before { #[serde(alias = "a", alias = "z")] lat: f64, lon: f64, n: u32, s: String, kind: Kind };
    variant_aliased { lat: f64, lon: f64, n: u32, s: String, kind: Sort } with [
        enum Sort { A, #[serde(alias = "B")] X(u8) }];
    swapped { lon: f64, lat: f64, n: u32, s: String, kind: Kind };
    renamed { latitude: f64, lon: f64, n: u32, s: String, kind: Kind };
    moved { lat: f64, lon: f64, s: String, n: u32, kind: Kind };
    added { lat: f64, lon: f64, n: u32, s: String, kind: Kind, note: Option<u8> };
    removed { lat: f64, lon: f64, n: u32, kind: Kind };
    widened { lat: f64, lon: f64, n: u64, s: String, kind: Kind };
    signed { lat: f64, lon: f64, n: i32, s: String, kind: Kind };
    optional { lat: f64, lon: f64, n: Option<u32>, s: String, kind: Kind };
    bytes { lat: f64, lon: f64, n: u32, s: Vec<u8>, kind: Kind };
    grouped { at: Place, n: u32, s: String, kind: Kind } with [
        struct Place { lat: f64, lon: f64 }];
    variant_added { lat: f64, lon: f64, n: u32, s: String, kind: Sort } with [
        enum Sort { A, B(u8), C }];
    variant_renamed { lat: f64, lon: f64, n: u32, s: String, kind: Sort } with [
        enum Sort { A, X(u8) }];
    variants_swapped { lat: f64, lon: f64, n: u32, s: String, kind: Sort } with [
        enum Sort { B(u8), A }];
    content_changed { lat: f64, lon: f64, n: u32, s: String, kind: Sort } with [
        enum Sort { A, B { b: u8 } }];
}

#[test]
fn what_the_wire_does_not_see_changes_nothing() {
    let base = canonical::<Base>();
    assert_eq!(canonical::<same::Base>(), base, "another module");
    assert_eq!(canonical::<newtypes::Base>(), base, "newtypes, Box, Arc");
    assert_eq!(canonical::<enum_renamed::Base>(), base, "the name of a type");
    assert_eq!(canonical::<aliased::Base>(), base, "an alias");
    assert_eq!(canonical::<aliased_before::Base>(), base, "aliases on both sides of the name");
}

#[test]
fn every_change_of_structure_or_of_a_name_is_seen() {
    let all = [
        ("the first", canonical::<Base>()),
        ("two fields of one type swapped", canonical::<swapped::Base>()),
        ("a field renamed", canonical::<renamed::Base>()),
        ("a field moved", canonical::<moved::Base>()),
        ("a field added", canonical::<added::Base>()),
        ("a field removed", canonical::<removed::Base>()),
        ("an integer widened", canonical::<widened::Base>()),
        ("an integer signed", canonical::<signed::Base>()),
        ("a field made optional", canonical::<optional::Base>()),
        ("a text made bytes", canonical::<bytes::Base>()),
        ("fields grouped", canonical::<grouped::Base>()),
        ("a variant added", canonical::<variant_added::Base>()),
        ("a variant renamed", canonical::<variant_renamed::Base>()),
        ("a variant renamed with an alias", canonical::<variant_aliased::Base>()),
        ("variants swapped", canonical::<variants_swapped::Base>()),
        ("the content of a variant", canonical::<content_changed::Base>()),
        ("a tuple", canonical::<(f64, f64, u32, String, Kind)>()),
        ("a longer tuple", canonical::<(f64, f64, u32, String, Kind, ())>()),
        ("a recursive type", canonical::<Option<Vec<Again>>>()),
        ("one that recurses further out", canonical::<Option<Vec<Further>>>()),
    ];
    for (at, (what, one)) in all.iter().enumerate() {
        for (other_what, other) in &all[at + 1..] {
            assert_ne!(one, other, "{what}, {other_what}");
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Again {
    next: Option<Box<Again>>,
}

#[derive(Serialize, Deserialize)]
struct Further {
    next: Option<Between>,
}

#[derive(Serialize, Deserialize)]
struct Between {
    next: Option<Box<Further>>,
}

#[test]
fn names_and_order_of_arguments_count_and_so_does_every_part() {
    let print = |arguments: &[&'static str], value: bool, error: bool, shape: u8| {
        let names: &'static [&'static str] = Box::leak(arguments.into());
        let arguments = argument_facts::<(u32, u32)>(names);
        let (yes, no) = (facts::<u8>(), facts::<u16>());
        let value = if value { &yes } else { &no };
        let types = MethodTypes {
            shape,
            arguments: &arguments,
            input: None,
            value,
            error: error.then_some(&*yes),
        };
        types.fingerprint().expect("fit for bincode")
    };
    let all = [
        print(&["a", "b"], true, true, 0),
        print(&["b", "a"], true, true, 0),
        print(&["a", "c"], true, true, 0),
        print(&["a", "b"], false, true, 0),
        print(&["a", "b"], true, false, 0),
        print(&["a", "b"], true, true, 1),
    ];
    for (at, one) in all.iter().enumerate() {
        assert!(!all[at + 1..].contains(one), "{at}");
    }
    assert_eq!(print(&["a", "b"], true, true, 0), all[0]);
}

#[test]
fn one_part_that_does_not_fit_takes_the_method_with_it() {
    assert_eq!(fingerprint(&facts::<serde_json::Value>()), None);
    let arguments = argument_facts::<(u8, serde_json::Value)>(&["a", "query"]);
    let why = arguments.bincode.as_ref().expect_err("it does not fit").to_string();
    assert!(why.contains("`query`"), "{why}");
}

/// Builds of different days compare these: they never change.
#[test]
fn the_form_and_the_fingerprint_are_frozen() {
    let written = canonical::<Vec<Again>>();
    let spelled = b"*{\0\0\0\x01\0\0\0\x04next?^\0\0\0\x01";
    assert_eq!(written, spelled, "{}", String::from_utf8_lossy(&written));
    let written = canonical::<Base>();
    let spelled = b"{\0\0\0\x05\0\0\0\x03lat.\0\0\0\x03f64\0\0\0\x03lon.\0\0\0\x03f64\0\0\0\x01n.\0\0\0\x03u32\
        \0\0\0\x01s.\0\0\0\x04text\0\0\0\x04kind<\0\0\0\x02\0\0\0\x01A-\0\0\0\x01B.\0\0\0\x02u8";
    assert_eq!(written, spelled, "{}", String::from_utf8_lossy(&written));
    assert_eq!(fingerprint(&facts::<Base>()), Some(Fingerprint(0x97ff_72ac_a68c_3d85)));
}
