//! What was heard of a type so far: places, and the named types at them.
//!
//! # Why
//! One pass through a type may fail half-way and still teach. So what is heard is written down at once, place by place,
//! and the next pass begins where something is missing. A named type is one [`Body`] wherever it stands, known by its
//! visitor and name: that keeps generics and modules apart, and lets recursion end.
//!
//! # Not here
//! Anything generic over a user's types: this code exists once in a binary, however many types there are.

use std::{
    any::TypeId,
    collections::{HashMap, HashSet},
};

use super::{
    made_up::TRIES_MAX,
    obstacle::Cause,
    probe::{Heard, ProbeError},
};

pub(super) type Place = usize;
pub(super) type Def = usize;

/// What stands at a place.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Unknown,
    /// A scalar, text or bytes, by its tag in the canonical form.
    Leaf(&'static str),
    Option(Place),
    Seq(Place),
    Map(Place, Place),
    Tuple(Vec<Place>),
    Named(Def),
    Opaque(Cause),
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// How often its values were refused.
    pub(super) fails: usize,
    /// Its form may be known, but no value can be had.
    pub(super) dead: bool,
    /// A value was had.
    pub(super) made: bool,
    complete: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) place: Place,
    /// serde lists aliases among the fields.
    pub(super) alias: bool,
    /// It is fed before the others: one of them is an alias of it.
    pub(super) ahead: bool,
    /// Whether a value without it was read, where that was tried.
    pub(super) optional: Option<bool>,
}

#[derive(Debug, Clone)]
pub(super) struct Variant {
    pub(super) name: &'static str,
    pub(super) body: Def,
    pub(super) alias: bool,
    /// No value can be had.
    pub(super) dead: bool,
    /// In which turn it was built first.
    pub(super) built: Option<usize>,
    pub(super) attempts: usize,
    pub(super) selector: Option<u64>,
}

/// What a named type, or a variant, is made of.
#[derive(Debug, Clone)]
pub(super) enum Body {
    Unknown,
    Unit,
    Newtype(Place),
    Tuple(Vec<Place>),
    Struct {
        fields: Vec<Field>,
        /// A visitor by hand that takes its fields in order only.
        in_order: bool,
    },
    Enum(Vec<Variant>),
}

/// The name of a field, or a variant, that no type has.
pub(super) const STRANGER: &str = "sinew: nobody has this name";

/// So many tries of one variant that never came to a value.
const VARIANT_TRIES_MAX: usize = 2 * TRIES_MAX;
/// Named types inside of each other.
const STACK_MAX: usize = 48;
/// Below so many named types, everything is as short as it can be.
const SHORT_BELOW: usize = 6;

