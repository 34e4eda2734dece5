//! Proof that the units' fences are real.

use crate::lane::{Lane, REPLICA, TAP};

/// Snapshots of the replica.
const SNAPSHOT: &str = "maidenlane-snapshot@main.service";
/// The highest exposure that `systemd-analyze security` may find, times ten.
const EXPOSURE_MAX: u32 = 12;

#[test]
fn units_are_clean_and_closed() {
    let Some(lane) = Lane::new() else { return };
    for unit in [TAP, REPLICA, SNAPSHOT, "maidenlane-snapshot@main.timer", "maidenlane.target"] {
        let said = lane.machine.shell(&format!("systemd-analyze verify {unit} 2>&1")).unwrap();
        assert_eq!(said, "", "{unit}");
    }
    for unit in [TAP, REPLICA, SNAPSHOT] {
        let verdict = lane
            .machine
            .run(&format!("systemd-analyze security --threshold={EXPOSURE_MAX} --no-pager {unit}"));
        verdict.unwrap();
    }
}

#[test]
fn a_daemon_can_touch_nothing_but_its_own() {
    let Some(lane) = Lane::new() else { return };
    lane.systemctl(&format!("start {TAP} {REPLICA}"));
    for (unit, own) in [(TAP, "tap-main"), (REPLICA, "replica-main")] {
        let pid = lane.property(unit, "MainPID");
        let status = lane.machine.run(&format!("cat /proc/{pid}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()).unwrap().to_owned()
        };
        let user: u32 = field("Uid:").parse().unwrap();
        assert!((61_184..=65_519).contains(&user), "{unit} runs as {user}, which is no dynamic user");
        assert_eq!([field("NoNewPrivs:"), field("Seccomp:")], ["1", "2"], "{unit}");
        assert_eq!(field("CapEff:"), "0000000000000000", "{unit}");
        // In its own view of the files, though with all rights.
        let touch = |path: &str| lane.machine.run(&format!("nsenter -t {pid} -m -- touch {path}/probe"));
        for path in ["/usr", "/etc/maidenlane", "/var/lib/maidenlane", "/boot"] {
            let refused = touch(path).unwrap_err().to_string();
            assert!(refused.contains("Read-only file system"), "{unit}: {refused}");
        }
        touch(&format!("/var/lib/maidenlane/{own}")).unwrap();
    }
    let of_tap =
        lane.machine.run("nsenter -t 1 -m -- stat -c %a /var/lib/private/maidenlane/tap-main").unwrap();
    assert_eq!(of_tap, "700");
}
