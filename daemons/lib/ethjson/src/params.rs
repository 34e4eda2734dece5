//! Readers of parameters, as geth's `hexutil` and `rpc` packages read them, with their texts.

use alloy::primitives::{Address, B256, Bytes, U256};
use maidenlane_json::go;
use maidenlane_jsonrpc::Error;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use std::borrow::Cow;

/// A JSON string, whatever its escapes.
pub fn string(json: &str) -> Result<Cow<'_, str>, String> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Text<'_>>(json)
        .map(|text| text.0)
        .map_err(|_| "json: cannot unmarshal non-string".into())
}

/// A value of any type, its objects as Go reads them.
pub fn read<'de, T: Deserialize<'de>>(json: &'de str) -> Result<T, String> {
    go::read(json).map_err(|error| error.to_string())
}

/// The digits after `0x`.
fn digits(text: &str) -> Result<&str, String> {
    if text.is_empty() {
        return Err("empty hex string".into());
    }
    text.strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))
        .ok_or_else(|| "hex string without 0x prefix".into())
}

/// Bytes of any length.
pub fn bytes_of(text: &str) -> Result<Bytes, String> {
    // geth takes an empty string for no bytes.
    if text.is_empty() {
        return Ok(Bytes::new());
    }
    let digits = digits(text)?;
    if !digits.len().is_multiple_of(2) {
        return Err("hex string of odd length".into());
    }
    alloy::hex::decode(digits).map(Bytes::from).map_err(|_| "invalid hex string".into())
}

fn fixed<const N: usize>(text: &str, what: &str) -> Result<[u8; N], String> {
    let digits = digits(text)?;
    if digits.len() != N * 2 {
        return Err(format!("hex string has length {}, want {} for {what}", digits.len(), N * 2));
    }
    let mut out = [0; N];
    alloy::hex::decode_to_slice(digits, &mut out).map_err(|_| "invalid hex string".to_owned())?;
    Ok(out)
}

/// A number of at most 256 bits without leading zeros.
pub fn big_of(text: &str) -> Result<U256, String> {
    let digits = digits(text)?;
    if digits.is_empty() {
        return Err("hex string \"0x\"".into());
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return Err("hex number with leading zero digits".into());
    }
    if digits.len() > 64 {
        return Err("hex number > 256 bits".into());
    }
    // `from_str_radix` also takes underscores and signs.
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err("invalid hex string".into());
    }
    U256::from_str_radix(digits, 16).map_err(|_| "invalid hex string".into())
}

/// A number of at most 64 bits.
pub fn number_of(text: &str) -> Result<u64, String> {
    small(big_of(text)?)
}

/// An address.
pub fn address(json: &str) -> Result<Address, String> {
    fixed(&string(json)?, "common.Address").map(Address::new)
}

/// A plain Go string, where null is the empty one.
pub fn plain(json: &str) -> Result<Cow<'_, str>, String> {
    if json == "null" { Ok(Cow::Borrowed("")) } else { string(json) }
}

/// A hash.
pub fn hash(json: &str) -> Result<B256, String> {
    fixed(&string(json)?, "common.Hash").map(B256::new)
}

/// A quantity. To geth's numbers an empty text is zero, unlike to its names of blocks.
fn quantity_of(text: &str) -> Result<U256, String> {
    if text.is_empty() { Ok(U256::ZERO) } else { big_of(text) }
}

/// `hexutil.Big` as a parameter.
pub fn big(json: &str) -> Result<U256, String> {
    quantity_of(&string(json)?)
}

/// An index such as `0x1`.
pub fn index(json: &str) -> Result<u64, String> {
    small(big(json)?)
}

fn small(quantity: U256) -> Result<u64, String> {
    quantity.try_into().map_err(|_| "hex number > 64 bits".to_owned())
}

/// `hexutil.Bytes` as a parameter.
pub fn data(json: &str) -> Result<Bytes, String> {
    bytes_of(&string(json)?)
}

/// A number that geth reads without `0x`, as an `int`; null is 0, as a Go number stays what it was.
pub fn integer(json: &str) -> Result<i64, String> {
    decimal(json, "int")
}

/// A number that geth reads without `0x`, as a `uint64`; null is 0.
pub fn natural(json: &str) -> Result<u64, String> {
    decimal(json, "uint64")
}

fn decimal<T: serde::de::DeserializeOwned + Default>(json: &str, kind: &str) -> Result<T, String> {
    serde_json::from_str::<Option<T>>(json)
        .map(Option::unwrap_or_default)
        .map_err(|_| format!("json: cannot unmarshal into Go value of type {kind}"))
}

