//! Routes: which nodes get a transaction, and how many of them at once. Pure.
//!
//! # Why in the order of the settings
//! Who pays for one node and has another beside it wants that one asked first, and of nodes that are alike any is as good:
//! they pass on to each other what they take.

use crate::sound::Sound;
use maidenlane_chain::Address;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Nodes of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Name in metrics.
    pub name: String,
    /// Indices of the nodes, in the order in which they are asked.
    pub nodes: Vec<usize>,
    /// Nodes that get it at once. Those behind them stand in for those that fail.
    pub at_once: usize,
}

/// A route, and the transactions that take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Senders.
    pub senders: BTreeSet<Address>,
    /// Tags.
    pub tags: BTreeSet<String>,
    /// The route.
    pub route: Arc<Route>,
}

/// All routes: the first rule that fits counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routes {
    rules: Vec<Rule>,
    /// Route of transactions that no rule fits: all nodes at once.
    rest: Arc<Route>,
}

impl Rule {
    /// True for the transactions of its senders and those with its tags; one without either takes all.
    fn fits(&self, tx: &Sound) -> bool {
        let is_for_all = self.senders.is_empty() && self.tags.is_empty();
        let is_tagged = || tx.tag.as_ref().is_some_and(|tag| self.tags.contains(tag));
        is_for_all || self.senders.contains(&tx.sender) || is_tagged()
    }
}

impl Routes {
    /// Routes by these rules, to so many nodes.
    #[must_use]
    pub fn new(rules: Vec<Rule>, nodes: usize) -> Self {
        let rest = Route { name: "all".to_owned(), nodes: (0..nodes).collect(), at_once: nodes };
        Self { rules, rest: Arc::new(rest) }
    }

    /// Route of a transaction.
    #[must_use]
    pub fn of(&self, tx: &Sound) -> Arc<Route> {
        let rule = self.rules.iter().find(|rule| rule.fits(tx));
        Arc::clone(rule.map_or(&self.rest, |rule| &rule.route))
    }
}

#[cfg(test)]
mod tests {
    use super::{Route, Routes, Rule};
    use crate::sound::Sound;
    use maidenlane_chain::{Address, B256, Bytes};
    use std::sync::Arc;

    fn rule(name: &str, senders: &[u8], tags: &[&str]) -> Rule {
        let route = Arc::new(Route { name: name.to_owned(), ..Route::default() });
        let senders = senders.iter().map(|byte| Address::repeat_byte(*byte)).collect();
        Rule { senders, tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), route }
    }

    #[test]
    fn the_first_rule_that_fits_counts() {
        let check = |rules: &[Rule], sender: u8, tag: Option<&str>, expect: &str| {
            let (hash, sender, tag) = (B256::ZERO, Address::repeat_byte(sender), tag.map(str::to_owned));
            let tx = Sound { hash, sender, nonce: 0, raw: Bytes::new(), tag };
            assert_eq!(Routes::new(rules.to_vec(), 2).of(&tx).name, expect);
        };
        let some = [rule("own", &[1, 2], &[]), rule("private", &[2, 3], &["private"])];
        check(&some, 1, Some("private"), "own");
        check(&some, 2, None, "own");
        check(&some, 3, None, "private");
        check(&some, 4, Some("private"), "private");
        check(&some, 4, Some("other"), "all");
        check(&some, 4, None, "all");
        let last = [rule("private", &[], &["private"]), rule("rest", &[], &[])];
        check(&last, 4, None, "rest");
        assert_eq!(Routes::new(Vec::new(), 2).rest.nodes, [0, 1]);
    }
}
