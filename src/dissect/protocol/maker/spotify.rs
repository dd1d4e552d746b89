//! Spotify's search for other clients in the network on UDP 57621. Computers send it, telephones less, loudspeakers
//! answer by other means.

use super::identity;
use crate::dissect::{Malformed, Words};

pub(super) fn dissect(payload: &[u8], words: &mut Words<'_>) -> Result<(), Malformed> {
    if payload.starts_with(b"SpotUdp0") {
        identity("spotify", Some(b"lan"), words);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{heard, survives};

    #[test]
    fn a_client_searches_others() {
        let message = [b"SpotUdp0".as_slice(), &[7; 36]].concat();
        assert_eq!(heard(&message, 57621, 57621), ["discovery.identity=spotify:lan"]);
        survives(&message, 57621, 57621);
    }
}
