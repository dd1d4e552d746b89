//! A small network, built frame by frame, and what its census says. Each frame comes a second after the one before.

use std::net::{IpAddr, Ipv6Addr};

use etherparse::PacketBuilder;
use netcensus::census::time::SECOND;
use netcensus::census::{Decisions, Finding, Inventory, MacAddr, Policy, Prefix, Survey, Timestamp, Verdict};
use netcensus::classify::Rules;
use netcensus::dissect::{Frame, LinkType};
use netcensus::sensor::pipeline::{table::Table, worker::Worker};
use netcensus::wire::{CaptureSummary, DeviceEntry, Document};

use super::words::dhcp;

pub(super) type Mac = [u8; 6];
pub(super) type Ip = [u8; 4];

pub(super) const BROADCAST: Mac = [0xff; 6];
/// 2026-11-20T10:13:20Z.
pub(super) const START: i64 = 1_795_169_600 * SECOND;

/// A card with its address.
#[derive(Clone, Copy)]
pub(super) struct Host {
    pub(super) mac: Mac,
    pub(super) ip: Ip,
}

pub(super) const fn host(mac: Mac, last: u8) -> Host {
    Host { mac, ip: [10, 31, 4, last] }
}

/// A router of a maker of routers, which also leases addresses.
pub(super) const GATEWAY: Host = host([0x4c, 0x5e, 0x0c, 0x31, 4, 1], 1);
/// A host that others answer. It sends nothing.
pub(super) const ASKER: Host = host([0xd0, 0x94, 0x66, 0x31, 4, 0xc8], 200);

/// What a DHCP client sends.
#[derive(Clone, Copy, Default)]
pub(super) struct Client {
    pub(super) name: &'static [u8],
    pub(super) class: &'static str,
    pub(super) parameters: &'static [u8],
    /// Option 61.
    pub(super) id: &'static [u8],
    /// The card that the frames come from, if it is not the client's own.
    pub(super) through: Option<Mac>,
}

#[derive(Clone, Default)]
pub(super) struct Site {
    pub(super) frames: Vec<(Timestamp, Vec<u8>)>,
    pub(super) now: i64,
    /// Sources of tunnels that the sensor trusts.
    pub(super) trusted: Vec<Prefix>,
}

impl Site {
    /// Only the gateway, which passes on packets from the Internet.
    pub(super) fn new() -> Self {
        let mut site = Self { now: START, ..Self::default() };
        site.asks(GATEWAY);
        for last in [7, 9] {
            let server = Host { mac: GATEWAY.mac, ip: [151, 101, 2, last] };
            site.tcp(server, ASKER, (443, 50_000), 53, &[0x17; 40]);
        }
        site
    }

    /// Lets the time pass.
    pub(super) fn wait(&mut self, seconds: i64) -> &mut Self {
        self.now += seconds * SECOND;
        self
    }

    pub(super) fn put(&mut self, mut frame: Vec<u8>) -> &mut Self {
        frame.resize(frame.len().max(60), 0);
        self.frames.push((Timestamp(self.now), frame));
        self.wait(1)
    }

    pub(super) fn ethernet(&mut self, from: Mac, to: Mac, kind: u16, body: &[u8]) -> &mut Self {
        self.put([&to[..], &from, &kind.to_be_bytes(), body].concat())
    }

    fn arp(&mut self, operation: u8, from: Host, to: Mac, target: Ip) -> &mut Self {
        let head = [0, 1, 8, 0, 6, 4, 0, operation];
        let target_mac = if to == BROADCAST { [0; 6] } else { to };
        let body = [&head[..], &from.mac, &from.ip, &target_mac, &target].concat();
        self.ethernet(from.mac, to, 0x0806, &body)
    }

    /// Asks for the gateway by ARP; the gateway asks for another.
    pub(super) fn asks(&mut self, host: Host) -> &mut Self {
        self.arp(1, host, BROADCAST, if host.ip == GATEWAY.ip { ASKER.ip } else { GATEWAY.ip })
    }

    /// Answers for its address by ARP.
    pub(super) fn answers(&mut self, host: Host) -> &mut Self {
        self.arp(2, host, ASKER.mac, ASKER.ip)
    }

    /// Announces its address by ARP.
    pub(super) fn announces(&mut self, host: Host) -> &mut Self {
        self.arp(1, host, BROADCAST, host.ip)
    }