/// What a look for what is missing has passed.
struct Seen {
    /// Whether a value must have been had.
    pub(super) made: bool,
    places: Vec<Place>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) nodes: Vec<Node>,
    pub(super) bodies: Vec<Body>,
    pub(super) named: HashMap<(TypeId, &'static str), Def>,
    /// Named types of which a value was had.
    pub(super) made: HashSet<Def>,
    /// Named types that are being read, and places.
    pub(super) stack: Vec<Def>,
    pub(super) active: Vec<Place>,
    pub(super) changed: bool,
    /// Which passes beyond learning these are: 0 none.
    pub(super) round: usize,
    pub(super) turn: usize,
    pub(super) effort: usize,
    /// What is tried in this pass: the field that is left out of its struct, or a [`STRANGER`] in it.
    pub(super) left_out: Option<(Def, &'static str)>,
    /// Structs that read a field, and enums that read a variant, which they do not know; and those that do not.
    pub(super) strangers: HashMap<Def, bool>,
}

impl State {
    pub(super) fn place(&mut self) -> Place {
        self.nodes.push(Node {
            kind: Kind::Unknown,
            fails: 0,
            dead: false,
            made: false,
            complete: false,
        });
        self.nodes.len() - 1
    }

    pub(super) fn body(&mut self, body: Body) -> Def {
        self.bodies.push(body);
        self.bodies.len() - 1
    }

    pub(super) fn places(&mut self, len: usize) -> Vec<Place> {
        (0..len).map(|_| self.place()).collect()
    }

    /// Writes down what stands at a place; what stood there before must be the same.
    pub(super) fn note(&mut self, place: Place, kind: Kind) -> Result<(), ProbeError> {
        let node = &mut self.nodes[place];
        let same = match (&node.kind, &kind) {
            (Kind::Unknown, _) => {
                node.kind = kind;
                self.changed = true;
                return Ok(());
            }
            (Kind::Leaf(one), Kind::Leaf(other)) => one == other,
            (Kind::Named(one), Kind::Named(other)) => one == other,
            (Kind::Tuple(one), Kind::Tuple(other)) => one.len() == other.len(),
            (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
        };
        if same { Ok(()) } else { Err(self.opaque(place, Cause::Varies)) }
    }

    pub(super) fn opaque(&mut self, place: Place, cause: Cause) -> ProbeError {
        let node = &mut self.nodes[place];
        if !matches!(node.kind, Kind::Opaque(_)) {
            node.kind = Kind::Opaque(cause);
            node.dead = true;
            self.changed = true;
        }
        ProbeError::noted(Heard::Hopeless)
    }

    pub(super) fn known(&self, place: Place) -> bool {
        self.nodes[place].kind != Kind::Unknown
    }

    pub(super) fn is_on_stack(&self, place: Place) -> bool {
        matches!(self.nodes[place].kind, Kind::Named(def) if self.stack.contains(&def))
    }

    /// Whether everything below a place is known, and a value of it was had.
    pub(super) fn complete(&mut self, place: Place) -> bool {
        let mut seen = Seen { made: true, places: Vec::new() };
        let complete = self.place_complete(place, &mut seen);
        if complete {
            for place in seen.places {
                self.nodes[place].complete = true;
            }
        }
        complete
    }

    /// Whether everything below a place is known.
    pub(super) fn form_complete(&self, place: Place) -> bool {
        self.place_complete(place, &mut Seen { made: false, places: Vec::new() })
    }

    /// A type that contains itself is not made where it does.
    fn was_made(&self, node: &Node) -> bool {
        node.made || matches!(node.kind, Kind::Named(def) if self.made.contains(&def))
    }

    fn place_complete(&self, place: Place, seen: &mut Seen) -> bool {
        let node = &self.nodes[place];
        if node.complete || node.dead || seen.places.contains(&place) {
            return true;
        }
        if seen.made && !self.was_made(node) {
            return false;
        }
        seen.places.push(place);
        match &node.kind {
            Kind::Unknown => false,
            Kind::Leaf(_) | Kind::Opaque(_) => true,
            Kind::Option(inner) | Kind::Seq(inner) => self.place_complete(*inner, seen),
            Kind::Map(key, value) => {
                self.place_complete(*key, seen) && self.place_complete(*value, seen)
            }
            Kind::Tuple(places) => places.iter().all(|place| self.place_complete(*place, seen)),
            Kind::Named(def) => self.body_complete(*def, seen),
        }
    }

    fn body_complete(&self, def: Def, seen: &mut Seen) -> bool {
        match &self.bodies[def] {
            Body::Unknown => false,
            Body::Unit => true,
            Body::Newtype(place) => self.place_complete(*place, seen),
            Body::Tuple(places) => places.iter().all(|place| self.place_complete(*place, seen)),
            Body::Struct { fields, .. } => {
                fields.iter().all(|field| field.alias || self.place_complete(field.place, seen))
            }
            Body::Enum(variants) => {
                variants.iter().all(|variant| self.variant_complete(variant, seen))
            }
        }
    }

    fn variant_complete(&self, variant: &Variant, seen: &mut Seen) -> bool {
        variant.alias
            || variant.dead
            || variant.built.is_some() && self.body_complete(variant.body, seen)
    }

    /// The value at a place was refused: the next one is tried there.
    pub(super) fn refuse(&mut self, place: Place, hopeless: bool) {
        let known = self.form_complete(place);
        let node = &mut self.nodes[place];
        node.fails += 1;
        node.dead |= node.fails > TRIES_MAX || hopeless && known;
        self.changed = true;
    }

    /// A value was had.
    pub(super) fn make(&mut self, place: Place) {
        let node = &mut self.nodes[place];
        self.changed |= !std::mem::replace(&mut node.made, true);
        if let Kind::Named(def) = node.kind {
            self.made.insert(def);
        }
    }

    pub(super) fn turn(&mut self) -> usize {
        self.turn += 1;
        self.turn
    }

    /// Whether what may be absent should be.
    pub(super) fn brief(&self) -> bool {
        self.round == 1 || self.stack.len() > SHORT_BELOW
    }

    /// Begins a named type: the same one wherever it stands.
    pub(super) fn begin(
        &mut self,
        place: Place,
        id: (TypeId, &'static str),
        make: impl FnOnce(&mut Self) -> Body,
    ) -> Result<Def, ProbeError> {
        let def = match self.named.get(&id) {
            Some(def) => *def,
            None => {
                let body = make(self);
                let def = self.body(body);
                self.named.insert(id, def);
                def
            }
        };
        self.note(place, Kind::Named(def))?;
        let again = self.stack.contains(&def) && !matches!(self.bodies[def], Body::Enum(_));
        if again || self.stack.len() >= STACK_MAX {
            return Err(ProbeError::new(Heard::Recursion));
        }
        self.stack.push(def);
        Ok(def)
    }

    pub(super) fn fields(&mut self, names: &'static [&'static str]) -> Body {
        let field = |name: &&'static str, state: &mut Self| Field {
            name,
            place: state.place(),
            alias: false,
            ahead: false,
            optional: None,
        };
        let fields = names.iter().map(|name| field(name, self)).collect();
        Body::Struct { fields, in_order: false }
    }

    /// The variant to build next: what is learnt least; inside of itself, what is known to end.
    pub(super) fn pick(&mut self, def: Def) -> Option<usize> {
        let Body::Enum(variants) = &self.bodies[def] else { return None };
        let variants = variants.clone();
        let nested = self.stack.iter().filter(|on_stack| **on_stack == def).count() > 1;
        let done: Vec<bool> = variants
            .iter()
            .map(|variant| {
                self.variant_complete(variant, &mut Seen { made: true, places: Vec::new() })
            })
            .collect();
        let usable = |at: &usize| !variants[*at].dead && !variants[*at].alias;
        let built = (0..variants.len())
            .filter(|at| usable(at) && variants[*at].built.is_some())
            .min_by_key(|at| variants[*at].built);
        let all_done = done.iter().all(|done| *done);
        let rounds = self.round.checked_sub(1).filter(|_| all_done && !nested);
        if let Some(round) = rounds {
            let usable: Vec<usize> = (0..variants.len()).filter(usable).collect();
            return usable.get(round % usable.len().max(1)).copied();
        }
        let settled = if nested || all_done { built } else { None };
        let open = (0..variants.len()).filter(|at| usable(at) && !done[*at]);
        let pick = settled.or_else(|| open.min_by_key(|at| variants[*at].attempts)).or(built)?;
        if !done[pick]
            && let Body::Enum(variants) = &mut self.bodies[def]
        {
            let variant = &mut variants[pick];
            variant.attempts += 1;
            variant.dead |= variant.attempts > VARIANT_TRIES_MAX && variant.built.is_none();
            self.changed = true;
        }
        Some(pick)
    }
}

impl State {
    /// Whether the field that is left out may be. Once it is known, nothing is left out any more.
    pub(super) fn settle_left_out(&mut self, optional: bool) {
        let Some((def, name)) = self.left_out.take() else { return };
        if name == STRANGER {
            self.strangers.insert(def, optional);
            return;
        }
        if let Body::Struct { fields, .. } = &mut self.bodies[def] {
            let named = fields.iter_mut().filter(|field| field.name == name);
            named.for_each(|field| field.optional = Some(optional));
        }
    }
}

/// The body of a variant, which is heard when it is read.
impl State {
    pub(super) fn variant_body(
        &mut self,
        (def, at): (Def, usize),
        make: impl FnOnce(&mut Self) -> Body,
    ) -> (Def, Body) {
        let Body::Enum(variants) = &self.bodies[def] else { return (def, Body::Unknown) };
        let body = variants[at].body;
        if matches!(self.bodies[body], Body::Unknown) {
            self.bodies[body] = make(self);
            self.changed = true;
        }
        (body, self.bodies[body].clone())
    }
}
