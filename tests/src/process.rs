//! One child process: started, watched, stopped or killed by its own pid, never outliving its owner.

use std::{
    fs::{self, File},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    failure::{Doing, Failure, Outcome},
    wait,
};

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with all its output appended to `log`.
    ///
    /// The child gets a process group of its own: Ctrl-C in the terminal reaches the harness alone, which then stops
    /// its children in order.
    ///
    /// # Errors
    /// The log cannot be opened or the program cannot be started.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Outcome<Self> {
        let out = File::options().create(true).append(true).open(log);
        let out = out.doing(|| format!("open {}", log.display()))?;
        let err = out.try_clone().doing(|| format!("open {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
        let child = command.spawn().doing(|| format!("start {name} ({:?})", command.get_program()))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// The name given at the start.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where its output goes.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Fails, with the end of its log, if it is no longer running.
    ///
    /// # Errors
    /// It has ended.
    pub fn alive(&mut self) -> Outcome<()> {
        match self.ended() {
            None => Ok(()),
            Some(status) => Err(self.died(status)),
        }
    }

    /// Sends a signal. An ended process is no error: the caller learns that from [`Process::ended`].
    pub fn signal(&self, signal: Signal) {
        if let Ok(id) = i32::try_from(self.child.id())
            && let Some(pid) = Pid::from_raw(id)
        {
            let _gone = kill_process(pid, signal);
        }
    }

    /// `kill -9`, and waits until the kernel has taken it away.
    pub fn kill(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// It is still running after `timeout`.
    pub fn wait(&mut self, timeout: Duration) -> Outcome<ExitStatus> {
        let what = format!("the end of {}", self.name);
        wait::until(&what, timeout, || self.ended().ok_or_else(|| "it runs".to_owned()))
    }

    /// Asks it to stop with `signal` and waits; kills it when it does not come to an end in time.
    ///
    /// # Errors
    /// It had to be killed, or it ended with another code than 0.
    pub fn stop(&mut self, signal: Signal, timeout: Duration) -> Outcome<()> {
        if let Some(status) = self.ended() {
            return Err(self.died(status));
        }
        self.signal(signal);
        match self.wait(timeout) {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(self.died(status)),
            Err(late) => {
                self.kill();
                Err(late)
            }
        }
    }

    /// The last `lines` lines of its output.
    #[must_use]
    pub fn tail(&self, lines: usize) -> String {
        tail(&self.log, lines)
    }

    fn died(&self, status: ExitStatus) -> Failure {
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "an unknown cause".to_owned(),
        };
        Failure::new(format!(
            "{} ended with {how}; its log {} ends:\n{}",
            self.name,
            self.log.display(),
            self.tail(15)
        ))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.kill();
        }
    }
}

/// The last `lines` lines of a text file, empty if it cannot be read.
#[must_use]
pub fn tail(path: &Path, lines: usize) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}

/// Runs a program to its end and returns what it printed.
///
/// # Errors
/// It cannot be run, or fails: what it complained about.
pub fn output(command: &mut Command) -> Outcome<Vec<u8>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().doing(|| format!("run {program}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(Failure::new(format!("{program} failed: {}", String::from_utf8_lossy(&output.stderr))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> (tempfile::TempDir, Process) {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let process = Process::start("sh", Command::new("sh").args(["-c", script]), &log).unwrap();
        (dir, process)
    }

    #[test]
    fn an_unexpected_end_is_told_with_the_log() {
        let (_dir, mut process) = shell("echo last words; exit 3");
        process.wait(Duration::from_secs(10)).unwrap();
        let message = process.alive().unwrap_err().to_string();
        assert!(message.contains("exit code 3") && message.ends_with("last words"), "{message}");
    }

    #[test]
    fn a_process_that_ignores_the_signal_is_killed_and_reported() {
        let (_dir, mut process) = shell("trap '' TERM; echo up; while :; do sleep 1; done");
        wait::until("the trap", Duration::from_secs(10), || {
            if process.tail(1) == "up" { Ok(()) } else { Err("nothing".to_owned()) }
        })
        .unwrap();
        process.stop(Signal::TERM, Duration::from_millis(50)).unwrap_err();
        assert!(process.ended().is_some());
    }
}
