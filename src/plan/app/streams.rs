//! Event streams that are open: few for each session, because each holds a connection for as long as a page is open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The most event streams of one session or token.
pub const STREAMS: usize = 4;

/// The open streams, by the id of the session or token.
#[derive(Debug, Default)]
pub struct Streams(Arc<Mutex<HashMap<String, usize>>>);

/// The place of an open stream, until it is dropped.
#[derive(Debug)]
pub struct StreamPlace {
    open: Arc<Mutex<HashMap<String, usize>>>,
    session: String,
}

impl Streams {
    /// A place for a stream of a session, unless it has [`STREAMS`].
    pub fn open(&self, session: &str) -> Option<StreamPlace> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.entry(session.to_owned()).or_default();
        if *own >= STREAMS {
            return None;
        }
        *own += 1;
        Some(StreamPlace { open: Arc::clone(&self.0), session: session.to_owned() })
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.session) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.session);
            }
        }
    }
}
