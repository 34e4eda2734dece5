//! Authorizations of a call, as geth reads them. Those of alloy put two structs together, whose members are then not
//! read in any case.

use crate::params::{Big, Number};
use alloy::eips::eip7702::{Authorization, SignedAuthorization};
use alloy::primitives::Address;
use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    chain_id: Big,
    address: Address,
    nonce: Number,
    y_parity: Number,
    r: Big,
    s: Big,
}

impl From<Signed> for SignedAuthorization {
    fn from(read: Signed) -> Self {
        let Signed { chain_id, address, nonce, y_parity, r, s } = read;
        let inner = Authorization { chain_id: chain_id.0, address, nonce: nonce.0 };
        // geth keeps the last byte, whatever else there is.
        let [.., parity] = y_parity.0.to_be_bytes();
        Self::new_unchecked(inner, parity, r.0, s.0)
    }
}

/// Reads a list of them.
pub(crate) fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<SignedAuthorization>>, D::Error> {
    let read = Option::<Vec<Signed>>::deserialize(from)?;
    Ok(read.map(|list| list.into_iter().map(Into::into).collect()))
}

#[cfg(test)]
mod tests {
    use crate::call_args::CallArgs;
    use crate::params::read;
    use serde_json::{Value, json};

    fn parity(member: &str, value: Value) -> Option<u8> {
        let mut signed = json!({"chainID": "0x1", "address": format!("0x{:040x}", 7), "NONCE": "0x0", "R": "0x1", "s": "0x2"});
        signed[member] = value;
        let call = json!({"authorizationList": [signed]}).to_string();
        Some(read::<CallArgs>(&call).ok()?.authorization_list?.first()?.y_parity())
    }

    #[test]
    fn members_are_named_in_any_case_and_all_must_be_there() {
        assert_eq!(parity("yParity", json!("0x1")), Some(1));
        assert_eq!(parity("YPARITY", json!("0x101")), Some(1));
        assert_eq!(parity("v", json!("0x1")), None);
        assert_eq!(parity("yParity", Value::Null), None);
    }
}
