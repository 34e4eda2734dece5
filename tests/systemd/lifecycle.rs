//! Services that are killed, frozen, stopped and reloaded.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use crate::lane::{Lane, PATIENCE, REPLICA, TAP};

#[test]
fn killed_services_start_again_and_lose_nothing() {
    let Some(lane) = Lane::new() else { return };
    lane.systemctl(&format!("start {TAP} {REPLICA}"));
    lane.systemctl(&format!("kill --signal=KILL {TAP} {REPLICA}"));
    lane.play();
    for unit in [TAP, REPLICA] {
        lane.becomes(unit, "NRestarts", "1");
        lane.becomes(unit, "ActiveState", "active");
    }
    lane.followed();
    let verdict = "maidenlane log verify --dir /var/lib/maidenlane/log --topic maidenlane.test.a.blocks";
    lane.machine.run(verdict).unwrap();
}

#[test]
fn a_frozen_service_is_started_again_by_its_watchdog() {
    let Some(lane) = Lane::new() else { return };
    for unit in [TAP, REPLICA] {
        lane.edit(unit, "[Service]\nWatchdogSec=2\n");
    }
    lane.systemctl(&format!("start {TAP} {REPLICA}"));
    for unit in [TAP, REPLICA] {
        lane.systemctl(&format!("kill --signal=STOP {unit}"));
        lane.becomes(unit, "NRestarts", "1");
        lane.becomes(unit, "ActiveState", "active");
    }
    lane.play();
    lane.followed();
}

#[test]
fn a_stop_answers_the_requests_that_it_has() {
    let Some(lane) = Lane::new() else { return };
    lane.systemctl(&format!("start {TAP} {REPLICA}"));
    let mut client = TcpStream::connect(lane.address("replica-main", "rpc")).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}"#;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let (begun, rest) = body.split_at(10);
    client.write_all(format!("{head}{begun}").as_bytes()).unwrap();
    let mut stop = lane.spawn_systemctl(&format!("stop {REPLICA}"));
    lane.becomes(REPLICA, "ActiveState", "deactivating");
    client.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"result\""), "{answer}");
    assert!(stop.wait().unwrap().success());
    let state = |name| lane.property(REPLICA, name);
    assert_eq!([state("Result"), state("ExecMainStatus")], ["success", "0"]);
}

#[test]
fn an_upgrade_under_running_services_keeps_their_state() {
    let Some(lane) = Lane::new() else { return };
    lane.systemctl(&format!("start {TAP} {REPLICA}"));
    lane.play();
    lane.followed();
    let process = lane.property(REPLICA, "MainPID");
    // Programs that run are replaced beside their place; whoever runs goes on with the old one.
    lane.install();
    lane.followed();
    assert_eq!(lane.property(REPLICA, "MainPID"), process);
    let logged = lane.logged(REPLICA).len();
    lane.systemctl(&format!("restart {TAP} {REPLICA}"));
    lane.followed();
    assert_ne!(lane.property(REPLICA, "MainPID"), process);
    // It opened what it had, and did not begin anew.
    let head = lane.replay.rpc().block_number().unwrap();
    let opened = format!("database opened at block {head}");
    let since: Vec<_> = lane.logged(REPLICA).into_iter().skip(logged).collect();
    assert!(since.iter().any(|(_, text)| text.contains(&opened)), "{opened}: {since:#?}");
    lane.off();
}