    pub(super) fn udp(&mut self, from: Host, to: Host, ports: (u16, u16), ttl: u8, body: &[u8]) -> &mut Self {
        let packet =
            PacketBuilder::ethernet2(from.mac, to.mac).ipv4(from.ip, to.ip, ttl).udp(ports.0, ports.1);
        let mut frame = Vec::new();
        packet.write(&mut frame, body).unwrap();
        self.put(frame)
    }

    pub(super) fn tcp(&mut self, from: Host, to: Host, ports: (u16, u16), ttl: u8, body: &[u8]) -> &mut Self {
        let packet = PacketBuilder::ethernet2(from.mac, to.mac).ipv4(from.ip, to.ip, ttl);
        let mut frame = Vec::new();
        packet.tcp(ports.0, ports.1, 1_000, 64_240).psh().ack(1).write(&mut frame, body).unwrap();
        self.put(frame)
    }

    /// Sends to the Internet through the gateway.
    pub(super) fn surfs(&mut self, from: Host, port: u16, body: &[u8]) -> &mut Self {
        let server = Host { mac: GATEWAY.mac, ip: [151, 101, 2, 9] };
        self.tcp(from, server, (50_000, port), 64, body)
    }

    /// Asks for its router by a neighbour solicitation.
    pub(super) fn solicits(&mut self, from: Host, ip: [u16; 8]) -> &mut Self {
        let (source, target) = (Ipv6Addr::from(ip), Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));
        let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 1);
        let asked = [&target.octets()[..], &[1, 1], &from.mac].concat();
        let packet = PacketBuilder::ethernet2(from.mac, [0x33, 0x33, 0xff, 0, 0, 1]);
        let mut frame = Vec::new();
        let packet = packet.ipv6(source.octets(), group.octets(), 255).icmpv6_raw(135, 0, [0; 4]);
        packet.write(&mut frame, &asked).unwrap();
        self.put(frame)
    }

    /// Sends to the Internet by IPv6 through the gateway.
    pub(super) fn surfs6(&mut self, from: Host, ip: [u16; 8]) -> &mut Self {
        let server = Ipv6Addr::new(0x2a04, 0x4e42, 0, 0, 0, 0, 0, 9);
        let packet = PacketBuilder::ethernet2(from.mac, GATEWAY.mac);
        let packet = packet.ipv6(Ipv6Addr::from(ip).octets(), server.octets(), 64).udp(50_000, 443);
        let mut frame = Vec::new();
        packet.write(&mut frame, b"x").unwrap();
        self.put(frame)
    }

    /// Answers a client of the network as a server.
    pub(super) fn serves(&mut self, from: Host, port: u16, body: &[u8]) -> &mut Self {
        self.tcp(from, ASKER, (port, 50_000), 64, body)
    }

    /// Says that by mDNS.
    pub(super) fn mdns(&mut self, from: Host, message: &[u8]) -> &mut Self {
        let group = Host { mac: [1, 0, 0x5e, 0, 0, 0xfb], ip: [224, 0, 0, 251] };
        self.udp(from, group, (5353, 5353), 255, message)
    }

    pub(super) fn lldp(&mut self, from: Mac, body: &[u8]) -> &mut Self {
        self.ethernet(from, [1, 0x80, 0xc2, 0, 0, 0x0e], 0x88cc, body)
    }

    pub(super) fn cdp(&mut self, from: Mac, body: &[u8]) -> &mut Self {
        let length = u16::try_from(body.len()).unwrap();
        self.ethernet(from, [1, 0, 0x0c, 0xcc, 0xcc, 0xcc], length, body)
    }

    /// DISCOVER, REQUEST and ACK.
    pub(super) fn leases(&mut self, host: Host, client: Client) -> &mut Self {
        let all = Host { mac: BROADCAST, ip: [255; 4] };
        let from = Host { mac: client.through.unwrap_or(host.mac), ip: [0; 4] };
        for kind in [1, 3] {
            let body = dhcp::request(kind, host.mac, host.ip, &client);
            self.udp(from, all, (68, 67), 64, &body);
        }
        self.udp(GATEWAY, all, (67, 68), 64, &dhcp::ack(host.mac, host.ip, GATEWAY.ip, [0; 4]))
    }

    /// The same frames with another content.
    pub(super) fn each(&self, change: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        let frames = self.frames.iter().map(|(at, frame)| (*at, change(frame))).collect();
        Self { frames, ..self.clone() }
    }

    pub(super) fn zone(&self, workers: usize, backwards: bool) -> Inventory {
        let mut inventory = Inventory::default();
        for n in 0..workers {
            let table = Table::new(10_000);
            table.trust(self.trusted.iter().copied().collect());
            let mut worker = Worker::new(&table);
            let mut each = |(at, data): &(Timestamp, Vec<u8>)| {
                let length = u32::try_from(data.len()).unwrap();
                worker.frame(&Frame { at: *at, link: LinkType::Ethernet, data, length });
            };
            let share = self.frames.iter().skip(n).step_by(workers);
            if backwards {
                share.rev().for_each(&mut each);
            } else {
                share.for_each(&mut each);
            }
            worker.finish();
            inventory.merge_zone("default", &table.into_zone());
        }
        inventory
    }

    /// The census of the frames by the built-in rules. It is the same in another order and over several sensors.
    pub(super) fn counted_by(&self, policy: &Policy) -> Counted {
        let counted = Counted::of(&self.zone(1, false), policy);
        assert_eq!(counted, Counted::of(&self.zone(3, true), policy), "another order");
        counted
    }

    pub(super) fn counted(&self) -> Counted {
        self.counted_by(&Policy::default())
    }
}

