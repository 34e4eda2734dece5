//! Manifest of a snapshot: what it is of, and the files that make it.
//!
//! # Correctness
//! Its bytes are a contract with older and newer builds: any change of them is another [`FORMAT`].

use crate::digest::Digest;
use maidenlane_chain::{B256, BlockRef};
use maidenlane_store::{Facts, Peek, Position, Proofs};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Version of manifests that this build writes.
pub const FORMAT: u32 = 1;
/// Maximum number of files: those of a database of 64 TB.
const FILES_MAX: usize = 1 << 20;
/// File that says which of a database's other files are its current ones.
const CURRENT: &str = "CURRENT";

/// Manifest of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`] of the build that made it.
    pub format: u32,
    /// Version of that build, for people.
    pub build: String,
    /// Time at which it was made, in milliseconds since 1970.
    pub made_ms: u64,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hash of block 0.
    pub genesis: B256,
    /// Newest block in it.
    pub head: BlockRef,
    /// Finalized block, as the consensus layer had said by then.
    pub finalized: Option<BlockRef>,
    /// Oldest block whose body and receipts are there.
    pub base: u64,
    /// Oldest block whose state is there.
    pub state_floor: u64,
    /// Position in the topic of blocks; `None` where a state was imported and the feed not yet begun.
    pub position: Option<Position>,
    /// Trie nodes, with the position in their topic; `None` where they are not kept.
    pub proofs: Option<Proofs>,
    /// Version of the database's layout.
    pub store_format: u32,
    /// Files of the database, sorted by name.
    pub files: Vec<File>,
}

/// A file of a database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Name in the database's directory.
    pub name: String,
    /// Size.
    pub bytes: u64,
    /// Digest, which is its name in the repository.
    pub sha256: Digest,
}

/// Sort of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Written once: a link to it is as good as a copy.
    Table,
    /// Appended to or replaced by the database that has it.
    Changing,
}

impl Kind {
    /// Sort of the file of that name; `None` for one that is no part of a database: its text log, or a stranger.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let numbered = |prefix| name.strip_prefix(prefix).is_some_and(is_number);
        match name.rsplit_once('.') {
            Some((stem, "sst")) if is_number(stem) => Some(Self::Table),
            Some((stem, "log")) if is_number(stem) => Some(Self::Changing),
            None if name == CURRENT || numbered("MANIFEST-") || numbered("OPTIONS-") => Some(Self::Changing),
            _ => None,
        }
    }
}

impl File {
    pub(crate) fn is_table(&self) -> bool {
        Kind::of(&self.name) == Some(Kind::Table)
    }
}

/// Name of a snapshot: its head's number, its time in milliseconds, and the beginning of its manifest's digest. Names
/// sort by number and time.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(String);

/// Digits of the parts of an [`Id`].
const NUMBER_DIGITS: usize = 20;
const TIME_DIGITS: usize = 13;
const DIGEST_DIGITS: usize = 16;

impl Id {
    fn new(number: u64, made_ms: u64, manifest: &[u8]) -> Self {
        let digest = Self::digest(manifest);
        Self(format!("{number:0NUMBER_DIGITS$}-{made_ms:0TIME_DIGITS$}-{digest}"))
    }

    fn digest(manifest: &[u8]) -> String {
        let mut digest = Digest::of(manifest).to_string();
        digest.truncate(DIGEST_DIGITS);
        digest
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that names no snapshot.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no name of a snapshot: {NUMBER_DIGITS} digits, {TIME_DIGITS} digits and {DIGEST_DIGITS} hexadecimal ones, with hyphens"
)]
pub struct NoId(String);

impl FromStr for Id {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        let is_decimal = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let is_hexadecimal = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let parts: Vec<&str> = text.split('-').collect();
        let is_id = matches!(*parts, [number, time, digest]
            if parts.iter().map(|part| part.len()).eq([NUMBER_DIGITS, TIME_DIGITS, DIGEST_DIGITS])
                && is_decimal(number) && is_decimal(time) && is_hexadecimal(digest));
        if is_id { Ok(Self(text.to_owned())) } else { Err(NoId(text.to_owned())) }
    }
}

/// Bytes that are no manifest which this build could use.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Unusable {
    /// The bytes are other ones than the name says.
    #[error("has other bytes than its name says: `maidenlane snapshot delete` it, and take another snapshot")]
    Damaged,
    /// The bytes are no manifest.
    #[error("is no manifest: remove it, if it is not yours")]
    Malformed(#[source] serde_json::Error),
    /// A manifest of another version.
    #[error("has format {found}, this build reads {FORMAT}: take the build that wrote it")]
    Format { found: u32 },
    /// A manifest with files that no database has.
    #[error("names {0}: remove it, if it is not yours")]
    Files(String),
}

impl Manifest {
    /// Manifest of a database at rest with these files.
    pub(crate) fn of(peek: &Peek, head: BlockRef, made_ms: u64, files: Vec<File>) -> Self {
        let Peek {
            format,
            facts: Facts { chain_id, genesis, finalized, base, state_floor, position, proofs, .. },
        } = peek;
        Self {
            format: FORMAT,
            build: env!("CARGO_PKG_VERSION").to_owned(),
            made_ms,
            chain_id: *chain_id,
            genesis: *genesis,
            head,
            finalized: *finalized,
            base: *base,
            state_floor: *state_floor,
            position: *position,
            proofs: *proofs,
            store_format: *format,
            files,
        }
    }

    /// Bytes and name.
    ///
    /// # Errors
    /// When a field has no JSON; each of these has.
    pub fn encode(&self) -> Result<(Id, Vec<u8>), serde_json::Error> {
        let bytes = serde_json::to_vec(self)?;
        Ok((Id::new(self.head.number, self.made_ms, &bytes), bytes))
    }

    /// Manifest of the snapshot of that name.
    ///
    /// # Errors
    /// When the bytes are not those of that name, or of no use to this build.
    pub fn decode(id: &Id, bytes: &[u8]) -> Result<Self, Unusable> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        if !id.0.ends_with(&Id::digest(bytes)) {
            return Err(Unusable::Damaged);
        }
        let Version { format } = serde_json::from_slice(bytes).map_err(Unusable::Malformed)?;
        if format != FORMAT {
            return Err(Unusable::Format { found: format });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(Unusable::Malformed)?;
        if *id != Id::new(manifest.head.number, manifest.made_ms, bytes) {
            return Err(Unusable::Damaged);
        }
        manifest.check().map_err(Unusable::Files)?;
        Ok(manifest)
    }

    /// Checks that the files make a database, and that no name leads out of its directory.
    fn check(&self) -> Result<(), String> {
        if self.files.len() > FILES_MAX {
            return Err(format!("{} files, more than a database has", self.files.len()));
        }
        if let Some(file) = self.files.iter().find(|file| Kind::of(&file.name).is_none()) {
            return Err(format!("`{}`, which is no file of a database", file.name));
        }
        if !self.files.is_sorted_by(|one, two| one.name < two.name) {
            return Err("a file twice".to_owned());
        }
        if !self.files.iter().any(|file| file.name == CURRENT) {
            return Err(format!("no {CURRENT}, which every database has"));
        }
        Ok(())
    }

    /// Manifest in a few fields, for people and their scripts.
    #[must_use]
    pub fn to_json(&self, id: &Id) -> serde_json::Value {
        serde_json::json!({
            "id": id.to_string(),
            "number": self.head.number,
            "hash": self.head.hash.to_string(),
            "files": self.files.len(),
            "bytes": self.bytes(),
        })
    }

    /// Size of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }
}

#[cfg(test)]
pub(crate) mod tests;
