//! Each kind of frame that one can forge, from each victim's MAC, address, or both (I15b): one frame moves the bill by
//! nothing, and a thousand of one kind by at most one, or a finding stands.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use etherparse::PacketBuilder;
use netcensus::census::{Finding, Inventory, Policy};

use super::super::site::{ASKER, Client, Counted, GATEWAY, Host, Ip, Mac, START, Site};
use super::super::words::{dhcp, mdns, neighbours, snmp};
use super::super::{CAMERA, WINDOWS};
use super::street::{self, BOX, Victim};
use super::{ALL, FORGER, cisco, discovers, group, ip_packet, macbook, ospf, shares_chassis, vrrp};

/// One kind of frame.
#[derive(Clone, Copy)]
enum Kind {
    Four(&'static str, fn(&mut Site, Host)),
    Six(&'static str, fn(&mut Site, Mac, Ipv6Addr)),
}

const MANY: Host = Host { mac: [1, 0, 0x5e, 1, 1, 7], ip: [239, 1, 1, 7] };
const OUT: Host = Host { mac: GATEWAY.mac, ip: [151, 101, 2, 9] };

fn client(site: &mut Site, from: Host, kind: u8, says: &Client) {
    let body = dhcp::request(kind, from.mac, from.ip, says);
    site.udp(Host { mac: from.mac, ip: [0; 4] }, ALL, (68, 67), 64, &body);
}

/// Carries a packet of `source` by IP in IP.
fn tunnels(site: &mut Site, from: Host, source: Ip) {
    let head = [0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0];
    let inner = [&head[..], &source, &ASKER.ip, &[0x1f, 0x90, 0x1f, 0x90, 0, 8, 0, 0]].concat();
    ip_packet(site, from, FORGER, 64, 4, &inner);
}

/// A camera, as the cards with that name say it.
fn camera_says(name: &str, ip: Ip) -> Vec<u8> {
    mdns::offer(name, name, ip, &[("_hap._tcp", 80, &["md=Welcome Cam 3", "ci=17"])])
}

fn icmp6(site: &mut Site, from: Mac, source: Ipv6Addr, kind: u8, body: &[u8]) {
    let all = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let mut frame = Vec::new();
    let packet = PacketBuilder::ethernet2(from, [0x33, 0x33, 0, 0, 0, 1]);
    let packet = packet.ipv6(source.octets(), all.octets(), 255).icmpv6_raw(kind, 0, [0x60, 0, 0, 0]);
    packet.write(&mut frame, body).unwrap();
    site.put(frame);
}

fn unicast6(site: &mut Site, from: Mac, source: Ipv6Addr, hops: u8) {
    let to = Ipv6Addr::new(0x2a04, 0x4e42, 0, 0, 0, 0, 0, 9);
    street::udp6(site, from, GATEWAY.mac, [source, to], hops, 443, b"x");
}

const KINDS: &[Kind] = &[
    Kind::Four("ARP request", |s, v| {
        s.asks(v);
    }),
    Kind::Four("ARP reply", |s, v| {
        s.answers(v);
    }),
    Kind::Four("ARP announcement", |s, v| {
        s.announces(v);
    }),
    Kind::Four("unicast, TTL 64", |s, v| {
        s.tcp(v, ASKER, (443, 50_000), 64, b"x");
    }),
    Kind::Four("unicast, TTL 128", |s, v| {
        s.tcp(v, ASKER, (443, 50_000), 128, b"x");
    }),
    Kind::Four("unicast, TTL 60", |s, v| {
        s.tcp(v, ASKER, (443, 50_000), 60, b"x");
    }),
    Kind::Four("unicast, TTL 63", |s, v| {
        s.tcp(v, ASKER, (443, 50_000), 63, b"x");
    }),
    Kind::Four("unicast to the Internet", |s, v| {
        s.tcp(v, OUT, (50_000, 443), 64, b"x");
    }),
    Kind::Four("unicast to a victim", |s, v| {
        s.tcp(v, CAMERA, (50_000, 80), 64, b"x");
    }),
    Kind::Four("unicast to a box", |s, v| {
        s.tcp(v, BOX, (50_000, 80), 53, b"x");
    }),
    Kind::Four("broadcast", |s, v| {
        s.udp(v, ALL, (9_999, 9_999), 64, b"x");
    }),
    Kind::Four("multicast, TTL 64", |s, v| {
        s.udp(v, MANY, (5_004, 5_004), 64, b"x");
    }),
    Kind::Four("multicast, TTL 7", |s, v| {
        s.udp(v, MANY, (5_004, 5_004), 7, b"x");
    }),
    Kind::Four("mDNS without words", |s, v| {
        s.mdns(v, &mdns::message(&[]));
    }),
    Kind::Four("mDNS of a camera", |s, v| {
        s.mdns(v, &camera_says("porch-cam-77", v.ip));
    }),
    Kind::Four("mDNS of a computer", macbook),
    Kind::Four("HTTP server", |s, v| {
        s.serves(v, 80, b"HTTP/1.1 200 OK\r\nServer: Hikvision-Webs\r\n\r\n");
    }),
    Kind::Four("DHCP DISCOVER", discovers),
    Kind::Four("DHCP REQUEST", |s, v| client(s, v, 3, &Client::default())),
    Kind::Four("DHCP REQUEST of Windows", |s, v| {
        client(s, v, 3, &Client { class: "MSFT 5.0", parameters: WINDOWS, ..Client::default() });
    }),
    Kind::Four("DHCP REQUEST with a name", |s, v| {
        client(s, v, 3, &Client { name: b"porch-cam-77", ..Client::default() });
    }),
    Kind::Four("DHCP ACK for the victim", |s, v| street::leased(s, v.mac, v.ip)),
    Kind::Four("DHCP ACK of the victim", |s, v| {
        let body = dhcp::teach(FORGER.mac, FORGER.ip, v.ip, [255, 255, 255, 0], v.ip);
        s.udp(v, ALL, (67, 68), 64, &body);
    }),
    Kind::Four("DHCP ACK of the victim for itself", |s, v| {
        s.udp(v, ALL, (67, 68), 64, &dhcp::ack(v.mac, v.ip, v.ip, [0; 4]));
    }),
    Kind::Four("OSPF hello", ospf),
    Kind::Four("VRRP", vrrp),
    Kind::Four("RIP", |s, v| {
        let routes = [&[2, 2, 0, 0, 0, 2, 0, 0][..], &[10, 50, 0, 0, 255, 255, 0, 0], &[0; 7], &[1]].concat();
        s.udp(v, group(9), (520, 520), 1, &routes);
    }),
    Kind::Four("tunnelled packet", |s, v| ip_packet(s, v, FORGER, 64, 4, &[0x45, 0, 0, 20])),
    Kind::Four("tunnelled packet of its own", |s, v| tunnels(s, v, v.ip)),
    Kind::Four("tunnelled packet of a camera", |s, v| tunnels(s, v, CAMERA.ip)),
    Kind::Four("tunnelled packet from the Internet", |s, v| tunnels(s, v, OUT.ip)),
    Kind::Four("LLDP", |s, v| street::neighbour(s, v.mac, v.mac, b"x", "x", v.ip)),
    Kind::Four("LLDP with another's chassis", shares_chassis),
    Kind::Four("LLDP with a camera's chassis", |s, v| {
        street::neighbour(s, v.mac, CAMERA.mac, b"x", "AXIS P3245-V Network Camera", v.ip);
    }),
    Kind::Four("CDP of a switch", cisco),
    Kind::Four("CDP of the stack", |s, v| {
        let gear = neighbours::Gear { name: b"stack", description: "x", platform: "x", ip: v.ip };
        s.cdp(v.mac, &neighbours::cdp(&gear));
    }),
    Kind::Four("SNMP engine", |s, v| {
        s.udp(v, ASKER, (161, 40_000), 64, &snmp::engine(&[0x80, 0, 0x1f, 0x88, 4, 1, 2, 3]));
    }),
    Kind::Six("neighbour solicitation", |s, mac, ip| {
        s.solicits(Host { mac, ip: [0; 4] }, ip.segments());
    }),
    Kind::Six("neighbour advertisement", |s, mac, ip| {
        icmp6(s, mac, ip, 136, &[&ip.octets()[..], &[2, 1], &mac].concat());
    }),
    Kind::Six("router advertisement", |s, mac, ip| {
        icmp6(s, mac, ip, 134, &[&[0; 8][..], &[1, 1], &mac].concat());
    }),
    Kind::Six("unicast, hop limit 64", |s, mac, ip| unicast6(s, mac, ip, 64)),
    Kind::Six("unicast, hop limit 60", |s, mac, ip| unicast6(s, mac, ip, 60)),
    Kind::Six("unicast, hop limit 63", |s, mac, ip| unicast6(s, mac, ip, 63)),
    Kind::Six("multicast by IPv6", |s, mac, ip| {
        let all = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
        street::udp6(s, mac, [0x33, 0x33, 0, 0, 0, 1], [ip, all], 1, 9_999, b"x");
    }),
    Kind::Six("mDNS by IPv6", |s, mac, ip| {
        let all = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
        let says = camera_says("porch-cam-77", [10, 31, 4, 222]);
        street::udp6(s, mac, [0x33, 0x33, 0, 0, 0, 0xfb], [ip, all], 255, 5_353, &says);
    }),
    Kind::Six("DHCPv6 SOLICIT", |s, mac, ip| {
        let all = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
        let body = [&[1, 0, 0, 7, 0, 1, 0, 10, 0, 3, 0, 1][..], &CAMERA.mac].concat();
        street::udp6(s, mac, [0x33, 0x33, 0, 1, 0, 2], [ip, all], 1, 547, &body);
    }),
];

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Four(name, _) | Self::Six(name, _) => name,
        }
    }

    /// Whether frames of this kind come from that address.
    const fn is_for(self, ip: IpAddr) -> bool {
        matches!((self, ip), (Self::Four(..), IpAddr::V4(_)) | (Self::Six(..), IpAddr::V6(_)))
    }

    fn forge(self, site: &mut Site, mac: Mac, ip: IpAddr) {
        match (self, ip) {
            (Self::Four(_, forge), IpAddr::V4(ip)) => forge(site, Host { mac, ip: ip.octets() }),
            (Self::Six(_, forge), IpAddr::V6(ip)) => forge(site, mac, ip),
            _ => {}
        }
    }
}

