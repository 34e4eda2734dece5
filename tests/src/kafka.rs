//! A real Kafka broker as a child process, from Maven's archive, for tests and demo. Only the standard library: the
//! log's own tests take this file in as it is.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The version that everything here was tried with.
const VERSION: &str = "4.1.0";
/// Without it the broker says nothing about its own troubles.
const LOGGER_VERSION: &str = "1.7.36";
/// Any cluster needs some name; every broker here is a cluster of its own.
const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qg";
/// Seconds on an idle machine; minutes where a suite runs beside it.
const START_WAIT: Duration = Duration::from_secs(180);
const STOP_WAIT: Duration = Duration::from_secs(15);
const STARTS_MAX: u32 = 3;
/// Characters of the broker's log in a failure.
const SAID_MAX: usize = 4_000;

/// A running broker; killed when dropped.
#[derive(Debug)]
pub struct Broker {
    libs: PathBuf,
    dir: PathBuf,
    address: SocketAddr,
    child: Option<Child>,
}

/// The first prerequisite of a broker that this machine lacks.
#[must_use]
pub fn missing() -> Option<&'static str> {
    let runs = |program: &str, argument: &str| {
        let mut command = Command::new(program);
        command.arg(argument).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    match (runs("java", "-version"), runs("mvn", "-version")) {
        (true, true) => None,
        (false, _) => Some("java (Debian: openjdk-17-jre-headless)"),
        (true, false) => Some("mvn (Debian: maven)"),
    }
}

/// Fetches the broker's archives into `cache` unless they are there. `cache` is `~/.cache/maidenlane/kafka`.
///
/// # Errors
/// What Maven said.
pub fn install(cache: &Path) -> Result<PathBuf, String> {
    install_one(cache, "kafka_2.13")
}

/// The same for one artifact of Kafka's and all that it needs.
fn install_one(cache: &Path, artifact: &str) -> Result<PathBuf, String> {
    let libs = cache.join(format!("{artifact}-{VERSION}"));
    if libs.join("complete").exists() {
        return Ok(libs);
    }
    eprintln!("fetching {artifact} {VERSION} with Maven, once …");
    // Tests that run at the same time may all miss it: each fetches its own, and the first to be done counts.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = format!("fetching-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let own = cache.join(own);
    fs::create_dir_all(&own).map_err(|error| format!("create {}: {error}", own.display()))?;
    let fetched = fetch(&own, artifact).and_then(|()| match fs::rename(&own, &libs) {
        Err(error) if !libs.join("complete").exists() => {
            Err(format!("rename {} to {}: {error}", own.display(), libs.display()))
        }
        _ => Ok(libs),
    });
    drop(fs::remove_dir_all(&own));
    fetched
}

/// Fetches everything into a directory.
fn fetch(libs: &Path, artifact: &str) -> Result<(), String> {
    let pom = libs.join("pom.xml");
    let text = format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\n\
         <groupId>local</groupId><artifactId>broker</artifactId><version>1</version><packaging>pom</packaging>\n\
         <dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>{artifact}</artifactId>\n\
         <version>{VERSION}</version></dependency>\n\
         <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId>\n\
         <version>{LOGGER_VERSION}</version></dependency></dependencies></project>\n"
    );
    fs::write(&pom, text).map_err(|error| format!("write {}: {error}", pom.display()))?;
    let output = Command::new("mvn")
        .args(["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=."])
        .current_dir(libs)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("start mvn: {error}"))?;
    if !output.status.success() {
        return Err(format!("mvn failed: {}", String::from_utf8_lossy(&output.stdout)));
    }
    fs::write(libs.join("complete"), "").map_err(|error| format!("write to {}: {error}", libs.display()))
}

