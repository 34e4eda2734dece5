//! Test that the emitter's settings and the files under `dhall/` agree.

#![expect(clippy::unwrap_used, reason = "a test: what is unexpected may panic")]

use maidenlane_config::credentials::CredentialRaw;
use maidenlane_config::load;
use maidenlane_config::lockstep::{self, TypeFile, normal_form, round_trip, unexplained};
use maidenlane_emitter::config::{EmitterRaw, RouteRaw, Settings, UpstreamRaw};
use maidenlane_emitter::turn::Terms;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn dhall() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dhall")
}

#[test]
fn the_type_is_the_committed_one() {
    let update = maidenlane_service::env("UPDATE_DHALL").is_some();
    for file in [
        TypeFile::of::<EmitterRaw>("Emitter"),
        TypeFile::of::<UpstreamRaw>("Upstream"),
        TypeFile::of::<CredentialRaw>("Credential"),
        TypeFile::of::<RouteRaw>("Route"),
    ] {
        file.check(&dhall().join("types"), update).unwrap();
    }
}

#[test]
fn the_minimal_example_gets_the_defaults() {
    let settings = load::<Settings>(&dhall().join("examples/minimal/emitter.dhall")).unwrap().settings;
    assert_eq!(settings.transactions_topic, "maidenlane.mainnet.transactions");
    assert_eq!(settings.outcomes_topic, "maidenlane.mainnet.outcomes");
    assert_eq!(settings.feed_topic, "maidenlane.mainnet.a.blocks");
    assert_eq!(settings.group, "maidenlane-emitter", "the default of replicas");
    let terms = Terms { hold_ms: 60_000, lifetime_ms: 10_800_000, again_blocks: 10, again_ms: 300_000 };
    assert_eq!((settings.terms, settings.silence_max), (terms, Duration::from_secs(15)));
    assert_eq!(settings.upstreams[0].node.endpoint.to_string(), "/run/geth/geth.ipc");
}

#[test]
fn the_full_example_explains_every_field() {
    let defaults = format!(
        "let M = {}/package.dhall in M.Emitter.default // {{ chain = M.Chain.default, feed = M.Feed.default // \
         {{ log = M.Kafka.default // {{ tls = M.KafkaTls.default, sasl = M.Sasl.default }} }}, upstreams = \
         M.Upstream.default, routes = M.Route.default }}",
        dhall().canonicalize().unwrap().display()
    );
    assert_eq!(unexplained::<Settings>(&defaults), Vec::<String>::new());
    load::<Settings>(&dhall().join("examples/full/emitter.dhall")).unwrap();
}

#[test]
fn normal_form_loads_as_the_same_settings() {
    let dir = tempfile::tempdir().unwrap();
    normal_form::<Settings>(&dhall().join("examples/full/emitter.dhall"), dir.path()).unwrap();
}

#[test]
fn every_value_of_the_dhall_type_is_one_of_the_rust_type() {
    let dir = tempfile::tempdir().unwrap();
    round_trip::<Settings>(dir.path(), 40).unwrap();
}

/// Loads the minimal example with `piece` replaced `by` and returns what is text after the file's name.
fn problems_of(piece: &str, by: &str) -> String {
    let (dhall, dir) = (dhall(), tempfile::tempdir().unwrap());
    lockstep::problems_of::<Settings>((&dhall, "examples/minimal/emitter.dhall"), dir.path(), (piece, by))
        .unwrap()
}

#[test]
fn a_lifetime_that_the_topics_do_not_outlast_is_refused() {
    let state = ", stateDir";
    let refused = problems_of(state, ", retention_h = 12, lifetime_s = 10800, hold_s = 0, stateDir");
    assert_eq!(refused, "hold_s: expected 1 to 3600, found 0");
    let refused = problems_of(state, ", lifetime_s = 60, hold_s = 61, stateDir");
    assert_eq!(refused, "hold_s: expected 1 to 60, found 61");
    let refused = problems_of(state, ", retention_h = 12, stateDir");
    assert_eq!(
        refused,
        "lifetime_s: must be less than a quarter of retention_h, 10800: what is on its way is read from the topics \
         again"
    );
}

#[test]
fn routes_lead_to_nodes_that_there_are() {
    let route = |fields: &str| format!(", routes = [ M.Route::{{ name = \"a\"{fields} }} ], stateDir");
    for (fields, expect) in [
        (", upstreams = [ \"other\" ]", "routes[0].upstreams[0]: there is no node `other`"),
        (", redundancy = Some 2", "routes[0].redundancy: expected 1 to 1, found 2"),
        (", senders = [ \"me\" ]", "routes[0].senders[0]: expected an address, found `me`"),
        (" }, M.Route::{ name = \"a\"", "routes[1].name: `a` is the name of another route"),
    ] {
        assert_eq!(problems_of(", stateDir", &route(fields)), expect, "{fields}");
    }
}

#[test]
fn nodes_have_names_of_their_own_and_addresses_that_lead_somewhere() {
    let node = "[ M.Upstream::{ name = \"master\", address = \"/run/geth/geth.ipc\" } ]";
    let refused =
        problems_of(node, &format!("{node} # [ M.Upstream::{{ name = \"master\", address = \"geth\" }} ]"));
    assert_eq!(
        refused,
        "upstreams[1].name: `master` is the name of another node; upstreams[1].address: read address geth: want \
         http://, https://, ws:// or wss:// with a host and no password, or the absolute path of an IPC socket"
    );
    let provider = |scheme: &str| {
        let credential = "Some (M.Credential.Path \"{credential:provider}\")";
        let address = format!("{scheme}://rpc.example/v3");
        format!(
            "{node} # [ M.Upstream::{{ name = \"provider\", address = \"{address}\", credential = {credential} }} ]"
        )
    };
    assert_eq!(
        problems_of(node, &provider("http")),
        "upstreams[1].credential: could be read on its way; use https:// or wss://, or a tunnel that begins on this \
         machine"
    );
    let refused = problems_of(node, "[] : List M.Upstream.Type");
    assert_eq!(refused, "upstreams: expected at least one node");
}
