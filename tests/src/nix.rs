//! Nix without nixpkgs: evaluates our flake and modules against the small stand-ins under `tests/nix`, and builds with what
//! cargo has built already.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    failure::{Doing, Outcome},
    install::{self, NIX},
    process::output,
    product::{self, Product},
};

/// No daemon, no users and no sandbox: a store for the user that runs it. Nothing is fetched.
const CONFIG: &str =
    "experimental-features = nix-command flakes\nsandbox = false\nbuild-users-group =\nsubstituters =\n";

/// Why there is no Nix here, said aloud by whoever asked; installs what may be installed.
#[must_use]
pub fn missing() -> Option<String> {
    install::ensure(&NIX).err().map(|failure| failure.to_string())
}

/// The directory of stand-ins and expressions.
#[must_use]
pub fn home() -> PathBuf {
    product::root().join("tests/nix")
}

/// Runs a program of Nix and returns what it printed. They take turns: without a daemon each is a writer of the store's
/// database, and on a busy machine one that waits for another gives up.
fn run(command: &mut Command) -> Outcome<String> {
    let path = product::cache().join("nix.lock");
    let turn = File::create(&path).doing(|| format!("create {}", path.display()))?;
    turn.lock().doing(|| format!("lock {}", path.display()))?;
    let said = output(command.env("NIX_CONFIG", CONFIG))?;
    Ok(String::from_utf8_lossy(&said).trim().to_owned())
}

/// `nix VERB …` on our flake, with the stand-ins as its inputs.
///
/// # Errors
/// What Nix says.
pub fn flake(words: &[&str]) -> Outcome<String> {
    let mut command = Command::new("nix");
    command.args(words).arg("--no-write-lock-file");
    for input in ["nixpkgs", "crane"] {
        let stub = home().join(format!("stub-{input}"));
        command.args(["--override-input", input]).arg(format!("path:{}", stub.display()));
    }
    run(command.arg(product::root()))
}

/// Builds the `/etc` that the modules make of settings in a directory and a module more, an expression. `salt` tells
/// packages of the same programs apart.
///
/// # Errors
/// It does not evaluate, or a build fails.
pub fn system(product: &Product, settings: &Path, module: &str, salt: &str) -> Outcome<PathBuf> {
    let binary = product.binary("maidenlane");
    let mut command = Command::new("nix-build");
    command.args(["--no-out-link", "--arg", "settings"]).arg(settings);
    command.args(["--arg", "configuration", module]).arg(home().join("system.nix"));
    command.env("MAIDENLANE_BIN", binary.parent().unwrap_or(&binary)).env("MAIDENLANE_SALT", salt);
    run(&mut command).map(PathBuf::from)
}
