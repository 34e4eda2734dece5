//! Avro primitives, the few that the fixed schemas need.
//!
//! # Why by hand
//! Decoding borrows nothing and allocates only what the input backs with bytes: a length is checked against what is
//! left before anything is reserved. The general-purpose libraries do neither. A test holds both directions to one.

use maidenlane_chain::{Address, B256, Bytes};

/// Error of bytes that are no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "fields are named in the texts")]
pub enum DecodeError {
    /// Fewer bytes than the schema needs.
    #[error("record ends early: {what} needs {needed} bytes, {left} are left")]
    Short { what: &'static str, needed: u64, left: usize },
    /// A value that the schema or its meaning forbids.
    #[error("record holds an invalid {what}")]
    Invalid { what: &'static str },
    /// The bytes do not begin with `C3 01`.
    #[error("not a record: the Avro single-object marker c301 is missing")]
    NoMarker,
    /// No schema of this build has this fingerprint.
    #[error(
        "record of unknown schema {fingerprint:016x}; it was written by a newer version, upgrade this one"
    )]
    UnknownSchema {
        /// CRC-64-AVRO of the writer's schema.
        fingerprint: u64,
    },
    /// Bytes after the record's end.
    #[error("{left} bytes follow the record")]
    Trailing { left: usize },
    /// A set of parts that does not make a record.
    #[error("parts do not make a record: {what}")]
    Parts { what: &'static str },
}

/// Writer of Avro values.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    /// Begins an entry of about so many bytes: marker and fingerprint of its schema.
    pub(crate) fn entry(fingerprint: u64, bytes: usize) -> Self {
        let mut out = Self(Vec::with_capacity(bytes));
        out.fixed(&[0xc3, 0x01]);
        out.fixed(&fingerprint.to_le_bytes());
        out
    }

    pub(crate) fn long(&mut self, value: u64) {
        // Zigzag of a number that is never negative. Above i64::MAX nothing in a chain counts.
        let mut rest = value.min(i64::MAX.unsigned_abs()) << 1;
        while rest >= 0x80 {
            self.0.push(rest.to_le_bytes()[0] | 0x80);
            rest >>= 7;
        }
        self.0.push(rest.to_le_bytes()[0]);
    }

    pub(crate) fn boolean(&mut self, value: bool) {
        self.0.push(u8::from(value));
    }

    pub(crate) fn fixed(&mut self, value: &[u8]) {
        self.0.extend_from_slice(value);
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.long(value.len() as u64);
        self.fixed(value);
    }

    pub(crate) fn option<T>(&mut self, value: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        self.long(u64::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(crate) fn array<T>(&mut self, values: &[T], mut write: impl FnMut(&mut Self, &T)) {
        if !values.is_empty() {
            self.long(values.len() as u64);
            for value in values {
                write(self, value);
            }
        }
        self.long(0);
    }
}

/// Reader of Avro values from the front of a slice.
#[derive(Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, what: &'static str, count: u64) -> Result<&'a [u8], DecodeError> {
        let short = DecodeError::Short { what, needed: count, left: self.0.len() };
        let count = usize::try_from(count).map_err(|_| short.clone())?;
        let (taken, rest) = self.0.split_at_checked(count).ok_or(short)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Header of every datum: marker and fingerprint of its schema.
    pub(crate) fn fingerprint(&mut self) -> Result<u64, DecodeError> {
        if self.array_of::<2>("marker")? != [0xc3, 0x01] {
            return Err(DecodeError::NoMarker);
        }
        self.array_of("fingerprint").map(u64::from_le_bytes)
    }

    /// Checks that nothing follows.
    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::Trailing { left: self.0.len() }) }
    }

    /// A `long` or `int` that is not negative.
    pub(crate) fn long(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        u64::try_from(self.signed(what)?).map_err(|_| DecodeError::Invalid { what })
    }

    fn signed(&mut self, what: &'static str) -> Result<i64, DecodeError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array_of(what)?;
            if shift == 63 && byte > 1 {
                return Err(DecodeError::Invalid { what });
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        Err(DecodeError::Invalid { what })
    }

    pub(crate) fn int(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        let value = i32::try_from(self.signed(what)?).ok().and_then(|value| u32::try_from(value).ok());
        value.ok_or(DecodeError::Invalid { what })
    }

    pub(crate) fn boolean(&mut self, what: &'static str) -> Result<bool, DecodeError> {
        match self.array_of(what)? {
            [0] => Ok(false),
            [1] => Ok(true),
            [_] => Err(DecodeError::Invalid { what }),
        }
    }

    pub(crate) fn array_of<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let taken = self.take(what, N as u64)?;
        taken.try_into().map_err(|_| DecodeError::Invalid { what })
    }

    pub(crate) fn hash(&mut self, what: &'static str) -> Result<B256, DecodeError> {
        self.array_of(what).map(B256::new)
    }

    pub(crate) fn address(&mut self, what: &'static str) -> Result<Address, DecodeError> {
        self.array_of(what).map(Address::new)
    }

    pub(crate) fn bytes(&mut self, what: &'static str) -> Result<Bytes, DecodeError> {
        let count = self.long(what)?;
        self.take(what, count).map(Bytes::copy_from_slice)
    }

    pub(crate) fn string(&mut self, what: &'static str) -> Result<String, DecodeError> {
        let count = self.long(what)?;
        let bytes = self.take(what, count)?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| DecodeError::Invalid { what })
    }

    pub(crate) fn option<T>(
        &mut self,
        what: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        match self.long(what)? {
            0 => Ok(None),
            1 => read(self, what).map(Some),
            _ => Err(DecodeError::Invalid { what }),
        }
    }

    /// Reads an array in as many blocks as its writer liked. Every item takes at least `item_bytes` of input, so
    /// allocations are bounded by the input's length.
    pub(crate) fn array<T>(
        &mut self,
        what: &'static str,
        item_bytes: u64,
        mut read: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let mut items = Vec::new();
        loop {
            let count = self.signed(what)?;
            if count == 0 {
                return Ok(items);
            }
            if count < 0 {
                // Other writers say the block's length in bytes behind a negative count.
                self.long(what)?;
            }
            let count = count.unsigned_abs();
            let needed = count.checked_mul(item_bytes.max(1)).ok_or(DecodeError::Invalid { what })?;
            if needed > self.0.len() as u64 {
                return Err(DecodeError::Short { what, needed, left: self.0.len() });
            }
            for _ in 0..count {
                items.push(read(self)?);
            }
        }
    }
}
