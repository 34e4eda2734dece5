//! Daemons over a Kafka that grants each of them what `log init --acls` prints, and no more.

use std::{fs, time::Duration};

use maidenlane_testkit::certificates::Authority;
use maidenlane_tests::{
    daemon::Daemon,
    kafka::{self, Broker, Doors},
    product,
    scenario::{Carrier, Chain, Net, Plan},
    settings::{CHAIN, FEED, Log, PREFIX},
    wait,
};

const TAP: &str = "maidenlane-tap-a";
const REPLICA: &str = "maidenlane-replica";
const PASSWORD: &str = "swordfish";
const REFUSED: i32 = 78;
const SAYS_WITHIN: Duration = Duration::from_secs(60);

struct World {
    net: Net,
    broker: Broker,
    rights: Vec<String>,
    _files: tempfile::TempDir,
}

impl World {
    /// The tap logs in with a password, the replica shows a certificate. `None`, said aloud, on a machine without Java.
    fn new() -> Option<Self> {
        if let Some(missing) = kafka::missing() {
            println!("not run: Kafka needs {missing}");
            return None;
        }
        let files = tempfile::tempdir().unwrap();
        let ca = Authority::new("brokers");
        let (certificate, key) = ca.sign("127.0.0.1", 2100);
        let users = vec![(TAP.to_owned(), PASSWORD.to_owned())];
        let doors = Doors { ca: ca.pem.clone(), own: key + &certificate, users };
        let broker = Broker::guarded(&product::cache().join("kafka"), files.path(), &doors).unwrap();
        let (certificate, key) = ca.sign(REPLICA, 2100);
        for (name, text) in [
            ("ca", ca.pem.as_str()),
            ("certificate", &certificate),
            ("key", &key),
            ("kafka-password", &format!("{PASSWORD}\n")),
        ] {
            fs::write(files.path().join(name), text).unwrap();
        }
        let plan = Plan { chain: Chain::Recorded, carrier: Carrier::Kafka, replicas: 1 };
        let administrator = broker.address();
        let mut net = Net::over(&plan, Log::Kafka(administrator.clone())).unwrap();
        net.take_transactions().unwrap();
        let file = |name: &str| format!("Some \"{}\"", files.path().join(name).display());
        let tls = format!("ca = {}, certificate = None Text, key = None Text", file("ca"));
        let sasl = "mechanism = < Plain | ScramSha256 | ScramSha512 >.ScramSha512";
        let sasl = format!("{sasl}, user = \"{TAP}\", password = \"{{credential:kafka-password}}\"");
        let edit = |daemon: &Daemon, address: String, changes: &[(&str, String)]| {
            let set_all =
                |text: String| changes.iter().fold(text, |text, (field, value)| set(&text, field, value));
            daemon.edit(|text| set_all(text.replace(&administrator, &address))).unwrap();
        };
        let tap = net.tap();
        tap.environment("CREDENTIALS_DIRECTORY", files.path().to_str().unwrap());
        edit(tap, broker.login_address().unwrap(), &[("tls", tls), ("sasl", sasl)]);
        let mutual =
            format!("ca = {}, certificate = {}, key = {}", file("ca"), file("certificate"), file("key"));
        let replica = net.replica_daemon(0).unwrap();
        replica.edit(|text| text.replace("\"emitter\"", "\"maidenlane-emitter\"")).unwrap();
        edit(replica, broker.mutual_address().unwrap(), &[("tls", mutual)]);
        let printed = net.command(&[
            "log",
            "init",
            "--brokers",
            &administrator,
            "--prefix",
            PREFIX,
            "--chain",
            CHAIN,
            "--feed",
            FEED,
            "--acls",
        ]);
        let rights = printed.unwrap().lines().map(str::to_owned).collect();
        Some(Self { net, broker, rights, _files: files })
    }

    fn daemon(&mut self, user: &str) -> &mut Daemon {
        if user == TAP { self.net.tap() } else { self.net.replica_daemon(0).unwrap() }
    }

    /// A daemon that lacks one right says which; what it cannot even begin with ends it.
    fn misses(&mut self, user: &str, operation: &str, kind: &str, what: &str, ends: bool) {
        let topic = if kind == "blocks" { format!("{FEED}.{kind}") } else { kind.to_owned() };
        let right = format!(
            "kafka-acls.sh --bootstrap-server x --add --allow-principal User:{user} --operation {operation} --topic \
             {PREFIX}.{CHAIN}.{topic}"
        );
        self.daemon(user).stop().unwrap();
        self.broker.acls(&right.replace("--add", "--remove --force")).unwrap();
        let daemon = self.daemon(user);
        daemon.launch().unwrap();
        let refusal = format!("no {what} of {PREFIX}.{CHAIN}.{topic}");
        wait::until(&refusal, SAYS_WITHIN, || {
            let said = daemon.log_tail(3);
            if said.contains(&refusal) && said.contains("log init --acls") { Ok(()) } else { Err(said) }
        })
        .unwrap();
        if ends {
            let ended = daemon.wait(SAYS_WITHIN).unwrap();
            assert_eq!(ended.code(), Some(REFUSED), "{user} without {operation}");
        } else {
            assert!(daemon.readiness().unwrap_err().contains(&refusal));
            daemon.stop().unwrap();
        }
        self.broker.acls(&right).unwrap();
        self.daemon(user).start().unwrap();
    }
}

/// Sets an optional field of the log that is `None`: the last of its name.
fn set(text: &str, field: &str, value: &str) -> String {
    let (before, rest) = text.rsplit_once(&format!("{field} = None {{")).unwrap();
    let (_, after) = rest.split_once('}').unwrap();
    format!("{before}{field} = Some {{ {value} }}{after}")
}

#[test]
fn every_daemon_works_with_the_printed_rights_and_names_the_one_it_lacks() {
    let Some(mut world) = World::new() else { return };
    for right in world.rights.clone() {
        world.broker.acls(&right).unwrap();
    }
    world.net.start().unwrap_or_else(|failure| panic!("{failure}\n{}", world.net.last_words()));
    world.net.caught_up(0).unwrap();
    world.misses(TAP, "Write", "blocks", "append", false);
    world.misses(TAP, "Read", "blocks", "reading", true);
    world.misses(REPLICA, "Read", "blocks", "description", true);
    world.misses(REPLICA, "DescribeConfigs", "transactions", "description", true);
    world.net.caught_up(0).unwrap();
    world.net.equals_fresh_replay(0).unwrap();
}
