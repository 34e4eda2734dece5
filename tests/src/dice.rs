//! Chance from a seed.

/// splitmix64.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below.max(1)
    }

    pub(crate) fn one_in(&mut self, many: u64) -> bool {
        self.roll(many) == 0
    }

    pub(crate) fn below(&mut self, length: usize) -> usize {
        usize::try_from(self.roll(u64::try_from(length).unwrap_or(1))).unwrap_or(0)
    }

    pub(crate) fn choice<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        let at = self.below(from.len());
        from.get(at).cloned()
    }

    /// A quantity below so much.
    pub(crate) fn quantity(&mut self, below: u64) -> String {
        format!("0x{:x}", self.roll(below))
    }

    /// Bytes as hex.
    pub(crate) fn bytes(&mut self, length: usize) -> String {
        (0..length).fold("0x".to_owned(), |text, _| text + &format!("{:02x}", self.roll(256)))
    }
}
