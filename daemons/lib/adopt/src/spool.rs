//! Settings of the hook, and its spool: frames of an adoption come there when all of them are whole.
//!
//! # Correctness
//! A feed begins at the newest block that the spool does not reach, so a spool must hold the frames of one adoption only,
//! those behind the state that is exported. They are written to a directory within the spool that no reader looks at, held
//! against the blocks that they must be of, and taken over by their names; a spool that holds anything before is refused,
//! since those frames may be of a feed.

use crate::copy;
use crate::error::{Error, io};
use crate::frames;
use crate::user::{self, User};
use maidenlane_chain::{B256, BlockRef};
use serde_json::{Map, Value};
use std::fmt;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Directory of frames that wait, within the spool: hook and tap look for files that end in `.spool`.
const DRAFT: &str = ".adopting";
/// Room that the hook leaves free, and size of a spool, in megabytes, unless its settings say something else.
const MIN_FREE_MB: u64 = 1_024;
const MAX_SPOOL_MB: u64 = 131_072;
/// Bytes of frames for a million gas: 16,000 to 25,000 were seen, 45,000 and more with trie nodes.
const FRAME_BYTES: u64 = 20_000;
const FRAME_BYTES_TRIE: u64 = 45_000;

/// Settings of the hook, as geth is given them by `--vmtrace.jsonconfig`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook(Map<String, Value>);

impl FromStr for Hook {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let settings: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| format!("no object of JSON: {error}"))?;
        let spool = settings.get("spool").and_then(Value::as_str);
        match spool.map(Path::new) {
            Some(spool) if spool.is_absolute() && spool.parent().is_some() => Ok(Self(settings)),
            _ => Err("it must name a \"spool\", by an absolute path".to_owned()),
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Value::from(self.0.clone()).to_string())
    }
}

impl Hook {
    /// Directory of the spool.
    pub(crate) fn spool(&self) -> PathBuf {
        self.0.get("spool").and_then(Value::as_str).unwrap_or_default().into()
    }

    /// The same settings with an empty directory within the spool, for geth's user.
    pub(crate) fn draft(&self, owner: User) -> Result<Self, Error> {
        let (spool, dir) = (self.spool(), self.dir());
        copy::remove(&dir)?;
        if !spool.exists() {
            fs::create_dir_all(&spool).and_then(|()| owner.give(&spool)).map_err(io("create", &spool))?;
        }
        let made = || {
            fs::create_dir(&dir)?;
            self.user(owner)?.give(&dir)
        };
        made().map_err(io("create", &dir))?;
        let mut settings = self.0.clone();
        settings.insert("spool".to_owned(), dir.display().to_string().into());
        Ok(Self(settings))
    }

    /// User that writes frames: geth's, in the group for which the spool is.
    pub(crate) fn user(&self, owner: User) -> std::io::Result<User> {
        owner.in_group_of(&self.spool())
    }

    /// True if this user can write frames, or the spool can be made where it is to be.
    pub(crate) fn is_writable(&self, owner: User) -> std::io::Result<bool> {
        let spool = self.spool();
        if spool.exists() {
            return self.user(owner)?.may_write(&spool);
        }
        user::i_may_write(copy::existing(&spool))
    }

    /// Bytes that must be free for the frames of blocks with so much gas, and bytes of them that the spool takes.
    pub(crate) fn bytes(&self, gas: u64) -> (u64, u64) {
        let megabytes = |name: &str, default: u64| {
            let set = self.0.get(name).and_then(Value::as_u64).filter(|megabytes| *megabytes > 0);
            set.unwrap_or(default).saturating_mul(1 << 20)
        };
        let has_trie = self.0.get("trie").and_then(Value::as_bool).unwrap_or_default();
        let per_gas = if has_trie { FRAME_BYTES_TRIE } else { FRAME_BYTES };
        let frames = gas.div_ceil(1_000_000).saturating_mul(per_gas);
        let max = megabytes("maxSpool_MB", MAX_SPOOL_MB);
        (megabytes("minFree_MB", MIN_FREE_MB).saturating_add(frames), max.saturating_sub(frames))
    }

