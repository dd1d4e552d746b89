//! DHCP for IPv4: what a client says of itself, and the lease a server hands out (RFC 2131, RFC 2132).
//!
//! Only client messages say words; who a server's message proves anything about is the caller's to judge.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use crate::census::{Field, MacAddr};
use crate::dissect::{Budget, Malformed, Payload, Reader, Words};

/// The first four bytes of the options, RFC 2131 section 3.
const MAGIC: [u8; 4] = [99, 130, 83, 99];
/// What each option costs, each part of a split one counted: every value is looked for among all of them.
const OPTION: u32 = 8;
/// Numbers that a list in a value holds: 64 of three digits fit the longest value whole.
const NUMBERS: usize = 64;
/// Routers, and resolvers, that are taken from one message.
const ROUTERS: usize = 8;
/// Longest identifier that is said; a longer one would tie leases by its beginning only.
const ID_BYTES: usize = 64;

/// What one DHCP message holds beside words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Message {
    /// 1 from a client, 2 from a server.
    pub op: u8,
    /// Option 53, RFC 2132 section 9.6: 1 DISCOVER, 2 OFFER, 3 REQUEST, 4 DECLINE, 5 ACK, 6 NAK, 7 RELEASE, 8 INFORM.
    pub kind: Option<u8>,
    /// The client's hardware address, if it is an Ethernet address.
    pub client: Option<MacAddr>,
    /// `yiaddr`: the address the server gives.
    pub your: Ipv4Addr,
    /// `ciaddr`: the address the client has.
    pub current: Ipv4Addr,
    /// `giaddr`: the relay agent's address; unspecified without one.
    pub relay: Ipv4Addr,
    /// Whether the client asked for a broadcast answer.
    pub broadcast: bool,
    /// Option 1.
    pub mask: Option<Ipv4Addr>,
    /// Option 3, at most eight.
    pub routers: Vec<Ipv4Addr>,
    /// Option 6, at most eight.
    pub resolvers: Vec<Ipv4Addr>,
    /// Option 54.
    pub server: Option<Ipv4Addr>,
}

/// Dissects a DHCP or BOOTP message, the payload of UDP 67 and 68, for its words alone.
///
/// # Errors
/// If the fixed part is truncated or an option runs past its field; what the client said before it is said.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let (_, broken) = read(payload.bytes, words)?;
    broken.map_or(Ok(()), Err)
}

/// Says what the client of a message tells, and returns what the message proves to `lease`, and the option that runs past
/// its field, if there is one: those before it count.
///
/// # Errors
/// If the fixed part is truncated.
pub(crate) fn read(payload: &[u8], words: &mut Words<'_>) -> Result<(Message, Option<Malformed>), Malformed> {
    let mut message = fixed(&mut Reader::new(payload)).ok_or_else(|| malformed("truncated header"))?;
    if !matches!(message.op, 1 | 2) {
        return Err(malformed("unknown operation"));
    }
    let (options, broken) = Options::read(payload, words.budget());
    message.kind = options.byte(53);
    if message.op == 1 {
        say(&options, message.kind, words);
        if let Some(boot) = boot(&message, &options, broken.is_none()) {
            words.label(Field::DhcpBoot, boot);
        }
    } else {
        message.mask = options.addresses(1).next();
        message.routers = options.addresses(3).take(ROUTERS).collect();
        message.resolvers = options.addresses(6).take(ROUTERS).collect();
        message.server = options.addresses(54).next();
    }
    Ok((message, broken))
}

const fn malformed(reason: &'static str) -> Malformed {
    Malformed::new("dhcp4", reason)
}

/// RFC 2131 section 2.
fn fixed(r: &mut Reader<'_>) -> Option<Message> {
    let [op, hardware, length, _hops] = r.array()?;
    let [_, _, _, _, _, _, flags, _] = r.array()?;
    let current = r.array::<4>()?.into();
    let your = r.array::<4>()?.into();
    let _server = r.u32()?;
    let relay = r.array::<4>()?.into();
    let address = r.array::<16>()?;
    r.take(64 + 128)?;
    Some(Message {
        op,
        kind: None,
        client: MacAddr::from_slice(&address).filter(|_| (hardware, length) == (1, 6)),
        your,
        current,
        relay,
        broadcast: flags & 0x80 != 0,
        mask: None,
        routers: Vec::new(),
        resolvers: Vec::new(),
        server: None,
    })
}

/// The options in wire order, those of overloaded fields after those of the options field (RFC 3396 section 5).
struct Options<'a>(Vec<(u8, &'a [u8])>);