/// A zone that was heard for three hours, to which frames are added after two of them.
struct Heard {
    facts: Inventory,
    calm: u64,
    findings: BTreeSet<String>,
}

fn billable(counted: &Counted) -> u64 {
    let [network, iot, _] = counted.numbers();
    network + iot
}

fn told(findings: &[Finding]) -> BTreeSet<String> {
    findings.iter().map(|f| f.id.to_string()).collect()
}

impl Heard {
    fn new() -> Self {
        let facts = street::street().zone(1, false);
        let counted = Counted::of(&facts, &Policy::default());
        Self { facts, calm: billable(&counted), findings: told(counted.findings()) }
    }

    /// How far frames that are forged after so many seconds move the bill, and whether a finding tells of them.
    fn moved(&self, after: i64, forge: impl FnOnce(&mut Site)) -> (i64, bool) {
        let mut site = Site { now: START + after * 1_000_000_000, ..Site::default() };
        forge(&mut site);
        let mut facts = self.facts.clone();
        facts.merge(&site.zone(1, false));
        let counted = Counted::of(&facts, &Policy::default());
        let told = told(counted.findings()).difference(&self.findings).next().is_some();
        (billable(&counted).cast_signed() - self.calm.cast_signed(), told)
    }
}

/// The MACs and addresses from which a victim's frames are forged: its own, its MAC with others, and its address with the
/// forger's MAC.
fn names(victim: &Victim) -> Vec<(Mac, IpAddr)> {
    let own = victim.own.iter().map(|ip| (victim.mac, *ip));
    let stolen = victim.own.iter().map(|ip| (FORGER.mac, *ip));
    let mut all: Vec<_> =
        own.chain(stolen).chain(street::others().into_iter().map(|ip| (victim.mac, ip))).collect();
    let mut known = BTreeSet::new();
    all.retain(|name| known.insert(*name));
    all
}

