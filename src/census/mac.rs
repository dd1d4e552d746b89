//! MAC addresses, and what their bits say.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A 48-bit MAC address; orders by its bytes and prints as `aa:bb:cc:dd:ee:ff`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(try_from = "String")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// The first six bytes of `bytes`; `None` if there are fewer.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self(*bytes.first_chunk::<6>()?))
    }

    /// Whether it is a multicast or broadcast address.
    pub fn is_group(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// Whether it is locally administered, as randomised addresses are (I12).
    pub fn is_locally_administered(self) -> bool {
        self.0[0] & 2 == 2
    }

    /// Whether it is `00:00:00:00:00:00`.
    pub fn is_null(self) -> bool {
        self.0 == [0; 6]
    }

    /// Whether it can be the MAC of a coupling: neither a group address nor null (I3).
    pub fn is_station(self) -> bool {
        !self.is_group() && !self.is_null()
    }

    /// Whether it is the MAC of a virtual router (I7): VRRP and CARP (RFC 5798), HSRP v1, v2 and IPv6, GLBP (Cisco).
    pub fn is_virtual_router(self) -> bool {
        matches!(
            self.0,
            [0x00, 0x00, 0x5e, 0x00, 0x01 | 0x02, _]
                | [0x00, 0x00, 0x0c, 0x07, 0xac, _]
                | [0x00, 0x00, 0x0c, 0x9f, 0xf0..=0xff, _]
                | [0x00, 0x05, 0x73, 0xa0, 0x00..=0x0f, _]
                | [0x00, 0x07, 0xb4, _, _, _]
        )
    }
}

impl MacAddr {
    /// As it is printed: a document of a million devices has several million of them.
    fn text(self) -> [u8; 17] {
        let mut text = [b':'; 17];
        let digit = |n: u8| if n < 10 { b'0' + n } else { b'a' - 10 + n };
        for (byte, place) in self.0.iter().zip(text.chunks_mut(3)) {
            if let [high, low, ..] = place {
                (*high, *low) = (digit(byte >> 4), digit(byte & 0xf));
            }
        }
        text
    }
}

impl Serialize for MacAddr {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl FromStr for MacAddr {
    type Err = BadMac;

    /// Reads six pairs of hex digits, separated by `:` or `-`, or bare, or in groups of four by `.`.
    fn from_str(text: &str) -> Result<Self, BadMac> {
        let digits = text.replace([':', '-', '.'], "");
        let mut mac = [0; 6];
        match hex::decode_to_slice(digits, &mut mac) {
            Ok(()) => Ok(Self(mac)),
            Err(_) => Err(BadMac(text.chars().take(40).collect())),
        }
    }
}

impl TryFrom<String> for MacAddr {
    type Error = BadMac;

    fn try_from(text: String) -> Result<Self, BadMac> {
        text.parse()
    }
}

impl From<MacAddr> for String {
    fn from(mac: MacAddr) -> Self {
        mac.to_string()
    }
}

/// The text is not a MAC address.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("'{0}' is not a MAC address; write it as aa:bb:cc:dd:ee:ff")]
pub struct BadMac(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_it_reads_in_every_usual_form() {
        for text in ["0a:1b:2c:3d:4e:5f", "0A-1B-2C-3D-4E-5F", "0a1b.2c3d.4e5f", "0a1b2c3d4e5f"] {
            assert_eq!(text.parse::<MacAddr>().unwrap().to_string(), "0a:1b:2c:3d:4e:5f");
        }
        for text in ["", "0a:1b:2c:3d:4e", "0a:1b:2c:3d:4e:5g", "0a:1b:2c:3d:4e:5f:60"] {
            assert!(text.parse::<MacAddr>().is_err(), "{text}");
        }
    }

    #[test]
    fn virtual_router_groups_are_known_by_their_prefix() {
        for text in [
            "00:00:5e:00:01:0a",
            "00:00:5e:00:02:0c",
            "00:00:0c:07:ac:05",
            "00:00:0c:9f:f0:21",
            "00:05:73:a0:00:22",
            "00:07:b4:00:07:01",
        ] {
            assert!(text.parse::<MacAddr>().unwrap().is_virtual_router(), "{text}");
        }
        for text in ["00:00:5e:00:03:0a", "00:00:0c:08:ac:05", "00:05:73:a1:00:22"] {
            assert!(!text.parse::<MacAddr>().unwrap().is_virtual_router(), "{text}");
        }
    }
}
