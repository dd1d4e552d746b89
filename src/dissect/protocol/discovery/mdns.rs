//! Multicast DNS and service discovery: what a host offers (RFC 6762, RFC 6763).
//!
//! Only what a sender answers or proposes in a probe counts; questions, known answers in queries and farewells are left
//! out. Reflectors, sleep proxies and border routers answer for other hosts, so the records of a message are sorted by the
//! host whose addresses the message gives (I2).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::census::Field;
use crate::dissect::protocol::form::records::{Data, Message, Name, Record};
use crate::dissect::{Malformed, Payload, Words};

/// TXT entries that are taken from one record.
const ENTRIES: usize = 12;

/// Dissects a message of UDP 5353.
///
/// # Errors
/// If a record is broken; the others count.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let message = Message::read(payload.bytes, "mdns", words.budget())?;
    let hosts = Hosts::of(&message, words);
    // The same name is of the same host, so it is said once.
    let mut told = BTreeSet::new();
    for Record { owner, data } in &message.records {
        if words.budget().is_silent() {
            break;
        }
        match data {
            Data::Pointer(target) => {
                if let Some(mut words) = hosts.words(target, words) {
                    say_pointer(owner, target, &mut told, &mut words);
                }
            }
            Data::Service(target) => {
                if let Some(mut words) = hosts.words(target, words) {
                    say_instance(owner, &mut told, &mut words);
                    say_host(target, &mut told, &mut words);
                }
            }
            Data::Text(entries) => {
                if let Some((_, service)) = service(&owner.labels)
                    && let Some(mut words) = hosts.words(owner, words)
                {
                    let service = service.text();
                    entries.iter().take(ENTRIES).for_each(|entry| say_entry(&service, entry, &mut words));
                }
            }
            Data::Address(_) | Data::Claim => {
                if let Some(mut words) = hosts.words(owner, words) {
                    say_host(owner, &mut told, &mut words);
                    say_instance(owner, &mut told, &mut words);
                }
            }
        }
    }
    message.ended("mdns")
}

/// Which host each name of a message belongs to, and the hosts' addresses.
struct Hosts<'m> {
    addresses: BTreeMap<&'m [u8], Vec<IpAddr>>,
    /// The host of a service's instance, by its whole name and by its first label: an instance without a service record,
    /// such as that of a device's model, is called as the others of its host.
    services: BTreeMap<&'m [u8], &'m [u8]>,
    /// Whether the message speaks of its sender at all, or of nobody.
    of_sender: bool,
}

impl<'m> Hosts<'m> {
    fn of(message: &'m Message<'_>, words: &Words<'_>) -> Self {
        let addresses = message.addresses();
        let mut services = BTreeMap::new();
        for Record { owner, data } in &message.records {
            if let Data::Service(host) = data {
                services.insert(owner.key(), host.key());
                if let Some(label) = owner.first() {
                    services.entry(label).or_insert_with(|| host.key());
                }
            }
        }
        let all: Vec<IpAddr> = addresses.values().flatten().copied().collect();
        Self { of_sender: words.is_about_sender(&all), addresses, services }
    }

    /// Words about the host to which a name belongs; `None` if that is a host other than the sender that cannot be told.
    fn words<'w>(&self, name: &Name<'_>, words: &'w mut Words<'_>) -> Option<Words<'w>> {
        let key = name.key();
        let service = self.services.get(key).copied().or_else(|| {
            // Only instances are called by a label; a host with that name is found by its address records.
            let kind = name.labels.get(1)?;
            kind.starts_with(b"_").then(|| self.services.get(name.first()?).copied()).flatten()
        });
        if let Some(addresses) = self.addresses.get(service.unwrap_or(key)) {
            return Some(words.about(addresses));
        }
        // The message says no address of that host: it is the sender if the message speaks of the sender at all, or of
        // nobody. Else a service without a host belongs to the one host that the message speaks of.
        if self.of_sender {
            return Some(words.about(&[]));
        }
        let is_service = service.is_none() && name.labels.iter().any(|label| label.starts_with(b"_"));
        let mut hosts = self.addresses.values();
        let only = hosts.next().filter(|_| is_service && hosts.next().is_none())?;
        Some(words.about(only))
    }
}

/// A pointer from a type to an instance (RFC 6763 4.1), or from the list of all types to a type (section 9).
fn say_pointer<'m>(
    owner: &Name<'_>,
    target: &'m Name<'_>,
    told: &mut BTreeSet<&'m [u8]>,
    words: &mut Words<'_>,
) {
    if let [services, dns_sd, ..] = owner.labels.as_slice()
        && services.eq_ignore_ascii_case(b"_services")
        && dns_sd.eq_ignore_ascii_case(b"_dns-sd")
    {
        if let Some(([], service)) = service(&target.labels) {
            words.say(Field::MdnsService, service.text().as_bytes());
        }
    } else if let Some(([] | [_, b"_sub"], _)) = service(&owner.labels) {
        // The owner is a type or a subtype; any other pointer, such as one of a reverse lookup, does not offer a service.
        say_instance(target, told, words);
    }
}