impl Broker {
    /// Starts a broker that keeps its data in `dir`, from archives in `cache`; returns once it takes connections.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn start(cache: &Path, dir: &Path) -> Result<Self, String> {
        let libs = install(cache)?;
        let mut last = String::new();
        // A free port may be taken by another between its choice and its use.
        for turn in 0..STARTS_MAX {
            let dir = dir.join(format!("broker-{turn}"));
            let (address, controller) = (free_port()?, free_port()?);
            configure(&dir, address, controller)?;
            let mut broker = Self { libs: libs.clone(), dir, address, child: None };
            match broker.format().and_then(|()| broker.restart()) {
                Ok(()) => return Ok(broker),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// `host:port` for clients.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Where it keeps everything.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    fn java(&self, libs: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new("java");
        // A broker that has run for an hour is compiled; this one lives for minutes, so it compiles what it runs twice.
        command.args(["-Xms128m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        command.arg("-XX:CompileThresholdScaling=0.02");
        command.args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp"]);
        command.arg(libs.join("*")).args(arguments).current_dir(&self.dir).stdin(Stdio::null());
        command
    }

    fn format(&self) -> Result<(), String> {
        let arguments =
            ["kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", "s.properties", "--standalone"];
        let output =
            self.java(&self.libs, &arguments).output().map_err(|error| format!("start java: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(format!("formatting the broker's directory failed: {}", String::from_utf8_lossy(&said)))
    }

    /// Starts it again on the same port and data, after [`Broker::kill`] or [`Broker::stop`].
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn restart(&mut self) -> Result<(), String> {
        self.kill();
        let path = self.dir.join("broker.log");
        let log = fs::File::options().create(true).append(true).open(&path);
        let log = log.map_err(|error| format!("open {}: {error}", path.display()))?;
        let copy = log.try_clone().map_err(|error| format!("open {}: {error}", path.display()))?;
        let mut command = self.java(&self.libs, &["kafka.Kafka", "s.properties"]);
        let child =
            command.stdout(log).stderr(copy).spawn().map_err(|error| format!("start java: {error}"))?;
        let child = self.child.insert(child);
        let deadline = Instant::now() + START_WAIT;
        while TcpStream::connect(self.address).is_err() {
            let ended = child.try_wait().map_err(|error| format!("wait for the broker: {error}"))?;
            if ended.is_some() || Instant::now() > deadline {
                self.kill();
                let how = ended.map_or_else(|| "is still silent".to_owned(), |how| format!("ended: {how}"));
                let said = fs::read_to_string(&path).unwrap_or_default();
                let from = said.char_indices().rev().nth(SAID_MAX).map_or(0, |(at, _)| at);
                let said = said.get(from..).unwrap_or_default();
                return Err(format!("the broker at {} {how}; its log ends:\n{said}", self.address));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Has Kafka's own load tools write and read so many records: the JVM compiles what it runs often, and a broker
    /// that has just been started answers several times as late as one that has served for minutes.
    ///
    /// # Errors
    /// What the tool said.
    pub fn warm(&self, records: u32) -> Result<(), String> {
        const TOPIC: &str = "warm";
        let (server, records) = (self.address(), records.to_string());
        let client = format!("bootstrap.servers={server}");
        self.tool("TopicCommand", &["--bootstrap-server", &server, "--create", "--topic", TOPIC])?;
        let produce = ["--topic", TOPIC, "--num-records", &records, "--record-size", "4000"];
        let pace =
            ["--throughput", "1000", "--producer-props", &client, "linger.ms=0", "compression.type=zstd"];
        self.tool("ProducerPerformance", &[produce.as_slice(), &pace].concat())?;
        let consume = ["--bootstrap-server", &server, "--topic", TOPIC, "--messages", &records];
        self.tool("ConsumerPerformance", &consume)
    }

    /// Runs one of the broker's own tools to its end.
    fn tool(&self, class: &str, arguments: &[&str]) -> Result<(), String> {
        let class = format!("org.apache.kafka.tools.{class}");
        let tools = install_one(self.libs.parent().unwrap_or(&self.libs), "kafka-tools")?;
        let output = self.java(&tools, &[&[class.as_str()], arguments].concat()).output();
        let output = output.map_err(|error| format!("start java: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(format!("{class} failed: {}", String::from_utf8_lossy(&said)))
    }

    /// Stops all its threads, or lets them go on: a machine that is starved or paused.
    ///
    /// # Errors
    /// It does not run.
    pub fn freeze(&mut self, frozen: bool) -> Result<(), String> {
        let child = self.child.as_ref().ok_or("the broker does not run")?;
        let signal = if frozen { "-STOP" } else { "-CONT" };
        let status = Command::new("kill").args([signal, &child.id().to_string()]).status();
        let status = status.map_err(|error| format!("start kill: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("kill {signal}: {status}")) }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// SIGTERM, and SIGKILL if that does not help in time.
    pub fn stop(&mut self) {
        let Some(child) = self.child.as_mut() else { return };
        let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        let deadline = Instant::now() + STOP_WAIT;
        while asked.as_ref().is_ok_and(std::process::ExitStatus::success)
            && matches!(child.try_wait(), Ok(None))
            && Instant::now() < deadline
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.kill();
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A loopback port that was free a moment ago and that a server can have again after a restart: it lies below those
/// that the kernel gives to clients, one of which might otherwise take it meanwhile.
///
/// # Errors
/// There is none.
pub fn free_port() -> Result<SocketAddr, String> {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 20_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    // Processes that begin at the same time look in different places.
    let start = (now / 1_000).wrapping_add(std::process::id().wrapping_mul(7_919)) % u32::from(COUNT);
    let mut last = String::new();
    for _ in 0..100 {
        let turn = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + u16::try_from((start + turn) % u32::from(COUNT)).unwrap_or_default();
        match TcpListener::bind(("127.0.0.1", port)).and_then(|listener| listener.local_addr()) {
            Ok(address) => return Ok(address),
            Err(error) => last = format!("bind a loopback port: {error}"),
        }
    }
    Err(last)
}

fn configure(dir: &Path, address: SocketAddr, controller: SocketAddr) -> Result<(), String> {
    let data = dir.join("data");
    fs::create_dir_all(&data).map_err(|error| format!("create {}: {error}", data.display()))?;
    let text = format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers={controller}
listeners=PLAINTEXT://{address},CONTROLLER://{controller}
advertised.listeners=PLAINTEXT://{address}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
message.max.bytes=67108864
log.cleaner.dedupe.buffer.size=2097152
log.retention.check.interval.ms=200
log.segment.delete.delay.ms=100
log.initial.task.delay.ms=100
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=1500
metadata.log.max.record.bytes.between.snapshots=65536
metadata.max.idle.interval.ms=5000
num.network.threads=1
num.io.threads=2
log.flush.interval.messages=1
",
        data = data.display()
    );
    let path = dir.join("s.properties");
    fs::write(&path, text).map_err(|error| format!("write {}: {error}", path.display()))
}
