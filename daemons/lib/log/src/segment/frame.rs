//! Format of a segment file: a header, then frames. Pure.
//!
//! ```text
//! header := "MLSG" | version:u8=1 | 0:u8*3 | base:u64 | created_ms:u64 | crc32c:u32 of all before it
//! frame  := len:u32 | crc32c:u32 | offset:u64 | batch:u64 | time_ms:u64 | key_len:u32 | key | payload
//! ```
//! Little endian. `len` counts from `offset` on, the checksum covers `len` and everything after itself. `key_len`
//! is `u32::MAX` without a key. `batch` is the first offset of the append the frame came with: the appends before
//! that were on disk when it was written, by which damage differs from a torn tail. A change needs a new version.

/// Bytes of a segment header.
pub(super) const HEADER_BYTES: u64 = 28;
/// Bytes of a frame before key and payload.
pub(super) const FRAME_FIXED_BYTES: usize = 36;
/// Bytes of the largest frame, whatever a length field says.
pub(super) const FRAME_MAX_BYTES: usize = 128 << 20;
const MAGIC: [u8; 4] = *b"MLSG";
const VERSION: u8 = 1;
const LEN_AND_CRC: usize = 8;
const NO_KEY: u32 = u32::MAX;

/// Header of a segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) base: u64,
    pub(super) created_ms: u64,
}

/// One entry as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) offset: u64,
    pub(super) batch: u64,
    pub(super) time_ms: u64,
    pub(super) key: Option<&'a [u8]>,
    pub(super) payload: &'a [u8],
}

/// Outcome of reading a frame at the front of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed<'a> {
    /// A good frame of so many bytes.
    Frame(Frame<'a>, usize),
    /// The frame needs so many bytes altogether.
    Incomplete(usize),
    /// Bytes that are no frame, with the reason.
    Bad(String),
}

impl Header {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(28);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[VERSION, 0, 0, 0]);
        out.extend_from_slice(&self.base.to_le_bytes());
        out.extend_from_slice(&self.created_ms.to_le_bytes());
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Decodes the header in `bytes`.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let fields = || {
            let magic: [u8; 4] = array(bytes, 0)?;
            let [version] = array(bytes, 4)?;
            Some((magic, version, bytes.get(..24)?, u32_at(bytes, 24)?))
        };
        let Some((magic, version, covered, crc)) = fields() else {
            return Err(format!("a segment header has {HEADER_BYTES} bytes, found {}", bytes.len()));
        };
        if magic != MAGIC {
            return Err("not a segment file (bad magic)".to_owned());
        }
        if version != VERSION {
            return Err(format!("segment format {version}; this program reads format {VERSION}"));
        }
        if crc32c::crc32c(covered) != crc {
            return Err("checksum of the segment header does not match".to_owned());
        }
        match (u64_at(bytes, 8), u64_at(bytes, 16)) {
            (Some(base), Some(created_ms)) => Ok(Self { base, created_ms }),
            _ => Err("segment header cut short".to_owned()),
        }
    }
}

impl Frame<'_> {
    /// Bytes that the frame takes on disk.
    pub(super) fn disk_bytes(key: Option<&[u8]>, payload: &[u8]) -> usize {
        FRAME_FIXED_BYTES + key.map_or(0, <[u8]>::len) + payload.len()
    }

    /// Appends the frame to `out`; false if it is too large for the format.
    #[must_use]
    pub(super) fn encode(&self, out: &mut Vec<u8>) -> bool {
        let bytes = Self::disk_bytes(self.key, self.payload);
        let (Ok(len), Ok(key_len)) =
            (u32::try_from(bytes - LEN_AND_CRC), u32::try_from(self.key.map_or(0, <[u8]>::len)))
        else {
            return false;
        };
        if bytes > FRAME_MAX_BYTES {
            return false;
        }
        let key_len = if self.key.is_some() { key_len } else { NO_KEY };
        let fixed = [
            self.offset.to_le_bytes().as_slice(),
            &self.batch.to_le_bytes(),
            &self.time_ms.to_le_bytes(),
            &key_len.to_le_bytes(),
            self.key.unwrap_or_default(),
        ]
        .concat();
        let crc = crc32c::crc32c(&len.to_le_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c_append(crc, &fixed), self.payload);
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&fixed);
        out.extend_from_slice(self.payload);
        true
    }
}

