//! Questions and commands of operators, by the control socket.

use crate::config::{Builder, Settings};
use crate::enrolled::{Enrolled, Register, Rights, Unchanged};
use crate::trial::{Trial, Word};
use maidenlane_jsonrpc::control::Answer;
use maidenlane_service::{clock, with_causes};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Question {
    /// Let an identity in.
    Enrol {
        /// Name.
        name: String,
        /// SHA-256 of its token, in hex: the token itself is nobody's but its holder's.
        token_sha256: String,
        /// Rights and budgets.
        rights: Rights,
    },
    /// All identities.
    Identities,
    /// Let an identity in no more.
    Revoke {
        /// Name.
        name: String,
    },
    /// Ask a builder something harmless.
    Try {
        /// Name.
        builder: String,
    },
}

/// Desk that answers operators.
#[derive(Clone, Debug)]
pub struct Desk {
    register: Arc<Mutex<Register>>,
    /// Identities of the settings, by their names.
    settled: Arc<BTreeSet<String>>,
    builders: Arc<[Builder]>,
}

impl Desk {
    /// Desk over those who were enrolled, and the builders of the settings.
    #[must_use]
    pub fn new(register: Register, settings: &Settings) -> Self {
        let settled = settings.listeners.iter().flat_map(|listener| &listener.access);
        let settled = settled.map(|identity| identity.name.clone()).collect();
        let builders = settings.builders.clone().into();
        Self { register: Arc::new(Mutex::new(register)), settled: Arc::new(settled), builders }
    }

    /// Answers one question.
    pub async fn answer(self, question: Result<Question, serde_json::Error>) -> Answer {
        let answered = match question {
            Ok(Question::Enrol { name, .. }) if self.settled.contains(&name) => {
                let taken = Unchanged::Taken { name, whose: "in the settings" };
                Err(taken.to_string())
            }
            Ok(Question::Enrol { name, token_sha256, rights }) => {
                let enrolled = Enrolled { token_sha256, rights, since_ms: clock::now_ms() };
                self.change(move |register| register.add(&name, enrolled).map(|()| name)).await
            }
            Ok(Question::Identities) => Ok(self.identities().await),
            Ok(Question::Revoke { name }) => {
                self.change(move |register| register.revoke(&name).map(|()| name)).await
            }
            Ok(Question::Try { builder }) => self.try_out(&builder).await,
            Err(error) => Err(format!("no question: {error}")),
        };
        answered.into()
    }

    /// Changes the register. The lock is held until the disk has it, so that of two operators the later one has his way.
    async fn change(
        &self,
        change: impl FnOnce(&mut Register) -> Result<String, Unchanged> + Send + 'static,
    ) -> Result<Value, String> {
        let mut register = Arc::clone(&self.register).lock_owned().await;
        let done = tokio::task::spawn_blocking(move || change(&mut register)).await;
        let name = done.map_err(|_| "the daemon stops".to_owned())?;
        name.map(|name| json!({ "name": name })).map_err(|unchanged| with_causes(&unchanged))
    }

    async fn identities(&self) -> Value {
        let register = self.register.lock().await;
        let enrolled = register.all().iter().map(|(name, enrolled)| {
            json!({ "name": name, "from": "command", "rights": enrolled.rights, "sinceMs": enrolled.since_ms })
        });
        let settled = self.settled.iter().map(|name| json!({ "name": name, "from": "settings" }));
        Value::Array(settled.chain(enrolled).collect())
    }

    async fn try_out(&self, name: &str) -> Result<Value, String> {
        let names =
            || self.builders.iter().map(|builder| builder.name.as_str()).collect::<Vec<_>>().join(", ");
        let builder = self.builders.iter().find(|builder| builder.name == name);
        let builder =
            builder.ok_or_else(|| format!("no builder is called `{name}`: there are {}", names()))?;
        let push = builder.push.as_ref();
        let push = push.ok_or_else(|| format!("nothing is sent to `{name}`: give it `push`"))?;
        let trial = Trial::new(name, push).map_err(|unusable| with_causes(&unusable))?;
        let Word { reachable, dialect, key, said, took } = trial.run().await;
        Ok(json!({
            "builder": name, "address": push.address(), "reachable": reachable,
            "dialect": dialect, "key": key, "said": said, "tookMs": clock::millis(took),
        }))
    }
}
