//! Compression that a reader can trust: zstd, bounded by the announced length.

use crate::avro::DecodeError;
use std::io::Read;

const LEVEL: i32 = 1;
/// Window of a reader while it decompresses, as a power of two: at most 2^27 bytes, whatever the sender asks for.
const WINDOW_LOG_MAX: u32 = 27;

/// Compresses bytes to one zstd frame.
pub(crate) fn pack(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    zstd::bulk::compress(bytes, LEVEL)
        .map_err(|_| DecodeError::Parts { what: "the bytes cannot be compressed" })
}

/// Decompresses a frame of [`pack`]. The bytes are allocated as they are decompressed, up to the announced length.
///
/// # Errors
/// When the bytes are corrupt or hold another length than `len`.
pub(crate) fn unpack(packed: &[u8], len: u64) -> Result<Vec<u8>, DecodeError> {
    let corrupt = DecodeError::Parts { what: "the compressed bytes are corrupt or of another length" };
    let mut whole = Vec::new();
    let mut decoder = zstd::stream::read::Decoder::new(packed).map_err(|_| corrupt.clone())?;
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(|_| corrupt.clone())?;
    // One byte more than announced shows that there is more, without holding it.
    decoder.take(len.saturating_add(1)).read_to_end(&mut whole).map_err(|_| corrupt.clone())?;
    if whole.len() as u64 == len { Ok(whole) } else { Err(corrupt) }
}
