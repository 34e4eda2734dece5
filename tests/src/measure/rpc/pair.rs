//! The two servers that are compared.

use serde_json::Value;

use super::requests::Row;
use crate::{
    connection::Connection,
    failure::{Doing, Failure, Outcome},
    measure::load::{Server, address_of},
    scenario::Net,
};

/// geth and the first replica of a network.
pub(in crate::measure) fn servers(net: &mut Net) -> Outcome<(Server, Server)> {
    let geth = Server {
        address: address_of(net.master().url()),
        pid: net.node().process().ok_or_else(|| Failure::new("geth is not running"))?.id(),
    };
    Ok((geth, Server::replica(net)?))
}

/// Why a row means nothing: a server refuses, or they answer differently. A fast error is no fast answer.
pub(super) fn differing(geth: &Server, replica: &Server, row: &Row) -> Outcome<Option<String>> {
    let (mut left, mut right) =
        (Connection::open(&geth.address, false)?, Connection::open(&replica.address, false)?);
    for body in &row.bodies {
        let answers = [left.ask(body)?, right.ask(body)?].map(|answer| {
            serde_json::from_slice::<Value>(answer).doing(|| format!("read an answer to {body:.200}"))
        });
        let [left, right] = answers;
        let (left, right) = (left?, right?);
        if left != right || left.get("error").is_some() {
            return Ok(Some(format!("{body:.200}: geth {left:.200}, replica {right:.200}")));
        }
    }
    Ok(None)
}
