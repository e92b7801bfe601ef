//! What was heard of a type, as the accesses of all levels share it: each question of serde's is one method here.
//!
//! # Not here
//! Anything generic over a user's types: this code exists once in a binary, however many types there are.

use std::{
    any::TypeId,
    cell::{Cell, RefCell},
};

use sinew_core::limits;

use super::{
    obstacle::Cause,
    probe::{Heard, ProbeError},
    state::{Body, Def, Field, Kind, Place, STRANGER, State, Variant},
};

/// The state, as accesses of all levels share it.
#[derive(Debug, Default)]
pub(super) struct Learnt(RefCell<State>);

/// Where the stacks were when a place was entered.
pub(super) struct Entered {
    place: Place,
    depth: usize,
    pub(super) fails: usize,
}

/// How a struct is fed.
pub(super) enum Feed {
    ByName(Vec<Field>),
    InOrder(Vec<Place>),
}

impl Learnt {
    pub(super) fn root(&self) -> Place {
        self.0.borrow_mut().place()
    }

    pub(super) fn into_state(self) -> State {
        self.0.into_inner()
    }

    pub(super) fn begin_pass(&self, round: usize) {
        let mut state = self.0.borrow_mut();
        state.changed = false;
        state.stack.clear();
        state.active.clear();
        state.turn = round;
        state.round = round;
    }

    pub(super) fn is_complete(&self, place: Place) -> bool {
        self.0.borrow_mut().complete(place)
    }

    pub(super) fn has_changed(&self) -> bool {
        self.0.borrow().changed
    }

    /// How many passes try each variant of the largest enum, and never fewer than `least`.
    pub(super) fn rounds(&self, least: usize) -> usize {
        let state = self.0.borrow();
        let variants = state.bodies.iter().map(|body| match body {
            Body::Enum(variants) => variants.len(),
            _ => 0,
        });
        variants.max().unwrap_or(0) + least
    }

    pub(super) fn is_dead(&self, place: Place) -> bool {
        self.0.borrow().nodes[place].dead
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.0.borrow().effort > limits::PROBE_EFFORT_MAX
    }

    /// A pass ended in a panic: whatever was being read has caused it.
    pub(super) fn panicked(&self) {
        let mut state = self.0.borrow_mut();
        if let Some(place) = state.active.last().copied() {
            state.refuse(place, false);
        }
    }

    pub(super) fn enter(&self, place: Place) -> Result<Entered, ProbeError> {
        let mut state = self.0.borrow_mut();
        state.effort += 1;
        if state.nodes[place].dead || state.effort > limits::PROBE_EFFORT_MAX {
            return Err(ProbeError::noted(Heard::Hopeless));
        }
        if state.active.len() >= limits::PROBE_DEPTH_MAX {
            return Err(state.opaque(place, Cause::Endless));
        }
        state.active.push(place);
        Ok(Entered { place, depth: state.stack.len(), fails: state.nodes[place].fails })
    }

    /// Leaves a place. The innermost one that an error comes out of is where the next value is tried.
    pub(super) fn leave(&self, entered: &Entered, error: Option<&mut ProbeError>) {
        let mut state = self.0.borrow_mut();
        state.active.pop();
        state.stack.truncate(entered.depth);
        if error.is_none() {
            state.make(entered.place);
        }
        if let Some(error) = error
            && error.heard != Heard::Recursion
            && !std::mem::replace(&mut error.noted, true)
        {
            let hopeless = error.heard == Heard::Hopeless;
            state.refuse(entered.place, hopeless);
        }
    }

    pub(super) fn leaf(&self, place: Place, tag: &'static str) -> Result<usize, ProbeError> {
        let mut state = self.0.borrow_mut();
        state.note(place, Kind::Leaf(tag))?;
        Ok(state.turn())
    }

    /// Whether leaves should have their plainest value.
    pub(super) fn is_plain(&self) -> bool {
        self.0.borrow().round == 1
    }

    pub(super) fn opaque(&self, place: Place, how: &'static str) -> ProbeError {
        self.0.borrow_mut().opaque(place, Cause::AsksTheFormat(how))
    }

    /// An option: its inner place if it shall have a value.
    pub(super) fn option(&self, place: Place) -> Result<Option<Place>, ProbeError> {
        let mut state = self.0.borrow_mut();
        let inner = match state.nodes[place].kind {
            Kind::Option(inner) => inner,
            _ => {
                let inner = state.place();
                state.note(place, Kind::Option(inner))?;
                inner
            }
        };
        let absent = state.nodes[inner].dead
            || state.known(inner)
                && (state.is_on_stack(inner)
                    || state.complete(inner) && (state.brief() || state.turn().is_multiple_of(2)));
        Ok((!absent).then_some(inner))
    }

