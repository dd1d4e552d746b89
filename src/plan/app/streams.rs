//! Event streams that are open: few for each session, because each holds a connection for as long as a page is open.

use super::shares::{Most, Share, Shares};

/// The most event streams of one session or token.
pub const STREAMS: usize = 4;

/// The open streams, by the id of the session or token. Connections bound them all.
#[derive(Debug)]
pub struct Streams(Shares<String>);

/// The place of an open stream, until it is dropped.
pub type StreamPlace = Share<String>;

impl Default for Streams {
    fn default() -> Self {
        Self(Shares::new(Most { all: usize::MAX, of_one: STREAMS }))
    }
}

impl Streams {
    /// A place for a stream of a session, unless it has [`STREAMS`].
    pub fn open(&self, session: &str) -> Option<StreamPlace> {
        self.0.take(&session.to_owned(), 1)
    }
}
