//! Commands as an operator types them: what they print, and how they fail.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use maidenlane_log::{Append, Backend, TopicNeeds, TopicOptions, segment};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The one door: a command line and its standard input, then what comes of it. `Ok`: words in the output of a success.
/// `Err`: the exit code and words in the error's first line. Returns the output.
#[track_caller]
fn check(arguments: &str, stdin: &str, expect: Result<&[&str], (i32, &[&str])>) -> Vec<u8> {
    check_program(Path::new(env!("CARGO_BIN_EXE_maidenlane")), arguments, stdin, expect)
}

/// The same with the program elsewhere.
#[track_caller]
fn check_program(
    program: &Path,
    arguments: &str,
    stdin: &str,
    expect: Result<&[&str], (i32, &[&str])>,
) -> Vec<u8> {
    let mut command = Command::new(program);
    command.args(arguments.split_whitespace()).current_dir(root());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that fails at once does not read it.
    let _unread = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let (code, words, text) = match expect {
        Ok(words) => (0, words, out.as_ref()),
        Err((code, words)) => (code, words, err.lines().next().unwrap_or_default()),
    };
    assert_eq!(output.status.code(), Some(code), "{arguments}: {out}{err}");
    for word in words {
        assert!(text.contains(word), "{arguments}: {word:?} is not in {text}{err}");
    }
    assert_eq!(err.is_empty(), code == 0, "{arguments}: {err}");
    output.stdout
}

/// A recorded answer of geth, as its text without quotes.
fn recorded(case: &str) -> String {
    let path = root().join("tests/vectors/rpc").join(case).with_extension("io");
    let text = fs::read_to_string(path).unwrap();
    let answer: serde_json::Value = serde_json::from_str(text.split_once("<<").unwrap().1).unwrap();
    match &answer["result"] {
        serde_json::Value::Array(items) => items[0].as_str().unwrap().to_owned(),
        other => other.as_str().unwrap().to_owned(),
    }
}

fn golden(name: &str) -> String {
    let text = fs::read_to_string(root().join("daemons/lib/wire/golden").join(name)).unwrap();
    text.lines().next().unwrap().to_owned()
}

#[test]
fn settings_are_checked_normalized_and_typed() {
    for daemon in ["tap", "replica"] {
        for example in ["minimal", "full"] {
            let file = format!("dhall/examples/{example}/{daemon}.dhall");
            assert!(check(&format!("config check {daemon} {file}"), "", Ok(&[])).is_empty());
            let text = check(&format!("config normalize {daemon} {file}"), "", Ok(&["chain", "stateDir"]));
            // What it prints is settings again, wherever it stands.
            let dir = tempfile::tempdir().unwrap();
            let copy = dir.path().join("copy.dhall");
            fs::write(&copy, text).unwrap();
            check(&format!("config check {daemon} {}", copy.display()), "", Ok(&[]));
            check(&format!("config diff --daemon {daemon} {file} {}", copy.display()), "", Ok(&[]));
        }
        check(&format!("config type {daemon}"), "", Ok(&["stateDir : Text", "chain :"]));
    }
}

#[test]
fn every_deployment_loads() {
    let mut instances = Vec::new();
    for deployment in ["one-machine", "existing-node", "read-only", "public-rpc", "cluster"] {
        for daemon in ["tap", "replica", "emitter", "health"] {
            let Ok(entries) = fs::read_dir(root().join("dhall/deploy").join(deployment).join(daemon)) else {
                assert!(
                    (deployment, daemon) == ("read-only", "emitter")
                        || (deployment != "one-machine" && daemon == "health")
                );
                continue;
            };
            for entry in entries {
                let file = entry.unwrap().path();
                assert!(check(&format!("config check {daemon} {}", file.display()), "", Ok(&[])).is_empty());
                instances.push(file);
            }
        }
    }
    assert_eq!(instances.len(), 18);
}

