//! Settings in Dhall: loaded, checked, and explained when wrong.
//!
//! Two layers. *Raw* types have exactly the shape of the Dhall text (`u64`, `String`, `Option`, `Vec`, unions,
//! records; no serde attributes) and derive `Deserialize` and `StaticType`; [`Settings::validate`] turns them into
//! types that cannot be wrong and notes every problem with its path.
//!
//! Only this crate names `serde_dhall`. Its derive expands to `::serde_dhall::…`, so a crate with raw types says
//! `extern crate maidenlane_config as serde_dhall;` in its root and derives [`StaticType`] from here.

pub mod credentials;
mod diagnostics;
mod differ;
mod error;
mod explain;
pub mod feed;
mod imports;
pub mod kafka;
pub mod listeners;
mod load;
pub mod lockstep;
mod path;
mod print;
mod secrets;
pub mod shapes;
mod simple;
mod version;

pub use differ::nearest;
pub use error::{Checker, Error, Problem};
pub use explain::{Field, fields};
pub use load::{Loaded, load, type_text};
pub use serde_dhall::{SimpleType, StaticType};
pub use version::{Change, Version};

/// Settings of one daemon.
pub trait Settings: Sized + 'static {
    /// The Dhall-shaped form.
    type Raw: serde::de::DeserializeOwned + StaticType + Send + 'static;

    /// Fields that a running daemon takes over from an edited file, as dotted paths. A path stands for all below it.
    /// Fields that are read once, at the start, must not be here.
    const RELOADS: &'static [&'static str];

    /// The example that sets and explains every field, `dhall/examples/full/<daemon>.dhall`; behind it those of other
    /// daemons, for the variants that it does not choose.
    const EXAMPLES: &'static [&'static str];

    /// The validated form, or `None` after every problem was noted.
    fn validate(raw: Self::Raw, checker: &mut Checker) -> Option<Self>;

    /// Notes what of the machine is not as the settings have it: files that are not there, paths that are too long. Only a daemon
    /// asks, at its start and for `--check-config`: settings are also read where they are written.
    fn on_machine(&self, checker: &mut Checker) {
        let _ = checker;
    }
}

/// True if a running daemon takes over the field at `path`.
#[must_use]
pub fn reloads<S: Settings>(path: &str) -> bool {
    S::RELOADS.iter().any(|root| {
        path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    })
}
