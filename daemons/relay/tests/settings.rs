//! Test that the relay's settings and the files under `dhall/` agree.

use maidenlane_config::load;
use maidenlane_config::lockstep::{self, TypeFile, normal_form, round_trip, unexplained};
use maidenlane_jsonrpc::client::Framing;
use maidenlane_relay::config::{
    BuilderRaw, DialectRaw, FailedRaw, PushRaw, RelayRaw, Settings, SimulationRaw, WalletsRaw, Way,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

fn dhall() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dhall")
}

#[test]
fn the_type_is_the_committed_one() {
    let update = maidenlane_service::env("UPDATE_DHALL").is_some();
    for file in [
        TypeFile::of::<RelayRaw>("Relay"),
        TypeFile::of::<BuilderRaw>("Builder"),
        TypeFile::of::<PushRaw>("Push"),
        TypeFile::of::<DialectRaw>("Dialect"),
        TypeFile::of::<WalletsRaw>("Wallets"),
        TypeFile::of::<SimulationRaw>("Simulation"),
        TypeFile::of::<FailedRaw>("Failed"),
    ] {
        file.check(&dhall().join("types"), update).unwrap();
    }
}

#[test]
fn the_minimal_example_gets_the_defaults() {
    let settings = load::<Settings>(&dhall().join("examples/minimal/relay.dhall")).unwrap().settings;
    assert_eq!(settings.bundles_topic, "maidenlane.mainnet.bundles");
    assert_eq!(settings.fates_topic, "maidenlane.mainnet.bundle-fates");
    assert_eq!(settings.feed_topic, "maidenlane.mainnet.a.blocks");
    assert_eq!((settings.repeat, settings.order_bytes), (Duration::from_secs(3_600), 10_000_000));
    let simulation = settings.simulation;
    assert_eq!((simulation.threads, simulation.gas_per_s, simulation.holds), (2, 500_000_000, false));
    assert_eq!(settings.listeners[0].namespaces, ["eth", "net", "web3", "flashbots", "mev", "maidenlane"]);
}

#[test]
fn the_full_example_explains_every_field() {
    let defaults = format!(
        "let M = {}/package.dhall in M.Relay.default // {{ chain = M.Chain.default, feed = M.Feed.default // {{ log = \
         M.Kafka.default // {{ tls = M.KafkaTls.default, sasl = M.Sasl.default }} }}, listeners = M.Listener.default // {{ listen = \"127.0.0.1:8547\", namespaces = [ \"eth\", \"net\", \"web3\", \"flashbots\", \"mev\", \"maidenlane\" ], access = M.Identity.default }}, builders = M.Builder.default // {{ push = M.Push.default }}, wallets = M.Wallets.default, simulation = M.Simulation.default }}",
        dhall().canonicalize().unwrap().display()
    );
    assert_eq!(unexplained::<Settings>(&defaults), Vec::<String>::new());
    load::<Settings>(&dhall().join("examples/full/relay.dhall")).unwrap();
}

#[test]
fn normal_form_loads_as_the_same_settings() {
    let dir = tempfile::tempdir().unwrap();
    normal_form::<Settings>(&dhall().join("examples/full/relay.dhall"), dir.path()).unwrap();
}

#[test]
fn every_value_of_the_dhall_type_is_one_of_the_rust_type() {
    let dir = tempfile::tempdir().unwrap();
    round_trip::<Settings>(dir.path(), 40).unwrap();
}

#[test]
fn builders_have_names_of_their_own_and_pull_as_somebody_who_may_come_in() {
    let (dhall, dir) = (dhall(), tempfile::tempdir().unwrap());
    let by = ", builders = [ M.Builder::{ name = \"one\" }, M.Builder::{ name = \"one\", pulls = Some \"nobody\" } ], stateDir";
    let example = (&*dhall, "examples/minimal/relay.dhall");
    let refused = lockstep::problems_of::<Settings>(example, dir.path(), (", stateDir", by)).unwrap();
    assert_eq!(
        refused,
        "builders[1].name: `one` is the name of another builder; builders[1].pulls: no listener lets in an identity `nobody`"
    );
}

#[test]
fn a_builder_that_orders_are_sent_to_speaks_http() {
    let (dhall, dir) = (dhall(), tempfile::tempdir().unwrap());
    let by = ", builders = [ M.Builder::{ name = \"one\", push = Some M.Push::{ address = \"wss://x\", lanes = 0 } } ], stateDir";
    let example = (&*dhall, "examples/minimal/relay.dhall");
    let refused = lockstep::problems_of::<Settings>(example, dir.path(), (", stateDir", by)).unwrap();
    assert!(
        refused.contains("builders[0].push.address: expected an address that begins with http"),
        "{refused}"
    );
    assert!(refused.contains("builders[0].push.lanes: "), "{refused}");
}

#[test]
fn addresses_of_stratum_say_how_messages_are_framed() {
    let check = |address: &str, expect: Result<Way, &str>| {
        let (dhall, dir) = (dhall(), tempfile::tempdir().unwrap());
        let push = format!("M.Push::{{ address = \"{address}\" }}");
        let by = format!(", builders = [ M.Builder::{{ name = \"one\", push = Some {push} }} ], stateDir");
        let text = std::fs::read_to_string(dhall.join("examples/minimal/relay.dhall")).unwrap();
        let package = dhall.join("package.dhall").canonicalize().unwrap().display().to_string();
        let text = text.replace("../../package.dhall", &package);
        let path = dir.path().join("relay.dhall");
        std::fs::write(&path, text.replace(", stateDir", &by)).unwrap();
        match (load::<Settings>(&path), expect) {
            (Ok(loaded), Ok(way)) => {
                let push = loaded.settings.builders[0].push.clone().unwrap();
                assert_eq!((push.way, push.address()), (way, address.trim_end_matches("/in").to_owned()));
            }
            (Err(error), Err(words)) => {
                let text = error.to_string();
                assert!(text.contains(words), "{address}: {text}");
            }
            (found, expect) => panic!("{address}: {expect:?}, not {}", found.is_ok()),
        }
    };
    check("stratumss://builder.example/in", Ok(Way::Messages(Framing::WebSocket)));
    check("stratumss://builder.example:3333", Ok(Way::Messages(Framing::WebSocket)));
    check("stratumss+tcp://builder.example:3333", Ok(Way::Messages(Framing::Lines)));
    check("https://builder.example", Ok(Way::Posts));
    check("stratumss+tcp://builder.example", Err("stratumss+tcp://HOST:PORT"));
    check("stratumss+tcp://builder.example:3333/in", Err("stratumss+tcp://HOST:PORT"));
    check("stratum://builder.example:3333", Err("push.address"));
}

#[test]
fn no_credential_goes_before_lines() {
    let (dhall, dir) = (dhall(), tempfile::tempdir().unwrap());
    let by = ", builders = [ M.Builder::{ name = \"one\", push = Some M.Push::{ address = \"stratumss+tcp://x:1\", credential = Some (M.Credential.Bearer \"/x\") } } ], stateDir";
    let example = (&*dhall, "examples/minimal/relay.dhall");
    let refused = lockstep::problems_of::<Settings>(example, dir.path(), (", stateDir", by)).unwrap();
    assert!(refused.contains("builders[0].push.credential: no header goes before lines"), "{refused}");
}
