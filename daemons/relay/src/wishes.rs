//! Wishes of a wallet: all that it can say stands in the address that it was given, as other relays for wallets have it.

use crate::refusal::Refusal;

/// Wishes for one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Names of builders; empty for all.
    pub builders: Vec<String>,
    /// True if it may stay in a block when it reverts.
    pub can_revert: bool,
    /// True if it may become public where no block has held it for some blocks.
    pub mempool: bool,
    /// Blocks behind the next one in which it may go into a block.
    pub blocks: Option<u64>,
}

/// Wishes that have no meaning here: what others would be told of it, for whom it counts, and how long an auction takes.
const WITHOUT_MEANING: [&str; 6] = ["hint", "originId", "auctionTimeout", "allowTEE", "fast", "minBlock"];

impl Wishes {
    /// Reads the query of an address. A wish that would be passed over is refused, unless its absence costs nothing.
    ///
    /// # Errors
    /// Naming the wish.
    pub fn read(query: &str) -> Result<Self, Refusal> {
        let mut wishes = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, "true"));
            match name {
                "builder" => wishes.builders.push(value.to_owned()),
                "canRevert" => wishes.can_revert = is_true("canRevert", value)?,
                "blockRange" => {
                    let blocks = value.parse();
                    let wrong = Refusal::Type { field: "blockRange", expected: "a number of blocks" };
                    wishes.blocks = Some(blocks.map_err(|_| wrong)?);
                }
                "useMempool" => wishes.mempool = is_true("useMempool", value)?,
                "mempoolRpc" => return Err(Refusal::Unsupported { field: "mempoolRpc" }),
                "refund" => return Err(Refusal::Unsupported { field: "refund" }),
                name if WITHOUT_MEANING.contains(&name) => {}
                _ => {
                    let expected =
                        "one whose preferences are builder, canRevert, useMempool and blockRange alone";
                    return Err(Refusal::Type { field: "address", expected });
                }
            }
        }
        Ok(wishes)
    }
}

fn is_true(field: &'static str, value: &str) -> Result<bool, Refusal> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Refusal::Type { field, expected: "true or false" }),
    }
}

#[cfg(test)]
mod tests {
    use super::Wishes;
    use crate::refusal::Refusal;

    #[test]
    fn addresses_say_what_a_wallet_wants() {
        assert_eq!(Wishes::read(""), Ok(Wishes::default()));
        let asked = Wishes::read("hint=hash&builder=one&canRevert&builder=two&blockRange=9&useMempool=false");
        let builders = vec!["one".to_owned(), "two".to_owned()];
        let expect = Wishes { builders, can_revert: true, mempool: false, blocks: Some(9) };
        assert_eq!(asked, Ok(expect));
        assert_eq!(Wishes::read("useMempool"), Ok(Wishes { mempool: true, ..Wishes::default() }));
        for (query, field) in [
            ("useMempool=yes", "useMempool"),
            ("refund=0x07:50", "refund"),
            ("blockRange=many", "blockRange"),
            ("canRevert=1", "canRevert"),
            ("bulider=one", "address"),
        ] {
            assert_eq!(Wishes::read(query).unwrap_err().field(), Some(field), "{query}");
        }
        assert_eq!(Wishes::read("refund=x"), Err(Refusal::Unsupported { field: "refund" }));
    }
}
