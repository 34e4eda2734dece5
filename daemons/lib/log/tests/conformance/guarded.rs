//! A real broker with TLS, logins and rights: who comes in, what each right is for, and what a client is told without it.

use std::path::PathBuf;
use std::time::Duration;

use maidenlane_log::kafka::{Identity, Login, Mechanism, Options, Security, Tls};
use maidenlane_log::{Append, Backend, Error, From, TopicNeeds, TopicOptions};
use maidenlane_testkit::certificates::Authority;
use maidenlane_testkit::kafka::{Broker, Doors, missing};

use crate::{SOON, cache};

const TOPIC: &str = "guarded";
const GROUP: &str = "readers";
const USER: &str = "maidenlane-tap-a";
const PASSWORD: &str = "open-sesame";
/// A refusal is known at once; what is tried until then is a broker that starts.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct World {
    broker: Broker,
    dir: tempfile::TempDir,
}

impl World {
    /// `None`, said aloud, on a machine without Java.
    pub(crate) fn new() -> Option<Self> {
        if let Some(missing) = missing() {
            eprintln!("not run: Kafka needs {missing}");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let (ca, strangers) = (Authority::new("brokers"), Authority::new("strangers"));
        let (certificate, key) = ca.sign("127.0.0.1", 2100);
        let users = vec![(USER.to_owned(), PASSWORD.to_owned())];
        let doors = Doors { ca: ca.pem.clone(), own: key + &certificate, users };
        let broker = Broker::guarded(&cache(), dir.path(), &doors).unwrap();
        let (certificate, key) = ca.sign(USER, 2100);
        for (name, text) in
            [("ca", &ca.pem), ("strangers", &strangers.pem), ("certificate", &certificate), ("key", &key)]
        {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let world = Self { broker, dir };
        world.administrator().create(TOPIC, &TopicOptions::default()).unwrap();
        Some(world)
    }

    fn administrator(&self) -> Backend {
        Backend::Kafka(Options::new(vec![self.broker.address()]))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn trusting(&self, ca: &str) -> Tls {
        Tls { ca: Some(self.file(ca)), identity: None }
    }

    fn login(&self, mechanism: Mechanism, password: &str) -> Backend {
        let login = Login { mechanism, user: USER.to_owned(), password: password.to_owned() };
        self.client(self.broker.login_address(), Some(self.trusting("ca")), Some(login))
    }

    fn client(&self, address: Option<String>, tls: Option<Tls>, login: Option<Login>) -> Backend {
        let mut options = Options::new(vec![address.unwrap()]).secured(Security { tls, login });
        options.timeout = TIMEOUT;
        Backend::Kafka(options)
    }

    /// Grants operations on the topic or the group, or takes them back.
    fn rights(&self, verb: &str, operations: &[&str], on: &str) {
        let operations: String = operations.iter().map(|each| format!(" --operation {each}")).collect();
        let who = format!("--allow-principal User:{USER}");
        self.broker
            .acls(&format!("kafka-acls.sh --bootstrap-server x {verb} {who}{operations} {on}"))
            .unwrap();
    }
}

/// All that daemons do with a log, in order; the failure of the first that is refused.
fn use_it(log: &Backend) -> Result<(), Error> {
    log.check(TOPIC, &TopicNeeds::of_feed(1000))?;
    log.producer(TOPIC)?.append(&[Append { key: None, payload: b"entry" }])?;
    let mut consumer = log.consumer(TOPIC, 0)?;
    consumer.seek(From::Earliest)?;
    assert_eq!(consumer.read(1, SOON)?[0].payload, b"entry");
    log.unconsumed(TOPIC, GROUP)?;
    let mut group = log.group(TOPIC, GROUP)?;
    let (partition, entry) = loop {
        if let Some(one) = group.read(1, SOON)?.pop() {
            break one;
        }
    };
    group.commit(partition, entry.offset)
}

#[track_caller]
fn check(log: &Backend, expect: Result<(), &str>) {
    match (use_it(log), expect) {
        (Ok(()), Ok(())) => {}
        (Err(error), Err(part)) => {
            assert!(matches!(error, Error::Forbidden { .. }), "{error:?}");
            assert!(error.to_string().contains(part), "{error}");
        }
        (got, expect) => panic!("{got:?}, not {expect:?}"),
    }
}

pub(crate) fn doors(world: &World) {
    world.rights("--add", &["All"], &format!("--topic {TOPIC} --group {GROUP}"));
    for mechanism in [Mechanism::ScramSha512, Mechanism::ScramSha256, Mechanism::Plain] {
        check(&world.login(mechanism, PASSWORD), Ok(()));
        check(&world.login(mechanism, "guess"), Err("Authentication failed"));
    }
    let identity = Identity { certificate: world.file("certificate"), key: world.file("key") };
    let known = Tls { identity: Some(identity), ..world.trusting("ca") };
    let mutual = world.broker.mutual_address();
    check(&world.client(mutual.clone(), Some(known), None), Ok(()));
    check(&world.client(mutual.clone(), Some(world.trusting("ca")), None), Err("bad certificate"));
    check(&world.client(mutual, Some(world.trusting("strangers")), None), Err("certificate verify failed"));
}

pub(crate) fn rights(world: &World) {
    let log = world.login(Mechanism::ScramSha512, PASSWORD);
    let (topic, group) = (format!("--topic {TOPIC}"), format!("--group {GROUP}"));
    let refused = |what: &str| format!("grants {USER} no {what}");
    let all = ["Read", "Write", "DescribeConfigs"];
    check(&log, Err(&refused("description")));
    world.rights("--add", &all, &topic);
    world.rights("--add", &["Read"], &group);
    check(&log, Ok(()));
    for (right, on, what) in [
        ("DescribeConfigs", &topic, "description"),
        ("Write", &topic, "append"),
        ("Read", &topic, "reading"),
        ("Read", &group, "positions"),
    ] {
        world.rights("--remove --force", &[right], on);
        check(&log, Err(&refused(what)));
        world.rights("--add", &[right], on);
    }
    check(&log, Ok(()));
}
