//! Waiting for facts, never for time to pass.

use std::{
    cell::RefCell,
    thread,
    time::{Duration, Instant},
};

use crate::{
    failure::{Failure, Outcome},
    interrupt::Interrupt,
};

/// Between two looks. Short against anything waited for, long against the cost of a look.
const PAUSE: Duration = Duration::from_millis(10);

thread_local! {
    static GIVE_UP: RefCell<Option<Interrupt>> = const { RefCell::new(None) };
}

/// From now on this thread waits for nothing any more once `interrupt` is raised; with `None` it does again.
pub fn give_up_on(interrupt: Option<&Interrupt>) {
    GIVE_UP.with(|given| given.replace(interrupt.cloned()));
}

fn given_up() -> bool {
    GIVE_UP.with(|given| given.borrow().as_ref().is_some_and(Interrupt::raised))
}

/// Looks until `probe` answers, at most `timeout`.
///
/// The last thing a probe could say about why not (`Err`) ends up in the failure, so that a deadline that passed
/// tells more than that it passed.
///
/// # Errors
/// The deadline passed, or [`give_up_on`] came true.
pub fn until<T>(what: &str, timeout: Duration, mut probe: impl FnMut() -> Result<T, String>) -> Outcome<T> {
    let end = Instant::now() + timeout;
    loop {
        match probe() {
            Ok(found) => return Ok(found),
            Err(why) if Instant::now() >= end => {
                let seconds = timeout.as_secs_f32();
                return Err(Failure::new(format!("waited {seconds:.1} s for {what}; last seen: {why}")));
            }
            Err(_) if given_up() => {
                return Err(Failure::new(format!("interrupted while waiting for {what}")));
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_names_what_was_seen_last() {
        let failure = until::<()>("the sun", Duration::ZERO, || Err("clouds".to_owned())).unwrap_err();
        assert_eq!(failure.to_string(), "waited 0.0 s for the sun; last seen: clouds");
    }

    #[test]
    fn an_interrupt_ends_the_wait() {
        let stop = Interrupt::default();
        stop.raise();
        give_up_on(Some(&stop));
        let failure =
            until::<()>("the sun", Duration::from_secs(60), || Err("clouds".to_owned())).unwrap_err();
        give_up_on(None);
        assert_eq!(failure.to_string(), "interrupted while waiting for the sun");
        assert_eq!(until("the moon", Duration::ZERO, || Ok(1)).unwrap(), 1);
    }

    #[test]
    fn looks_again_until_it_is_there() {
        let mut looks = 0;
        let found = until("the third look", Duration::from_secs(5), || {
            looks += 1;
            if looks == 3 { Ok(looks) } else { Err(format!("look {looks}")) }
        });
        assert_eq!(found.unwrap(), 3);
    }
}
