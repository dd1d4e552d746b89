//! The office with a host of each kind that a count can lose, heard for three hours. [`super::matrix`] forges frames in
//! their names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::PacketBuilder;

use super::super::site::{ASKER, BROADCAST, Client, GATEWAY, Host, Mac, START, Site, host};
use super::super::words::neighbours::{self, Gear};
use super::super::words::{dhcp, mdns};
use super::super::{CAMERA, LAPTOP, PRINTER};
use super::{ALL, FORGER, SHY, SWITCH, watched};

/// A maker of cameras alone.
const fn camera(last: u8) -> Host {
    host([0xac, 0xcc, 0x8e, 0x31, 4, last], last)
}

const fn at(host: Host, ip: [u8; 4]) -> Host {
    Host { mac: host.mac, ip }
}

const LLDP_CAMERA: Host = camera(50);
/// Answers by ARP for others, whose packets it passes on.
pub(super) const BOX: Host = camera(60);
const ANSWERED: Host = at(BOX, host(BOX.mac, 180).ip);
const ANNOUNCED: Host = at(BOX, host(BOX.mac, 181).ip);
const PASSED: Host = at(BOX, host(BOX.mac, 182).ip);
/// A switch that answers by ARP for another host, and says itself that it is a switch.
const SWITCHED: Host = at(SWITCH, host(SWITCH.mac, 183).ip);
/// A sleep proxy, and the host that sleeps.
const PROXY: Host = camera(61);
const SLEEPER: Host = camera(62);
const ASLEEP: Host = at(PROXY, SLEEPER.ip);
/// A router that only the packets of others show, and its own address.
const INNER: Host = host([0x00, 0x1b, 0x54, 0x31, 4, 2], 2);
const MULTI: Host = camera(70);
const MULTI_TOO: Host = at(MULTI, host(MULTI.mac, 71).ip);
/// It left an address by a lease, one of its maker, and one that it made itself.
const MOVED: Host = camera(91);
pub(super) const LEFT: Host = at(MOVED, host(MOVED.mac, 90).ip);
pub(super) const FACTORY: Host = camera(92);
/// When it takes its first lease, in seconds.
pub(super) const BOOTED: i64 = 1_950;
pub(super) const FROM_FACTORY: Host = at(FACTORY, [192, 168, 1, 108]);
const ALONE: Host = camera(93);
pub(super) const SELF_MADE: Host = at(ALONE, [169, 254, 7, 7]);
const RANDOM: Host = host([0x0a, 0xcc, 0x8e, 0x31, 4, 94], 94);
/// One thing with two random MACs, one after the other.
pub(super) const RETIRED: Host = host([0x0a, 0xcc, 0x8e, 0x31, 4, 95], 95);
const RENEWED: Host = host([0x0a, 0xcc, 0x8e, 0x31, 4, 96], 96);
/// A repeater writes its own MAC into the frames of its client.
const REPEATER: Host = host([0x38, 0x1a, 0x52, 0x31, 4, 0x7a], 122);
const CLIENT: Host = camera(79);
/// Its lease is renewed.
const TENANT: Host = camera(78);
const BOND: Host = camera(97);
const BOND_TOO: Host = host([0xac, 0xcc, 0x8e, 0x31, 4, 99], 97);
/// A switch whose port and whose management have a MAC each.
const MANAGED: Host = host([0x00, 0x9c, 0x02, 0x31, 5, 0x31], 31);
const PORT: Host = host([0x00, 0x9c, 0x02, 0x31, 5, 0x72], 31);
/// A switch whose port says nothing but the switch's address, by CDP.
const QUIET: Host = host([0x00, 0x9c, 0x02, 0x31, 7, 0x35], 35);
const QUIET_PORT: Host = host([0x00, 0x9c, 0x02, 0x31, 7, 0x72], 35);
/// Two cards that name one chassis, and have an address each.
const STACK: Host = host([0x00, 0x9c, 0x02, 0x31, 6, 0x33], 33);
const STACK_TOO: Host = host([0x00, 0x9c, 0x02, 0x31, 6, 0x34], 34);
/// Things with a public address each, in one /24.
const NEIGHBOURS: [Host; 3] = [
    at(camera(101), [185, 60, 1, 101]),
    at(camera(102), [185, 60, 1, 102]),
    at(camera(103), [185, 60, 1, 103]),
];
const ANNOUNCER: Host = at(camera(104), [185, 70, 1, 104]);
/// It sent two packets from the address of its mobile network.
const ROAMER: Host = camera(105);
const ROAMED: Host = at(ROAMER, [100, 20, 3, 105]);
const LEAKING: Host = camera(106);
const LEAK: Host = at(LEAKING, [192, 168, 49, 1]);
/// Only its broadcasts show it, and no prefix is known for it.
const OUTSIDE: Host = at(camera(107), [10, 77, 3, 9]);
/// A card that nobody has heard, with a MAC between those of the bonded cards.
const STRANGER: Host = camera(98);
/// Known by ARP alone.
const MUTE: Host = camera(108);
/// Heard in one minute alone, late.
const BRIEF: Host = camera(112);
/// A router that only packets show, since shortly.
const OUTER: Host = host([0x00, 0x1b, 0x54, 0x31, 4, 5], 5);
/// It asks and answers by ARP.
const BOTH: Host = camera(109);
const SIX: Host = camera(110);
const SIX_ALONE: Host = camera(111);

