//! Tests of the error texts of a broken settings file, and of the types that all daemons share.

#![expect(clippy::unwrap_used, reason = "a test: what is unexpected may panic")]

extern crate maidenlane_config as serde_dhall;

use maidenlane_config::feed::{self, FeedRaw, LogRaw, SegmentRaw};
use maidenlane_config::kafka::{KafkaRaw, KafkaTlsRaw, MechanismRaw, SaslRaw};
use maidenlane_config::listeners::{IdentityRaw, ListenerRaw, ProofRaw, TlsRaw};
use maidenlane_config::lockstep::TypeFile;
use maidenlane_config::shapes::{self, AdminRaw, ChainRaw, LoggingRaw};
use maidenlane_config::{Checker, StaticType};
use serde::Deserialize;
use std::path::Path;

#[derive(Debug, Deserialize, StaticType)]
struct Raw {
    chain: ChainRaw,
    feed: FeedRaw,
    admin: AdminRaw,
    limit: Option<u64>,
    every_ms: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Settings {
    feed: feed::Feed,
    every_ms: u32,
}

impl maidenlane_config::Settings for Settings {
    type Raw = Raw;

    const RELOADS: &'static [&'static str] = &["every_ms", "feed.log"];

    const EXAMPLES: &'static [&'static str] = &[];

    fn validate(raw: Raw, checker: &mut Checker) -> Option<Self> {
        let name = checker.inside("chain", |checker| shapes::word("name", &raw.chain.name, checker));
        let feed = checker.inside("feed", |checker| feed::feed(raw.feed, &raw.chain.name, checker));
        let admin = checker.inside("admin", |checker| {
            shapes::listen("listen", &raw.admin.listen, raw.admin.behindProxy, checker)
        });
        let limit = raw.limit.map(|limit| checker.within::<u8>("limit", limit, 1..=9));
        let every_ms = checker.within("every_ms", raw.every_ms, 1..=1_000);
        name.and(admin).and(limit.unwrap_or(Some(0)))?;
        Some(Self { feed: feed?, every_ms: every_ms? })
    }
}

/// Types of Kafka's settings, for which texts have these words.
const SASL: &str = "{ mechanism : < Plain | ScramSha256 | ScramSha512 >, password : Text, user : Text }";
const TLS: &str = "{ ca : Optional Text, certificate : Optional Text, key : Optional Text }";

const GOOD: &str = r#"{ chain = { name = "main", id = 1, genesis = None Text }
, feed =
  { prefix = "p"
  , name = "a"
  , log = < Kafka : KAFKA | Segment : { dir : Text } >.Segment { dir = "/log" }
  }
, admin = { listen = "127.0.0.1:0", behindProxy = False }
, limit = Some 3
, every_ms = 250
}
"#;

/// Loads `files`, of which the first is the settings, and compares the error's lines after the first.
fn check(files: &[(&str, &str)], expect: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let text = text.replace("KAFKA", "{ brokers : List Text, sasl : Optional SASL, tls : Optional TLS }");
        std::fs::write(dir.path().join(name), text.replace("SASL", SASL).replace("TLS", TLS)).unwrap();
    }
    let first = files.first().map_or("absent.dhall", |(name, _)| name);
    let text = match maidenlane_config::load::<Settings>(&dir.path().join(first)) {
        Ok(loaded) => format!("\n{:?}", loaded.settings),
        Err(error) => error.to_string(),
    };
    let text = text.replace(dir.path().to_str().unwrap(), "DIR");
    let lines: Vec<&str> = text.lines().skip(1).map(str::trim).collect();
    assert_eq!(lines, expect, "{text}");
}

/// Checks the problems of [`GOOD`] with one piece replaced.
fn broken(piece: &str, by: &str, expect: &[&str]) {
    assert!(GOOD.contains(piece), "{piece}");
    check(&[("s.dhall", &GOOD.replace(piece, by))], expect);
}

#[test]
fn good_settings_load() {
    check(
        &[("s.dhall", GOOD)],
        &[
            r#"Settings { feed: Feed { blocks_topic: "p.main.a.blocks", proofs_topic: "p.main.a.proofs", pool_topic: "p.main.a.pool", transactions_topic: "p.main.transactions", outcomes_topic: "p.main.outcomes", filters_topic: "p.main.filters", bundles_topic: "p.main.bundles", log: Segment { dir: "/log" } }, every_ms: 250 }"#,
        ],
    );
}

#[test]
fn types_are_explained_by_field() {
    broken(
        "every_ms = 250",
        "every_m = 250",
        &["every_m: unknown field, did you mean `every_ms`?", "every_ms: missing, expected Natural"],
    );
    broken("Some 3", "3", &["limit: expected Optional Natural, wrap the value: Some …"]);
    broken(
        "= 250",
        "= +250",
        &["every_ms: expected Natural, found Integer: write the number without a sign"],
    );
    broken("listen = \"127.0.0.1:0\"", "listen = 80", &["admin.listen: expected Text, found Natural"]);
    broken(
        "name = \"a\"",
        "name = [ \"a\" ], x = {=}",
        &["feed.name: expected Text, found List Text", "feed.x: unknown field"],
    );
    broken(
        " | Segment : { dir : Text } >.Segment { dir = \"/log\" }",
        " >.Kafka { brokers = [ \"k:1\" ], sasl = None SASL, tls = None TLS }",
        &["feed.log: expected one of < Kafka | Segment >, found one of < Kafka >"],
    );
}

