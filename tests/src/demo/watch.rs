//! A health checker beside the demo, and for a cluster a second one and haproxy in front.

use std::time::Duration;

use super::{Arguments, Net};
use crate::{
    balancer::{Balancer, Places},
    daemon::Daemon,
    failure::{Failure, Outcome},
    settings::Target,
};

/// Replicas behind the balancer: as many as its configuration names.
pub(super) const CLUSTER: usize = 3;
/// A checker has looked at everything after its first round.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Checkers, and the balancer that goes by them. Dropping it ends all of it.
pub(super) struct Watch {
    balancer: Option<Balancer>,
    checkers: Vec<Daemon>,
    /// Names and addresses of the first one.
    first: Vec<(&'static str, String)>,
}

impl Watch {
    /// Starts what was asked for, if anything.
    pub(super) fn start(arguments: &Arguments, net: &mut Net) -> Outcome<Option<Self>> {
        let names: &[&str] = match (arguments.cluster, arguments.health) {
            (true, _) => &["health-1", "health-2"],
            (false, true) => &["health-1"],
            (false, false) => return Ok(None),
        };
        eprintln!(
            "starting {} …",
            if arguments.cluster { "health checkers and haproxy" } else { "a health checker" }
        );
        let replicas = if arguments.cluster { CLUSTER } else { 1 };
        let mut targets: Vec<Target> =
            (0..replicas).map(|index| net.replica_target(index)).collect::<Outcome<_>>()?;
        targets.extend(net.sources()?);
        let (mut checkers, mut places) = (Vec::new(), Vec::new());
        for name in names {
            let mut checker = net.health(name, &targets)?;
            checker.start()?;
            checker.ready(READY_WITHIN)?;
            places.push((checker.address("http")?, checker.address("agent")?));
            checkers.push(checker);
        }
        let mut first = Vec::new();
        if let (Some((http, agent)), Some(checker)) = (places.first(), checkers.first()) {
            first = vec![
                ("health", format!("http://{http}/")),
                ("agent", agent.clone()),
                ("explain", format!("maidenlane health explain --config {}", checker.config().display())),
            ];
        }
        let balancer = match places.as_slice() {
            [first, second] => {
                let address = |index: usize| {
                    let target =
                        targets.get(index).map(|target| target.address.trim_start_matches("http://"));
                    target.ok_or_else(|| Failure::new(format!("no replica {index}")))
                };
                let places = Places {
                    checkers: [(&first.0, &first.1), (&second.0, &second.1)],
                    replicas: [address(0)?, address(1)?, address(2)?],
                };
                Some(Balancer::start(net.dir(), &places)?)
            }
            _ => None,
        };
        Ok(Some(Self { balancer, checkers, first }))
    }

    /// Names and addresses for whoever looks.
    pub(super) fn addresses(&self) -> Vec<(&'static str, String)> {
        let balancer = self.balancer.as_ref().map(|balancer| ("balancer", balancer.url()));
        self.first.iter().cloned().chain(balancer).collect()
    }

    /// Stops it: what goes by the checkers first. Replicas that somebody killed, as the demo asks for, have ended well.
    pub(super) fn stop(self, net: &mut Net) -> Outcome<()> {
        for index in 0..if self.balancer.is_some() { CLUSTER } else { 0 } {
            let replica = net.replica_daemon(index)?;
            if replica.alive().is_err() {
                replica.kill();
            }
        }
        drop(self.balancer);
        self.checkers.into_iter().try_for_each(|mut checker| checker.stop())
    }
}
