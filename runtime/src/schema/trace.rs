//! Passes through a type until nothing new is heard, and a few more to try what was learnt.

use std::{
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
};

use serde::de::DeserializeOwned;
use sinew_core::limits;

use super::{
    learnt::Learnt,
    obstacle::{Cause, Obstacle},
    probe::Probe,
    state::{Body, Def, Kind, Place, State},
};

/// Passes that teach nothing before it is given up.
const IDLE_MAX: usize = 8;
/// Passes with other values once all is known. More where an enum has more variants to try.
const ROUNDS: usize = 4;
const ROUNDS_MAX: usize = 300;
/// Passes in which a field is left out, until one comes to its struct.
const LEAVE_OUT_ROUNDS: usize = 12;

/// What was learnt of one type.
#[derive(Debug)]
pub(super) struct Traced {
    pub(super) state: State,
    pub(super) root: Place,
    /// All was learnt, and at least one value was made.
    sound: bool,
    exhausted: bool,
}

/// Learns `T`; `each` sees every value that could be made.
pub(super) fn trace<T: DeserializeOwned>(mut each: impl FnMut(&T)) -> Traced {
    let learnt = Learnt::default();
    let root = learnt.root();
    let mut progress = Progress::default();
    learn(&learnt, root, &mut progress, &mut each);
    traced(learnt, root, &progress)
}

/// Learns `T`, and which fields a value may be without: a pass more for each field at least, so not for every call.
pub(super) fn trace_closely<T: DeserializeOwned>() -> Traced {
    let learnt = Learnt::default();
    let root = learnt.root();
    let mut progress = Progress::default();
    learn(&learnt, root, &mut progress, &mut |_: &T| {});
    let mut passes = 0;
    while passes < limits::PROBE_PASSES_MAX && learnt.leave_out_next() {
        for round in 1..=LEAVE_OUT_ROUNDS {
            passes += 1;
            learnt.begin_pass(round);
            pass(&learnt, root, &mut |_: &T| {});
            if !learnt.is_leaving_out() {
                break;
            }
        }
        learnt.gave_up_leaving_out();
    }
    traced(learnt, root, &progress)
}

fn learn<T: DeserializeOwned>(
    learnt: &Learnt,
    root: Place,
    progress: &mut Progress,
    each: &mut dyn FnMut(&T),
) {
    while let Some(round) = progress.next(learnt, root) {
        learnt.begin_pass(round);
        progress.made += usize::from(pass(learnt, root, each));
    }
}

/// One pass; whether a value came of it.
fn pass<T: DeserializeOwned>(learnt: &Learnt, root: Place, each: &mut dyn FnMut(&T)) -> bool {
    // A type that panics at an odd value refuses it.
    let read = || Probe::read(learnt, root, 0, PhantomData::<T>);
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => {
            each(&value);
            return true;
        }
        Ok(Err(_)) => {}
        Err(_) => learnt.panicked(),
    }
    false
}

fn traced(learnt: Learnt, root: Place, progress: &Progress) -> Traced {
    Traced {
        root,
        sound: learnt.is_complete(root) && progress.made > 0,
        exhausted: learnt.is_exhausted() || progress.passes >= limits::PROBE_PASSES_MAX,
        state: learnt.into_state(),
    }
}

#[derive(Default)]
struct Progress {
    passes: usize,
    idle: usize,
    /// Rounds after all was known.
    round: usize,
    rounds: usize,
    made: usize,
}

impl Progress {
    /// Which pass comes next: 0 learns, others try. `None` at the end.
    fn next(&mut self, learnt: &Learnt, root: Place) -> Option<usize> {
        if self.passes == 0 {
            self.passes = 1;
            return Some(0);
        }
        self.passes += 1;
        if self.passes >= limits::PROBE_PASSES_MAX || learnt.is_exhausted() || learnt.is_dead(root)
        {
            return None;
        }
        if learnt.is_complete(root) {
            if self.made == 0 && learnt.has_changed() && self.round == 0 {
                return Some(0);
            }
            if self.round == 0 {
                self.rounds = learnt.rounds(ROUNDS).min(ROUNDS_MAX);
            }
            self.round += 1;
            return (self.round <= self.rounds).then_some(self.round);
        }
        self.idle = if learnt.has_changed() { 0 } else { self.idle + 1 };
        (self.idle <= IDLE_MAX).then_some(0)
    }
}