#[test]
fn a_setting_is_explained() {
    let text = check(
        "config explain tap heartbeat_ms",
        "",
        Ok(&["heartbeat_ms : Natural\n", "Default 250. Reloads."]),
    );
    assert_eq!(String::from_utf8(text).unwrap().lines().count(), 2);
    check(
        "config explain replica rpc",
        "",
        Ok(&["rpc : a record", "rpc.listeners.listen : Text", "Needs a restart."]),
    );
    check("config explain replica", "", Ok(&["chain.id : Natural", "Required.", "undoBlocks : Natural"]));
    check("config explain tap heartbeat", "", Err((78, &["no setting is called `heartbeat`"])));
    check("config explain tap admin.lisen", "", Err((78, &["did you mean `admin.listen`?"])));
}

/// `/etc/maidenlane` of one machine, with the word `broker` in `cluster.dhall` and `lag` in one of two replicas.
fn cluster(dir: &Path, broker: &str, lag: &str) -> String {
    let package = root().join("dhall/package.dhall").canonicalize().unwrap();
    let write = |file: &str, text: String| {
        let path = dir.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("PACKAGE", package.to_str().unwrap())).unwrap();
    };
    let log = format!("M.Log.Kafka M.Kafka::{{ brokers = [ \"{broker}:9092\" ] }}");
    let feed = format!("feed = M.Feed::{{ name = \"a\", log = {log} }}");
    let chain = "chain = M.Chain::{ name = \"mainnet\", id = 1 }";
    write("cluster.dhall", format!("let M = PACKAGE in {{ {chain}, {feed} }}\n"));
    let import = "let M = PACKAGE let cluster = ../cluster.dhall in";
    let tap = "M.Tap::{ chain = cluster.chain, feed = cluster.feed, spool = \"/s\", ipc = \"/i\", stateDir = \"/t\" }";
    write("tap/a.dhall", format!("{import} {tap}\n"));
    for (name, lag) in [("1", "2"), ("2", lag)] {
        let fields =
            format!("chain = cluster.chain, feed = cluster.feed, stateDir = \"/r\", maxLagBlocks = {lag}");
        write(
            &format!("replica/{name}.dhall"),
            format!(
                "{import} M.Replica::{{ transactions = M.Transactions.Refuse, filters = M.Filters.Off, {fields} }}\n"
            ),
        );
    }
    dir.display().to_string()
}

#[test]
fn an_edit_of_one_of_a_list_names_that_one() {
    let minimal = fs::read_to_string(root().join("dhall/examples/minimal/health.dhall")).unwrap();
    let package = root().join("dhall/package.dhall").display().to_string();
    let (dir, minimal) = (tempfile::tempdir().unwrap(), minimal.replace("../../package.dhall", &package));
    let [old, new] = [("old.dhall", "9462"), ("new.dhall", "9999")].map(|(name, port)| {
        let path = dir.path().join(name);
        fs::write(&path, minimal.replace("9462", port)).unwrap();
        path.display().to_string()
    });
    let change = "groups[0].targets[0].admin: Some \"http://127.0.0.1:9462\" -> Some \"http://127.0.0.1:9999\" (needs a restart)";
    check(&format!("config diff --daemon health {old} {new}"), "", Ok(&[change]));
}

