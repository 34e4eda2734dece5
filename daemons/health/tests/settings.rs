//! Test that the health checker's settings and the files under `dhall/` agree.

#![expect(clippy::unwrap_used, reason = "a test: what is unexpected may panic")]

use maidenlane_config::load;
use maidenlane_config::lockstep::{self, TypeFile, normal_form, round_trip, unexplained};
use maidenlane_health::config::{DnsRaw, GroupRaw, HealthRaw, LimitsRaw, ProbeRaw, Settings, TargetRaw};
use maidenlane_health::limits::Limits;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn dhall() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dhall")
}

#[test]
fn the_type_is_the_committed_one() {
    let update = maidenlane_service::env("UPDATE_DHALL").is_some();
    for file in [
        TypeFile::of::<HealthRaw>("Health"),
        TypeFile::of::<DnsRaw>("Dns"),
        TypeFile::of::<GroupRaw>("Group"),
        TypeFile::of::<TargetRaw>("Target"),
        TypeFile::of::<ProbeRaw>("Probe"),
        TypeFile::of::<LimitsRaw>("Limits"),
    ] {
        file.check(&dhall().join("types"), update).unwrap();
    }
}

#[test]
fn the_minimal_example_gets_the_defaults() {
    let settings = load::<Settings>(&dhall().join("examples/minimal/health.dhall")).unwrap().settings;
    let (group, target) = (&settings.groups[0], &settings.targets[0].target);
    assert_eq!(group.limits, Limits::of(Duration::from_secs(12)), "limits follow from the block time");
    assert_eq!((group.terms.fall, group.terms.rise, group.floor), (2, 3, 0));
    assert_eq!((target.name.as_str(), target.source.as_deref()), ("replica-1", Some("a")));
    assert!(settings.genesis.is_none() && settings.accounts.is_empty());
}

#[test]
fn the_full_example_explains_every_field() {
    let defaults = format!(
        "let M = {}/package.dhall in M.Health.default // {{ chain = M.Chain.default, feed = M.Feed.default // \
         {{ log = M.Kafka.default // {{ tls = M.KafkaTls.default, sasl = M.Sasl.default }} }}, dns = M.Dns.default, groups = M.Group.default \
         // {{ targets = M.Target.default }} }}",
        dhall().canonicalize().unwrap().display()
    );
    assert_eq!(unexplained::<Settings>(&defaults), Vec::<String>::new());
    load::<Settings>(&dhall().join("examples/full/health.dhall")).unwrap();
}

#[test]
fn normal_form_loads_as_the_same_settings() {
    let dir = tempfile::tempdir().unwrap();
    normal_form::<Settings>(&dhall().join("examples/full/health.dhall"), dir.path()).unwrap();
}

#[test]
fn every_value_of_the_dhall_type_is_one_of_the_rust_type() {
    let dir = tempfile::tempdir().unwrap();
    round_trip::<Settings>(dir.path(), 40).unwrap();
}

/// Loads the minimal example with `piece` replaced `by` and returns what is text after the file's name.
fn problems_of(piece: &str, by: &str) -> String {
    let (dhall, dir) = (dhall(), tempfile::tempdir().unwrap());
    lockstep::problems_of::<Settings>((&dhall, "examples/minimal/health.dhall"), dir.path(), (piece, by))
        .unwrap()
}

#[test]
fn names_are_unique_and_addresses_lead_somewhere() {
    let refused = problems_of("name = \"replica-1\"", "name = \"replicas\"");
    assert_eq!(refused, "groups[0].targets[0].name: `replicas` is the name of another group or target");
    let refused = problems_of("Some \"http://127.0.0.1:9462\"", "Some \"/run/admin.sock\"");
    assert_eq!(refused, "groups[0].targets[0].admin: expected http:// or https://, found /run/admin.sock");
    let refused = problems_of(", feed = Some \"a\"", ", serves = Some \"replica:8545\"");
    assert_eq!(
        refused,
        "groups[0].targets[0].serves: expected an IP address and a port up to 65535, `10.0.0.7:8545`, found `replica:8545`"
    );
}

#[test]
fn a_mistake_in_one_of_several_targets_is_named() {
    let other = "[ M.Target::{ name = \"x\", probe = M.Probe.Feed \"a\", fed = Some \"a\" }, M.Target::{";
    let refused = problems_of("[ M.Target::{", other);
    assert_eq!(refused, "groups[0].targets[0].fed: unknown field, did you mean `feed`?");
    let other = "[ M.Target::{ name = \"x\", probe = \"http://127.0.0.1:1\" }, M.Target::{";
    assert!(problems_of("[ M.Target::{", other).starts_with("groups[0].targets[0].probe: expected one of <"));
}

