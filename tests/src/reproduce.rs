//! Release builds that must not depend on who makes them, where and when: two of them, compared byte for byte.
//!
//! The second is made in another directory with a longer name, by another user as far as the compilers can see, from files
//! of another age, some minutes later.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use sha2::{Digest, Sha256};

use crate::{
    failure::{Doing, Failure, Outcome},
    install::{self, GO},
    process::output,
    product,
};

const BINARIES: [&str; 7] = [
    "maidenlane",
    "maidenlane-tap",
    "maidenlane-replica",
    "maidenlane-emitter",
    "maidenlane-health",
    "maidenlane-relay",
    "geth",
];
/// The directory of the first build and of the second, below one of their own.
const PLACES: [&str; 2] = ["a", "somewhere/else-entirely"];
/// Long ago, but within what every archive can write.
const AGE: Duration = Duration::from_secs(1_000_000_000);

/// Place of the builds.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where both builds go; some gigabytes, removed at the end
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Builds twice and prints the hashes; says whether they are equal.
///
/// # Errors
/// A build fails.
pub fn run(arguments: &Arguments) -> Outcome<bool> {
    install::ensure(&install::BUILD)?;
    install::ensure(&[GO])?;
    let home = arguments.dir.clone().unwrap_or_else(env::temp_dir);
    let dir = tempfile::Builder::new().prefix("maidenlane-reproduce-").tempdir_in(home)?;
    let mut hashes = Vec::new();
    for (turn, place) in PLACES.iter().enumerate() {
        println!("building in {place} …");
        hashes.push(Build { dir: dir.path().join(place), other: turn > 0 }.hashes()?);
    }
    let mut equal = true;
    let [first, second] = hashes.as_slice() else { return Err(Failure::new("two builds were to be made")) };
    for ((name, one), two) in BINARIES.iter().zip(first).zip(second) {
        equal &= one == two;
        let verdict = if one == two { "equal    " } else { "DIFFERENT" };
        println!(
            "{verdict}  {name:<20} {one}{}",
            if one == two { String::new() } else { format!("\n{two:>97}") }
        );
    }
    Ok(equal)
}

struct Build {
    dir: PathBuf,
    /// By another user, from older files.
    other: bool,
}

impl Build {
    fn hashes(&self) -> Outcome<Vec<String>> {
        let source = self.dir.join("source");
        self.check_out(&source)?;
        let mut cargo = self.command("cargo");
        cargo.args(["build", "--quiet", "--release", "--locked", "--bins", "--workspace"]);
        cargo.args(["--exclude", "maidenlane-tests"]).current_dir(&source);
        self.hide_paths(&mut cargo);
        output(&mut cargo)?;
        let built = self.dir.join("target/release");
        let mut geth = self.command(built.join("maidenlane"));
        geth.args(["geth", "build", "--out"]).arg(&built);
        output(geth.env("GOCACHE", self.dir.join("go")))?;
        BINARIES.iter().map(|name| hash(&built.join(name))).collect()
    }

    /// Copies the files that git knows, as they are now.
    fn check_out(&self, to: &Path) -> Outcome<()> {
        let listed = output(Command::new("git").args(["ls-files", "-z"]).current_dir(product::root()))?;
        for name in String::from_utf8_lossy(&listed).split('\0').filter(|name| !name.is_empty()) {
            let (from, path) = (product::root().join(name), to.join(name));
            fs::create_dir_all(path.parent().unwrap_or(to)).doing(|| format!("create {}", path.display()))?;
            fs::copy(&from, &path).doing(|| format!("copy {name}"))?;
            if self.other {
                let file = fs::File::options().write(true).open(&path)?;
                file.set_modified(SystemTime::now() - AGE)?;
            }
        }
        Ok(())
    }

    /// A program as the user of this build.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = if self.other {
            let mut unshare = Command::new("unshare");
            unshare.args(["--user", "--map-user=4321", "--map-group=4321", "--"]).arg(program);
            unshare.env("USER", "somebody-else");
            unshare
        } else {
            Command::new(program)
        };
        command.env("CARGO_TARGET_DIR", self.dir.join("target"));
        product::forget_harness(&mut command);
        command
    }

    /// Paths in panics and debug information, of Rust, C and C++.
    fn hide_paths(&self, cargo: &mut Command) {
        let home = env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
        let mut rust = format!("--remap-path-prefix={}=/maidenlane", self.dir.display());
        let mut c = format!("-ffile-prefix-map={}=/maidenlane", self.dir.display());
        if let Some(home) = home {
            rust += &format!(" --remap-path-prefix={}=/cargo", home.display());
            c += &format!(" -ffile-prefix-map={}=/cargo", home.display());
        }
        cargo.env("RUSTFLAGS", rust).env("CFLAGS", &c).env("CXXFLAGS", &c);
        cargo.env("SOURCE_DATE_EPOCH", "1");
    }
}

fn hash(path: &Path) -> Outcome<String> {
    let bytes = fs::read(path).doing(|| format!("read {}", path.display()))?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}
