//! What somebody with a port, or a packet path across the link, can do to a count by forged frames (I15): a zone that was
//! watched for three hours, with and without the attack, and what a person is told.

mod matrix;
mod street;

use etherparse::PacketBuilder;
use netcensus::census::{FindingKind, Policy, Verdict};

use super::site::{ASKER, BROADCAST, Counted, GATEWAY, Host, Ip, Mac, Site, host};
use super::words::neighbours::{self, Gear};
use super::words::{dhcp, mdns};
use super::{CAMERA, Client, LAPTOP, PRINTER, WINDOWS, office};

/// A computer whose owner forges frames.
const FORGER: Host = host([0x8c, 0x16, 0x45, 0x31, 4, 0x66], 66);
const SECOND_CAMERA: Host = host([0x00, 0x09, 0x18, 0x31, 4, 0x40], 40);
const SWITCH: Host = host([0x00, 0x9c, 0x02, 0x31, 4, 0x30], 30);
/// Only the headers of its packets show it.
const SHY: Host = host([0x00, 0x09, 0x18, 0x31, 4, 0x41], 41);
const CORE: Gear<'_> = Gear { name: b"core", description: "ProCurve J9085A", platform: "", ip: SWITCH.ip };
const ALL: Host = Host { mac: BROADCAST, ip: [255; 4] };

/// What the devices of the office do every ten minutes.
fn habits(site: &mut Site) {
    let camera = |host: Host, name: &str| {
        mdns::offer(name, name, host.ip, &[("_hap._tcp", 80, &["md=Welcome Cam 3", "ci=17"])])
    };
    let queue = mdns::offer("EPSON", "EPSON0A31", PRINTER.ip, &[("_ipp._tcp", 631, &["ty=EPSON ET-4850"])]);
    for host in [CAMERA, PRINTER, LAPTOP, SECOND_CAMERA, SWITCH, FORGER, GATEWAY] {
        site.asks(host);
    }
    site.mdns(CAMERA, &camera(CAMERA, "yard")).mdns(SECOND_CAMERA, &camera(SECOND_CAMERA, "hall"));
    site.mdns(PRINTER, &queue).serves(SHY, 554, b"RTSP/1.0 200 OK\r\nServer: Hipcam RealServer/V1.0\r\n\r\n");
    for computer in [LAPTOP, FORGER] {
        site.leases(computer, Client { class: "MSFT 5.0", parameters: WINDOWS, ..Client::default() });
    }
    site.lldp(SWITCH.mac, &neighbours::lldp(&CORE, SWITCH.mac, "1"));
    for last in [7, 9] {
        let server = Host { mac: GATEWAY.mac, ip: [151, 101, 2, last] };
        site.tcp(server, ASKER, (443, 50_000), 53, &[0x17; 40]);
    }
}

/// The office for three hours; after two of them, `forged` adds frames.
fn watched(forged: impl Fn(&mut Site)) -> Site {
    let mut site = office();
    for round in 0..18 {
        site.now = super::site::START + (60 + round * 600) * 1_000_000_000;
        habits(&mut site);
        if round == 12 {
            site.wait(200);
            forged(&mut site);
        }
    }
    site
}

fn ip_packet(site: &mut Site, from: Host, to: Host, ttl: u8, protocol: u8, body: &[u8]) {
    let mut frame = Vec::new();
    let packet = PacketBuilder::ethernet2(from.mac, to.mac).ipv4(from.ip, to.ip, ttl);
    packet.write(&mut frame, protocol.into(), body).unwrap();
    site.put(frame);
}

fn group(last: u8) -> Host {
    Host { mac: [1, 0, 0x5e, 0, 0, last], ip: [224, 0, 0, last] }
}

fn macbook(site: &mut Site, victim: Host) {
    let says = mdns::offer(
        "Annas MacBook",
        "Annas-MacBook-Pro",
        victim.ip,
        &[
            ("_companion-link._tcp", 49_152, &["rpVr=195.2"]),
            ("_device-info._tcp", 0, &["model=MacBookPro18,1"]),
        ],
    );
    site.mdns(victim, &says);
}

fn ospf(site: &mut Site, victim: Host) {
    let mut hello = vec![2, 1, 0, 44];
    hello.extend(victim.ip);
    hello.resize(24, 0);
    hello.extend([255, 255, 255, 0, 0, 10, 2, 1, 0, 0, 0, 40]);
    hello.extend(victim.ip);
    hello.extend([0; 4]);
    ip_packet(site, victim, group(5), 1, 89, &hello);
}