impl Traced {
    /// What keeps the type from being known, with the way to it.
    pub(super) fn obstacle(
        &self,
        name: &'static str,
        names: Option<&'static [&'static str]>,
    ) -> Option<Obstacle> {
        let found = self.find(names, |state, place| match &state.nodes[place].kind {
            Kind::Opaque(cause) => Some(cause.clone()),
            _ => None,
        });
        let found = found.or_else(|| {
            self.find(names, |state, place| {
                state.nodes[place].dead.then_some(Cause::NothingAccepted)
            })
        });
        match found {
            Some((path, cause)) => Some(Obstacle::new(name, path, cause)),
            None if self.exhausted => Some(Obstacle::new(name, String::new(), Cause::Effort)),
            None if self.sound => None,
            None => Some(Obstacle::new(name, String::new(), Cause::NothingAccepted)),
        }
    }

    /// An option whose value may look like none.
    pub(super) fn nested_option(
        &self,
        name: &'static str,
        names: Option<&'static [&'static str]>,
    ) -> Option<Obstacle> {
        let (path, cause) = self.find(names, |state, place| match state.nodes[place].kind {
            Kind::Option(inner) => is_nil(state, inner).then_some(Cause::NestedOption),
            _ => None,
        })?;
        Some(Obstacle::new(name, path, cause))
    }

    /// The first place of which `what` says something, and the way to it.
    fn find(
        &self,
        names: Option<&[&str]>,
        what: impl Fn(&State, Place) -> Option<Cause>,
    ) -> Option<(String, Cause)> {
        let mut search = Search { state: &self.state, what, seen: Vec::new() };
        if let (Some(names), Kind::Tuple(places)) = (names, &self.state.nodes[self.root].kind) {
            let mut arguments = names.iter().zip(places);
            return arguments.find_map(|(name, place)| search.place(*place, name));
        }
        search.place(self.root, "")
    }
}

/// Whether MessagePack writes some value of it as it writes none.
fn is_nil(state: &State, place: Place) -> bool {
    match &state.nodes[place].kind {
        Kind::Option(_) | Kind::Leaf("nothing") => true,
        Kind::Named(def) => match state.bodies[*def] {
            Body::Newtype(inner) => is_nil(state, inner),
            _ => false,
        },
        _ => false,
    }
}

struct Search<'s, F> {
    state: &'s State,
    what: F,
    /// Places that were looked at: a type may contain itself.
    seen: Vec<Place>,
}

impl<F: Fn(&State, Place) -> Option<Cause>> Search<'_, F> {
    fn place(&mut self, place: Place, path: &str) -> Option<(String, Cause)> {
        if self.seen.contains(&place) {
            return None;
        }
        self.seen.push(place);
        if let Some(cause) = (self.what)(self.state, place) {
            return Some((path.to_owned(), cause));
        }
        match &self.state.nodes[place].kind {
            Kind::Unknown | Kind::Leaf(_) | Kind::Opaque(_) => None,
            Kind::Option(inner) => self.place(*inner, path),
            Kind::Seq(item) => self.place(*item, &format!("{path}[]")),
            Kind::Map(key, value) => self
                .place(*key, &format!("{path}[key]"))
                .or_else(|| self.place(*value, &format!("{path}[]"))),
            Kind::Tuple(places) => self.tuple(places, path),
            Kind::Named(def) => self.body(*def, path),
        }
    }

    fn tuple(&mut self, places: &[Place], path: &str) -> Option<(String, Cause)> {
        let mut places = places.iter().enumerate();
        places.find_map(|(at, place)| self.place(*place, &under(path, &at.to_string())))
    }

    fn body(&mut self, def: Def, path: &str) -> Option<(String, Cause)> {
        let state = self.state;
        match &state.bodies[def] {
            Body::Unknown | Body::Unit => None,
            Body::Newtype(inner) => self.place(*inner, path),
            Body::Tuple(places) => self.tuple(places, path),
            Body::Struct { fields, .. } => {
                let mut fields = fields.iter().filter(|field| !field.alias);
                fields.find_map(|field| self.place(field.place, &under(path, field.name)))
            }
            Body::Enum(variants) => {
                let mut variants = variants.iter().filter(|variant| !variant.alias);
                variants.find_map(|variant| {
                    let path = under(path, variant.name);
                    let below = self.body(variant.body, &path);
                    below.or_else(|| variant.dead.then_some((path, Cause::NothingAccepted)))
                })
            }
        }
    }
}

fn under(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
