//! How network gear is operated and watched, as it shows itself: exporters of flows (NetFlow, RFC 3954, RFC 7011, sFlow 5),
//! clients of RADIUS (RFC 2865) and TACACS+ (RFC 8907), neighbours by BFD (RFC 5880), port mapping (RFC 6886, RFC 6887),
//! messages of IOS to a log (RFC 3164), the control of LISP, OpenFlow, multicast and mobile networks, and what Check
//! Point's and Aruba's boxes tell each other.

use std::net::IpAddr;

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Side, Words};

/// Attributes that are read of one RADIUS message.
const ATTRIBUTES: usize = 64;
/// Facility, severity and mnemonic of an IOS message stand within that many bytes.
const HEAD: usize = 128;

/// Dissects a datagram to a collector of flows. Anything but a sound head of an export says nothing.
///
/// # Errors
/// Never.
pub(crate) fn dissect_flow(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if exports(payload.bytes).is_some() {
        words.label(Field::NetworkTask, "flow_exporter");
    }
    Ok(())
}

fn exports(bytes: &[u8]) -> Option<()> {
    let mut r = Reader::new(bytes);
    let sound = match (r.u16()?, r.u16()?) {
        // Versions 1, 5 and 7 have records of a fixed length.
        (1, count @ 1..=24) => bytes.len() == 16 + 52 * usize::from(count),
        (5, count @ 1..=30) => bytes.len() == 24 + 48 * usize::from(count),
        (7, count @ 1..=28) => bytes.len() == 24 + 52 * usize::from(count),
        // Then times, a number and a source; then a set.
        (9, 1..) => {
            r.take(16)?;
            is_set(&mut r, 1)?
        }
        (10, length) => {
            r.take(12)?;
            usize::from(length) == bytes.len() && is_set(&mut r, 3)?
        }
        // sFlow: a long version, the kind of the agent's address, the address.
        (0, 5) => {
            let address = match r.u32()? {
                1 => 4,
                2 => 16,
                _ => return None,
            };
            r.take(address)?;
            let (_agent, _sequence, _uptime, samples) = (r.u32()?, r.u32()?, r.u32()?, r.u32()?);
            (1..=64).contains(&samples)
        }
        _ => return None,
    };
    sound.then_some(())
}

/// Whether a set follows: templates have a number up to `templates`, data 256 and above.
fn is_set(r: &mut Reader<'_>, templates: u16) -> Option<bool> {
    let (id, length) = (r.u16()?, r.u16()?);
    Some(
        (id <= templates || id >= 256)
            && usize::from(length) >= 4
            && usize::from(length) - 4 <= r.rest().len(),
    )
}

/// Dissects a RADIUS message. A client is the device that somebody signs in through; its port's type tells which kind.
///
/// # Errors
/// If a known message lies about its length.
pub(crate) fn dissect_radius(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let malformed = || Malformed::new("radius", "length");
    let mut r = Reader::new(payload.bytes);
    let (Some(code), Some(_id), Some(length)) = (r.u8(), r.u8(), r.u16()) else { return Err(malformed()) };
    let task = match (code, payload.side) {
        (1 | 4, Side::Client) => "radius_client",
        (2 | 3 | 5 | 11, Side::Server) => "radius_server",
        _ => return Ok(()),
    };
    let body = usize::from(length).checked_sub(20).and_then(|n| r.take(16).and_then(|_| r.take(n)));
    let mut attributes = Reader::new(body.ok_or_else(malformed)?);
    if task == "radius_server" {
        words.label(Field::NetworkTask, task);
        return Ok(());
    }
    let Some(client) = client(attributes) else { return Ok(()) };
    let mut words = words.about(&client);
    words.label(Field::NetworkTask, task);
    for _ in 0..ATTRIBUTES {
        let (Some(kind), Some(length)) = (attributes.u8(), attributes.u8()) else { break };
        let value = usize::from(length).checked_sub(2).and_then(|n| attributes.take(n));
        match (kind, value.ok_or_else(malformed)?) {
            // NAS-Port-Type, RFC 2865 section 5.41.
            (61, [0, 0, 0, 15]) => words.label(Field::NetworkTask, "radius_client:ethernet"),
            (61, [0, 0, 0, 19]) => words.label(Field::NetworkTask, "radius_client:wireless"),
            _ => {}
        }
    }
    Ok(())
}