const fn six(head: [u16; 4], last: u8) -> [u16; 8] {
    [head[0], head[1], head[2], head[3], 0, 0, 0, last as u16]
}
const LINK: [u16; 4] = [0xfe80, 0, 0, 0];
const LOCAL: [u16; 4] = [0xfd31, 4, 0, 1];
const PUBLIC: [u16; 4] = [0x2a04, 0x4e42, 7, 1];

/// A victim's MAC with the addresses that are its own.
pub(super) struct Victim {
    pub(super) name: &'static str,
    pub(super) mac: Mac,
    /// Until then, in seconds, it is silent.
    pub(super) since: i64,
    pub(super) own: Vec<IpAddr>,
}

pub(super) fn victims() -> Vec<Victim> {
    let four = |name, hosts: &[Host]| {
        let own = hosts.iter().map(|h| h.ip.into()).collect();
        Victim { name, mac: hosts.first().unwrap().mac, since: 0, own }
    };
    let with = |name, host: Host, v6: &[[u16; 8]]| {
        let own = v6.iter().map(|ip| IpAddr::from(Ipv6Addr::from(*ip))).collect();
        Victim { name, mac: host.mac, since: 0, own }
    };
    let late = |round: i64, victim: Victim| Victim { since: 150 + round * 600, ..victim };
    let mut dual = with("host of both families", SIX, &[six(LINK, 110), six(LOCAL, 110), six(PUBLIC, 110)]);
    dual.own.push(SIX.ip.into());
    vec![
        four("computer", &[LAPTOP]),
        four("camera", &[CAMERA]),
        four("printer", &[PRINTER]),
        four("host that packets show", &[SHY]),
        four("camera known by LLDP", &[LLDP_CAMERA]),
        four("switch that answers for another", &[SWITCH, SWITCHED]),
        four("box that answers for others", &[BOX, ANSWERED, ANNOUNCED, PASSED]),
        four("sleep proxy", &[PROXY, ASLEEP]),
        four("sleeping host", &[SLEEPER]),
        four("router", &[GATEWAY]),
        four("router that packets show", &[INNER]),
        late(12, four("new router that packets show", &[OUTER])),
        four("card with two addresses", &[MULTI, MULTI_TOO]),
        four("card that left a lease", &[MOVED, LEFT]),
        four("card that left its factory's address", &[FACTORY, FROM_FACTORY]),
        four("card that left a self-made address", &[ALONE, SELF_MADE]),
        four("random MAC", &[RANDOM]),
        four("retired random MAC", &[RETIRED]),
        late(6, four("renewed random MAC", &[RENEWED])),
        four("repeater", &[REPEATER, at(REPEATER, CLIENT.ip), at(REPEATER, TENANT.ip)]),
        four("client of a repeater", &[CLIENT]),
        four("client of a repeater that renews its lease", &[TENANT]),
        four("bonded card", &[BOND]),
        four("other bonded card", &[BOND_TOO]),
        four("managed switch", &[MANAGED]),
        four("port of a switch", &[PORT]),
        four("quiet switch", &[QUIET]),
        four("port of a quiet switch", &[QUIET_PORT]),
        four("card of a stack", &[STACK]),
        four("other card of a stack", &[STACK_TOO]),
        four("neighbour with a public address", &NEIGHBOURS[..1]),
        four("host that announces a public address", &[ANNOUNCER]),
        four("roaming host", &[ROAMER, ROAMED]),
        four("host with a leaking interface", &[LEAKING, LEAK]),
        four("host that broadcasts show", &[OUTSIDE]),
        four("mute host", &[MUTE]),
        late(15, four("host that is heard in one minute", &[BRIEF])),
        four("host that asks and answers", &[BOTH]),
        dual,
        with("host of IPv6 alone", SIX_ALONE, &[six(LINK, 111), six(LOCAL, 111)]),
        four("forger", &[FORGER]),
        late(
            18,
            four(
                "unknown card",
                &[at(STRANGER, BOND.ip), at(STRANGER, MANAGED.ip), at(STRANGER, SHY.ip), STRANGER],
            ),
        ),
    ]
}

