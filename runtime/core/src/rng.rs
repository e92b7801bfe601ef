//! Chance as an argument.
//!
//! # Why
//! Jitter, random picks and sampling must repeat under a seed, so nothing here draws its own
//! numbers. The shell passes its generator; a test passes a counter.

/// A source of random numbers. It need not be cryptographic: nothing secret is made of it.
pub trait Rng {
    /// The next 64 uniformly distributed bits.
    fn next_u64(&mut self) -> u64;
}

impl<R: Rng + ?Sized> Rng for &mut R {
    #[inline]
    fn next_u64(&mut self) -> u64 {
        (**self).next_u64()
    }
}

/// A generator with a seed: SplitMix64 (Steele, Lea, Flood 2014). For simulations and tests; anyone can foretell it.
#[derive(Clone, Debug)]
pub struct SplitMix(u64);

impl SplitMix {
    /// The sequence of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl Rng for SplitMix {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A uniform number in `0.0 .. 1.0`, never `1.0` itself.
#[inline]
pub fn unit_f64(rng: &mut (impl Rng + ?Sized)) -> f64 {
    // 53 bits are what an f64 holds exactly, so every value is equally likely and 1.0 is out of
    // reach.
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// A uniform number in `0 .. bound`; zero where `bound` is zero.
///
/// By Lemire's multiplication without the rejection step: the bias is below `bound / 2^64`.
#[inline]
pub fn below(rng: &mut (impl Rng + ?Sized), bound: u64) -> u64 {
    let wide = u128::from(rng.next_u64()) * u128::from(bound);
    (wide >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u64);
    impl Rng for Fixed {
        fn next_u64(&mut self) -> u64 {
            self.0
        }
    }

    #[test]
    fn unit_stays_below_one_at_both_ends() {
        assert_eq!(unit_f64(&mut Fixed(0)), 0.0);
        let top = unit_f64(&mut Fixed(u64::MAX));
        assert!(top < 1.0 && top > 0.999_999, "{top}");
    }

    #[test]
    fn below_covers_the_range_and_no_more() {
        assert_eq!(below(&mut Fixed(u64::MAX), 10), 9);
        assert_eq!(below(&mut Fixed(0), 10), 0);
        assert_eq!(below(&mut Fixed(u64::MAX), 0), 0);
    }
}
