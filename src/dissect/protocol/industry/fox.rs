//! Niagara Fox: sides, and what a station or its client says of itself in its hello. The protocol is not published; it
//! is text, and its hello explains itself.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Words};

/// Lines of one hello that are read.
const LINES: usize = 40;
/// Keys of a hello that tell what its sender is.
const KEYS: [&str; 8] =
    ["app.name", "app.version", "brandId", "hostName", "os.name", "os.version", "station.name", "vm.name"];

/// Dissects what begins a segment to or from TCP 1911 or 4911: `fox a 0 -1 fox hello`, and lines of `key=type:value` in
/// braces.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut lines = payload.bytes.split(|b| *b == b'\n');
    let Some(first) = lines.next().filter(|line| line.starts_with(b"fox a ")) else { return Ok(()) };
    words.label(Field::OtRole, payload.side.pick("fox:client", "fox:server"));
    if !first.trim_ascii_end().ends_with(b" fox hello") {
        return Ok(());
    }
    for line in lines.take(LINES).take_while(|line| !line.starts_with(b"}")) {
        let Some((key, value)) = split(line, b'=') else { continue };
        let Some((_kind, value)) = split(value, b':') else { continue };
        if KEYS.iter().any(|known| known.as_bytes() == key) && !value.is_empty() {
            words.say(Field::OtIdentity, &[b"fox:", key, b"=", value].concat());
        }
    }
    Ok(())
}

fn split(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = bytes.iter().position(|b| *b == at)?;
    Some((bytes.get(..place)?, bytes.get(place + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::Side;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn a_station_introduces_itself() {
        let hello = b"fox a 0 -1 fox hello\n{\nfox.version=s:1.0\nid=i:1\nhostName=s:controller-1\n\
            hostAddress=s:192.0.2.7\napp.name=s:Station\nos.name=s:QNX\nbrandId=s:vykon\n};;\nhostName=s:other\n";
        let (out, result) = said(|w| dissect(&Payload::new(hello).on(Side::Server), w));
        assert_eq!(
            out,
            [
                "ot.role=fox:server",
                "ot.identity=fox:hostName=controller-1",
                "ot.identity=fox:app.name=Station",
                "ot.identity=fox:os.name=QNX",
                "ot.identity=fox:brandId=vykon"
            ]
        );
        assert_eq!(result, Ok(()));
        survives(hello, |p, w| dissect(&p.on(Side::Server), w));
    }

    #[test]
    fn other_messages_tell_the_side_alone_and_other_text_nothing() {
        let other = b"fox a 7 3 auth challenge\n{\nhostName=s:x\n};;\n";
        assert_eq!(said(|w| dissect(&Payload::new(other).on(Side::Client), w)).0, ["ot.role=fox:client"]);
        assert!(said(|w| dissect(&Payload::new(b"foxtrot\n").on(Side::Client), w)).0.is_empty());
    }
}
