//! Omron FINS: sides, and the model of a controller that answers "controller data read" (Omron W421, sections 3 and 5;
//! FINS over TCP: Omron W420, section 7-4).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Dissects a datagram of UDP 9600; anything else says nothing.
///
/// # Errors
/// If a controller's data is truncated.
pub(crate) fn datagram(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some([control, 0, 0..=7]), Some([_, _, _, network, _, _, _]), Some(command)) =
        (r.array(), r.array(), r.array::<2>())
    else {
        return Ok(());
    };
    // A gateway may be used (0x80); commands and responses (0x40); a response may be unwanted (0x01).
    if control & 0xbe != 0x80
        || !matches!(command[0], 1..=9 | 0x0c | 0x21..=0x23 | 0x26)
        || payload.bytes.len() > 2048
    {
        return Ok(());
    }
    if control & 0x40 == 0 {
        words.label(Field::OtRole, "fins:client");
        return Ok(());
    }
    let Some(end) = r.u16() else { return Ok(()) };
    words.label(Field::OtRole, "fins:server");
    // What comes from another network was brought by a controller in between.
    if command == [5, 1] && end == 0 && network == 0 {
        let (model, version) =
            r.take(20).zip(r.take(20)).ok_or(Malformed::new("fins", "truncated controller data"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_matches(['\0', ' ']).to_owned();
        words.say(Field::OtIdentity, format!("fins:{} {}", text(model), text(version)).as_bytes());
    }
    Ok(())
}

/// Dissects what begins a segment of TCP 9600.
///
/// # Errors
/// As [`datagram`].
pub(crate) fn stream(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some(b"FINS"), Some(length), Some(command), Some(_error)) =
        (r.array().as_ref(), r.u32(), r.u32(), r.u32())
    else {
        return Ok(());
    };
    // The length counts from the command on.
    if usize::try_from(length).is_ok_and(|n| n + 8 > payload.bytes.len() || n < 8) {
        return Ok(());
    }
    match command {
        // The client asks for a node address, the server gives one.
        0 => words.label(Field::OtRole, "fins:client"),
        1 => words.label(Field::OtRole, "fins:server"),
        2 => return datagram(&payload.inner(r.rest()), words),
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn data(network: u8) -> Vec<u8> {
        let mut out = vec![0xc0, 0, 2, 0, 9, 0, network, 1, 0, 7, 5, 1, 0, 0];
        out.extend(b"CJ2M-CPU33          02.01\0              \0");
        out
    }

    #[test]
    fn a_controller_answers_with_its_model() {
        let (out, result) = said(|w| datagram(&Payload::new(&data(0)), w));
        assert_eq!(out, ["ot.role=fins:server", "ot.identity=fins:CJ2M-CPU33 02.01"]);
        assert_eq!(result, Ok(()));
        assert_eq!(said(|w| datagram(&Payload::new(&data(3)), w)).0, ["ot.role=fins:server"]);
        assert!(said(|w| datagram(&Payload::new(&data(0)[..40]), w)).1.is_err());
        survives(&data(0), datagram);
    }

    #[test]
    fn a_command_is_a_clients_on_both_transports() {
        let read = [0x80, 0, 2, 0, 1, 0, 0, 9, 0, 7, 1, 1, 0x82, 0, 0, 0, 0, 1];
        assert_eq!(said(|w| datagram(&Payload::new(&read), w)).0, ["ot.role=fins:client"]);
        let tcp = [b"FINS\0\0\0\x1a\0\0\0\x02\0\0\0\0", &read[..]].concat();
        assert_eq!(said(|w| stream(&Payload::new(&tcp), w)).0, ["ot.role=fins:client"]);
        assert_eq!(
            said(|w| stream(&Payload::new(b"FINS\0\0\0\x0c\0\0\0\0\0\0\0\0\0\0\0\0"), w)).0,
            ["ot.role=fins:client"]
        );
        assert!(said(|w| stream(&Payload::new(&tcp[..30]), w)).0.is_empty());
        assert!(said(|w| datagram(&Payload::new(b"\x80hello, world"), w)).0.is_empty());
        survives(&tcp, stream);
    }
}