#[test]
fn an_edit_is_told_with_every_instance_that_it_touches() {
    let dir = tempfile::tempdir().unwrap();
    let old = cluster(&dir.path().join("old"), "k", "2");
    let output =
        |new: &str| String::from_utf8(check(&format!("config diff {old} {new}"), "", Ok(&[]))).unwrap();
    assert_eq!(output(&cluster(&dir.path().join("same"), "k", "1 + 1")), "");
    assert_eq!(
        output(&cluster(&dir.path().join("reload"), "k", "3")),
        "maidenlane-replica@2: maxLagBlocks: 2 -> 3 (reloads)\nsystemctl reload maidenlane-replica@2\n"
    );
    let new = cluster(&dir.path().join("restart"), "l", "2");
    let change = "feed.log.brokers: [ \"k:9092\" ] -> [ \"l:9092\" ] (needs a restart)";
    assert_eq!(
        output(&new),
        format!(
            "maidenlane-tap@a: {change}\nmaidenlane-replica@1: {change}\nmaidenlane-replica@2: {change}\n\
             systemctl restart maidenlane-tap@a maidenlane-replica@1 maidenlane-replica@2\n"
        )
    );
    check(&format!("config diff {old}/tap/a.dhall {new}/tap/a.dhall"), "", Ok(&[change]));
    // Gone, new, and what cannot be compared.
    fs::rename(dir.path().join("restart/replica/2.dhall"), dir.path().join("restart/replica/3.dhall"))
        .unwrap();
    check(
        &format!("config diff {old} {new}"),
        "",
        Ok(&["maidenlane-replica@2: gone", "maidenlane-replica@3: new"]),
    );
    check(&format!("config diff {old} {old}/tap/a.dhall"), "", Err((78, &["is no directory"])));
    check(&format!("config diff {old} {}", dir.path().display()), "", Err((78, &["has no settings"])));
    let strange = format!("{old}/cluster.dhall");
    check(&format!("config diff {strange} {strange}"), "", Err((78, &["Say so with --daemon"])));
    check(&format!("config diff {strange} {strange} --daemon tap"), "", Err((78, &["cannot be used"])));
}

#[test]
fn unusable_settings_are_told_with_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.dhall");
    let name = file.display().to_string();
    fs::write(&file, "{ spool = 1 }").unwrap();
    check(&format!("config check tap {name}"), "", Err((78, &[&name, "cannot be used"])));
    fs::write(&file, "{ spool = ").unwrap();
    check(&format!("config normalize tap {name}"), "", Err((78, &[&name])));
    check("config check tap /nowhere.dhall", "", Err((78, &["/nowhere.dhall"])));
    check("config check node dhall", "", Err((78, &["invalid value 'node'"])));
    check("replica verify --config /nowhere.dhall", "", Err((78, &["/nowhere.dhall"])));
    check("tap repair", "", Err((78, &["required arguments"])));
    check("tap repair --help", "", Ok(&["--config", "The stopped tap's settings", "[default: 600]"]));
}

#[test]
fn bytes_are_decoded_from_anywhere() {
    let block = recorded("debug_getRawBlock/08");
    let hash = "0x758c46775a8448f65e3fc906d12c82c21ae37875394edfaa83b8bd4b8710d6cd";
    check("decode block", &block, Ok(&[hash, "\"number\":\"0x40\""]));
    let wrapped = block.as_bytes().chunks(60).map(|line| std::str::from_utf8(line).unwrap());
    check("decode block", &wrapped.collect::<Vec<_>>().join("\n"), Ok(&[hash]));
    check("decode block --file tests/vectors/chain/chain.rlp", "", Err((65, &["bytes after the block"])));
    let transaction = recorded("debug_getRawTransaction/02");
    let hash = "0xef03f3c31f72dd1428f824889e45fc7d4cb527e7d0cbb06fe508b54ababf0629";
    check(&format!("decode tx {transaction}"), "", Ok(&[hash]));
    check(&format!("decode tx {}", transaction.trim_start_matches("0x")), "", Ok(&[hash]));
    check("decode receipt", &recorded("debug_getRawReceipts/04"), Ok(&["cumulativeGasUsed", "status"]));
    for kind in ["Final", "Transaction", "Node-Part", "Node-Set"] {
        let (file, name) = (kind.to_lowercase(), kind.replace('-', ""));
        let record = golden(&format!("record-{file}.txt"));
        check(&format!("decode record {record}"), "", Ok(&[&format!("\"record\":\"{name}\"")]));
    }
    check(&format!("decode frame {}", golden("frame-09-hole.txt")), "", Ok(&["\"frame\":\"HOLE\""]));
    let spool = "tests/vectors/spool/00000000000000000001.spool";
    let frames = check(&format!("decode frame --file {spool}"), "", Ok(&["\"frame\":\"GENESIS\""]));
    // INIT and GENESIS, then BLOCK, RECEIPTS, STATE and END of each block.
    assert_eq!(String::from_utf8(frames).unwrap().lines().count(), 2 + 4 * 64);
}