/// The addresses of the client that a message names if a proxy passed the message on (RFC 2865 section 5.33), empty if it
/// comes from the client itself: routers name their loopback address. `None` if the client of a proxy has no address.
fn client(mut attributes: Reader<'_>) -> Option<Vec<IpAddr>> {
    let (mut addresses, mut passed_on) = (Vec::new(), false);
    for _ in 0..ATTRIBUTES {
        let (Some(kind), Some(length)) = (attributes.u8(), attributes.u8()) else { break };
        let Some(value) = usize::from(length).checked_sub(2).and_then(|n| attributes.take(n)) else { break };
        match kind {
            4 => addresses.extend(<[u8; 4]>::try_from(value).map(IpAddr::from)),
            95 => addresses.extend(<[u8; 16]>::try_from(value).map(IpAddr::from)),
            33 => passed_on = true,
            _ => {}
        }
    }
    match (passed_on, addresses.is_empty()) {
        (false, _) => Some(Vec::new()),
        (true, true) => None,
        (true, false) => Some(addresses),
    }
}

/// Dissects the beginning of a segment of TCP 49.
///
/// # Errors
/// Never.
pub(crate) fn dissect_tacacs(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    // Version 12, authentication, authorisation or accounting, number, flags, session, length.
    let (Some([0xc0 | 0xc1, 1..=3, 1..=255, _]), Some(_), Some(1..0x1_0000)) = (r.array(), r.u32(), r.u32())
    else {
        return Ok(());
    };
    words.label(Field::NetworkTask, payload.side.pick("tacacs_client", "tacacs_server"));
    Ok(())
}

/// Dissects a datagram to a port of BFD.
///
/// # Errors
/// Never.
pub(crate) fn dissect_bfd(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    // Version 1, diagnosis; state; multiplier; length; the sender's discriminator is never 0.
    if let [0x20..=0x3f, _, 1..=255, length, discriminator @ ..] = payload.bytes
        && (24..=payload.bytes.len()).contains(&usize::from(*length))
        && discriminator.get(..4).is_some_and(|d| d != [0; 4])
    {
        words.label(Field::NetworkTask, "bfd");
    }
    Ok(())
}

/// Dissects a message to a log. Only those in the form of Cisco's systems, `%FACILITY-SEVERITY-MNEMONIC:`, and of
/// firewalls, `devid="…"`, tell something.
///
/// # Errors
/// Never.
pub(crate) fn dissect_log(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let head = payload.bytes.get(..HEAD).unwrap_or(payload.bytes);
    if head.first() != Some(&b'<') {
        return Ok(());
    }
    if has_mnemonic(head) {
        words.label(Field::NetworkTask, "log:ios");
    } else if [&b"devid=\"F"[..], b"devid=F", b"id=firewall "]
        .iter()
        .any(|k| head.windows(k.len()).any(|w| w == *k))
    {
        words.label(Field::NetworkTask, "log:firewall");
    }
    Ok(())
}

/// `%` and words of capitals, digits and underscores, with a severity of one digit before the last.
fn has_mnemonic(text: &[u8]) -> bool {
    text.split(|b| *b == b'%').skip(1).any(|after| {
        let end = after.iter().position(|b| *b == b':').unwrap_or(0);
        let words: Vec<&[u8]> = after.get(..end).unwrap_or_default().split(|b| *b == b'-').collect();
        let capitals = |w: &&[u8]| {
            w.len() >= 2 && w.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_')
        };
        match words.as_slice() {
            [facility @ .., [b'0'..=b'7'], mnemonic] => {
                !facility.is_empty() && facility.iter().all(&capitals) && capitals(mnemonic)
            }
            _ => false,
        }
    })
}

/// Dissects an answer of NAT-PMP or PCP, from UDP 5351.
///
/// # Errors
/// Never.
pub(crate) fn dissect_mapping(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    match payload.bytes {
        [0, 128..=130, 0, 0..=5, rest @ ..] if matches!(rest.len(), 4 | 8 | 12) => {}
        [2, 128..=130, _, 0..=13, rest @ ..] if rest.len() >= 20 => {}
        _ => return Ok(()),
    }
    words.label(Field::NetworkTask, "port_mapping");
    Ok(())
}

/// Dissects a message of LISP's control plane, UDP 4342 (RFC 9301 section 5): routers and their directory.
///
/// # Errors
/// Never.
pub(crate) fn dissect_lisp(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    // Map requests, replies, registrations, notifications, and encapsulated messages.
    if payload.bytes.len() >= 12 && payload.bytes.first().is_some_and(|b| matches!(b >> 4, 1..=5 | 8)) {
        words.label(Field::NetworkTask, "lisp");
    }
    Ok(())
}

