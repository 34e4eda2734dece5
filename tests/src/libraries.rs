//! Libraries of other languages that tests read our interfaces with, each set installed once and kept.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    failure::{Doing, Outcome},
    process, product,
};

/// Where a set of libraries lies, installed once for its list of versions. `name` tells it from others.
///
/// # Errors
/// What the installer said.
pub fn installed(name: &str, list: &Path, install: impl FnOnce(&Path) -> Outcome<()>) -> Outcome<PathBuf> {
    let dir = product::cache().join("clients").join(name);
    fs::create_dir_all(&dir).doing(|| format!("create {}", dir.display()))?;
    let lock = fs::File::create(dir.join("lock")).doing(|| format!("create a lock in {}", dir.display()))?;
    lock.lock()?;
    let wanted = fs::read_to_string(list).doing(|| format!("read {}", list.display()))?;
    let done = dir.join("installed");
    if !fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        install(&dir)?;
        fs::write(done, wanted)?;
    }
    Ok(dir)
}

/// Where npm has installed what the list of packages in `from` names; `None`, said aloud, on a machine without it.
///
/// # Errors
/// What npm said.
pub fn npm(name: &str, from: &Path) -> Outcome<Option<PathBuf>> {
    if process::output(Command::new("npm").arg("--version")).is_err() {
        println!("not run: no Node.js with npm");
        return Ok(None);
    }
    let dir = installed(name, &from.join("package-lock.json"), |dir| {
        for list in ["package.json", "package-lock.json"] {
            copied(&from.join(list), dir)?;
        }
        process::output(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(dir))
            .map(drop)
    });
    dir.map(Some)
}

/// A program of Node.js beside its libraries: that is where it looks for them.
///
/// # Errors
/// It cannot be copied.
pub fn copied(file: &Path, dir: &Path) -> Outcome<PathBuf> {
    let beside = dir.join(file.file_name().unwrap_or_default());
    fs::copy(file, &beside).doing(|| format!("copy {}", file.display()))?;
    Ok(beside)
}

/// A Python that has what `list`, a file of pip's, names; `None`, said aloud, on a machine without Python and venv.
///
/// # Errors
/// What pip said.
pub fn python(name: &str, list: &Path) -> Outcome<Option<PathBuf>> {
    if process::output(Command::new("python3").args(["-c", "import venv, ensurepip"])).is_err() {
        println!("not run: no Python with venv");
        return Ok(None);
    }
    let dir = installed(name, list, |dir| {
        process::output(Command::new("python3").args(["-m", "venv"]).arg(dir))?;
        let mut pip = Command::new(dir.join("bin/pip"));
        pip.args(["install", "--quiet", "--no-deps", "--requirement"]).arg(list);
        process::output(&mut pip).map(drop)
    })?;
    Ok(Some(dir.join("bin/python")))
}