/// Bytes of the frame that begins like `bytes`; an impossible length counts as the smallest, for [`parse`] to refuse.
pub(super) fn needed_bytes(bytes: &[u8]) -> usize {
    let len = u32_at(bytes, 0).and_then(|len| usize::try_from(len).ok()).unwrap_or_default();
    let total = len.saturating_add(LEN_AND_CRC);
    if (FRAME_FIXED_BYTES..=FRAME_MAX_BYTES).contains(&total) { total } else { FRAME_FIXED_BYTES }
}

/// Reads the frame at the front of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Parsed<'_> {
    let (Some(len), Some(crc)) = (u32_at(bytes, 0), u32_at(bytes, 4)) else {
        return Parsed::Incomplete(FRAME_FIXED_BYTES);
    };
    let total = usize::try_from(len).unwrap_or(usize::MAX).saturating_add(LEN_AND_CRC);
    if !(FRAME_FIXED_BYTES..=FRAME_MAX_BYTES).contains(&total) {
        return Parsed::Bad(format!("impossible frame length {len}"));
    }
    let Some(body) = bytes.get(LEN_AND_CRC..total) else { return Parsed::Incomplete(total) };
    let found = crc32c::crc32c_append(crc32c::crc32c(&len.to_le_bytes()), body);
    if found != crc {
        return Parsed::Bad(format!("checksum {found:08x} where {crc:08x} was written"));
    }
    body_of(body).map_or_else(
        || Parsed::Bad("key longer than its frame".to_owned()),
        |frame| Parsed::Frame(frame, total),
    )
}

fn body_of(body: &[u8]) -> Option<Frame<'_>> {
    let rest = body.get(FRAME_FIXED_BYTES - LEN_AND_CRC..)?;
    let (key, payload) = match u32_at(body, 24)? {
        NO_KEY => (None, rest),
        key_len => {
            let key_len = usize::try_from(key_len).ok()?;
            (Some(rest.get(..key_len)?), rest.get(key_len..)?)
        }
    };
    Some(Frame {
        offset: u64_at(body, 0)?,
        batch: u64_at(body, 8)?,
        time_ms: u64_at(body, 16)?,
        key,
        payload,
    })
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.get(..N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::{Frame, HEADER_BYTES, Header, Parsed, parse};

    fn encoded(frame: &Frame<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        assert!(frame.encode(&mut out));
        out
    }

    /// Test of the disk bytes, which are a contract: they change only with the version.
    #[test]
    fn golden_bytes() {
        let frame = Frame { offset: 7, batch: 6, time_ms: 5, key: Some(b"k"), payload: b"payload" };
        let hex: String = encoded(&frame).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "240000006ace48a4070000000000000006000000000000000500000000000000010000006b7061796c6f6164"
        );
        let header = Header { base: 3, created_ms: 4 }.encode();
        let hex: String = header.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "4d4c534701000000030000000000000004000000000000000328377b");
        assert_eq!(header.len() as u64, HEADER_BYTES);
    }

    #[test]
    fn frames_come_back_and_every_bit_counts() {
        for key in [None, Some(b"".as_slice()), Some(b"key")] {
            let frame = Frame { offset: u64::MAX, batch: 1, time_ms: 2, key, payload: &[9; 50] };
            let bytes = encoded(&frame);
            assert_eq!(parse(&bytes), Parsed::Frame(frame, bytes.len()));
            for cut in 0..bytes.len() {
                assert!(matches!(parse(&bytes[..cut]), Parsed::Incomplete(_)), "cut at {cut}");
            }
            for bit in 0..bytes.len() * 8 {
                let mut bad = bytes.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert!(!matches!(parse(&bad), Parsed::Frame(..)), "bit {bit}");
            }
        }
    }

    #[test]
    fn headers_come_back_and_every_bit_counts() {
        let header = Header { base: 1, created_ms: 2 };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes), Ok(header));
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&bad).is_err(), "bit {bit}");
        }
    }
}
