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
    let told = lane.machine.run(&format!("systemctl status --no-pager {REPLICA}")).unwrap_err().to_string();
    assert!(told.contains("maxLagBlock") && told.contains("did you mean"), "{told}");
    assert!(
        lane.logged(REPLICA).iter().any(|(priority, text)| priority == "3" && text.contains("maxLagBlock"))
    );
    // The cure takes no more than the edit and a start.
    lane.configure("replica", &lane.replica_settings());
    lane.systemctl(&format!("start {TAP} {REPLICA}"));
    lane.machine.off().unwrap();
}
