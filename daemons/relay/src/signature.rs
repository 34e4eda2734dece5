//! `X-Flashbots-Signature`: who signed a request.
//!
//! The header is `ADDRESS:SIGNATURE`. What is signed is a text of 66 characters, `0x` and the lower-case hex of the keccak256 of
//! the body, as a message of EIP-191. The bytes of the body count, not their meaning: they are hashed as they came, before
//! anybody parses them.

use alloy::primitives::{Signature, U256, eip191_hash_message};
use maidenlane_chain::transaction::recover;
use maidenlane_chain::{Address, B256, keccak256};

/// Bytes of a signature: r, s and v.
const SIGNATURE_BYTES: usize = 65;

/// Fault of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// No header.
    #[error("sign the request: send X-Flashbots-Signature: ADDRESS:SIGNATURE")]
    Missing,
    /// Not two parts.
    #[error("write the header as ADDRESS:SIGNATURE, with one colon")]
    Form,
    /// The first part is no address.
    #[error("begin the header with the signer's address, 0x and 40 hex digits")]
    Address,
    /// The signature is hex without its mark.
    #[error(
        "begin the signature with 0x: bytes.hex() of Python's hexbytes 1.0 and later leaves that out, use to_0x_hex()"
    )]
    Unmarked,
    /// The second part is not hex.
    #[error("write the signature as 0x and 130 hex digits")]
    Hex,
    /// Not as many bytes as r, s and v.
    #[error("send a signature of 65 bytes, r, s and v, not of {bytes}")]
    Length {
        /// Bytes that came.
        bytes: usize,
    },
    /// The last byte is none of 0, 1, 27 and 28.
    #[error("end the signature with v = 0, 1, 27 or 28, not {v}")]
    Parity {
        /// Value that came.
        v: u8,
    },
    /// Signatures have two forms; only the one with the lower s counts.
    #[error("send the signature with the lower s, as of EIP-2: the other form is anybody's to make")]
    HighS,
    /// Another key, or other bytes.
    #[error(
        "sign exactly the bytes of the body: the text `0x` and 64 lower-case hex digits of their keccak256, as a message \
         of EIP-191; the signature that came is not that of the address before it"
    )]
    Mismatch,
}

impl Unsigned {
    /// Word for programs.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "signatureMissing",
            Self::Form => "signatureForm",
            Self::Address => "signatureAddress",
            Self::Unmarked => "signatureUnmarked",
            Self::Hex => "signatureHex",
            Self::Length { .. } => "signatureLength",
            Self::Parity { .. } => "signatureParity",
            Self::HighS => "signatureHighS",
            Self::Mismatch => "signatureMismatch",
        }
    }
}

/// Signer of a body, and the body's hash, by which a repeat is known.
///
/// # Errors
/// Naming the fault. All of them but the last cost less than the hash of the body.
pub fn verify(header: Option<&str>, body: &[u8]) -> Result<(Address, B256), Unsigned> {
    let (address, signature) = parse(header.ok_or(Unsigned::Missing)?)?;
    let hash = keccak256(body);
    let signer = recover(eip191_hash_message(hash.to_string()), &signature);
    if signer == Some(address) { Ok((address, hash)) } else { Err(Unsigned::Mismatch) }
}

fn parse(header: &str) -> Result<(Address, Signature), Unsigned> {
    let (address, signature) = header.trim().split_once(':').ok_or(Unsigned::Form)?;
    let digits = address.strip_prefix("0x").ok_or(Unsigned::Address)?;
    let mut bytes = [0; 20];
    const_hex::decode_to_slice(digits, &mut bytes).map_err(|_| Unsigned::Address)?;
    let Some(digits) = signature.strip_prefix("0x") else {
        let is_hex = !signature.is_empty() && signature.bytes().all(|digit| digit.is_ascii_hexdigit());
        return Err(if is_hex { Unsigned::Unmarked } else { Unsigned::Hex });
    };
    if digits.len() != SIGNATURE_BYTES * 2 {
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        return Err(if is_hex { Unsigned::Length { bytes: digits.len() / 2 } } else { Unsigned::Hex });
    }
    let mut rsv = [0; SIGNATURE_BYTES];
    const_hex::decode_to_slice(digits, &mut rsv).map_err(|_| Unsigned::Hex)?;
    let ([r @ .., v], mut word) = (rsv, [0; 32]);
    let v = match v {
        0 | 27 => false,
        1 | 28 => true,
        v => return Err(Unsigned::Parity { v }),
    };
    let (r, s) = r.split_at(32);
    let mut number = |bytes: &[u8]| {
        word.copy_from_slice(bytes);
        U256::from_be_bytes(word)
    };
    let signature = Signature::new(number(r), number(s), v);
    if signature.normalize_s().is_some() {
        return Err(Unsigned::HighS);
    }
    Ok((Address::new(bytes), signature))
}

#[cfg(test)]
mod tests;
