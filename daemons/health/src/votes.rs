//! Votes: the chain as most sources tell it.
//!
//! # Why sources and not targets
//! All replicas of one feed say what their master says. Ten of them on one bad master would outvote two honest nodes, so
//! that each feed, and each node that feeds none, is one *source* with one vote. Targets of one source are counted only to find
//! that vote.

use crate::observe::Content;
use maidenlane_chain::B256;
use std::collections::{BTreeMap, BTreeSet};

/// One target that is heard.
#[derive(Clone, Debug)]
pub struct Voice<'a> {
    /// Source that it speaks for.
    pub source: &'a str,
    /// True if the settings say that it is right where votes decide nothing.
    pub trusted: bool,
    /// True if it executes blocks itself, and follows nobody's feed.
    pub executes: bool,
    /// Number of its head.
    pub head: Option<u64>,
    /// Hashes that it told.
    pub hashes: &'a [(u64, B256)],
    /// State that it told.
    pub content: Option<&'a Content>,
    /// Milliseconds by which its clock is ahead.
    pub clock_ahead_ms: Option<i64>,
}

/// Outcome of a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth<T> {
    /// Nobody said anything.
    Unknown,
    /// A majority says this, or those that are trusted.
    Is(T),
    /// Nobody says otherwise, of less than half of the sources that there are: those that are away may know better.
    Unopposed(T),
    /// Sources disagree, and none has a majority.
    Split,
}

