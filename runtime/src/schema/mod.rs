//! What serde's derives tell of a type: its structure as a fingerprint, and whether bincode may carry it.
//!
//! # Why
//! bincode writes no names, so both ends must have the same structure, and must read what they write: serde has
//! attributes under which they do not. A user derives serde's traits and nothing of ours. So a type is asked, once per
//! process: it is deserialized from a probe that answers each question with a made-up value and notes what was asked
//! ([`probe`], [`state`]), until nothing new is heard ([`trace`]); then what was made up must survive each codec
//! ([`trial`]).
//!
//! # Why not serde-reflection
//! It overflows the stack on an enum whose first variant is recursive, takes two types of one name for one, gives up on
//! types that validate, and calls sound five uses of attributes that bincode corrupts.
//!
//! # Not here
//! Meaning: seconds and milliseconds in the same `u64` have one structure.

mod describe;
mod learnt;
mod made_up;
mod obstacle;
mod probe;
mod state;
mod trace;
mod trial;

use std::{
    any::{TypeId, type_name},
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Serialize, de::DeserializeOwned};
use sinew_core::ids::Fingerprint;
use sinew_descriptor::{Argument, Type, canonical};

pub(crate) use describe::{Collector, Described};
pub(crate) use obstacle::Obstacle;
use trial::Trial;

/// What is known of one type.
#[derive(Debug)]
pub(crate) struct TypeFacts {
    /// As the compiler names it.
    pub(crate) name: &'static str,
    /// The structure, names and order of fields and variants included. Means nothing where bincode must not carry it.
    canonical: Box<[u8]>,
    /// Whether bincode may carry it between equal types.
    bincode: Result<(), Obstacle>,
    /// Whether MessagePack with named fields can.
    named: Result<(), Obstacle>,
}

/// What is known of `T`; learnt when it is asked for first.
pub(crate) fn facts<T: Serialize + DeserializeOwned + 'static>() -> Arc<TypeFacts> {
    static KNOWN: Mutex<Option<HashMap<TypeId, Arc<TypeFacts>>>> = Mutex::new(None);
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let id = TypeId::of::<T>();
    if let Some(facts) = known().get_or_insert_default().get(&id) {
        return Arc::clone(facts);
    }
    // Without the lock: it runs the user's code. Twice does no harm.
    let facts = Arc::new(learn::<T>(None));
    Arc::clone(known().get_or_insert_default().entry(id).or_insert(facts))
}

/// What is known of a tuple of arguments that have these names.
pub(crate) fn argument_facts<A: Serialize + DeserializeOwned + 'static>(
    names: &'static [&'static str],
) -> Arc<TypeFacts> {
    Arc::new(learn::<A>(Some(names)))
}

fn learn<T: Serialize + DeserializeOwned + 'static>(
    names: Option<&'static [&'static str]>,
) -> TypeFacts {
    let mut trial = Trial::new(names);
    let traced = trace::trace::<T>(|value| trial.run(value));
    conclude(type_name::<T>(), &traced, trial, names)
}

fn conclude(
    name: &'static str,
    traced: &trace::Traced,
    trial: Trial,
    names: Option<&'static [&'static str]>,
) -> TypeFacts {
    let written = structure(traced, names);
    let unknown = traced.obstacle(name, names);
    let (canonical, blown) = match written {
        Ok(canonical) => (canonical, None),
        Err(canonical::TooLarge) => (Vec::new(), Some(Obstacle::too_large(name))),
    };
    let bincode = unknown.or(blown).or(trial.bincode.map(|why| Obstacle::round_trip(name, &why)));
    let nested = traced.nested_option(name, names);
    let named = nested.or(trial.named.map(|why| Obstacle::round_trip(name, &why)));
    TypeFacts {
        name,
        canonical: canonical.into(),
        bincode: bincode.map_or(Ok(()), Err),
        named: named.map_or(Ok(()), Err),
    }
}

/// The structure of what was traced; a tuple with these names is a struct.
fn structure(
    traced: &trace::Traced,
    names: Option<&'static [&'static str]>,
) -> Result<Vec<u8>, canonical::TooLarge> {
    let mut collector = Collector::default();
    match names {
        None => canonical::of(&collector.whole(traced), collector.types()),
        Some(names) => {
            let arguments = collector.arguments(traced, names);
            let arguments = arguments.iter().map(|argument| (&*argument.name, &argument.ty));
            canonical::of_arguments(arguments, collector.types())
        }
    }
}

/// A type as data; its named types go to the collector.
pub(crate) fn describe<T: DeserializeOwned + 'static>(collector: &mut Collector) -> Type {
    collector.whole(&trace::trace_closely::<T>())
}

/// The same for a tuple of arguments that have these names.
pub(crate) fn describe_arguments<A: DeserializeOwned + 'static>(
    collector: &mut Collector,
    names: &'static [&'static str],
) -> Vec<Argument> {
    collector.arguments(&trace::trace_closely::<A>(), names)
}

/// Everything that crosses the wire for one method.
pub(crate) struct MethodTypes<'a> {
    /// Which sides stream.
    pub(crate) shape: u8,
    pub(crate) arguments: &'a TypeFacts,
    pub(crate) input: Option<&'a TypeFacts>,
    pub(crate) value: &'a TypeFacts,
    pub(crate) error: Option<&'a TypeFacts>,
}

impl<'a> MethodTypes<'a> {
    /// One number over all of it; `None` where bincode must not carry one part.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        let parts = self.parts().map(|(_, facts)| facts);
        if parts.iter().flatten().any(|facts| facts.bincode.is_err()) {
            return None;
        }
        let structures = parts.map(|facts| facts.map(|facts| &*facts.canonical));
        Some(canonical::hash(self.shape, structures))
    }

    /// Why bincode must not carry it, part by part.
    pub(crate) fn obstacles(&self) -> impl Iterator<Item = (&'static str, &'a Obstacle)> {
        let known = self.parts().into_iter().filter_map(|(part, facts)| Some((part, facts?)));
        known.filter_map(|(part, facts)| Some((part, facts.bincode.as_ref().err()?)))
    }

    /// Why MessagePack cannot carry it, part by part.
    pub(crate) fn named_obstacles(&self) -> impl Iterator<Item = (&'static str, &'a Obstacle)> {
        let known = self.parts().into_iter().filter_map(|(part, facts)| Some((part, facts?)));
        known.filter_map(|(part, facts)| Some((part, facts.named.as_ref().err()?)))
    }

    fn parts(&self) -> [(&'static str, Option<&'a TypeFacts>); 4] {
        [
            ("the arguments", Some(self.arguments)),
            ("the input items", self.input),
            ("the result", Some(self.value)),
            ("the error", self.error),
        ]
    }
}

#[cfg(test)]
mod tests;
