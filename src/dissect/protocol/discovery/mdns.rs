//! Multicast DNS and service discovery: what a host offers (RFC 6762, RFC 6763).
//!
//! Only responses count, and in them only what the host says of itself: questions, known answers in queries and the
//! records a probe proposes (authority section) are left out, and so are farewells.

use simple_dns::Name;
use simple_dns::rdata::RData;

use super::dns::{answers, labels};
use crate::census::Field;
use crate::dissect::{Malformed, Payload, Words};

/// TXT entries that are taken from one record.
const ENTRIES: usize = 12;

/// Dissects a message of UDP 5353.
///
/// # Errors
/// If a response is malformed. Nothing is said then.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    for record in answers(payload.bytes, "mdns")?.into_iter().flatten() {
        match &record.rdata {
            RData::PTR(target) => say_pointer(&record.name, &target.0, words),
            RData::SRV(srv) => {
                say_instance(&record.name, words);
                say_host(&srv.target, words);
            }
            RData::TXT(txt) => {
                if let Some((_, service)) = service(&labels(&record.name)) {
                    for (key, value) in txt.iter_raw().take(ENTRIES) {
                        say_entry(&service, key, value, words);
                    }
                }
            }
            RData::A(_) | RData::AAAA(_) => say_host(&record.name, words),
            _ => {}
        }
    }
    Ok(())
}

/// A pointer from a type to an instance (RFC 6763 4.1), or from the list of all types to a type (section 9).
fn say_pointer(owner: &Name<'_>, target: &Name<'_>, words: &mut Words<'_>) {
    let owner = labels(owner);
    if let [services, dns_sd, ..] = owner.as_slice()
        && services.eq_ignore_ascii_case(b"_services")
        && dns_sd.eq_ignore_ascii_case(b"_dns-sd")
    {
        if let Some(([], service)) = service(&labels(target)) {
            words.say(Field::MdnsService, service.as_bytes());
        }
    } else if let Some(([] | [_, b"_sub"], _)) = service(&owner) {
        // The owner is a type or a subtype; any other pointer, such as one of a reverse lookup, does not offer a service.
        say_instance(target, words);
    }
}

/// The name of an instance, and the service it offers.
fn say_instance(name: &Name<'_>, words: &mut Words<'_>) {
    if let Some(([instance], service)) = service(&labels(name)) {
        words.say(Field::MdnsService, service.as_bytes());
        words.say(Field::MdnsInstance, instance);
    }
}

/// A host's name is one label and `local`.
fn say_host(name: &Name<'_>, words: &mut Words<'_>) {
    if let [host, local] = labels(name).as_slice()
        && local.eq_ignore_ascii_case(b"local")
    {
        words.say(Field::MdnsHostname, host);
    }
}

/// RFC 6763 section 6: `key=value`, the key in any case. An entry without value, or with one that is not text, does not count.
fn say_entry(service: &str, key: &[u8], value: Option<&[u8]>, words: &mut Words<'_>) {
    let Some(Ok(value)) = value.map(str::from_utf8) else { return };
    if value.is_empty() || !key.iter().all(|b| matches!(b, 0x20..=0x7e)) {
        return;
    }
    let key = String::from_utf8_lossy(key).to_ascii_lowercase();
    words.say(Field::MdnsTxt, format!("{service}.{key}={value}").as_bytes());
}

