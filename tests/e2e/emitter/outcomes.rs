//! Outcomes as the log has them.

use std::collections::{BTreeMap, BTreeSet};

use maidenlane_log::{Backend, From, kafka, segment};
use maidenlane_tests::{
    scenario::Net,
    settings::{self, Log},
    wait,
};
use maidenlane_wire::{Outcome, Refusal};

use super::SOON;

/// The log of a network.
pub(crate) fn log_of(net: &Net) -> Backend {
    match net.carrier() {
        Log::Segment(dir) => Backend::Segment(segment::Options::new(dir)),
        Log::Kafka(brokers) => Backend::Kafka(kafka::Options::new(vec![brokers.clone()])),
    }
}

/// All outcomes of a log, by transaction; those told again are there once. A broker that was just killed answers again soon.
pub(super) fn outcomes(log: &Backend) -> BTreeMap<String, Vec<Outcome>> {
    wait::until("the outcomes to be read", SOON, || read(log).map_err(|error| error.to_string())).unwrap()
}

fn read(log: &Backend) -> Result<BTreeMap<String, Vec<Outcome>>, maidenlane_log::Error> {
    let topic = settings::transactions_topic().replace("transactions", "outcomes");
    let (mut seen, mut of) = (BTreeSet::new(), BTreeMap::<_, Vec<_>>::new());
    for partition in 0..log.partitions(&topic)? {
        let mut consumer = log.consumer(&topic, partition)?;
        consumer.seek(From::Earliest)?;
        let (mut next, end) = (consumer.earliest()?, consumer.end()?);
        while next < end {
            for entry in consumer.read(1 << 20, SOON)? {
                next.0 = entry.offset.0 + 1;
                if Refusal::is_one(&entry.payload) {
                    continue;
                }
                let outcome = Outcome::decode(&entry.payload).unwrap();
                assert_eq!(entry.key.as_deref(), Some(outcome.sender.as_slice()));
                if seen.insert(outcome.id()) {
                    of.entry(outcome.hash.to_string()).or_default().push(outcome);
                }
            }
        }
    }
    Ok(of)
}

/// Fates of a transaction but for nodes' verdicts.
pub(super) fn fates_of(outcomes: &[Outcome]) -> Vec<&'static str> {
    outcomes.iter().map(|outcome| outcome.fate.name()).filter(|name| *name != "Sent").collect()
}
