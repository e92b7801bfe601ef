//! The structure of a type as bytes: equal where bincode reads what the other side has written, with the same meaning.
//!
//! ```text
//! leaf      '.' and its tag                 option   '?' inner
//! sequence  '*' item                        map      '%' key value
//! tuple     '(' count, parts                struct   '{' count, (name, part) in declared order
//! enum      '<' count, (name, body)         again    '^' how many structs and enums further out
//! ```
//! Counts and names are as long as a u32, big endian, says. Left out: newtypes, names of types, aliases of fields. An
//! alias of a variant is a name and '='. A tuple struct
//! and an array are tuples. A variant's body is '-' without content, its part, a tuple or a struct.

use sinew_core::limits;

use super::{
    state::{Body, Def, Kind, Place, State},
    trace::Traced,
};

/// The structure takes too many bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// The structure of what was traced; a tuple with these names is a struct.
pub(super) fn write(
    traced: &Traced,
    names: Option<&'static [&'static str]>,
) -> Result<Vec<u8>, TooLarge> {
    let mut writer = Writer { state: &traced.state, stack: Vec::new(), out: Vec::new() };
    match (names, &traced.state.nodes[traced.root].kind) {
        (Some(names), Kind::Tuple(places)) => {
            writer.count(b'{', names.len());
            for (name, place) in names.iter().zip(places) {
                writer.name(name);
                writer.place(*place)?;
            }
        }
        (Some(_), _) => writer.count(b'{', 0),
        (None, _) => writer.place(traced.root)?,
    }
    Ok(writer.out)
}

struct Writer<'s> {
    state: &'s State,
    stack: Vec<Def>,
    out: Vec<u8>,
}

impl Writer<'_> {
    fn count(&mut self, tag: u8, count: usize) {
        self.out.push(tag);
        self.out.extend(u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
    }

    fn name(&mut self, name: &str) {
        self.out.extend(u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.out.extend(name.as_bytes());
    }

    fn place(&mut self, place: Place) -> Result<(), TooLarge> {
        if self.out.len() > limits::CANONICAL_MAX {
            return Err(TooLarge);
        }
        match &self.state.nodes[place].kind {
            Kind::Unknown | Kind::Opaque(_) => self.out.push(b'!'),
            // To bincode and to the meaning, a unit struct is nothing.
            Kind::Leaf("nothing" | "unit") => self.out.push(b'-'),
            Kind::Leaf(tag) => {
                self.out.push(b'.');
                self.name(tag);
            }
            Kind::Option(inner) => {
                self.out.push(b'?');
                self.place(*inner)?;
            }
            Kind::Seq(item) => {
                self.out.push(b'*');
                self.place(*item)?;
            }
            Kind::Map(key, value) => {
                self.out.push(b'%');
                self.place(*key)?;
                self.place(*value)?;
            }
            Kind::Tuple(places) => self.tuple(places)?,
            Kind::Named(def) => self.named(*def)?,
        }
        Ok(())
    }

    fn tuple(&mut self, places: &[Place]) -> Result<(), TooLarge> {
        self.count(b'(', places.len());
        places.iter().try_for_each(|place| self.place(*place))
    }

    fn named(&mut self, def: Def) -> Result<(), TooLarge> {
        if let Some(at) = self.stack.iter().rposition(|outer| *outer == def) {
            // A newtype is what it contains, so it is no step outwards.
            let steps = self.stack[at..].iter().filter(|def| !self.is_newtype(**def)).count();
            self.count(b'^', steps);
            return Ok(());
        }
        self.stack.push(def);
        let written = self.body(def);
        self.stack.pop();
        written
    }

    fn is_newtype(&self, def: Def) -> bool {
        matches!(self.state.bodies[def], Body::Newtype(_))
    }

    fn body(&mut self, def: Def) -> Result<(), TooLarge> {
        match &self.state.bodies[def] {
            Body::Unknown => self.out.push(b'!'),
            Body::Unit => self.out.push(b'-'),
            Body::Newtype(inner) => self.place(*inner)?,
            Body::Tuple(places) => self.tuple(places)?,
            Body::Struct { fields, .. } => {
                let fields: Vec<_> = fields.iter().filter(|field| !field.alias).collect();
                self.count(b'{', fields.len());
                for field in fields {
                    self.name(field.name);
                    self.place(field.place)?;
                }
            }
            Body::Enum(variants) => {
                self.count(b'<', variants.len());
                for variant in variants {
                    self.name(variant.name);
                    // Which of two names is written cannot be heard: both count.
                    match variant.alias {
                        true => self.out.push(b'='),
                        false => self.body(variant.body)?,
                    }
                }
            }
        }
        Ok(())
    }
}
