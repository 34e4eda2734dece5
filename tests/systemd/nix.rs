//! The units that the NixOS modules make, on a real systemd, held to the script that the NixOS test runs too.

use std::{fs, path::Path};

use maidenlane_tests::{
    nix,
    product::{self, Product},
    replay::Replay,
    settings,
};
use serde_json::json;
use tempfile::TempDir;

use crate::lane::{Host, LOG, MASTER, REPLICA, SPOOL};

/// A copy of the deployment of one machine, for a recorded chain.
fn deployment(dir: &Path, chain_id: u64, replica: &str) -> std::path::PathBuf {
    let to = dir.join("settings");
    let shipped = maidenlane_tests::product::root().join("dhall/deploy/one-machine");
    for file in ["cluster.dhall", "package.dhall", "tap/main.dhall", "replica/main.dhall"] {
        let text = fs::read_to_string(shipped.join(file)).unwrap();
        let chain = format!("name = \"{}\", id = {chain_id} }}", settings::CHAIN);
        let text = text.replace("name = \"mainnet\", id = 1 }", &chain);
        // The recorded chain has halted long ago.
        let text = text.replace(
            ", stateDir = \"/var/lib/maidenlane/replica",
            &format!("{replica}, stateDir = \"/var/lib/maidenlane/replica"),
        );
        let path = to.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    to
}

#[test]
fn the_modules_units_run_and_reload() {
    if let Some(missing) = nix::missing() {
        println!("not run: {missing}");
        return;
    }
    let dir = TempDir::with_prefix("maidenlane-").unwrap();
    let replay = Replay::start(&product::vectors(), dir.path()).unwrap();
    let chain_id = replay.rpc().quantity("eth_chainId", &json!([])).unwrap();
    let product = Product::build().unwrap();
    let halted = ", maxHeadAge_s = None Natural";
    let etc = nix::system(&product, &deployment(dir.path(), chain_id, halted), "{ }", "").unwrap();
    let edited = deployment(dir.path(), chain_id, &format!("{halted}, maxLagBlocks = 3"));
    let edited = nix::system(&product, &edited, "{ }", "").unwrap();
    let script = nix::home();
    let binds = [
        (replay.ipc().parent().unwrap(), MASTER),
        (replay.spool(), SPOOL),
        (Path::new("/nix/store"), "/nix/store"),
        (script.as_path(), "/opt/nix"),
    ];
    let Some(host) = Host::bare(dir, &binds) else { return };
    let switch = |etc: &Path| {
        host.machine.run(&format!("cp -r {}/. /etc/", etc.display())).unwrap();
        for command in ["systemd-sysusers", "systemd-tmpfiles --create", "systemctl daemon-reload"] {
            host.machine.run(command).unwrap();
        }
    };
    switch(&etc);
    for line in [
        format!(
            "/etc/bin/maidenlane log init --dir {LOG} --chain {} --feed {}",
            settings::CHAIN,
            settings::FEED
        ),
        format!("chgrp -R maidenlane-master {SPOOL} {MASTER}"),
        format!("chmod -R g+rwX {SPOOL} {MASTER}"),
        format!("ln -sfn {MASTER} /run/geth"),
    ] {
        host.machine.run(&line).unwrap();
    }
    replay.play(std::time::Duration::ZERO, &maidenlane_tests::interrupt::Interrupt::default());
    let output = host.machine.run("bash /opt/nix/acceptance.sh").unwrap();
    assert!(output.ends_with("acceptance: all true"), "{output}");
    // As a switch to a configuration that differs in the reload triggers alone.
    host.systemctl(&format!("start maidenlane-tap@main {REPLICA}"));
    switch(&edited);
    host.systemctl(&format!("reload {REPLICA}"));
    host.status_begins(REPLICA, "settings 2 | ");
    host.machine.off().unwrap();
}