#[test]
fn what_cannot_be_decoded_is_refused_with_its_place() {
    for kind in ["block", "tx", "receipt", "frame", "record"] {
        check(&format!("decode {kind} 0x12"), "", Err((65, &["decode ", kind_word(kind)])));
        check(&format!("decode {kind} 0xzz"), "", Err((78, &["no hex digits"])));
        check(&format!("decode {kind}"), "", Err((78, &["nothing to decode", "--file"])));
        check(&format!("decode {kind} --file /nowhere"), "", Err((78, &["read /nowhere", "No such file"])));
        check(&format!("decode {kind} 0x12 --file x"), "", Err((78, &["cannot be used with"])));
    }
    let dir = tempfile::tempdir().unwrap();
    let (cut, whole) = (dir.path().join("cut.spool"), golden("frame-09-hole.txt"));
    let bytes = fs::read(root().join("tests/vectors/spool/00000000000000000001.spool")).unwrap();
    fs::write(&cut, &bytes[..1000]).unwrap();
    check(
        &format!("decode frame --file {}", cut.display()),
        "",
        Err((65, &["frame at byte 829", "incomplete"])),
    );
    check("decode frame", &whole.replace("00", "01"), Err((65, &["frame at byte 0"])));
}

/// Word for it in an error.
fn kind_word(kind: &str) -> &str {
    if kind == "tx" { "transaction" } else { kind }
}

/// A log with one topic of two entries: a record, and what is none.
fn log(dir: &Path) -> String {
    let place = dir.display().to_string();
    check(&format!("log init --dir {place} --chain c --feed f"), "", Ok(&["maidenlane.c.f.blocks"]));
    let backend = Backend::Segment(segment::Options::new(&place));
    let mut producer = backend.producer("maidenlane.c.f.blocks").unwrap();
    let record = golden("record-final.txt");
    let byte = |at| u8::from_str_radix(&record[at..at + 2], 16).unwrap();
    let record: Vec<u8> = (0..record.len()).step_by(2).map(byte).collect();
    let entries = [record.as_slice(), b"three"].map(|payload| Append { key: None, payload });
    producer.append(&entries).unwrap();
    place
}

#[test]
fn a_geth_that_the_hook_does_not_fit_is_refused_at_once() {
    for (version, words) in [("1.16.9", ["1.16.9", "1.17.0"]), ("latest", ["latest", "1.17"])] {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        check(
            &format!("geth build --version {version} --out {}", out.display()),
            "",
            Err((78, &[words[0], words[1]])),
        );
        assert!(!out.exists());
    }
}

#[test]
fn the_history_of_a_transaction_is_told_from_the_log() {
    use maidenlane_wire::{Fate, Outcome, Transaction};
    let dir = tempfile::tempdir().unwrap();
    let place = log(dir.path());
    let (hash, sender) = ("0x".to_owned() + &"ab".repeat(32), Default::default());
    let of = |byte| alloy::primitives::B256::repeat_byte(byte);
    let taken = |byte| Transaction {
        hash: of(byte),
        sender,
        raw: vec![0xbe, 0xef].into(),
        taken_ms: 5,
        tag: None,
        identity: None,
    };
    let told = |byte, fate, at_ms| Outcome { hash: of(byte), sender, round: 0, fate, raw: None, at_ms };
    let append = |topic: &str, payloads: &[Vec<u8>]| {
        let key = Some([7; 20].as_slice());
        let entries: Vec<_> = payloads.iter().map(|payload| Append { key, payload }).collect();
        let backend = Backend::Segment(segment::Options::new(&place));
        backend.producer(&format!("maidenlane.c.{topic}")).unwrap().append(&entries).unwrap();
    };
    append("transactions", &[taken(0xab).encode(), taken(0xcd).encode()]);
    let accepted = told(0xab, Fate::Accepted, 8).encode();
    let outcomes = [accepted.clone(), told(0xcd, Fate::Received, 7).encode(), accepted];
    append("outcomes", &outcomes);
    append("outcomes", &[told(0xab, Fate::Received, 6).encode()]);
    let status = format!("tx status --dir {place} --chain c");
    let printed = check(&format!("{status} {hash}"), "", Ok(&["maidenlane.c.outcomes", "\"atMs\":5"]));
    let printed = String::from_utf8(printed).unwrap();
    let words = ["Transaction", "Received", "Accepted"];
    for (line, word) in printed.lines().zip(words) {
        assert!(line.contains(&format!("\"{word}\"")) && line.contains(&hash), "{line}");
    }
    assert_eq!(printed.lines().count(), words.len(), "{printed}");
    assert!(!printed.contains("beef"), "bytes of a transaction are not printed: {printed}");
    let nothing = hash.replace("ab", "ef");
    check(&format!("{status} {nothing}"), "", Err((78, &["says nothing of 0xefef"])));
    check(&format!("{status} 0xab"), "", Err((78, &["invalid value '0xab'"])));
}

