//! TCP: how a stack opens a connection (RFC 9293 section 3.1, RFC 7323), and the ports that a host accepts one on.
//!
//! The opening segments are said in a notation of six parts, `4:64:1460:mss*44,7:mss,sok,ts,nop,ws:df,id+`:
//!
//! 1. the version of IP;
//! 2. the TTL or hop limit;
//! 3. the maximum segment size that is offered, or 0;
//! 4. the window, then the shift of its scale, or 0. A window that is a multiple of the segment size is
//!    `mss*n`; of the size less the room of timestamps `pay*n`; of the size with headers `mtu*n`;
//! 5. the options in their order: `mss`, `nop`, `ws` (scale), `sok` (SACK permitted), `sack`, `ts` (timestamps), `fo`
//!    (fast open), `mp` (multipath), `md5`, `ao`, `eol+n` with `n` bytes after it, `?k` of an unknown kind `k`;
//! 6. what else marks it: `df` (don't fragment), `id+` (an identification although `df`), `id-` (none although no
//!    `df`), `ipopt` (options of IP), `flow` (a flow label), `ecn`, `ack+` (an acknowledgement number without the flag),
//!    `urg`, `push`, `ts0` (a timestamp of 0), `ts2` (an echoed timestamp in a SYN), `data`.
//!
//! Ports, sequence numbers and timestamps are left out, so that one stack says few values.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PUSH: u8 = 0x08;
const ACK: u8 = 0x10;
const URG: u8 = 0x20;
const ECN: u8 = 0xc0;
/// Ports from here on are drawn for a connection (RFC 6335 section 6 starts at 49,152, Linux at 32,768).
const DRAWN: u16 = 32_768;
/// Bytes of the longest usual notation.
const NOTATION: usize = 96;
/// Units of a window that are smaller than this are chance.
const LEAST_UNIT: u16 = 200;

/// Dissects a whole IPv4 packet without options. [`opening`] is what the transport layer calls: it knows where the segment
/// starts behind options and extension headers.
///
/// # Errors
/// As [`opening`].
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    opening(payload.bytes, payload.bytes.get(20..).unwrap_or_default(), words)
}

/// Whether a segment with these flags opens a connection: the only ones that [`opening`] reads.
pub(crate) const fn opens(flags: u8) -> bool {
    flags & (SYN | RST | FIN) == SYN
}

/// Dissects a SYN or SYN-ACK: `ip` is the packet from its header on, `segment` the segment in it. Other segments say
/// nothing.
///
/// # Errors
/// If a header is truncated, or an option runs past the end; the port and the TTL are still said.
pub(crate) fn opening(ip: &[u8], segment: &[u8], words: &mut Words<'_>) -> Result<(), Malformed> {
    let header = Header::read(segment).ok_or_else(|| malformed("short header"))?;
    if !opens(header.flags) {
        return Ok(());
    }
    let internet = Internet::read(ip).ok_or_else(|| malformed("short IP header"))?;
    words.number(Field::IpTtl, internet.ttl.into());
    let answer = header.flags & ACK != 0;
    if answer && header.source < DRAWN {
        words.number(Field::TcpListens, header.source.into());
    }
    // A capture may have cut the options off: that is nobody's fault, and no mark of the stack.
    let Some(options) = header.options(segment) else { return Ok(()) };
    let options = Options::read(options).ok_or_else(|| malformed("broken option"))?;
    let data = segment.len() > header.length;
    let field = if answer { Field::TcpSynAck } else { Field::TcpSyn };
    words.say(field, notation(&internet, &header, &options, data).as_bytes());
    Ok(())
}

const fn malformed(reason: &'static str) -> Malformed {
    Malformed::new("tcp", reason)
}

fn notation(ip: &Internet, header: &Header, options: &Options, data: bool) -> String {
    let answer = header.flags & ACK != 0;
    let marks = [
        (ip.df, "df"),
        (ip.df && ip.id, "id+"),
        (ip.version == 4 && !ip.df && !ip.id, "id-"),
        (ip.options, "ipopt"),
        (ip.flow, "flow"),
        (header.flags & ECN != 0, "ecn"),
        (!answer && header.acknowledges, "ack+"),
        (header.flags & URG != 0 || header.urgent, "urg"),
        (header.flags & PUSH != 0, "push"),
        (matches!(options.stamps, Some((0, _))), "ts0"),
        (!answer && matches!(options.stamps, Some((_, 1..))), "ts2"),
        (data, "data"),
    ];
    let mut out = String::with_capacity(NOTATION);
    for n in [ip.version.into(), ip.ttl.into(), options.mss] {
        push(&mut out, n);
        out.push(':');
    }
    write_window(&mut out, header.window, ip.version, options);
    out.push(',');
    push(&mut out, options.scale.into());
    out.push(':');
    out.push_str(&options.layout);
    out.push(':');
    let mut is_first = true;
    for (_, name) in marks.into_iter().filter(|(is, _)| *is) {
        if !std::mem::take(&mut is_first) {
            out.push(',');
        }
        out.push_str(name);
    }
    out
}

