//! DCE/RPC over TCP: the NTLM messages that a bind carries (C706 section 12.6, MS-RPCE section 2.2.2.11).

use crate::dissect::protocol::form::ntlm;
use crate::dissect::{Malformed, Payload, Reader, Side, Words};

/// The header of a connection-oriented packet in bytes.
const HEADER: usize = 16;

/// Dissects the beginning of a segment that may start a bind or its answer; anything else says nothing.
///
/// # Errors
/// If the authentication is longer than the packet.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some([5, 0 | 1, kind, _flags]), Some([order, 0, 0, 0])) = (r.array(), r.array::<4>()) else {
        return Ok(());
    };
    let side = match kind {
        // bind, alter_context, auth3; bind_ack, alter_context_resp.
        0x0b | 0x0e | 0x10 => Side::Client,
        0x0c | 0x0f => Side::Server,
        _ => return Ok(()),
    };
    let mut number = || match order {
        0x10 => r.u16_le().map(usize::from),
        0x00 => r.u16().map(usize::from),
        _ => None,
    };
    let (Some(length), Some(secret)) = (number(), number()) else { return Ok(()) };
    let Some(packet) = payload.bytes.get(..length).filter(|_| secret > 0) else { return Ok(()) };
    let token = length.checked_sub(secret).filter(|at| *at >= HEADER).and_then(|at| packet.get(at..));
    let token = token.ok_or(Malformed::new("dcerpc", "authentication longer than the packet"))?;
    ntlm::say(token, side, words);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::form::ntlm::testing::{authenticate, challenge, utf16};
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn packet(kind: u8, token: &[u8]) -> Vec<u8> {
        let length = u8::try_from(HEADER + 12 + token.len()).unwrap();
        let secret = u8::try_from(token.len()).unwrap();
        let mut out = vec![5, 0, kind, 3, 0x10, 0, 0, 0, length, 0, secret, 0, 1, 0, 0, 0];
        out.extend([0; 12]);
        out.extend(token);
        out
    }

    #[test]
    fn each_side_is_named_by_its_own_messages() {
        let client = packet(0x10, &authenticate(&utf16("PC1"), 1));
        assert_eq!(
            said(|w| dissect(&Payload::new(&client), w)),
            (vec!["ntlm.workstation=PC1".to_owned()], Ok(()))
        );
        let server = packet(0x0c, &challenge(&[(1, "SRV")]));
        assert_eq!(
            said(|w| dissect(&Payload::new(&server), w)).0,
            ["ntlm.version=10.0.20348", "ntlm.target=netbios=SRV"]
        );
        assert!(
            said(|w| dissect(&Payload::new(&packet(0x0c, &authenticate(&utf16("PC1"), 1))), w)).0.is_empty()
        );
        survives(&client, dissect);
        survives(&server, dissect);
    }

    #[test]
    fn other_packets_say_nothing_and_a_lie_is_malformed() {
        for quiet in [packet(0, b"NTLMSSP\0"), packet(0x0b, b""), vec![5, 0, 0x0b, 3], vec![]] {
            assert_eq!(said(|w| dissect(&Payload::new(&quiet), w)), (vec![], Ok(())));
        }
        let mut lie = packet(0x0b, b"NTLMSSP\0");
        lie[10] = 200;
        assert!(said(|w| dissect(&Payload::new(&lie), w)).1.is_err());
    }
}
