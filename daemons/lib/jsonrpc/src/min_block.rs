//! Minimum block: the oldest block from which a client accepts an answer, and the headers that carry it.

use crate::error::Error;

/// Request header with the minimum block.
pub(crate) const MIN_BLOCK: &str = "x-maidenlane-min-block";
/// Answer header with the number of the block that answered.
pub(crate) const BLOCK: &str = "x-maidenlane-block";
/// Answer header with the hash of that block.
pub(crate) const BLOCK_HASH: &str = "x-maidenlane-block-hash";

/// Minimum block of `X-Maidenlane-Min-Block: N[,hash]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinBlock {
    /// Lowest number accepted.
    pub number: u64,
    /// Hash that must be canonical at that number.
    pub hash: Option<[u8; 32]>,
}

impl MinBlock {
    /// Parses the header's value: a decimal or `0x` number, optionally with `,0x` and 64 digits.
    pub fn parse(value: &str) -> Result<Self, Error> {
        let bad = || {
            Error::params("invalid X-Maidenlane-Min-Block: want a number, optionally ',' and a block hash")
        };
        let (number, hash) = match value.split_once(',') {
            Some((number, hash)) => (number.trim(), Some(hash.trim())),
            None => (value.trim(), None),
        };
        let number = match number.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => number.parse(),
        };
        let hash = match hash {
            Some(text) => Some(parse_hash(text).ok_or_else(bad)?),
            None => None,
        };
        Ok(Self { number: number.map_err(|_| bad())?, hash })
    }
}

fn parse_hash(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 64 && digits.is_ascii())?;
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::MinBlock;

    #[test]
    fn min_block_header() {
        let hash = format!("0x{}", "ab".repeat(32));
        assert_eq!(MinBlock::parse("17"), Ok(MinBlock { number: 17, hash: None }));
        assert_eq!(MinBlock::parse("0x11"), Ok(MinBlock { number: 17, hash: None }));
        assert_eq!(
            MinBlock::parse(&format!("17, {hash}")),
            Ok(MinBlock { number: 17, hash: Some([0xab; 32]) })
        );
        for bad in ["", "x", "-1", "17,", "17,0x12", &format!("17,{hash}00"), "17,é"] {
            assert!(MinBlock::parse(bad).is_err(), "{bad}");
        }
    }
}
