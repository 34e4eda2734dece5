//! Settings of the hook, and its spool: frames of an adoption come there when all of them are whole.
//!
//! # Correctness
//! A feed begins at the newest block that the spool does not reach, so a spool must hold the frames of one adoption only,
//! those behind the state that is exported. They are written to a directory within the spool that no reader looks at, held
//! against the blocks that they must be of, and taken over by their names; a spool that holds anything before is refused,
//! since those frames may be of a feed.

use crate::copy::{self, give};
use crate::error::{Error, io};
use crate::frames;
use maidenlane_chain::{B256, BlockRef};
use serde_json::{Map, Value};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Directory of frames that wait, within the spool: hook and tap look for files that end in `.spool`.
const DRAFT: &str = ".adopting";

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
    pub(crate) fn draft(&self, owner: (u32, u32)) -> Result<Self, Error> {
        let (spool, dir) = (self.spool(), self.dir());
        copy::remove(&dir)?;
        if !spool.exists() {
            fs::create_dir_all(&spool).and_then(|()| give(&spool, owner)).map_err(io("create", &spool))?;
        }
        fs::create_dir(&dir).and_then(|()| give(&dir, owner)).map_err(io("create", &dir))?;
        let mut settings = self.0.clone();
        settings.insert("spool".to_owned(), dir.display().to_string().into());
        Ok(Self(settings))
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
        for entry in fs::read_dir(&dir).map_err(io("read", &dir))? {
            let name = entry.map_err(io("read", &dir))?.file_name();
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
    use std::fs;

    #[test]
    fn a_hook_needs_a_spool() {
        let whole = r#"{"spool":"/var/lib/maidenlane/spool","trie":true}"#;
        assert_eq!(whole.parse::<Hook>().unwrap().to_string(), whole);
        for bad in ["", "spool", "{}", r#"{"spool":1}"#, r#"{"spool":"spool"}"#, r#"{"spool":"/"}"#] {
            assert!(bad.parse::<Hook>().is_err(), "{bad}");
        }
    }

    #[test]
    fn frames_come_to_the_spool_when_they_are_whole() {
        let dir = tempfile::tempdir().unwrap();
        let spool = dir.path().join("spool");
        let hook: Hook = serde_json::json!({"spool": spool}).to_string().parse().unwrap();
        let me = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
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
}
