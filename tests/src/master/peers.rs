//! Two geths of one chain, over loopback.

use serde_json::{Value, json};

use super::{Node, START_TIMEOUT};
use crate::{
    failure::{Failure, Outcome},
    wait,
};

impl Node {
    /// Makes another node of the same chain its only peer, over loopback. Both must run.
    ///
    /// # Errors
    /// They do not connect.
    pub fn connect(&self, other: &Self) -> Outcome<()> {
        let info = other.rpc().call("admin_nodeInfo", &json!([]))?;
        let field = |path: &str| info.pointer(path).cloned().unwrap_or(Value::Null);
        let (Value::String(enode), Value::Number(port)) = (field("/enode"), field("/ports/listener")) else {
            return Err(Failure::new(format!("geth does not say how to reach it: {info}")));
        };
        let key = enode.split('@').next().unwrap_or_default();
        let address = format!("{key}@127.0.0.1:{port}?discport=0");
        self.rpc().call("admin_addPeer", &json!([address]))?;
        wait::until("the peer", START_TIMEOUT, || match self.rpc().quantity("net_peerCount", &json!([])) {
            Ok(0) => Err(format!("none at {address}")),
            Ok(_) => Ok(()),
            Err(failure) => Err(failure.to_string()),
        })
    }
}
