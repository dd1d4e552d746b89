//! Postures: secure and insecure ways to administer a device, as its own answers show them.

use super::text::{HEAD, has, header, line};
use super::{Scene, certificate};
use crate::dissect::{Reader, Sink};

/// What a server's segment shows.
pub(super) fn stream<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    match bytes.first_chunk::<4>() {
        Some(b"HTTP") => page(scene, bytes),
        Some(b"SIP/") => challenge(scene, bytes, "sip"),
        Some(b"RTSP") => camera(scene, bytes),
        Some(b"SSH-") if scene.source_port < scene.destination_port => {
            let is_old = bytes.starts_with(b"SSH-1.") && !bytes.starts_with(b"SSH-1.99");
            scene.shows(if is_old { "ssh_1" } else { "ssh_2" });
        }
        Some([0x16, 3, ..]) => {
            chosen(scene, bytes);
            certificate::shown(scene, bytes);
        }
        _ => match scene.source_port {
            23 | 2323 => terminal(scene, bytes),
            21 => files(scene, bytes),
            139 | 445 => share(scene, bytes),
            3389 => desktop(scene, bytes),
            5900..=5910 => remote(scene, bytes),
            1883 if matches!(bytes, [0x20, 2, _, 0] | [0x20, 3..=255, _, 0, ..]) => {
                scene.shows("mqtt_admits")
            }
            _ => {}
        },
    }
}

/// What a datagram shows.
pub(super) fn datagram<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    match scene.source_port {
        161 => agent(scene, bytes),
        // Data of a file that the sender serves.
        69 if matches!(bytes, [0, 3, ..]) => scene.shows("tftp"),
        5060 if bytes.starts_with(b"SIP/") => challenge(scene, bytes, "sip"),
        _ => {}
    }
}

/// A page that comes in clear: whether the server asks for a password, or the page does.
fn page<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    challenge(scene, bytes, "http");
    let head = bytes.get(..HEAD).unwrap_or(bytes);
    let has = |text: &[u8]| memchr::memmem::find(head, text).is_some();
    if has(b"type=\"password\"") || has(b"type='password'") {
        scene.shows("login_form");
    }
}

/// RFC 7617 and RFC 7616: how a server asks for a password on a connection in clear.
fn challenge<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8], protocol: &str) {
    let Some(value) = header(bytes, b"www-authenticate:") else { return };
    let is = |scheme: &[u8]| value.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme));
    match (protocol, is(b"basic"), is(b"digest")) {
        ("http", true, _) => scene.shows("http_basic"),
        ("http", _, true) => scene.shows("http_digest"),
        ("sip", true, _) => scene.shows("sip_basic"),
        ("sip", _, true) => scene.shows("sip_digest"),
        (_, true, _) => scene.shows("rtsp_basic"),
        (_, _, true) => scene.shows("rtsp_digest"),
        _ => {}
    }
}

/// RFC 7826: a description of a stream that was asked for without a password.
fn camera<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    match line(bytes).split(|b| *b == b' ').nth(1) {
        Some(b"401") => challenge(scene, bytes, "rtsp"),
        Some(b"200") if header(bytes, b"content-type:").is_some_and(|kind| has(kind, b"application/sdp")) => {
            scene.shows("rtsp_describes");
        }
        _ => {}
    }
}

/// Telnet (RFC 854): options are negotiated, or a terminal asks who is there.
fn terminal<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    if matches!(bytes, [0xff, 0xfa..=0xfe, ..]) {
        scene.shows("telnet");
    }
    let text = bytes.get(bytes.len().saturating_sub(128)..).unwrap_or(bytes);
    let asks: [&[u8]; 4] = [b"login:", b"username:", b"password:", b"user:"];
    if asks.iter().any(|word| has(text, word)) {
        scene.shows("telnet_login");
    } else if matches!(text.trim_ascii_end(), [.., b'#' | b'>' | b'$']) && text.len() > 1 {
        scene.shows("telnet_prompt");
    }
}

/// FTP (RFC 959, RFC 4217): a log-in in clear, or one that is encrypted first.
fn files<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    match bytes.first_chunk::<3>() {
        Some(b"230") => scene.shows("ftp_clear"),
        Some(b"234") => scene.shows("ftp_tls"),
        _ => {}
    }
}

