//! Tests: messages that would cost much. What was read before the budget was spent counts, and the frame is counted.

use super::tests::{A, ALL, B, PEER, ethernet, frame, udp};

const OVER: &str = "anomaly over_budget";

/// What the frame says of a field, and whether it was over budget.
fn said(frame: &[u8], field: &str) -> (Vec<String>, bool) {
    let facts = ethernet(frame);
    let mark = format!(" {field}=");
    let values = facts.iter().filter_map(|fact| fact.split_once(&mark)).map(|(_, value)| value.to_owned());
    (values.collect(), facts.iter().any(|fact| fact == OVER))
}

fn tlv(kind: u16, value: &[u8]) -> Vec<u8> {
    [&(kind << 9 | u16::try_from(value.len()).unwrap()).to_be_bytes()[..], value].concat()
}

fn lldp(more: &[Vec<u8>]) -> Vec<u8> {
    let head = [tlv(1, &[4, 0, 0x1b, 0xd4, 0, 0, 0x0a]), tlv(2, b"\x051"), tlv(3, &[0, 120])];
    frame([1, 0x80, 0xc2, 0, 0, 0x0e], A, 0x88cc, &[head.concat(), more.concat()].concat())
}

#[test]
fn of_many_names_the_first_count() {
    let names: Vec<_> = (0..200).map(|n| tlv(5, format!("sw-{n:03}").as_bytes())).collect();
    let (heard, over) = said(&lldp(&names), "lldp.sys_name");
    assert!((64..128).contains(&heard.len()) && over, "{}", heard.len());
    assert!((0..).zip(&heard).all(|(n, name)| *name == format!("sw-{n:03}")));
    let (heard, over) = said(&lldp(&names[..20]), "lldp.sys_name");
    assert_eq!((heard.len(), over), (20, false));
}

#[test]
fn items_that_say_nothing_are_bounded_too() {
    let empty = vec![tlv(126, b""); 700];
    let (heard, over) = said(&lldp(&[empty.clone(), vec![tlv(5, b"late")]].concat()), "lldp.sys_name");
    assert!(heard.is_empty() && over);
    let (heard, over) = said(&lldp(&[vec![tlv(5, b"early")], empty].concat()), "lldp.sys_name");
    assert_eq!((heard, over), (vec!["early".to_owned()], true));
}

#[test]
fn words_of_many_addresses_are_bounded_and_the_addresses_stay_proven() {
    let address = |n| tlv(8, &[5, 1, 10, 0, 0, n, 2, 0, 0, 0, 1, 0]);
    let names = (0..16).map(|n| tlv(5, format!("sw-{n:03}").as_bytes()));
    let facts = ethernet(&lldp(&(1..=16).map(address).chain(names).collect::<Vec<_>>()));
    assert_eq!(facts.iter().filter(|fact| fact.contains("LldpManagement")).count(), 16);
    let of_station = facts.iter().filter(|fact| fact.starts_with("00:1b:d4:00:00:0a lldp.sys_name=")).count();
    let of_addresses =
        facts.iter().filter(|fact| fact.contains(" 10.0.0.") && fact.contains("lldp.sys_name="));
    assert_eq!(of_station, 16);
    assert!(of_addresses.count() < 64 && facts.contains(&OVER.to_owned()));
}

#[test]
fn cdp_proves_no_more_addresses_than_the_budget_has() {
    let list: Vec<u8> = (0..16).flat_map(|n| [1, 1, 0xcc, 0, 4, 10, 0, 0, n + 1]).collect();
    let part = [&[0, 2, 0, 152][..], &16_u32.to_be_bytes(), &list].concat();
    let body = [&[0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0, 2, 180, 0, 0][..], &part.repeat(8)].concat();
    let facts = ethernet(&frame(ALL, A, u16::try_from(body.len()).unwrap(), &body));
    let proven = facts.iter().filter(|fact| fact.contains("CdpManagement")).count();
    assert!((16..32).contains(&proven) && facts.contains(&OVER.to_owned()), "{proven}");
}

#[test]
fn of_a_long_mdns_message_the_first_records_count() {
    let name = b"\x01a\x04_ipp\x04_tcp\x05local\x00";
    let text = |n: usize| {
        let entries: Vec<u8> = (0..12).flat_map(|k| format!("\x08k=v{n:02}-{k:02}").into_bytes()).collect();
        let length = u16::try_from(entries.len()).unwrap().to_be_bytes();
        [&[0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 9][..], &length, &entries].concat()
    };
    let first = [&name[..], &[0, 16, 0, 1, 0, 0, 0, 9, 0, 8], b"\x07k=first"].concat();
    let records: Vec<u8> = first.into_iter().chain((0..10).flat_map(text)).collect();
    let message = [&[0, 0, 0x84, 0, 0, 0, 0, 11, 0, 0, 0, 0][..], &records].concat();
    let (heard, over) = said(&udp(B, PEER, 255, (5353, 5353), &message), "mdns.txt");
    assert!((32..121).contains(&heard.len()) && over, "{}", heard.len());
    assert_eq!(heard[0], "_ipp._tcp.k=first");
}

#[test]
fn of_many_dhcp_options_the_first_count() {
    let mut message = vec![1, 1, 6, 0, 0, 0, 0, 1];
    message.resize(28, 0);
    message.extend(A);
    message.resize(236, 0);
    message.extend([99, 130, 83, 99, 12, 4]);
    message.extend(b"host");
    message.extend([60, 1, b'x'].repeat(300));
    let facts = ethernet(&udp(ALL, [255; 4], 64, (68, 67), &message));
    assert!(facts.iter().any(|fact| fact.ends_with("dhcp.hostname=host")), "{facts:?}");
    assert!(
        facts.contains(&OVER.to_owned()) && facts.contains(&"malformed dhcp4: too many options".to_owned())
    );
}

#[test]
fn a_hello_of_too_many_ciphers_says_its_name_but_no_fingerprint() {
    let hello = |ciphers: u16| {
        let list: Vec<u8> = (0..ciphers).flat_map(|n| (0x1300 + n * 2).to_be_bytes()).collect();
        let name = b"\0\0\0\x10\0\x0e\0\0\x0bcam.example";
        let body = [
            &[3, 3][..],
            &[7; 32],
            &[0],
            &(ciphers * 2).to_be_bytes(),
            &list,
            &[1, 0],
            &u16::try_from(name.len()).unwrap().to_be_bytes(),
            name,
        ]
        .concat();
        let [_, a, b, c] = u32::try_from(body.len()).unwrap().to_be_bytes();
        let message = [&[1, a, b, c][..], &body].concat();
        let record =
            [&[22, 3, 1][..], &u16::try_from(message.len()).unwrap().to_be_bytes(), &message].concat();
        let mut out = Vec::new();
        etherparse::PacketBuilder::ethernet2(A, B)
            .ipv4(super::tests::HOST, PEER, 64)
            .tcp(50_000, 443, 1, 1)
            .write(&mut out, &record)
            .unwrap();
        out
    };
    let sound = hello(60);
    assert_eq!(
        (said(&sound, "tls.sni"), said(&sound, "tls.ja4").0.len()),
        ((vec!["cam.example".into()], false), 1)
    );
    let dear = hello(600);
    assert_eq!(
        (said(&dear, "tls.sni"), said(&dear, "tls.ja4").0.len()),
        ((vec!["cam.example".into()], true), 0)
    );
}
