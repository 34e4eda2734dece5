//! Signing key of filters: made at the first start, or read from a shared file.

use maidenlane_config::listeners::SecretFile;
use maidenlane_service::{Exit, Failure};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Least length of a key: shorter ones can be guessed.
const MIN_BYTES: usize = 32;
/// File name of the own key, in the state directory.
const OWN: &str = "filter.key";

/// Source of the signing key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// Own key, made at the first start and kept in the state directory: no other replica knows the filters of this
    /// one.
    Own,
    /// Key file that all replicas behind one balancer have.
    Shared(SecretFile),
}

impl Key {
    /// Reads the key, and makes an own one at the first start.
    ///
    /// # Errors
    /// The key cannot be read, or is too short: settings. The disk refuses a new one, which may pass.
    pub(crate) fn load(&self, state_dir: &Path) -> Result<Vec<u8>, Failure> {
        let wrong = |what: String| Failure::new(Exit::Settings, format!("filters: {what}"));
        let path = match self {
            Self::Own => state_dir.join(OWN),
            Self::Shared(file) => {
                file.path(maidenlane_service::env("CREDENTIALS_DIRECTORY").as_deref()).map_err(wrong)?
            }
        };
        let failed = |verb, error| Failure::file(format_args!("filters: {verb} {}", path.display()), &error);
        if *self == Self::Own && !path.exists() {
            make(&path).map_err(|error| failed("make", error))?;
        }
        let key = std::fs::read(&path).map_err(|error| failed("read", error))?;
        if key.trim_ascii().len() < MIN_BYTES {
            let place = path.display();
            return Err(wrong(format!(
                "{place} is too short for a key: {MIN_BYTES} bytes or more, such as of `openssl rand -hex 32`"
            )));
        }
        Ok(key.trim_ascii().to_vec())
    }
}

/// Makes a key that is there whole or not at all: one that a full disk or a power cut left in part would be refused at
/// every start.
fn make(path: &Path) -> std::io::Result<()> {
    let digits = alloy::hex::encode(rand::random::<[u8; 32]>());
    let draft = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(digits.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::{Key, OWN};
    use maidenlane_config::listeners::SecretFile;
    use maidenlane_service::Exit;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_key_of_ones_own_is_made_once_and_for_nobody_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let key = Key::Own.load(dir.path()).expect("a key");
        assert_eq!(key.len(), 64);
        assert_eq!(Key::Own.load(dir.path()).expect("a key"), key);
        let mode = dir.path().join(OWN).metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let other = tempfile::tempdir().expect("a directory");
        assert_ne!(Key::Own.load(other.path()).expect("a key"), key);
    }

    #[test]
    fn a_full_disk_leaves_no_part_of_a_key() {
        let dir = tempfile::tempdir().expect("a directory");
        let draft = dir.path().join("filter.new");
        std::os::unix::fs::symlink("/dev/full", &draft).expect("a full disk");
        assert_eq!(Key::Own.load(dir.path()).expect_err("no room").exit, Exit::GaveUp);
        std::fs::remove_file(draft).expect("room");
        Key::Own.load(dir.path()).expect("a key");
    }

    #[test]
    fn a_shared_key_is_read_and_must_be_long() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key");
        let shared = Key::Shared(SecretFile::Path(path.clone()));
        let refused = || shared.load(dir.path()).expect_err("no key");
        assert!(refused().exit == Exit::Settings && refused().to_string().contains("key"));
        std::fs::write(&path, "a".repeat(31) + "\n").expect("written");
        assert!(refused().exit == Exit::Settings && refused().to_string().contains("32 bytes or more"));
        std::fs::write(&path, "a".repeat(32) + "\n").expect("written");
        assert_eq!(shared.load(dir.path()).expect("a key"), vec![b'a'; 32]);
    }
}
