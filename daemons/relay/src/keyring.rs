//! Keys of what the log keeps: a text with one key a line.
//!
//! ```text
//! hash 00112233…   names in clear are keyed hashes under it
//! seal 44556677…   seals, and opens what it sealed
//! seal 8899aabb…   an older one, which only opens
//! ```
//!
//! To rotate: put a new `seal` line above the others, restart, and take the oldest away once the topics no longer keep what it
//! sealed. The key of hashes stays: under another one, a signer's entries would lie in two partitions and have no order.

use chacha20poly1305::{Key, KeyInit as _, XChaCha20Poly1305};
use hmac::{Hmac, Mac as _};
use maidenlane_chain::{Address, B256};
use maidenlane_wire::{Bundle, ContentId};
use sha2::Sha256;
use std::fmt;

/// Bytes of every key.
const KEY_BYTES: usize = 32;

/// Id of a key that seals: 8 bytes that tell nothing of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&const_hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Fault of a keyring. No text repeats a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// A line that is no key.
    #[error(
        "line {line} of the keyring: write `hash` or `seal`, a space and 64 hex digits (`openssl rand -hex 32`)"
    )]
    Line {
        /// Number of the line, from 1.
        line: usize,
    },
    /// A second key of hashes, or the same key twice.
    #[error("line {line} of the keyring: leave it out, {why}")]
    Twice {
        /// Number of the line, from 1.
        line: usize,
        /// Reason.
        why: &'static str,
    },
    /// A kind of key that is not there.
    #[error("add a line `{kind} ` and 64 hex digits to the keyring (`openssl rand -hex 32`)")]
    Lacks {
        /// Kind of the key.
        kind: &'static str,
    },
}

/// Keys of the relays of a chain.
#[derive(Clone)]
pub struct Keyring {
    hash: Hmac<Sha256>,
    /// Newest first; at least one.
    seals: Vec<(KeyId, XChaCha20Poly1305)>,
}

impl Keyring {
    /// Reads the text of a keyring. Empty lines and those that begin with `#` say nothing.
    ///
    /// # Errors
    /// Naming the line.
    pub fn parse(text: &str) -> Result<Self, Unusable> {
        let (mut hash, mut seals, mut known) = (None, Vec::new(), Vec::new());
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let (kind, digits) = text.split_once(char::is_whitespace).ok_or(Unusable::Line { line })?;
            let mut key = [0; KEY_BYTES];
            const_hex::decode_to_slice(digits.trim(), &mut key).map_err(|_| Unusable::Line { line })?;
            if known.contains(&key) {
                return Err(Unusable::Twice { line, why: "every key is for one purpose" });
            }
            known.push(key);
            match kind {
                "hash" if hash.is_some() => {
                    return Err(Unusable::Twice { line, why: "names are hashed with one key" });
                }
                "hash" => hash = Some(mac(&key)),
                "seal" => seals.push((key_id(&key), XChaCha20Poly1305::new(&Key::from(key)))),
                _ => return Err(Unusable::Line { line }),
            }
        }
        if seals.is_empty() {
            return Err(Unusable::Lacks { kind: "seal" });
        }
        Ok(Self { hash: hash.ok_or(Unusable::Lacks { kind: "hash" })?, seals })
    }

    /// Key of a signer's entries, which keeps them together and says nothing of who it is.
    #[must_use]
    pub fn entry_key(&self, signer: &Address) -> [u8; 16] {
        let [first @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
            self.hashed(b"signer", signer.as_slice());
        first
    }

    /// Name of an order in clear.
    #[must_use]
    pub fn content(&self, content: ContentId) -> B256 {
        B256::new(self.hashed(b"content", content.reveal().as_slice()))
    }

    /// Name of an order for builders, by which they know it when it comes again, and which tells them of no other.
    #[must_use]
    pub fn outward(&self, order: &Bundle) -> [u8; 16] {
        let named = |name: &String| [order.signer.as_slice(), name.as_bytes()].concat();
        let [first @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = match &order.replacement {
            // All that replace each other have one, so that a builder replaces them, too.
            Some(name) => self.hashed(b"outward name", &named(name)),
            None => self.hashed(b"outward order", order.content().reveal().as_slice()),
        };
        first
    }

    /// Ids of the keys that open, the one that seals first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.seals.iter().map(|(id, _)| *id)
    }

    /// The key that seals.
    pub(crate) fn newest(&self) -> Option<(KeyId, &XChaCha20Poly1305)> {
        self.seals.first().map(|(id, key)| (*id, key))
    }

    /// The key of this id.
    pub(crate) fn find(&self, id: KeyId) -> Option<&XChaCha20Poly1305> {
        self.seals.iter().find(|(known, _)| *known == id).map(|(_, key)| key)
    }

    fn hashed(&self, what: &[u8], value: &[u8]) -> [u8; 32] {
        self.hash.clone().chain_update(what).chain_update(value).finalize().into_bytes().into()
    }
}

