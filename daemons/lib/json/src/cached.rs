//! Text that a cache keeps for many answers, and its compressed form once a client has asked for that.
//!
//! # Why
//! To compress a block takes many times what the rest of its answer takes. A gzip stream may be put together from pieces
//! that end with a whole byte, so that one piece serves every answer that the text is in, whatever stands around it.

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use std::io::Write as _;
use std::sync::OnceLock;

/// Random digits, of which answers have many, shrink to 0.54 with it, as with all above it, and to 0.86 with the one below,
/// which takes as long.
const LEVEL: Compression = Compression::new(2);

/// Text that a cache keeps.
#[derive(Debug)]
pub struct Cached {
    text: Box<str>,
    deflated: OnceLock<Deflated>,
}

impl Cached {
    /// Text without a compressed form yet.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), deflated: OnceLock::new() }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Compressed form, made when it is asked for first. That takes up to 30 ms for each megabyte of text.
    #[must_use]
    pub fn deflated(&self) -> &Deflated {
        self.deflated.get_or_init(|| Deflated::of(&self.text))
    }

    /// True when the compressed form has been made.
    #[must_use]
    pub fn is_deflated(&self) -> bool {
        self.deflated.get().is_some()
    }

    /// Bytes that it may come to hold: hexadecimal digits do not shrink by less than a third.
    #[must_use]
    pub fn most_bytes(&self) -> usize {
        self.text.len().saturating_add(self.text.len() / 3 * 2)
    }
}

impl PartialEq for Cached {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Cached {}

/// Piece of a deflate stream that refers to nothing before it and ends with a whole byte, and the checksum of its text.
#[derive(Debug)]
pub struct Deflated {
    bytes: Vec<u8>,
    crc: Crc,
}

impl Deflated {
    /// Compresses a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut crc = Crc::new();
        crc.update(text.as_bytes());
        let mut encoder = DeflateEncoder::new(Vec::with_capacity(text.len() / 2), LEVEL);
        // Writing to a Vec cannot fail. The flush ends the piece with a whole byte.
        let _ = encoder.write_all(text.as_bytes()).and_then(|()| encoder.flush());
        let mut bytes = std::mem::take(encoder.get_mut());
        bytes.shrink_to_fit();
        Self { bytes, crc }
    }

    /// Bytes of the piece.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Checksum of the text.
    #[must_use]
    pub const fn crc(&self) -> &Crc {
        &self.crc
    }
}
