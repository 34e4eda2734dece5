//! Questions and commands of operators, by the control socket.

use crate::hub::Command;
use crate::incidents::Record;
use crate::view::{Cordon, View};
use crate::words;
use maidenlane_service::{Exit, clock};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot, watch};

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
    pub view: watch::Receiver<Arc<View>>,
    /// Record of incidents.
    pub record: Arc<Mutex<Record>>,
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
                let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(words::record(&record, &subjects, clock::now_ms()))
            }
            Ok(Question::Cordon { target, reason, drain }) => {
                self.command(target, Some(cordon(reason, drain))).await
            }
            Ok(Question::Uncordon { target }) => self.command(target, None).await,
            Err(error) => Err(format!("no question: {error}")),
        };
        answered.map_or_else(|reason| Answer::Failed { exit: Exit::Settings.number(), reason }, Answer::Told)
    }

    fn explain(&self, name: Option<&str>) -> Result<Value, String> {
        let view = Arc::clone(&self.view.borrow());
        let Some(name) = name else { return Ok(words::whole(&view)) };
        let target = view.target(name).ok_or_else(|| unknown(name, &view))?;
        Ok(words::target(target, view.now))
    }

    async fn command(&self, target: String, cordon: Option<Cordon>) -> Result<Value, String> {
        let (reply, done) = oneshot::channel();
        let stops = || "the daemon stops".to_owned();
        let command = Command { target: target.clone(), cordon, reply };
        self.commands.send(command).await.map_err(|_| stops())?;
        match done.await {
            Ok(Ok(())) => self.explain(Some(&target)),
            Ok(Err(reason)) => Err(reason),
            Err(_) => Err(stops()),
        }
    }
}

fn unknown(name: &str, view: &View) -> String {
    let names: Vec<&str> = view.targets.iter().map(|target| target.name.as_str()).collect();
    format!("no target is called `{name}`: there are {}", names.join(", "))
}