/// What a census says.
#[derive(Debug, PartialEq)]
pub(super) struct Counted(Document);

impl Counted {
    pub(super) fn of(inventory: &Inventory, policy: &Policy) -> Self {
        static RULES: std::sync::LazyLock<Rules> = std::sync::LazyLock::new(|| Rules::builtin().unwrap());
        let inventory = inventory.admitted(policy);
        let as_of = inventory.believed_end().unwrap_or_default();
        let survey = Survey::new(&inventory, policy, &Decisions::default(), &*RULES, as_of);
        let document = Document::new(&survey, CaptureSummary::default(), None);
        let members = document.devices.iter().map(|d| d.couplings.len() as u64).sum();
        assert!(document.census.closes(document.devices.len() as u64, members), "{document:?}");
        Self(document)
    }

    /// Counted network devices and things, and computers and mobiles.
    pub(super) fn numbers(&self) -> [u64; 3] {
        let census = &self.0.census;
        [census.network, census.iot, self.excluded(Verdict::ComputerMobile)]
    }

    pub(super) fn excluded(&self, verdict: Verdict) -> u64 {
        self.0.census.excluded.get(verdict.id()).copied().unwrap_or(0)
    }

    pub(super) fn findings(&self) -> &[Finding] {
        &self.0.findings
    }

    /// The device that is listed under the address of the host; the test fails if none or several are.
    pub(super) fn device(&self, host: Host) -> &DeviceEntry {
        let at = |d: &&DeviceEntry| d.ip == IpAddr::from(host.ip);
        let found: Vec<&DeviceEntry> = self.0.devices.iter().filter(at).collect();
        assert_eq!(found.len(), 1, "at {:?}: {}", host.ip, self.summary());
        found.first().copied().unwrap()
    }

    pub(super) fn devices(&self) -> usize {
        self.0.devices.len()
    }

    /// The device that has the coupling of the host.
    pub(super) fn with(&self, host: Host) -> &DeviceEntry {
        let (mac, ip) = (MacAddr(host.mac), IpAddr::from(host.ip));
        let has = |d: &&DeviceEntry| d.couplings.iter().any(|c| (c.mac, c.ip) == (mac, ip));
        self.0.devices.iter().find(has).unwrap()
    }

    /// Type and name of the device at the address.
    pub(super) fn is(&self, host: Host) -> (&str, Option<&str>) {
        let device = self.device(host);
        (&device.kind, device.name.as_deref())
    }

    /// How many couplings the device at the address has.
    pub(super) fn couplings(&self, host: Host) -> usize {
        self.device(host).couplings.len()
    }

    /// For messages of tests.
    pub(super) fn summary(&self) -> String {
        let line = |d: &DeviceEntry| format!("{} {} {} {:?} {:?}", d.ip, d.mac, d.kind, d.verdict, d.name);
        self.0.devices.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[track_caller]
    pub(super) fn assert(&self, network: u64, iot: u64, computers: u64) -> &Self {
        assert_eq!(self.numbers(), [network, iot, computers], "{}\n{:?}", self.summary(), self.0.census);
        self
    }
}
