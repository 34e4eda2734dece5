//! A machine on which Maidenlane was installed as its README says, with a recorded master beside it.

use std::{ops::Deref, path::Path, process::Child, time::Duration};

use maidenlane_tests::{
    interrupt::Interrupt,
    machine::{self, Machine},
    master,
    product::{self, Product},
    replay::Replay,
    rpc::Client,
    settings::{self, Log},
    wait,
};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const TAP: &str = "maidenlane-tap@main.service";
pub(crate) const REPLICA: &str = "maidenlane-replica@main.service";
/// For what takes a healthy service a second or two.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const SPOOL: &str = "/var/lib/maidenlane/spool";
pub(crate) const LOG: &str = "/var/lib/maidenlane/log";
pub(crate) const MASTER: &str = "/var/lib/geth";
const BUILD: &str = "/opt/build";

/// A machine with everything installed and no service started.
pub(crate) struct Host {
    pub(crate) machine: Machine,
    pub(crate) dir: TempDir,
}

/// A host whose master is a recorded one.
// Dropped in this order: services before what they talk to.
pub(crate) struct Lane {
    host: Host,
    pub(crate) replay: Replay,
    pub(crate) chain_id: u64,
}

impl Deref for Lane {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

impl Lane {
    /// Set up with no service started and the master at block 0. `None`, said aloud, where there can be no such machine.
    pub(crate) fn new() -> Option<Self> {
        let dir = TempDir::with_prefix("maidenlane-").unwrap();
        let replay = Replay::start(&product::vectors(), dir.path()).unwrap();
        let chain_id = replay.rpc().quantity("eth_chainId", &json!([])).unwrap();
        let host = Host::new(dir, &[(replay.ipc().parent().unwrap(), MASTER), (replay.spool(), SPOOL)])?;
        let lane = Self { host, replay, chain_id };
        lane.set_up();
        Some(lane)
    }

    /// Switches it off, with everything stopped in order.
    pub(crate) fn off(self) {
        self.host.machine.off().unwrap();
    }

    fn set_up(&self) {
        let log =
            format!("maidenlane log init --dir {LOG} --chain {} --feed {}", settings::CHAIN, settings::FEED);
        self.machine.run(&log).unwrap();
        // As geth's drop-in has it.
        self.machine.run(&format!("chgrp -R maidenlane-master {SPOOL} {MASTER}")).unwrap();
        self.machine.run(&format!("chmod -R g+rwX {SPOOL} {MASTER}")).unwrap();
        self.configure("tap", &self.tap_settings());
        self.configure("replica", &self.replica_settings());
    }

    fn log(&self) -> Log {
        Log::Segment(Path::new(LOG).to_owned())
    }

    pub(crate) fn tap_settings(&self) -> String {
        let (spool, ipc) = (Path::new(SPOOL), Path::new(MASTER).join("geth.ipc"));
        settings::tap(spool, &ipc, self.chain_id, &self.log(), Path::new("/var/lib/maidenlane/tap-main"))
    }

    pub(crate) fn replica_settings(&self) -> String {
        settings::replica(self.chain_id, &self.log(), Path::new("/var/lib/maidenlane/replica-main"))
    }

    /// Announces all blocks that are left.
    pub(crate) fn play(&self) {
        self.replay.play(Duration::ZERO, &Interrupt::default());
    }

    /// Waits until the replica answers with the master's head.
    pub(crate) fn followed(&self) {
        self.followed_by("main");
    }

    pub(crate) fn followed_by(&self, instance: &str) {
        let head = self.replay.rpc().block_number().unwrap();
        let seen = wait::until("the replica to have the head", PATIENCE, || {
            let number = self.rpc(instance).block_number().map_err(|failure| failure.to_string())?;
            if number == head { Ok(()) } else { Err(format!("block {number} of {head}")) }
        });
        let unit = format!("maidenlane-replica@{instance}.service");
        seen.unwrap_or_else(|failure| panic!("{failure}\n{:#?}", self.logged(&unit)));
    }
}

impl Host {
    /// With a real geth under a user of its own, which lets the tap in through the shipped drop-in, and an empty log. No
    /// service is started. `None`, said aloud, where there can be no such machine.
    pub(crate) fn with_geth(service: &str) -> Option<Self> {
        let geth = master::build().unwrap();
        let dir = TempDir::with_prefix("maidenlane-").unwrap();
        let host = Self::new(dir, &[(geth.parent().unwrap(), "/opt/geth")])?;
        host.machine.write("/etc/sysusers.d/geth.conf", "u geth - - /var/lib/geth\n").unwrap();
        host.machine.write("/etc/systemd/system/geth.service", service).unwrap();
        for line in [
            "systemd-sysusers".to_owned(),
            "mkdir -p /etc/systemd/system/geth.service.d".to_owned(),
            "cp /usr/share/maidenlane/geth.service.d/maidenlane.conf /etc/systemd/system/geth.service.d/"
                .to_owned(),
            "systemctl daemon-reload".to_owned(),
            format!("maidenlane log init --dir {LOG} --chain {} --feed {}", settings::CHAIN, settings::FEED),
        ] {
            host.machine.run(&line).unwrap();
        }
        Some(host)
    }

