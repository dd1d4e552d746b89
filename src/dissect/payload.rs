//! What a dissector of a protocol reads.

use super::Side;
use crate::census::MacAddr;

/// The bytes of one protocol, and who sent them to whom.
#[derive(Clone, Copy, Debug, Default)]
pub struct Payload<'a> {
    /// The protocol's bytes from the first on; truncated if the capture or the segment ends early.
    pub bytes: &'a [u8],
    /// Source MAC address of the frame.
    pub source: MacAddr,
    /// Source port; 0 for protocols that do not run over TCP or UDP.
    pub source_port: u16,
    /// Destination port; 0 for protocols that do not run over TCP or UDP.
    pub destination_port: u16,
    /// The sender's side. If a port led to the protocol, the server is who sends from it; else who has the lower port.
    pub side: Side,
}

impl<'a> Payload<'a> {
    /// Bytes whose sender is unknown.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// The same payload from one port to another. As long as nothing else tells, the server has the lower port.
    pub const fn between(self, source_port: u16, destination_port: u16) -> Self {
        let side = if source_port < destination_port { Side::Server } else { Side::Client };
        Self { source_port, destination_port, side, ..self }
    }

    /// The same payload from a sender on that side.
    pub const fn on(self, side: Side) -> Self {
        Self { side, ..self }
    }

    /// A message that the payload carries.
    pub(super) const fn inner(self, bytes: &'a [u8]) -> Self {
        Self { bytes, ..self }
    }
}
