//! The numbers that a relay's decisions are made of: a generator that a seed makes repeat itself.

use sinew_core::rng::Rng;

/// SplitMix64 (Steele, Lea and Flood, 2014): one word of state, every seed is a good one.
#[derive(Debug, Clone)]
pub struct Seeded(u64);

impl Seeded {
    /// The generator of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl Rng for Seeded {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_reference() {
        let mut seeded = Seeded::new(1_234_567);
        let numbers = [0; 3].map(|_: u64| seeded.next_u64());
        let reference =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(numbers, reference);
    }
}
