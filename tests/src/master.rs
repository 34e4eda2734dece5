//! The master of a scenario: a real geth with our hook, built once and run in a directory.

use std::{
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::{
    chain::{Chain, Scheme},
    failure::{Doing, Failure, Outcome},
    geth::engine::Engine,
    install::GETH_ENV,
    kafka,
    process::{Process, output},
    product,
    rpc::Client,
    wait,
};

#[path = "../../daemons/cli/src/geth/build.rs"]
mod builder;
mod peers;
#[path = "../../daemons/lib/adopt/src/probe.rs"]
mod probe;
mod signals;

use probe::HOOK;
use signals::{takes_interrupt, without_interrupt};

/// The account whose key `geth --dev` has and unlocks.
const DEVELOPER: &str = "71562b71999873db5b286df957af199ec94617f7";
const START_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// Builds geth with the hook, unless this version with this hook is there already or `MAIDENLANE_GETH` names one, and
/// returns the binary.
///
/// # Errors
/// Go is missing or the build failed, or the named one is of no use.
pub fn build() -> Outcome<PathBuf> {
    if let Some(named) = env::var_os(GETH_ENV) {
        return given(Path::new(&named));
    }
    build_version(builder::VERSION)
}

/// The oldest and the newest version that the hook is for.
#[must_use]
pub const fn supported() -> [&'static str; 2] {
    builder::SUPPORTED
}

/// Builds a version of geth with the hook, unless it is there already.
///
/// # Errors
/// Go is missing or the build failed.
pub fn build_version(version: &str) -> Outcome<PathBuf> {
    let hook = product::root().join("daemons/tap/geth/hook.go");
    let text = fs::read_to_string(&hook).doing(|| format!("read {}", hook.display()))?;
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let home = product::cache().join("geth").join(format!("v{version}-{:016x}", hasher.finish()));
    let binary = home.join("geth");
    if binary.exists() {
        return Ok(binary);
    }
    fs::create_dir_all(&home).doing(|| format!("create {}", home.display()))?;
    // Tests in threads and in processes want it at the same time; the lock goes with the file.
    let turn = fs::File::create(home.join("lock")).and_then(|file| file.lock().map(|()| file));
    let _turn = turn.doing(|| format!("lock {}", home.display()))?;
    if binary.exists() {
        return Ok(binary);
    }
    eprintln!("building geth {version} with the hook, once, about 2 minutes …");
    let work = home.join(format!("work-{}", std::process::id()));
    builder::build(version, &text, &work, &binary).map_err(Failure::new)?;
    fs::remove_dir_all(&work).doing(|| format!("remove {}", work.display()))?;
    Ok(binary)
}

/// Copies go-ethereum's source to below `work`, unless it is there.
///
/// # Errors
/// Go is missing or cannot get it.
pub fn source(work: &Path) -> Outcome<PathBuf> {
    builder::source(builder::VERSION, work).map_err(Failure::new)
}

/// A geth that was built elsewhere, if it has the hook.
fn given(geth: &Path) -> Outcome<PathBuf> {
    probe::hook_in(geth).map(|()| geth.to_owned()).map_err(|said| {
        let cure = format!("{GETH_ENV} must name a geth 1.17 that was built with daemons/tap/geth/hook.go");
        Failure::new(format!("{cure}: {} is no such geth: {said}", geth.display()))
    })
}

/// A tracer that looks on while geth executes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracer {
    /// Nothing.
    None,
    /// geth's own, which has every callback and does nothing in them.
    Noop,
    /// Ours.
    Hook,
}

/// A geth with a data directory. Starts, stops and starts again on the same ports.
#[derive(Debug)]
pub struct Node {
    geth: PathBuf,
    dir: PathBuf,
    chain: Chain,
    http_port: u16,
    auth_port: u16,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    hook: Value,
    tracer: Tracer,
    process: Option<Process>,
}

impl Node {
    /// Prepares the chain's data and starts geth on it. Returns once it answers.
    ///
    /// # Errors
    /// geth refuses the chain or does not come up.
    pub fn start(geth: &Path, dir: &Path, chain: &Chain) -> Outcome<Self> {
        Self::prepared(geth, dir, chain, |_| ())
    }