#[test]
fn listeners_have_addresses_of_their_own() {
    let agent = ", agent = { listen = \"127.0.0.1:9470\", behindProxy = False }, stateDir";
    let refused = problems_of(
        ", stateDir",
        &format!(", http = {{ listen = \"127.0.0.1:9470\", behindProxy = False }}{agent}"),
    );
    let cure = "take another port";
    let expect = |at: &str| {
        format!("agent.listen: http binds {at} already: 127.0.0.1:9470 cannot be bound beside it, {cure}")
    };
    assert_eq!(refused, expect("127.0.0.1:9470"));
    for all in ["0.0.0.0:9470", "[::]:9470"] {
        let http = format!(", http = {{ listen = \"{all}\", behindProxy = True }}{agent}");
        assert_eq!(problems_of(", stateDir", &http), expect(all));
    }
}

#[test]
fn a_chain_has_an_id_and_a_time_between_blocks() {
    assert!(problems_of("id = 1", "id = 0").starts_with("chain.id: expected the EIP-155 id"));
    let refused = problems_of(", stateDir", ", blockTime_ms = 0, stateDir");
    assert_eq!(refused, "blockTime_ms: expected 50 to 3600000, found 0");
}

#[test]
fn a_group_has_targets_and_no_more_in_the_floor() {
    let empty = ", groups = [ M.Group::{ name = \"none\", targets = [] : List M.Target.Type }, M.Group::{";
    let refused = problems_of(", groups =\n      [ M.Group::{", empty);
    assert_eq!(refused, "groups[0].targets: expected at least one target: a group of none serves nobody");
    let refused = problems_of(", targets =", ", floor = 2, targets =");
    assert_eq!(refused, "groups[0].floor: expected at most 1, the number of its targets, found 2");
}

/// The minimal example with another target in front.
fn with_target(fields: &str) -> String {
    format!("[ M.Target::{{ {fields} }}, M.Target::{{")
}

const ZONE: &str = ", dns = Some M.Dns::{ zone = \"nodes.example\" }, groups =";

#[test]
fn names_in_a_zone_have_no_case_and_a_length() {
    let other = with_target("name = \"Replica-1\", probe = M.Probe.Node \"http://10.0.0.1:1\"");
    let (file, dir) = (dhall().join("examples/minimal/health.dhall"), tempfile::tempdir().unwrap());
    let text = std::fs::read_to_string(file).unwrap();
    let package = dhall().join("package.dhall").canonicalize().unwrap().display().to_string();
    let text = text.replace("../../package.dhall", &package).replace("[ M.Target::{", &other);
    let path = dir.path().join("edited.dhall");
    let check = |text: &str| {
        std::fs::write(&path, text).unwrap();
        load::<Settings>(&path).map(drop).map_err(|error| error.to_string())
    };
    check(&text).unwrap();
    let refused = check(&text.replace(", groups =", ZONE)).unwrap_err();
    assert!(
        refused.contains("groups[0].targets[1].name: `replica-1` and `Replica-1` are one name"),
        "{refused}"
    );
    let long = text.replace("Replica-1", &"x".repeat(64));
    check(&long).unwrap();
    let refused = check(&long.replace(", groups =", ZONE)).unwrap_err();
    assert!(
        refused.contains("groups[0].targets[0].name: `xxx") && refused.contains("at most 63 bytes"),
        "{refused}"
    );
}

#[test]
fn one_address_is_one_source() {
    let twin = |fields: &str| with_target(&format!("name = \"twin\", {fields}"));
    for address in ["http://127.0.0.1:8545", "http://127.0.0.1:8545/"] {
        let node = twin(&format!("probe = M.Probe.Node \"{address}\""));
        let refused = problems_of("[ M.Target::{", &node);
        assert!(
            refused.starts_with(
                "groups[0].targets[1].probe: `twin` has this address too, and would vote for `twin` while \
                 `replica-1` votes for `a`"
            ),
            "{refused}"
        );
    }
    for other in ["http://127.0.0.1:8546", "ws://127.0.0.1:8545", "http://127.0.0.1:8545/v3"] {
        doubts_of("[ M.Target::{", &twin(&format!("probe = M.Probe.Node \"{other}\"")));
    }
    let same = twin("probe = M.Probe.Replica \"http://127.0.0.1:8545\", feed = Some \"a\"");
    assert_eq!(doubts_of("[ M.Target::{", &same), [""; 0]);
}

#[test]
fn a_feed_that_nobody_else_names_is_doubted() {
    let other = |feed: &str| {
        with_target(&format!(
            "name = \"other\", probe = M.Probe.Replica \"http://10.0.0.1:1\", feed = Some \"{feed}\""
        ))
    };
    assert_eq!(doubts_of("[ M.Target::{", &other("a")), [""; 0]);
    let doubts = doubts_of("[ M.Target::{", &other("b"));
    let expect = "groups[0].targets[0].feed: nobody else names `b`, so that `other` votes alone";
    assert_eq!(doubts[0], expect, "{doubts:?}");
    let refused = problems_of("[ M.Target::{", &other("A"));
    assert!(refused.contains("`A` and `a` differ in case only"), "{refused}");
}

