//! Damage and wrong settings: named, refused with the right exit code, never served.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use maidenlane_tests::{
    daemon::Daemon,
    scenario::{Carrier, Net},
    settings,
};

use crate::developer_net;

const SETTINGS: i32 = 78;
const DATA: i32 = 65;
/// A daemon that refuses does so at once.
const REFUSED_WITHIN: Duration = Duration::from_secs(30);

/// Starts the daemon with edited settings and expects its refusal, with a word of why.
fn refused(daemon: &mut Daemon, edit: impl Fn(&str) -> String, code: i32, word: &str) {
    let config = daemon.config().to_owned();
    let good = fs::read_to_string(&config).unwrap();
    fs::write(&config, edit(&good)).unwrap();
    daemon.launch().unwrap();
    let status = daemon.wait(REFUSED_WITHIN).unwrap();
    let said = daemon.log_tail(8);
    assert_eq!(status.code(), Some(code), "{said}");
    assert!(said.contains(word), "expected {word:?} in:\n{said}");
    daemon.kill();
    fs::write(&config, good).unwrap();
}

#[test]
fn wrong_settings_and_wrong_chains_are_refused() {
    let Some(mut net) = developer_net(Carrier::Segment) else { return };
    net.caught_up(0).unwrap();
    net.tap().stop().unwrap();
    net.replica_daemon(0).unwrap().stop().unwrap();
    let wrong_genesis = format!("genesis = Some \"0x{}\"", "11".repeat(32));
    let cases: [(&str, &str, i32, &str); 4] = [
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

#[test]
fn a_flipped_bit_in_the_feed_is_never_served() {
    let Some(mut net) = developer_net(Carrier::Segment) else { return };
    net.caught_up(0).unwrap();
    net.tap().stop().unwrap();
    let topic = net.dir().join("log").join(settings::topic());
    flip(files(&topic, "log").first().unwrap(), 0.4);
    let fresh = net.fresh_replica();
    let told = fresh.err().map(|failure| failure.to_string()).unwrap_or_default();
    assert!(told.contains("exit code 65") && told.contains("corrupt"), "{told}");
}

#[test]
fn a_flipped_bit_in_the_spool_is_never_published() {
    let Some(mut net) = developer_net(Carrier::Segment) else { return };
    net.tap().stop().unwrap();
    let head = net.master().block_number().unwrap();
    grow(&net, head + 3);
    let spool = files(net.dir(), "spool").into_iter().next_back().unwrap();
    flip(&spool, 0.9);
    grow(&net, head + 5);
    net.tap().launch().unwrap();
    let status = net.tap().wait(REFUSED_WITHIN).unwrap();
    let said = net.tap().log_tail(8);
    assert_eq!(status.code(), Some(DATA), "{said}");
    assert!(said.contains(spool.file_name().unwrap().to_str().unwrap()), "{said}");
}

fn grow(net: &Net, to: u64) {
    let master = net.master();
    maidenlane_tests::wait::until("the chain to grow", Duration::from_secs(30), || {
        let head = master.block_number().map_err(|failure| failure.to_string())?;
        if head >= to { Ok(()) } else { Err(format!("head {head}")) }
    })
    .unwrap();
}

/// Flips one bit at a share of a file's length.
fn flip(file: &Path, share: f64) {
    let mut bytes = fs::read(file).unwrap();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "somewhere in the file"
    )]
    let at = (bytes.len() as f64 * share) as usize;
    *bytes.get_mut(at).unwrap() ^= 0x10;
    fs::write(file, bytes).unwrap();
}

/// Files with this ending below `dir`, sorted.
fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|found| found == ending)
                && path.metadata().unwrap().len() > 0
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