impl<'a> Options<'a> {
    /// The options of a message whose fixed part is whole, and where their reading broke off.
    fn read(payload: &'a [u8], budget: &mut Budget) -> (Self, Option<Malformed>) {
        let mut out = Self(Vec::new());
        let mut r = Reader::new(payload);
        let (Some(_), Some(sname), Some(file)) = (r.take(44), r.take(64), r.take(128)) else {
            return (out, None);
        };
        if r.array() != Some(MAGIC) {
            return (out, None);
        }
        let mut result = out.field(r.rest(), budget);
        // Option 52, RFC 2132 section 9.3.
        let overload = out.byte(52).unwrap_or(0);
        for (bit, field) in [(1, file), (2, sname)] {
            if overload & bit == bit {
                let read = out.field(field, budget);
                result = result.and(read);
            }
        }
        (out, result.err())
    }

    fn field(&mut self, field: &'a [u8], budget: &mut Budget) -> Result<(), Malformed> {
        let mut r = Reader::new(field);
        while let Some(code) = r.u8() {
            match code {
                0 => {}
                255 => break,
                _ if !budget.items(OPTION) => return Err(malformed("too many options")),
                _ => {
                    let length = r.u8().ok_or_else(|| malformed("truncated option"))?;
                    let value = r.take(length.into()).ok_or_else(|| malformed("truncated option"))?;
                    self.0.push((code, value));
                }
            }
        }
        Ok(())
    }

    /// The value of an option, its parts joined (RFC 3396 section 7).
    fn get(&self, code: u8) -> Option<Cow<'a, [u8]>> {
        let mut parts = self.0.iter().filter(|(c, _)| *c == code).map(|(_, value)| *value);
        let mut out = Cow::Borrowed(parts.next()?);
        for part in parts {
            out.to_mut().extend_from_slice(part);
        }
        Some(out)
    }

    /// The value of an option that is one byte.
    fn byte(&self, code: u8) -> Option<u8> {
        match *self.get(code)? {
            [b] => Some(b),
            _ => None,
        }
    }

    /// The addresses of an option; none if its length is not a multiple of four.
    fn addresses(&self, code: u8) -> impl Iterator<Item = Ipv4Addr> {
        let value = self.get(code).filter(|v| v.len() % 4 == 0).unwrap_or_default();
        let list: Vec<_> = value.as_chunks::<4>().0.iter().map(|b| Ipv4Addr::from(*b)).collect();
        list.into_iter()
    }

    /// The codes in wire order, a split option once.
    fn order(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (code, _) in &self.0 {
            if !out.contains(code) {
                out.push(*code);
            }
        }
        out
    }
}

fn say(options: &Options<'_>, kind: Option<u8>, words: &mut Words<'_>) {
    if let Some(id) = options.get(61) {
        say_client_id(&id, words);
    }
    for (code, field) in [(60, Field::DhcpVendorClass), (12, Field::DhcpHostname)] {
        if let Some(value) = options.get(code) {
            words.say(field, &value);
        }
    }
    if let Some(list) = options.get(55) {
        words.say(Field::DhcpPrl, numbers(&list).as_bytes());
    }
    if let Some(1 | 3) = kind {
        words.say(Field::DhcpOptionOrder, numbers(&options.order()).as_bytes());
    }
    if let Some(value) = options.get(81) {
        say_fqdn(&value, words);
    }
    if let Some(value) = options.get(77) {
        say_user_class(&value, words);
    }
    if let Some(&[high, low]) = options.get(57).as_deref() {
        words.number(Field::DhcpMaxSize, u16::from_be_bytes([high, low]).into());
    }
}

