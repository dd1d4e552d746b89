//! Commands to industrial devices: programs, stops, restarts and writes.

use super::{Act, Scene};
use crate::census::conduct::DeedKind::{Commands, Maps, MovesFirmware};
use crate::dissect::{Reader, Sink};

/// The most messages of one segment that are looked at.
const MESSAGES: usize = 8;

/// What a client's segment commands.
pub(super) fn stream<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    let command = match scene.destination_port {
        102 => s7(bytes),
        502 => modbus(bytes),
        44_818 => encapsulated(bytes),
        2404 => telecontrol(bytes),
        9100..=9102 => printer(bytes),
        _ if bytes.starts_with(&[5, 0x64]) && scene.source_port != 20_000 => dnp3(bytes),
        _ => None,
    };
    match command {
        Some("firmware") => scene.did(&Act::new(MovesFirmware, "pjl").to(scene.to)),
        Some(command) => scene.did(&Act::new(Commands, command).to(scene.to)),
        None => {}
    }
}

/// What a datagram commands.
pub(super) fn datagram<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    match scene.destination_port {
        47_808 => {
            if let Some(command) = bacnet(bytes) {
                scene.did(&Act::new(Commands, command).to(scene.to));
            }
        }
        20_000 => {
            if let Some(command) = dnp3(bytes) {
                scene.did(&Act::new(Commands, command).to(scene.to));
            }
        }
        69 => {
            if let Some(way) = transfer(bytes) {
                scene.did(&Act::new(MovesFirmware, way).to(scene.to));
            }
        }
        5351 => {
            // RFC 6886 section 3.3; RFC 6887 section 7.1: a mapping with a lifetime.
            let is_map =
                matches!(bytes, [0, 1 | 2, ..]) && bytes.len() >= 12 && bytes.get(8..12) != Some(&[0; 4])
                    || matches!(bytes, [2, 1, _, _, a, b, c, d, ..] if [*a, *b, *c, *d] != [0; 4]);
            if is_map {
                scene.did(&Act::new(Maps, "pcp"));
            }
        }
        _ => {}
    }
}

/// A job of S7 communication, behind RFC 1006 and a data TPDU: the function is the first byte of the parameters.
fn s7(bytes: &[u8]) -> Option<&'static str> {
    let mut r = Reader::new(bytes);
    for _ in 0..MESSAGES {
        let [3, 0, high, low] = r.array::<4>()? else { return None };
        let length = usize::from(u16::from_be_bytes([high, low])).checked_sub(4)?;
        let body = r.at_most(length);
        if let Some(command) = job(body) {
            return Some(command);
        }
        if r.is_empty() {
            break;
        }
    }
    None
}

fn job(body: &[u8]) -> Option<&'static str> {
    let mut r = Reader::new(body);
    let [2, 0xf0, _, 0x32, 1] = r.array::<5>()? else { return None };
    r.take(8)?; // reserved, reference, lengths
    match r.u8()? {
        0x29 => Some("s7_stop"),
        0x1a..=0x1c => Some("s7_download"),
        0x1d..=0x1f => Some("s7_upload"),
        0x28 => {
            // The name of the service ends the parameters.
            let named = |name: &[u8]| memchr::memmem::find(body, name).is_some();
            if named(b"_INSE") {
                Some("s7_download")
            } else if named(b"_DELE") {
                Some("s7_delete")
            } else if named(b"P_PROGRAM") {
                Some("s7_start")
            } else {
                None
            }
        }
        _ => None,
    }
}

/// Modbus over TCP: the functions that write.
fn modbus(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [_, _, 0, 0, _, _, _, 5 | 6 | 15 | 16 | 22 | 23, ..] => Some("modbus_write"),
        // Diagnostics, "restart communications".
        [_, _, 0, 0, _, _, _, 8, 0, 1 | 4, ..] => Some("modbus_restart"),
        _ => None,
    }
}

/// EtherNet/IP: a CIP request as unconnected or connected data.
fn encapsulated(bytes: &[u8]) -> Option<&'static str> {
    let mut r = Reader::new(bytes);
    let command = r.u16_le()?;
    if !matches!(command, 0x6f | 0x70) {
        return None;
    }
    r.take(22 + 6)?; // the header; interface and time-out
    let items = r.u16_le()?.min(4);
    for _ in 0..items {
        let (kind, length) = (r.u16_le()?, usize::from(r.u16_le()?));
        let item = r.at_most(length);
        match kind {
            0xb2 => return cip(item, 0),
            0xb1 => return cip(item.get(2..)?, 0),
            _ => {}
        }
    }
    None
}

