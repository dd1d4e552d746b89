//! Crestron's autodiscovery on UDP 41794: host name and description of a control system or panel.

use crate::dissect::protocol::form::identity::identity;
use crate::dissect::{Malformed, Payload, Words};

/// Bytes of an answer before the description: a head of ten, and the host name.
const DESCRIPTION: usize = 266;

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    // A search begins with 0x14.
    if !payload.bytes.starts_with(&[0x15, 0, 0, 0]) {
        return Ok(());
    }
    let text = payload.bytes.get(DESCRIPTION..).ok_or(Malformed::new("crestron", "truncated answer"))?;
    // `CP3 [v1.501.0013 (Mar 01 2016), #00A1B2C3]`.
    if let Some(at) = text.windows(3).take(64).position(|w| w == b" [v") {
        identity("crestron", text.get(..at), words);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::dissect::protocol::testing::{heard, survives_datagram};

    #[test]
    fn a_control_system_describes_itself() {
        let mut answer = vec![0x15, 0, 0, 0, 1, 4, 0, 3, 0, 0];
        answer.extend(b"CP3-ROOM1");
        answer.resize(266, 0);
        answer.extend(b"CP3 [v1.501.0013 (Mar 01 2016), #00A1B2C3]\0\0");
        assert_eq!(heard(&answer, 41794, 41794), ["discovery.identity=crestron:CP3"]);
        survives_datagram(&answer, 41794, 41794);
        answer[0] = 0x14;
        assert!(heard(&answer, 41794, 41794).is_empty());
    }
}
