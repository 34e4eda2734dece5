//! Files of ours that the disk does not take: all who watch are told, for what is only in memory ends with the process.

use crate::view::Warning;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files that wait for the disk, with its reason. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Unwritten(Arc<Mutex<BTreeMap<&'static str, String>>>);

impl Unwritten {
    /// Notes whether a file was written, or why not.
    pub fn note(&self, file: &'static str, written: Result<(), String>) {
        let mut files = self.files();
        match written {
            Ok(()) if files.remove(file).is_some() => tracing::info!("{file}: written again"),
            Ok(()) => {}
            Err(reason) if files.get(file) == Some(&reason) => {}
            Err(reason) => {
                tracing::warn!("{file}: {reason}; trying again");
                files.insert(file, reason);
            }
        }
    }

    /// Warnings of them, for views.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let warning = |(file, reason): (&&str, &String)| Warning {
            name: "record",
            group: String::new(),
            text: format!("{file} cannot be written, and what is new in it is in memory only: {reason}"),
        };
        self.files().iter().map(warning).collect()
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Unwritten;

    #[test]
    fn a_file_warns_until_it_is_written() {
        let unwritten = Unwritten::default();
        unwritten.note("cordons.json", Ok(()));
        assert!(unwritten.warnings().is_empty());
        unwritten.note("cordons.json", Err("no space".to_owned()));
        unwritten.note("incidents.jsonl", Err("no space".to_owned()));
        let told: Vec<String> = unwritten.warnings().into_iter().map(|warning| warning.text).collect();
        assert!(told.len() == 2 && told[0].starts_with("cordons.json cannot be written"), "{told:?}");
        assert!(told[0].ends_with("no space"), "{told:?}");
        unwritten.note("cordons.json", Ok(()));
        assert_eq!(unwritten.clone().warnings().len(), 1);
    }
}
