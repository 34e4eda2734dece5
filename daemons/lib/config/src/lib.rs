//! Settings in Dhall: loaded, checked, and explained when wrong.
//!
//! Two layers. *Raw* types have exactly the shape of the Dhall text (`u64`, `String`, `Option`, `Vec`, unions,
//! records; no serde attributes) and derive `Deserialize` and `StaticType`; [`Settings::validate`] turns them into
//! types that cannot be wrong and notes every problem with its path.
//!
//! Only this crate names `serde_dhall`. Its derive expands to `::serde_dhall::…`, so a crate with raw types says
//! `extern crate maidenlane_config as serde_dhall;` in its root and derives [`StaticType`] from here.

mod differ;
mod error;
mod guard;
mod load;
pub mod lockstep;
mod print;
pub mod shapes;

pub use error::{Checker, Error, Problem};
pub use load::{load, normalize, type_text};
pub use serde_dhall::{SimpleType, StaticType};

/// Settings of one daemon.
pub trait Settings: Sized {
    /// The Dhall-shaped form.
    type Raw: serde::de::DeserializeOwned + StaticType + Send + 'static;

    /// The validated form, or `None` after every problem was noted.
    fn validate(raw: Self::Raw, checker: &mut Checker) -> Option<Self>;
}
