//! Values that nothing prints: what orders say is their submitters' alone.
//!
//! # Why a type
//! One `{:?}` in a log line, one error that quotes its input, and a competitor who reads logs trades on it. A reviewer may
//! overlook that; the compiler does not: there is no `Display`, no serialisation, and `Debug` says only that something is
//! there. Who needs the value writes `reveal`, which can be searched for.

use std::fmt;

/// Value that is neither displayed nor serialised.
///
/// ```compile_fail
/// println!("{}", maidenlane_relay::redacted::Redacted::new("to be kept private"));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Redacted<T>(T);

impl<T> Redacted<T> {
    /// Hides a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for whoever may see it.
    pub const fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::Redacted;

    #[test]
    fn debug_output_says_nothing() {
        let order = Some(Redacted::new(vec![0xc0_u8, 0xff, 0xee]));
        assert_eq!(format!("{order:?}"), "Some((redacted))");
        assert_eq!(order.as_ref().map(|order| order.reveal().len()), Some(3));
    }
}