/// Adds a number in decimal.
fn push(out: &mut String, n: u16) {
    out.push_str(itoa::Buffer::new().format(n));
}

/// Adds an item, in parts, to a list with commas.
fn join(list: &mut String, parts: &[&str]) {
    if !list.is_empty() {
        list.push(',');
    }
    parts.iter().for_each(|part| list.push_str(part));
}

/// Adds a window by what it is a multiple of. Powers of two and the largest window are numbers of their own.
fn write_window(out: &mut String, window: u16, version: u8, options: &Options) {
    let headers = if version == 4 { 40 } else { 60 };
    let stamped = if options.stamps.is_some() { options.mss.saturating_sub(12) } else { 0 };
    let units = [("mss*", options.mss), ("pay*", stamped), ("mtu*", options.mss.saturating_add(headers))];
    let own = window < LEAST_UNIT || window == u16::MAX || window.is_power_of_two() || options.mss == 0;
    let unit = units
        .into_iter()
        .find(|(_, unit)| !own && *unit >= LEAST_UNIT && window.checked_rem(*unit) == Some(0));
    let (name, unit) = unit.unwrap_or(("", 1));
    out.push_str(name);
    push(out, window / unit.max(1));
}

/// What the header of IP shows of the stack.
#[derive(Debug)]
struct Internet {
    version: u8,
    ttl: u8,
    df: bool,
    /// Whether it bears an identification.
    id: bool,
    options: bool,
    flow: bool,
}

impl Internet {
    fn read(ip: &[u8]) -> Option<Self> {
        if let Some([first @ 0x45..=0x4f, _, _, _, id, id2, flags, _, ttl, ..]) = ip.first_chunk::<20>() {
            let (df, id) = (flags & 0x40 != 0, (id | id2) != 0);
            Some(Self { version: 4, ttl: *ttl, df, id, options: *first > 0x45, flow: false })
        } else if let Some([0x60..=0x6f, a, b, c, _, _, _, ttl, ..]) = ip.first_chunk::<40>() {
            let flow = (a & 0x0f | b | c) != 0;
            Some(Self { version: 6, ttl: *ttl, df: false, id: false, options: false, flow })
        } else {
            None
        }
    }
}

/// The fixed part of a segment's header.
#[derive(Debug)]
struct Header {
    source: u16,
    /// Whether the acknowledgement number is set.
    acknowledges: bool,
    /// The length of the header in bytes.
    length: usize,
    flags: u8,
    window: u16,
    /// Whether the urgent pointer is set.
    urgent: bool,
}

impl Header {
    fn read(segment: &[u8]) -> Option<Self> {
        let mut r = Reader::new(segment);
        let (source, _destination, _sequence, acknowledged) = (r.u16()?, r.u16()?, r.u32()?, r.u32()?);
        let ([offset, flags], window, _checksum, urgent) = (r.array()?, r.u16()?, r.u16()?, r.u16()?);
        let length = usize::from(offset >> 4) * 4;
        Some(Self { source, acknowledges: acknowledged != 0, length, flags, window, urgent: urgent != 0 })
    }

    fn options<'a>(&self, segment: &'a [u8]) -> Option<&'a [u8]> {
        segment.get(20..self.length)
    }
}

/// The options of an opening segment.
#[derive(Debug, Default)]
struct Options {
    mss: u16,
    scale: u8,
    /// The two timestamps.
    stamps: Option<(u32, u32)>,
    /// Their names with commas.
    layout: String,
}

