//! The flake, the modules and the settings that they build, against stand-ins for nixpkgs and crane.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and says what it lacks")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use maidenlane_tests::{
    nix,
    product::{self, Product},
};
use serde_json::Value;
use tempfile::TempDir;

/// Nix takes seconds for what is not built yet, and remembers the rest.
fn product() -> Option<Product> {
    if let Some(missing) = nix::missing() {
        println!("not run: {missing}");
        return None;
    }
    Some(Product::build().unwrap())
}

/// A copy of the deployment of one machine with a piece of a file replaced.
fn settings(file: &str, piece: &str, by: &str) -> TempDir {
    let dir = TempDir::with_prefix("maidenlane-").unwrap();
    let shipped = product::root().join("dhall/deploy/one-machine");
    assert!(Command::new("cp").arg("-r").arg(shipped.join(".")).arg(dir.path()).status().unwrap().success());
    let path = dir.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(piece), "{piece}: {text}");
    fs::write(path, text.replace(piece, by)).unwrap();
    dir
}

fn unchanged() -> TempDir {
    settings("cluster.dhall", "", "")
}

/// `/etc` of a machine with these settings.
fn etc(product: &Product, settings: &TempDir, salt: &str) -> PathBuf {
    nix::system(product, settings.path(), "{ }", salt).unwrap()
}

