//! Questions and commands of operators, by the control socket.

use crate::cordons::{Cordons, FILE};
use crate::foreign;
use crate::hub::{Command, Views};
use crate::incidents::Shared;
use crate::unwritten::Unwritten;
use crate::view::{Cordon, View};
use crate::words;
use maidenlane_jsonrpc::control::Answer;
use maidenlane_service::{Exit, clock};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc, oneshot};

/// Longest reason of a cordon: all who ask are told it.
const REASON_CHARS_MAX: usize = 300;
/// As much of one that is too long is said back.
const SHOWN_CHARS_MAX: usize = 40;
/// Field of an answer to a command with what else there is to say.
pub const NOTE: &str = "note";

/// Reads the reason of a cordon.
///
/// # Errors
/// There is none, it is too long, or no line of text.
pub fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why, for all who wonder".to_owned()),
        text if text.chars().count() > REASON_CHARS_MAX => Err(format!(
            "say it in {REASON_CHARS_MAX} letters, for all who ask are told it: found {}, from `{}` on",
            text.chars().count(),
            foreign::cut(&foreign::tame(text), SHOWN_CHARS_MAX)
        )),
        text => match text.chars().find(|letter| foreign::is_harmful(*letter)) {
            Some(letter) => Err(format!(
                "say it in one line of text, without U+{:04X}: logs, terminals and balancers get it",
                u32::from(letter)
            )),
            None => Ok(text.to_owned()),
        },
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

/// Desk that answers operators.
#[derive(Clone, Debug)]
pub struct Desk {
    /// Views.
    pub views: Views,
    /// Record of incidents.
    pub record: Shared,
    /// Cordons on disk.
    pub cordons: Arc<Mutex<Cordons>>,
    /// Files that the disk does not take.
    pub unwritten: Unwritten,
    /// Way to the hub.
    pub commands: mpsc::Sender<Command>,
}

impl Desk {
    /// Answers one question.
    pub async fn answer(self, question: Result<Question, serde_json::Error>) -> Answer {
        match question {
            Ok(Question::Explain { target }) => self.explain(target.as_deref()).into(),
            Ok(Question::Incidents { subjects }) => {
                Answer::Told(words::record(&self.record.lock(), &subjects, self.views.now().now.wall_ms))
            }
            Ok(Question::Cordon { target, reason: why, drain }) => match reason(&why) {
                Ok(reason) => {
                    self.command(target, Some(Cordon { reason, since_ms: clock::now_ms(), drain })).await
                }
                Err(refused) => Answer::refused(format!("reason: {refused}")),
            },
            Ok(Question::Uncordon { target }) => self.command(target, None).await,
            Err(error) => Answer::refused(format!("no question: {error}")),
        }
    }

    fn explain(&self, name: Option<&str>) -> Result<Value, String> {
        let view = self.views.now();
        let Some(name) = name else { return Ok(words::whole(&view)) };
        let target = view.target(name).ok_or_else(|| unknown(name, &view))?;
        Ok(words::target(target, view.now))
    }

    /// Puts a cordon, or takes it away: on disk, then for all who ask.
    ///
    /// # Correctness
    /// The lock is held until the hub has it, so that of two operators the later one has his way on disk and in views alike.
    async fn command(&self, target: String, cordon: Option<Cordon>) -> Answer {
        let view = self.views.now();
        if view.target(&target).is_none() {
            return Answer::refused(unknown(&target, &view));
        }
        let stops = || gave_up("the daemon stops");
        let mut cordons = Arc::clone(&self.cordons).lock_owned().await;
        let (name, put) = (target.clone(), cordon.clone());
        let kept = tokio::task::spawn_blocking(move || {
            let kept = keep(&mut cordons, &name, put);
            (cordons, kept)
        });
        let Ok((_cordons, kept)) = kept.await else { return stops() };
        self.unwritten.note(FILE, kept.written.clone());
        if let (Some(_), Err(refused)) = (&cordon, &kept.written) {
            return gave_up(format!(
                "{refused}: {target} is as it was, for what is not on disk would end with a restart; make room there, or \
                 take it out at the balancers"
            ));
        }
        let (reply, shown) = oneshot::channel();
        let command = Command { target: target.clone(), cordon, reply };
        if self.commands.send(command).await.is_err() || shown.await.is_err() {
            return stops();
        }
        let noted = |mut told: Value| {
            if let (Some(note), Some(fields)) = (kept.note, told.as_object_mut()) {
                fields.insert(NOTE.to_owned(), note.into());
            }
            told
        };
        self.explain(Some(&target)).map(noted).into()
    }
}

/// Word of the disk on a command, and what there is to say of it.
struct Kept {
    written: Result<(), String>,
    note: Option<String>,
}

fn keep(cordons: &mut Cordons, target: &str, cordon: Option<Cordon>) -> Kept {
    let Some(cordon) = cordon else {
        let (before, written) = cordons.lift(target);
        let note = match (&before, &written) {
            (None, _) => Some(format!("{target} was not cordoned")),
            (Some(_), Err(refused)) => Some(format!(
                "{target} is let in, but {refused}: tried again, and until then a restart would bring the cordon back"
            )),
            (Some(_), Ok(())) => None,
        };
        return Kept { written, note };
    };
    let put = cordons.put(target, cordon);
    let before = put.as_ref().ok().and_then(Option::as_ref);
    let note = before
        .map(|before| format!("{target} was cordoned already ({}): the new reason stands", before.reason));
    Kept { written: put.map(drop), note }
}

fn gave_up(reason: impl Into<String>) -> Answer {
    Answer::Failed { exit: Exit::GaveUp.number(), reason: reason.into() }
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
        assert_eq!(reason("größere Platte"), Ok("größere Platte".to_owned()));
        for bad in ["", " "] {
            assert_eq!(reason(bad).unwrap_err(), "say why, for all who wonder");
        }
        let long = reason(&"word ".repeat(100)).unwrap_err();
        assert!(long.contains("300 letters") && long.chars().count() < 150, "{long}");
        for (bad, named) in [("a\nb", "U+000A"), ("\x1b[31mred", "U+001B"), ("up\u{202e}nwod", "U+202E")] {
            let refused = reason(bad).unwrap_err();
            assert!(refused.contains(named) && !refused.contains(bad), "{refused}");
        }
    }
}