    /// True if there is nothing in the spool.
    pub(crate) fn is_empty(&self) -> Result<bool, Error> {
        let spool = self.spool();
        match fs::read_dir(&spool) {
            Ok(entries) => Ok(entries.flatten().all(|entry| entry.file_name() == DRAFT)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(io("read", &spool)(error)),
        }
    }

    /// Removes what was not taken over.
    pub(crate) fn discard(&self) -> Result<(), Error> {
        copy::remove(&self.dir())
    }

    /// Checks that the frames which wait lead from a head down to a base: the hook has refused none of them.
    pub(crate) fn check(&self, base: BlockRef, head: B256) -> Result<(), Error> {
        let parents = frames::parents(&self.dir())?;
        let mut block = head;
        while block != base.hash {
            let Some(parent) = parents.get(&block) else {
                return Err(Error::NoFrames { spool: self.spool(), block });
            };
            block = *parent;
        }
        Ok(())
    }

    /// Moves the frames that wait into the spool, or what a start before has left to move.
    pub(crate) fn take_over(&self) -> Result<(), Error> {
        let (dir, spool) = (self.dir(), self.spool());
        if !dir.exists() {
            return Ok(());
        }
        let mode = fs::metadata(&spool).map_err(io("look at", &spool))?.permissions().mode();
        for entry in fs::read_dir(&dir).map_err(io("read", &dir))? {
            let name = entry.map_err(io("read", &dir))?.file_name();
            // The tap reads them through the group, whatever the mask of whoever adopts.
            let open = Permissions::from_mode(0o600 | mode & 0o066);
            fs::set_permissions(dir.join(&name), open).map_err(io("open to the tap", &dir.join(&name)))?;
            fs::rename(dir.join(&name), spool.join(&name)).map_err(io("move a file to", &spool))?;
        }
        copy::sync(&spool)?;
        self.discard()
    }

    fn dir(&self) -> PathBuf {
        self.spool().join(DRAFT)
    }
}

#[cfg(test)]
mod tests {
    use super::Hook;
    use crate::error::Error;
    use crate::user::User;
    use maidenlane_chain::{B256, BlockRef};
    use maidenlane_wire::frame::{Frame, encode};
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::path::Path;

    #[test]
    fn a_hook_needs_a_spool() {
        let whole = r#"{"spool":"/var/lib/maidenlane/spool","trie":true}"#;
        assert_eq!(whole.parse::<Hook>().unwrap().to_string(), whole);
        for bad in ["", "spool", "{}", r#"{"spool":1}"#, r#"{"spool":"spool"}"#, r#"{"spool":"/"}"#] {
            assert!(bad.parse::<Hook>().is_err(), "{bad}");
        }
    }

    /// A hook with a spool below `dir`, and the user of this test.
    fn hook(dir: &Path) -> (Hook, User) {
        let hook = serde_json::json!({"spool": dir.join("spool")}).to_string().parse().unwrap();
        (hook, User::of(dir).unwrap())
    }

    #[test]
    fn frames_come_to_the_spool_when_they_are_whole() {
        let dir = tempfile::tempdir().unwrap();
        let ((hook, me), spool) = (hook(dir.path()), dir.path().join("spool"));
        for left in [vec![], vec!["1.spool"], vec!["1.spool", "2.spool"]] {
            assert!(hook.is_empty().unwrap());
            let draft = hook.draft(me).unwrap();
            left.iter().for_each(|name| fs::write(draft.spool().join(name), name).unwrap());
            assert!(hook.is_empty().unwrap());
            hook.take_over().unwrap();
            assert_eq!(hook.is_empty().unwrap(), left.is_empty());
            // Again, by a start after a kill.
            hook.take_over().unwrap();
            let mut found: Vec<_> =
                fs::read_dir(&spool).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            found.sort();
            assert_eq!(found, left);
            fs::remove_dir_all(&spool).unwrap();
        }
    }

    #[test]
    fn frames_are_open_to_whom_the_spool_is() {
        let dir = tempfile::tempdir().unwrap();
        let ((hook, me), spool) = (hook(dir.path()), dir.path().join("spool"));
        fs::create_dir(&spool).unwrap();
        for (mode, expect) in [(0o700, 0o600), (0o2770, 0o660), (0o755, 0o644)] {
            fs::set_permissions(&spool, Permissions::from_mode(mode)).unwrap();
            let frames = hook.draft(me).unwrap().spool().join("1.spool");
            fs::write(&frames, "").unwrap();
            fs::set_permissions(&frames, Permissions::from_mode(0o600)).unwrap();
            hook.take_over().unwrap();
            let found = fs::metadata(spool.join("1.spool")).unwrap().mode() & 0o777;
            assert_eq!(found, expect, "a spool of mode {mode:o}");
        }
    }

    #[test]
    fn frames_that_the_hook_refused_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let (hook, me) = hook(dir.path());
        let [base, one, two] = [1, 2, 3].map(B256::repeat_byte);
        let end = |hash, parent, number| encode(&Frame::End { hash, parent, number });
        let frames = hook.draft(me).unwrap().spool().join("1.spool");
        fs::write(&frames, [end(one, base, 1), end(two, one, 2)].concat()).unwrap();
        hook.check(BlockRef::new(0, base), two).unwrap();
        fs::write(&frames, end(two, one, 2)).unwrap();
        let refused = hook.check(BlockRef::new(0, base), two);
        assert!(matches!(refused, Err(Error::NoFrames { block, .. }) if block == one), "{refused:?}");
    }

    #[test]
    fn frames_take_room_that_the_settings_of_the_hook_bound() {
        let bytes = |settings: &str| settings.parse::<Hook>().unwrap().bytes(3_000_000);
        const MB: u64 = 1 << 20;
        let plain = r#"{"spool":"/s"}"#;
        assert_eq!(bytes(plain), (1_024 * MB + 60_000, 131_072 * MB - 60_000));
        let bounded = r#"{"spool":"/s","trie":true,"minFree_MB":8,"maxSpool_MB":16}"#;
        assert_eq!(bytes(bounded), (8 * MB + 135_000, 16 * MB - 135_000));
    }
}
