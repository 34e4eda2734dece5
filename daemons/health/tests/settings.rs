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
    assert_eq!(refused, "agent.listen: `127.0.0.1:9470` is the address of http as well");
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
}

#[test]
fn listeners_are_guarded_by_the_prefixes_that_they_answer() {
    let http = ", stateDir";
    let open = ", http = M.Admin::{ listen = \"10.0.0.1:9470\" }, stateDir";
    assert!(problems_of(http, open).starts_with("http.listen: 10.0.0.1:9470 can be reached"));
    let wrong = ", allow = [ \"10.0.0.1/8\" ], stateDir";
    assert!(problems_of(http, wrong).starts_with("allow: read 10.0.0.1/8: want prefixes"));
}
