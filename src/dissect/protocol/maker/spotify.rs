//! Spotify's search for other clients in the network on UDP 57621. Computers send it, telephones less, loudspeakers
//! answer by other means.

use crate::dissect::protocol::form::identity::identity;
use crate::dissect::{Malformed, Payload, Words};

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if payload.bytes.starts_with(b"SpotUdp0") {
        identity("spotify", Some(b"lan"), words);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::dissect::protocol::testing::{heard, survives_datagram};

    #[test]
    fn a_client_searches_others() {
        let message = [b"SpotUdp0".as_slice(), &[7; 36]].concat();
        assert_eq!(heard(&message, 57621, 57621), ["discovery.identity=spotify:lan"]);
        survives_datagram(&message, 57621, 57621);
    }
}
