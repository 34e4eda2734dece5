//! Differences between two right answers, and how they are left out of the comparison.

use serde_json::Value;

/// Blob fee of Cancun's first block, the least there is, and what geth guesses of it.
const FEE: &str = "0x1";
const GUESS: &str = "0x0";

/// Knows what of an answer depends on the side that gave it.
#[derive(Debug, Default)]
pub(super) struct Normalizer {
    /// First block that has a blob fee.
    pub(super) cancun: Option<u64>,
}

impl Normalizer {
    /// Takes that out.
    ///
    /// geth may tell a guess of a blob fee as the fee.
    pub(super) fn forget(&self, method: &str, answer: &mut Value) {
        if method == "eth_feeHistory"
            && let Some(fee) = self.guessed(answer).filter(|fee| *fee == GUESS)
        {
            *fee = FEE.into();
        }
    }

    /// The blob fee of Cancun's first block, where the block before it was asked for, too: geth reads blocks at once, and
    /// each that is read writes its own fee and its guess of the next one's. Which of the two stands there, a block's fee
    /// or the guess of its parent, is up to which was read last.
    fn guessed<'a>(&self, history: &'a mut Value) -> Option<&'a mut Value> {
        let oldest = history.pointer("/result/oldestBlock")?.as_str()?.strip_prefix("0x")?;
        let oldest = u64::from_str_radix(oldest, 16).ok()?;
        let place = usize::try_from(self.cancun?.checked_sub(oldest)?).ok()?;
        let fees = history.pointer_mut("/result/baseFeePerBlobGas")?.as_array_mut()?;
        // The last one is the block's after those that were read.
        let read = fees.len().checked_sub(1)?;
        fees.get_mut(place).filter(|_| (1..read).contains(&place))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fees_left(oldest: &str, fees: &Value) -> Value {
        let mut answer = json!({"result": {"oldestBlock": oldest, "baseFeePerBlobGas": fees}});
        Normalizer { cancun: Some(0x1f) }.forget("eth_feeHistory", &mut answer);
        answer["result"]["baseFeePerBlobGas"].take()
    }

    #[test]
    fn of_blob_fees_only_the_one_is_free_that_geth_may_have_guessed() {
        assert_eq!(fees_left("0x1e", &json!(["0x0", "0x0", "0x1"])), json!(["0x0", "0x1", "0x1"]));
        assert_eq!(fees_left("0x1e", &json!(["0x0", "0x2", "0x1"])), json!(["0x0", "0x2", "0x1"]));
        let zeros = json!(["0x0", "0x0", "0x0", "0x0"]);
        assert_eq!(fees_left("0x1d", &zeros), json!(["0x0", "0x0", "0x1", "0x0"]));
        // Not asked for, the last and only a guess, the first and no guess, long ago.
        for oldest in ["0x0", "0x1c", "0x1f", "0x20"] {
            assert_eq!(fees_left(oldest, &zeros), zeros, "from {oldest}");
        }
        let mut none = json!({"error": {"code": -32000}});
        Normalizer::default().forget("eth_feeHistory", &mut none);
        assert_eq!(none, json!({"error": {"code": -32000}}));
    }
}