/// What one frame moves by the letter of a rule: a victim, the address that it left, and the rule.
const ALLOWED: &[(&str, Ip, &str)] = &[
    ("card that left a lease", street::LEFT.ip, "I8(b): it was left by a lease move as long as it is silent"),
    (
        "card that left its factory's address",
        street::FROM_FACTORY.ip,
        "I8(b): its last frame lies before the first lease",
    ),
    (
        "card that left a self-made address",
        street::SELF_MADE.ip,
        "I8(b): it was left by a lease as long as it is silent",
    ),
    (
        "retired random MAC",
        street::RETIRED.ip,
        "I12: the bearers' times from first to last frame never overlap",
    ),
];

/// When frames are forged, in seconds: soon after the zone's first ten minutes, after two hours, and at the end.
const AFTER: [i64; 3] = [1_400, USUAL, 10_700];
const USUAL: i64 = 7_475;
/// Of the other cells, one in so many is tried.
const SAMPLED: usize = 61;
/// One cell in so many is flooded.
const FLOODED: usize = 23;
const THREADS: usize = 2;

/// One frame, or many of its kind, in a victim's name.
struct Cell {
    /// When, in seconds.
    after: i64,
    victim: &'static str,
    /// Whether the victim was silent until then.
    is_new: bool,
    kind: Kind,
    mac: Mac,
    ip: IpAddr,
}

