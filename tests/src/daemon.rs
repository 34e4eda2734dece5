//! One of our daemons as a child process: settings written, addresses read back, status asked.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    failure::{Doing, Failure, Outcome},
    process::Process,
    product::Product,
    wait,
};

/// How long a daemon may take to bind its listeners.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// The exit code with which the service manager starts a daemon again.
const GAVE_UP: i32 = 75;
/// The exit codes with which it leaves it to a person: damaged data, wrong settings.
const BEYOND_RESTART: [i32; 2] = [65, 78];
/// How long it may take to drain and stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(40);

/// A daemon with a directory of its own. Starts, stops and starts again on the same state.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    binary: PathBuf,
    config: PathBuf,
    state: PathBuf,
    environment: Vec<(String, String)>,
    process: Option<Process>,
}

impl Daemon {
    /// Prepares `instance` of `maidenlane-<kind>` with these settings, in `dir`. Starts nothing yet.
    ///
    /// `settings` must name `dir/<instance>` as the state directory.
    ///
    /// # Errors
    /// The settings cannot be written.
    pub fn new(product: &Product, kind: &str, instance: &str, dir: &Path, settings: &str) -> Outcome<Self> {
        let config = dir.join(format!("{instance}.dhall"));
        fs::write(&config, settings).doing(|| format!("write {}", config.display()))?;
        Ok(Self {
            name: instance.to_owned(),
            binary: product.binary(&format!("maidenlane-{kind}")),
            config,
            state: dir.join(instance),
            environment: Vec::new(),
            process: None,
        })
    }

    /// The state directory.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The settings file.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The running process, if it was started and not stopped.
    #[must_use]
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    /// Sets an environment variable for the next starts; an empty value removes it.
    pub fn environment(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        if !value.is_empty() {
            self.environment.push((name.to_owned(), value.to_owned()));
        }
    }

    /// Starts the process and returns without waiting for anything.
    ///
    /// # Errors
    /// It is already running or cannot be started.
    pub fn launch(&mut self) -> Outcome<()> {
        if self.process.as_mut().is_some_and(|process| process.ended().is_none()) {
            return Err(Failure::new(format!("{} is already running", self.name)));
        }
        // Left behind by a kill, it would name the ports of the process before.
        let _absent = fs::remove_file(self.addresses_file());
        let mut command = Command::new(&self.binary);
        command
            .arg("--config")
            .arg(&self.config)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        let log = self.config.with_extension("log");
        self.process = Some(Process::start(&self.name, &mut command, &log)?);
        Ok(())
    }

    /// Starts the process and waits until it listens.
    ///
    /// # Errors
    /// It ended, or did not bind in time.
    pub fn start(&mut self) -> Outcome<()> {
        self.launch()?;
        self.address("admin").map(drop)
    }

    /// The address of a listener, waiting until it is bound. A replica binds `rpc` once it follows.
    ///
    /// # Errors
    /// The process ended, or did not bind in time.
    pub fn address(&mut self, listener: &str) -> Outcome<String> {
        let what = format!("the {listener} listener of {}", self.name);
        let waited = wait::until(&what, START_TIMEOUT, || match self.alive() {
            Err(dead) => Ok(Err(dead)),
            Ok(()) => self.bound(listener).map(Ok),
        });
        waited.doing(|| format!("its log ends:\n{}", self.log_tail(15)))?
    }

    /// The address of a listener that is bound.
    ///
    /// # Errors
    /// The addresses that are, if any.
    pub fn bound(&self, listener: &str) -> Result<String, String> {
        let text = fs::read_to_string(self.addresses_file()).map_err(|_| "no addresses yet".to_owned())?;
        let all: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        all.get(listener).and_then(Value::as_str).map(str::to_owned).ok_or(text)
    }

