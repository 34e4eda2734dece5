//! Work behind the head: what the follower writes when nothing else is there to do, senders and blocks of the past.
//!
//! Others find and check it, on threads of their own. The follower, the one writer, takes it while no record comes, some
//! milliseconds at a time, so a head never waits for more than such a write. While it catches up, nothing is taken.

use crate::error::Error;
use crate::filling::Filling;
use crate::follow::Follower;
use maidenlane_store::{Piece, Store};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// Timeout of a wait for records between two steps, and the time for which pieces of the past are written at once. A
/// feed that is silent for so long leaves time for one.
const PACE: Duration = Duration::from_millis(10);

/// Blocks from before a database's beginning, as somebody brings them.
#[derive(Debug)]
pub struct Past {
    /// Pieces, in the order in which they are to be written.
    pub pieces: Receiver<Piece>,
    /// Block down to which they are brought.
    pub from: u64,
}

/// Work of a follower that is idle.
#[derive(Debug, Default)]
pub(crate) struct Behind {
    pub(crate) filling: Filling,
    /// Blocks of the past, where somebody brings them.
    pub(crate) past: Option<Receiver<Piece>>,
    /// True if the follower's last turn brought nothing.
    is_idle: bool,
}

impl Behind {
    /// One turn of the follower, which waits for at most `wait`. Works before it if that turn would be idle, and the
    /// follower is where it `may_work`.
    ///
    /// # Errors
    /// Errors of [`Follower::turn`].
    pub(crate) fn turn(
        &mut self,
        store: &Arc<Store>,
        follower: &mut Follower,
        may_work: bool,
        wait: Duration,
    ) -> Result<bool, Error> {
        let fills = may_work && self.filling.has_work(follower);
        let mut has_work = fills;
        if may_work && self.is_idle {
            has_work |= self.take_past(follower)?;
            if fills {
                self.filling.go_on(store, follower)?;
            }
        }
        let showable = follower.turn(if has_work { wait.min(PACE) } else { wait })?;
        self.is_idle = !showable;
        Ok(showable)
    }

    /// Writes pieces of the past that wait, as far as there is time. False if none waited.
    fn take_past(&self, follower: &mut Follower) -> Result<bool, Error> {
        let (Some(pieces), begun, mut taken) = (&self.past, Instant::now(), false) else { return Ok(false) };
        while begun.elapsed() < PACE
            && let Ok(piece) = pieces.try_recv()
        {
            follower.put_below(&piece)?;
            taken = true;
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use crate::filling::tests::{KEEP, Replica, World};
    use maidenlane_state::StateView as _;
    use maidenlane_store::{Group, PastBlock, Piece};
    use std::sync::mpsc;

    const BASE: u64 = 20;

    /// The pieces of all blocks below [`BASE`] but the genesis.
    fn pieces(world: &World) -> Vec<Piece> {
        let mut group = Group::below(BASE);
        for number in (1..BASE).rev() {
            let block = &world.feed.chain[usize::try_from(number).unwrap()];
            let maidenlane_wire::Record::Advance(record) = block.advance() else { unreachable!() };
            let (header, body, receipts) = (record.header, record.body, record.receipts);
            let past = PastBlock { at: block.at, header, body, receipts, senders: Vec::new() };
            assert_eq!(group.add(past).unwrap(), None, "they are small");
        }
        group.finish().collect()
    }

    /// A replica at the feed's end that shows nothing below [`BASE`].
    fn late(world: &World) -> Replica {
        let mut replica = world.replica("db");
        replica.catch_up(world);
        let mut batch = replica.store.batch(replica.store.facts(), KEEP);
        batch.facts().base = BASE;
        replica.store.write(batch).unwrap();
        drop(replica);
        world.replica("db")
    }

    #[test]
    fn the_past_is_taken_when_nothing_comes_and_shown_by_the_next_head() {
        let mut world = World::new();
        world.grow(30, true);
        let mut replica = late(&world);
        let (sender, receiver) = mpsc::sync_channel(64);
        pieces(&world).into_iter().for_each(|piece| sender.send(piece).unwrap());
        replica.behind.past = Some(receiver);
        replica.catch_up(&world);
        assert_eq!(replica.store.facts().base, BASE, "nothing is taken in catch-up");
        let before = replica.follower.shown().unwrap().unwrap();
        while replica.store.facts().base > 1 {
            replica.turn(true);
        }
        let oldest = world.feed.chain[3].at;
        assert_eq!(before.body(oldest).unwrap(), None, "a head that was shown shows what it did");
        assert_eq!(before.head().body_floor, BASE);
        let after = replica.follower.shown().unwrap().unwrap();
        assert!(after.body(oldest).unwrap().is_some());
        assert_eq!(after.head().body_floor, 1);
        world.grow(1, true);
        replica.turn(true);
        assert_eq!(replica.follower.facts().head, Some(world.feed.tip().at));
    }
}
