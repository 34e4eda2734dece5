//! Random choices that a seed repeats.

use fastrand::Rng;

/// A generator with the choices that requests are made of; none fails on an empty range.
#[derive(Debug)]
pub(crate) struct Dice(Rng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    pub(crate) fn roll(&mut self, below: u64) -> u64 {
        self.0.u64(..below.max(1))
    }

    pub(crate) fn one_in(&mut self, many: u64) -> bool {
        self.roll(many) == 0
    }

    pub(crate) fn below(&mut self, length: usize) -> usize {
        self.0.usize(..length.max(1))
    }

    pub(crate) fn choice<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        self.0.choice(from).cloned()
    }

    /// A JSON-RPC quantity.
    pub(crate) fn quantity(&mut self, below: u64) -> String {
        format!("0x{:x}", self.roll(below))
    }

    /// Bytes as hex.
    pub(crate) fn bytes(&mut self, length: usize) -> String {
        (0..length).fold("0x".to_owned(), |text, _| text + &format!("{:02x}", self.0.u8(..)))
    }
}