/// How a client begins (RFC 2131 sections 4.3.2 and 4.4.2). Only a whole message shows which options are missing.
fn boot(message: &Message, options: &Options<'_>, whole: bool) -> Option<&'static str> {
    match message.kind {
        Some(1) => Some("discover"),
        Some(3) => {
            let remembers = options.get(50).is_some() && options.get(54).is_none();
            (whole && remembers && message.current.is_unspecified()).then_some("init_reboot")
        }
        _ => None,
    }
}

/// RFC 2132 section 9.14; of type 255 the identity is the DUID after the four bytes of IAID (RFC 4361 section 6.1).
fn say_client_id(id: &[u8], words: &mut Words<'_>) {
    let (field, id) = match id {
        [255, _, _, _, _, duid @ ..] => (Field::DhcpDuid, duid),
        [255, ..] => return,
        _ => (Field::DhcpClientId, id),
    };
    // Both name at least a type and an identifier; an empty identifier is shared by all who send it.
    if (2..=ID_BYTES).contains(&id.len()) && id.iter().skip(1).any(|b| *b != 0) {
        words.hex(field, id);
    }
}

/// RFC 4702 section 2: flags, two deprecated codes, then a name as labels (flag E) or as text.
fn say_fqdn(value: &[u8], words: &mut Words<'_>) {
    let [flags, _, _, name @ ..] = value else { return };
    if flags & 0x04 == 0 {
        words.say(Field::DhcpFqdn, name);
        return;
    }
    if let Some(text) = labels(name) {
        words.say(Field::DhcpFqdn, &text);
    }
}

/// A name of uncompressed labels, with or without the root's; `None` if a label is cut.
pub(crate) fn labels(name: &[u8]) -> Option<Vec<u8>> {
    let mut r = Reader::new(name);
    let mut out = Vec::new();
    while let Some(length @ 1..) = r.u8() {
        if !out.is_empty() {
            out.push(b'.');
        }
        out.extend_from_slice(r.take(length.into())?);
    }
    Some(out)
}

/// RFC 3004 section 4: classes with a length each; Windows and others send bare text instead.
fn say_user_class(value: &[u8], words: &mut Words<'_>) {
    let mut r = Reader::new(value);
    let mut classes = Vec::new();
    while let Some(length) = r.u8().filter(|_| words.budget().item()) {
        match r.take(length.into()) {
            Some(class) if length > 0 => classes.push(class),
            _ => return words.say(Field::DhcpUserClass, value),
        }
    }
    for class in classes {
        words.say(Field::DhcpUserClass, class);
    }
}

fn numbers(list: &[u8]) -> String {
    let mut out = String::with_capacity(NUMBERS * 4);
    for n in list.iter().take(NUMBERS) {
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(&n.to_string());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    const MAC: [u8; 6] = [0x00, 0x1b, 0x54, 1, 2, 3];

    fn message(op: u8, sname: &[u8], file: &[u8], options: &[u8]) -> Vec<u8> {
        let mut out = vec![op, 1, 6, 0, 1, 2, 3, 4, 0, 0, 0x80, 0];
        for ip in [[192, 0, 2, 10], [192, 0, 2, 11], [192, 0, 2, 1], [192, 0, 2, 2]] {
            out.extend(ip);
        }
        out.extend(MAC);
        out.resize(44, 0);
        out.extend(sname);
        out.resize(108, 0);
        out.extend(file);
        out.resize(236, 0);
        out.extend(MAGIC);
        out.extend(options);
        out
    }

    fn option(code: u8, value: &[u8]) -> Vec<u8> {
        [&[code, u8::try_from(value.len()).unwrap()], value].concat()
    }

    fn run(payload: &[u8]) -> (Vec<String>, Result<Message, Malformed>) {
        let mut message = Err(malformed("not read"));
        let (out, ended) = said(|w| {
            let (read, broken) = read(payload, w)?;
            message = broken.map_or(Ok(read), Err);
            Ok(())
        });
        (out, ended.and(message))
    }

    fn discover() -> Vec<u8> {
        let options = [
            option(53, &[1]),
            option(61, &[&[1], &MAC[..]].concat()),
            vec![0],
            option(12, b"cam-1"),
            option(60, b"ipcam 2.0"),
            option(55, &[1, 3, 6, 42]),
            option(57, &[5, 220]),
            option(77, b"\x03one\x03two"),
            option(81, b"\x04\0\0\x05cam-1\x07example\0"),
            vec![255, 9, 9],
        ];
        message(1, b"", b"", &options.concat())
    }

    #[test]
    fn a_client_says_its_identity_and_habits() {
        let (out, message) = run(&discover());
        assert_eq!(
            out,
            [
                "dhcp.client_id=01001b54010203",
                "dhcp.vendor_class=ipcam 2.0",
                "dhcp.hostname=cam-1",
                "dhcp.prl=1,3,6,42",
                "dhcp.option_order=53,61,12,60,55,57,77,81",
                "dhcp.fqdn=cam-1.example",
                "dhcp.user_class=one",
                "dhcp.user_class=two",
                "dhcp.max_size=1500",
                "dhcp.boot=discover",
            ]
        );
        let message = message.unwrap();
        assert_eq!((message.op, message.kind, message.client), (1, Some(1), Some(MacAddr(MAC))));
        assert!(message.broadcast);
    }

    #[test]
    fn a_client_that_boots_asks_anew_or_for_an_address_that_it_remembers() {
        let of = |current: [u8; 4], options: &[Vec<u8>]| {
            let mut request = message(1, b"", b"", &options.concat());
            request[12..16].copy_from_slice(&current);
            run(&request).0.into_iter().find(|said| said.starts_with("dhcp.boot"))
        };
        let (kind, wanted, server) =
            (option(53, &[3]), option(50, &[192, 0, 2, 9]), option(54, &[192, 0, 2, 1]));
        let remembers = [kind.clone(), wanted.clone()];
        assert_eq!(of([0; 4], &remembers).as_deref(), Some("dhcp.boot=init_reboot"));
        // Renewing, selecting, rebinding, and a message whose end is missing.
        assert_eq!(of([192, 0, 2, 9], &remembers), None);
        assert_eq!(of([0; 4], &[kind.clone(), wanted.clone(), server]), None);
        assert_eq!(of([192, 0, 2, 9], std::slice::from_ref(&kind)), None);
        assert_eq!(of([0; 4], &[kind, wanted, vec![54, 4, 192]]), None);
    }

    #[test]
    fn an_ack_gives_a_lease_and_says_nothing() {
        let options = [
            option(53, &[5]),
            option(1, &[255, 255, 255, 0]),
            option(3, &[192, 0, 2, 1].repeat(12)),
            option(54, &[192, 0, 2, 3]),
            option(12, b"given"),
            vec![255],
        ];
        let (out, message) = run(&message(2, b"", b"", &options.concat()));
        let message = message.unwrap();
        assert!(out.is_empty());
        assert_eq!(message.kind, Some(5));
        assert_eq!(message.current, Ipv4Addr::new(192, 0, 2, 10));
        assert_eq!(message.your, Ipv4Addr::new(192, 0, 2, 11));
        assert_eq!(message.relay, Ipv4Addr::new(192, 0, 2, 2));
        assert_eq!(message.mask, Some(Ipv4Addr::new(255, 255, 255, 0)));
        assert_eq!(message.routers, [Ipv4Addr::new(192, 0, 2, 1); ROUTERS]);
        assert_eq!(message.server, Some(Ipv4Addr::new(192, 0, 2, 3)));
    }

    #[test]
    fn addresses_of_a_wrong_length_are_none() {
        let options = [option(53, &[5]), option(1, &[255, 255]), option(3, &[1, 2, 3, 4, 5])].concat();
        let message = run(&message(2, b"", b"", &options)).1.unwrap();
        assert_eq!((message.mask, message.routers), (None, vec![]));
    }

    #[test]
    fn split_options_are_joined_and_overloaded_fields_are_read() {
        let options = [option(12, b"one-"), option(52, &[3]), option(53, &[3]), vec![255]].concat();
        let file = [option(12, b"two-"), vec![255]].concat();
        let (out, _) = run(&message(1, &option(12, b"three"), &file, &options));
        assert_eq!(out, ["dhcp.hostname=one-two-three", "dhcp.option_order=12,52,53"]);
        let (out, _) = run(&message(1, &option(12, b"no"), b"", &option(52, &[1])));
        assert!(out.is_empty());
    }

    #[test]
    fn an_identifier_of_type_255_is_said_as_its_duid() {
        let of = |id: &[u8]| run(&message(1, b"", b"", &option(61, id))).0;
        assert_eq!(of(&[255, 1, 2, 3, 4, 0, 3, 0, 1, 9]), ["dhcp.duid=0003000109"]);
        assert_eq!(of(b"\0name"), ["dhcp.client_id=006e616d65"]);
        for shared in [&[255, 1, 2, 3][..], &[255, 1, 2, 3, 4], &[1], &[], &[0, 0, 0, 0], &[7; 65]] {
            assert!(of(shared).is_empty(), "{shared:?}");
        }
    }

    #[test]
    fn what_came_before_a_lying_option_is_said() {
        let options = [option(12, b"cam"), vec![60, 200, b'x']].concat();
        let (out, message) = run(&message(1, b"", b"", &options));
        assert_eq!((out.len(), message), (1, Err(malformed("truncated option"))));
    }

    #[test]
    fn text_is_taken_where_length_or_labels_are_expected() {
        let of = |code, value: &[u8]| run(&message(1, b"", b"", &option(code, value))).0;
        assert_eq!(of(81, b"\0\0\0host.example"), ["dhcp.fqdn=host.example"]);
        assert_eq!(of(77, b"bare"), ["dhcp.user_class=bare"]);
        assert!(of(81, b"\x04\0\0\x3fhost").is_empty());
    }

    #[test]
    fn a_bootp_message_without_options_is_no_error() {
        let mut bootp = message(1, b"", b"", b"");
        bootp.truncate(236);
        assert_eq!(run(&bootp).1.unwrap().kind, None);
        let mut other_hardware = discover();
        other_hardware[1] = 6;
        assert_eq!(run(&other_hardware).1.unwrap().client, None);
    }

    #[test]
    fn broken_and_endless_messages_do_no_harm() {
        survives(&discover(), dissect);
        assert_eq!(run(&message(1, b"", b"", &[55, 0].repeat(20_000))).1, Err(malformed("too many options")));
        let long = run(&message(1, b"", b"", &option(55, &[200; 255]))).0;
        assert!(long[0].len() <= 256 + "dhcp.prl=".len() && long[0].ends_with(",200"));
    }
}