impl Options {
    /// Reads at most 40 bytes, as a header has no room for more; `None` if one runs past the end.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut out = Self { layout: String::with_capacity(32), ..Self::default() };
        let mut r = Reader::new(bytes);
        while let Some(kind) = r.u8() {
            let name = match kind {
                0 => {
                    join(&mut out.layout, &["eol+", itoa::Buffer::new().format(r.rest().len())]);
                    return Some(out);
                }
                1 => "nop",
                _ => {
                    let length = usize::from(r.u8()?);
                    let mut body = Reader::new(r.take(length.checked_sub(2)?)?);
                    match (kind, length) {
                        (2, 4) => {
                            out.mss = body.u16()?;
                            "mss"
                        }
                        (3, 3) => {
                            out.scale = body.u8()?;
                            "ws"
                        }
                        (4, 2) => "sok",
                        (5, _) => "sack",
                        (8, 10) => {
                            out.stamps = body.u32().zip(body.u32());
                            "ts"
                        }
                        (19, 18) => "md5",
                        (29, _) => "ao",
                        (30, _) => "mp",
                        (34, _) => "fo",
                        _ => {
                            join(&mut out.layout, &["?", itoa::Buffer::new().format(kind)]);
                            continue;
                        }
                    }
                }
            };
            join(&mut out.layout, &[name]);
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    /// An IPv4 header without options.
    fn v4(ttl: u8, df: bool, id: u8) -> [u8; 20] {
        let flags = if df { 0x40 } else { 0 };
        [0x45, 0, 0, 60, 0, id, flags, 0, ttl, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]
    }

    fn segment(source: u16, flags: u8, window: u16, options: &[u8]) -> Vec<u8> {
        let offset = u8::try_from((20 + options.len()) / 4).unwrap() << 4;
        let acknowledged = if flags & ACK == 0 { 0 } else { 9 };
        let mut out = source.to_be_bytes().to_vec();
        out.extend([0x9c, 0x40, 1, 2, 3, 4, 0, 0, 0, acknowledged, offset, flags]);
        out.extend(window.to_be_bytes());
        out.extend([0, 0, 0, 0]);
        out.extend(options);
        out
    }

    const UNIX: &[u8] = &[2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7];
    const PC: &[u8] = &[2, 4, 5, 180, 1, 3, 3, 8, 1, 1, 4, 2];

    #[test]
    fn a_syn_shows_the_stack() {
        for (ip, syn, expected) in [
            (
                v4(64, true, 7),
                segment(50_000, SYN, 64_240, UNIX),
                "4:64:1460:mss*44,7:mss,sok,ts,nop,ws:df,id+",
            ),
            (
                v4(128, true, 7),
                segment(50_000, SYN, 64_240, PC),
                "4:128:1460:mss*44,8:mss,nop,ws,nop,nop,sok:df,id+",
            ),
            (
                v4(128, true, 7),
                segment(50_000, SYN, 8_192, PC),
                "4:128:1460:8192,8:mss,nop,ws,nop,nop,sok:df,id+",
            ),
            (v4(255, false, 0), segment(50_000, SYN, 4_380, &[2, 4, 5, 180]), "4:255:1460:mss*3,0:mss:id-"),
            (
                v4(64, true, 0),
                segment(50_000, SYN | ECN, 6_000, &[2, 4, 5, 180]),
                "4:64:1460:mtu*4,0:mss:df,ecn",
            ),
            (v4(64, false, 1), segment(50_000, SYN, 512, b""), "4:64:0:512,0::"),
            (v4(64, false, 1), segment(50_000, SYN, 512, &[77, 3, 0, 0]), "4:64:0:512,0:?77,eol+0:"),
        ] {
            let expected = vec![format!("ip.ttl={}", ip[8]), format!("tcp.syn={expected}")];
            assert_eq!(said(|w| opening(&ip, &syn, w)), (expected, Ok(())));
            survives(&syn, |p, w| opening(&ip, p.bytes, w));
        }
    }

    #[test]
    fn a_syn_ack_shows_the_stack_and_the_port_that_listens() {
        let mut echoed = UNIX.to_vec();
        echoed[15] = 9;
        let (out, result) = said(|w| opening(&v4(64, true, 0), &segment(443, SYN | ACK, 65_160, &echoed), w));
        let notation = "tcp.syn_ack=4:64:1460:pay*45,7:mss,sok,ts,nop,ws:df";
        assert_eq!(
            (out, result),
            (["ip.ttl=64", "tcp.listens=443", notation].map(str::to_owned).to_vec(), Ok(()))
        );
        let (out, _) = said(|w| opening(&v4(64, true, 0), &segment(50_000, SYN | ACK, 0, UNIX), w));
        assert!(!out.iter().any(|o| o.starts_with("tcp.listens")), "{out:?}");
    }

    #[test]
    fn over_ipv6_a_flow_label_is_a_mark_and_the_mtu_counts_longer_headers() {
        let mut ip = [0; 40];
        (ip[0], ip[3], ip[7]) = (0x60, 1, 255);
        let (out, _) = said(|w| opening(&ip, &segment(50_000, SYN, 4_500, &[2, 4, 5, 160]), w));
        assert_eq!(out, ["ip.ttl=255", "tcp.syn=6:255:1440:mtu*3,0:mss:flow"]);
        survives(&ip, |p, w| opening(p.bytes, &segment(50_000, SYN, 4_500, &[2, 4, 5, 160]), w));
    }

    #[test]
    fn the_same_stack_says_the_same_whatever_the_connection() {
        let mut other = segment(50_001, SYN, 64_240, UNIX);
        other[4..8].copy_from_slice(&[9; 4]);
        other[28..32].copy_from_slice(&[7; 4]);
        let of = |segment: &[u8], id| said(|w| opening(&v4(64, true, id), segment, w)).0;
        assert_eq!(of(&other, 200), of(&segment(50_000, SYN, 64_240, UNIX), 7));
    }

    #[test]
    fn other_segments_say_nothing_and_broken_options_no_notation() {
        for flags in [ACK, SYN | RST, SYN | FIN, FIN | ACK, RST, 0] {
            assert_eq!(
                said(|w| opening(&v4(64, true, 0), &segment(443, flags, 9, UNIX), w)),
                (vec![], Ok(()))
            );
        }
        let (out, result) =
            said(|w| opening(&v4(64, true, 0), &segment(80, SYN | ACK, 9, &[2, 9, 5, 180]), w));
        assert_eq!((out.len(), result), (2, Err(malformed("broken option"))));
        // What a short capture leaves.
        let (out, result) = said(|w| opening(&v4(64, true, 0), &segment(80, SYN | ACK, 9, UNIX)[..30], w));
        assert_eq!((out.len(), result), (2, Ok(())));
    }
}