/// Dissects a message of Cisco's Auto-RP, UDP 496: a router offers or announces meeting points of multicast.
///
/// # Errors
/// Never.
pub(crate) fn dissect_meeting_point(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if let [0x11 | 0x12, 1..=255, _, _, _, _, _, _, ..] = payload.bytes {
        words.label(Field::NetworkTask, "auto_rp");
    }
    Ok(())
}

/// Dissects a message of GTP-C, UDP 2123 (3GPP TS 29.060, 29.274): gateways of mobile networks.
///
/// # Errors
/// Never.
pub(crate) fn dissect_mobile(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if let [0x30..=0x37 | 0x40 | 0x48 | 0x50 | 0x58, 1..=255, high, low, ..] = payload.bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let head = if payload.bytes.first().is_some_and(|b| b >> 5 == 1) { 8 } else { 4 };
        if length + head == payload.bytes.len() {
            words.label(Field::NetworkTask, "gtp");
        }
    }
    Ok(())
}

/// Dissects the beginning of a segment of OpenFlow, TCP 6633 and 6653. Switches connect to their controller.
///
/// # Errors
/// Never.
pub(crate) fn dissect_openflow(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    // A version, a type, the length of the message.
    if let [1..=6, 0..=40, high, low, _, _, _, _, ..] = payload.bytes
        && (8..=payload.bytes.len()).contains(&usize::from(u16::from_be_bytes([*high, *low])))
    {
        words.label(Field::NetworkTask, payload.side.pick("openflow_switch", "openflow_controller"));
    }
    Ok(())
}

/// Dissects the beginning of a segment of LDP, TCP 646 (RFC 5036 section 3.1).
///
/// # Errors
/// Never.
pub(crate) fn dissect_session(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    // Version, length, the router's identifier, label space, and a message.
    if let [0, 1, high, low, rest @ ..] = payload.bytes
        && (14..=rest.len()).contains(&usize::from(u16::from_be_bytes([*high, *low])))
    {
        words.label(Field::RouterTask, "ldp");
    }
    Ok(())
}

/// Dissects what members of a cluster of Check Point's firewalls tell each other, UDP 8116.
///
/// # Errors
/// Never.
pub(crate) fn dissect_cluster(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if payload.bytes.starts_with(&[0x1a, 0x90]) && payload.bytes.len() >= 20 {
        words.label(Field::NetworkTask, "ccp");
    }
    Ok(())
}

