//! IP addresses: which can be senders (I3), which are link-local (I4) or public (I6). Prefixes (I5).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Whether the address can never be a sender: unspecified, loopback, multicast, limited broadcast (I3).
#[inline]
pub fn is_never_sender(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(a) => a.is_unspecified() || a.is_loopback() || a.is_multicast() || a.is_broadcast(),
        IpAddr::V6(a) => a.is_unspecified() || a.is_loopback() || a.is_multicast(),
    }
}

/// Whether the address is link-local: 169.254/16 or fe80::/10. Such an address is always on-link (I4).
#[inline]
pub fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(a) => a.is_link_local(),
        IpAddr::V6(a) => a.is_unicast_link_local(),
    }
}

/// Whether IANA lists the address as globally reachable (the special-purpose registries of RFC 6890 and its
/// successors; I6).
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(a) => is_public_v4(a),
        IpAddr::V6(a) => is_public_v6(a),
    }
}

/// Whether a router may own the address by use alone: private (RFC 1918) or unique local (RFC 4193) (I4).
#[inline]
pub fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(a) => a.is_private(),
        IpAddr::V6(a) => a.is_unique_local(),
    }
}

fn is_public_v4(a: Ipv4Addr) -> bool {
    !matches!(
        a.octets(),
        [0 | 10 | 127, ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 0, 0, 0..=8 | 11..=255]
            | [192, 0, 2, _]
            | [192, 88, 99, _]
            | [192, 168, ..]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            | [224..=255, ..]
    )
}

fn is_public_v6(a: Ipv6Addr) -> bool {
    match a.segments() {
        // Within 2001::/23 only these are globally reachable: PCP and TURN anycast, AMT, AS112, ORCHIDv2, DRIP.
        [0x2001, 1, 0, 0, 0, 0, 0, 1..=3] => true,
        [0x2001, 3 | 0x20..=0x3f, ..] | [0x2001, 4, 0x112, ..] => true,
        [0x2001, 0..=0x1ff, ..] => false,
        // Documentation, 6to4, benchmarking dummy prefix, segment routing.
        [0x2001, 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] | [0x5f00, ..] => false,
        // NAT64 with the well-known prefix is as reachable as the address inside.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => true,
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

/// An IP prefix in canonical form (host bits are zero). Orders by address, then length.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// The prefix of `length` bits that contains `ip`; `None` if `length` is too large for the address family.
    pub fn of(ip: IpAddr, length: u8) -> Option<Self> {
        let address = match ip {
            IpAddr::V4(a) if length <= 32 => IpAddr::V4(Ipv4Addr::from_bits(a.to_bits() & mask_v4(length))),
            IpAddr::V6(a) if length <= 128 => IpAddr::V6(Ipv6Addr::from_bits(a.to_bits() & mask_v6(length))),
            _ => return None,
        };
        Some(Self { address, length })
    }

    /// The prefix that contains `ip`, of `v4` or `v6` bits. Lengths that are too large are those of one address.
    pub(super) fn block(ip: IpAddr, v4: u8, v6: u8) -> Self {
        let length = if ip.is_ipv4() { v4.min(32) } else { v6.min(128) };
        Self::of(ip, length).unwrap_or(Self { address: ip, length })
    }

    /// The prefix of `ip` under a mask; `None` if the mask is not contiguous or is empty.
    pub fn of_mask(ip: Ipv4Addr, mask: Ipv4Addr) -> Option<Self> {
        let bits = mask.to_bits();
        let length = bits.leading_ones();
        if length == 0 || bits.count_ones() != length {
            return None;
        }
        Self::of(ip.into(), u8::try_from(length).ok()?)
    }

    /// The smallest prefix that contains both addresses; `None` if their families differ.
    pub fn common(a: IpAddr, b: IpAddr) -> Option<Self> {
        let length = match (a, b) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            _ => return None,
        };
        Self::of(a, u8::try_from(length).ok()?)
    }

    pub fn contains(&self, ip: IpAddr) -> bool {
        Self::of(ip, self.length) == Some(*self)
    }

    /// Whether the prefix contains all addresses of `other`.
    pub fn covers(&self, other: &Self) -> bool {
        self.length <= other.length && self.contains(other.address)
    }

    pub fn length(&self) -> u8 {
        self.length
    }

    /// The first address of the prefix.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The directed broadcast address; `None` for IPv6, and for /31 and /32 (RFC 3021).
    pub fn broadcast(&self) -> Option<Ipv4Addr> {
        match self.address {
            IpAddr::V4(a) if self.length < 31 => {
                Some(Ipv4Addr::from_bits(a.to_bits() | !mask_v4(self.length)))
            }
            _ => None,
        }
    }
}

fn mask_v4(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

fn mask_v6(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl FromStr for Prefix {
    type Err = BadPrefix;

    fn from_str(text: &str) -> Result<Self, BadPrefix> {
        let bad = || BadPrefix(text.chars().take(60).collect());
        let (address, length) = text.split_once('/').ok_or_else(bad)?;
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let prefix = Self::of(address, length.parse().map_err(|_| bad())?).ok_or_else(bad)?;
        if prefix.address != address {
            return Err(bad());
        }
        Ok(prefix)
    }
}

impl TryFrom<String> for Prefix {
    type Error = BadPrefix;

    fn try_from(text: String) -> Result<Self, BadPrefix> {
        text.parse()
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.to_string()
    }
}

/// The text is not a prefix.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("'{0}' is not a prefix; write it as 10.1.0.0/24 or fd00:1::/64, without host bits")]
pub struct BadPrefix(String);

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn public_is_what_iana_lists_as_globally_reachable() {
        for text in
            ["8.8.8.8", "44.128.4.1", "192.0.0.9", "2606:4700::1111", "2a0e:97c0:4:1::5", "64:ff9b::808:808"]
        {
            assert!(is_public(ip(text)), "{text}");
        }
        for text in [
            "10.0.0.1",
            "100.64.9.1",
            "169.254.1.1",
            "172.31.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "240.0.0.1",
            "fd00::1",
            "fe80::1",
            "2001:db8::1",
            "2001::1",
            "2002:a00::1",
            "::1",
            "ff02::1",
        ] {
            assert!(!is_public(ip(text)), "{text}");
        }
    }

    #[test]
    fn a_prefix_knows_its_members_its_broadcast_and_its_canonical_form() {
        let p: Prefix = "10.3.0.0/23".parse().unwrap();
        assert!(p.contains(ip("10.3.1.255")) && !p.contains(ip("10.3.2.0")) && !p.contains(ip("fd00::1")));
        assert_eq!(p.broadcast(), Some("10.3.1.255".parse().unwrap()));
        assert_eq!(Prefix::common(ip("10.21.8.5"), ip("10.21.8.9")).unwrap().to_string(), "10.21.8.0/28");
        assert!("10.3.1.0/23".parse::<Prefix>().is_err());
        assert!("0.0.0.0/0".parse::<Prefix>().unwrap().covers(&p));
        assert_eq!(Prefix::of_mask("10.1.2.3".parse().unwrap(), "255.0.255.0".parse().unwrap()), None);
    }
}