#[test]
fn a_log_is_made_listed_read_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let place = log(dir.path());
    let init = format!("log init --dir {place} --chain c --feed f");
    let again =
        String::from_utf8(check(&init, "", Ok(&["\"partitions\":1,\"topic\":\"maidenlane.c.transactions"])))
            .unwrap();
    assert!(again.lines().count() == 8 && !again.contains("\"created\":true"), "{again}");
    // As an older version made it, and without the topic of outcomes: both have the same number of partitions.
    let old = Backend::Segment(segment::Options::new(dir.path().join("old")));
    let eight = TopicOptions { partitions: 8, ..TopicOptions::default() };
    assert!(old.create("maidenlane.c.transactions", &eight).unwrap());
    let old = dir.path().join("old");
    let init_old = format!("log init --dir {} --chain c --feed f", old.display());
    let made =
        check(&init_old, "", Ok(&["\"created\":true,\"partitions\":8,\"topic\":\"maidenlane.c.outcomes"]));
    assert!(String::from_utf8(made).unwrap().contains("\"partitions\":1,\"topic\":\"maidenlane.c.filters"));
    let topic = format!("--dir {place} --topic maidenlane.c.f.blocks");
    check(&format!("log inspect {topic}"), "", Ok(&["\"entries\":2", "\"end\":2", ".log"]));
    check(&format!("log verify {topic}"), "", Ok(&["\"entries\":2", "\"end\":2"]));
    let tail = check(&format!("log tail {topic} --entries 1"), "", Ok(&["\"offset\":1", "undecodable"]));
    assert_eq!(tail.iter().filter(|byte| **byte == b'\n').count(), 1);
    check(&format!("log tail {topic}"), "", Ok(&["\"offset\":0", "\"record\":\"Final\"", "\"offset\":1"]));
    let raw = check(&format!("log tail {topic} --entries 1 --raw"), "", Ok(&[]));
    assert_eq!(raw, b"\x05\0\0\0three");

    check(&format!("log tail {topic} --partition 3"), "", Err((78, &["no partition 3"])));
    check(
        &format!("log inspect --dir {place} --topic x"),
        "",
        Err((78, &["x does not exist", "maidenlane log init"])),
    );
    for verb in ["verify", "cut --entries 1"] {
        check(&format!("log {verb} --brokers 127.0.0.1:1 --topic x"), "", Err((78, &["--brokers"])));
    }
    check("log init --chain c --feed f", "", Err((78, &["required arguments"])));
    check(&format!("log init --dir {place} --chain a/b --feed f"), "", Err((78, &["a/b", "is no name"])));
    damage(&dir.path().join("maidenlane.c.f.blocks/0/00000000000000000000.log"));
    let cut = format!("log cut {topic} --partition 0 --entries 2");
    check(&format!("log verify {topic}"), "", Err((65, &["00000000000000000000.log", "corrupt", &cut])));
    check(&cut, "", Ok(&["\"end\":0"]));
    check(&format!("log verify {topic}"), "", Ok(&["\"end\":0"]));
}

