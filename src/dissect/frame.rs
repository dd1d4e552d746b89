//! A frame as a capture gives it.

use crate::census::Timestamp;

/// The supported link types (LINKTYPE_ values of the capture formats).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum LinkType {
    /// LINKTYPE_ETHERNET, 1.
    Ethernet,
    /// LINKTYPE_LINUX_SLL, 113: "cooked" capture.
    LinuxSll,
    /// LINKTYPE_LINUX_SLL2, 276.
    LinuxSll2,
    /// LINKTYPE_RAW (101), LINKTYPE_IPV4 (228), LINKTYPE_IPV6 (229), DLT_RAW (12, 14): no MAC, so no coupling.
    RawIp,
}

impl LinkType {
    /// The link type of that number, if netcensus reads it.
    pub const fn from_number(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::Ethernet),
            12 | 14 | 101 | 228 | 229 => Some(Self::RawIp),
            113 => Some(Self::LinuxSll),
            276 => Some(Self::LinuxSll2),
            _ => None,
        }
    }
}

/// One captured frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it was captured.
    pub at: Timestamp,
    /// What its first bytes are.
    pub link: LinkType,
    /// The captured bytes; fewer than `length` if the capture truncates frames.
    pub data: &'a [u8],
    /// Its length on the wire in bytes.
    pub length: u32,
}
