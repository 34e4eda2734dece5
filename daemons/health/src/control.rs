//! Questions and commands of operators, by the control socket.

use crate::cordons::Cordons;
use crate::hub::{Command, Views};
use crate::incidents::Shared;
use crate::view::{Cordon, View};
use crate::words;
use maidenlane_service::{Exit, clock};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc, oneshot};

/// Longest reason of a cordon: all who ask are told it.
const REASON_CHARS_MAX: usize = 300;

/// Reads the reason of a cordon.
///
/// # Errors
/// There is none, or it is too long.
pub fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why, for all who wonder".to_owned()),
        text if text.chars().count() > REASON_CHARS_MAX => {
            Err(format!("say it in {REASON_CHARS_MAX} letters: all who ask are told it"))
        }
        text => Ok(text.to_owned()),
    }
}

/// Question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Question {
    /// Everything, or one target.
    Explain {
        /// Name of the target; `None` for all.
        target: Option<String>,
    },
    /// The record of incidents, with what was measured of these subjects.
    Incidents {
        /// Targets, and sources as `source:NAME`.
        subjects: Vec<String>,
    },
    /// Take a target out.
    Cordon {
        /// Name of the target.
        target: String,
        /// Why.
        reason: String,
        /// True if open connections may go on.
        drain: bool,
    },
    /// Let it in again, if its checks do.
    Uncordon {
        /// Name of the target.
        target: String,
    },
}

/// Answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// Answer to what was asked.
    Told(Value),
    /// Nothing was done.
    Failed {
        /// Exit code that the command should have for it.
        exit: u8,
        /// Reason.
        reason: String,
    },
}

/// Desk that answers operators.
#[derive(Clone, Debug)]
pub struct Desk {
    /// Views.
    pub views: Views,
    /// Record of incidents.
    pub record: Shared,
    /// Cordons on disk.
    pub cordons: Arc<Mutex<Cordons>>,
    /// Way to the hub.
    pub commands: mpsc::Sender<Command>,
}

impl Desk {
    /// Answers one question.
    pub async fn answer(self, question: Result<Question, serde_json::Error>) -> Answer {
        let cordon = |reason, drain| Cordon { reason, since_ms: clock::now_ms(), drain };
        let answered = match question {
            Ok(Question::Explain { target }) => self.explain(target.as_deref()),
            Ok(Question::Incidents { subjects }) => {
                Ok(words::record(&self.record.lock(), &subjects, self.views.now().now.wall_ms))
            }
            Ok(Question::Cordon { target, reason: why, drain }) => match reason(&why) {
                Ok(why) => self.command(target, Some(cordon(why, drain))).await,
                Err(refused) => Err(format!("reason: {refused}")),
            },
            Ok(Question::Uncordon { target }) => self.command(target, None).await,
            Err(error) => Err(format!("no question: {error}")),
        };
        answered.map_or_else(|reason| Answer::Failed { exit: Exit::Settings.number(), reason }, Answer::Told)
    }

    fn explain(&self, name: Option<&str>) -> Result<Value, String> {
        let view = self.views.now();
        let Some(name) = name else { return Ok(words::whole(&view)) };
        let target = view.target(name).ok_or_else(|| unknown(name, &view))?;
        Ok(words::target(target, view.now))
    }

    /// Puts a cordon, or takes it away: durably, then for all who ask.
    ///
    /// # Correctness
    /// The lock is held until the hub has it, so that of two operators the later one has his way on disk and in views alike.
    async fn command(&self, target: String, cordon: Option<Cordon>) -> Result<Value, String> {
        let stops = || "the daemon stops".to_owned();
        let view = self.views.now();
        view.target(&target).ok_or_else(|| unknown(&target, &view))?;
        let mut cordons = Arc::clone(&self.cordons).lock_owned().await;
        let (name, put) = (target.clone(), cordon.clone());
        let written = tokio::task::spawn_blocking(move || {
            let done = cordons.put(&name, put);
            (cordons, done)
        });
        let (_cordons, done) = written.await.map_err(|_| stops())?;
        done?;
        let (reply, shown) = oneshot::channel();
        let command = Command { target: target.clone(), cordon, reply };
        self.commands.send(command).await.map_err(|_| stops())?;
        shown.await.map_err(|_| stops())?;
        self.explain(Some(&target))
    }
}

fn unknown(name: &str, view: &View) -> String {
    let names: Vec<&str> = view.targets.iter().map(|target| target.name.as_str()).collect();
    format!("no target is called `{name}`: there are {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn a_reason_says_something_and_not_too_much() {
        assert_eq!(reason(" new disk\n"), Ok("new disk".to_owned()));
        for bad in ["", " ", "x".repeat(301).as_str()] {
            reason(bad).unwrap_err();
        }
    }
}
