//! NTP: who asks for the time and who gives it (RFC 5905 section 7.3).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Side, Words};

/// The shortest message.
const LEAST: usize = 48;

/// Dissects a datagram from or to UDP 123. Peers among themselves and control messages say nothing, nor does a server
/// that has no time itself.
///
/// # Errors
/// If it is shorter than a message, or its version of NTP is unknown.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let Some([first, stratum]) = payload.bytes.first_chunk() else {
        return Err(Malformed::new("ntp", "no message"));
    };
    let (version, mode) = (first >> 3 & 7, first & 7);
    if !(1..=4).contains(&version) {
        return Err(Malformed::new("ntp", "unknown version"));
    }
    // Control and private messages are shorter.
    if mode >= 6 {
        return Ok(());
    }
    if payload.bytes.len() < LEAST {
        return Err(Malformed::new("ntp", "truncated message"));
    }
    let serves = payload.side == Side::Server && (1..16).contains(stratum);
    let role: &[u8] = match mode {
        3 => b"client",
        4 if serves => b"server",
        5 if serves => b"broadcast",
        _ => return Ok(()),
    };
    words.say(Field::NtpRole, role);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn run(first: u8, stratum: u8, length: usize, side: Side) -> (Vec<String>, Result<(), Malformed>) {
        let mut message = vec![first, stratum];
        message.resize(length, 0);
        survives(&message, |p, w| dissect(&p.on(side), w));
        said(|w| dissect(&Payload::new(&message).on(side), w))
    }

    #[test]
    fn a_mode_is_a_role() {
        for (first, stratum, role) in
            [(0x23, 0, "client"), (0xe3, 0, "client"), (0x24, 2, "server"), (0x1d, 1, "broadcast")]
        {
            assert_eq!(run(first, stratum, 48, Side::Server), (vec![format!("ntp.role={role}")], Ok(())));
        }
        assert_eq!(run(0x23, 0, 68, Side::Client).0, ["ntp.role=client"]);
    }

    #[test]
    fn peers_control_and_servers_without_time_say_nothing() {
        for (first, stratum) in [(0x21, 2), (0x22, 2), (0x16, 2), (0x17, 0), (0x24, 0), (0x24, 16)] {
            assert_eq!(run(first, stratum, 48, Side::Server), (vec![], Ok(())), "{first:02x}");
        }
        assert_eq!(run(0x24, 2, 48, Side::Client), (vec![], Ok(())));
    }

    #[test]
    fn what_is_no_ntp_is_malformed() {
        for (first, length) in [(0x23, 47), (0x03, 48), (0x2b, 48), (0xff, 48)] {
            assert!(run(first, 0, length, Side::Server).1.is_err(), "{first:02x}");
        }
    }
}
