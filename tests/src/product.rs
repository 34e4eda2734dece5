//! Builds the product and knows where its binaries are.

use std::{
    env,
    io::IsTerminal,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{
    failure::{Failure, Outcome},
    progress,
};

/// Everything but the harness, which runs already: in one build with the product it would be built again, since cargo
/// gives all packages of a build the same features.
const WITHOUT_HARNESS: [&str; 3] = ["--workspace", "--exclude", env!("CARGO_PKG_NAME")];

/// The repository's root.
///
/// # Panics
/// Another clone's program runs in this one's place.
#[must_use]
pub fn root() -> &'static Path {
    own().unwrap_or_else(|failure| panic!("{failure}"));
    built_in()
}

fn built_in() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/"))
}

/// Refuses to go on as a program of another clone, which cargo runs where both share a build directory: see
/// [`crate::clones`].
///
/// # Errors
/// The other clone, and what to do.
pub fn own() -> Outcome<()> {
    let ours = env::var_os("CARGO_PKG_NAME").is_some_and(|name| name == env!("CARGO_PKG_NAME"));
    let run = env::var_os("CARGO_MANIFEST_DIR").filter(|_| ours);
    if run.is_none_or(|run| run == env!("CARGO_MANIFEST_DIR")) {
        return Ok(());
    }
    let built = built_in().display();
    Err(Failure::new(format!(
        "this program was built in the clone {built}, which shares the build directory: run `cargo clean --workspace`, \
         and then the command again"
    )))
}

/// A real geth's recordings.
#[must_use]
pub fn vectors() -> PathBuf {
    root().join("tests/vectors")
}

/// Where everything expensive is kept between runs: the build, geth, the broker.
#[must_use]
pub fn cache() -> PathBuf {
    let home = env::var_os("HOME").map_or_else(env::temp_dir, PathBuf::from);
    env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from).join("maidenlane")
}

/// The build directory, shared by demo, suite and benchmarks unless the caller chose another.
#[must_use]
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| cache().join("target"), PathBuf::from)
}

/// Fixture files from outside the repository, if this machine has them.
#[must_use]
pub fn fixtures() -> Option<PathBuf> {
    let named = env::var_os("MAIDENLANE_FIXTURES").map(PathBuf::from);
    let beside = root().parent().map(|parent| parent.join("shared/fixtures"));
    named.or(beside).filter(|path| path.is_dir())
}

/// A cargo command in the repository, on the shared build directory.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).env("CARGO_TARGET_DIR", target());
    forget_harness(&mut command);
    command
}

/// Keeps from `command` what the cargo that started the harness says of it: some build scripts would be run again for
/// that, and what needs them.
pub fn forget_harness(command: &mut Command) {
    let inherited = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(inherited)) {
        command.env_remove(name);
    }
}

/// The built binaries of the workspace.
#[derive(Debug, Clone)]
pub struct Product {
    dir: PathBuf,
}

impl Product {
    /// Builds all binaries of the workspace, once per process; cargo decides what is left to do.
    ///
    /// # Errors
    /// The build failed; cargo has said why on the terminal.
    pub fn build() -> Outcome<Self> {
        static BUILT: OnceLock<Option<Product>> = OnceLock::new();
        let built = BUILT.get_or_init(|| Self::run_cargo("dev", "debug", &WITHOUT_HARNESS, &["--bins"]));
        built.clone().ok_or_else(|| Failure::new("the product does not build, see above"))
    }

    /// The same with optimisations, for benchmarks.
    ///
    /// # Errors
    /// The build failed.
    pub fn build_release() -> Outcome<Self> {
        // With the benchmarks, which `cargo bench` then finds built: other targets would want other features.
        let benches =
            ["catch_up", "import", "simulation", "throughput"].into_iter().flat_map(|name| ["--bench", name]);
        let targets: Vec<&str> = std::iter::once("--bins").chain(benches).collect();
        Self::run_cargo("release", "release", &["--workspace"], &targets)
            .ok_or_else(|| Failure::new("the release build failed, see above"))
    }

    fn run_cargo(profile: &str, folder: &str, packages: &[&str], targets: &[&str]) -> Option<Self> {
        let mut command = cargo();
        command.args(["build", "--locked", "--profile", profile]).args(packages).args(targets);
        let built = if std::io::stderr().is_terminal() {
            command.status().is_ok_and(|status| status.success())
        } else {
            let mut tree = cargo();
            tree.args(["tree", "--locked"]).args(packages);
            progress::watched(&mut command, &mut tree).inspect_err(|failure| eprintln!("{failure}")).is_ok()
        };
        built.then(|| Self { dir: target().join(folder) })
    }

    /// The path of one binary.
    #[must_use]
    pub fn binary(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A command that runs one binary.
    #[must_use]
    pub fn command(&self, name: &str) -> Command {
        Command::new(self.binary(name))
    }
}
