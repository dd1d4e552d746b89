//! What a sensor saw, and the uploads that say so.

use netcensus::census::conduct::{Deed, DeedKey, DeedKind};
use netcensus::census::{Coupling, CouplingKey, Field, MacAddr, Prefix, Sign, Signs, Station, Taught, Zone};
use netcensus::wire::{Health, UPLOAD_SCHEMA, Upload};

use super::{Plan, START, TestSensor, at};

/// An upload of couplings: MAC address, IP address, host name, time.
pub(crate) fn upload(sequence: u64, zone: &str, seen: &[(&str, &str, &str, &str)]) -> Upload {
    let named = |all: Seen, (mac, ip, name, when): &(&str, &str, &str, &str)| {
        all.sign(mac, ip, name, Sign::ArpAsked, when)
    };
    upload_of(sequence, zone, seen.iter().fold(Seen::default(), named).0)
}

/// An upload of what changed in a zone.
pub(crate) fn upload_of(sequence: u64, zone: &str, delta: Zone) -> Upload {
    Upload {
        schema: UPLOAD_SCHEMA.to_owned(),
        epoch: "e1".to_owned(),
        sequence,
        zone: zone.to_owned(),
        delta,
        health: Health { frames: 10 * sequence, ..Health::default() },
    }
}

/// What a sensor saw in one zone.
#[derive(Clone, Default)]
pub(crate) struct Seen(pub(crate) Zone);

impl Seen {
    /// A device that calls itself `name`, seen by this sign at that time. Without a name it is unclassified.
    pub(crate) fn sign(mut self, mac: &str, ip: &str, name: &str, sign: Sign, when: &str) -> Self {
        let mut coupling = Coupling::new(at(when), Signs::from(sign));
        if !name.is_empty() {
            coupling.evidence.add(Field::MdnsHostname, name, at(when));
        }
        self.0.segment.span(at(when), at(when));
        self.0.merge_coupling(key(mac, ip), &coupling);
        self
    }

    /// What a device said at [`START`].
    pub(crate) fn says(mut self, mac: &str, ip: &str, field: Field, value: &str) -> Self {
        let mut coupling = Coupling::new(at(START), Signs::from(Sign::ArpAsked));
        coupling.evidence.add(field, value, at(START));
        self.0.merge_coupling(key(mac, ip), &coupling);
        self
    }

    /// A device that asked by ARP or neighbour discovery at [`START`].
    pub(crate) fn arp(self, mac: &str, ip: &str, name: &str) -> Self {
        let sign = if ip.contains(':') { Sign::NeighborDiscovery } else { Sign::ArpAsked };
        self.sign(mac, ip, name, sign, START)
    }

    /// `count` devices of a category, from the host number `from` on; see [`mac_of`] and [`ip_of`].
    pub(crate) fn many(self, category: &str, from: u32, count: u32) -> Self {
        (from..from + count)
            .fold(self, |seen, host| seen.arp(&mac_of(host), &ip_of(host), &format!("{category}-{host}")))
    }

    /// Such a device, seen in a VLAN.
    pub(crate) fn tagged(mut self, mac: &str, ip: &str, vlan: u16) -> Self {
        let mut coupling = Coupling::new(at(START), Signs::from(Sign::ArpAsked));
        coupling.tag(vlan);
        self.0.merge_coupling(key(mac, ip), &coupling);
        self
    }

    /// What a card said below IP.
    pub(crate) fn station(mut self, mac: &str, field: Field, value: &str) -> Self {
        let mut station = Station::new(at(START));
        station.evidence.add(field, value, at(START));
        self.0.merge_station(mac.parse().unwrap(), &station);
        self
    }

    /// The subnet that a DHCP server announced.
    pub(crate) fn mask(mut self, address: &str, length: u8) -> Self {
        let prefix = Prefix::of(address.parse().unwrap(), length).unwrap();
        self.0.segment.learn_sent(prefix, &Taught::new(at(START), MacAddr([2, 0, 0, 0, 0, 1])));
        self
    }

    /// What a station did at [`START`].
    pub(crate) fn did(self, mac: &str, ip: &str, kind: DeedKind, peer: Option<&str>, label: &str) -> Self {
        self.did_at(mac, ip, kind, peer, label, START)
    }

    /// What a station did at that time.
    pub(crate) fn did_at(
        mut self,
        mac: &str,
        ip: &str,
        kind: DeedKind,
        peer: Option<&str>,
        label: &str,
        when: &str,
    ) -> Self {
        let peer = peer.map(|ip| ip.parse().unwrap());
        let key = DeedKey { doer: key(mac, ip), kind, peer, port: 0, label: label.into() };
        self.0.conduct.merge_deed(&key, &Deed::new(at(when), at(when), kind, None));
        self
    }

    /// Uploads it.
    pub(crate) async fn send(self, plan: &Plan, sensor: &TestSensor, sequence: u64, zone: &str) {
        let answer = plan.upload(sensor, &upload_of(sequence, zone, self.0)).await;
        assert!(answer.status.is_success(), "{}", answer.body);
    }
}

fn key(mac: &str, ip: &str) -> CouplingKey {
    CouplingKey { mac: mac.parse().unwrap(), ip: ip.parse().unwrap() }
}

/// The MAC address of a host number below 65536.
pub(crate) fn mac_of(host: u32) -> String {
    let [_, _, c, d] = host.to_be_bytes();
    MacAddr([0, 0x40, 0x8c, 1, c, d]).to_string()
}

/// The IP address of a host number below 65536.
pub(crate) fn ip_of(host: u32) -> String {
    let [_, _, c, d] = host.to_be_bytes();
    format!("10.9.{c}.{d}")
}