/// A request of CIP: the service, and the class of its path.
fn cip(bytes: &[u8], depth: u8) -> Option<&'static str> {
    let mut r = Reader::new(bytes);
    let (service, words) = (r.u8()?, usize::from(r.u8()?));
    let path = r.take(words * 2)?;
    let class = match path {
        [0x20, class, ..] => u16::from(*class),
        [0x21, _, low, high, ..] => u16::from_le_bytes([*low, *high]),
        _ => return None,
    };
    match (service, class) {
        // Unconnected send through the connection manager carries another request.
        (0x52, 6) if depth == 0 => {
            r.take(2)?;
            let length = usize::from(r.u16_le()?);
            cip(r.at_most(length), 1)
        }
        (5, 1) => Some("cip_reset"),
        (7, _) => Some("cip_stop"),
        (6, _) => Some("cip_start"),
        (0x4b, 0x37) => Some("cip_firmware"),
        (0x10 | 0x4d | 0x53, _) => Some("cip_write"),
        _ => None,
    }
}

/// DNP3 (IEEE 1815): the function of the application layer, behind the link header and the transport byte.
fn dnp3(bytes: &[u8]) -> Option<&'static str> {
    let mut r = Reader::new(bytes);
    let [5, 0x64, length, control] = r.array::<4>()? else { return None };
    // From the master, with user data.
    if length < 8 || control & 0x80 == 0 {
        return None;
    }
    r.take(6)?; // addresses and a checksum
    let [_, _, function] = r.array::<3>()?;
    match function {
        2 => Some("dnp3_write"),
        3..=6 => Some("dnp3_control"),
        13 | 14 => Some("dnp3_restart"),
        15..=18 => Some("dnp3_stop"),
        _ => None,
    }
}

/// IEC 60870-5-104: type and cause of an ASDU that acts.
fn telecontrol(bytes: &[u8]) -> Option<&'static str> {
    const ACTIVATION: u8 = 6;
    let mut r = Reader::new(bytes);
    for _ in 0..MESSAGES {
        let [0x68, length] = r.array::<2>()? else { return None };
        let body = r.at_most(usize::from(length));
        // Numbered information, not supervision.
        if let [control, _, _, _, kind, _, cause, ..] = body
            && control & 1 == 0
            && cause & 0x3f == ACTIVATION
        {
            match kind {
                45..=51 | 58..=64 => return Some("iec104_control"),
                105 => return Some("iec104_restart"),
                _ => {}
            }
        }
        if r.is_empty() {
            break;
        }
    }
    None
}

/// BACnet over IP (ASHRAE 135 annex J): the service of a confirmed request.
fn bacnet(bytes: &[u8]) -> Option<&'static str> {
    let mut r = Reader::new(bytes);
    let [0x81, kind, _, _] = r.array::<4>()? else { return None };
    if kind == 4 {
        r.take(6)?; // forwarded: the address of the sender
    }
    let [1, control] = r.array::<2>()? else { return None };
    if control & 0x80 != 0 {
        return None; // a message of the network layer
    }
    let skip_address = |r: &mut Reader<'_>| {
        r.take(2)?;
        let length = usize::from(r.u8()?);
        r.take(length).map(|_| ())
    };
    if control & 0x20 != 0 {
        skip_address(&mut r)?;
    }
    if control & 0x08 != 0 {
        skip_address(&mut r)?;
    }
    if control & 0x20 != 0 {
        r.u8()?; // hops
    }
    let head = r.u8()?;
    if head >> 4 != 0 {
        return None;
    }
    r.take(2)?; // sizes, and the number of the request
    if head & 8 != 0 {
        r.take(2)?; // a segment
    }
    match r.u8()? {
        15 | 16 => Some("bacnet_write"),
        17 => Some("bacnet_silence"),
        20 => Some("bacnet_restart"),
        _ => None,
    }
}

/// Commands of PJL that load firmware into a printer.
fn printer(bytes: &[u8]) -> Option<&'static str> {
    let head = bytes.get(..256).unwrap_or(bytes);
    let loads = |word: &[u8]| memchr::memmem::find(head, word).is_some();
    (loads(b"@PJL UPGRADE") || loads(b"@PJL FWDOWNLOAD") || loads(b"LANGUAGE=FWUPDATE")).then_some("firmware")
}

/// A request of TFTP (RFC 1350) for a file whose name says that it is firmware.
fn transfer(bytes: &[u8]) -> Option<&'static str> {
    const ENDS: [&[u8]; 6] = [b".bin", b".img", b".fw", b".rom", b".upg", b".trx"];
    let (way, name) = match bytes {
        [0, 1, rest @ ..] => ("tftp_read", rest),
        [0, 2, rest @ ..] => ("tftp_write", rest),
        _ => return None,
    };
    let name = name.get(..name.iter().take(128).position(|b| *b == 0)?)?.to_ascii_lowercase();
    ENDS.iter().any(|end| name.ends_with(end)).then_some(way)
}