    /// Changes its settings, for its next start.
    ///
    /// # Errors
    /// They cannot be read or written.
    pub fn edit(&self, change: impl FnOnce(&str) -> String) -> Outcome<()> {
        let path = &self.config;
        let text = fs::read_to_string(path).doing(|| format!("read {}", path.display()))?;
        fs::write(path, change(&text)).doing(|| format!("write {}", path.display()))
    }

    /// Fails, with the end of its log, if it does not run.
    ///
    /// # Errors
    /// It was not started, or has ended.
    pub fn alive(&mut self) -> Outcome<()> {
        let process = self.process.as_mut();
        process.ok_or_else(|| Failure::new(format!("{} is not running", self.name)))?.alive()
    }

    /// Fails if it has ended in a way that the service manager would not start it again after.
    ///
    /// # Errors
    /// The end of its log.
    pub fn refused(&mut self) -> Outcome<()> {
        let ended = self.process.as_mut().and_then(Process::ended).and_then(|status| status.code());
        if ended.is_some_and(|code| BEYOND_RESTART.contains(&code)) { self.alive() } else { Ok(()) }
    }

    fn addresses_file(&self) -> PathBuf {
        self.state.join("addresses.json")
    }

    /// The answer of `/status`.
    ///
    /// # Errors
    /// Not running, or no answer.
    pub fn status(&mut self) -> Outcome<Value> {
        let text = self.admin("status")?;
        serde_json::from_str(&text).doing(|| format!("read the status of {}", self.name))
    }

    /// A page of the admin listener, whatever the HTTP status.
    ///
    /// # Errors
    /// Not running, or no answer.
    pub fn admin(&mut self, page: &str) -> Outcome<String> {
        let url = format!("http://{}/{page}", self.address("admin")?);
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(5)));
        let agent: ureq::Agent = config.http_status_as_error(false).build().into();
        let mut answer = agent.get(&url).call().doing(|| format!("ask {url}"))?;
        answer.body_mut().read_to_string().doing(|| format!("read {url}"))
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// It ended, or was not ready in time.
    pub fn ready(&mut self, timeout: Duration) -> Outcome<()> {
        let what = format!("{} to be ready", self.name);
        wait::until(&what, timeout, || self.readiness())
    }

    /// Readiness now; if it is not ready, the daemon's own word on why.
    ///
    /// # Errors
    /// It is not.
    pub fn readiness(&mut self) -> Result<(), String> {
        let status = self.status().map_err(|failure| failure.to_string())?;
        if status.get("ready") == Some(&Value::Bool(true)) { Ok(()) } else { Err(status.to_string()) }
    }

    /// Does what the service manager does: starts it again if it gave up on a dependency.
    ///
    /// # Errors
    /// It ended in another way.
    pub fn tend(&mut self) -> Outcome<()> {
        let Some(process) = self.process.as_mut() else { return Ok(()) };
        let ended = process.ended();
        if ended.is_some_and(|status| status.code() == Some(GAVE_UP)) {
            self.launch()
        } else {
            process.alive()
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// SIGTERM, and waits for a clean end.
    ///
    /// # Errors
    /// It had ended before, had to be killed, or ended with another code than 0.
    pub fn stop(&mut self) -> Outcome<()> {
        match self.process.take() {
            Some(mut process) => process.stop(Signal::TERM, STOP_TIMEOUT),
            None => Ok(()),
        }
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// It is still running after `timeout`.
    pub fn wait(&mut self, timeout: Duration) -> Outcome<ExitStatus> {
        let process = self.process.as_mut();
        process.ok_or_else(|| Failure::new(format!("{} is not running", self.name)))?.wait(timeout)
    }

    /// Error messages in the log, over all starts.
    #[must_use]
    pub fn errors(&self) -> Vec<String> {
        let all = self.log_tail(usize::MAX);
        all.lines().filter(|line| line.contains("ERROR")).map(str::to_owned).collect()
    }

    /// The end of its log, over all starts.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        crate::process::tail(&self.config.with_extension("log"), lines)
    }
}