/// Heads of the sources, the highest first.
///
/// # Why
/// Within a source the second best counts where there are three or more, and the best of two: a replica that is ahead of its
/// feed cannot be, and of two the one that is behind must be found. Its master is no follower: a feed that stands still
/// while its master goes on is behind, however many follow it.
#[must_use]
pub fn heads(voices: &[Voice<'_>]) -> Vec<u64> {
    let mut of = BTreeMap::<&str, [Vec<u64>; 2]>::new();
    for voice in voices {
        if let Some(head) = voice.head {
            let [followers, masters] = of.entry(voice.source).or_default();
            if voice.executes { masters.push(head) } else { followers.push(head) }
        }
    }
    let best = |mut heads: Vec<u64>| {
        heads.sort_unstable_by(|one, other| other.cmp(one));
        let rank = usize::from(heads.len() > 2);
        heads.get(rank).copied()
    };
    let mut heads: Vec<u64> =
        of.into_values().filter_map(|both| both.into_iter().filter_map(best).max()).collect();
    heads.sort_unstable_by(|one, other| other.cmp(one));
    heads
}

/// The tip: the highest number that more than half of the sources have reached, so that no single one that is ahead of all
/// others can move it.
#[must_use]
pub fn tip(heads: &[u64]) -> Option<u64> {
    heads.get(heads.len() / 2).copied()
}

/// Hash at a height, of so many sources that could tell it.
#[must_use]
pub fn hash(voices: &[Voice<'_>], height: u64, sources: usize) -> Truth<B256> {
    let said =
        |voice: &Voice<'_>| voice.hashes.iter().find(|(number, _)| *number == height).map(|(_, hash)| *hash);
    let said: Vec<_> = voices.iter().filter_map(|voice| said(voice).map(|hash| (voice, hash))).collect();
    let told = || number_of(said.iter().map(|(voice, _)| voice.source));
    let all = || number_of(voices.iter().filter(|voice| !voice.hashes.is_empty()).map(|voice| voice.source));
    match vote(&said) {
        // Those that have not told it yet may decide.
        Truth::Split if told() < all() => Truth::Unknown,
        Truth::Is(hash) if told() * 2 <= sources && !said.iter().any(|(voice, _)| voice.trusted) => {
            Truth::Unopposed(hash)
        }
        truth => truth,
    }
}

/// Number of different ones.
fn number_of<'a>(sources: impl Iterator<Item = &'a str>) -> usize {
    let mut sources: Vec<&str> = sources.collect();
    sources.sort_unstable();
    sources.dedup();
    sources.len()
}

/// Balances at a block. A proof decides, whoever has it; without one, whoever differs from another leaves it open who is
/// right.
#[must_use]
pub fn balances(voices: &[Voice<'_>], block: B256) -> Truth<Vec<B256>> {
    let told = voices.iter().filter_map(|voice| voice.content).filter(|content| content.block == block);
    let told: Vec<&Content> = told.collect();
    let proven: BTreeSet<_> =
        told.iter().filter(|content| content.proven == Some(true)).map(|content| &content.balances).collect();
    let all: BTreeSet<_> = told.iter().map(|content| &content.balances).collect();
    let deciding = if proven.is_empty() { all } else { proven };
    let mut deciding = deciding.into_iter();
    match (deciding.next(), deciding.next()) {
        (None, _) => Truth::Unknown,
        (Some(balances), None) => Truth::Is(balances.clone()),
        (Some(_), Some(_)) => Truth::Split,
    }
}

/// Milliseconds by which this machine's clock is behind, as more than half of at least two clocks say that agree within
/// `near_ms`; `None` where they say nothing of the kind.
#[must_use]
pub fn clock(voices: &[Voice<'_>], near_ms: i64) -> Option<i64> {
    let mut ahead: Vec<i64> = voices.iter().filter_map(|voice| voice.clock_ahead_ms).collect();
    ahead.sort_unstable();
    let median = *ahead.get(ahead.len() / 2)?;
    let near = ahead.iter().filter(|ms| ms.abs_diff(median) <= near_ms.unsigned_abs()).count();
    (near >= 2 && near * 2 > ahead.len()).then_some(median)
}

fn vote(said: &[(&Voice<'_>, B256)]) -> Truth<B256> {
    // As it is nearly always, of every target at every height in every round.
    if let Some(((_, first), others)) = said.split_first()
        && others.iter().all(|(_, hash)| hash == first)
    {
        return Truth::Is(*first);
    }
    let distinct = |of: &mut dyn Iterator<Item = B256>| of.collect::<BTreeSet<_>>();
    let trusted = distinct(&mut said.iter().filter(|(voice, _)| voice.trusted).map(|(_, hash)| *hash));
    let all = distinct(&mut said.iter().map(|(_, hash)| *hash));
    let deciding = if trusted.is_empty() { &all } else { &trusted };
    match (deciding.first(), deciding.len()) {
        (None, _) => return Truth::Unknown,
        (Some(hash), 1) => return Truth::Is(*hash),
        _ if !trusted.is_empty() => return Truth::Split,
        _ => {}
    }
    let mut of = BTreeMap::<&str, Vec<B256>>::new();
    for (voice, hash) in said {
        of.entry(voice.source).or_default().push(*hash);
    }
    let sources = of.len();
    let votes: Vec<B256> = of.into_values().filter_map(|hashes| majority(&hashes, hashes.len())).collect();
    majority(&votes, sources).map_or(Truth::Split, Truth::Is)
}

/// The one that more than half of `of` name.
fn majority(named: &[B256], of: usize) -> Option<B256> {
    named.iter().copied().find(|one| named.iter().filter(|other| *other == one).count() * 2 > of)
}

#[cfg(test)]
mod tests {
    use super::{Truth, Voice, balances, clock, hash, heads, tip};
    use crate::observe::Content;
    use maidenlane_chain::B256;

    fn voice(source: &str) -> Voice<'_> {
        Voice {
            source,
            trusted: false,
            executes: false,
            head: None,
            hashes: &[],
            content: None,
            clock_ahead_ms: None,
        }
    }

    fn check_tip(told: &[(&str, u64)], expect: u64) {
        let voices: Vec<_> =
            told.iter().map(|(source, head)| Voice { head: Some(*head), ..voice(source) }).collect();
        assert_eq!(tip(&heads(&voices)), Some(expect), "{told:?}");
    }

    #[test]
    fn no_single_source_moves_the_tip() {
        check_tip(&[("a", 7)], 7);
        check_tip(&[("a", 100), ("b", 100), ("c", 1_000_000)], 100);
        check_tip(&[("a", 100), ("b", 100), ("c", 3)], 100);
        check_tip(&[("a", 100), ("b", 90)], 90);
        check_tip(&[("a", 100), ("a", 90)], 100);
        check_tip(&[("a", 100), ("a", 100), ("a", 90), ("a", 90)], 100);
        check_tip(&[("a", 1_000_000), ("a", 100), ("a", 100), ("b", 100), ("c", 99)], 100);
        // Ten replicas of one feed are one source.
        let mut told = vec![("a", 50); 10];
        told.extend([("b", 100), ("c", 100)]);
        check_tip(&told, 100);
        assert_eq!(tip(&heads(&[voice("a")])), None);
    }

    #[test]
    fn a_master_says_where_its_feed_should_be() {
        let check = |followers: &[u64], masters: &[u64], expect| {
            let of = |executes| move |head: &u64| Voice { executes, head: Some(*head), ..voice("a") };
            let voices: Vec<_> =
                followers.iter().map(of(false)).chain(masters.iter().map(of(true))).collect();
            assert_eq!(tip(&heads(&voices)), Some(expect), "{followers:?} {masters:?}");
        };
        check(&[100, 100, 100], &[150], 150);
        check(&[100, 100, 101], &[100], 100);
        check(&[100, 100], &[90], 100);
        check(&[100], &[150, 1_000, 151], 151);
    }

    /// Names of sources, a `!` behind that of one that is trusted, and the hash that each tells.
    fn check_hash(told: &[(&str, u8)], expect: Truth<u8>) {
        let hashes: Vec<_> = told.iter().map(|(_, byte)| [(5, B256::repeat_byte(*byte))]).collect();
        let voices: Vec<_> = told
            .iter()
            .zip(&hashes)
            .map(|((source, _), hashes)| Voice {
                trusted: source.ends_with('!'),
                hashes,
                ..voice(source.trim_end_matches('!'))
            })
            .collect();
        let expect = match expect {
            Truth::Is(byte) => Truth::Is(B256::repeat_byte(byte)),
            Truth::Unopposed(byte) => Truth::Unopposed(B256::repeat_byte(byte)),
            Truth::Split => Truth::Split,
            Truth::Unknown => Truth::Unknown,
        };
        let sources =
            voices.iter().map(|voice| voice.source).collect::<std::collections::BTreeSet<_>>().len();
        assert_eq!(hash(&voices, 5, sources), expect, "{told:?}");
        let waiting = Voice { hashes: &[(4, B256::ZERO)], ..voice("late") };
        let undecided = if expect == Truth::Split { Truth::Unknown } else { expect };
        let voices: Vec<_> = voices.into_iter().chain([waiting]).collect();
        assert_eq!(hash(&voices, 5, sources), undecided, "{told:?} and one that is late");
        assert_eq!(hash(&voices, 6, sources), Truth::Unknown);
    }

    #[test]
    fn sources_vote_and_replicas_do_not() {
        check_hash(&[("a", 1), ("b", 1)], Truth::Is(1));
        check_hash(&[("a", 1), ("b", 2)], Truth::Split);
        check_hash(&[("a", 1), ("b", 2), ("c", 1)], Truth::Is(1));
        check_hash(&[("a", 1), ("a", 1), ("a", 1), ("b", 2), ("c", 2)], Truth::Is(2));
        check_hash(&[("a", 1), ("a", 1), ("a", 2)], Truth::Is(1));
        check_hash(&[("a", 1), ("a", 2)], Truth::Split);
        // A source that is of two minds has no vote, and still counts.
        check_hash(&[("a", 1), ("a", 2), ("b", 1)], Truth::Split);
        check_hash(&[("a", 1), ("b!", 2)], Truth::Is(2));
        check_hash(&[("a!", 1), ("b!", 2), ("c", 2)], Truth::Split);
    }

    #[test]
    fn whoever_is_left_alone_decides_nothing() {
        let hashes = [(5, B256::repeat_byte(1))];
        let check = |said: &[&str], sources, expect: Truth<()>| {
            let voices: Vec<_> = said
                .iter()
                .map(|source| Voice {
                    trusted: source.ends_with('!'),
                    hashes: &hashes,
                    ..voice(source.trim_end_matches('!'))
                })
                .collect();
            let found = match hash(&voices, 5, sources) {
                Truth::Is(_) => Truth::Is(()),
                Truth::Unopposed(_) => Truth::Unopposed(()),
                Truth::Split => Truth::Split,
                Truth::Unknown => Truth::Unknown,
            };
            assert_eq!(found, expect, "{said:?} of {sources}");
        };
        check(&["a"], 1, Truth::Is(()));
        check(&["a"], 2, Truth::Unopposed(()));
        check(&["a", "b"], 3, Truth::Is(()));
        check(&["a", "a"], 3, Truth::Unopposed(()));
        check(&["a!"], 3, Truth::Is(()));
    }

    #[test]
    fn a_proof_decides_about_state() {
        let block = B256::repeat_byte(9);
        let told = |byte, proven| Content { block, balances: vec![B256::repeat_byte(byte)], proven };
        let check = |contents: &[Content], expect: Truth<u8>| {
            let voices: Vec<_> =
                contents.iter().map(|content| Voice { content: Some(content), ..voice("a") }).collect();
            let found = balances(&voices, block);
            let found = match &found {
                Truth::Is(balances) => Truth::Is(balances[0].0[0]),
                Truth::Split => Truth::Split,
                Truth::Unopposed(_) | Truth::Unknown => Truth::Unknown,
            };
            assert_eq!(found, expect, "{contents:?}");
        };
        check(&[], Truth::Unknown);
        check(&[told(1, None), told(1, None)], Truth::Is(1));
        check(&[told(1, None), told(1, None), told(2, None)], Truth::Split);
        check(&[told(1, None), told(1, None), told(2, Some(true))], Truth::Is(2));
        check(&[told(1, Some(false)), told(2, None)], Truth::Split);
    }

    #[test]
    fn clocks_that_agree_are_believed() {
        let check = |ahead: &[i64], expect| {
            let voices: Vec<_> =
                ahead.iter().map(|ms| Voice { clock_ahead_ms: Some(*ms), ..voice("a") }).collect();
            assert_eq!(clock(&voices, 5_000), expect, "{ahead:?}");
        };
        check(&[], None);
        check(&[3_600_000], None);
        check(&[0, 3_600_000], None);
        check(&[3_600_000, 3_601_000], Some(3_601_000));
        check(&[10, -20, 3_600_000], Some(10));
    }
}