/// Topics that clients write to must not fill the disk of the feed.
#[test]
fn every_kind_of_topic_has_its_own_retention() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().display().to_string();
    let init = format!("log init --dir {place} --chain c --feed f --filters-retention-h 48");
    check(&init, "", Ok(&["\"created\":true"]));
    let backend = Backend::Segment(segment::Options::new(&place));
    let keeps = |topic: &str, hours: u64| {
        let needs = TopicNeeds {
            partitions: None,
            entry_bytes: 1,
            retention_min_age: Duration::from_secs(hours * 3600),
            retention_min_bytes: 0,
        };
        backend.check(&format!("maidenlane.c.{topic}"), &needs).unwrap().is_empty()
    };
    for (topic, hours) in [
        ("transactions", 168),
        ("outcomes", 168),
        ("filters", 48),
        ("bundles", 1),
        ("bundle-fates", 1),
        ("f.pool", 2),
    ] {
        assert!(keeps(topic, hours) && !keeps(topic, hours + 1), "{topic}");
    }
    for topic in ["f.blocks", "f.proofs"] {
        assert!(keeps(topic, 24 * 365 * 10), "{topic}");
    }
    // A topic of an older version keeps as much as the feed, until somebody runs the command again.
    let forever = TopicOptions { retention_max_age: None, ..TopicOptions::default() };
    assert!(backend.create("maidenlane.c.g.pool", &forever).unwrap());
    check(&init.replace("--feed f", "--feed g"), "", Ok(&["g.pool", "\"retention_h\":2"]));
    assert!(keeps("g.pool", 2) && !keeps("g.pool", 3));
    check(&init.replace("--feed f", "--feed g --pool-retention-h 5"), "", Ok(&["\"created\":false"]));
    assert!(!keeps("g.pool", 3), "nothing is kept longer than before");
}

/// Flips a bit in the first of two entries.
fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let marker = bytes.windows(2).position(|pair| pair == [0xc3, 0x01]).unwrap();
    bytes[marker + 20] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn only_the_tap_of_a_feed_may_write_it() {
    let text = check("log init --brokers a:1,b:2 --chain c --feed f --acls", "", Ok(&[]));
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.lines().all(|line| line.starts_with("kafka-acls.sh --bootstrap-server a:1,b:2 --add ")),
        "{text}"
    );
    let writers = |topic: &str| -> Vec<&str> {
        let line = |line: &&str| {
            line.split_whitespace().any(|word| word == topic) && line.contains("--operation Write")
        };
        text.lines().filter(line).map(|line| line.split_whitespace().nth(5).unwrap()).collect()
    };
    for kind in ["blocks", "proofs", "pool"] {
        assert_eq!(writers(&format!("maidenlane.c.f.{kind}")), ["User:maidenlane-tap-f"]);
    }
    assert_eq!(writers("maidenlane.c.transactions"), ["User:maidenlane-replica", "User:maidenlane-relay"]);
    assert_eq!(writers("maidenlane.c.outcomes"), ["User:maidenlane-replica", "User:maidenlane-emitter"]);
    let readers = |topic: &str| text.lines().filter(|line| line.split(' ').any(|word| word == topic)).count();
    for topic in ["maidenlane.c.bundles", "maidenlane.c.bundle-fates"] {
        assert_eq!((writers(topic), readers(topic)), (vec!["User:maidenlane-relay"], 1), "private");
    }
    let looks = "--allow-principal User:maidenlane-replica --operation Describe --group maidenlane-emitter";
    assert!(text.lines().any(|line| line.ends_with(looks)), "{text}");
    check("log init --dir x --chain c --feed f --acls", "", Err((78, &["--acls", "cannot be used with"])));
}

