//! The tap: turns what a master *executed* (frames in its spool) into what is *canonical* (records of a feed).
//!
//! | module | idea |
//! |---|---|
//! | [`follow`] | pure: announced heads in, next step out |
//! | [`published`] | the published chain as far back as it is known |

pub mod follow;
pub mod published;