fn vrrp(site: &mut Site, victim: Host) {
    ip_packet(
        site,
        victim,
        group(18),
        255,
        112,
        &[0x21, 66, 250, 1, 0, 1, 0, 0, 10, 31, 4, 99, 0, 0, 0, 0, 0, 0, 0, 0],
    );
}

fn advertises(site: &mut Site, victim: Host) {
    let source = [0xfe80_u16, 0, 0, 0, 0x0209, 0x18ff, 0xfe31, u16::from(victim.ip[3])];
    let octets: Vec<u8> = source.iter().flat_map(|s| s.to_be_bytes()).collect();
    let mut frame = Vec::new();
    let all = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let packet = PacketBuilder::ethernet2(victim.mac, [0x33, 0x33, 0, 0, 0, 1]);
    let packet = packet.ipv6(octets.try_into().unwrap(), all, 255).icmpv6_raw(134, 0, [64, 0, 7, 8]);
    packet.write(&mut frame, &[&[0; 8][..], &[1, 1], &victim.mac].concat()).unwrap();
    site.put(frame);
}

fn acks(site: &mut Site, server: Host, client: Mac, ip: Ip, mask: Ip, router: Ip) {
    let body = dhcp::teach(client, ip, server.ip, mask, router);
    site.udp(server, ALL, (67, 68), 64, &body);
}

fn discovers(site: &mut Site, victim: Host) {
    let says =
        Client { name: b"DESKTOP-4711ABC", class: "MSFT 5.0", parameters: WINDOWS, ..Client::default() };
    let body = dhcp::request(1, victim.mac, [0; 4], &says);
    site.udp(Host { mac: victim.mac, ip: [0; 4] }, ALL, (68, 67), 64, &body);
}

fn cisco(site: &mut Site, victim: Host) {
    let gear = Gear {
        name: b"core-7",
        description: "Cisco IOS Software, C2960X Software",
        platform: "cisco WS-C2960X-48FPD-L",
        ip: victim.ip,
    };
    site.cdp(victim.mac, &neighbours::cdp(&gear));
}

fn shares_chassis(site: &mut Site, victim: Host) {
    let gear = Gear { name: b"x", description: "x", platform: "", ip: victim.ip };
    site.lldp(victim.mac, &neighbours::lldp(&gear, FORGER.mac, "1"));
}

