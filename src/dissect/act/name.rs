//! Names that a station asks or answers for: tunnels through DNS, and answers for what is not its own.

use super::{Act, ActThing, Scene, digest, is_local};
use crate::census::address::is_public;
use crate::census::conduct::DeedKind::{AnswersNames, AsksLong, AsksNames, Misses, Resolves};
use crate::dissect::network::Packet;
use crate::dissect::{Reader, Sink};

/// From this many bytes on without a hyphen, it is data, not a word.
const DATA: usize = 24;
const MOST: usize = 253;

pub(super) fn datagram<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    match (scene.source_port, scene.destination_port) {
        (_, 53) => asks(scene, bytes),
        (5355, _) => answers(scene, bytes, "llmnr"),
        (137, _) => answers_netbios(scene, bytes),
        _ => {}
    }
}

/// A resolver's answer that a name does not exist (RFC 2308 section 2.1), which tells what the receiver asked for. The resolver
/// may be a router away.
pub(super) fn missed(packet: &Packet<'_>, bytes: &[u8], sink: &mut impl Sink) {
    const NAME_ERROR: u8 = 3;
    /// The longest domain that is told: programs make up short ones, and each is kept whole.
    const LONGEST: usize = 64;
    /// What is asked by mistake: names of the own network, and suffixes that were added to them.
    const OWN: [&str; 8] = ["arpa", "local", "lan", "home", "internal", "localdomain", "corp", "intranet"];
    if !matches!(bytes, [_, _, 0x80..=0x87, low, ..] if low & 0x0f == NAME_ERROR) {
        return;
    }
    let Some((_, name, _, _)) = question(bytes) else { return };
    let link = packet.link;
    if !link.destination.is_station() || !is_local(packet.destination) {
        return;
    }
    let Ok(name) = std::str::from_utf8(&name) else { return };
    let is_word = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    let is_own = name.rsplit('.').next().is_none_or(|last| OWN.contains(&last));
    if !name.contains('.') || is_own || !name.split('.').all(is_word) {
        return;
    }
    let domain = domain(name);
    if domain.len() <= LONGEST {
        let act = Act::new(Misses, "").with(ActThing::Text(domain));
        sink.did(link.destination, packet.destination, &act);
    }
}

/// The first question of a message of DNS (RFC 1035 section 4.1): its flags, its name in lower case, and its type.
fn question(bytes: &[u8]) -> Option<(u16, Vec<u8>, u16, u16)> {
    let mut r = Reader::new(bytes);
    r.u16()?;
    let (flags, questions, answers) = (r.u16()?, r.u16()?, r.u16()?);
    r.take(4)?;
    (questions >= 1).then_some(())?;
    let mut name = Vec::new();
    loop {
        match r.u8()? {
            0 => break,
            n @ 1..=63 => {
                if !name.is_empty() {
                    name.push(b'.');
                }
                name.extend(r.take(n.into())?.to_ascii_lowercase());
            }
            _ => return None,
        }
        (name.len() <= MOST).then_some(())?;
    }
    Some((flags, name, r.u16()?, answers))
}

fn asks<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    const RECURSE: u16 = 0x0100;
    let Some((flags, name, kind, _)) = question(bytes).filter(|(flags, ..)| flags & 0xf800 == 0) else {
        return;
    };
    // A resolver that finds names out by itself does not ask others to do so.
    if flags & RECURSE != 0 && is_public(scene.to) {
        scene.did(&Act::new(Resolves, "").to(scene.to));
    }
    // Reverse names are long by nature.
    if name.ends_with(b".arpa") {
        return;
    }
    // Tunnels put any bytes into names.
    let text: String = name.iter().map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '?' }).collect();
    let domain = domain(&text);
    let below = name.get(..name.len() - domain.len()).unwrap_or_default();
    let is_data = carries(below);
    if !(is_data || is_odd(kind, below)) {
        return;
    }
    // What tells names apart is their hash: any bytes do.
    let thing = ActThing::Number(digest(&name));
    scene.did(&Act::new(AsksNames, domain).with(thing));
    if is_data {
        scene.did(&Act::new(AsksLong, "").to(scene.to).with(thing));
    }
}

