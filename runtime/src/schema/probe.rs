//! A deserializer without bytes: it answers every question with a made-up value, and has it written down.
//!
//! # Invariants
//! What is generic here exists once per type of the user's, so it is as thin as it can be: the work is done in
//! [`learnt`](super::learnt).

use std::{
    any::TypeId,
    cell::Cell,
    fmt::{self, Display},
    hash::{DefaultHasher, Hash, Hasher},
    mem::discriminant,
};

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
    value::{BorrowedStrDeserializer, UnitDeserializer},
};

use super::{
    learnt::{Feed, Learnt},
    made_up,
    state::{Def, Field, Place, STRANGER},
};

/// What an error of a visitor tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// The value does not please.
    Refused,
    /// A field is missing.
    Missing(&'static str),
    /// A field came twice: it is another name for this one.
    Duplicate(&'static str),
    /// A type contains itself, and has to end another way.
    Recursion,
    /// No value can be had.
    Hopeless,
}

/// The error of the probe.
#[derive(Debug)]
pub(super) struct ProbeError {
    pub(super) heard: Heard,
    /// It has been written down where it belongs.
    pub(super) noted: bool,
}

impl ProbeError {
    pub(super) fn new(heard: Heard) -> Self {
        Self { heard, noted: false }
    }

    pub(super) fn noted(heard: Heard) -> Self {
        Self { heard, noted: true }
    }
}

impl Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.heard)
    }
}

impl std::error::Error for ProbeError {}

impl de::Error for ProbeError {
    fn custom<T: Display>(_: T) -> Self {
        Self::new(Heard::Refused)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Heard::Missing(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(Heard::Duplicate(field))
    }
}

/// The deserializer of one place.
#[derive(Clone, Copy)]
pub(super) struct Probe<'c> {
    learnt: &'c Learnt,
    place: Place,
    /// Which made-up values: grows as those before were refused, here or around.
    at: usize,
}

impl<'c> Probe<'c> {
    /// Reads the value of a place.
    pub(super) fn read<'de, S: DeserializeSeed<'de>>(
        learnt: &'c Learnt,
        place: Place,
        at: usize,
        seed: S,
    ) -> Result<S::Value, ProbeError> {
        inside(learnt, place, at, |probe| seed.deserialize(probe))
    }

    fn integer(self, tag: &'static str, low: i128, high: i128) -> Result<i128, ProbeError> {
        let turn = self.learnt.leaf(self.place, tag)?;
        if self.at == 0 && self.learnt.is_plain() {
            return Ok(0_i128.clamp(low, high));
        }
        Ok(i128::from(made_up::integer(self.at, turn)).clamp(low, high))
    }

    fn float(self, tag: &'static str) -> Result<f64, ProbeError> {
        let turn = self.learnt.leaf(self.place, tag)?;
        Ok(made_up::integer(self.at, turn) as f64)
    }

    fn text(self) -> Result<&'static str, ProbeError> {
        self.learnt.leaf(self.place, "text")?;
        let plain = self.at == 0 && self.learnt.is_plain();
        Ok(if plain { "" } else { made_up::text(self.at) })
    }

    fn bytes(self) -> Result<&'static [u8], ProbeError> {
        self.learnt.leaf(self.place, "bytes")?;
        Ok(made_up::bytes(self.at))
    }

    fn items(self, places: Vec<Place>) -> Items<'c> {
        Items { learnt: self.learnt, places: places.into_iter(), at: self.at }
    }

    fn asks(self, how: &'static str) -> ProbeError {
        self.learnt.opaque(self.place, how)
    }
}

/// Enters a place, and leaves it whatever happened there.
fn inside<'c, T>(
    learnt: &'c Learnt,
    place: Place,
    at: usize,
    read: impl FnOnce(Probe<'c>) -> Result<T, ProbeError>,
) -> Result<T, ProbeError> {
    let entered = learnt.enter(place)?;
    let mut result = read(Probe { learnt, place, at: at + entered.fails });
    learnt.leave(&entered, result.as_mut().err());
    result
}

