//! Identities that an operator enrolled while the relay ran: on disk, and let in at once.
//!
//! # Why they are not in the settings
//! Customers come and go more often than a relay should be restarted. What a name means stands in one place all the same: none is
//! enrolled that the settings have.

use maidenlane_jsonrpc::identity::Identity;
use maidenlane_jsonrpc::roll::{Digest, Roll};
use maidenlane_service::files;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Identities at one time.
const MOST: usize = 10_000;
/// Bytes of a name.
const NAME_MAX_BYTES: usize = 64;

/// Rights and budgets of an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rights {
    /// Namespaces, of those of the listener; `None` for all.
    pub namespaces: Option<Vec<String>>,
    /// Calls per second; `None` for any number.
    pub calls_per_second: Option<u32>,
    /// Size of all requests of a minute, in MB; `None` for any.
    #[serde(rename = "requests_MB_per_min")]
    pub requests_mb_per_min: Option<u32>,
}

/// Identity that was enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Enrolled {
    /// SHA-256 of its token, in hex.
    pub token_sha256: String,
    /// Rights and budgets.
    pub rights: Rights,
    /// Unix time in milliseconds of the enrolment.
    pub since_ms: u64,
}

/// Reason for which nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Unchanged {
    /// The name is another's.
    #[error("choose another name: `{name}` is {whose}")]
    Taken {
        /// Name.
        name: String,
        /// Holder of the name.
        whose: &'static str,
    },
    /// Nobody has that name.
    #[error("name an identity that was enrolled: `{name}` was not")]
    Unknown {
        /// Name.
        name: String,
    },
    /// A name that cannot be one.
    #[error("choose a name of 1 to {NAME_MAX_BYTES} letters, digits and any of - _ .")]
    Name,
    /// A digest that is none.
    #[error("send the SHA-256 of the token as 64 hex digits")]
    Token,
    /// The token is another identity's.
    #[error("choose another token: it is that of `{name}`")]
    Shared {
        /// Name of the identity that has it.
        name: String,
    },
    /// Too many.
    #[error("revoke one first: {MOST} identities are enrolled")]
    Full,
    /// The disk.
    #[error("write {}", path.display())]
    Disk {
        /// File.
        path: PathBuf,
        /// Fault.
        source: io::Error,
    },
}

/// Identities, by their names.
#[derive(Debug)]
pub struct Register {
    path: PathBuf,
    all: BTreeMap<String, Enrolled>,
    roll: Roll,
}

impl Register {
    /// Reads those in `dir`.
    ///
    /// # Errors
    /// When the file cannot be read, or is none: who may come in must not be guessed.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let path = dir.join("identities.json");
        let all: BTreeMap<String, Enrolled> = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                let text =
                    format!("read {}: {error}; enrol the identities anew, or remove it", path.display());
                io::Error::other(text)
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        let roll = Roll::default();
        for (name, enrolled) in &all {
            let token = digest_of(&enrolled.token_sha256);
            let token = token.ok_or_else(|| {
                let text = format!("read {}: `{name}` has no SHA-256; enrol it anew", path.display());
                io::Error::other(text)
            })?;
            roll.enrol(token, identity(name, &enrolled.rights));
        }
        Ok(Self { path, all, roll })
    }

    /// Roll of those who may come in, which follows all changes.
    #[must_use]
    pub fn roll(&self) -> Roll {
        self.roll.clone()
    }

    /// All of them.
    #[must_use]
    pub const fn all(&self) -> &BTreeMap<String, Enrolled> {
        &self.all
    }

    /// Enrols an identity: durably, then it may come in.
    ///
    /// # Errors
    /// Nothing has changed.
    pub fn add(&mut self, name: &str, enrolled: Enrolled) -> Result<(), Unchanged> {
        let is_word =
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        if !is_word || name.is_empty() || name.len() > NAME_MAX_BYTES {
            return Err(Unchanged::Name);
        }
        let token = digest_of(&enrolled.token_sha256).ok_or(Unchanged::Token)?;
        if self.all.contains_key(name) {
            return Err(Unchanged::Taken { name: name.to_owned(), whose: "enrolled already" });
        }
        // Hex has two cases, a digest has none.
        let same = |other: &Enrolled| digest_of(&other.token_sha256) == Some(token);
        if let Some((name, _)) = self.all.iter().find(|(_, other)| same(other)) {
            return Err(Unchanged::Shared { name: name.clone() });
        }
        if self.all.len() >= MOST {
            return Err(Unchanged::Full);
        }
        let identity = identity(name, &enrolled.rights);
        let mut all = self.all.clone();
        all.insert(name.to_owned(), enrolled);
        self.write(all)?;
        self.roll.enrol(token, identity);
        Ok(())
    }

    /// Revokes an identity: durably, then it may come in no more, and what it has open ends.
    ///
    /// # Errors
    /// Nothing has changed.
    pub fn revoke(&mut self, name: &str) -> Result<(), Unchanged> {
        let mut all = self.all.clone();
        let gone = all.remove(name).ok_or_else(|| Unchanged::Unknown { name: name.to_owned() })?;
        self.write(all)?;
        if let Some(token) = digest_of(&gone.token_sha256) {
            self.roll.strike(&token);
        }
        Ok(())
    }

    fn write(&mut self, all: BTreeMap<String, Enrolled>) -> Result<(), Unchanged> {
        let written = serde_json::to_vec_pretty(&all).map_err(io::Error::from);
        let written = written.and_then(|bytes| files::write_whole(&self.path, &bytes));
        written.map_err(|source| Unchanged::Disk { path: self.path.clone(), source })?;
        self.all = all;
        Ok(())
    }
}

