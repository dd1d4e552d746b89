//! DNS messages, record by record (RFC 1035 section 4), as multicast DNS and LLMNR carry them.
//!
//! Parsers of whole messages are of no use here: devices send answers with one broken record among sound ones, and the
//! others tell who they are. Each record has a length of its own, so the reading goes on behind a broken one.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::dissect::{Budget, Malformed, Reader};

/// What a record or question costs beside its labels.
const RECORD: u32 = 12;
/// Compression pointers that one name may follow. Sound names follow one or two.
const POINTERS: usize = 16;
/// The longest name in bytes, RFC 1035 section 2.3.4.
const NAME: usize = 255;
/// The class of the Internet.
const INTERNET: u16 = 1;
/// Any type, in a question.
const ANY: u16 = 255;

/// A name by its labels.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Name<'a> {
    pub(crate) labels: Vec<&'a [u8]>,
    /// Made if it is asked for.
    key: OnceCell<Vec<u8>>,
}

impl<'a> Name<'a> {
    const fn new(labels: Vec<&'a [u8]>) -> Self {
        Self { labels, key: OnceCell::new() }
    }

    /// The name in lower case with dots, by which records belong together.
    pub(crate) fn key(&self) -> &[u8] {
        self.key.get_or_init(|| {
            let mut key = Vec::with_capacity(self.labels.iter().map(|label| label.len() + 1).sum());
            for label in &self.labels {
                if !key.is_empty() {
                    key.push(b'.');
                }
                key.extend_from_slice(label);
            }
            key.make_ascii_lowercase();
            key
        })
    }

    /// The first label in lower case.
    pub(crate) fn first(&self) -> Option<&[u8]> {
        self.key().get(..self.labels.first()?.len())
    }
}

/// What a record holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Data<'a> {
    Address(IpAddr),
    Pointer(Name<'a>),
    /// The target of a service record.
    Service(Name<'a>),
    /// The strings of a text record.
    Text(Vec<&'a [u8]>),
    /// No data: the question of a probe, which names what the sender wants to be called (RFC 6762 section 8.1).
    Claim,
}

/// A record by which a message's sender answers, or that it proposes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Record<'a> {
    pub(crate) owner: Name<'a>,
    pub(crate) data: Data<'a>,
}

/// What is sound of a message.
#[derive(Debug, Default)]
pub(crate) struct Message<'a> {
    /// Whether it is a response.
    pub(crate) answers: bool,
    /// Of a response the answers and additional records without farewells (TTL 0, RFC 6762 section 10.1), of a query the
    /// authority section and the questions that it goes with: a probe.
    pub(crate) records: Vec<Record<'a>>,
    /// The first part that is broken.
    pub(crate) broken: Option<&'static str>,
}

impl<'a> Message<'a> {
    /// Reads a message up to the place where it ends, cannot be read on, or has cost `budget`.
    ///
    /// # Errors
    /// If its header is truncated.
    pub(crate) fn read(
        bytes: &'a [u8],
        protocol: &'static str,
        budget: &mut Budget,
    ) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let head = (|| Some((r.u16()?, r.u16()?, [r.u16()?, r.u16()?, r.u16()?, r.u16()?])))();
        let Some((_, flags, counts)) = head else {
            return Err(Malformed::new(protocol, "truncated header"));
        };
        let mut out = Self { answers: flags & 0x8000 != 0, ..Self::default() };
        let is_query = flags & 0xf800 == 0;
        let is_probe = is_query && counts.get(2).is_some_and(|n| *n > 0);
        for (section, count) in counts.into_iter().enumerate() {
            let wanted = if out.answers { matches!(section, 1 | 3) } else { is_probe && section == 2 };
            for _ in 0..count {
                if !budget.items(RECORD) {
                    return Ok(out);
                }
                let read = match section {
                    0 => question(bytes, &mut r, is_probe, budget),
                    _ => record(bytes, &mut r, wanted, budget),
                };
                match read {
                    Part::Sound(record) => out.records.extend(record),
                    _ if budget.is_spent() => return Ok(out),
                    Part::Broken => out.breaks("broken record"),
                    Part::Cut => {
                        out.breaks("truncated records");
                        return Ok(out);
                    }
                }
            }
        }
        Ok(out)
    }

    /// The addresses that the records give each host, by its name's key.
    pub(crate) fn addresses(&self) -> BTreeMap<&[u8], Vec<IpAddr>> {
        let mut out = BTreeMap::<_, Vec<_>>::new();
        for Record { owner, data } in &self.records {
            match data {
                Data::Address(ip) => out.entry(owner.key()).or_default().push(*ip),
                Data::Pointer(host) => {
                    if let Some(ip) = reversed(owner) {
                        out.entry(host.key()).or_default().push(ip);
                    }
                }
                _ => {}
            }
        }
        out
    }

    /// The end of its dissection.
    pub(crate) fn ended(&self, protocol: &'static str) -> Result<(), Malformed> {
        self.broken.map_or(Ok(()), |reason| Err(Malformed::new(protocol, reason)))
    }

    fn breaks(&mut self, reason: &'static str) {
        self.broken.get_or_insert(reason);
    }
}