/// `true` or `false`; null is false, as a Go bool stays what it was.
pub fn boolean(json: &str) -> Result<bool, String> {
    serde_json::from_str::<Option<bool>>(json)
        .map(Option::unwrap_or_default)
        .map_err(|_| "json: cannot unmarshal into Go value of type bool".into())
}

/// A storage key.
pub fn storage_key(text: &str) -> Result<B256, Error> {
    storage_key_bytes(text).map(|bytes| B256::left_padding_from(&bytes))
}

/// The bytes of a storage key: up to 32, prefix and leading zeros optional, for old clients' sake.
pub fn storage_key_bytes(text: &str) -> Result<Vec<u8>, Error> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let padded =
        if digits.len().is_multiple_of(2) { Cow::Borrowed(digits) } else { format!("0{digits}").into() };
    if padded.len() > 64 {
        let problem = "storage key too long (want at most 32 bytes)";
        return Err(Error::params(format!("{problem}: {text:?}")));
    }
    alloy::hex::decode(padded.as_bytes())
        .map_err(|_| Error::params(format!("invalid hex in storage key: {text:?}")))
}

/// A block's number or one of its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// A block by number.
    Number(u64),
    /// The head.
    Latest,
    /// The block being built on the head.
    Pending,
    /// The safe block, as the consensus layer said.
    Safe,
    /// The finalized block, as the consensus layer said.
    Finalized,
    /// The oldest block kept.
    Earliest,
}

impl Tag {
    fn of(text: &str) -> Result<Self, String> {
        Ok(match text {
            "latest" => Self::Latest,
            "pending" => Self::Pending,
            "safe" => Self::Safe,
            "finalized" => Self::Finalized,
            "earliest" => Self::Earliest,
            number => Self::Number(
                Some(number_of(number)?)
                    .filter(|number| i64::try_from(*number).is_ok())
                    .ok_or("block number larger than int64")?,
            ),
        })
    }

    /// Number that geth prints for it in texts: names have numbers below zero.
    pub fn as_number(self) -> i64 {
        match self {
            Self::Number(number) => i64::try_from(number).unwrap_or(i64::MAX),
            Self::Pending => -1,
            Self::Latest => -2,
            Self::Finalized => -3,
            Self::Safe => -4,
            Self::Earliest => -5,
        }
    }

    /// Reads a JSON value.
    pub fn read(json: &str) -> Result<Self, String> {
        // geth reads a bare number here and refuses it as hex without prefix; so do we.
        if json.starts_with('"') {
            Self::of(&string(json)?)
        } else {
            Err("hex string without 0x prefix".into())
        }
    }
}

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::of(&Cow::<'de, str>::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// A block by tag, number, hash, or EIP-1898 object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector {
    /// A block by number or name.
    Tag(Tag),
    /// A block by hash.
    Hash {
        /// The block's hash.
        hash: B256,
        /// True to refuse a block that is not canonical.
        canonical: bool,
    },
}

impl Selector {
    /// Default of an omitted parameter.
    pub const LATEST: Self = Self::Tag(Tag::Latest);

    /// Reads a JSON value.
    pub fn read(json: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Object {
            block_number: Option<Tag>,
            block_hash: Option<B256>,
            #[serde(default)]
            require_canonical: Option<bool>,
        }
        if json.starts_with('{') {
            let object: Object = read(json)?;
            return match (object.block_number, object.block_hash) {
                (Some(tag), None) => Ok(Self::Tag(tag)),
                (None, Some(hash)) => {
                    Ok(Self::Hash { hash, canonical: object.require_canonical.unwrap_or_default() })
                }
                (Some(_), Some(_)) => {
                    Err("cannot specify both BlockHash and BlockNumber, choose one or the other".into())
                }
                (None, None) => Err("must specify either BlockHash or BlockNumber".into()),
            };
        }
        let text = string(json)?;
        if text.len() == 66 {
            return Ok(Self::Hash { hash: B256::new(fixed(&text, "common.Hash")?), canonical: false });
        }
        Tag::of(&text).map(Self::Tag)
    }
}

/// Reads a field that null leaves as it was, as Go's decoder does.
pub fn or_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

/// `hexutil.Big` in a JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Big(pub U256);

impl<'de> Deserialize<'de> for Big {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        quantity_of(&Cow::<'de, str>::deserialize(from)?).map(Self).map_err(D::Error::custom)
    }
}

/// `hexutil.Uint64` in a JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(pub u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let quantity = quantity_of(&Cow::<'de, str>::deserialize(from)?);
        quantity.and_then(small).map(Self).map_err(D::Error::custom)
    }
}

/// `hexutil.Bytes` in a JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data(pub Bytes);

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        bytes_of(&Cow::<'de, str>::deserialize(from)?).map(Self).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
