//! Fitness of a snapshot for a replica: decided from its manifest, before a byte of it is fetched.

use crate::manifest::Manifest;
use maidenlane_chain::B256;
use maidenlane_replay::reach::Reach;
use maidenlane_store::FORMAT;

/// Demands of a replica's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demands {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hash of block 0; `None` takes any.
    pub genesis: Option<B256>,
    /// True if trie nodes are wanted.
    pub proofs: bool,
    /// Records that the log holds, to go on from; `None` where it cannot be asked.
    pub reach: Option<Reach>,
}

impl Demands {
    /// True if a replica of these settings could begin with the snapshot.
    #[must_use]
    pub fn suit(&self, manifest: &Manifest) -> bool {
        refusal(manifest, self).is_none()
    }
}

/// Reason why a snapshot does not suit the settings, with the setting.
pub(crate) fn refusal(manifest: &Manifest, demands: &Demands) -> Option<String> {
    let Manifest { chain_id, genesis, proofs, store_format, position, .. } = manifest;
    if *chain_id != demands.chain_id {
        let wanted = demands.chain_id;
        return Some(format!(
            "is of chain id {chain_id}, the settings say {wanted}: correct `chain`, or name another source"
        ));
    }
    if let Some(wanted) = demands.genesis.filter(|wanted| wanted != genesis) {
        return Some(format!(
            "is of genesis {genesis}, the settings say {wanted}: correct `chain`, or name another source"
        ));
    }
    if demands.proofs && proofs.is_none() {
        return Some(
            "has no trie nodes, which `proofs` wants: set it to None, or take a snapshot of a replica that has them"
                .to_owned(),
        );
    }
    if *store_format != FORMAT {
        let build = &manifest.build;
        return Some(format!(
            "has a database of format {store_format}, this build reads {FORMAT}: restore it by version {build}, or take a newer one"
        ));
    }
    let reach = demands.reach?;
    if position.is_some_and(|position| !reach.is_of(&position)) {
        return Some(
            "is of another feed than the log carries: correct `feed`, or name another source".to_owned(),
        );
    }
    let gap = reach.holds_next(position.as_ref(), proofs.as_ref()).err()?;
    Some(format!("is too old to go on from: {gap}"))
}

#[cfg(test)]
mod tests {
    use super::{Demands, FORMAT, refusal};
    use crate::manifest::tests::sample;
    use maidenlane_chain::B256;
    use maidenlane_replay::reach::Reach;

    fn check(edit: impl FnOnce(&mut Demands, &mut crate::Manifest), expect: Option<&str>) {
        let mut manifest = crate::Manifest { store_format: FORMAT, ..sample() };
        let mut demands = Demands {
            chain_id: manifest.chain_id,
            genesis: Some(manifest.genesis),
            proofs: true,
            reach: None,
        };
        edit(&mut demands, &mut manifest);
        let refusal = refusal(&manifest, &demands);
        match expect {
            None => assert_eq!(refusal, None),
            Some(part) => assert!(refusal.as_deref().is_some_and(|text| text.contains(part)), "{refusal:?}"),
        }
    }

    #[test]
    fn whatever_does_not_suit_is_refused_with_the_setting() {
        check(|_, _| {}, None);
        check(|demands, _| demands.genesis = None, None);
        check(|demands, _| demands.chain_id = 5, Some("the settings say 5: correct `chain`"));
        check(|demands, _| demands.genesis = Some(B256::ZERO), Some("correct `chain`"));
        check(|_, manifest| manifest.proofs = None, Some("which `proofs` wants"));
        check(|demands, _| demands.proofs = false, None);
        check(|_, manifest| manifest.store_format += 1, Some("restore it by version 0."));
        check(|_, manifest| manifest.store_format -= 1, Some("this build reads"));
    }

    /// Log that carries the sample's feed, and begins so many records behind the snapshot's last one.
    fn after(manifest: &crate::Manifest, records: u64) -> Reach {
        let position = manifest.position.unwrap();
        Reach { feed: position.feed, earliest: position.offset + records, sets_earliest: None }
    }

    #[test]
    fn a_snapshot_that_the_log_left_behind_is_refused() {
        check(|demands, manifest| demands.reach = Some(after(manifest, 1)), None);
        check(
            |demands, manifest| demands.reach = Some(after(manifest, 2)),
            Some("too old to go on from: offset"),
        );
        let of_another = |demands: &mut Demands, manifest: &mut crate::Manifest| {
            demands.reach = Some(Reach { feed: [0xee; 16], ..after(manifest, 0) });
        };
        check(of_another, Some("another feed than the log carries: correct `feed`"));
        let not_begun = |earliest| {
            move |demands: &mut Demands, manifest: &mut crate::Manifest| {
                demands.reach = Some(Reach { earliest, ..after(manifest, 0) });
                manifest.position = None;
            }
        };
        check(not_begun(0), None);
        check(not_begun(1), Some("offset 0 of the feed is gone"));
    }
}