/// One part of a message.
enum Part<'a> {
    /// It is sound; some say nothing.
    Sound(Option<Record<'a>>),
    /// It is not, but the next one can be found.
    Broken,
    /// The message ends in it, or the next one cannot be found.
    Cut,
}

fn question<'a>(message: &'a [u8], r: &mut Reader<'a>, is_probe: bool, budget: &mut Budget) -> Part<'a> {
    let at = message.len() - r.rest().len();
    let (Some(()), Some(kind), Some(_class)) = (skip(r), r.u16(), r.u16()) else { return Part::Cut };
    if !is_probe || kind != ANY {
        return Part::Sound(None);
    }
    match name(message, at, budget) {
        Some(owner) => Part::Sound(Some(Record { owner, data: Data::Claim })),
        None => Part::Broken,
    }
}

fn record<'a>(message: &'a [u8], r: &mut Reader<'a>, wanted: bool, budget: &mut Budget) -> Part<'a> {
    let at = message.len() - r.rest().len();
    let head = (|| {
        skip(r)?;
        Some((r.u16()?, r.u16()?, r.u32()?, r.u16()?))
    })();
    let Some((kind, class, ttl, length)) = head else { return Part::Cut };
    let start = message.len() - r.rest().len();
    let Some(data) = r.take(length.into()) else { return Part::Cut };
    // The top bit of the class tells caches to forget what they know (RFC 6762 section 10.2).
    if !wanted || ttl == 0 || class & 0x7fff != INTERNET {
        return Part::Sound(None);
    }
    let data = match kind {
        1 => data.try_into().ok().map(|b: [u8; 4]| Data::Address(Ipv4Addr::from(b).into())),
        28 => data.try_into().ok().map(|b: [u8; 16]| Data::Address(Ipv6Addr::from(b).into())),
        12 => name(message, start, budget).map(Data::Pointer),
        16 => Some(Data::Text(strings(data, budget))),
        33 if data.len() > 6 => name(message, start + 6, budget).map(Data::Service),
        33 => None,
        // The others say nothing that is used, so their contents do not matter.
        _ => return Part::Sound(None),
    };
    match data.zip(name(message, at, budget)) {
        Some((data, owner)) => Part::Sound(Some(Record { owner, data })),
        None => Part::Broken,
    }
}

/// Passes over a name; where it points to does not matter.
fn skip(r: &mut Reader<'_>) -> Option<()> {
    loop {
        match r.u8()? {
            0 => return Some(()),
            length @ 1..=63 => r.take(length.into())?,
            0xc0.. => return r.u8().map(drop),
            _ => return None,
        };
    }
}

/// The name at a place of the message. Pointers lead back only, so that no name is endless.
fn name<'a>(message: &'a [u8], mut at: usize, budget: &mut Budget) -> Option<Name<'a>> {
    let (mut labels, mut bytes, mut pointers) = (Vec::with_capacity(6), 0, 0);
    let mut r = Reader::new(message.get(at..)?);
    loop {
        match r.u8()? {
            0 => return Some(Name::new(labels)),
            length @ 1..=63 => {
                bytes += usize::from(length) + 1;
                labels.push(r.take(length.into())?);
            }
            high @ 0xc0.. => {
                let to = usize::from(high & 0x3f) << 8 | usize::from(r.u8()?);
                pointers += 1;
                if to >= at {
                    return None;
                }
                at = to;
                r = Reader::new(message.get(at..)?);
            }
            _ => return None,
        }
        if bytes > NAME || pointers > POINTERS || !budget.item() {
            return None;
        }
    }
}

