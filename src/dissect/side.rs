//! The two sides of a conversation.

/// Which side of a conversation the sender of a packet is on. Clients ask and servers answer; a controller that polls its
/// devices is their client.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Side {
    /// The sender sends to the service's port.
    #[default]
    Client,
    /// The sender sends from the service's port.
    Server,
}

impl Side {
    /// The word for this side.
    pub(super) const fn pick(self, client: &'static str, server: &'static str) -> &'static str {
        match self {
            Self::Client => client,
            Self::Server => server,
        }
    }
}
