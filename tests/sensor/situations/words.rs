//! The messages in which hosts say what they are.

/// DHCP (RFC 2131).
pub(super) mod dhcp {
    use super::super::site::{Client, Ip, Mac};

    fn message(operation: u8, mac: Mac, yours: Ip, relay: Ip, options: &[u8]) -> Vec<u8> {
        let mut out = vec![operation, 1, 6, 0, 0, mac[3], mac[4], mac[5], 0, 0, 0, 0, 0, 0, 0, 0];
        out.extend([yours, [0; 4], relay].concat());
        out.extend(mac);
        out.resize(236, 0);
        out.extend([99, 130, 83, 99]);
        out.extend(options);
        out.push(255);
        out
    }

    fn option(out: &mut Vec<u8>, code: u8, value: &[u8]) {
        if !value.is_empty() {
            out.extend([code, u8::try_from(value.len()).unwrap()]);
            out.extend(value);
        }
    }

    /// A DISCOVER (1) or a REQUEST (3) for an address.
    pub(in super::super) fn request(kind: u8, mac: Mac, wanted: Ip, client: &Client) -> Vec<u8> {
        relayed(kind, mac, wanted, client, [0; 4])
    }

    /// The same, as a relay passes it on.
    pub(in super::super) fn relayed(kind: u8, mac: Mac, wanted: Ip, client: &Client, relay: Ip) -> Vec<u8> {
        let mut options = vec![53, 1, kind];
        if kind == 3 {
            option(&mut options, 50, &wanted);
            option(&mut options, 54, &super::super::site::GATEWAY.ip);
        }
        option(&mut options, 61, client.id);
        option(&mut options, 12, client.name);
        option(&mut options, 60, client.class.as_bytes());
        option(&mut options, 55, client.parameters);
        message(1, mac, [0; 4], relay, &options)
    }

    pub(in super::super) fn ack(mac: Mac, yours: Ip, server: Ip, relay: Ip) -> Vec<u8> {
        let router = super::super::site::GATEWAY.ip;
        message(2, mac, yours, relay, &acknowledged(server, [255, 255, 255, 0], router))
    }

    /// An ACK that teaches a mask and a router.
    pub(in super::super) fn teach(mac: Mac, yours: Ip, server: Ip, mask: Ip, router: Ip) -> Vec<u8> {
        message(2, mac, yours, [0; 4], &acknowledged(server, mask, router))
    }

    fn acknowledged(server: Ip, mask: Ip, router: Ip) -> Vec<u8> {
        let mut options = vec![53, 1, 5];
        option(&mut options, 54, &server);
        option(&mut options, 51, &86_400_u32.to_be_bytes());
        option(&mut options, 1, &mask);
        option(&mut options, 3, &router);
        options
    }
}

/// Multicast DNS (RFC 6762, RFC 6763).
pub(super) mod mdns {
    use super::super::site::Ip;

