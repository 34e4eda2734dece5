//! Real Kafka brokers as child processes, from Maven's archive, for tests and demo.

mod cluster;
mod install;
mod settings;

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use cluster::Cluster;
use install::install_one;
pub use install::{install, missing};
pub use settings::Doors;
use settings::Quorum;

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
    /// Addresses for those who log in, and for those with a certificate.
    guarded: Option<[SocketAddr; 2]>,
    child: Option<Child>,
}

impl Broker {
    /// Starts a broker that keeps its data in `dir`, from archives in `cache`; returns once it takes connections.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn start(cache: &Path, dir: &Path) -> Result<Self, String> {
        Self::start_with(cache, dir, None)
    }

    /// The same with doors for those who log in, or show a certificate, and may do what they were granted. The plain
    /// address is the administrator's.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn guarded(cache: &Path, dir: &Path, doors: &Doors) -> Result<Self, String> {
        Self::start_with(cache, dir, Some(doors))
    }

    fn start_with(cache: &Path, dir: &Path, doors: Option<&Doors>) -> Result<Self, String> {
        let libs = install(cache)?;
        let mut last = String::new();
        // A free port may be taken by another between its choice and its use.
        for turn in 0..STARTS_MAX {
            let dir = dir.join(format!("broker-{turn}"));
            let (address, controller) = (free_port()?, free_port()?);
            let guarded = doors.map(|_| Ok::<_, String>([free_port()?, free_port()?])).transpose()?;
            settings::write(&dir, address, controller, &Quorum::Alone, doors.zip(guarded))?;
            let mut broker = Self { libs: libs.clone(), dir, address, guarded, child: None };
            let users = doors.map_or_else(Vec::new, Doors::users);
            let started = broker.format(&[&["--standalone".to_owned()], users.as_slice()].concat());
            match started.and_then(|()| broker.restart()) {
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

    /// `host:port` for clients with a user and a password, over TLS; of a guarded broker.
    #[must_use]
    pub fn login_address(&self) -> Option<String> {
        self.guarded.map(|[login, _]| login.to_string())
    }

    /// `host:port` for clients with a certificate; of a guarded broker.
    #[must_use]
    pub fn mutual_address(&self) -> Option<String> {
        self.guarded.map(|[_, mutual]| mutual.to_string())
    }

    /// Runs a `kafka-acls.sh` command as it would be typed, as the administrator. With `--remove` instead of `--add`, it
    /// takes the rights back.
    ///
    /// # Errors
    /// What the tool said.
    pub fn acls(&self, command: &str) -> Result<(), String> {
        let mut words = command.split_whitespace().skip(1).collect::<Vec<_>>();
        let server = self.address();
        if let Some(at) = words.iter().position(|word| *word == "--bootstrap-server")
            && let Some(place) = words.get_mut(at + 1)
        {
            *place = &server;
        }
        self.tool("AclCommand", &words).map(drop)
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

    fn format(&self, more: &[String]) -> Result<(), String> {
        let arguments = ["kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", "s.properties"];
        let mut command = self.java(&self.libs, &arguments);
        let output = command.args(more).output().map_err(|error| format!("start java: {error}"))?;
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
        self.launch()?;
        self.await_connections()
    }

    fn launch(&mut self) -> Result<(), String> {
        self.kill();
        let path = self.dir.join("broker.log");
        let log = fs::File::options().create(true).append(true).open(&path);
        let log = log.map_err(|error| format!("open {}: {error}", path.display()))?;
        let copy = log.try_clone().map_err(|error| format!("open {}: {error}", path.display()))?;
        let mut command = self.java(&self.libs, &["kafka.Kafka", "s.properties"]);
        let child =
            command.stdout(log).stderr(copy).spawn().map_err(|error| format!("start java: {error}"))?;
        self.child = Some(child);
        Ok(())
    }

    fn await_connections(&mut self) -> Result<(), String> {
        let child = self.child.as_mut().ok_or("the broker was not started")?;
        let deadline = Instant::now() + START_WAIT;
        while TcpStream::connect(self.address).is_err() {
            let ended = child.try_wait().map_err(|error| format!("wait for the broker: {error}"))?;
            if ended.is_some() || Instant::now() > deadline {
                let how = ended.map_or_else(|| "is still silent".to_owned(), |how| format!("ended: {how}"));
                let said = fs::read_to_string(self.dir.join("broker.log")).unwrap_or_default();
                let from = said.char_indices().rev().nth(SAID_MAX).map_or(0, |(at, _)| at);
                let said = said.get(from..).unwrap_or_default().to_owned();
                self.kill();
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
        self.tool("ConsumerPerformance", &consume).map(drop)
    }

    /// Runs one of the broker's own tools to its end; returns its standard output.
    fn tool(&self, class: &str, arguments: &[&str]) -> Result<String, String> {
        let class = format!("org.apache.kafka.tools.{class}");
        let tools = install_one(self.libs.parent().unwrap_or(&self.libs), "kafka-tools")?;
        let output = self.java(&tools, &[&[class.as_str()], arguments].concat()).output();
        let output = output.map_err(|error| format!("start java: {error}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
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
