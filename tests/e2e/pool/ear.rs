//! Subscriptions of geth and of a replica, side by side.

use std::collections::BTreeMap;

use maidenlane_tests::{rpc::Client, socket::Socket, wait};
use serde_json::Value;

use super::SOON;

/// A subscription, and what it has told.
pub(crate) struct Ear {
    socket: Socket,
    heard: Vec<Value>,
}

impl Ear {
    pub(crate) fn open(client: &Client, params: &Value) -> Self {
        let mut socket = Socket::connect(client.url()).unwrap();
        let answer = socket.respond("eth_subscribe", params).unwrap();
        assert!(answer.get("result").is_some_and(Value::is_string), "{answer}");
        Self { socket, heard: Vec::new() }
    }

    fn listen(&mut self) {
        while let Some(message) = self.socket.notification().unwrap() {
            self.heard.push(message.pointer("/params/result").unwrap().clone());
        }
    }

    /// Waits until something of a transaction was told; all that was.
    pub(crate) fn about(&mut self, name: &str, hash: &str) -> Value {
        wait::until(&format!("word of {hash}"), SOON, || {
            self.listen();
            let found = self.heard.iter().find(|each| each.get(name).is_some_and(|told| told == hash));
            found.cloned().ok_or_else(|| format!("{:?}", self.heard))
        })
        .unwrap()
    }
}

/// Waits until two subscriptions have told the same of what was `sent`, each transaction once, in whatever order.
pub(crate) fn same(geth: &mut Ear, replica: &mut Ear, sent: &[(String, bool)]) {
    let told = |ear: &Ear| {
        let mut of: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for each in &ear.heard {
            let hash = each.as_str().or_else(|| each.get("hash")?.as_str()).unwrap();
            if sent.iter().any(|(ours, _)| ours == hash) {
                of.entry(hash.to_owned()).or_default().push(each.clone());
            }
        }
        of
    };
    let same = wait::until("both to announce the same", SOON, || {
        geth.listen();
        replica.listen();
        let (wanted, found) = (told(geth), told(replica));
        if wanted == found { Ok(()) } else { Err(format!("geth {wanted:#?}\nreplica {found:#?}")) }
    });
    same.unwrap();
}
