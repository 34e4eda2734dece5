//! Settings of a broker.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

/// The controllers that a broker's own belongs to.
pub(super) enum Quorum {
    /// None but its own.
    Alone,
    /// One in every broker of a cluster: number of this one, and `id@host:port` of all with commas.
    Of { id: usize, members: usize, voters: String },
}

/// Keys and names of a broker that lets in only whom it knows.
#[derive(Clone, Debug)]
pub struct Doors {
    /// PEM of the authority that signs all certificates here. A client's common name is its user name.
    pub ca: String,
    /// PEM of the broker's key and certificate.
    pub own: String,
    /// Users with their passwords.
    pub users: Vec<(String, String)>,
}

impl Doors {
    /// Arguments that make the users when the broker's directory is formatted.
    pub(super) fn users(&self) -> Vec<String> {
        let user = |(name, password): &(String, String)| {
            ["SCRAM-SHA-512", "SCRAM-SHA-256"].map(|mechanism| {
                ["--add-scram".to_owned(), format!("{mechanism}=[name={name},password={password}]")]
            })
        };
        self.users.iter().flat_map(user).flatten().collect()
    }
}

const LOGIN: &str = "org.apache.kafka.common.security";

/// Writes `s.properties` of a broker with its data in `dir`. `doors` come with the addresses for logins and for
/// certificates.
pub(super) fn write(
    dir: &Path,
    address: SocketAddr,
    controller: SocketAddr,
    quorum: &Quorum,
    doors: Option<(&Doors, [SocketAddr; 2])>,
) -> Result<(), String> {
    let data = dir.join("data");
    let failed = |error: std::io::Error| format!("write to {}: {error}", dir.display());
    fs::create_dir_all(&data).map_err(failed)?;
    let (id, copies, voters) = match quorum {
        Quorum::Alone => (1, 1, format!("controller.quorum.bootstrap.servers={controller}")),
        Quorum::Of { id, members, voters } => (*id, *members, format!("controller.quorum.voters={voters}")),
    };
    let in_sync = if copies > 1 { 2 } else { 1 };
    let (mut clients, mut guards) = (format!("PLAINTEXT://{address}"), String::new());
    if let Some((doors, [login, mutual])) = doors {
        fs::write(dir.join("own.pem"), &doors.own).map_err(failed)?;
        fs::write(dir.join("ca.pem"), &doors.ca).map_err(failed)?;
        clients += &format!(",LOGIN://{login},MUTUAL://{mutual}");
        guards = guards_of(doors);
    }
    let text = format!(
        "process.roles=broker,controller
node.id={id}
{voters}
listeners={clients},CONTROLLER://{controller}
advertised.listeners={clients}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,LOGIN:SASL_SSL,MUTUAL:SSL
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor={copies}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=1
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
message.max.bytes=67108864
replica.fetch.max.bytes=67108864
log.cleaner.dedupe.buffer.size=2097152
log.retention.check.interval.ms=200
log.segment.delete.delay.ms=100
log.initial.task.delay.ms=100
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=1500
replica.lag.time.max.ms=2000
metadata.log.max.record.bytes.between.snapshots=65536
metadata.max.idle.interval.ms=5000
num.network.threads=1
num.io.threads=2
log.flush.interval.messages=1
{guards}",
        data = data.display()
    );
    fs::write(dir.join("s.properties"), text).map_err(failed)
}

/// Everybody but the administrator, who comes by the plain address and has no name, needs a right for everything.
fn guards_of(doors: &Doors) -> String {
    let plain: String =
        doors.users.iter().map(|(name, password)| format!(" user_{name}=\"{password}\"")).collect();
    format!(
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
ssl.keystore.type=PEM
ssl.keystore.location=own.pem
ssl.truststore.type=PEM
ssl.truststore.location=ca.pem
listener.name.mutual.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/,DEFAULT
sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN
listener.name.login.scram-sha-512.sasl.jaas.config={LOGIN}.scram.ScramLoginModule required;
listener.name.login.scram-sha-256.sasl.jaas.config={LOGIN}.scram.ScramLoginModule required;
listener.name.login.plain.sasl.jaas.config={LOGIN}.plain.PlainLoginModule required{plain};
"
    )
}
