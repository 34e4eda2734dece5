//! An operator's commands to a network, through `maidenlane`.

use std::fs;

use serde_json::Value;

use super::Net;
use crate::{
    failure::{Doing, Failure, Outcome},
    process::Process,
    settings::{self, Log},
};

impl Net {
    /// Runs `maidenlane` and returns what it printed.
    ///
    /// # Errors
    /// It failed, and this is what it said.
    pub fn command(&self, arguments: &[&str]) -> Outcome<String> {
        let output = self.product.command("maidenlane").args(arguments).output();
        let output = output.doing(|| "run maidenlane".to_owned())?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Failure::new(format!("maidenlane {} failed ({}): {said}", arguments.join(" "), output.status)))
    }

    /// Starts `maidenlane`, for a command that waits for something. Its output is in its log.
    ///
    /// # Errors
    /// It does not start.
    pub fn spawn(&self, arguments: &[String]) -> Outcome<Process> {
        let mut command = self.product.command("maidenlane");
        Process::start("maidenlane", command.args(arguments), &self.dir.path().join("maidenlane.log"))
    }

    /// Every entry of the feed, as the operator's own command tells it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn feed(&self) -> Outcome<Vec<Value>> {
        let topic = settings::topic();
        let place = self.place();
        let place = place.each_ref().map(String::as_str);
        let tail = ["log", "tail", "--entries", "1000000", "--topic", &topic];
        let output = self.command(&[&tail, place.as_slice()].concat())?;
        let entries =
            output.lines().map(|line| serde_json::from_str(line).doing(|| format!("read {line:.200}")));
        entries.collect()
    }

    /// The whole state of a stopped replica, as JSON lines sorted by key.
    ///
    /// # Errors
    /// It runs, or its database cannot be read.
    pub fn dump(&mut self, index: usize) -> Outcome<String> {
        let config = self.replica_daemon(index)?.config().display().to_string();
        self.command(&["replica", "dump", "--config", &config])
    }

    pub(super) fn create_topics(&self) -> Outcome<()> {
        let chain = ["--prefix", settings::PREFIX, "--chain", settings::CHAIN, "--feed", settings::FEED];
        if let Log::Segment(dir) = &self.carrier {
            fs::create_dir_all(dir).doing(|| format!("create {}", dir.display()))?;
        }
        let place = self.place();
        let place = place.each_ref().map(String::as_str);
        self.command(&[&["log", "init"], place.as_slice(), chain.as_slice()].concat()).map(drop)
    }

    /// How a command is told where the log is.
    fn place(&self) -> [String; 2] {
        match &self.carrier {
            Log::Segment(dir) => ["--dir".to_owned(), dir.display().to_string()],
            Log::Kafka(broker) => ["--brokers".to_owned(), broker.clone()],
        }
    }
}
