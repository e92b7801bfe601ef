//! What is to happen later, the earliest first, and first come first where two are due at once.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

/// A queue of values, each with its time and its weight.
#[derive(Debug)]
pub(super) struct Timers<T> {
    heap: BinaryHeap<Reverse<Entry<T>>>,
    next: u64,
    weight: usize,
    most: usize,
    heaviest: usize,
}

#[derive(Debug)]
struct Entry<T> {
    key: (Duration, u64),
    weight: usize,
    value: T,
}

impl<T> Timers<T> {
    /// An empty queue of at most so many values that weigh at most this together.
    pub(super) fn new(most: usize, heaviest: usize) -> Self {
        Self { heap: BinaryHeap::new(), next: 0, weight: 0, most, heaviest }
    }

    /// Puts a value in. Whether there was room.
    pub(super) fn push(&mut self, at: Duration, weight: usize, value: T) -> bool {
        if self.heap.len() >= self.most || self.weight + weight > self.heaviest {
            return false;
        }
        self.heap.push(Reverse(Entry { key: (at, self.next), weight, value }));
        self.next += 1;
        self.weight += weight;
        true
    }

    /// When the first is due.
    pub(super) fn first(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse(entry)| entry.key.0)
    }

    /// Takes out the first, if it is due.
    pub(super) fn pop(&mut self, now: Duration) -> Option<T> {
        self.first().filter(|at| *at <= now)?;
        let Reverse(entry) = self.heap.pop()?;
        self.weight -= entry.weight;
        Some(entry.value)
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::ms;

    #[test]
    fn the_earliest_comes_first_and_of_two_the_one_that_came_first() {
        let mut timers = Timers::new(10, 10);
        for (at, value) in [(5, 'c'), (1, 'a'), (5, 'd'), (3, 'b')] {
            assert!(timers.push(ms(at), 1, value));
        }
        assert_eq!(timers.first(), Some(ms(1)));
        let mut due = |now| std::iter::from_fn(|| timers.pop(ms(now))).collect::<String>();
        assert_eq!([due(0), due(4), due(4), due(5)], ["", "ab", "", "cd"]);
        assert_eq!(timers.first(), None);
    }

    #[test]
    fn no_more_is_held_than_may_be_in_number_and_in_weight() {
        let mut timers = Timers::new(2, 100);
        assert!(!timers.push(ms(1), 101, ()));
        assert!(timers.push(ms(1), 60, ()));
        assert!(!timers.push(ms(1), 41, ()));
        assert!(timers.push(ms(1), 0, ()));
        assert!(!timers.push(ms(1), 0, ()), "a third");
        assert_eq!(timers.pop(ms(1)), Some(()));
        assert!(timers.push(ms(1), 100, ()), "room again");
    }
}
