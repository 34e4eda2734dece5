//! Owners of what requests cause to be kept, so that everybody has a share of it, and what each may see and is marked with.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// An identity, or the address that requests without one come from. Those who come through one proxy without an identity
/// are one owner, as are those at Unix sockets. Made once per identity and connection, and shared.
#[derive(Clone, Debug, Default)]
pub struct Owner {
    name: Arc<str>,
    identity: Option<Arc<Known>>,
}

/// An identity, as far as requests are answered by it.
#[derive(Debug)]
struct Known {
    name: String,
    sees_all: bool,
    tag: Option<String>,
}

impl Owner {
    /// Owner of this name without rights.
    #[cfg(test)]
    pub(crate) fn identity(name: &str) -> Self {
        Self::known(name, false, None)
    }

    /// Owner of this name, who may see what belongs to others or not, and whose transactions have this tag.
    pub(crate) fn known(name: &str, sees_all: bool, tag: Option<String>) -> Self {
        let known = Known { name: name.to_owned(), sees_all, tag };
        Self { name: format!("identity {name}").into(), identity: Some(Arc::new(known)) }
    }

    /// Owner at this address.
    pub(crate) fn at(address: IpAddr) -> Self {
        let name = match address.to_canonical() {
            IpAddr::V6(address) => format!("address {}", customer(address)),
            address @ IpAddr::V4(_) => format!("address {address}"),
        };
        Self { name: name.into(), identity: None }
    }

    /// Text that tells owners apart.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Name of the identity, where the listener knows its callers.
    #[must_use]
    pub fn known_as(&self) -> Option<&str> {
        self.identity.as_ref().map(|known| known.name.as_str())
    }

    /// True if it may see what belongs to others. A listener that knows nobody keeps nothing apart.
    #[must_use]
    pub fn sees_all(&self) -> bool {
        self.identity.as_ref().is_none_or(|known| known.sees_all)
    }

    /// Tag of its transactions.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.identity.as_ref().and_then(|known| known.tag.as_deref())
    }
}

// Names tell owners apart; rights may be edited while something is kept.
impl PartialEq for Owner {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Owner {}

impl Hash for Owner {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// Prefix of an IPv6 address that belongs to one customer: who has one address has all of them.
const fn customer(address: Ipv6Addr) -> Ipv6Addr {
    let [a, b, c, d, ..] = address.segments();
    Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::Owner;

    #[test]
    fn shares_belong_to_identities_and_addresses() {
        let at = |address: &str| Owner::at(address.parse().expect("an address"));
        assert_eq!(at("10.0.0.1"), at("::ffff:10.0.0.1"));
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:2"));
        let others = [at("10.0.0.2"), at("2001:db8:1::1"), Owner::identity("10.0.0.1"), Owner::default()];
        assert!(others.iter().all(|other| *other != at("10.0.0.1") && *other != at("2001:db8::1")));
    }

    #[test]
    fn only_who_is_known_sees_less_than_all() {
        let at = Owner::at("10.0.0.1".parse().expect("an address"));
        assert_eq!((at.known_as(), at.sees_all(), at.tag()), (None, true, None));
        let own = Owner::identity("wallet");
        assert_eq!((own.known_as(), own.sees_all(), own.tag()), (Some("wallet"), false, None));
        let all = Owner::known("wallet", true, Some("private".to_owned()));
        assert_eq!((all.sees_all(), all.tag()), (true, Some("private")));
        assert_eq!(all, own, "the same, whatever it may");
    }
}