    /// A sequence: the place of its items, and how many there shall be.
    pub(super) fn sequence(&self, place: Place, at: usize) -> Result<(Place, usize), ProbeError> {
        let mut state = self.0.borrow_mut();
        let item = match state.nodes[place].kind {
            Kind::Seq(item) => item,
            _ => {
                let item = state.place();
                state.note(place, Kind::Seq(item))?;
                item
            }
        };
        let len = if state.nodes[item].dead || state.known(item) && state.is_on_stack(item) {
            0
        } else if !state.complete(item) {
            1
        } else if at > 0 {
            at % 4
        } else {
            // One at most: a set of two may come back in another order.
            usize::from(!state.brief())
        };
        Ok((item, len))
    }

    /// A map: the places of keys and values, and whether it shall have an entry.
    pub(super) fn map(&self, place: Place, at: usize) -> Result<(Place, Place, bool), ProbeError> {
        let mut state = self.0.borrow_mut();
        let (key, value) = match state.nodes[place].kind {
            Kind::Map(key, value) => (key, value),
            _ => {
                let (key, value) = (state.place(), state.place());
                state.note(place, Kind::Map(key, value))?;
                (key, value)
            }
        };
        let done = state.complete(key) && state.complete(value);
        let dead = state.nodes[key].dead || state.nodes[value].dead && state.known(key);
        let recursive = state.known(value) && state.is_on_stack(value);
        let empty = recursive || done && (dead || state.brief() || at % 2 == 1);
        Ok((key, value, !empty))
    }

    /// Whether the keys of a map asked the format for names: a struct with `flatten`.
    pub(super) fn is_flattened(&self, key: Place) -> bool {
        self.0.borrow().nodes[key].kind == Kind::Opaque(Cause::AsksTheFormat("a name"))
    }

    pub(super) fn tuple(&self, place: Place, len: usize) -> Result<Vec<Place>, ProbeError> {
        let mut state = self.0.borrow_mut();
        if let Kind::Tuple(places) = &state.nodes[place].kind
            && places.len() == len
        {
            return Ok(places.clone());
        }
        let places = state.places(len);
        state.note(place, Kind::Tuple(places.clone()))?;
        Ok(places)
    }

