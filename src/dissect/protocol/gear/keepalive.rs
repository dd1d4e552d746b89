//! What network gear sends below IP to find itself and its neighbours: Cisco's keepalive in the form of the configuration
//! testing protocol (Ethernet 2.0 section 8), system identification of DEC's maintenance operation protocol, discovery of
//! PPP over Ethernet (RFC 2516), and the topology messages of Nortel's and Avaya's switches.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Dissects a frame of type 0x9000.
///
/// # Errors
/// Never.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    // Nothing to skip; a reply; no receipt.
    if payload.bytes.starts_with(&[0, 0, 1, 0, 0, 0]) {
        words.label(Field::NetworkTask, "keepalive");
    }
    Ok(())
}

/// Dissects a frame of type 0x6002, a remote console's.
///
/// # Errors
/// Never.
pub(crate) fn dissect_console(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    // The length, then a system's identification.
    if let (Some(length), Some([7, 0])) = (r.u16_le(), r.array())
        && (28..=payload.bytes.len()).contains(&(usize::from(length) + 2))
    {
        words.label(Field::NetworkTask, "mop");
    }
    Ok(())
}

/// Dissects a frame of type 0x8863: who offers sessions and who asks for one.
///
/// # Errors
/// Never.
pub(crate) fn dissect_sessions(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let task = match payload.bytes {
        [0x11, 0x07 | 0x65, _, _, ..] => "pppoe_server",
        [0x11, 0x09 | 0x19, 0, 0, ..] => "pppoe_client",
        _ => return Ok(()),
    };
    words.label(Field::NetworkTask, task);
    Ok(())
}

/// Dissects what follows the SNAP header 000081-01a1 or 000081-01a2.
///
/// # Errors
/// Never.
pub(crate) fn dissect_topology(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    // An address, a segment, kinds of chassis and backplane, a state, and how many links.
    if let [1..=223, _, _, _, _, _, _, chassis, _, 1..=3, _, ..] = payload.bytes
        && *chassis > 1
    {
        words.label(Field::NetworkTask, "sonmp");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn run(dissect: fn(&Payload<'_>, &mut Words<'_>) -> Result<(), Malformed>, bytes: &[u8]) -> Vec<String> {
        survives(bytes, dissect);
        said(|w| dissect(&Payload::new(bytes), w)).0
    }

    #[test]
    fn keepalives_consoles_and_topologies_are_network_gears() {
        assert_eq!(run(dissect, &[0; 46]), Vec::<String>::new());
        let mut reply = [0; 46];
        reply[2] = 1;
        assert_eq!(run(dissect, &reply), ["network.task=keepalive"]);
        let mut console = [0; 60];
        console[..3].copy_from_slice(&[0x1c, 0, 7]);
        assert_eq!(run(dissect_console, &console), ["network.task=mop"]);
        assert!(run(dissect_console, &[0x1c, 0, 7, 0]).is_empty());
        let hello = [10, 1, 1, 2, 0, 1, 1, 0x2c, 12, 2, 1];
        assert_eq!(run(dissect_topology, &hello), ["network.task=sonmp"]);
        assert!(run(dissect_topology, &[0; 11]).is_empty());
    }

    #[test]
    fn who_offers_sessions_is_told_from_who_asks() {
        assert_eq!(
            run(dissect_sessions, &[0x11, 0x07, 0, 0, 0, 4, 1, 1, 0, 0]),
            ["network.task=pppoe_server"]
        );
        assert_eq!(run(dissect_sessions, &[0x11, 0x65, 0, 9, 0, 0]), ["network.task=pppoe_server"]);
        assert_eq!(run(dissect_sessions, &[0x11, 0x09, 0, 0, 0, 0]), ["network.task=pppoe_client"]);
        assert!(run(dissect_sessions, &[0x11, 0xa7, 0, 9, 0, 0]).is_empty());
    }
}