/// Dissects what Aruba's access points and controllers tell each other, UDP 8211.
///
/// # Errors
/// Never.
pub(crate) fn dissect_papi(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if payload.bytes.starts_with(&[0x49, 0x72]) && payload.bytes.len() >= 40 {
        words.label(Field::NetworkTask, "papi");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::MacAddr;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::{described, said};

    type Dissect = fn(&Payload<'_>, &mut Words<'_>) -> Result<(), Malformed>;

    fn run(dissect: Dissect, bytes: &[u8], side: Side) -> Vec<String> {
        survives(bytes, |p, w| dissect(&p.on(side), w));
        said(|w| dissect(&Payload::new(bytes).on(side), w)).0
    }

    fn padded(head: &[u8], length: usize) -> Vec<u8> {
        let mut bytes = head.to_vec();
        bytes.resize(length, 0);
        bytes
    }

    #[test]
    fn each_version_of_an_export_is_an_exporters() {
        let mut nine = padded(&[0, 9, 0, 1], 32);
        nine[20..24].copy_from_slice(&[0, 0, 0, 12]);
        let mut ten = padded(&[0, 10, 0, 24], 24);
        ten[16..20].copy_from_slice(&[1, 0, 0, 8]);
        let mut sflow = padded(&[0, 0, 0, 5, 0, 0, 0, 1], 40);
        sflow[27] = 1;
        for sound in [padded(&[0, 5, 0, 2], 120), nine, ten, sflow] {
            assert_eq!(run(dissect_flow, &sound, Side::Client), ["network.task=flow_exporter"]);
        }
        for other in [padded(&[0, 5, 0, 2], 119), padded(&[0, 9, 0, 1], 24), b"hello, world".to_vec(), vec![]]
        {
            assert!(run(dissect_flow, &other, Side::Client).is_empty());
        }
    }

    #[test]
    fn a_client_of_radius_tells_its_kind_of_port() {
        let mut request = padded(&[1, 7, 0, 26], 20);
        request.extend([61, 6, 0, 0, 0, 19]);
        assert_eq!(
            run(dissect_radius, &request, Side::Client),
            ["network.task=radius_client", "network.task=radius_client:wireless"]
        );
        let accept = padded(&[2, 7, 0, 20], 20);
        assert_eq!(run(dissect_radius, &accept, Side::Server), ["network.task=radius_server"]);
        assert!(run(dissect_radius, &accept, Side::Client).is_empty());
        assert!(said(|w| dissect_radius(&Payload::new(&request[..25]), w)).1.is_err());
    }

    #[test]
    fn what_a_proxy_of_radius_passes_on_is_the_clients() {
        let from = |attributes: &[u8]| {
            let mut request = padded(&[1, 7, 0, u8::try_from(20 + attributes.len()).unwrap()], 20);
            request.extend(attributes);
            described(MacAddr::default(), "192.0.2.9", |w| dissect_radius(&Payload::new(&request), w)).0
        };
        let (client, proxy) = ([4, 6, 192, 0, 2, 1], [33, 3, 1]);
        assert_eq!(from(&client), ["network.task=radius_client"]);
        assert_eq!(from(&[&client[..], &proxy].concat()), ["192.0.2.1 network.task=radius_client"]);
        assert!(from(&proxy).is_empty());
    }

    #[test]
    fn both_sides_of_tacacs_are_told() {
        let start = [0xc1, 1, 1, 0, 1, 2, 3, 4, 0, 0, 0, 30, 9, 9];
        assert_eq!(run(dissect_tacacs, &start, Side::Client), ["network.task=tacacs_client"]);
        assert_eq!(run(dissect_tacacs, &start, Side::Server), ["network.task=tacacs_server"]);
        assert!(run(dissect_tacacs, b"GET / HTTP/1.0", Side::Client).is_empty());
    }

    #[test]
    fn only_messages_in_the_form_of_network_gear_tell_who_logs() {
        for (line, task) in [
            (&b"<189>29: *Mar  1 18:48:50.483: %SYS-5-CONFIG_I: Configured from vty2"[..], Some("log:ios")),
            (b"<166>%ASA-6-302013: Built outbound TCP connection", Some("log:ios")),
            (b"<187>%LINEPROTO-SP-5-UPDOWN: Line protocol on Interface", Some("log:ios")),
            (
                b"<189>date=2024-01-01 time=10:00:00 devname=\"fw\" devid=\"FGT60F0000000000\"",
                Some("log:firewall"),
            ),
            (b"<13>Oct 11 22:14:15 host app: used 80 %-5-x of disk", None),
            (b"%SYS-5-CONFIG_I: not a message", None),
        ] {
            let want: Vec<String> = task.map(|t| format!("network.task={t}")).into_iter().collect();
            assert_eq!(run(dissect_log, line, Side::Client), want);
        }
    }

    #[test]
    fn neighbours_mappings_and_clusters_show_themselves() {
        let hello = padded(&[0x20, 0xc0, 3, 24, 0, 0, 0, 1], 24);
        assert_eq!(run(dissect_bfd, &hello, Side::Client), ["network.task=bfd"]);
        assert!(run(dissect_bfd, &padded(&[0x20, 0xc0, 3, 24], 24), Side::Client).is_empty());
        let mapped = padded(&[0, 128, 0, 0], 12);
        assert_eq!(run(dissect_mapping, &mapped, Side::Server), ["network.task=port_mapping"]);
        assert!(run(dissect_mapping, &[0, 0], Side::Client).is_empty());
        assert_eq!(run(dissect_lisp, &padded(&[0x10], 24), Side::Client), ["network.task=lisp"]);
        assert_eq!(
            run(dissect_meeting_point, &padded(&[0x11, 1], 20), Side::Client),
            ["network.task=auto_rp"]
        );
        assert_eq!(run(dissect_mobile, &padded(&[0x32, 1, 0, 4], 12), Side::Client), ["network.task=gtp"]);
        assert!(run(dissect_mobile, &padded(&[0x32, 1, 0, 5], 12), Side::Client).is_empty());
        let hello = [4, 0, 0, 8, 0, 0, 0, 1];
        assert_eq!(run(dissect_openflow, &hello, Side::Client), ["network.task=openflow_switch"]);
        assert_eq!(run(dissect_openflow, &hello, Side::Server), ["network.task=openflow_controller"]);
        let labels = padded(&[0, 1, 0, 20, 10, 0, 0, 1], 24);
        assert_eq!(run(dissect_session, &labels, Side::Client), ["router.task=ldp"]);
        assert_eq!(run(dissect_cluster, &padded(&[0x1a, 0x90], 20), Side::Client), ["network.task=ccp"]);
        assert_eq!(run(dissect_papi, &padded(&[0x49, 0x72, 0, 2], 40), Side::Client), ["network.task=papi"]);
    }
}
