//! Clients that are answered: prefixes of their addresses.

use std::net::{IpAddr, Ipv6Addr};

/// Prefixes of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow(Vec<(u128, u32)>);

/// Prefix that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read {0}: want prefixes such as 10.0.0.0/8 or fd00::/8, or whole addresses")]
pub struct PrefixError(String);

impl Allow {
    /// Reads prefixes.
    ///
    /// # Errors
    /// The first that is none.
    pub fn parse(prefixes: &[String]) -> Result<Self, PrefixError> {
        prefixes
            .iter()
            .map(|text| prefix(text).ok_or_else(|| PrefixError(text.clone())))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// True if a client at that address is answered: this machine always is.
    #[must_use]
    pub fn admits(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        let bits = bits(client);
        client.is_loopback() || self.0.iter().any(|(prefix, length)| cut(bits, *length) == *prefix)
    }
}

/// One form for both kinds of addresses.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => Ipv6Addr::to_bits(address.to_ipv6_mapped()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn cut(bits: u128, length: u32) -> u128 {
    bits & u128::MAX.checked_shl(128 - length).unwrap_or(0)
}

fn prefix(text: &str) -> Option<(u128, u32)> {
    let (address, length) =
        text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let address: IpAddr = address.parse().ok()?;
    let (most, before) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
    let length: u32 = length.map_or(Some(most), |length| length.parse().ok())?;
    let whole = bits(address);
    let length = (length <= most).then_some(length + before)?;
    // 10.0.0.1/8 is a mistake: which of the two is meant, nobody knows.
    (cut(whole, length) == whole).then_some((whole, length))
}

#[cfg(test)]
mod tests {
    use super::Allow;

    fn check(prefixes: &[&str], admitted: &[&str], refused: &[&str]) {
        let prefixes: Vec<String> = prefixes.iter().map(|text| (*text).to_owned()).collect();
        let allow = Allow::parse(&prefixes).unwrap();
        for (clients, expect) in [(admitted, true), (refused, false)] {
            for client in clients {
                assert_eq!(allow.admits(client.parse().unwrap()), expect, "{prefixes:?} {client}");
            }
        }
    }

    #[test]
    fn prefixes_admit_what_begins_with_them() {
        check(&[], &["127.0.0.1", "::1", "::ffff:127.0.0.1"], &["10.0.0.1", "fd00::1"]);
        check(&["10.0.0.0/8"], &["10.255.0.1", "::ffff:10.1.2.3"], &["11.0.0.1", "::a00:1"]);
        check(&["192.0.2.7", "fd00::/8"], &["192.0.2.7", "fdab::1"], &["192.0.2.8", "fe80::1"]);
        check(&["0.0.0.0/0"], &["1.2.3.4"], &["fd00::1"]);
        check(&["::/0"], &["1.2.3.4", "fd00::1"], &[]);
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        for bad in ["", "10.0.0.1/8", "10.0.0.0/33", "host", "fd00::/129", "10.0.0.0/-1"] {
            Allow::parse(&[bad.to_owned()]).unwrap_err();
        }
    }
}