    /// A service: type, port, text.
    pub(in super::super) type Offer<'a> = (&'a str, u16, &'a [&'a str]);

    fn name(labels: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for label in labels {
            out.push(u8::try_from(label.len()).unwrap());
            out.extend(label.as_bytes());
        }
        out.push(0);
        out
    }

    pub(in super::super) fn record(owner: &[&str], kind: u16, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(data.len()).unwrap().to_be_bytes();
        [&name(owner), &kind.to_be_bytes()[..], &[0x80, 1, 0, 0, 0, 120], &length, data].concat()
    }

    /// The records of a host that offers services under one instance name.
    pub(in super::super) fn offers(
        label: &str,
        host: &str,
        ip: Option<Ip>,
        all: &[Offer<'_>],
    ) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        for (service, port, text) in all {
            let (kind, transport) = service.split_once('.').unwrap();
            let instance = [label, kind, transport, "local"];
            let target = [&[0; 4][..], &port.to_be_bytes(), &name(&[host, "local"])].concat();
            let text: Vec<u8> = text
                .iter()
                .flat_map(|t| [&[u8::try_from(t.len()).unwrap()], t.as_bytes()].concat())
                .collect();
            out.push(record(&[kind, transport, "local"], 12, &name(&instance)));
            out.push(record(&instance, 33, &target));
            out.push(record(&instance, 16, if text.is_empty() { &[0] } else { &text }));
        }
        out.extend(ip.map(|ip| record(&[host, "local"], 1, &ip)));
        out
    }

    pub(in super::super) fn message(records: &[Vec<u8>]) -> Vec<u8> {
        let count = u16::try_from(records.len()).unwrap().to_be_bytes();
        [&[0, 0, 0x84, 0, 0, 0], &count[..], &[0; 4], &records.concat()].concat()
    }

    pub(in super::super) fn offer(label: &str, host: &str, ip: Ip, all: &[Offer<'_>]) -> Vec<u8> {
        message(&offers(label, host, Some(ip), all))
    }

    /// A question of DNS for an address.
    pub(in super::super) fn question(domain: &str) -> Vec<u8> {
        let labels: Vec<&str> = domain.split('.').collect();
        [&[0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &name(&labels), &[0, 1, 0, 1]].concat()
    }
}

/// What gear tells its neighbours: LLDP (IEEE 802.1AB) and CDP.
pub(super) mod neighbours {
    use super::super::site::{Ip, Mac};

    pub(in super::super) struct Gear<'a> {
        pub(in super::super) name: &'a [u8],
        pub(in super::super) description: &'a str,
        pub(in super::super) platform: &'a str,
        pub(in super::super) ip: Ip,
    }

    /// LLDP of a bridge, with a chassis id of subtype MAC.
    pub(in super::super) fn lldp(gear: &Gear<'_>, chassis: Mac, port: &str) -> Vec<u8> {
        let parts: [(u16, Vec<u8>); 8] = [
            (1, [&[4], &chassis[..]].concat()),
            (2, [b"\x05", port.as_bytes()].concat()),
            (3, vec![0, 120]),
            (5, gear.name.to_vec()),
            (6, gear.description.as_bytes().to_vec()),
            (7, vec![0, 4, 0, 4]),
            (8, [&[5, 1], &gear.ip[..], &[2, 0, 0, 0, 1, 0]].concat()),
            (0, vec![]),
        ];
        let part = |(kind, value): &(u16, Vec<u8>)| {
            let head = kind << 9 | u16::try_from(value.len()).unwrap();
            [&head.to_be_bytes()[..], value].concat()
        };
        parts.iter().flat_map(part).collect()
    }

    /// CDP of a switch, behind its SNAP header.
    pub(in super::super) fn cdp(gear: &Gear<'_>) -> Vec<u8> {
        let address = [&[0, 0, 0, 1, 1, 1, 0xcc, 0, 4], &gear.ip[..]].concat();
        let parts: [(u16, &[u8]); 5] = [
            (1, gear.name),
            (2, &address),
            (4, &[0, 0, 0, 0x28]),
            (5, gear.description.as_bytes()),
            (6, gear.platform.as_bytes()),
        ];
        let mut out = vec![0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0, 2, 180, 0, 0];
        for (kind, value) in parts {
            out.extend(kind.to_be_bytes());
            out.extend(u16::try_from(value.len() + 4).unwrap().to_be_bytes());
            out.extend(value);
        }
        out
    }
}

/// SNMP (RFC 3416, RFC 3412).
pub(super) mod snmp {
    fn ber(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[tag, 0x82][..], &length, &body].concat()
    }

    fn bound(tag: u8, oid: &[u8], value: &[u8]) -> Vec<u8> {
        let list = ber(0x30, &[&ber(0x30, &[&ber(6, &[oid]), value])]);
        let number = [2, 1, 7];
        ber(tag, &[&number, &[2, 1, 0], &[2, 1, 0], &list])
    }

    /// The answer with a system's description.
    pub(in super::super) fn description(text: &str) -> Vec<u8> {
        let answer = bound(0xa2, &[0x2b, 6, 1, 2, 1, 1, 1, 0], &ber(4, &[text.as_bytes()]));
        ber(0x30, &[&[2, 1, 1], &ber(4, &[b"public"]), &answer])
    }

    /// The report with which an engine tells its id.
    pub(in super::super) fn engine(id: &[u8]) -> Vec<u8> {
        let head = ber(0x30, &[&[2, 1, 9], &[2, 3, 0, 0xff, 0xe3], &[4, 1, 0], &[2, 1, 3]]);
        let user = ber(0x30, &[&ber(4, &[id]), &[2, 1, 3], &[2, 1, 9], &[4, 0], &[4, 0], &[4, 0]]);
        let report = bound(0xa8, &[0x2b, 6, 1, 6, 3, 15, 1, 1, 4, 0], &[0x41, 1, 5]);
        let scoped = ber(0x30, &[&ber(4, &[id]), &[4, 0], &report]);
        ber(0x30, &[&[2, 1, 3], &head, &ber(4, &[&user]), &scoped])
    }
}