/// Splits `[instance…,] _service, _proto, local` into what precedes the service, and `_service._proto` in lower case.
fn service<'s, 'n>(name: &'s [&'n [u8]]) -> Option<(&'s [&'n [u8]], String)> {
    let (instance, [service, proto, local]) = name.split_last_chunk::<3>()?;
    let proto = match proto.to_ascii_lowercase().as_slice() {
        b"_tcp" => "_tcp",
        b"_udp" => "_udp",
        _ => return None,
    };
    let sound = service.len() > 1
        && service.starts_with(b"_")
        && service.iter().all(|b| b.is_ascii_graphic() && *b != b'.')
        && local.eq_ignore_ascii_case(b"local");
    let service = sound.then(|| String::from_utf8_lossy(service).to_ascii_lowercase())?;
    Some((instance, format!("{service}.{proto}")))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    pub(in crate::dissect::protocol) fn name(labels: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for label in labels {
            out.push(u8::try_from(label.len()).unwrap());
            out.extend(label.as_bytes());
        }
        out.push(0);
        out
    }

    pub(in crate::dissect::protocol) fn record(owner: &[&str], kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(data.len()).unwrap();
        [&name(owner)[..], &kind.to_be_bytes(), &[0x80, 1], &ttl.to_be_bytes(), &length.to_be_bytes(), data]
            .concat()
    }

    /// A message with these answers, authority records and additional records.
    pub(in crate::dissect::protocol) fn message(flags: u16, sections: [&[Vec<u8>]; 3]) -> Vec<u8> {
        let mut out = [&[0, 0][..], &flags.to_be_bytes(), &[0, 0]].concat();
        for section in sections {
            out.extend(u16::try_from(section.len()).unwrap().to_be_bytes());
        }
        out.extend(sections.concat().concat());
        out
    }

    fn printer() -> Vec<u8> {
        let instance = ["Office Printer", "_IPP", "_tcp", "local"];
        let srv = [&[0, 0, 0, 0, 2, 119][..], &name(&["NPI010203", "local"])].concat();
        message(
            0x8400,
            [
                &[
                    record(&["_ipp", "_tcp", "local"], 12, 4500, &name(&instance)),
                    record(&["_universal", "_sub", "_ipp", "_tcp", "local"], 12, 4500, &name(&instance)),
                    record(
                        &["_services", "_dns-sd", "_udp", "local"],
                        12,
                        4500,
                        &name(&["_http", "_tcp", "local"]),
                    ),
                ],
                &[],
                &[
                    record(&instance, 33, 120, &srv),
                    record(&instance, 16, 4500, b"\x09Ty=LJ 400\x04bare\x06empty=\x06bin=\xff\xfe"),
                    record(&["NPI010203", "local"], 1, 120, &[192, 0, 2, 1]),
                ],
            ],
        )
    }

    #[test]
    fn a_printer_says_what_it_offers() {
        let (mut out, result) = said(|w| dissect(&Payload::new(&printer()), w));
        out.sort();
        out.dedup();
        assert_eq!(
            out,
            [
                "mdns.hostname=NPI010203",
                "mdns.instance=Office Printer",
                "mdns.service=_http._tcp",
                "mdns.service=_ipp._tcp",
                "mdns.txt=_ipp._tcp.ty=LJ 400",
            ]
        );
        assert_eq!(result, Ok(()));
    }

    #[test]
    fn what_others_offer_or_the_host_withdraws_is_not_said() {
        let pointer = |ttl| {
            let instance = name(&["TV", "_googlecast", "_tcp", "local"]);
            [record(&["_googlecast", "_tcp", "local"], 12, ttl, &instance)]
        };
        let known_answer = message(0, [&pointer(4500), &[], &[]]);
        let probe = message(0x8400, [&[], &pointer(120), &[]]);
        let farewell = message(0x8400, [&pointer(0), &[], &[]]);
        let mut reverse = name(&["host", "local"]);
        reverse = record(&["1", "2", "0", "192", "in-addr", "arpa"], 12, 120, &reverse);
        let reverse = message(0x8400, [&[reverse], &[], &[]]);
        let elsewhere = record(&["www", "example", "org"], 1, 120, &[192, 0, 2, 1]);
        let elsewhere = message(0x8400, [&[elsewhere], &[], &[]]);
        for quiet in [known_answer, probe, farewell, reverse, elsewhere] {
            assert_eq!(said(|w| dissect(&Payload::new(&quiet), w)), (vec![], Ok(())), "{quiet:?}");
        }
    }

    #[test]
    fn a_record_may_hold_any_number_of_entries_of_which_the_first_count() {
        let data: Vec<u8> = (10..60).flat_map(|n| format!("\x05k{n}=v").into_bytes()).collect();
        let txt = record(&["x", "_a", "_udp", "local"], 16, 9, &data);
        let (out, _) = said(|w| dissect(&Payload::new(&message(0x8400, [&[txt], &[], &[]])), w));
        assert_eq!((out.len(), out[0].as_str()), (ENTRIES, "mdns.txt=_a._udp.k10=v"));
    }

    #[test]
    fn counts_that_lie_cost_nothing() {
        for counts in [[0xff; 8], [0, 0, 0, 0, 0, 0, 0, 9]] {
            let lie = [&[0, 0, 0x84, 0][..], &counts, &[0; 40]].concat();
            assert!(said(|w| dissect(&Payload::new(&lie), w)).1.is_err());
        }
    }

    #[test]
    fn pointers_in_a_circle_end() {
        let head = message(0x8400, [&[vec![]], &[], &[]]);
        for pointer in [[0xc0, 12], [0xc0, 40], [0xff, 0xff]] {
            let circle = [&head[..], &pointer, &[0, 12, 0, 1, 0, 0, 0, 9, 0, 2], &pointer].concat();
            assert!(said(|w| dissect(&Payload::new(&circle), w)).1.is_err());
        }
    }

    #[test]
    fn long_chains_of_pointers_are_not_followed() {
        // The first record's data is a root name at 23 and pointers at 24, 26, … each to the one before.
        let mut data = vec![0, 0xc0, 23];
        data.extend((0..200u16).flat_map(|n| (0xc000 | (24 + 2 * n)).to_be_bytes()));
        let records = [record(&[], 0xff00, 9, &data), record(&["a", "local"], 1, 9, &[192, 0, 2, 1])];
        let (out, result) = said(|w| dissect(&Payload::new(&message(0x8400, [&records, &[], &[]])), w));
        assert_eq!((out, result), (vec![], Err(Malformed::new("mdns", "chained pointers"))));
    }

    #[test]
    fn broken_messages_do_no_harm() {
        survives(&printer(), dissect);
    }
}
