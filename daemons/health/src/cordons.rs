//! Cordons on disk: a checker that was started anew must not let in what somebody took out.

use crate::view::Cordon;
use maidenlane_service::files;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Cordons, by target.
#[derive(Debug)]
pub struct Cordons {
    path: PathBuf,
    all: BTreeMap<String, Cordon>,
}

impl Cordons {
    /// Reads those in `dir`.
    ///
    /// # Errors
    /// When the file cannot be read, or is none: whom somebody took out must not be guessed.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let path = dir.join("cordons.json");
        let all = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                io::Error::other(format!(
                    "read {}: {error}; write the cordons anew, or remove it",
                    path.display()
                ))
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { path, all })
    }

    /// All of them.
    #[must_use]
    pub const fn all(&self) -> &BTreeMap<String, Cordon> {
        &self.all
    }

    /// Puts one, or takes it away: durably, or not at all.
    ///
    /// # Errors
    /// The disk refuses; nothing has changed.
    pub fn put(&mut self, target: &str, cordon: Option<Cordon>) -> Result<(), String> {
        let mut all = self.all.clone();
        match cordon {
            Some(cordon) => drop(all.insert(target.to_owned(), cordon)),
            None => drop(all.remove(target)),
        }
        let bytes = serde_json::to_vec_pretty(&all).map_err(|error| error.to_string())?;
        files::write_whole(&self.path, &bytes)
            .map_err(|error| format!("write {}: {error}", self.path.display()))?;
        self.all = all;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Cordons;
    use crate::view::Cordon;

    #[test]
    fn cordons_are_kept_and_what_is_none_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let cordon = Cordon { reason: "new disk".to_owned(), since_ms: 7, drain: true };
        let mut cordons = Cordons::open(dir.path()).unwrap();
        cordons.put("r1", Some(cordon.clone())).unwrap();
        cordons.put("r2", Some(cordon.clone())).unwrap();
        cordons.put("r2", None).unwrap();
        let again = Cordons::open(dir.path()).unwrap();
        assert_eq!(again.all().iter().collect::<Vec<_>>(), [(&"r1".to_owned(), &cordon)]);
        // A disk that refuses changes nothing.
        std::fs::create_dir(dir.path().join("cordons.json.new")).unwrap();
        assert!(cordons.put("r1", None).unwrap_err().starts_with("write "));
        assert_eq!(cordons.all().len(), 1);
        std::fs::write(dir.path().join("cordons.json"), "{").unwrap();
        Cordons::open(dir.path()).unwrap_err();
    }
}
