//! Reads of state: of one account by the database and by the EVM, and of balances at the block that all are asked about.

use super::batch::{Answer, Call, call, parsed, read};
use maidenlane_chain::{Address, B256, Bytes, U256};
use serde_json::{Value, json};

/// Reads, as they are asked for.
pub(super) struct Reads {
    /// Account that is read in both ways.
    pub(super) account: Address,
    /// Block at which it is, as a parameter.
    pub(super) at: Value,
    /// Block that all are asked about, and accounts whose balances are read there.
    pub(super) compared: Option<(B256, Vec<Address>)>,
}

/// Answers to them.
pub(super) struct Told {
    /// Agreement of both ways, or what is wrong.
    pub(super) state: Result<(), String>,
    /// Balances, if each was told.
    pub(super) balances: Option<Vec<U256>>,
}

impl Reads {
    pub(super) fn calls(&self) -> Vec<Call> {
        // PUSH20 account BALANCE 0 MSTORE 32 0 RETURN: the answer comes out of the EVM, and equals that of `eth_getBalance` where
        // both read the same state.
        let code = format!("0x73{:x}3160005260206000f3", self.account);
        let mut calls =
            vec![balance(self.account, &self.at), call("eth_call", &json!([{ "data": code }, self.at]))];
        if let Some((block, accounts)) = &self.compared {
            let at = json!({ "blockHash": block });
            calls.extend(accounts.iter().map(|account| balance(*account, &at)));
        }
        calls
    }

    pub(super) fn told(&self, answers: Vec<Answer>) -> Told {
        let mut answers = answers.into_iter();
        let mut next = || answers.next().unwrap_or_else(|| Err("no answer".to_owned()));
        let state = agree(&next(), &next());
        let accounts = self.compared.iter().flat_map(|(_, accounts)| accounts);
        Told { state, balances: accounts.map(|_| read::<U256>(&next())).collect() }
    }
}

/// Two reads of one balance: by the database, and by the EVM.
fn agree(database: &Answer, evm: &Answer) -> Result<(), String> {
    let balance: U256 = parsed(database)?;
    let returned: Bytes = parsed(evm)?;
    if returned.len() == 32 && U256::from_be_slice(&returned) == balance {
        return Ok(());
    }
    Err(format!("eth_getBalance says {balance}, eth_call {returned}"))
}

fn balance(of: Address, at: &Value) -> Call {
    call("eth_getBalance", &json!([of, at]))
}

#[cfg(test)]
mod tests {
    use super::Reads;
    use maidenlane_chain::{Address, B256};
    use serde_json::{json, value::to_raw_value};

    #[test]
    fn reads_agree_or_say_what_they_found() {
        let account = Address::repeat_byte(0xab);
        let reads = Reads { account, at: json!("latest"), compared: Some((B256::ZERO, vec![account])) };
        let asked: Vec<String> =
            reads.calls().iter().map(|(method, params)| format!("{method} {params}")).collect();
        let address = format!("0x{}", "ab".repeat(20));
        assert_eq!(
            asked,
            [
                format!(r#"eth_getBalance ["{address}","latest"]"#),
                format!(r#"eth_call [{{"data":"0x73{}3160005260206000f3"}},"latest"]"#, "ab".repeat(20)),
                format!(r#"eth_getBalance ["{address}",{{"blockHash":"{}"}}]"#, B256::ZERO),
            ]
        );
        let word = |byte: &str| format!("0x{}{byte}", "0".repeat(62));
        let check = |texts: [String; 3], agree: bool, balances: bool| {
            let answers = texts.iter().map(|text| to_raw_value(text).map_err(|error| error.to_string()));
            let told = reads.told(answers.collect());
            assert_eq!((told.state.is_ok(), told.balances.is_some()), (agree, balances), "{:?}", told.state);
        };
        check(["0x7".to_owned(), word("07"), "0x9".to_owned()], true, true);
        check(["0x8".to_owned(), word("07"), "0x9".to_owned()], false, true);
        check(["0x7".to_owned(), "0x".to_owned(), "none".to_owned()], false, false);
        assert!(reads.told(Vec::new()).state.is_err());
    }
}
