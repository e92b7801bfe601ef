//! Metadata: its bounds hold however it is made.

use proptest::prelude::*;
use sinew_core::{
    limits::{METADATA_ENTRIES_MAX, METADATA_KEY_MAX, METADATA_MAX, METADATA_VALUE_MAX},
    metadata::{Metadata, MetadataError},
    wire::{Malformed, varint},
};

fn encoded(metadata: &Metadata) -> Vec<u8> {
    let mut out = Vec::new();
    metadata.encode(&mut out);
    out
}

proptest! {
    #[test]
    fn a_block_is_read_as_it_was_written(metadata in crate::strategies::metadata()) {
        let data = encoded(&metadata);
        let mut rest = &data[..];
        prop_assert_eq!(Metadata::decode(&mut rest), Ok(metadata));
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_canonical(data: Vec<u8>) {
        let mut rest = &data[..];
        if let Ok(metadata) = Metadata::decode(&mut rest) {
            prop_assert_eq!(&encoded(&metadata)[..], &data[..data.len() - rest.len()]);
        }
    }

    #[test]
    fn size_is_what_the_entries_take(
        steps in proptest::collection::vec(("[a-c]{1,2}", 0..50_usize, any::<bool>()), 0..40),
    ) {
        let mut metadata = Metadata::new();
        for (key, len, remove) in steps {
            if remove {
                metadata.remove(&key);
            } else {
                metadata.insert(&key, vec![0; len]).unwrap();
            }
            let sum: usize = metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
            prop_assert_eq!(metadata.size(), sum);
            prop_assert_eq!(metadata.len(), metadata.iter().len());
        }
    }
}

#[test]
fn a_key_is_set_once_and_keeps_its_place() {
    let mut metadata = Metadata::new();
    metadata.insert("b", "1").unwrap();
    metadata.insert("a", "2").unwrap();
    metadata.insert("b", "3").unwrap();
    let entries: Vec<_> = metadata.iter().map(|(key, value)| (key, &value[..])).collect();
    assert_eq!(entries, [("b", &b"3"[..]), ("a", b"2")]);
    assert_eq!(metadata.get_str("b"), Some("3"));
    assert_eq!(metadata.remove("b").as_deref(), Some(&b"3"[..]));
    assert_eq!(metadata.remove("b"), None);
    assert_eq!(metadata.len(), 1);
}

#[test]
fn a_value_that_is_no_text_is_only_given_as_bytes() {
    let mut metadata = Metadata::new();
    metadata.insert("raw", vec![0xff]).unwrap();
    assert_eq!(metadata.get_str("raw"), None);
    assert_eq!(metadata.get("raw").map(|value| value[0]), Some(0xff));
}

#[test]
fn unusable_keys_are_refused_by_name() {
    let mut metadata = Metadata::new();
    let long = "k".repeat(METADATA_KEY_MAX + 1);
    for key in ["", "A", "ä", "a b", "a:b", "a\n", &long] {
        assert!(matches!(metadata.insert(key, ""), Err(MetadataError::Key(_))), "{key:?}");
    }
    assert_eq!(
        metadata.insert("sinew-load", "").unwrap_err().to_string(),
        "the metadata key `sinew-load` begins with `sinew-`, which is reserved"
    );
    metadata.insert(&"k".repeat(METADATA_KEY_MAX), "").unwrap();
}

#[test]
fn bounds_are_exact() {
    let mut metadata = Metadata::new();
    assert_eq!(
        metadata.insert("a", vec![0; METADATA_VALUE_MAX + 1]),
        Err(MetadataError::ValueTooLong(METADATA_VALUE_MAX + 1))
    );
    metadata.insert("a", vec![0; METADATA_VALUE_MAX]).unwrap();
    metadata.insert("b", vec![0; METADATA_VALUE_MAX - 2]).unwrap();
    assert_eq!(metadata.size(), METADATA_MAX);
    assert_eq!(metadata.insert("c", ""), Err(MetadataError::TooLarge(METADATA_MAX + 1)));
    // In place of what was there, not beside it.
    metadata.insert("a", vec![1; METADATA_VALUE_MAX]).unwrap();

    let mut metadata = Metadata::new();
    for at in 0..METADATA_ENTRIES_MAX {
        metadata.insert(&format!("k{at}"), "").unwrap();
    }
    assert_eq!(metadata.insert("one-more", ""), Err(MetadataError::TooMany));
    metadata.insert("k3", "again").unwrap();
    let data = encoded(&metadata);
    assert_eq!(Metadata::decode(&mut &data[..]), Ok(metadata));
}

#[test]
fn keys_that_no_user_could_set_are_refused_from_the_wire() {
    for (keys, why) in [
        (&["a", "a"][..], "a metadata key comes twice"),
        (&["A"], "a metadata key that may not be used"),
        (&[""], "a metadata key that may not be used"),
        (&["sinew-x"], "a metadata key that may not be used"),
    ] {
        let mut data = Vec::new();
        varint::put(&mut data, keys.len() as u64);
        for key in keys {
            varint::put(&mut data, key.len() as u64);
            data.extend_from_slice(key.as_bytes());
            // An empty key would not meet the least size of an entry.
            data.extend_from_slice(&[1, 0]);
        }
        assert_eq!(Metadata::decode(&mut &data[..]), Err(Malformed::new(why)), "{keys:?}");
    }
}

#[test]
fn debug_shows_no_values() {
    let mut metadata = Metadata::new();
    metadata.insert("authorization", "secret").unwrap();
    assert_eq!(format!("{metadata:?}"), r#"{"authorization": 6}"#);
}