#[test]
fn an_answer_may_take_longer_than_an_interval_and_is_doubted_then() {
    let doubts = doubts_of(", targets =", ", timeout_ms = 2000, targets =");
    assert!(
        doubts.len() == 1 && doubts[0].starts_with("groups[0].timeout_ms: longer than interval_ms"),
        "{doubts:?}"
    );
}

/// Doubts about the minimal example with `piece` replaced `by`.
fn doubts_of(piece: &str, by: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(dhall().join("examples/minimal/health.dhall")).unwrap();
    let package = dhall().join("package.dhall").canonicalize().unwrap().display().to_string();
    assert!(text.contains(piece), "{piece}");
    let file = dir.path().join("edited.dhall");
    std::fs::write(&file, text.replace("../../package.dhall", &package).replace(piece, by)).unwrap();
    let loaded = load::<Settings>(&file).unwrap();
    loaded.doubts.iter().map(ToString::to_string).collect()
}

/// Problems that a machine has with the full example, whose files all stand in `dir`, with `piece` replaced `by`.
fn on_machine(dir: &Path, piece: &str, by: &str) -> Vec<String> {
    let text = std::fs::read_to_string(dhall().join("examples/full/health.dhall")).unwrap();
    let package = dhall().join("package.dhall").canonicalize().unwrap().display().to_string();
    for name in ["token", "ca"] {
        std::fs::write(dir.join(name), "secret\n").unwrap();
    }
    std::fs::create_dir_all(dir.join("log")).unwrap();
    let at = |name: &str| dir.join(name).display().to_string();
    let text = text
        .replace("../../package.dhall", &package)
        .replace("{credential:health}", &at("token"))
        .replace("{credential:ca}", &at("ca"))
        .replace("/var/lib/maidenlane/log", &at("log"))
        .replace("/var/lib/maidenlane/health-main", &at("state"));
    assert!(text.contains(piece), "{piece}");
    let file = dir.join("edited.dhall");
    std::fs::write(&file, text.replace(piece, by)).unwrap();
    let mut checker = maidenlane_config::Checker::default();
    maidenlane_config::Settings::on_machine(&load::<Settings>(&file).unwrap().settings, &mut checker);
    checker.finish().0.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_not_on_the_machine_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let check = |piece: &str, by: &str, field: &str, words: &str| {
        let problems = on_machine(dir.path(), piece, by);
        let fits = |text: &String| text.starts_with(&format!("{field}: ")) && text.contains(words);
        assert!(problems.len() == 1 && fits(&problems[0]), "{by}: {problems:?}");
    };
    assert_eq!(on_machine(dir.path(), "token", "token"), [""; 0]);
    check("/token", "/gone", "groups[0].targets[0].credential", "gone: No such file");
    check("/ca\"", "/gone\"", "groups[0].targets[0].ca", "gone: No such file");
    check("/log\"", "/gone\"", "feed.log.dir", "maidenlane log init");
    std::fs::write(dir.path().join("empty"), "\n").unwrap();
    check("/token", "/empty", "groups[0].targets[0].credential", "is empty");
    let deep = format!("/{}/state", "d".repeat(90));
    check("/state", &deep, "stateDir", "sockets have at most 107");
    // What the service manager hands over is there only where it starts the daemon.
    let token = dir.path().join("token").display().to_string();
    assert_eq!(on_machine(dir.path(), &token, "{credential:health}"), [""; 0]);
}

#[test]
fn terms_that_let_faults_slip_through_are_refused() {
    let refused = problems_of(", targets =", ", fall = 3, rise = 2, targets =");
    let why = "must not be less than fall: a target that came back could be let in before its faults count";
    assert_eq!(refused, format!("groups[0].rise: {why}"));
}

#[test]
fn a_limit_of_answers_that_are_none_is_refused() {
    let refused = problems_of(", targets =", ", timeout_ms = 200, targets =");
    let why = "must be less than timeout_ms: a slower answer is none";
    assert_eq!(refused, format!("groups[0].limits.latency_ms: {why}"));
}

#[test]
fn a_zone_has_a_name() {
    let zone = |name: &str| format!(", dns = Some M.Dns::{{ zone = \"{name}\" }}, stateDir");
    assert!(
        problems_of(", stateDir", &zone("nodes..example"))
            .starts_with("dns.zone: `nodes..example` is no name")
    );
    for root in ["", "."] {
        assert!(
            problems_of(", stateDir", &zone(root)).starts_with("dns.zone: expected a zone of yours"),
            "{root}"
        );
    }
}

#[test]
fn listeners_are_guarded_by_the_prefixes_that_they_answer() {
    let http = ", stateDir";
    let open = ", http = M.Admin::{ listen = \"10.0.0.1:9470\" }, stateDir";
    assert!(problems_of(http, open).starts_with("http.listen: 10.0.0.1:9470 can be reached"));
    let wrong = ", allow = [ \"10.0.0.1/8\" ], stateDir";
    assert!(problems_of(http, wrong).starts_with("allow: read 10.0.0.1/8: want prefixes"));
}