fn digest_of(hex: &str) -> Option<Digest> {
    let mut digest = Digest::default();
    const_hex::decode_to_slice(hex, &mut digest).ok().map(|()| digest)
}

fn identity(name: &str, rights: &Rights) -> Identity {
    let Rights { namespaces, calls_per_second, requests_mb_per_min } = rights.clone();
    let bytes = requests_mb_per_min.map(|size| u64::from(size).saturating_mul(1_000_000));
    Identity::new(name.to_owned(), namespaces, true, calls_per_second).spending(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Enrolled, Register, Rights, Unchanged};

    fn enrolled(token: u8) -> Enrolled {
        Enrolled {
            token_sha256: const_hex::encode([token; 32]),
            rights: Rights { calls_per_second: Some(7), ..Rights::default() },
            since_ms: 9,
        }
    }

    #[test]
    fn identities_are_kept_and_what_cannot_be_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut register = Register::open(dir.path()).unwrap();
        register.add("one", enrolled(1)).unwrap();
        register.add("two", enrolled(2)).unwrap();
        register.revoke("two").unwrap();
        assert!(matches!(register.revoke("two"), Err(Unchanged::Unknown { .. })));
        assert!(matches!(register.add("one", enrolled(3)), Err(Unchanged::Taken { .. })));
        assert!(
            matches!(register.add("three", enrolled(1)), Err(Unchanged::Shared { name }) if name == "one")
        );
        for name in ["", "a b", "ä", &"x".repeat(65)] {
            assert!(matches!(register.add(name, enrolled(3)), Err(Unchanged::Name)), "{name}");
        }
        let short = Enrolled { token_sha256: "01".to_owned(), ..enrolled(3) };
        assert!(matches!(register.add("three", short), Err(Unchanged::Token)));
        let again = Register::open(dir.path()).unwrap();
        assert_eq!(again.all().iter().collect::<Vec<_>>(), [(&"one".to_owned(), &enrolled(1))]);
        // A disk that refuses changes nothing.
        std::fs::create_dir(dir.path().join("identities.json.new")).unwrap();
        assert!(matches!(register.revoke("one"), Err(Unchanged::Disk { .. })));
        assert_eq!(register.all().len(), 1);
        for broken in ["{", r#"{"one":{"tokenSha256":"01","rights":{},"sinceMs":1}}"#] {
            std::fs::write(dir.path().join("identities.json"), broken).unwrap();
            Register::open(dir.path()).unwrap_err();
        }
    }
}