/// The name of an instance, and the service it offers.
fn say_instance<'m>(name: &'m Name<'_>, told: &mut BTreeSet<&'m [u8]>, words: &mut Words<'_>) {
    if let Some(([instance], service)) = service(&name.labels)
        && told.insert(name.key())
    {
        words.say(Field::MdnsService, service.text().as_bytes());
        words.say(Field::MdnsInstance, instance);
    }
}

/// A host's name is one label and `local`.
fn say_host<'m>(name: &'m Name<'_>, told: &mut BTreeSet<&'m [u8]>, words: &mut Words<'_>) {
    if let [host, local] = name.labels.as_slice()
        && local.eq_ignore_ascii_case(b"local")
        && told.insert(name.key())
    {
        words.say(Field::MdnsHostname, host);
    }
}

/// RFC 6763 section 6: `key=value`, the key in any case. An entry without value, or with one that is not text, does not count.
fn say_entry(service: &str, entry: &[u8], words: &mut Words<'_>) {
    let Some(at) = entry.iter().position(|b| *b == b'=') else { return };
    let (key, value) = entry.split_at(at);
    let Some(Ok(value)) = value.get(1..).map(str::from_utf8) else { return };
    if value.is_empty() || key.is_empty() || !key.iter().all(|b| matches!(b, 0x20..=0x7e)) {
        return;
    }
    let mut text = Vec::with_capacity(service.len() + entry.len() + 1);
    text.extend_from_slice(service.as_bytes());
    text.push(b'.');
    text.extend(key.iter().map(u8::to_ascii_lowercase));
    text.push(b'=');
    text.extend_from_slice(value.as_bytes());
    words.say(Field::MdnsTxt, &text);
}

/// A type of service by its two labels.
struct Service<'n>(&'n str, &'static str);

impl Service<'_> {
    /// `_service._proto` in lower case.
    fn text(&self) -> String {
        let mut text = String::with_capacity(self.0.len() + self.1.len());
        text.extend(self.0.chars().map(|c| c.to_ascii_lowercase()));
        text.push_str(self.1);
        text
    }
}