    /// With directories of this machine bound into it. `None`, said aloud, where there can be no such machine.
    pub(crate) fn new(dir: TempDir, binds: &[(&Path, &str)]) -> Option<Self> {
        let product = Product::build().unwrap();
        let build = product.binary("maidenlane");
        let host = Self::bare(dir, &[&[(build.parent().unwrap(), BUILD)], binds].concat())?;
        host.install();
        Some(host)
    }

    /// With nothing of ours but the binds.
    pub(crate) fn bare(dir: TempDir, binds: &[(&Path, &str)]) -> Option<Self> {
        if let Some(missing) = machine::missing() {
            println!("not run: {missing}");
            return None;
        }
        let machine = Machine::boot(dir.path(), binds).unwrap();
        Some(Self { machine, dir })
    }

    /// As on any Debian.
    pub(crate) fn install(&self) {
        self.machine.run(&format!("{BUILD}/maidenlane install")).unwrap();
        for command in ["systemd-sysusers", "systemd-tmpfiles --create", "systemctl daemon-reload"] {
            self.machine.run(command).unwrap();
        }
    }

    pub(crate) fn configure(&self, daemon: &str, settings: &str) {
        self.machine.write(&format!("/etc/maidenlane/{daemon}/main.dhall"), settings).unwrap();
    }

    /// A drop-in, as `systemctl edit` writes it.
    pub(crate) fn edit(&self, unit: &str, text: &str) {
        self.machine.write(&format!("/etc/systemd/system/{unit}.d/test.conf"), text).unwrap();
        self.machine.run("systemctl daemon-reload").unwrap();
    }

    pub(crate) fn systemctl(&self, words: &str) {
        // A start that waits for what never comes would wait for ever.
        let line = format!("timeout {} systemctl {words}", 2 * PATIENCE.as_secs());
        self.machine.run(&line).unwrap_or_else(|failure| {
            let journal = self.machine.run("journalctl --no-pager --lines=30 --unit=maidenlane-*");
            panic!("{failure}\n{}", journal.unwrap_or_default());
        });
    }

    /// Begins `systemctl WORDS` and does not wait for its end.
    pub(crate) fn spawn_systemctl(&self, words: &str) -> Child {
        self.machine.command("systemctl").args(words.split_whitespace()).spawn().unwrap()
    }

    pub(crate) fn property(&self, unit: &str, name: &str) -> String {
        self.machine.property(unit, name).unwrap()
    }

    /// Waits until a property has a value.
    pub(crate) fn becomes(&self, unit: &str, name: &str, wanted: &str) {
        let what = format!("{name} of {unit} to be {wanted}");
        let seen = wait::until(&what, PATIENCE, || {
            let value = self.machine.property(unit, name).map_err(|failure| failure.to_string())?;
            if value == wanted { Ok(()) } else { Err(value) }
        });
        seen.unwrap_or_else(|failure| panic!("{failure}\n{:#?}", self.logged(unit)));
    }

    /// Waits until the status line begins so.
    pub(crate) fn status_begins(&self, unit: &str, wanted: &str) {
        let seen = wait::until(&format!("the status line of {unit} to begin: {wanted}"), PATIENCE, || {
            let line = self.machine.property(unit, "StatusText").map_err(|failure| failure.to_string())?;
            if line.starts_with(wanted) { Ok(()) } else { Err(line) }
        });
        seen.unwrap_or_else(|failure| panic!("{failure}\n{:#?}", self.logged(unit)));
    }

    /// The address of a listener of a service.
    pub(crate) fn address(&self, service: &str, listener: &str) -> String {
        let file = format!("/var/lib/maidenlane/{service}/addresses.json");
        let text = self.machine.run(&format!("cat {file}")).unwrap();
        let addresses: Value = serde_json::from_str(&text).unwrap();
        addresses.get(listener).and_then(Value::as_str).unwrap().to_owned()
    }

    pub(crate) fn rpc(&self, instance: &str) -> Client {
        Client::new(format!("http://{}", self.address(&format!("replica-{instance}"), "rpc")))
    }

    /// Log lines of `unit`: priority and text.
    pub(crate) fn logged(&self, unit: &str) -> Vec<(String, String)> {
        let journal = self.machine.journal(unit).unwrap();
        let lines = journal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let text = |line: &Value, name: &str| {
            line.get(name).and_then(Value::as_str).map(str::to_owned).unwrap_or_default()
        };
        lines.map(|line| (text(&line, "PRIORITY"), text(&line, "MESSAGE"))).collect()
    }
}
