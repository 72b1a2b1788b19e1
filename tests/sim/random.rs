//! Random numbers that can be had again: one seed, one sequence, on every machine.
//!
//! SplitMix64 (Steele, Lea, Flood 2014): a counter and a mixer. Every part of the world forks its own
//! generator by name, so that adding a draw in one place does not change what another place draws.

/// A seeded generator.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// A generator whose whole sequence follows from `seed`.
    pub fn new(seed: u64) -> Random {
        Random { state: seed }
    }

    /// An independent generator for the part of the world called `name`.
    pub fn fork(&self, name: &str) -> Random {
        // FNV-1a: the names are few and short, they only have to differ.
        let hash =
            name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ b as u64).wrapping_mul(0x100_0000_01b3));
        let mut fork = Random::new(self.state ^ hash);
        fork.next();
        fork
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in 0 (included) to 1 (excluded).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in 0 (included) to `end` (excluded); 0 where `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.next() % end }
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// `length` letters and digits, as in the server's SIDs.
    pub fn letters(&mut self, length: usize) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
        (0..length).map(|_| ALPHABET[self.below(ALPHABET.len() as u64) as usize] as char).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence_and_forks_differ() {
        let (mut a, mut b) = (Random::new(7), Random::new(7));
        assert!((0..100).all(|_| a.next() == b.next()));
        assert_ne!(Random::new(7).fork("up").next(), Random::new(7).fork("down").next());
    }

    #[test]
    fn chance_keeps_its_probability() {
        let mut random = Random::new(1);
        let hits = (0..100_000).filter(|_| random.chance(0.1)).count();
        assert!((9_700..10_300).contains(&hits), "{hits}");
    }
}