/// Splits `[instance…,] _service, _proto, local` into what precedes the service, and the service.
fn service<'s, 'n>(name: &'s [&'n [u8]]) -> Option<(&'s [&'n [u8]], Service<'n>)> {
    let (instance, [service, proto, local]) = name.split_last_chunk::<3>()?;
    let proto = if proto.eq_ignore_ascii_case(b"_tcp") {
        "._tcp"
    } else if proto.eq_ignore_ascii_case(b"_udp") {
        "._udp"
    } else {
        return None;
    };
    let sound = service.len() > 1
        && service.starts_with(b"_")
        && service.iter().all(|b| b.is_ascii_graphic() && *b != b'.')
        && local.eq_ignore_ascii_case(b"local");
    let service = str::from_utf8(service).ok().filter(|_| sound)?;
    Some((instance, Service(service, proto)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::MacAddr;
    use crate::dissect::protocol::form::records::testing::{message, name, record};
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::{described, said};

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
        let authority = message(0x8400, [&[], &pointer(120), &[]]);
        let farewell = message(0x8400, [&pointer(0), &[], &[]]);
        let mut reverse = name(&["host", "local"]);
        reverse = record(&["1", "2", "0", "192", "in-addr", "arpa"], 12, 120, &reverse);
        let reverse = message(0x8400, [&[reverse], &[], &[]]);
        let elsewhere = record(&["www", "example", "org"], 1, 120, &[192, 0, 2, 1]);
        let elsewhere = message(0x8400, [&[elsewhere], &[], &[]]);
        for quiet in [known_answer, authority, farewell, reverse, elsewhere] {
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

    const MAC: MacAddr = MacAddr([0x00, 0x1b, 0x54, 1, 2, 3]);

    /// What a sender with that address says, sorted and each once.
    fn from(source: &str, bytes: &[u8]) -> Vec<String> {
        let mut out = described(MAC, source, |w| dissect(&Payload::new(bytes), w)).0;
        out.sort();
        out.dedup();
        out
    }

    #[test]
    fn an_answer_for_another_host_describes_that_host() {
        assert_eq!(from("192.0.2.1", &printer()).len(), 5);
        assert!(from("192.0.2.1", &printer()).iter().all(|said| said.starts_with("mdns.")));
        // A reflector passes the same message on, with its own source.
        let passed_on = from("192.0.2.200", &printer());
        assert_eq!(passed_on.len(), 5);
        assert!(passed_on.iter().all(|said| said.starts_with("192.0.2.1 mdns.")), "{passed_on:?}");
    }

    /// Offers `_smb` of that host, a model, and an address if there is one.
    fn offer(label: &str, host: &str, ip: Option<[u8; 4]>) -> Vec<Vec<u8>> {
        let srv = [&[0, 0, 0, 0, 1, 189][..], &name(&[host, "local"])].concat();
        let mut out = vec![
            record(&["_smb", "_tcp", "local"], 12, 120, &name(&[label, "_smb", "_tcp", "local"])),
            record(&[label, "_smb", "_tcp", "local"], 33, 120, &srv),
            record(&[label, "_device-info", "_tcp", "local"], 16, 120, b"\x09model=J1\x05other"),
        ];
        out.extend(ip.map(|ip| record(&[host, "local"], 1, 120, &ip)));
        out
    }

    #[test]
    fn a_sleep_proxy_speaks_for_itself_and_for_those_asleep() {
        let own = offer("Den", "den", Some([192, 0, 2, 1]));
        let asleep = offer("Ana", "ana", Some([192, 0, 2, 2]));
        let said = from("192.0.2.1", &message(0x8400, [&[own, asleep].concat(), &[], &[]]));
        let about = |host: &str, name: &str, label: &str| {
            [
                format!("{host}mdns.hostname={name}"),
                format!("{host}mdns.instance={label}"),
                format!("{host}mdns.service=_smb._tcp"),
                format!("{host}mdns.txt=_device-info._tcp.model=J1"),
            ]
        };
        assert_eq!(said, [about("192.0.2.2 ", "ana", "Ana"), about("", "den", "Den")].concat());
    }

    #[test]
    fn a_record_without_an_address_is_the_senders_unless_the_message_speaks_of_others_alone() {
        let bare = message(0x8400, [&offer("Ana", "ana", None), &[], &[]]);
        assert_eq!(from("192.0.2.9", &bare).len(), 4);
        assert!(from("192.0.2.9", &bare).iter().all(|said| said.starts_with("mdns.")));
        let pointer = record(&["_a", "_tcp", "local"], 12, 120, &name(&["X", "_a", "_tcp", "local"]));
        let address = |host, last| record(&[host, "local"], 1, 120, &[192, 0, 2, last]);
        let said = |records: &[Vec<u8>]| from("192.0.2.9", &message(0x8400, [records, &[], &[]]));
        assert!(said(&[pointer.clone(), address("a", 9)]).contains(&"mdns.instance=X".to_owned()));
        assert!(said(&[pointer.clone(), address("a", 1)]).contains(&"192.0.2.1 mdns.instance=X".to_owned()));
        let two = said(&[pointer, address("a", 1), address("b", 2)]);
        assert_eq!(two, ["192.0.2.1 mdns.hostname=a", "192.0.2.2 mdns.hostname=b"]);
        let unknown = [offer("Ana", "ana", None), vec![address("b", 2)]].concat();
        assert_eq!(said(&unknown), ["192.0.2.2 mdns.hostname=b"]);
    }

    #[test]
    fn a_reverse_record_gives_the_address_of_its_host() {
        let reverse = |last: &str| {
            let back = record(&[last, "2", "0", "192", "in-addr", "arpa"], 12, 120, &name(&["ana", "local"]));
            from("192.0.2.9", &message(0x8400, [&offer("Ana", "ana", None), &[], &[back]]))
        };
        assert!(reverse("9").iter().all(|said| said.starts_with("mdns.")));
        assert!(reverse("2").iter().all(|said| said.starts_with("192.0.2.2 ")));
    }

    #[test]
    fn a_probe_says_what_its_sender_wants_to_be_called() {
        let probe = |ip| {
            let question = [&name(&["Ana", "local"])[..], &[0, 255, 0x80, 1]].concat();
            let proposed = record(&["Ana", "local"], 1, 120, ip);
            [&[0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0][..], &question, &proposed].concat()
        };
        assert_eq!(from("192.0.2.9", &probe(&[192, 0, 2, 9])), ["mdns.hostname=Ana"]);
        assert_eq!(from("192.0.2.9", &probe(&[192, 0, 2, 1])), ["192.0.2.1 mdns.hostname=Ana"]);
        assert_eq!(from("192.0.2.9", &probe(&[])), ["mdns.hostname=Ana"], "a broken record");
    }

    #[test]
    fn a_broken_record_costs_itself_alone() {
        let mut records = offer("Ana", "ana", Some([192, 0, 2, 1]));
        let sound = from("192.0.2.1", &message(0x8400, [&records, &[], &[]]));
        records.insert(1, record(&["ana", "local"], 28, 120, &[0xfe, 0x80]));
        let bytes = message(0x8400, [&records, &[], &[]]);
        assert_eq!(from("192.0.2.1", &bytes), sound);
        assert_eq!(
            said(|w| dissect(&Payload::new(&bytes), w)).1,
            Err(Malformed::new("mdns", "broken record"))
        );
    }

    #[test]
    fn broken_messages_do_no_harm() {
        survives(&printer(), dissect);
    }
}