fn read(etc: &Path, file: &str) -> String {
    fs::read_to_string(etc.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

const REPLICA: &str = "systemd/system/maidenlane-replica@.service";
const DROP_IN: &str = "systemd/system/maidenlane-replica@main.service.d/overrides.conf";

#[test]
fn the_flake_has_what_it_promises() {
    if product().is_none() {
        return;
    }
    nix::flake(&["flake", "check", "--no-build"]).unwrap();
    let shown: Value = serde_json::from_str(&nix::flake(&["flake", "show", "--json"]).unwrap()).unwrap();
    let names = |path: &str| {
        let found = shown.pointer(path).and_then(Value::as_object).unwrap_or_else(|| panic!("no {path}"));
        found.keys().map(String::as_str).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("/nixosModules"), "default emitter health master relay replica tap");
    assert_eq!(names("/overlays"), "default");
    for system in ["x86_64-linux", "aarch64-linux"] {
        let of = |kind: &str| names(&format!("/{kind}/{system}"));
        assert_eq!(
            of("packages"),
            "default geth maidenlane maidenlane-cli maidenlane-emitter maidenlane-health maidenlane-relay maidenlane-replica maidenlane-tap"
        );
        assert_eq!(of("checks"), "clippy docs format geth maidenlane settings units vm");
        assert_eq!((of("apps"), of("devShells")), ("demo".to_owned(), "default".to_owned()));
    }
}

#[test]
fn the_lock_names_what_the_flake_takes() {
    let text = fs::read_to_string(product::root().join("flake.lock")).unwrap();
    let lock: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(lock["version"], 7);
    for input in ["nixpkgs", "crane"] {
        let locked = &lock["nodes"][input]["locked"];
        assert_eq!(locked["rev"].as_str().unwrap().len(), 40, "{input}");
        assert!(locked["narHash"].as_str().unwrap().starts_with("sha256-"), "{input}");
        assert_eq!(lock["nodes"]["root"]["inputs"][input], input);
    }
}

#[test]
fn a_machine_has_checked_settings_and_the_packages_units() {
    let Some(product) = product() else { return };
    let etc = etc(&product, &unchanged(), "");
    for daemon in ["tap", "replica"] {
        let settings = read(&etc, &format!("maidenlane/{daemon}/main.dhall"));
        assert!(settings.contains("name = \"mainnet\"") && !settings.contains("let "), "{settings}");
        let unit = read(&etc, &format!("systemd/system/maidenlane-{daemon}@.service"));
        let start = unit.lines().find(|line| line.starts_with("ExecStart=")).unwrap();
        assert!(start.starts_with("ExecStart=/nix/store/"), "{start}");
        assert!(
            etc.join(format!("systemd/system/maidenlane.target.wants/maidenlane-{daemon}@main.service"))
                .exists()
        );
    }
    assert!(etc.join("systemd/system/multi-user.target.wants/maidenlane.target").exists());
    assert_eq!(read(&etc, "sysusers.d/maidenlane.conf"), "g maidenlane -\ng maidenlane-master -\n");
}

#[test]
fn other_settings_reload_and_another_package_restarts() {
    let Some(product) = product() else { return };
    let before = etc(&product, &unchanged(), "");
    let edited = settings("replica/main.dhall", ", stateDir", ", maxLagBlocks = 3, stateDir");
    let after = etc(&product, &edited, "");
    assert_eq!(read(&before, REPLICA), read(&after, REPLICA));
    let triggers = [&before, &after].map(|etc| read(etc, DROP_IN));
    assert_ne!(triggers[0], triggers[1]);
    let without = |text: &str| text.lines().filter(|line| !line.starts_with("X-Reload-Triggers=")).count();
    assert_eq!(without(&triggers[0]), without(&triggers[1]));
    let restarted = etc(&product, &unchanged(), "another");
    assert_ne!(read(&before, REPLICA), read(&restarted, REPLICA));
}

#[test]
fn a_broken_edit_fails_the_build_with_its_message() {
    let Some(product) = product() else { return };
    let check = |settings: &TempDir, module: &str, expect: &str| {
        let failure = nix::system(&product, settings.path(), module, "").unwrap_err().to_string();
        assert!(failure.contains(expect), "{expect} is not in {failure}");
    };
    let broken = settings("cluster.dhall", "id = 1", "id = \"1\"");
    check(&broken, "{ }", "chain.id: expected Natural, found Text");
    let other = "{ services.maidenlane.replica.other = { }; }";
    check(&unchanged(), other, "has no replica/other.dhall");
    let stored = "{ services.maidenlane.tap.main.credentials.key = \"/nix/store/x\"; }";
    check(&unchanged(), stored, "a file in the Nix store is readable by everybody");
    let misspelled = "{ services.maidenlane.replica.main.credential = { }; }";
    check(&unchanged(), misspelled, "services.maidenlane.replica.main.credential' does not exist");
}

#[test]
fn credentials_and_the_masters_drop_in_reach_the_units() {
    let Some(product) = product() else { return };
    let module = "{ services.maidenlane = { master = { enable = true; service = \"geth-mainnet\"; };
                   replica.main.credentials.kafka-password = \"/run/secrets/kafka\";
                   replica.main.snapshots = true;
                   replica.other.enable = false; }; }";
    let etc = nix::system(&product, unchanged().path(), module, "").unwrap();
    let drop_in = read(&etc, DROP_IN);
    let credential = "LoadCredential=kafka-password:/run/secrets/kafka";
    assert!(drop_in.contains(credential), "{drop_in}");
    // The same for its snapshots, once a day.
    let drop_in = read(&etc, "systemd/system/maidenlane-snapshot@main.service.d/overrides.conf");
    assert!(drop_in.contains(credential), "{drop_in}");
    assert!(etc.join("systemd/system/maidenlane.target.wants/maidenlane-snapshot@main.timer").exists());
    let unit = read(&etc, "systemd/system/maidenlane-snapshot@.service");
    let starts: Vec<_> = unit.lines().filter(|line| line.starts_with("ExecStart=")).collect();
    assert!(starts.iter().all(|line| line.starts_with("ExecStart=/nix/store/")), "{starts:?}");
    let master = read(&etc, "systemd/system/geth-mainnet.service.d/maidenlane.conf");
    assert_eq!(
        master,
        fs::read_to_string(product::root().join("systemd/geth.service.d/maidenlane.conf")).unwrap()
    );
    assert!(!etc.join("maidenlane/replica/other.dhall").exists());
}