/// The good settings with a Kafka log.
#[track_caller]
fn kafka(brokers: &str, sasl: &str, tls: &str, expect: &[&str]) {
    let log = format!(".Kafka {{ brokers = {brokers}, sasl = {sasl}, tls = {tls} }}");
    broken(".Segment { dir = \"/log\" }", &log, expect);
}

#[test]
fn values_are_explained_all_at_once() {
    let text = GOOD
        .replace("name = \"main\"", "name = \"main net\"")
        .replace("127.0.0.1:0", "localhost")
        .replace("/log", "log")
        .replace("Some 3", "Some 70000")
        .replace("= 250", "= 0");
    check(
        &[("s.dhall", &text)],
        &[
            "chain.name: expected 1 to 64 of a-z A-Z 0-9 - _, found `main net`",
            "feed.log.dir: expected an absolute path, found `log`",
            "admin.listen: expected an IP address and a port up to 65535, `127.0.0.1:8545`, found `localhost`",
            "limit: expected 1 to 9, found 70000",
            "every_ms: expected 1 to 1000, found 0",
        ],
    );
    for (brokers, text) in [
        ("[] : List Text", "feed.log.brokers: expected at least one host:port"),
        ("[ \"k:1\", \"k\" ]", "feed.log.brokers: expected host:port, found `k`"),
    ] {
        kafka(brokers, "None SASL", "None TLS", &[text]);
    }
    let sasl = |mechanism: &str, password: &str| {
        let mechanism = format!("< Plain | ScramSha256 | ScramSha512 >.{mechanism}");
        format!("Some {{ mechanism = {mechanism}, user = \"u\", password = \"{password}\" }}")
    };
    kafka(
        "[ \"k:1\" ]",
        &sasl("Plain", "{credential:p}"),
        "None TLS",
        &[
            "feed.log.sasl.mechanism: Plain sends the password in the clear: set tls, or take a SCRAM mechanism",
        ],
    );
    kafka(
        "[ \"k:1\" ]",
        &sasl("ScramSha512", "swordfish"),
        "Some { ca = None Text, certificate = Some \"/c\", key = None Text }",
        &[
            "feed.log.tls.key: expected the key of `certificate`",
            "feed.log.sasl.password: expected {credential:NAME} or an absolute path, found `swordfish`",
        ],
    );
}

#[test]
fn files_are_named() {
    check(&[], &["read DIR/absent.dhall: No such file or directory (os error 2)"]);
    check(&[("s.dhall", GOOD.trim_end())], &["DIR/s.dhall does not end in a newline; add one"]);
    check(
        &[("s.dhall", "./b.dhall\n"), ("b.dhall", "{=}")],
        &["DIR/b.dhall does not end in a newline; add one"],
    );
    check(&[("s.dhall", "./b.dhall\n")], &["read DIR/b.dhall: No such file or directory (os error 2)"]);
}

#[test]
fn what_would_hide_a_mistake_is_refused() {
    check(
        &[("s.dhall", "https://example.com/s.dhall\n")],
        &["DIR/s.dhall: remote import of example.com refused; vendor it under dhall/"],
    );
    check(
        &[("s.dhall", "./b.dhall ? { a = 1 }\n"), ("b.dhall", "{ a = 1 }\n")],
        &["DIR/s.dhall: `?` may only follow an `env:` import: it would hide a broken file"],
    );
    check(&[("s.dhall", "~/b.dhall\n")], &["DIR/s.dhall: imports from `~` are refused; name the full path"]);
}

#[test]
fn a_deep_evaluation_ends_in_an_answer() {
    let deep = "Natural/fold 3000 Natural (\\(x : Natural) -> x + 1) 0";
    broken("= 250", &format!("= {deep}"), &["every_ms: expected 1 to 1000, found 3000"]);
}

#[test]
fn the_shared_types_are_the_committed_ones() {
    let update = std::env::var_os("UPDATE_DHALL").is_some();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../dhall/types");
    for file in [
        TypeFile::of::<AdminRaw>("Admin"),
        TypeFile::of::<ChainRaw>("Chain"),
        TypeFile::of::<FeedRaw>("Feed"),
        TypeFile::of::<IdentityRaw>("Identity"),
        TypeFile::of::<KafkaRaw>("Kafka"),
        TypeFile::of::<KafkaTlsRaw>("KafkaTls"),
        TypeFile::of::<MechanismRaw>("Mechanism"),
        TypeFile::of::<SaslRaw>("Sasl"),
        TypeFile::of::<ListenerRaw>("Listener"),
        TypeFile::of::<LogRaw>("Log"),
        TypeFile::of::<LoggingRaw>("Logging"),
        TypeFile::of::<ProofRaw>("Proof"),
        TypeFile::of::<SegmentRaw>("Segment"),
        TypeFile::of::<TlsRaw>("Tls"),
    ] {
        file.check(&dir, update).unwrap();
    }
}
