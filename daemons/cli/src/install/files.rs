//! The table of what is installed. A new daemon is one binary, one unit and its lines under `dhall`.

/// Beside this program after a build.
pub(super) const BINARIES: [&str; 6] = [
    "maidenlane",
    "maidenlane-tap",
    "maidenlane-replica",
    "maidenlane-emitter",
    "maidenlane-health",
    "maidenlane-relay",
];

macro_rules! units {
    ($($name:literal => $to:literal),* $(,)?) => {
        &[$(($to, include_str!(concat!("../../../../systemd/", $name)))),*]
    };
}

macro_rules! settings {
    ($($name:literal),* $(,)?) => {
        &[$((
            concat!("share/maidenlane/dhall/", $name),
            include_str!(concat!("../../../../dhall/", $name)),
        )),*]
    };
}

/// Path below the prefix, and content.
const UNITS: &[(&str, &str)] = units! {
    "maidenlane.target" => "lib/systemd/system/maidenlane.target",
    "maidenlane-tap@.service" => "lib/systemd/system/maidenlane-tap@.service",
    "maidenlane-replica@.service" => "lib/systemd/system/maidenlane-replica@.service",
    "maidenlane-emitter@.service" => "lib/systemd/system/maidenlane-emitter@.service",
    "maidenlane-health@.service" => "lib/systemd/system/maidenlane-health@.service",
    "maidenlane-relay@.service" => "lib/systemd/system/maidenlane-relay@.service",
    "maidenlane-snapshot@.service" => "lib/systemd/system/maidenlane-snapshot@.service",
    "maidenlane-snapshot@.timer" => "lib/systemd/system/maidenlane-snapshot@.timer",
    "maidenlane.sysusers" => "lib/sysusers.d/maidenlane.conf",
    "maidenlane.tmpfiles" => "lib/tmpfiles.d/maidenlane.conf",
    "geth.service.d/maidenlane.conf" => "share/maidenlane/geth.service.d/maidenlane.conf",
};

const SETTINGS: &[(&str, &str)] = settings! {
    "package.dhall",
    "common.dhall",
    "emitter.dhall",
    "health.dhall",
    "relay.dhall",
    "replica.dhall",
    "tap.dhall",
    "types/Accept.dhall",
    "types/Admin.dhall",
    "types/Answer.dhall",
    "types/Backfill.dhall",
    "types/Begin.dhall",
    "types/BlockSource.dhall",
    "types/Builder.dhall",
    "types/Chain.dhall",
    "types/Credential.dhall",
    "types/Dialect.dhall",
    "types/Dns.dhall",
    "types/Emitter.dhall",
    "types/Failed.dhall",
    "types/Feed.dhall",
    "types/Filters.dhall",
    "types/Group.dhall",
    "types/Health.dhall",
    "types/History.dhall",
    "types/Identity.dhall",
    "types/Kafka.dhall",
    "types/KafkaTls.dhall",
    "types/Limits.dhall",
    "types/Listener.dhall",
    "types/Log.dhall",
    "types/Logging.dhall",
    "types/Mechanism.dhall",
    "types/MethodTimeout.dhall",
    "types/Outcomes.dhall",
    "types/Pool.dhall",
    "types/Probe.dhall",
    "types/Proof.dhall",
    "types/Push.dhall",
    "types/Relay.dhall",
    "types/Replica.dhall",
    "types/Repository.dhall",
    "types/Route.dhall",
    "types/Rpc.dhall",
    "types/S3.dhall",
    "types/Sasl.dhall",
    "types/Segment.dhall",
    "types/Simulation.dhall",
    "types/Snapshots.dhall",
    "types/Tap.dhall",
    "types/Target.dhall",
    "types/Tls.dhall",
    "types/Transactions.dhall",
    "types/Upstream.dhall",
    "types/Verdict.dhall",
    "types/Wallets.dhall",
    "deploy/cluster/cluster.dhall",
    "deploy/cluster/emitter/1.dhall",
    "deploy/cluster/emitter/2.dhall",
    "deploy/cluster/package.dhall",
    "deploy/cluster/replica/1.dhall",
    "deploy/cluster/replica/2.dhall",
    "deploy/cluster/replica/3.dhall",
    "deploy/cluster/tap/a.dhall",
    "deploy/existing-node/cluster.dhall",
    "deploy/existing-node/emitter/main.dhall",
    "deploy/existing-node/package.dhall",
    "deploy/existing-node/replica/main.dhall",
    "deploy/existing-node/tap/main.dhall",
    "deploy/one-machine/cluster.dhall",
    "deploy/one-machine/emitter/main.dhall",
    "deploy/one-machine/health/main.dhall",
    "deploy/one-machine/package.dhall",
    "deploy/one-machine/replica/main.dhall",
    "deploy/one-machine/tap/main.dhall",
    "deploy/public-rpc/cluster.dhall",
    "deploy/public-rpc/emitter/main.dhall",
    "deploy/public-rpc/package.dhall",
    "deploy/public-rpc/replica/main.dhall",
    "deploy/public-rpc/tap/main.dhall",
    "deploy/read-only/cluster.dhall",
    "deploy/read-only/package.dhall",
    "deploy/read-only/replica/main.dhall",
    "deploy/read-only/tap/main.dhall",
    "examples/full/emitter.dhall",
    "examples/full/health.dhall",
    "examples/full/relay.dhall",
    "examples/full/replica.dhall",
    "examples/full/tap.dhall",
    "examples/minimal/emitter.dhall",
    "examples/minimal/health.dhall",
    "examples/minimal/relay.dhall",
    "examples/minimal/replica.dhall",
    "examples/minimal/tap.dhall",
};

/// Everything that is text.
pub(super) fn all() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    UNITS.iter().chain(SETTINGS)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    /// Files below `dir`, as text.
    fn texts(dir: &Path) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(texts(&path));
            } else if path.extension().is_none_or(|extension| extension != "md") {
                found.insert(fs::read_to_string(path).unwrap());
            }
        }
        found
    }

    #[test]
    fn every_unit_and_every_settings_file_is_installed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let installed: BTreeSet<String> = super::all().map(|(_, text)| (*text).to_owned()).collect();
        for folder in ["systemd", "dhall"] {
            for text in texts(&root.join(folder)) {
                assert!(installed.contains(&text), "{folder} has a file that nobody installs:\n{text}");
            }
        }
    }
}
