//! Default credentials in clear. They are compared where they stand, and forgotten.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use sha2::{Digest as _, Sha256};

use super::text::{HEAD, header, line};
use super::{Act, ActThing, Scene};
use crate::census::conduct::DeedKind::{Maps, Mines, Presents, Shows, TriesDefault};
use crate::dissect::{Reader, Sink};

/// User names and passwords that makers' manuals print, as `user:password`. The label of a deed is the user name alone.
const DEFAULTS: [&str; 24] = [
    "admin:admin",
    "admin:",
    "admin:password",
    "admin:1234",
    "admin:12345",
    "admin:123456",
    "admin:9999",
    "admin:meinsm",
    "root:root",
    "root:pass",
    "root:",
    "root:vizxv",
    "root:xc3511",
    "root:admin",
    "root:12345",
    "user:user",
    "guest:guest",
    "supervisor:supervisor",
    "service:service",
    "support:support",
    "ubnt:ubnt",
    "pi:raspberry",
    "operator:operator",
    "Admin:Admin",
];

/// What a client's segment shows.
pub(super) fn stream<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    match bytes.first_chunk::<4>() {
        Some(b"GET " | b"POST" | b"HEAD" | b"PUT " | b"DESC" | b"OPTI") => request(scene, bytes),
        Some(b"{\"id" | b"{\"me" | b"{\"pa") => mining(scene, bytes),
        Some([0x10, ..]) if scene.destination_port == 1883 => broker(scene, bytes),
        _ if scene.destination_port == 143 => mailbox(scene, bytes),
        _ => {}
    }
}

fn tries<S: Sink>(scene: &mut Scene<'_, S>, pair: &[u8]) {
    let Some(entry) = DEFAULTS.iter().find(|entry| entry.as_bytes() == pair) else { return };
    let user = entry.split(':').next().unwrap_or_default();
    let attempt = u64::from(scene.source_port) << 32 | u64::from(scene.sequence);
    let port = scene.destination_port;
    scene.did(&Act::new(TriesDefault, user).to(scene.to).by(port).with(ActThing::Number(attempt)));
}

fn request<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    if bytes.starts_with(b"POST")
        && header(bytes, b"soapaction:")
            .is_some_and(|action| memchr::memmem::find(action, b"#AddPortMapping").is_some())
    {
        scene.did(&Act::new(Maps, "upnp"));
    }
    let basic = header(bytes, b"authorization:")
        .and_then(|value| value.split_at_checked(6))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"basic "));
    if let Some((_, encoded)) = basic
        && encoded.len() <= 256
        && let Ok(pair) = STANDARD.decode(encoded.trim_ascii())
    {
        let protocol = if memchr::memmem::find(line(bytes), b"RTSP/").is_some() { "rtsp" } else { "http" };
        presents(scene, protocol, &pair);
        tries(scene, &pair);
    }
}

/// Notes that a password was sent. Twelve bits of a digest tell whether two differ, and not what they are.
fn presents<S: Sink>(scene: &mut Scene<'_, S>, protocol: &str, pair: &[u8]) {
    let digest = Sha256::digest(pair);
    let bits = digest.first_chunk::<2>().map_or(0, |head| u16::from_be_bytes(*head) & 0x0fff);
    scene.did(&Act::new(Presents, protocol).to(scene.to).with(ActThing::Number(bits.into())));
}

/// A CONNECT of MQTT (3.1.1 section 3.1): whether it names a user, and whether that is a default one.
fn broker<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    let Some((flags, pair)) = connect(bytes) else { return };
    let label = if flags & 0x80 == 0 { "mqtt_anonymous" } else { "mqtt_user" };
    scene.did(&Act::new(Shows, label).to(scene.to));
    if let Some(pair) = pair {
        tries(scene, &pair);
    }
}

fn connect(bytes: &[u8]) -> Option<(u8, Option<Vec<u8>>)> {
    let mut r = Reader::new(bytes);
    (r.u8()? & 0xf0 == 0x10).then_some(())?;
    for _ in 0..4 {
        if r.u8()? & 0x80 == 0 {
            break;
        }
    }
    let field = |r: &mut Reader<'_>| {
        let length = usize::from(r.u16()?);
        r.take(length).map(<[u8]>::to_vec)
    };
    (field(&mut r)? == b"MQTT").then_some(())?;
    let (version, flags) = (r.u8()?, r.u8()?);
    r.u16()?;
    if version == 5 {
        let properties = usize::from(r.u8()?);
        r.take(properties)?;
    }
    let pair = || {
        let mut r = r;
        field(&mut r)?; // the client's name
        if flags & 4 != 0 {
            // The will.
            field(&mut r)?;
            field(&mut r)?;
        }
        (flags & 0x80 != 0).then_some(())?;
        let user = field(&mut r)?;
        let password = if flags & 0x40 == 0 { Vec::new() } else { field(&mut r)? };
        Some([&user[..], b":", &password].concat())
    };
    Some((flags, pair()))
}

/// `a LOGIN user password` of IMAP (RFC 9051 section 6.2.3).
fn mailbox<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    let mut words = line(bytes).split(|b| *b == b' ');
    if words.nth(1).is_some_and(|word| word.eq_ignore_ascii_case(b"login"))
        && let (Some(user), Some(password)) = (words.next(), words.next())
    {
        let plain = |word: &[u8]| word.iter().copied().filter(|b| *b != b'"').collect::<Vec<u8>>();
        tries(scene, &[&plain(user)[..], b":", &plain(password)].concat());
    }
}

/// A request of the mining protocol Stratum.
fn mining<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    let head = bytes.get(..HEAD).unwrap_or(bytes);
    let is_mining = ["\"mining.subscribe\"", "\"mining.authorize\""];
    if is_mining.iter().any(|word| memchr::memmem::find(head, word.as_bytes()).is_some()) {
        scene.did(&Act::new(Mines, "stratum").to(scene.to));
    }
}