/// Single frames in the names of others, each for several victims, and the kind of finding that tells of them.
type Forgery = (&'static str, fn(&mut Site), FindingKind);

const FORGERIES: &[Forgery] = &[
    (
        "LLDP with one chassis id",
        |site| {
            for victim in [CAMERA, PRINTER, SECOND_CAMERA, SWITCH] {
                shares_chassis(site, victim);
            }
        },
        FindingKind::ClaimHeld,
    ),
    (
        "LLDP with the management address of another",
        |site| {
            for victim in [CAMERA, PRINTER, LAPTOP] {
                let gear = Gear { name: b"x", description: "x", platform: "", ip: SWITCH.ip };
                site.lldp(victim.mac, &neighbours::lldp(&gear, victim.mac, "1"));
            }
        },
        FindingKind::UnconfirmedHeld,
    ),
    (
        "OSPF hellos",
        |site| [CAMERA, LAPTOP, SHY].into_iter().for_each(|v| ospf(site, v)),
        FindingKind::ClaimHeld,
    ),
    ("VRRP", |site| [CAMERA, LAPTOP, SHY].into_iter().for_each(|v| vrrp(site, v)), FindingKind::ClaimHeld),
    (
        "router advertisements",
        |site| [CAMERA, LAPTOP].into_iter().for_each(|v| advertises(site, v)),
        FindingKind::ClaimHeld,
    ),
    (
        "a DHCP router option",
        |site| acks(site, FORGER, FORGER.mac, FORGER.ip, [255, 255, 255, 0], CAMERA.ip),
        FindingKind::ClaimHeld,
    ),
    (
        "a mask of 30 bits",
        |site| {
            for last in [20, 21, 22, 30, 40] {
                acks(site, FORGER, FORGER.mac, [10, 31, 4, last], [255, 255, 255, 252], GATEWAY.ip);
            }
        },
        FindingKind::ClaimHeld,
    ),
    (
        "a mask of one bit",
        |site| {
            for last in [66, 67] {
                acks(site, FORGER, [8, 0, 0, 1, 2, last], [151, 101, 2, last], [128, 0, 0, 0], GATEWAY.ip);
            }
        },
        FindingKind::UnconfirmedHeld,
    ),
    (
        "DHCP of Windows",
        |site| [CAMERA, PRINTER, SECOND_CAMERA].into_iter().for_each(|v| discovers(site, v)),
        FindingKind::ClaimHeld,
    ),
    (
        "mDNS of a computer",
        |site| [CAMERA, PRINTER, SECOND_CAMERA].into_iter().for_each(|v| macbook(site, v)),
        FindingKind::ClaimHeld,
    ),
    (
        "CDP of a switch",
        |site| [LAPTOP, FORGER].into_iter().for_each(|v| cisco(site, v)),
        FindingKind::ClaimHeld,
    ),
    (
        "a packet from the Internet",
        |site| {
            for victim in [CAMERA, LAPTOP, SHY] {
                site.tcp(Host { mac: victim.mac, ip: [142, 250, 1, 9] }, GATEWAY, (443, 50_000), 52, b"x");
            }
        },
        FindingKind::ClaimHeld,
    ),
    (
        "a packet from another subnet",
        |site| {
            for victim in [CAMERA, LAPTOP, SHY] {
                site.tcp(Host { mac: victim.mac, ip: [10, 99, 1, 9] }, GATEWAY, (443, 50_000), 63, b"x");
            }
        },
        FindingKind::ClaimHeld,
    ),
    (
        "a lease for a MAC that never spoke, with the address of another",
        |site| acks(site, GATEWAY, [0x3c, 0x22, 0xfb, 1, 2, 3], CAMERA.ip, [255, 255, 255, 0], GATEWAY.ip),
        FindingKind::UnconfirmedHeld,
    ),
    (
        "a packet of a known card from a free address",
        |site| {
            for (victim, last) in [(CAMERA, 150), (PRINTER, 151), (LAPTOP, 152), (SHY, 153)] {
                site.surfs(Host { ip: host(victim.mac, last).ip, ..victim }, 443, b"x");
            }
        },
        FindingKind::UnconfirmedHeld,
    ),
    (
        "the gateway's address by ARP",
        |site| {
            for victim in [CAMERA, PRINTER, LAPTOP] {
                site.answers(Host { ip: GATEWAY.ip, ..victim });
            }
        },
        FindingKind::AddressConflict,
    ),
    (
        "many values, and then CDP of a switch",
        |site| {
            for n in 0..200 {
                let name = format!("!{n:03}");
                let says = mdns::offer(&name, &name, LAPTOP.ip, &[("_a._tcp", 1, &[&format!("k={n}")])]);
                site.now -= 950_000_000;
                site.mdns(LAPTOP, &says);
            }
            cisco(site, LAPTOP);
        },
        FindingKind::ClaimHeld,
    ),
];

/// The verdict on each device.
fn verdicts(counted: &Counted) -> Vec<Verdict> {
    [CAMERA, PRINTER, LAPTOP, SECOND_CAMERA, SWITCH, FORGER, SHY, GATEWAY]
        .map(|h| counted.with(h).verdict)
        .to_vec()
}

#[test]
fn single_forged_frames_in_the_names_of_others_change_no_count_and_are_told() {
    let calm = watched(|_| ()).counted();
    calm.assert(2, 4, 2);
    assert!(calm.findings().is_empty(), "{:?}", calm.findings());
    for (what, forge, told) in FORGERIES {
        let forged = watched(forge).counted();
        assert_eq!(forged.numbers(), calm.numbers(), "{what}: {}\n{:?}", forged.summary(), forged.findings());
        assert_eq!(verdicts(&forged), verdicts(&calm), "{what}: {}", forged.summary());
        assert!(forged.findings().iter().any(|f| f.kind == *told), "{what}: {:?}", forged.findings());
    }
}

#[test]
fn one_arp_claim_takes_no_address_from_a_host_that_only_packets_show() {
    let stolen = watched(|site| {
        site.announces(Host { mac: FORGER.mac, ip: SHY.ip });
    });
    let counted = stolen.counted();
    counted.assert(2, 4, 2);
    assert_eq!(counted.couplings(SHY), 1);
}

#[test]
fn in_a_zone_that_is_heard_for_less_than_ten_minutes_one_fact_suffices() {
    let mut site = office();
    ospf(&mut site, CAMERA);
    assert!(site.counted().device(CAMERA).roles.iter().any(|role| role == "gateway"));
    let mut site = office();
    discovers(&mut site, CAMERA);
    macbook(&mut site, CAMERA);
    assert!(site.counted().findings().is_empty());
}

#[test]
fn a_thousand_frames_of_one_kind_move_the_count_by_at_most_one() {
    let kinds: [fn(&mut Site, Host); 5] = [macbook, discovers, ospf, cisco, shares_chassis];
    let calm = watched(|_| ()).counted();
    for (n, forge) in kinds.into_iter().enumerate() {
        let attacked = watched(|site| {
            for _ in 0..1_000 {
                forge(site, SECOND_CAMERA);
                site.now -= 700_000_000;
            }
        });
        let counted = attacked.counted();
        let billable = |c: &Counted| c.numbers()[0] + c.numbers()[1];
        let moved = billable(&counted).abs_diff(billable(&calm));
        assert!(moved <= 1, "{n}: {:?}\n{}", counted.numbers(), counted.summary());
    }
}

#[test]
fn a_flood_of_pairs_adds_as_many_a_day_as_the_policy_allows_until_they_are_confirmed() {
    let policy = Policy { quarantine_daily: 20, ..Policy::default() };
    let pair = |n: u8| host([0xac, 0xcc, 0x8e, 9, 9, n], 100 + n);
    let flooded = |more: fn(&mut Site, Host)| {
        watched(|site| {
            for n in 0..60 {
                site.announces(pair(n));
                more(site, pair(n));
            }
            for n in 0..60 {
                site.announces(pair(n));
            }
        })
        .counted_by(&policy)
    };
    let only_pairs = flooded(|_, _| ());
    assert_eq!(only_pairs.excluded(Verdict::Tentative), 40);
    only_pairs.assert(2, 4 + 20, 2);
    assert!(only_pairs.findings().iter().any(|f| f.kind == FindingKind::UnconfirmedHeld));
    let unanswered = flooded(|site, host| {
        site.serves(host, 554, b"");
    });
    assert_eq!(unanswered.excluded(Verdict::Tentative), 40);
    let answered = flooded(|site, host| {
        site.serves(host, 554, b"").tcp(ASKER, host, (50_000, 554), 64, b"");
    });
    assert_eq!(answered.excluded(Verdict::Tentative), 0);
    answered.assert(2, 4 + 60, 2);
}

#[test]
fn one_card_brings_sixteen_addresses_that_only_arp_shows() {
    let card = [0xac, 0xcc, 0x8e, 9, 9, 1];
    let counted = watched(|site| {
        for last in 100..140 {
            site.asks(host(card, last));
        }
    })
    .counted();
    assert_eq!(counted.excluded(Verdict::Tentative), 24);
    counted.assert(2, 4 + 16, 2);
}

#[test]
fn a_card_that_names_the_address_of_another_make_twice_joins_nobody_and_adds_nothing() {
    let claimed = watched(|site| {
        for _ in 0..2 {
            for victim in [CAMERA, PRINTER, LAPTOP] {
                let gear = Gear { name: b"x", description: "x", platform: "", ip: SWITCH.ip };
                site.lldp(victim.mac, &neighbours::lldp(&gear, victim.mac, "1"));
            }
            site.wait(61);
        }
    });
    let calm = watched(|_| ()).counted();
    let counted = claimed.counted();
    assert_eq!(counted.excluded(Verdict::Tentative), 3);
    assert_eq!(counted.with(CAMERA).mac.0, CAMERA.mac);
    assert_eq!(counted.with(LAPTOP).mac.0, LAPTOP.mac);
    assert_eq!(counted.devices(), calm.devices() + 3);
}

#[test]
fn a_flood_in_which_each_newcomer_says_a_word_is_told() {
    let policy = Policy { quarantine_daily: 20, ..Policy::default() };
    let flooded = watched(|site| {
        for n in 0..60 {
            let host = host([0xac, 0xcc, 0x8e, 9, 9, n], 100 + n);
            let says = mdns::offer("Cam", "cam", host.ip, &[("_hap._tcp", 80, &["md=Hall Cam", "ci=17"])]);
            site.announces(host).mdns(host, &says);
        }
    });
    let counted = flooded.counted_by(&policy);
    assert_eq!(counted.excluded(Verdict::Tentative), 0);
    assert!(counted.findings().iter().any(|f| f.kind == FindingKind::NewcomersMany));
}

#[test]
fn addresses_that_known_cards_take_up_later_are_told() {
    let moved = watched(|site| {
        for _ in 0..2 {
            for last in 150..153 {
                site.surfs(host(CAMERA.mac, last), 443, b"x");
            }
            site.wait(61);
        }
    });
    let counted = moved.counted();
    assert_eq!(counted.excluded(Verdict::Unclassified), 3);
    let told = counted.findings().iter().find(|f| f.kind == FindingKind::ClaimLate).unwrap();
    assert_eq!((told.count, told.subjects.total), (Some(3), 4), "{told}");
}

#[test]
fn one_packet_says_nothing_against_what_a_known_host_does() {
    // Outside the known prefix, and only its broadcasts show it.
    let outside = Host { mac: [0x00, 0x09, 0x18, 0x31, 4, 0x77], ip: [10, 77, 3, 9] };
    // A box that answers by ARP for a client, whose packets it passes on.
    let inside = Host { mac: SWITCH.mac, ip: [10, 31, 4, 180] };
    let network = |forged: fn(&mut Site, Host, Host)| {
        let mut site = watched(|_| ());
        for round in 0..18 {
            site.now = super::site::START + (90 + round * 600) * 1_000_000_000;
            let all = Host { mac: BROADCAST, ip: [255; 4] };
            site.udp(outside, all, (9_999, 9_999), 64, b"beacon");
            site.answers(inside).tcp(inside, ASKER, (443, 50_000), 63, b"x");
            if round == 12 {
                forged(&mut site, outside, inside);
            }
        }
        site.counted()
    };
    let calm = network(|_, _, _| ());
    let forged = network(|site, outside, inside| {
        site.tcp(outside, GATEWAY, (443, 50_000), 63, b"x").tcp(inside, GATEWAY, (443, 50_000), 64, b"x");
    });
    assert_eq!(forged.numbers(), calm.numbers(), "{}", forged.summary());
    assert_eq!(forged.devices(), calm.devices());
    let repeated = network(|site, outside, inside| {
        for _ in 0..2 {
            site.tcp(outside, GATEWAY, (443, 50_000), 63, b"x").tcp(inside, GATEWAY, (443, 50_000), 64, b"x");
            site.wait(61);
        }
    });
    assert_eq!(repeated.devices(), calm.devices(), "one host less, and one more: {}", repeated.summary());
    assert_ne!(repeated.summary(), calm.summary());
}

#[test]
fn one_hello_does_not_tell_what_a_device_is_that_was_known_without_words_for_long() {
    // A maker of many kinds of things, of whose device only ARP is heard.
    let mute = host([0x00, 0x00, 0x5e, 0x31, 4, 0x78], 78);
    let network = |hellos: usize| {
        let mut site = watched(|_| ());
        for round in 0..18 {
            site.now = super::site::START + (90 + round * 600) * 1_000_000_000;
            site.asks(mute);
            if (12..12 + hellos).contains(&usize::try_from(round).unwrap()) {
                ospf(&mut site, mute);
            }
        }
        site.counted()
    };
    let (calm, once, twice) = (network(0), network(1), network(2));
    assert_eq!(calm.with(mute).verdict, Verdict::Unclassified, "{}", calm.summary());
    assert_eq!(once.numbers(), calm.numbers());
    assert!(once.findings().iter().any(|f| f.kind == FindingKind::ClaimHeld), "{:?}", once.findings());
    assert_ne!(twice.with(mute).verdict, Verdict::Unclassified);
}

#[test]
fn one_frame_gives_no_voice_to_the_client_of_a_repeater() {
    let (client, repeater) =
        (host([0x00, 0x09, 0x18, 0x31, 4, 0x79], 79), host([0x38, 0x1a, 0x52, 0x31, 4, 0x7a], 122));
    let network = |forged: bool| {
        let mut site = watched(|_| ());
        site.now = super::site::START + 90 * 1_000_000_000;
        let through = Client { through: Some(repeater.mac), name: b"hall", ..Client::default() };
        site.leases(client, through);
        for round in 0..18 {
            site.now = super::site::START + (95 + round * 600) * 1_000_000_000;
            site.asks(repeater).asks(Host { mac: repeater.mac, ip: client.ip });
            if forged && round == 12 {
                site.asks(Host { ip: host(client.mac, 180).ip, ..client });
            }
        }
        site.counted()
    };
    let (calm, forged) = (network(false), network(true));
    assert_eq!(calm.couplings(client), 2, "{}", calm.summary());
    assert_eq!(forged.numbers(), calm.numbers(), "{}", forged.summary());
    assert_eq!(forged.with(client).couplings.len(), 2);
}
