//! That every limit is one, is shown as people read it, and that those which belong together fit.

use super::*;
use crate::wire::varint;

#[test]
fn a_value_is_shown_in_the_largest_unit_that_fits() {
    let shown = [
        (Value::Bytes(4 << 20), "4 MiB"),
        (Value::Bytes(768), "768 B"),
        (Value::Bytes((1 << 20) + 1024), "1025 KiB"),
        (Value::Bytes(0), "0"),
        (Value::Count(1024), "1024"),
        (Value::Time(Duration::from_secs(24 * 3600)), "24 h"),
        (Value::Time(Duration::from_secs(90)), "90 s"),
        (Value::Time(Duration::from_micros(1500)), "1500 us"),
        (Value::Ratio(1.6), "1.6"),
    ];
    for (value, text) in shown {
        assert_eq!(value.to_string(), text);
    }
}

#[test]
fn nothing_is_unlimited() {
    for limit in ALL {
        let bounded = match limit.value {
            Value::Bytes(n) => (1..=64 << 20).contains(&n),
            Value::Count(n) => (1..=1_000_000).contains(&n),
            Value::Time(time) => !time.is_zero() && time <= Duration::from_secs(24 * 3600),
            Value::Ratio(ratio) => ratio > 0.0 && ratio < 10.0,
        };
        assert!(bounded, "{limit:?}");
    }
}

#[test]
fn head_room_holds_the_largest_head() {
    let metadata = 1 + METADATA_MAX + METADATA_ENTRIES_MAX * 4;
    let fixed = 1 + 8 + 8 + 8 + 8 + 64;
    let whole = metadata + 2 + LEDGER_MAX + 2 + STATUS_MESSAGE_MAX + fixed;
    assert!(whole <= HEAD_ROOM, "{whole}");
}

#[test]
fn settings_hold_the_largest_lists() {
    let lists = SERVICES_BYTES_MAX + FINGERPRINTS_MAX * 16 + 2 * SETTINGS_LIST_MAX * 8;
    assert!(lists + 256 <= SETTINGS_MAX, "{lists}");
    assert!(varint::len(CONTROL_FRAME_MAX as u64) <= 4);
}