/// Ids alone.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn mac(key: &[u8; KEY_BYTES]) -> Hmac<Sha256> {
    <Hmac<Sha256> as hmac::Mac>::new_from_slice(key).expect("a key of 32 bytes")
}

fn key_id(key: &[u8; KEY_BYTES]) -> KeyId {
    let hash: [u8; 32] = mac(key).chain_update(b"key id").finalize().into_bytes().into();
    let [a, b, c, d, e, f, g, h, ..] = hash;
    KeyId([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::{Keyring, Unusable};
    use maidenlane_chain::{Address, B256};
    use maidenlane_wire::ContentId;

    const HASH: &str = "hash 0101010101010101010101010101010101010101010101010101010101010101";
    const NEW: &str = "seal 0202020202020202020202020202020202020202020202020202020202020202";
    const OLD: &str = "seal 0303030303030303030303030303030303030303030303030303030303030303";

    #[test]
    fn names_depend_on_the_key_of_hashes_alone() {
        let ring = Keyring::parse(&format!("# of the relays\n\n{HASH}\n{NEW}\n{OLD}\n")).unwrap();
        let rotated = Keyring::parse(&format!("{NEW}\n  {HASH}  ")).unwrap();
        let other = Keyring::parse(&format!("{}\n{NEW}", HASH.replace("01", "04"))).unwrap();
        let (signer, content) = (Address::repeat_byte(9), ContentId::new(B256::repeat_byte(9)));
        assert_eq!(ring.entry_key(&signer), rotated.entry_key(&signer));
        assert_eq!(ring.content(content), rotated.content(content));
        assert_ne!(ring.entry_key(&signer), other.entry_key(&signer));
        assert_ne!(ring.content(content), other.content(content));
        assert_ne!(ring.entry_key(&signer), ring.entry_key(&Address::repeat_byte(8)));
        assert_eq!((ring.ids().count(), ring.ids().next()), (2, rotated.ids().next()));
    }

    #[test]
    fn what_is_no_keyring_is_refused_without_a_word_of_its_keys() {
        let twice = |line, why| Unusable::Twice { line, why };
        for (text, expect) in [
            (String::new(), Unusable::Lacks { kind: "seal" }),
            (HASH.to_owned(), Unusable::Lacks { kind: "seal" }),
            (NEW.to_owned(), Unusable::Lacks { kind: "hash" }),
            (format!("{HASH}\n{}", &NEW[..67]), Unusable::Line { line: 2 }),
            (format!("{HASH}\n{NEW}02"), Unusable::Line { line: 2 }),
            (HASH.replace(' ', ""), Unusable::Line { line: 1 }),
            (HASH.replace("hash", "sign"), Unusable::Line { line: 1 }),
            (format!("{HASH}\n{NEW}\n{NEW}"), twice(3, "every key is for one purpose")),
            (format!("{HASH}\n{}", HASH.replace("hash", "seal")), twice(2, "every key is for one purpose")),
            (format!("{HASH}\n{}", HASH.replace("01", "04")), twice(2, "names are hashed with one key")),
        ] {
            let error = Keyring::parse(&text).map(drop).unwrap_err();
            assert_eq!(error, expect, "{text}");
            assert!(!error.to_string().contains("0202"), "{error}");
        }
        let shown = format!("{:?}", Keyring::parse(&format!("{HASH}\n{NEW}")).unwrap());
        assert!(shown.len() == 18 && !shown.contains("0101") && !shown.contains("0202"), "{shown}");
    }
}
