//! Errors of settings that cannot be used: every case of `broken.txt`, word for word.
//!
//! `UPDATE_GOLDEN=1` writes the file anew; then read every line of it as somebody would whose service does not start.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Name, daemon, and what is replaced by what in its minimal example.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const CASES: &[Case] = &[
    ("a required field is missing", "tap", &[("    , ipc = \"/var/lib/geth/geth.ipc\"\n", "")]),
    ("a field is misspelled", "replica", &[(STATE, "maxLagBlock = 3, stateDir")]),
    ("a nested field is misspelled", "replica", &[(STATE, "rpc = M.Rpc::{ batchmax = 5 }, stateDir")]),
    ("a field of another daemon", "tap", &[(STATE, "maxSilence_ms = 5, stateDir")]),
    ("a number in quotes", "tap", &[("id = 1", "id = \"1\"")]),
    ("a number with a sign", "tap", &[("id = 1", "id = +1")]),
    ("a number that no computer holds", "tap", &[("id = 1", "id = 18446744073709551616")]),
    ("a number out of range", "tap", &[(STATE, "heartbeat_ms = 1, stateDir")]),
    ("an optional value without Some", "replica", &[(STATE, "maxHeadAge_s = 5, stateDir")]),
    ("None without its type", "tap", &[("id = 1", "id = 1, genesis = None")]),
    ("a hash that is none", "tap", &[("id = 1", "id = 1, genesis = Some \"0x12\"")]),
    ("a variant is misspelled", "tap", &[("M.Log.Segment", "M.Log.Segmnt")]),
    ("a variant without its value", "replica", &[(STATE, "history = M.History.Blocks, stateDir")]),
    ("a value without its variant", "replica", &[(STATE, "history = 5, stateDir")]),
    ("a variant with another's value", "tap", &[("M.Log.Segment", "M.Log.Kafka")]),
    ("a record of the package is misspelled", "tap", &[("M.Chain::", "M.Chian::")]),
    ("a field twice", "tap", &[("id = 1", "id = 1, id = 2")]),
    ("an unknown name", "tap", &[("id = 1", "id = mainnet")]),
    ("a brace is missing", "tap", &[("id = 1 }", "id = 1")]),
    (
        "many mistakes at once",
        "replica",
        &[
            ("name = \"mainnet\"", "name = \"main net\""),
            ("\"/var/lib/maidenlane/log\"", "\"log\""),
            (
                STATE,
                "maxLagBlocks = 70000, storeCache_MB = 0, admin = M.Admin::{ listen = \"localhost\" }, stateDir",
            ),
        ],
    ),
    (
        "a listener that everybody reaches",
        "replica",
        &[(STATE, "rpc = M.Rpc::{ listeners = [ M.Listener::{ listen = \"0.0.0.0:8545\" } ] }, stateDir")],
    ),
    (
        "listeners and methods that are in each other's way",
        "replica",
        &[(
            STATE,
            "rpc = M.Rpc::{ listeners = \
             [ M.Listener::{ name = \"a\", listen = \"127.0.0.1:99999\" } \
             , M.Listener::{ name = \"a\", listen = \"127.0.0.1:8545\" } \
             , M.Listener::{ name = \"b\", listen = \"0.0.0.0:8545\", behindProxy = True } \
             , M.Listener::{ name = \"c\", listen = \"127.0.0.1:9000\" } \
             , M.Listener::{ name = \"d\", listen = \"/run/d\" } \
             , M.Listener::{ name = \"e\", listen = \"/run/d\" } ], methodTimeouts = \
             [ { method = \"eth_cal\", timeout_ms = 5 } \
             , { method = \"eth_call\", timeout_ms = 5 } \
             , { method = \"eth_call\", timeout_ms = 0 } ] } \
             , admin = M.Admin::{ listen = \"127.0.0.1:9000\" }, stateDir",
        )],
    ),
    ("the root as a directory", "tap", &[("\"/var/lib/maidenlane/tap-main\"", "\"/\"")]),
    (
        "an origin with a star inside",
        "replica",
        &[(
            STATE,
            "rpc = M.Rpc::{ listeners = [ M.Listener::{ origins = [ \"https://*.example\" ] } ] }, stateDir",
        )],
    ),
    ("a password", "tap", &[(SEGMENT, "M.Log.Kafka M.Kafka::{ brokers = [ \"me:secret@kafka-1:9092\" ] }")]),
    ("a secret from a file", "tap", &[("\"/var/lib/geth/geth.ipc\"", "/var/lib/geth/jwtsecret as Text")]),
    ("no broker", "tap", &[(SEGMENT, "M.Log.Kafka M.Kafka::{ brokers = [] : List Text }")]),
    (
        "a log filter that is none",
        "tap",
        &[(STATE, "logging = M.Logging::{ filter = \"info,=x=\" }, stateDir")],
    ),
    ("a remote import", "tap", &[("id = 1", "id = https://example.org/id.dhall")]),
    ("a fallback that hides a mistake", "tap", &[("id = 1", "id = ./id.dhall ? 1")]),
    ("a file that is not there", "tap", &[("id = 1", "id = ./id.dhall")]),
    (
        "a mistake in an imported file",
        "tap",
        &[("M.Chain::{ name = \"mainnet\", id = 1 }", "../cluster.dhall")],
    ),
    ("a file that imports itself", "tap", &[("id = 1", "id = ./main.dhall")]),
];

const STATE: &str = "stateDir";
const SEGMENT: &str = "M.Log.Segment M.Segment::{ dir = \"/var/lib/maidenlane/log\" }";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Output of `maidenlane config check` about a case.
fn output_of((name, daemon, edits): &Case) -> String {
    let package = root().join("dhall/package.dhall");
    let example = root().join(format!("dhall/examples/minimal/{daemon}.dhall"));
    let mut text = fs::read_to_string(example).unwrap();
    for (piece, by) in *edits {
        assert_eq!(text.matches(piece).count(), 1, "{name}: {piece}");
        text = text.replace(piece, by);
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(daemon).join("main.dhall");
    fs::create_dir(file.parent().unwrap()).unwrap();
    fs::write(&file, text.replace("../../package.dhall", package.to_str().unwrap())).unwrap();
    let cluster = "let M = DHALL in M.Chain::{ nam = \"mainnet\", id = 1 }\n";
    fs::write(dir.path().join("cluster.dhall"), cluster.replace("DHALL", package.to_str().unwrap())).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_maidenlane"));
    let output = command.args(["config", "check", daemon]).arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{name}");
    let text = String::from_utf8(output.stderr).unwrap();
    let text = text.replace(dir.path().canonicalize().unwrap().to_str().unwrap(), "/etc/maidenlane");
    text.replace(package.to_str().unwrap(), "DHALL/package.dhall")
}

#[test]
fn every_mistake_is_told_with_its_place_and_cure() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken.txt");
    let now: BTreeMap<&str, String> = CASES.iter().map(|case| (case.0, output_of(case))).collect();
    let mut text = String::new();
    for (name, _, _) in CASES {
        write!(text, "## {name}\n{}\n", now[name]).unwrap();
    }
    if maidenlane_service::env("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &text).unwrap();
    }
    let known = fs::read_to_string(&golden).unwrap();
    for (now, known) in text.split("## ").zip(known.split("## ")) {
        assert_eq!(now, known);
    }
    assert_eq!(text, known);
}