    /// The same with something done to it before it executes anything.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn prepared(
        geth: &Path,
        dir: &Path,
        chain: &Chain,
        prepare: impl FnOnce(&mut Self),
    ) -> Outcome<Self> {
        let mut node = Self::new(geth, dir, chain)?;
        prepare(&mut node);
        if let Chain::Stock(_, scheme) = chain {
            node.tracer = Tracer::None;
            match scheme {
                Scheme::Hash => node.argument("--state.scheme=hash"),
                Scheme::Path => node.eager(),
            }
        }
        match chain {
            Chain::Developer => {
                let genesis = node.dir.join("genesis.json");
                let text = node.developer_genesis()?.to_string();
                fs::write(&genesis, text).doing(|| format!("write {}", genesis.display()))?;
                node.init(&genesis)?;
            }
            Chain::Import(from) | Chain::Stock(from, _) => {
                node.init(&from.join("genesis.json"))?;
                node.import(&from.join("chain.rlp"), node.tracer)?;
            }
            Chain::Recorded => return Err(Failure::new("a recorded chain is replayed, not run")),
        }
        node.restart()?;
        Ok(node)
    }

    /// A node without data, for scenarios that prepare it themselves.
    ///
    /// # Errors
    /// Its directory cannot be made.
    pub fn new(geth: &Path, dir: &Path, chain: &Chain) -> Outcome<Self> {
        let dir = dir.join("geth");
        fs::create_dir_all(dir.join("spool")).doing(|| format!("create {}", dir.display()))?;
        let hook =
            json!({"spool": dir.join("spool"), "maxSpool_MB": 4096, "minFree_MB": 8, "segment_MB": 64});
        Ok(Self {
            geth: geth.to_owned(),
            dir,
            chain: chain.clone(),
            http_port: free_port()?,
            auth_port: free_port()?,
            environment: Vec::new(),
            arguments: Vec::new(),
            hook,
            tracer: Tracer::Hook,
            process: None,
        })
    }

    /// `geth init`.
    ///
    /// # Errors
    /// geth refuses the genesis.
    pub fn init(&self, genesis: &Path) -> Outcome<()> {
        output(self.command(Tracer::None).arg("init").arg(genesis)).map(drop)
    }

    /// `geth import`.
    ///
    /// # Errors
    /// geth refuses the blocks.
    pub fn import(&self, blocks: &Path, tracer: Tracer) -> Outcome<()> {
        output(self.command(tracer).arg("import").arg(blocks)).map(drop)
    }

    /// Runs one of geth's own commands on the data of a node that is stopped, and returns what it printed.
    ///
    /// # Errors
    /// It failed.
    pub fn run(&self, arguments: &[&str]) -> Outcome<Vec<u8>> {
        output(self.command(Tracer::None).args(arguments))
    }

    /// Sets an environment variable for everything it starts from now on; an empty value removes it.
    pub fn environment(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        if !value.is_empty() {
            self.environment.push((name.to_owned(), value.to_owned()));
        }
    }

    /// Gives everything it starts from now on one more argument.
    pub fn argument(&mut self, argument: &str) {
        self.arguments.push(argument.to_owned());
    }

    /// Has state that no reorganisation reaches written to the disk at once, not when there are 64 MB of it.
    pub fn eager(&mut self) {
        self.argument("--cache.gc=0");
    }

    /// Data directory of the node.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Has another tracer look on than the hook, from now on.
    pub fn tracer(&mut self, tracer: Tracer) {
        self.tracer = tracer;
    }

    /// Changes a setting of the hook for everything it starts from now on.
    pub fn hook(&mut self, name: &str, value: Value) {
        if let Some(settings) = self.hook.as_object_mut() {
            settings.insert(name.to_owned(), value);
        }
    }

    /// The engine API, for any chain but the developer's.
    ///
    /// # Errors
    /// It has never run.
    pub fn engine(&self) -> Outcome<Engine> {
        Engine::new(self.auth_port, &self.dir.join("data/geth/jwtsecret"))
    }

    /// geth's own developer genesis, but for the forks of today's networks: its own activates "bogota", with rules
    /// of the EVM that no network has and that the replica rightly refuses to guess.
    fn developer_genesis(&self) -> Outcome<Value> {
        let text = output(Command::new(&self.geth).args(["--dev", "dumpgenesis"]))?;
        let mut genesis: Value = serde_json::from_slice(&text)?;
        let missing = || Failure::new("geth's developer genesis has another form than expected");
        let config = genesis.get_mut("config").and_then(Value::as_object_mut).ok_or_else(missing)?;
        config.remove("bogotaTime");
        let alloc = genesis.get_mut("alloc").and_then(Value::as_object_mut).ok_or_else(missing)?;
        alloc.insert(DEVELOPER.to_owned(), json!({"balance": "0xd3c21bcecceda1000000"}));
        Ok(genesis)
    }

    fn command(&self, tracer: Tracer) -> Command {
        let mut command = Command::new(&self.geth);
        command.arg("--datadir").arg(self.dir.join("data"));
        match tracer {
            Tracer::None => &mut command,
            Tracer::Noop => command.args(["--vmtrace", "noop"]),
            Tracer::Hook => command.args(["--vmtrace", HOOK, "--vmtrace.jsonconfig", &self.hook.to_string()]),
        };
        command.args(["--syncmode", "full", "--nodiscover", "--port", "0"]);
        command.args(["--maxpeers", "4", "--nat", "none", "--netrestrict", "127.0.0.0/8"]);
        command.args(["--ipcpath".as_ref(), self.ipc().as_os_str()]).args(&self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts it again after a stop or a kill.
    ///
    /// # Errors
    /// It does not come up.
    pub fn restart(&mut self) -> Outcome<()> {
        let (http, auth) = (self.http_port.to_string(), self.auth_port.to_string());
        let mut command = without_interrupt(&self.command(self.tracer));
        if self.chain == Chain::Developer {
            command.args(["--dev", "--dev.period", "1"]);
        }
        command.args([
            "--http",
            "--http.api",
            "eth,net,web3,debug,txpool,admin,testing",
            "--http.port",
            &http,
        ]);
        command.args(["--ws", "--ws.api", "eth,net,web3,debug", "--ws.port", &http]);
        command.args(["--authrpc.port", &auth]);
        let mut process = Process::start("geth", &mut command, &self.dir.join("geth.log"))?;
        let client = self.rpc();
        let up = wait::until("geth to answer", START_TIMEOUT, || {
            process.alive().map_err(|failure| failure.to_string())?;
            client.block_number().map_err(|failure| failure.to_string())?;
            if takes_interrupt(process.id()) {
                Ok(())
            } else {
                Err("it would not stop cleanly yet".to_owned())
            }
        });
        up.doing(|| format!("start geth, whose log ends:\n{}", process.tail(10)))?;
        self.process = Some(process);
        Ok(())
    }

    /// Asks it.
    #[must_use]
    pub fn rpc(&self) -> Client {
        Client::new(format!("http://127.0.0.1:{}", self.http_port))
    }

    /// The process, if it runs.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    /// Where the hook writes.
    #[must_use]
    pub fn spool(&self) -> PathBuf {
        self.dir.join("spool")
    }

    /// The IPC socket.
    #[must_use]
    pub fn ipc(&self) -> PathBuf {
        self.dir.join("geth.ipc")
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// `kill -9` from another thread when `delay` has passed, whatever geth does then. [`Node::kill`] takes it away.
    pub fn kill_in(&mut self, delay: Duration) -> JoinHandle<()> {
        // Until it is taken away, its process id is nobody else's.
        let pid = self.process.as_ref().and_then(|process| i32::try_from(process.id()).ok());
        let pid = pid.and_then(Pid::from_raw);
        thread::spawn(move || {
            thread::sleep(delay);
            if let Some(pid) = pid {
                let _gone = kill_process(pid, Signal::KILL);
            }
        })
    }

    /// SIGINT, and waits for a clean end.
    ///
    /// # Errors
    /// It had to be killed.
    pub fn stop(&mut self) -> Outcome<()> {
        self.process.take().map_or(Ok(()), |mut process| process.stop(Signal::INT, STOP_TIMEOUT))
    }
}

fn free_port() -> Outcome<u16> {
    kafka::free_port().map(|address| address.port()).map_err(Failure::new)
}
