//! Waiting for facts, never for time to pass.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::failure::{Failure, Outcome};

/// Between two looks. Short against anything waited for, long against the cost of a look.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until `probe` answers, at most `timeout`.
///
/// The last thing a probe could say about why not (`Err`) ends up in the failure, so that a deadline that passed
/// tells more than that it passed.
///
/// # Errors
/// The deadline passed.
pub fn until<T>(what: &str, timeout: Duration, mut probe: impl FnMut() -> Result<T, String>) -> Outcome<T> {
    let end = Instant::now() + timeout;
    loop {
        match probe() {
            Ok(found) => return Ok(found),
            Err(why) if Instant::now() >= end => {
                let seconds = timeout.as_secs_f32();
                return Err(Failure::new(format!("waited {seconds:.1} s for {what}; last seen: {why}")));
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
    fn looks_again_until_it_is_there() {
        let mut looks = 0;
        let found = until("the third look", Duration::from_secs(5), || {
            looks += 1;
            if looks == 3 { Ok(looks) } else { Err(format!("look {looks}")) }
        });
        assert_eq!(found.unwrap(), 3);
    }
}
