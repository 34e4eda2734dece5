//! Edits of the settings, good and bad.

use crate::lane::{Lane, REPLICA, TAP};

#[test]
fn wrong_settings_fail_once_and_say_what_is_wrong() {
    let Some(lane) = Lane::new() else { return };
    let wrong = lane.replica_settings().replace("maxLagBlocks", "maxLagBlock");
    lane.configure("replica", &wrong);
    let refused = lane.machine.run(&format!("systemctl start {REPLICA}")).unwrap_err().to_string();
    assert!(refused.contains("failed"), "{refused}");
    let state = |name| lane.property(REPLICA, name);
    assert_eq!([state("ActiveState"), state("NRestarts"), state("ExecMainStatus")], ["failed", "0", "78"]);
    // 3: the status of something that does not run.
    let status = lane.machine.run(&format!("systemctl status --no-pager {REPLICA}")).unwrap_err().to_string();
    assert!(status.contains("maxLagBlock") && status.contains("did you mean"), "{status}");
    assert!(
        lane.logged(REPLICA).iter().any(|(priority, text)| priority == "3" && text.contains("maxLagBlock"))
    );
    // The cure takes no more than the edit and a start.
    lane.configure("replica", &lane.replica_settings());
    lane.systemctl(&format!("start {TAP} {REPLICA}"));
    lane.off();
}

#[test]
fn a_feed_of_another_chain_is_refused_once() {
    let Some(lane) = Lane::new() else { return };
    let id = format!("id = {}", lane.chain_id);
    lane.configure("tap", &lane.tap_settings().replace(&id, "id = 1"));
    let refused = lane.machine.run(&format!("timeout 60 systemctl start {TAP}")).unwrap_err().to_string();
    assert!(refused.contains("failed"), "{refused}");
    let state = |name| lane.property(TAP, name);
    assert_eq!([state("ActiveState"), state("NRestarts"), state("ExecMainStatus")], ["failed", "0", "65"]);
    let logged = lane.logged(TAP);
    assert!(logged.iter().any(|(priority, text)| priority == "3" && text.contains("chain")), "{logged:#?}");
}

#[test]
fn an_edit_is_taken_over_or_refused_while_the_service_runs() {
    let Some(lane) = Lane::new() else { return };
    lane.systemctl(&format!("start {TAP} {REPLICA}"));
    for (unit, daemon, settings, field, edit) in [
        (TAP, "tap", lane.tap_settings(), "keepDepth", "keepDepth = 80000"),
        (REPLICA, "replica", lane.replica_settings(), "maxLagBlocks", "maxLagBlocks = 3"),
    ] {
        let process = lane.property(unit, "MainPID");
        let line = settings.lines().find(|line| line.contains(field)).unwrap();
        let before = line.split(", ").find(|words| words.contains(field)).unwrap();
        lane.configure(daemon, &settings.replace(before, edit));
        lane.systemctl(&format!("reload {unit}"));
        lane.status_begins(unit, "settings 2 | ");

        // A bad edit takes no service down, and does not hide.
        lane.configure(daemon, &settings.replace(field, "keepDeep"));
        lane.systemctl(&format!("reload {unit}"));
        lane.status_begins(unit, "reload rejected: ");
        let status = lane.machine.run(&format!("systemctl status --no-pager {unit}")).unwrap();
        assert!(status.contains("active (running)") && status.contains("settings 2 still run"), "{status}");
        let errors = lane.logged(unit);
        assert!(
            errors.iter().any(|(priority, text)| priority == "3" && text.contains("keepDeep: unknown field")),
            "{errors:#?}"
        );

        // What cannot be taken over says so, the rest is.
        let edited =
            settings.replace("filter = \"info\"", "filter = \"warn\"").replace("json = False", "json = True");
        lane.configure(daemon, &edited);
        lane.systemctl(&format!("reload {unit}"));
        lane.status_begins(unit, "restart needed for logging.json | ");
        assert_eq!(lane.property(unit, "MainPID"), process);
        assert_eq!(lane.property(unit, "ActiveState"), "active");
    }
    lane.play();
    lane.followed();
    lane.off();
}
