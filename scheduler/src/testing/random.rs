//! The generator that orders a simulation: `SplitMix64`, for any seed is as good as any other.

#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0. Multiply-shift: uneven by less than one part in 2^32 for any list of
    /// tasks that fits into memory.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_below_the_bound_comes_and_seeds_differ() {
        let draw = |seed| {
            let mut random = Random::new(seed);
            (0..64).map(|_| random.below(5)).collect::<Vec<_>>()
        };
        assert!((0..5).all(|n| draw(0).contains(&n)) && draw(0).iter().all(|&n| n < 5));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
