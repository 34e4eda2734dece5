//! Owners of what requests cause to be kept, so that everybody has a share of it.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// An identity, or the address that requests without one come from. Those who come through one proxy without an identity
/// are one owner, as are those at Unix sockets. Made once per identity and connection, and shared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Owner(Arc<str>);

impl Owner {
    /// Owner of this name.
    pub(crate) fn identity(name: &str) -> Self {
        Self(format!("identity {name}").into())
    }

    /// Owner at this address.
    pub(crate) fn at(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => format!("address {}", customer(address)).into(),
            address @ IpAddr::V4(_) => format!("address {address}").into(),
        })
    }

    /// Text that tells owners apart.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
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
}