/// SMB: the dialect that a server chose.
fn share<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    match bytes.get(4..) {
        // A negotiate response of version 1 with a dialect, [MS-CIFS] section 2.2.4.52.2.
        Some([0xff, b'S', b'M', b'B', 0x72, 0, 0, 0, 0, flags, ..])
            if flags & 0x80 != 0
                && bytes.get(4 + 33..4 + 35).is_some_and(|dialect| dialect != [0xff, 0xff]) =>
        {
            scene.shows("smb_1");
        }
        // A negotiate response of version 2 or 3, [MS-SMB2] section 2.2.4: behind the header, its size and the mode of
        // security, of which the second bit requires signatures.
        Some([0xfe, b'S', b'M', b'B', _, _, _, _, 0, 0, 0, 0, 0, 0, _, _, flags, ..]) if flags & 1 == 1 => {
            scene.shows("smb_2");
            if let Some([65, 0, mode, 0]) = bytes.get(4 + 64..4 + 68) {
                scene.shows(if mode & 2 == 0 { "smb_unsigned" } else { "smb_signs" });
            }
        }
        _ => {}
    }
}

/// RDP: the security that a server chose ([MS-RDPBCGR] section 2.2.1.2.1).
fn desktop<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    if let [3, 0, _, _, _, 0xd0, _, _, _, _, _, 2, _, 8, 0, protocol, ..] = bytes {
        scene.shows(if *protocol < 2 { "rdp_plain" } else { "rdp_nla" });
    }
}

/// RFB (RFC 6143 section 7.1.2): the types of security that a server offers, 1 being none.
fn remote<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    if let [n @ 1..=16, types @ ..] = bytes
        && types.len() == usize::from(*n)
        && !types.contains(&0)
    {
        scene.shows(if types.contains(&1) { "vnc_open" } else { "vnc_password" });
    }
}

/// SNMP: an answer of version 1 or 2c bears the community that it was asked with (RFC 1157 section 4, RFC 3416 section 3).
fn agent<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    const RESPONSE: u8 = 0xa2;
    let read = || {
        let mut r = Reader::new(bytes);
        (r.u8()? == 0x30).then_some(())?;
        let length = r.u8()?;
        if length & 0x80 != 0 {
            r.take(usize::from(length & 0x7f))?;
        }
        let [2, 1, version] = r.array::<3>()? else { return None };
        if version == 3 {
            return Some((version, &[][..], 0));
        }
        (r.u8()? == 4).then_some(())?;
        let length = r.u8()?;
        let community = r.take(length.into())?;
        Some((version, community, r.u8()?))
    };
    match read() {
        Some((3, ..)) => scene.shows("snmp_v3"),
        Some((version @ 0..=1, community, RESPONSE)) => {
            scene.shows(if version == 0 { "snmp_v1" } else { "snmp_v2c" });
            if matches!(community, b"public" | b"private") {
                scene.shows("snmp_default");
            }
        }
        _ => {}
    }
}

/// TLS: the version and the cipher that a server chose (RFC 8446 section 4.1.3, RFC 5246 section 7.4.1.3).
fn chosen<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    let head = bytes.get(..HEAD).unwrap_or(bytes);
    let Some((version, cipher)) = server_hello(head) else { return };
    scene.shows(if version < 0x0303 { "tls_old" } else { "tls_new" });
    if is_weak(cipher) {
        scene.shows("tls_weak");
    }
}

fn server_hello(bytes: &[u8]) -> Option<(u16, u16)> {
    const SUPPORTED_VERSIONS: u16 = 43;
    let mut r = Reader::new(bytes);
    r.take(5)?; // the record
    (r.u8()? == 2).then_some(())?;
    r.take(3)?;
    let mut version = r.u16()?;
    r.take(32)?;
    let session = usize::from(r.u8()?);
    r.take(session)?;
    let cipher = r.u16()?;
    r.u8()?; // compression
    let mut extensions = Reader::new(r.u16().map_or(&[], |length| r.at_most(length.into())));
    for _ in 0..32 {
        let Some((kind, length)) = extensions.u16().zip(extensions.u16()) else { break };
        let Some(mut body) = extensions.take(length.into()).map(Reader::new) else { break };
        if kind == SUPPORTED_VERSIONS {
            version = body.u16().unwrap_or(version);
        }
    }
    Some((version, cipher))
}

/// Ciphers without encryption or a key of their own, with keys for export, RC4, DES or triple DES (RFC 9325 section 4.1).
const fn is_weak(cipher: u16) -> bool {
    matches!(
        cipher,
        0x0000..=0x000c
            | 0x000f
            | 0x0010
            | 0x0012
            | 0x0013
            | 0x0016..=0x001b
            | 0x0062
            | 0x0064
            | 0x0066
            | 0xc002
            | 0xc003
            | 0xc007
            | 0xc008
            | 0xc00c
            | 0xc00d
            | 0xc011
            | 0xc012
            | 0xc015..=0xc017
    )
}
