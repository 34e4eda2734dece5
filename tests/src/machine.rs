//! A machine with a real systemd: Debian in a container of its own, booted from a cached root and forgotten when it is
//! switched off.
//!
//! Its files are a layer in memory above the root, its processes a tree of their own. It shares the network, so that a
//! test can ask its daemons over loopback.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    failure::{Doing, Failure, Outcome},
    install::{self, MACHINE},
    process::Process,
    product, wait,
};

/// The release of Debian, whose systemd is the newest that the units were tried with.
const RELEASE: &str = "trixie";
/// Besides the smallest system: what `systemctl` needs, and what our binaries link.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,libstdc++6";
/// Boots in about a second; a busy machine takes longer.
const BOOT_MAX: Duration = Duration::from_secs(60);
const OFF_MAX: Duration = Duration::from_secs(60);

/// Joins the hierarchies of cgroups under a name of its own, else two machines would share one, and boots.
const BOOT: &str = r#"
for hierarchy in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
    if [ -e "$hierarchy/cgroup.procs" ]; then
        mkdir -p "$hierarchy/$0" && echo $$ > "$hierarchy/$0/cgroup.procs" || exit 1
    fi
done
exec systemd-nspawn --machine="$0" --boot --register=no --keep-unit --console=read-only --volatile=overlay "$@"
"#;

/// A booted machine. Dropping it pulls the plug.
#[derive(Debug)]
pub struct Machine {
    name: String,
    nspawn: Process,
    /// Process id of the machine's init, as seen from outside.
    leader: u32,
}

/// Why there can be no such machine here, said aloud by whoever asked; installs what may be installed.
#[must_use]
pub fn missing() -> Option<String> {
    if let Err(failure) = install::ensure(&MACHINE) {
        return Some(failure.to_string());
    }
    root().err().map(|failure| failure.to_string())
}

/// The root that all machines boot from, made once.
fn root() -> Outcome<PathBuf> {
    let home = product::cache().join("machine");
    fs::create_dir_all(&home).doing(|| format!("create {}", home.display()))?;
    let lock = fs::File::create(home.join("lock")).doing(|| format!("lock {}", home.display()))?;
    lock.lock().doing(|| format!("lock {}", home.display()))?;
    let (root, draft) = (home.join(RELEASE), home.join(format!("{RELEASE}.new")));
    if root.exists() {
        return Ok(root);
    }
    if draft.exists() {
        fs::remove_dir_all(&draft).doing(|| format!("remove {}", draft.display()))?;
    }
    eprintln!("making a root of Debian {RELEASE}, once …");
    let mut command = Command::new("debootstrap");
    command.args(["--variant=minbase", &format!("--include={PACKAGES}"), RELEASE]).arg(&draft);
    let output = command.stdin(Stdio::null()).output().doing(|| "start debootstrap".to_owned())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        return Err(Failure::new(format!("no Debian root: debootstrap failed: {said}")));
    }
    fs::rename(&draft, &root).doing(|| format!("create {}", root.display()))?;
    Ok(root)
}

impl Machine {
    /// Boots one that sees `binds`, directories of this machine, under other names. Its console goes to a file in `dir`.
    ///
    /// # Errors
    /// It does not come up.
    pub fn boot(dir: &Path, binds: &[(&Path, &str)]) -> Outcome<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let turn = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("maidenlane-{}-{turn}", std::process::id());
        let mut command = Command::new("sh");
        command.args(["-c", BOOT, &name, "-D"]).arg(root()?);
        for (from, to) in binds {
            command.arg(format!("--bind={}:{to}", from.display()));
        }
        command.env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1");
        let nspawn = Process::start("systemd-nspawn", &mut command, &dir.join("console.log"))?;
        let mut machine = Self { name, nspawn, leader: 0 };
        wait::until("the machine to boot", BOOT_MAX, || {
            machine.nspawn.alive().map_err(|failure| failure.to_string())?;
            machine.leader = machine.first_process().ok_or("it has no process yet")?;
            match machine.run("systemctl is-system-running").map_err(|failure| failure.to_string())? {
                state if state == "running" => Ok(()),
                state => Err(state),
            }
        })?;
        Ok(machine)
    }

    fn first_process(&self) -> Option<u32> {
        let id = self.nspawn.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }

    /// A program in it.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.leader.to_string(), "-m", "-u", "-i", "-p", "-C", "--", program]);
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command line without quotes in it; returns what it printed.
    ///
    /// # Errors
    /// It fails.
    pub fn run(&self, line: &str) -> Outcome<String> {
        let mut words = line.split_whitespace();
        let mut command = self.command(words.next().unwrap_or("true"));
        let output = command.args(words).output().doing(|| format!("run {line}"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        let said = format!("{}\n{}", text(&output.stdout), text(&output.stderr));
        Err(Failure::new(format!("{line}: {}: {}", output.status, said.trim())))
    }

    /// Runs a line of shell.
    ///
    /// # Errors
    /// It fails.
    pub fn shell(&self, script: &str) -> Outcome<String> {
        let output = self.command("sh").args(["-ec", script]).output().doing(|| format!("run {script}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        Err(Failure::new(format!("{script}: {}", String::from_utf8_lossy(&output.stderr))))
    }

    /// Writes a file in it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &str, text: &str) -> Outcome<()> {
        let root = PathBuf::from(format!("/proc/{}/root", self.leader));
        let file = root.join(path.trim_start_matches('/'));
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent).doing(|| format!("create the directory of {path}"))?;
        }
        fs::write(&file, text).doing(|| format!("write {path}"))
    }

    /// One property of a unit, as `systemctl show` tells it.
    ///
    /// # Errors
    /// systemd does not answer.
    pub fn property(&self, unit: &str, name: &str) -> Outcome<String> {
        self.run(&format!("systemctl show {unit} --property={name} --value"))
    }

    /// The journal of a unit, one JSON object a line.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn journal(&self, unit: &str) -> Outcome<String> {
        self.run(&format!("journalctl --no-pager --output=json --unit={unit}"))
    }

    /// Switches it off, with all its services stopped in order.
    ///
    /// # Errors
    /// It does not go off.
    pub fn off(mut self) -> Outcome<()> {
        // The halt signal of systemd as first process.
        let halt = self.run("systemctl poweroff --no-block");
        self.nspawn.wait(OFF_MAX)?;
        halt.map(drop)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // nspawn killed alone would leave its tree for a moment.
        if self.nspawn.ended().is_none()
            && let Some(leader) = i32::try_from(self.leader).ok().and_then(Pid::from_raw)
        {
            let _gone = kill_process(leader, Signal::KILL);
            let _ended = self.nspawn.wait(OFF_MAX);
        }
        self.nspawn.kill();
        for hierarchy in ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"] {
            remove_groups(&Path::new(hierarchy).join(&self.name));
        }
    }
}

/// Groups are removed from the leaves up, and only when they are empty.
fn remove_groups(group: &Path) {
    let Ok(inside) = fs::read_dir(group) else { return };
    for child in inside.flatten().filter(|child| child.path().is_dir()) {
        remove_groups(&child.path());
    }
    let _busy = fs::remove_dir(group);
}
