//! What endpoints shed at present, as they have said: calls that they would refuse are not sent.
//!
//! # Why
//! A refusal costs both ends a message, and the caller its time. A server says with every answer which calls it sheds, so
//! the next one that it would refuse goes to an endpoint that takes it, or is refused here (Zhou et al., "Overload control
//! for scaling WeChat microservices", SoCC 2018: "collaborative admission control").
//!
//! What is known is believed for a quarter of a second. A client of which every call is shed hears nothing more, and finds out.

use std::{
    sync::atomic::{
        AtomicBool, AtomicU32, AtomicU64,
        Ordering::{Relaxed, Release},
    },
    time::Instant,
};

use super::{ClientPlan, Member, Turn, heard::Heard};
use crate::{
    codes::Criticality,
    limits::CUT_BELIEVED,
    policy::cut::{LEVELS, admitted_by, level},
    wire::answer::AdmissionCut,
};

/// What the endpoints of a plan have to tell it.
#[derive(Debug)]
pub(super) struct News {
    /// What it has worked out of them is out of date.
    pub(super) stale: AtomicBool,
    /// The millisecond until which one of them sheds something, plus one; zero where none did yet.
    cut_ms: AtomicU32,
    /// They are so many that a pick looks at some.
    pub(super) many: AtomicBool,
    /// There is one.
    pub(super) alone: AtomicBool,
    /// Which of them were heard last, thread by thread, while they are many.
    heard: Box<[Heard]>,
}

impl News {
    /// Of a plan with so many stripes, where nothing was heard.
    pub(super) fn new(stripes: usize) -> Self {
        let heard = (0..stripes.max(1)).map(|_| Heard::default()).collect();
        let new = || AtomicBool::new(false);
        Self { stale: new(), cut_ms: AtomicU32::new(0), many: new(), alone: new(), heard }
    }

    /// What a thread's answers have said.
    pub(super) fn heard(&self, stripe: usize) -> &Heard {
        &self.heard[stripe % self.heard.len()]
    }

    pub(super) fn is_stale(&self) {
        self.stale.store(true, Release);
    }
}

/// What one endpoint sheds: until which millisecond, in the upper half, and how many levels it admits.
#[derive(Debug, Default)]
pub(super) struct Known(AtomicU64);

impl Known {
    fn admits(&self, now_ms: u32) -> u16 {
        let known = self.0.load(Relaxed);
        let left = ((known >> 32) as u32).wrapping_sub(now_ms);
        let holds = known != 0 && left <= CUT_BELIEVED.as_millis() as u32;
        if holds { known as u16 } else { LEVELS as u16 }
    }
}

impl Member {
    /// What the server says that it sheds.
    pub fn note_cut(&self, cut: Option<AdmissionCut>, now: Instant) {
        let known = &self.cut.0;
        let Some(cut) = cut else {
            if known.load(Relaxed) != 0 {
                known.store(0, Relaxed);
            }
            return;
        };
        let until = self.ms(now).wrapping_add(CUT_BELIEVED.as_millis() as u32);
        known.store(u64::from(until) << 32 | u64::from(admitted_by(cut)), Relaxed);
        self.news.cut_ms.store(until.wrapping_add(1).max(1), Relaxed);
    }

    /// Whether it would refuse a call of this level.
    pub(super) fn sheds(&self, level: u16, now_ms: u32) -> bool {
        level >= self.cut.admits(now_ms)
    }
}

impl ClientPlan {
    /// Whether any endpoint sheds anything.
    pub(super) fn is_cut(&self, now_ms: u32) -> bool {
        let until = self.news.cut_ms.load(Relaxed);
        until != 0 && until.wrapping_sub(now_ms) <= CUT_BELIEVED.as_millis() as u32 + 1
    }
}

impl Turn {
    /// How critical the call is, and whom it is for, where that is known: one of which it is not is shed with the whole of
    /// its class.
    #[must_use]
    pub const fn with_class(mut self, class: Criticality, key: Option<u16>) -> Self {
        self.class = class;
        self.level = match key {
            Some(key) => level(class, key),
            None => level(class, 0),
        };
        self
    }

    /// How critical it is.
    pub const fn class(&self) -> Criticality {
        self.class
    }
}