#[test]
fn availability_is_computed_and_a_checker_that_is_away_is_named() {
    let told = "\"availability\":0.9999989";
    check("health availability --mtbf 30d --mttr 45m -n 2", "", Ok(&[told]));
    check("health availability --mtbf 30 --mttr 45m", "", Err((78, &["--mtbf", "d, h, m or s"])));
    check(
        "health explain --socket /nowhere/control.sock",
        "",
        Err((78, &["/nowhere/control.sock", "systemctl"])),
    );
    check("health watch", "", Err((78, &["required arguments"])));
    check("health watch --socket /nowhere -n 0", "", Err((78, &["unexpected argument '-n'"])));
    check(
        "health availability --mtbf 30d --mttr 45m -n 0",
        "",
        Err((78, &["--clusters <N>", "0 is not in 1.."])),
    );
    let named = ["--config dhall/examples/minimal/health.dhall", "stateDir /var/lib/maidenlane/health-main"];
    check("health explain --config dhall/examples/minimal/health.dhall", "", Err((78, &named)));
    check(
        "health explain --socket /nowhere/control.sock --json --text",
        "",
        Err((78, &["cannot be used with"])),
    );
    let cordon = |reason: &str| format!("health cordon r1 --socket /nowhere/control.sock --reason {reason}");
    let shown = format!(
        "--reason: say it in 300 letters, for all who ask are told it: found 5000, from `{} …` on",
        "x".repeat(38)
    );
    check(&cordon(&"x".repeat(5_000)), "", Err((78, &[&shown])));
    check(&cordon("\u{1b}[31mred"), "", Err((78, &["--reason: say it in one line of text, without U+001B"])));
}

#[test]
fn install_puts_everything_in_place_or_nothing() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (program, root) = (dir.path().join("maidenlane"), dir.path().join("root"));
    // A link, because a copy cannot be started while a child that another test just forked still has it open.
    fs::hard_link(env!("CARGO_BIN_EXE_maidenlane"), &program).unwrap();
    let install = format!("install --prefix /opt/m --root {}", root.display());
    fs::write(dir.path().join("maidenlane-tap"), "tap").unwrap();
    check_program(&program, &install, "", Err((75, &["find", "maidenlane-replica"])));
    fs::write(dir.path().join("maidenlane-replica"), "replica").unwrap();
    check_program(&program, &install, "", Err((75, &["find", "maidenlane-emitter"])));
    fs::write(dir.path().join("maidenlane-emitter"), "emitter").unwrap();
    check_program(&program, &install, "", Err((75, &["find", "maidenlane-health"])));
    fs::write(dir.path().join("maidenlane-health"), "health").unwrap();
    check_program(&program, &install, "", Err((75, &["find", "maidenlane-relay"])));
    fs::write(dir.path().join("maidenlane-relay"), "relay").unwrap();
    let unit = "opt/m/lib/systemd/system/maidenlane-tap@.service";
    check_program(&program, &format!("{install} --dry-run"), "", Ok(&[unit]));
    assert!(!root.exists(), "a dry run or a failure wrote something");
    check_program(&program, &install, "", Ok(&[unit, "opt/m/share/maidenlane/dhall/package.dhall"]));
    let text = fs::read_to_string(root.join(unit)).unwrap();
    assert!(text.contains("ExecStart=/opt/m/bin/maidenlane-tap --config"), "{text}");
    assert_eq!(fs::read_to_string(root.join("opt/m/bin/maidenlane-replica")).unwrap(), "replica");
    let settings = root.join("opt/m/share/maidenlane/dhall/examples/full/tap.dhall");
    check(&format!("config check tap {}", settings.display()), "", Ok(&[]));
    let types = root.join("opt/m/share/maidenlane/dhall/deploy/one-machine/package.dhall");
    let text = fs::read_to_string(types).unwrap();
    assert!(text.ends_with("\n/opt/m/share/maidenlane/dhall/package.dhall\n"), "{text}");
    check("install --prefix here", "", Err((78, &["--prefix here", "absolute"])));
}
