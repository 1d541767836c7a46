//! Repeatable chance: the same seed gives every server the same clients and the same events.

/// A generator of the `SplitMix64` kind.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// Thrown the same way for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// In [0, 1).
    pub fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// How much products are looked at and changed: the second half as much as the first, the third a third of it (Zipf).
#[derive(Debug)]
pub struct Zipf {
    up_to: Vec<f64>,
}

impl Zipf {
    /// Over `count` products.
    pub fn new(count: usize) -> Self {
        let mut sum = 0.0;
        let up_to = (1..=count).map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        });
        Self { up_to: up_to.collect() }
    }

    /// One product.
    pub fn throw(&self, dice: &mut Dice) -> usize {
        let at = dice.share() * self.up_to.last().copied().unwrap_or_default();
        self.up_to.partition_point(|up_to| *up_to <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_product_is_thrown_twice_as_often_as_the_second() {
        let (zipf, mut dice) = (Zipf::new(500), Dice::new(1));
        let mut counts = vec![0_u32; 500];
        (0..100_000).for_each(|_| counts[zipf.throw(&mut dice)] += 1);
        let ratio = f64::from(counts[0]) / f64::from(counts[1]);
        assert!((1.9..2.1).contains(&ratio), "{ratio}");
    }
}