/// Feeds the fields of a struct.
fn feed<'c, 'de, V: Visitor<'de>>(
    learnt: &'c Learnt,
    def: Def,
    at: usize,
    visitor: V,
) -> Result<V::Value, ProbeError> {
    let last = Cell::new("");
    let mut result = match learnt.feed(def) {
        Feed::InOrder(places) => {
            visitor.visit_seq(Items { learnt, places: places.into_iter(), at })
        }
        Feed::ByName(fields) => {
            let (fields, stranger) = (fields.into_iter(), learnt.has_stranger(def));
            visitor.visit_map(Fields { learnt, fields, stranger, current: None, at, last: &last })
        }
    };
    let is_new = result.as_ref().err().is_none_or(|error| !error.noted);
    let was_left_out = is_new && learnt.left_out(def, result.is_ok());
    if let Err(error) = &mut result {
        match was_left_out {
            true => error.noted = true,
            false => learnt.record_failed(def, &last, error),
        }
    }
    result
}

macro_rules! integers {
    ($($method:ident $visit:ident $ty:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ProbeError> {
            let high = i128::try_from($ty::MAX).unwrap_or(i128::MAX);
            let value = self.integer(stringify!($ty), $ty::MIN as i128, high)?;
            visitor.$visit(value as $ty)
        }
    )*};
}