/// The strings of a text record; one that is cut does not count.
fn strings<'a>(data: &'a [u8], budget: &mut Budget) -> Vec<&'a [u8]> {
    let mut r = Reader::new(data);
    let mut out = Vec::new();
    while let Some(length) = r.u8() {
        let Some(text) = r.take(length.into()).filter(|_| budget.item()) else { break };
        out.push(text);
    }
    out
}

/// The address that the name of a reverse look-up stands for (RFC 1035 section 3.5, RFC 3596 section 2.5).
fn reversed(name: &Name<'_>) -> Option<IpAddr> {
    let (digits, [zone, arpa]) = name.labels.split_last_chunk::<2>()?;
    if !arpa.eq_ignore_ascii_case(b"arpa") {
        return None;
    }
    let digits = digits.iter().rev();
    if zone.eq_ignore_ascii_case(b"in-addr") {
        let bytes: Option<Vec<u8>> = digits.map(|d| str::from_utf8(d).ok()?.parse().ok()).collect();
        return Some(IpAddr::from(<[u8; 4]>::try_from(bytes?).ok()?));
    }
    if !zone.eq_ignore_ascii_case(b"ip6") {
        return None;
    }
    let nibbles: Option<Vec<u8>> = digits
        .map(|d| str::from_utf8(d).ok().filter(|d| d.len() == 1).and_then(|d| u8::from_str_radix(d, 16).ok()))
        .collect();
    let bytes: Vec<u8> = nibbles?.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect();
    Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?))
}

#[cfg(test)]
pub(crate) mod testing {
    pub(crate) fn name(labels: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for label in labels {
            out.push(u8::try_from(label.len()).unwrap());
            out.extend(label.as_bytes());
        }
        out.push(0);
        out
    }

    pub(crate) fn record(owner: &[&str], kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(data.len()).unwrap();
        [&name(owner)[..], &kind.to_be_bytes(), &[0x80, 1], &ttl.to_be_bytes(), &length.to_be_bytes(), data]
            .concat()
    }