/// Addresses that a frame in a victim's name may come from, beside its own: free ones, those of others, and foreign ones.
pub(super) fn others() -> Vec<IpAddr> {
    let four = [
        [10, 31, 4, 222],
        [10, 31, 4, 3],
        [10, 31, 4, 255],
        GATEWAY.ip,
        CAMERA.ip,
        SHY.ip,
        MANAGED.ip,
        ANSWERED.ip,
        SLEEPER.ip,
        LEFT.ip,
        CLIENT.ip,
        OUTSIDE.ip,
        [10, 99, 1, 9],
        [10, 99, INNER.ip[3], 21],
        [192, 168, 77, 7],
        [169, 254, 9, 9],
        [142, 250, 1, 9],
        [151, 101, 2, 9],
        NEIGHBOURS[1].ip,
        [185, 60, 1, 222],
    ];
    let six = [
        six(LINK, 222),
        six(LINK, 110),
        six(LOCAL, 222),
        six(LOCAL, 110),
        six([0xfd99, 0, 0, 9], 9),
        six(PUBLIC, 222),
        six([0x2a00, 0x1450, 0, 9], 9),
    ];
    let four = four.into_iter().map(|ip| Ipv4Addr::from(ip).into());
    four.chain(six.into_iter().map(|ip| Ipv6Addr::from(ip).into())).collect()
}

/// A datagram by IPv6.
pub(super) fn udp6(
    site: &mut Site,
    from: Mac,
    to: Mac,
    ips: [Ipv6Addr; 2],
    hops: u8,
    port: u16,
    body: &[u8],
) {
    let [source, destination] = ips.map(|ip| ip.octets());
    let mut frame = Vec::new();
    let packet = PacketBuilder::ethernet2(from, to).ipv6(source, destination, hops).udp(port, port);
    packet.write(&mut frame, body).unwrap();
    site.put(frame);
}

fn cam(host: Host, name: &str) -> Vec<u8> {
    mdns::offer(name, name, host.ip, &[("_hap._tcp", 80, &["md=Welcome Cam 3", "ci=17"])])
}

/// LLDP of a card.
pub(super) fn neighbour(
    site: &mut Site,
    from: Mac,
    chassis: Mac,
    name: &[u8],
    description: &str,
    ip: [u8; 4],
) {
    let gear = Gear { name, description, platform: "", ip };
    site.lldp(from, &neighbours::lldp(&gear, chassis, "1"));
}

