//! Damage and wrong settings: named, refused with the right exit code, never served.

use std::{fs, time::Duration};

use maidenlane_tests::{
    daemon::Daemon,
    interrupt::Interrupt,
    product::Product,
    scenario::{Carrier, Chain, Net, Plan},
    settings::{CHAIN, FEED, Log, PREFIX},
    wait,
};

use crate::developer_net;

const SETTINGS: i32 = 78;
const DATA: i32 = 65;
/// A daemon that refuses does so at once.
const REFUSED_WITHIN: Duration = Duration::from_secs(30);

/// Starts the daemon with edited settings and expects its refusal, with a word of why.
fn refused(daemon: &mut Daemon, edit: impl Fn(&str) -> String, code: i32, word: &str) {
    let config = daemon.config().to_owned();
    let (good, before) = (fs::read_to_string(&config).unwrap(), daemon.log_tail(usize::MAX).len());
    fs::write(&config, edit(&good)).unwrap();
    daemon.launch().unwrap();
    let status = daemon.wait(REFUSED_WITHIN).unwrap();
    let all = daemon.log_tail(usize::MAX);
    let said = all.get(before..).unwrap();
    assert_eq!(status.code(), Some(code), "{said}");
    assert!(said.contains(word), "expected {word:?} in:\n{said}");
    // Settings are judged before there is a log, which then holds nothing but the refusal.
    assert!(said.matches("ERROR").count() <= 1, "one message, not {said}");
    daemon.kill();
    fs::write(&config, good).unwrap();
}

#[test]
fn who_waits_for_a_network_hears_why_its_tap_refuses() {
    // Recorded without trie nodes, which these settings ask for.
    let plan = Plan { chain: Chain::Recorded, carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::prepare(Product::build().unwrap(), &plan, true).unwrap();
    net.start().unwrap();
    net.replay().unwrap().play(Duration::ZERO, &Interrupt::default());
    let failure = net.caught_up(0).unwrap_err().to_string();
    assert!(failure.contains("was executed without trie nodes"), "{failure}");
}

#[test]
fn a_tap_awaits_the_topic_of_its_feed() {
    let Some(mut net) = developer_net(Carrier::Segment) else { return };
    net.tap().stop().unwrap();
    let later = |text: &str| text.replace(&format!("name = \"{FEED}\""), "name = \"later\"");
    net.tap().edit(later).unwrap();
    net.tap().launch().unwrap();
    wait::until("word of the topic", REFUSED_WITHIN, || {
        let said = net.tap().readiness().map_or_else(|status| status, |()| "it is ready".to_owned());
        if said.contains("later.blocks does not exist") { Ok(()) } else { Err(said) }
    })
    .unwrap();
    let Log::Segment(dir) = net.carrier() else { panic!("a segment log") };
    let dir = dir.to_str().unwrap().to_owned();
    net.command(&["log", "init", "--dir", &dir, "--prefix", PREFIX, "--chain", CHAIN, "--feed", "later"])
        .unwrap();
    net.tap().ready(REFUSED_WITHIN).unwrap();
}

#[test]
fn wrong_settings_and_wrong_chains_are_refused() {
    let Some(mut net) = developer_net(Carrier::Segment) else { return };
    net.caught_up(0).unwrap();
    net.tap().stop().unwrap();
    net.replica_daemon(0).unwrap().stop().unwrap();
    let wrong_genesis = format!("genesis = Some \"0x{}\"", "11".repeat(32));
    let cases: [(&str, &str, i32, &str); 7] = [
        // Not Dhall, of another type, remote.
        ("stateDir =", "stateDir", SETTINGS, "no expression goes on like this"),
        ("id = 1337", "id = \"1337\"", SETTINGS, "chain.id"),
        (
            ", stateDir",
            ", more = https://example.org/a.dhall, stateDir",
            SETTINGS,
            "remote import of example.org refused",
        ),
        ("stateDir", "stateDirs", SETTINGS, "did you mean `stateDir`?"),
        ("127.0.0.1:0", "nowhere", SETTINGS, "admin.listen"),
        ("id = 1337", "id = 1338", DATA, "chain 1337"),
        ("genesis = None Text", &wrong_genesis, DATA, "genesis"),
    ];
    for (from, to, code, word) in cases {
        refused(net.tap(), |text| text.replace(from, to), code, word);
        refused(net.replica_daemon(0).unwrap(), |text| text.replace(from, to), code, word);
    }
    // Nothing of that did any harm.
    net.start().unwrap();
    net.caught_up(0).unwrap();
}