    /// A message with these answers, authority records and additional records.
    pub(crate) fn message(flags: u16, sections: [&[Vec<u8>]; 3]) -> Vec<u8> {
        let mut out = [&[0, 0][..], &flags.to_be_bytes(), &[0, 0]].concat();
        for section in sections {
            out.extend(u16::try_from(section.len()).unwrap().to_be_bytes());
        }
        out.extend(sections.concat().concat());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{message, name, record};
    use super::*;

    fn read(bytes: &[u8]) -> (Vec<Record<'_>>, Option<&'static str>) {
        let message = Message::read(bytes, "test", &mut Budget::default()).unwrap();
        (message.records, message.broken)
    }

    fn host(last: u8) -> Vec<u8> {
        record(&["a", "local"], 1, 9, &[192, 0, 2, last])
    }

    #[test]
    fn a_broken_record_costs_itself_alone() {
        let srv = [&[0, 0, 0, 0, 2, 119][..], &[0xff, 0xff]].concat();
        for broken in [
            record(&["a", "local"], 28, 9, &[0xfe, 0x80, 0, 1]),
            record(&["a", "local"], 1, 9, &[]),
            record(&["_a", "_tcp", "local"], 12, 9, &[0xc1]),
            record(&["b", "_a", "_tcp", "local"], 33, 9, &srv),
            record(&["b", "_a", "_tcp", "local"], 33, 9, &[0, 0]),
            [&[0xff, 0xff][..], &[0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 9]].concat(),
        ] {
            let bytes = message(0x8400, [&[host(1), broken, host(2)], &[], &[host(3)]]);
            let (records, end) = read(&bytes);
            assert_eq!((records.len(), end), (3, Some("broken record")), "{bytes:?}");
        }
    }

    #[test]
    fn records_whose_contents_do_not_matter_are_not_looked_into() {
        let next = record(&["a", "local"], 47, 9, &[0xc0, 0xff, 0, 4]);
        let bytes = message(0x8400, [&[next, record(&["a", "local"], 16, 9, &[]), host(1)], &[], &[]]);
        let (records, end) = read(&bytes);
        assert_eq!((records.len(), end), (2, None));
        // The last string of a text runs past its end.
        let bytes = message(0x8400, [&[record(&["a", "local"], 16, 9, b"\x03k=v\x09cut")], &[], &[]]);
        assert_eq!(read(&bytes).0.first().map(|r| r.data.clone()), Some(Data::Text(vec![b"k=v"])));
    }

    #[test]
    fn a_message_that_is_cut_gives_what_it_holds() {
        let bytes = message(0x8400, [&[host(1), host(2)], &[], &[]]);
        for cut in 1..host(2).len() {
            let (records, end) = read(bytes.get(..bytes.len() - cut).unwrap());
            assert_eq!((records.len(), end), (1, Some("truncated records")));
        }
    }

    #[test]
    fn a_message_over_budget_gives_the_records_before_the_bound() {
        let mut budget = Budget::default();
        // Each costs twelve items, and its two labels one each.
        let many = message(0x8400, [&vec![host(1); 300], &[], &[]]);
        let all = Message::read(&many, "test", &mut budget).unwrap();
        assert_eq!((all.records.len(), all.broken, budget.is_spent()), (42, None, true));
        // Names of 118 labels, to which every record points from both sides.
        let long: Vec<u8> = (0..118).flat_map(|_| *b"\x01a").chain([0]).collect();
        let start = [&long[..], &[0, 12, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 12]].concat();
        let next = [0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 12].to_vec();
        let many = message(0x8400, [&[&[start][..], &vec![next; 80]].concat(), &[], &[]]);
        let mut budget = Budget::default();
        assert_eq!(Message::read(&many, "test", &mut budget).unwrap().records.len(), 2);
        assert!(budget.is_spent());
    }

    #[test]
    fn names_follow_pointers_back_only() {
        let head = message(0x8400, [&[vec![]], &[], &[]]);
        for pointer in [[0xc0, 12], [0xc0, 40], [0xff, 0xff]] {
            let circle = [&head[..], &pointer, &[0, 12, 0, 1, 0, 0, 0, 9, 0, 2], &pointer].concat();
            assert_eq!(read(&circle), (vec![], Some("broken record")));
        }
        // A root name at 23, and pointers at 24, 26, … each to the one before.
        let mut data = vec![0, 0xc0, 23];
        data.extend((0..200u16).flat_map(|n| (0xc000 | (24 + 2 * n)).to_be_bytes()));
        let last = 24 + 2 * 200u16;
        let far =
            [&(0xc000 | last).to_be_bytes()[..], &[0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 1]].concat();
        let bytes = message(0x8400, [&[record(&[], 0xff00, 9, &data), far], &[], &[]]);
        assert_eq!(read(&bytes), (vec![], Some("broken record")));
    }

    #[test]
    fn a_probe_claims_the_names_of_its_questions_and_proposes_records() {
        let question = [&name(&["b", "local"])[..], &[0, 255, 0x80, 1]].concat();
        let probe = [&[0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0][..], &question, &host(1)].concat();
        let (records, end) = read(&probe);
        let data: Vec<_> = records.iter().map(|r| &r.data).collect();
        assert_eq!((data, end), (vec![&Data::Claim, &Data::Address([192, 0, 2, 1].into())], None));
        // Not a probe: a question of any type, and an update.
        let query = [&[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &question].concat();
        assert_eq!(read(&query), (vec![], None));
        let mut update = probe;
        update[2] = 0x28;
        assert_eq!(read(&update), (vec![], None));
    }

    #[test]
    fn a_reversed_name_is_an_address() {
        let of = |text: &str| reversed(&Name::new(text.split('.').map(str::as_bytes).collect()));
        assert_eq!(of("1.2.0.192.In-Addr.arpa"), Some([192, 0, 2, 1].into()));
        let nibbles = format!("1.{}8.b.d.0.1.0.0.2.ip6.ARPA", "0.".repeat(23));
        assert_eq!(of(&nibbles), Some("2001:db8::1".parse().unwrap()));
        for none in ["2.0.192.in-addr.arpa", "1.2.0.999.in-addr.arpa", "1.2.0.192.example", "0.ip6.arpa", "a"]
        {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