    pub(super) fn newtype(
        &self,
        place: Place,
        id: (TypeId, &'static str),
    ) -> Result<Place, ProbeError> {
        let mut state = self.0.borrow_mut();
        let def = state.begin(place, id, |state| Body::Newtype(state.place()))?;
        match state.bodies[def] {
            Body::Newtype(inner) => Ok(inner),
            _ => Err(state.opaque(place, Cause::Varies)),
        }
    }

    pub(super) fn tuple_struct(
        &self,
        place: Place,
        id: (TypeId, &'static str),
        len: usize,
    ) -> Result<Vec<Place>, ProbeError> {
        let mut state = self.0.borrow_mut();
        let def = state.begin(place, id, |state| Body::Tuple(state.places(len)))?;
        match &state.bodies[def] {
            Body::Tuple(places) if places.len() == len => Ok(places.clone()),
            _ => Err(state.opaque(place, Cause::Varies)),
        }
    }

    pub(super) fn record(
        &self,
        place: Place,
        id: (TypeId, &'static str),
        names: &'static [&'static str],
    ) -> Result<Def, ProbeError> {
        self.0.borrow_mut().begin(place, id, |state| state.fields(names))
    }

    /// The fields to feed: what is not known yet first, so that nothing hides it; what cannot be had not at all.
    pub(super) fn feed(&self, def: Def) -> Feed {
        let mut state = self.0.borrow_mut();
        let Body::Struct { fields, in_order } = state.bodies[def].clone() else {
            return Feed::ByName(Vec::new());
        };
        if in_order {
            return Feed::InOrder(fields.into_iter().map(|field| field.place).collect());
        }
        let left_out = state.left_out.filter(|(of, _)| *of == def).map(|(_, name)| name);
        let live = fields.into_iter().filter(|field| {
            !field.alias && !state.nodes[field.place].dead && left_out != Some(field.name)
        });
        let live: Vec<Field> = live.collect();
        let (done, open): (Vec<Field>, Vec<Field>) =
            live.into_iter().partition(|field| state.complete(field.place));
        let mut fields: Vec<Field> = open.into_iter().chain(done).collect();
        fields.sort_by_key(|field| !field.ahead);
        Feed::ByName(fields)
    }

    /// What the failure of a struct tells of its fields.
    pub(super) fn record_failed(
        &self,
        def: Def,
        last: &Cell<&'static str>,
        error: &mut ProbeError,
    ) {
        let mut state = self.0.borrow_mut();
        let state = &mut *state;
        let Body::Struct { fields, in_order } = &mut state.bodies[def] else { return };
        match &error.heard {
            Heard::Duplicate(first) if !error.noted => {
                let named = fields.iter_mut().find(|field| field.name == last.get());
                if let Some(field) = named {
                    // Fed first, its alias is what comes twice.
                    field.ahead |= last.get() == *first;
                    field.alias |= last.get() != *first;
                    error.noted = true;
                    state.changed = true;
                }
            }
            // It refused a map before it looked at a key.
            Heard::Refused if !error.noted && last.get().is_empty() && !fields.is_empty() => {
                *in_order = true;
                error.noted = true;
                state.changed = true;
            }
            Heard::Missing(name) if !error.noted => {
                let dead = |field: &&Field| field.name == *name && state.nodes[field.place].dead;
                if fields.iter().any(|field| dead(&field)) {
                    error.heard = Heard::Hopeless;
                }
            }
            _ => {}
        }
    }

    /// Whether this type is to be shown what it does not know, in this pass.
    pub(super) fn has_stranger(&self, def: Def) -> bool {
        self.0.borrow().left_out == Some((def, STRANGER))
    }

    /// The next field of which nobody knows yet whether it may be left out, or the next type of which nobody knows what it
    /// makes of a stranger; the passes from here on try.
    pub(super) fn leave_out_next(&self) -> bool {
        let mut state = self.0.borrow_mut();
        let open = state.bodies.iter().enumerate().find_map(|(def, body)| {
            let is_asked = state.strangers.contains_key(&def);
            let stranger = (!is_asked).then_some((def, STRANGER));
            match body {
                Body::Struct { fields, in_order: false } => {
                    let mut fields = fields.iter().filter(|field| !field.alias);
                    let open = fields.find(|field| field.optional.is_none());
                    open.map(|field| (def, field.name)).or(stranger)
                }
                Body::Enum(_) => stranger,
                _ => None,
            }
        });
        state.left_out = open;
        open.is_some()
    }

    pub(super) fn is_leaving_out(&self) -> bool {
        self.0.borrow().left_out.is_some()
    }

    /// A struct came out, or did not: whether that is because of the field that was left out.
    pub(super) fn left_out(&self, def: Def, was_read: bool) -> bool {
        let mut state = self.0.borrow_mut();
        let is_it = state.left_out.is_some_and(|(of, _)| of == def);
        if is_it {
            state.settle_left_out(was_read);
        }
        is_it
    }

    /// No pass came to the struct: such a field cannot be missing.
    pub(super) fn gave_up_leaving_out(&self) {
        self.0.borrow_mut().settle_left_out(false);
    }

    /// Begins an enum: the variant to build.
    pub(super) fn enumeration(
        &self,
        place: Place,
        id: (TypeId, &'static str),
        names: &'static [&'static str],
    ) -> Result<(Def, usize), ProbeError> {
        let mut state = self.0.borrow_mut();
        let def = state.begin(place, id, |state| {
            let variant = |name: &&'static str, state: &mut State| Variant {
                name,
                body: state.body(Body::Unknown),
                alias: false,
                dead: false,
                built: None,
                attempts: 0,
                selector: None,
            };
            Body::Enum(names.iter().map(|name| variant(name, state)).collect())
        })?;
        match state.pick(def) {
            Some(at) => Ok((def, at)),
            None => Err(ProbeError::new(Heard::Hopeless)),
        }
    }

    /// A variant was selected. Two names that select the same one are aliases.
    pub(super) fn selected(
        &self,
        (def, at): (Def, usize),
        selector: Option<u64>,
    ) -> Result<(), ProbeError> {
        let mut state = self.0.borrow_mut();
        let state = &mut *state;
        let Body::Enum(variants) = &mut state.bodies[def] else { return Ok(()) };
        variants[at].selector = selector;
        let alias =
            selector.is_some() && variants[..at].iter().any(|variant| variant.selector == selector);
        if !alias {
            return Ok(());
        }
        variants[at].alias = true;
        state.changed = true;
        Err(ProbeError::noted(Heard::Refused))
    }

    pub(super) fn built(&self, (def, at): (Def, usize)) {
        let mut state = self.0.borrow_mut();
        let state = &mut *state;
        let Body::Enum(variants) = &mut state.bodies[def] else { return };
        if variants[at].built.is_none() {
            let turn = variants.iter().filter(|variant| variant.built.is_some()).count();
            variants[at].built = Some(turn);
            state.changed = true;
        }
    }

    pub(super) fn unit_variant(&self, variant: (Def, usize)) {
        self.0.borrow_mut().variant_body(variant, |_| Body::Unit);
    }

    pub(super) fn newtype_variant(&self, variant: (Def, usize)) -> Result<Place, ProbeError> {
        let make = |state: &mut State| Body::Newtype(state.place());
        match self.0.borrow_mut().variant_body(variant, make).1 {
            Body::Newtype(place) => Ok(place),
            _ => Err(ProbeError::new(Heard::Hopeless)),
        }
    }

    pub(super) fn tuple_variant(
        &self,
        variant: (Def, usize),
        len: usize,
    ) -> Result<Vec<Place>, ProbeError> {
        let make = |state: &mut State| Body::Tuple(state.places(len));
        match self.0.borrow_mut().variant_body(variant, make).1 {
            Body::Tuple(places) => Ok(places),
            _ => Err(ProbeError::new(Heard::Hopeless)),
        }
    }

    pub(super) fn struct_variant(
        &self,
        variant: (Def, usize),
        names: &'static [&'static str],
    ) -> Def {
        self.0.borrow_mut().variant_body(variant, |state| state.fields(names)).0
    }
}