macro_rules! same_as {
    ($($method:ident $other:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ProbeError> {
            self.$other(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = ProbeError;

    integers! {
        deserialize_u8 visit_u8 u8 deserialize_u16 visit_u16 u16 deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64 deserialize_u128 visit_u128 u128 deserialize_i8 visit_i8 i8
        deserialize_i16 visit_i16 i16 deserialize_i32 visit_i32 i32 deserialize_i64 visit_i64 i64
        deserialize_i128 visit_i128 i128
    }

    same_as! { deserialize_string deserialize_str deserialize_byte_buf deserialize_bytes }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ProbeError> {
        visitor.visit_bool(self.integer("bool", 0, 5000)? % 2 == 1)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ProbeError> {
        visitor.visit_f32(self.float("f32")? as f32)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ProbeError> {
        visitor.visit_f64(self.float("f64")?)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ProbeError> {
        let turn = self.integer("char", 0, 25)?;
        visitor.visit_char(char::from(b'a' + turn as u8))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ProbeError> {
        visitor.visit_borrowed_str(self.text()?)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ProbeError> {
        visitor.visit_borrowed_bytes(self.bytes()?)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ProbeError> {
        self.learnt.leaf(self.place, "nothing")?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ProbeError> {
        self.learnt.leaf(self.place, "unit")?;
        visitor.visit_unit()
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ProbeError> {
        Err(self.asks("any value"))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ProbeError> {
        Err(self.asks("a value to pass over"))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ProbeError> {
        Err(self.asks("a name"))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ProbeError> {
        match self.learnt.option(self.place)? {
            None => visitor.visit_none(),
            Some(inner) => inside(self.learnt, inner, self.at, |probe| visitor.visit_some(probe)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ProbeError> {
        let inner = self.learnt.newtype(self.place, id::<V>(name))?;
        inside(self.learnt, inner, self.at, |probe| visitor.visit_newtype_struct(probe))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ProbeError> {
        let (item, len) = self.learnt.sequence(self.place, self.at)?;
        visitor.visit_seq(self.items(vec![item; len]))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ProbeError> {
        visitor.visit_seq(self.items(self.learnt.tuple(self.place, len)?))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ProbeError> {
        visitor.visit_seq(self.items(self.learnt.tuple_struct(self.place, id::<V>(name), len)?))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ProbeError> {
        let (key, value, entry) = self.learnt.map(self.place, self.at)?;
        let entries = Entries { learnt: self.learnt, key, value, left: entry, at: self.at };
        let result = visitor.visit_map(entries);
        if self.learnt.is_flattened(key) {
            return Err(self.asks("`flatten`"));
        }
        result
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ProbeError> {
        let def = self.learnt.record(self.place, id::<V>(name), fields)?;
        feed(self.learnt, def, self.at, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ProbeError> {
        let variant = self.learnt.enumeration(self.place, id::<V>(name), variants)?;
        let name = variants.get(variant.1).copied().unwrap_or_default();
        let chosen = Chosen { learnt: self.learnt, variant, name, at: self.at };
        visitor.visit_enum(chosen).inspect(|_| self.learnt.built(variant))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// A visitor stands for the type that it makes; its name tells a struct from the newtypes around it.
fn id<V>(name: &'static str) -> (TypeId, &'static str) {
    (typeid::of::<V>(), name)
}

struct Items<'c> {
    learnt: &'c Learnt,
    places: std::vec::IntoIter<Place>,
    at: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = ProbeError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, ProbeError> {
        let Some(place) = self.places.next() else { return Ok(None) };
        Probe::read(self.learnt, place, self.at, seed).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.places.len())
    }
}

struct Entries<'c> {
    learnt: &'c Learnt,
    key: Place,
    value: Place,
    left: bool,
    at: usize,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = ProbeError;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, ProbeError> {
        if !std::mem::take(&mut self.left) {
            return Ok(None);
        }
        Probe::read(self.learnt, self.key, self.at, seed).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, ProbeError> {
        Probe::read(self.learnt, self.value, self.at, seed)
    }
}

struct Fields<'c, 'l> {
    learnt: &'c Learnt,
    fields: std::vec::IntoIter<Field>,
    /// A field that the struct does not know comes last.
    stranger: bool,
    current: Option<Place>,
    at: usize,
    /// The key that was handed out last.
    last: &'l Cell<&'static str>,
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = ProbeError;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, ProbeError> {
        let Some(field) = self.fields.next() else {
            self.current = None;
            let stranger = std::mem::take(&mut self.stranger);
            let key = stranger.then(|| seed.deserialize(BorrowedStrDeserializer::new(STRANGER)));
            return key.transpose();
        };
        self.current = Some(field.place);
        self.last.set(field.name);
        seed.deserialize(BorrowedStrDeserializer::new(field.name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, ProbeError> {
        match self.current {
            Some(place) => Probe::read(self.learnt, place, self.at, seed),
            // Whoever does not know the field passes over what it holds.
            None => seed.deserialize(UnitDeserializer::new()),
        }
    }
}

/// The variant that was picked.
struct Chosen<'c> {
    learnt: &'c Learnt,
    variant: (Def, usize),
    name: &'static str,
    at: usize,
}

impl<'de> EnumAccess<'de> for Chosen<'_> {
    type Error = ProbeError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self), ProbeError> {
        let (def, _) = self.variant;
        if self.learnt.has_stranger(def) {
            let key = seed.deserialize(BorrowedStrDeserializer::<ProbeError>::new(STRANGER));
            self.learnt.left_out(def, key.is_ok());
            return Err(ProbeError::noted(Heard::Refused));
        }
        let selector = seed.deserialize(BorrowedStrDeserializer::<ProbeError>::new(self.name))?;
        // serde's derive selects by an enum of this name; of others the discriminant may mean nothing.
        let derived = std::any::type_name::<S::Value>().contains("__Field");
        let selected = derived.then(|| {
            let mut hasher = DefaultHasher::new();
            discriminant(&selector).hash(&mut hasher);
            hasher.finish()
        });
        self.learnt.selected(self.variant, selected)?;
        Ok((selector, self))
    }
}

impl<'de> VariantAccess<'de> for Chosen<'_> {
    type Error = ProbeError;

    fn unit_variant(self) -> Result<(), ProbeError> {
        self.learnt.unit_variant(self.variant);
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<S::Value, ProbeError> {
        let place = self.learnt.newtype_variant(self.variant)?;
        Probe::read(self.learnt, place, self.at, seed)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ProbeError> {
        let places = self.learnt.tuple_variant(self.variant, len)?.into_iter();
        visitor.visit_seq(Items { learnt: self.learnt, places, at: self.at })
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ProbeError> {
        let def = self.learnt.struct_variant(self.variant, fields);
        feed(self.learnt, def, self.at, visitor)
    }
}
