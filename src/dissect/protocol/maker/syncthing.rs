//! Syncthing's local discovery on UDP 21027 (Local Discovery Protocol version 4): a computer, a server or a telephone.

use crate::dissect::protocol::form::identity::identity;
use crate::dissect::{Malformed, Payload, Words};

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    // The magic number, and the first field of the announcement: a device id of 32 bytes.
    if payload.bytes.starts_with(&[0x2e, 0xa7, 0xd9, 0x0b, 0x0a, 32]) && payload.bytes.len() > 6 + 32 {
        identity("syncthing", None, words);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::dissect::protocol::testing::{heard, survives_datagram};

    #[test]
    fn a_client_announces_itself() {
        let mut message = vec![0x2e, 0xa7, 0xd9, 0x0b, 0x0a, 32];
        message.resize(60, 1);
        assert_eq!(heard(&message, 21027, 21027), ["discovery.identity=syncthing"]);
        survives_datagram(&message, 21027, 21027);
    }
}
