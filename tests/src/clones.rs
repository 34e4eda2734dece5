//! Clones that share one build directory, for the sake of its dependencies.
//!
//! Cargo tells the packages of two clones apart neither by name nor by place, only by the times of files: in the clone that
//! was built last it is right, in another, whose files are older than that build, it runs the other's programs. So the
//! directory says whose it is, and a clone that comes anew makes its sources the newest.

use std::{
    fs::{self, File},
    path::Path,
    time::SystemTime,
};

use crate::{
    failure::{Doing, Outcome},
    product,
};

/// File of a build directory that names the clone whose packages are in it.
const MARK: &str = "clone";

/// Makes the build directory this clone's.
///
/// # Errors
/// This program is another clone's itself, or the directory cannot be written.
pub fn claim() -> Outcome<()> {
    product::own()?;
    take(product::root(), &product::target())
}

/// Has the sources at `root` newer than what another clone left in the build directory.
fn take(root: &Path, target: &Path) -> Outcome<()> {
    let mark = target.join(MARK);
    let owner = fs::read_to_string(&mark).unwrap_or_default();
    if Path::new(&owner) == root {
        return Ok(());
    }
    if !owner.is_empty() {
        eprintln!("{} was built in {owner} last: this clone's packages are built again …", target.display());
    }
    touch(root)?;
    fs::create_dir_all(target).doing(|| format!("create {}", target.display()))?;
    fs::write(&mark, root.as_os_str().as_encoded_bytes()).doing(|| format!("write {}", mark.display()))
}

/// Makes all Rust sources in a directory as new as the time.
fn touch(dir: &Path) -> Outcome<()> {
    for entry in fs::read_dir(dir).doing(|| format!("read {}", dir.display()))? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let built = name == "target" || name.as_encoded_bytes().starts_with(b".");
        if entry.file_type()?.is_dir() && !built {
            touch(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let file = File::options().append(true).open(&path);
            let touched = file.and_then(|file| file.set_modified(SystemTime::now()));
            touched.doing(|| format!("set the time of {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::process;

    /// A workspace whose only program says `word`.
    fn clone(dir: &Path, word: &str) -> PathBuf {
        let root = dir.join(word);
        fs::create_dir_all(root.join("src")).unwrap();
        fs::write(root.join("Cargo.toml"), "[package]\nname = \"says\"\nversion = \"0.0.0\"\n").unwrap();
        fs::write(root.join("src/main.rs"), format!("fn main() {{ println!(\"{word}\") }}\n")).unwrap();
        root
    }

    #[test]
    fn a_clone_runs_its_own_programs() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (clone(dir.path(), "first"), clone(dir.path(), "second"));
        let target = dir.path().join("target");
        let says = |root: &Path| {
            let mut cargo = product::cargo();
            cargo.current_dir(root).env("CARGO_TARGET_DIR", &target).args(["run", "--quiet"]);
            process::output(&mut cargo).unwrap()
        };
        for (root, word) in [(&first, "first\n"), (&second, "second\n"), (&first, "first\n")] {
            take(root, &target).unwrap();
            assert_eq!(String::from_utf8(says(root)).unwrap(), word);
        }
        // Nothing is built twice for the same clone.
        let built = fs::metadata(target.join("debug/says")).unwrap().modified().unwrap();
        take(&first, &target).unwrap();
        says(&first);
        assert_eq!(fs::metadata(target.join("debug/says")).unwrap().modified().unwrap(), built);
    }
}
