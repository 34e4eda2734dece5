//! Cordons on disk: a checker that was started anew must not let in what somebody took out.

use crate::foreign::tame;
use crate::view::Cordon;
use maidenlane_service::{Exit, Failure, files};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Name of the file.
pub const FILE: &str = "cordons.json";

/// Cordons, by target.
#[derive(Debug)]
pub struct Cordons {
    path: PathBuf,
    all: BTreeMap<String, Cordon>,
}

/// File of cordons that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CordonsError {
    /// A disk that refuses, or a file that is not ours.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Answer of the operating system.
        source: io::Error,
    },
    /// A file that was cut or edited. Whom somebody took out must not be guessed.
    #[error(
        "read {}: {source}: mend it, {{\"TARGET\":{{\"reason\":\"…\",\"sinceMs\":0,\"drain\":false}}}} for each target that is out, \
         or remove it and give the cordons anew",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Place of the damage.
        source: serde_json::Error,
    },
}

impl From<CordonsError> for Failure {
    fn from(error: CordonsError) -> Self {
        let exit = match &error {
            CordonsError::Read { source, .. } => Exit::of_file(source.kind()),
            CordonsError::Damaged { .. } => Exit::Data,
        };
        Self::new(exit, error)
    }
}

impl Cordons {
    /// Reads those in `dir`.
    ///
    /// # Errors
    /// When the file cannot be read, or is none.
    pub fn open(dir: &Path) -> Result<Self, CordonsError> {
        let path = dir.join(FILE);
        let mut all: BTreeMap<String, Cordon> = match std::fs::read(&path) {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(all) => all,
                Err(source) => return Err(CordonsError::Damaged { path, source }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(source) => return Err(CordonsError::Read { path, source }),
        };
        for cordon in all.values_mut() {
            cordon.reason = tame(&cordon.reason);
        }
        Ok(Self { path, all })
    }

    /// All of them.
    #[must_use]
    pub const fn all(&self) -> &BTreeMap<String, Cordon> {
        &self.all
    }

    /// Puts one, durably or not at all, and returns the one before: who takes a target out must be able to rely on it.
    ///
    /// # Errors
    /// The disk refuses; nothing has changed.
    pub fn put(&mut self, target: &str, cordon: Cordon) -> Result<Option<Cordon>, String> {
        let before = self.all.insert(target.to_owned(), cordon);
        match self.write() {
            Ok(()) => Ok(before),
            Err(reason) => {
                match before {
                    Some(before) => drop(self.all.insert(target.to_owned(), before)),
                    None => drop(self.all.remove(target)),
                }
                Err(reason)
            }
        }
    }

    /// Takes one away and returns it, with the word of the disk.
    ///
    /// # Why whatever the disk says
    /// Who lets a target in again wants it to serve now, and a full disk is one more reason. What is lost at worst is that: after
    /// a restart the target is out again, and says why.
    pub fn lift(&mut self, target: &str) -> (Option<Cordon>, Result<(), String>) {
        let before = self.all.remove(target);
        let written = if before.is_some() { self.write() } else { Ok(()) };
        (before, written)
    }

    /// Writes all of them, durably.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn write(&self) -> Result<(), String> {
        let bytes = serde_json::to_vec_pretty(&self.all).map_err(|error| error.to_string())?;
        files::write_whole(&self.path, &bytes)
            .map_err(|error| format!("write {}: {error}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Cordons, FILE};
    use crate::view::Cordon;
    use maidenlane_service::{Exit, Failure};
    use std::path::Path;

    fn cordon(reason: &str) -> Cordon {
        Cordon { reason: reason.to_owned(), since_ms: 7, drain: true }
    }

    fn on_disk(dir: &Path) -> Vec<(String, String)> {
        let cordons = Cordons::open(dir).unwrap();
        cordons.all().iter().map(|(name, cordon)| (name.clone(), cordon.reason.clone())).collect()
    }

    #[test]
    fn cordons_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut cordons = Cordons::open(dir.path()).unwrap();
        assert_eq!(cordons.put("r1", cordon("new disk")), Ok(None));
        assert_eq!(cordons.put("r1", cordon("a\nb")), Ok(Some(cordon("new disk"))));
        cordons.put("r2", cordon("new disk")).unwrap();
        assert_eq!(cordons.lift("r2"), (Some(cordon("new disk")), Ok(())));
        assert_eq!(cordons.lift("r2"), (None, Ok(())));
        assert_eq!(on_disk(dir.path()), [("r1".to_owned(), "a b".to_owned())], "as one line");
    }

    #[test]
    fn a_disk_that_refuses_takes_nobody_out_and_keeps_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        let mut cordons = Cordons::open(dir.path()).unwrap();
        cordons.put("r1", cordon("new disk")).unwrap();
        let obstacle = dir.path().join("cordons.json.new");
        std::fs::create_dir(&obstacle).unwrap();
        assert!(cordons.put("r1", cordon("other")).unwrap_err().starts_with("write "));
        assert!(cordons.put("r2", cordon("other")).unwrap_err().starts_with("write "));
        assert_eq!(cordons.all().iter().collect::<Vec<_>>(), [(&"r1".to_owned(), &cordon("new disk"))]);
        let (before, written) = cordons.lift("r1");
        assert!(before.is_some() && written.unwrap_err().starts_with("write ") && cordons.all().is_empty());
        assert_eq!(on_disk(dir.path()).len(), 1, "after a restart it would be out");
        std::fs::remove_dir(&obstacle).unwrap();
        cordons.write().unwrap();
        assert!(on_disk(dir.path()).is_empty());
    }

    #[test]
    fn a_broken_file_is_named_with_its_cure_and_no_restart_is_tried() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        std::fs::write(&path, "{").unwrap();
        let failure = Failure::from(Cordons::open(dir.path()).unwrap_err());
        let text = failure.to_string();
        assert_eq!(failure.exit, Exit::Data);
        assert!(text.contains(&path.display().to_string()) && text.contains("remove it"), "{text}");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(Failure::from(Cordons::open(dir.path()).unwrap_err()).exit, Exit::Settings);
    }
}