impl Cell {
    fn forge(&self, site: &mut Site) {
        self.kind.forge(site, self.mac, self.ip);
    }

    /// Whether it may move the bill so far: a card that is new may add itself (I15a).
    fn allows(&self, by: i64) -> bool {
        let left =
            ALLOWED.iter().any(|(victim, ip, _)| *victim == self.victim && IpAddr::from(*ip) == self.ip);
        // The facts keep a card's first lease of an address and the newest, and not the first one after it booted.
        let early = self.ip == IpAddr::from(street::FACTORY.ip) && self.after < street::BOOTED;
        let early = early && self.kind.name().starts_with("DHCP ACK");
        let more = self.mac != FORGER.mac && (left || early || self.is_new);
        by == 0 || by == 1 && more
    }

    fn title(&self) -> String {
        let by = if self.mac == FORGER.mac { " by the forger" } else { "" };
        format!("{}: {} from {}{by} after {} s", self.victim, self.kind.name(), self.ip, self.after)
    }
}

/// The cells of the matrix: each victim's own addresses after two hours. Of those at other times, and those in which a
/// victim's MAC takes up another address, every so many-th, unless `FORGERY_EVERY=1` asks for all.
fn cells() -> Vec<Cell> {
    let step = std::env::var("FORGERY_EVERY").ok().and_then(|n| n.parse().ok()).unwrap_or(SAMPLED);
    let mut cells = Vec::new();
    let mut strange = 0_usize;
    for victim in street::victims() {
        for (mac, ip) in names(&victim) {
            for kind in KINDS.iter().copied().filter(|kind| kind.is_for(ip)) {
                for after in AFTER {
                    let is_usual = victim.own.contains(&ip) && after == USUAL;
                    strange += usize::from(!is_usual);
                    if is_usual || strange.is_multiple_of(step) {
                        let is_new = after < victim.since;
                        cells.push(Cell { after, victim: victim.name, is_new, kind, mac, ip });
                    }
                }
            }
        }
    }
    cells
}

/// Judges all cells on several threads; what `judge` complains of fails the test.
fn each(cells: &[Cell], judge: impl Fn(&Heard, &Cell) -> Option<String> + Sync) {
    let heard = Heard::new();
    let bad: Vec<String> = std::thread::scope(|scope| {
        let judge = |part: &[Cell]| part.iter().filter_map(|cell| judge(&heard, cell)).collect::<Vec<_>>();
        let parts: Vec<_> = cells
            .chunks(cells.len().div_ceil(THREADS))
            .map(|part| scope.spawn(move || judge(part)))
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    assert!(bad.is_empty(), "{} of {} cells:\n{}", bad.len(), cells.len(), bad.join("\n"));
}

#[test]
fn one_forged_frame_of_any_kind_in_any_name_moves_the_bill_by_nothing() {
    each(&cells(), |heard, cell| {
        let (by, _) = heard.moved(cell.after, |site| cell.forge(site));
        (!cell.allows(by)).then(|| format!("{by:+} {}", cell.title()))
    });
}

#[test]
fn a_thousand_forged_frames_of_one_kind_move_the_bill_by_at_most_one_or_are_told() {
    let own: Vec<Cell> = cells().into_iter().step_by(FLOODED).collect();
    each(&own, |heard, cell| {
        let (by, told) = heard.moved(cell.after, |site| {
            for _ in 0..1_000 {
                cell.forge(site);
                site.now -= 700_000_000;
            }
        });
        (by.abs() > 1 && !told).then(|| format!("{by:+} {}", cell.title()))
    });
}