/// What everybody does every ten minutes.
fn habits(site: &mut Site, round: i64) {
    for host in [LLDP_CAMERA, BOX, PROXY, MULTI, MULTI_TOO, RANDOM, REPEATER, MANAGED, STACK, STACK_TOO] {
        site.asks(host);
    }
    let quiet = Gear { name: b"quiet", description: "", platform: "ProCurve J9085A", ip: QUIET.ip };
    site.cdp(QUIET_PORT.mac, &neighbours::cdp(&quiet));
    for host in [ROAMER, LEAKING, MUTE, SIX, BOND, BOND_TOO, QUIET] {
        site.asks(host);
    }
    neighbour(
        site,
        LLDP_CAMERA.mac,
        LLDP_CAMERA.mac,
        b"lobby",
        "AXIS P3245-V Network Camera",
        LLDP_CAMERA.ip,
    );
    neighbour(site, MANAGED.mac, MANAGED.mac, b"edge", "ProCurve J9085A", MANAGED.ip);
    neighbour(site, PORT.mac, MANAGED.mac, b"edge", "ProCurve J9085A", MANAGED.ip);
    for card in [STACK, STACK_TOO] {
        neighbour(site, card.mac, STACK.mac, b"stack", "ProCurve J9085A", STACK.ip);
    }
    site.answers(ANSWERED).announces(ANNOUNCED).answers(PASSED).tcp(PASSED, ASKER, (443, 50_000), 63, b"x");
    site.answers(SWITCHED);
    if round < 6 {
        site.asks(SLEEPER).surfs(SLEEPER, 443, b"x").asks(LEFT).surfs(LEFT, 443, b"x");
        site.mdns(RETIRED, &cam(RETIRED, "porch-cam-77")).asks(RETIRED);
    } else {
        site.announces(ASLEEP).asks(MOVED).surfs(MOVED, 443, b"x");
        site.mdns(RENEWED, &cam(RENEWED, "porch-cam-77")).asks(RENEWED);
    }
    if round < 3 {
        site.asks(FROM_FACTORY).asks(SELF_MADE);
    } else {
        site.asks(FACTORY).asks(ALONE);
    }
    site.mdns(RANDOM, &cam(RANDOM, "loft-cam-12"))
        .asks(at(REPEATER, CLIENT.ip))
        .asks(at(REPEATER, TENANT.ip));
    for (router, since) in [(INNER, 0), (OUTER, 12)] {
        if round >= since {
            for last in [21, 22, 23, 24] {
                site.tcp(at(router, [10, 99, router.ip[3], last]), ASKER, (443, 50_000), 62, b"x");
                site.tcp(at(router, [151, 101, router.ip[3], last]), ASKER, (443, 50_000), 52, b"x");
            }
            site.serves(router, 22, b"SSH-2.0-Cisco-1.25\r\n");
        }
    }
    if round == 15 {
        site.asks(BRIEF).surfs(BRIEF, 443, b"x");
    }
    for host in NEIGHBOURS {
        site.surfs(host, 443, b"x");
    }
    site.mdns(ANNOUNCER, &cam(ANNOUNCER, "yard-cam-5")).surfs(LEAK, 443, b"x");
    if round == 4 || round == 5 {
        site.surfs(ROAMED, 443, b"x");
    }
    site.udp(OUTSIDE, ALL, (9_999, 9_999), 64, b"beacon");
    site.answers(BOTH).asks(BOTH);
    for (host, last) in [(SIX, 110), (SIX_ALONE, 111)] {
        site.solicits(host, six(LINK, last)).solicits(host, six(LOCAL, last)).surfs6(host, six(LOCAL, last));
    }
    site.surfs6(SIX, six(PUBLIC, 110));
}

/// The street for three hours.
pub(super) fn street() -> Site {
    let mut site = watched(|_| ());
    for round in 0..18 {
        site.now = START + (150 + round * 600) * 1_000_000_000;
        let name = |name| Client { name, ..Client::default() };
        match round {
            0 => {
                site.leases(CLIENT, Client { through: Some(REPEATER.mac), ..name(b"hall") });
                site.leases(TENANT, Client { through: Some(REPEATER.mac), ..name(b"attic") });
                site.leases(LEFT, name(b"gate"));
            }
            3 => {
                site.leases(FACTORY, name(b"shed")).leases(ALONE, name(b"barn"));
            }
            6 => {
                site.leases(MOVED, name(b"gate"));
                leased(&mut site, TENANT.mac, TENANT.ip);
            }
            10 | 15 => leased(&mut site, TENANT.mac, TENANT.ip),
            _ => {}
        }
        habits(&mut site, round);
    }
    site
}

/// A lease from the gateway.
pub(super) fn leased(site: &mut Site, client: Mac, ip: [u8; 4]) {
    let body = dhcp::ack(client, ip, GATEWAY.ip, [0; 4]);
    site.udp(GATEWAY, Host { mac: BROADCAST, ip: [255; 4] }, (67, 68), 64, &body);
}