/// Whether the labels below a domain carry data. People and programs make long names of words, which hyphens part, and look
/// up digests in lists of what is known to be bad.
fn carries(below: &[u8]) -> bool {
    let is_word_end = |b: &u8| matches!(b, b'.' | b'-' | b'_');
    let mut labels = below.split(|b| *b == b'.');
    let has_run = labels
        .clone()
        .any(|label| !is_digest(label) && label.split(is_word_end).any(|run| run.len() >= DATA));
    has_run || labels.any(|label| label.iter().any(|b| !b.is_ascii_graphic()))
}

/// Whether a label is a digest in hexadecimal digits, as lists of what is known to be bad have them.
fn is_digest(label: &[u8]) -> bool {
    matches!(label.len(), 32 | 40 | 64) && label.iter().all(u8::is_ascii_hexdigit)
}

/// Whether a question is of a type that only tunnels ask many names of one domain for. Policies of mail are TXT as well, with
/// `_` in their names, and so is what lists say of addresses and digests.
fn is_odd(kind: u16, below: &[u8]) -> bool {
    const NULL: u16 = 10;
    const TXT: u16 = 16;
    const PRIVATE: u16 = 65_280;
    match kind {
        NULL | PRIVATE.. => !below.is_empty(),
        TXT => {
            let first = below.split(|b| *b == b'.').next().unwrap_or_default();
            let is_listed = first.iter().all(u8::is_ascii_digit) || is_digest(first);
            !is_listed && !below.contains(&b'_')
        }
        _ => false,
    }
}

/// The domain under which a name was registered: its last two labels, or three under a country's own second level such as
/// `co.uk`.
fn domain(name: &str) -> &str {
    let mut dots = name.rmatch_indices('.').map(|(at, _)| at);
    let (Some(last), Some(second)) = (dots.next(), dots.next()) else { return name };
    let is_country = name.len() - last == 3 && last - second <= 4;
    let start = if is_country { dots.next() } else { Some(second) };
    start.and_then(|at| name.get(at + 1..)).unwrap_or(name)
}

fn answers<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8], protocol: &str) {
    let Some((_, name, _, _)) = question(bytes).filter(|(flags, _, _, n)| flags & 0x800f == 0x8000 && *n > 0)
    else {
        return;
    };
    answered(scene, &name, protocol);
}

fn answered<S: Sink>(scene: &mut Scene<'_, S>, name: &[u8], protocol: &str) {
    let Ok(name) = std::str::from_utf8(name) else { return };
    if name.is_empty() || name.contains('.') || name.chars().any(char::is_control) || name.len() > 63 {
        return;
    }
    scene.did(&Act::new(AnswersNames, protocol).with(ActThing::Text(name)));
    if name == "wpad" {
        scene.did(&Act::new(AnswersNames, "wpad").with(ActThing::Text(name)));
    }
}

/// A positive name query response of NetBIOS (RFC 1002 section 4.2.13) to one station.
fn answers_netbios<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    let name = || {
        let mut r = Reader::new(bytes);
        r.u16()?;
        let flags = r.u16()?;
        // A response to a query, without an error.
        (flags & 0xf80f == 0x8000).then_some(())?;
        let [0, 0, 0, 1..=255] = r.array::<4>()? else { return None };
        r.take(4)?;
        (r.u8()? == 32).then_some(())?;
        let coded = r.take(32)?;
        let (pairs, _) = coded.as_chunks::<2>();
        let letters: Vec<u8> =
            pairs.iter().map(|[a, b]| a.wrapping_sub(b'A') << 4 | b.wrapping_sub(b'A') & 0x0f).collect();
        r.u8()?;
        // NB: an address; the last letter is the kind of name, 0x20 a server, 0 a workstation.
        (r.u16()? == 0x20 && matches!(letters.last(), Some(0 | 0x20))).then_some(())?;
        Some(letters.get(..15)?.trim_ascii_end().to_ascii_lowercase())
    };
    if let Some(name) = name() {
        answered(scene, &name, "nbns");
    }
}
