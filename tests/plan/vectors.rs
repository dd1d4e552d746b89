//! The vectors of docs/rules.md about counts: facts go in as a sensor uploads them, numbers come out of the
//! API.

use netcensus::census::{Coupling, CouplingKey, Field, MacAddr, Prefix, Sign, Signs, Station, Zone};
use serde_json::{Value, json};

use crate::database::on_both_stores;
use crate::harness::{Plan, START, TestSensor, at, upload};

const A: &str = "00:40:8c:00:00:0a";
const B: &str = "00:40:8c:00:00:0b";
const C: &str = "00:40:8c:00:00:0c";
const ROUTER: &str = "00:1b:d4:00:00:01";

/// What a sensor saw.
#[derive(Clone, Default)]
pub(crate) struct Seen(Zone);

impl Seen {
    /// A coupling that showed itself so, of a device that calls itself `name`.
    pub(crate) fn sign(mut self, mac: &str, ip: &str, name: &str, sign: Sign, when: &str) -> Self {
        let mut coupling = Coupling::new(at(when), Signs::from(sign));
        if !name.is_empty() {
            coupling.evidence.add(Field::MdnsHostname, name, at(when));
        }
        self.0.segment.span(at(when), at(when));
        self.0.merge_coupling(key(mac, ip), &coupling);
        self
    }

    /// One that asked by ARP, or spoke neighbour discovery.
    pub(crate) fn arp(self, mac: &str, ip: &str, name: &str) -> Self {
        let sign = if ip.contains(':') { Sign::NeighborDiscovery } else { Sign::ArpAsked };
        self.sign(mac, ip, name, sign, START)
    }

    /// What a card said below IP.
    pub(crate) fn station(mut self, mac: &str, field: Field, value: &str) -> Self {
        let mut station = Station::new(at(START));
        station.evidence.add(field, value, at(START));
        self.0.merge_station(mac.parse().unwrap(), &station);
        self
    }

    fn mask(mut self, address: &str, length: u8) -> Self {
        self.0.segment.learn_sent(Prefix::of(address.parse().unwrap(), length).unwrap());
        self
    }

    /// Uploads it.
    pub(crate) async fn send(self, plan: &Plan, sensor: &TestSensor, sequence: u64, zone: &str) {
        let mut upload = upload(sequence, zone, &[]);
        upload.delta = self.0;
        let (status, body) = plan.upload(sensor, &upload).await;
        assert!(status.is_success(), "{body}");
    }
}

fn key(mac: &str, ip: &str) -> CouplingKey {
    CouplingKey { mac: mac.parse().unwrap(), ip: ip.parse().unwrap() }
}

/// A plan with a trial and a sensor.
pub(crate) async fn ready(plan: &Plan) -> TestSensor {
    plan.onboard_trial().await;
    plan.enrol().await
}

/// The number of devices and of billable ones after an upload of its own.
async fn counted(plan: &Plan, seen: Seen) -> (u64, u64) {
    let sensor = ready(plan).await;
    seen.send(plan, &sensor, 1, "default").await;
    let census = plan.get("/census").await;
    (census["devices"].as_u64().unwrap(), census["billable"].as_u64().unwrap())
}

/// `n` devices of a category, beginning with the host number `from`.
fn many(mut seen: Seen, category: &str, from: u32, n: u32) -> Seen {
    for host in from..from + n {
        let [_, _, c, d] = host.to_be_bytes();
        let mac = MacAddr([0, 0x40, 0x8c, 1, c, d]).to_string();
        seen = seen.arp(&mac, &format!("10.9.{c}.{d}"), &format!("{category}-{host}"));
    }
    seen
}

on_both_stores! {
    async fn a_thousand_six_hundred_and_seventy_nine_devices_of_which_five_hundred_are_managed(plan: Plan) {
        let sensor = ready(&plan).await;
        let seen = many(Seen::default(), "network", 0, 473);
        let seen = many(many(seen, "iot", 473, 1_206), "computer_mobile", 1_679, 321);
        seen.send(&plan, &sensor, 1, "default").await;
        let census = plan.get("/census").await;
        assert_eq!((&census["network"], &census["iot"]), (&json!(473), &json!(1_206)));
        assert_eq!((&census["billable"], &census["commitment"]), (&json!(1_679), &json!(1_700)));
        assert_eq!(census["excluded"], json!({"X-CM": 321}));

        let entry = |host: u32| {
            let [_, _, c, d] = host.to_be_bytes();
            let mac = MacAddr([0, 0x40, 0x8c, 1, c, d]).to_string();
            match host % 2 {
                0 => json!({"external_id": format!("m{host}"), "mac": mac}),
                _ => json!({"external_id": format!("m{host}"), "ip": format!("10.9.{c}.{d}")}),
            }
        };
        // Computers among them change nothing: X-CM comes first.
        let entries: Vec<Value> = (400..900).chain(1_700..1_750).map(entry).collect();
        let list = json!({"source": "defender", "entries": entries});
        let (status, tried) = plan.post("/managed/import?dry_run=true", list.clone()).await;
        assert_eq!((status.as_u16(), &tried["dry_run"]), (200, &json!(true)), "{tried}");
        assert_eq!(tried["count"], json!({"before": 1_679, "after": 1_179, "delta": -500}));
        assert_eq!(plan.get("/census").await["billable"], 1_679, "nothing was stored");
        let (status, done) = plan.post("/managed/import", list).await;
        assert_eq!((status.as_u16(), &done["count"]["delta"]), (200, &json!(-500)), "{done}");
        assert_eq!(done["altered_total"], 550);
        let census = plan.get("/census").await;
        assert_eq!((&census["billable"], &census["commitment"]), (&json!(1_179), &json!(1_200)));
        assert_eq!(census["excluded"], json!({"X-CM": 321, "X-MANAGED": 500}));
        assert_eq!(plan.get("/devices?managed=true&limit=1").await["total"], 550);
        // What names only an address holds for 30 days.
        plan.set_time("2026-12-22T08:59:59Z");
        let late = plan.get("/census?as_of=2026-12-22T08:59:59Z").await;
        assert_eq!(late["excluded"]["X-MANAGED"], 500);
        let late = plan.get("/census?as_of=2026-12-22T09:00:00Z").await;
        assert_eq!(late["excluded"]["X-MANAGED"], 250);
    }

    async fn the_same_coupling_from_two_sensors_of_one_zone_is_one_device_and_of_two_zones_two(plan: Plan) {
        let first = ready(&plan).await;
        let second = plan.enrol().await;
        let seen = Seen::default().arp(A, "10.0.0.1", "iot-a");
        seen.clone().send(&plan, &first, 1, "hq").await;
        seen.clone().send(&plan, &second, 1, "hq").await;
        assert_eq!(plan.get("/census").await["billable"], 1);
        seen.send(&plan, &second, 2, "branch").await;
        assert_eq!(plan.get("/census").await["billable"], 2);
        let zones = plan.get("/zones").await;
        let of = |i: usize, member: &str| zones["zones"][i][member].clone();
        assert_eq!([of(0, "name"), of(0, "billable"), of(1, "name"), of(1, "devices")], [json!("branch"), json!(1), json!("hq"), json!(1)]);
    }

    async fn a_card_with_two_addresses_at_once_is_two_devices(plan: Plan) {
        let seen = Seen::default().arp(A, "10.0.0.1", "iot-a").arp(A, "10.0.0.2", "iot-b");
        assert_eq!(counted(&plan, seen).await, (2, 2));
    }

    async fn a_card_whose_lease_moved_is_one(plan: Plan) {
        let seen = Seen::default()
            .sign(A, "10.0.0.1", "iot-a", Sign::DhcpAck, "2026-11-22T08:00:00Z")
            .sign(A, "10.0.0.2", "iot-a", Sign::DhcpAck, "2026-11-22T08:30:00Z");
        assert_eq!(counted(&plan, seen).await, (1, 1));
    }

    async fn a_router_with_eight_addresses_is_one_device(plan: Plan) {
        let seen = (1..=8).fold(Seen::default(), |seen, n| seen.arp(ROUTER, &format!("10.0.{n}.1"), "network-r"));
        assert_eq!(counted(&plan, seen.station(ROUTER, Field::RouterProtocol, "ospf")).await, (1, 1));
    }

    async fn what_answers_arp_for_others_is_one_device(plan: Plan) {
        let seen = (2..9).fold(Seen::default().arp(A, "10.0.0.1", "network-a"), |seen, n| {
            seen.sign(A, &format!("10.0.0.{n}"), "", Sign::ArpAnswered, START)
        });
        assert_eq!(counted(&plan, seen).await, (1, 1));
    }

    async fn a_public_address_that_is_proven_on_the_link_is_a_device_like_others(plan: Plan) {
        assert_eq!(counted(&plan, Seen::default().arp(A, "8.8.8.8", "iot-a")).await, (1, 1));
    }

    async fn one_address_on_two_cards_is_two_couplings_and_a_finding(plan: Plan) {
        let seen = Seen::default().arp(A, "10.0.0.1", "iot-a").arp(B, "10.0.0.1", "iot-b");
        assert_eq!(counted(&plan, seen).await, (2, 2));
        let inventory = plan.get("/inventory").await;
        assert_eq!(inventory["findings"][0]["kind"], "address_conflict");
        assert_eq!(inventory["findings"][0]["macs"], json!([A, B]));
    }

    async fn a_card_with_one_ipv4_and_four_ipv6_addresses_is_one_device(plan: Plan) {
        let addresses = ["10.0.0.1", "fe80::1", "2001:db8::a", "2001:db8::b", "2001:db8::c"];
        let seen = addresses.iter().fold(Seen::default(), |seen, ip| seen.arp(A, ip, "iot-a"));
        assert_eq!(counted(&plan, seen).await, (1, 1));
    }

    async fn twenty_three_thousand_addresses_behind_a_router_are_the_router_alone(plan: Plan) {
        let mut seen = Seen::default().arp(ROUTER, "10.0.0.1", "network-r").mask("10.0.0.0", 24);
        for n in 0..20_000_u32 {
            let [_, _, c, d] = n.to_be_bytes();
            seen = seen.sign(ROUTER, &format!("9.9.{c}.{d}"), "", Sign::Sourced, START);
        }
        for n in 0..3_000_u32 {
            let [_, _, c, d] = n.to_be_bytes();
            seen = seen.sign(ROUTER, &format!("172.20.{c}.{d}"), "", Sign::Far, START);
        }
        assert_eq!(counted(&plan, seen).await, (1, 1));
        let census = plan.get("/census").await;
        assert_eq!(census["excluded"], json!({"X-PUB": 20_000, "X-ROUTED": 3_000}));
        assert_eq!(census["strict_couplings"], 23_001);
    }

    async fn groups_broadcasts_and_strangers_are_no_devices(plan: Plan) {
        let seen = Seen::default()
            .sign(A, "224.0.0.251", "", Sign::Sourced, START)
            .sign(A, "239.255.255.250", "", Sign::Sourced, START)
            .sign(A, "ff02::fb", "", Sign::Sourced, START)
            .sign(A, "255.255.255.255", "", Sign::Sourced, START)
            .sign(A, "10.0.0.255", "", Sign::Sourced, START)
            .sign(A, "8.8.8.8", "", Sign::Sourced, START)
            .mask("10.0.0.0", 24);
        assert_eq!(counted(&plan, seen).await, (0, 0));
    }

    async fn two_routers_with_one_virtual_address_are_two_devices(plan: Plan) {
        let seen = Seen::default()
            .arp(A, "10.0.0.2", "network-a")
            .arp(B, "10.0.0.3", "network-b")
            .arp("00:00:5e:00:01:07", "10.0.0.1", "")
            .station(A, Field::RouterProtocol, "vrrp")
            .station(B, Field::RouterProtocol, "vrrp");
        assert_eq!(counted(&plan, seen).await, (2, 2));
        assert_eq!(plan.get("/census").await["excluded"], json!({"X-VIRT": 1}));
    }

    async fn thirty_days_of_silence_count_and_a_second_more_does_not(plan: Plan) {
        assert_eq!(counted(&plan, Seen::default().arp(A, "10.0.0.1", "iot-a")).await, (1, 1));
        assert_eq!(plan.get("/census?as_of=2026-12-22T09:00:00Z").await["billable"], 1);
        let late = plan.get("/census?as_of=2026-12-22T09:00:01Z").await;
        assert_eq!(late["excluded"], json!({"X-IDLE": 1}));
    }

    async fn a_switch_that_speaks_lldp_alone_is_one_network_device(plan: Plan) {
        let seen = Seen::default().sign(A, "10.0.0.1", "network-s", Sign::LldpManagement, START);
        assert_eq!(counted(&plan, seen.station(A, Field::LldpSysName, "s")).await, (1, 1));
        assert_eq!(plan.get("/census").await["network"], 1);
    }

    async fn a_deleted_device_returns_with_a_frame_newer_than_its_deletion_and_no_older_one(plan: Plan) {
        let sensor = ready(&plan).await;
        Seen::default().arp(A, "10.0.0.1", "iot-a").arp(B, "10.0.0.2", "iot-b").send(&plan, &sensor, 1, "hq").await;
        plan.set_time("2026-11-23T09:00:00Z");
        let id = plan.get("/devices?q=10.0.0.1").await["devices"][0]["id"].as_str().unwrap().to_owned();
        let (status, gone) = plan.post("/devices/edit", json!({"ids": [id], "delete": true})).await;
        assert_eq!((status.as_u16(), &gone["count"]["delta"]), (200, &json!(-1)), "{gone}");
        let verdict = async || plan.get(&format!("/devices/{id}")).await["verdict"].clone();
        assert_eq!(verdict().await, "X-DEL");
        let why = plan.get(&format!("/devices/{id}/why")).await;
        let said = why["decisions"][0].as_str().unwrap();
        assert!(said.starts_with("deleted by owner at 2026-11-23T09:00:00Z (change 1); it returns with traffic newer"), "{said}");
        // Late by 20 days, and to the nanosecond: neither is newer.
        let late = "2026-11-03T09:00:00Z";
        Seen::default().sign(A, "10.0.0.1", "iot-a", Sign::ArpAsked, late).send(&plan, &sensor, 2, "hq").await;
        let then = "2026-11-23T09:00:00Z";
        Seen::default().sign(A, "10.0.0.1", "iot-a", Sign::ArpAsked, then).send(&plan, &sensor, 3, "hq").await;
        assert_eq!(verdict().await, "X-DEL");
        let newer = "2026-11-23T09:00:00.000000001Z";
        Seen::default().sign(A, "10.0.0.1", "iot-a", Sign::ArpAsked, newer).send(&plan, &sensor, 4, "hq").await;
        assert_eq!(verdict().await, "C-IOT");
        let why = plan.get(&format!("/devices/{id}/why")).await;
        assert!(why["decisions"][0].as_str().unwrap().ends_with("it returned with traffic since"), "{why}");
        assert_eq!(plan.get("/census").await["billable"], 2);
    }

    async fn uploads_twice_swapped_and_late_give_the_same_inventory_whatever_people_decided(plan: Plan) {
        let sensor = ready(&plan).await;
        let early = Seen::default().arp(A, "10.0.0.1", "iot-a").arp(B, "10.0.0.2", "network-b");
        early.clone().send(&plan, &sensor, 1, "hq").await;
        let ids = ["10.0.0.1", "10.0.0.2"];
        let mut named = Vec::new();
        for ip in ids {
            let found = plan.get(&format!("/devices?q={ip}")).await;
            named.push(found["devices"][0]["id"].clone());
        }
        let (status, body) = plan.post("/devices/merge", json!({"ids": named})).await;
        assert_eq!((status.as_u16(), &body["count"]["delta"]), (200, &json!(-1)), "{body}");
        let third = Seen::default().sign(C, "10.0.0.3", "iot-c", Sign::ArpAsked, "2026-11-02T09:00:00Z");
        third.clone().send(&plan, &sensor, 3, "hq").await;
        early.clone().send(&plan, &sensor, 2, "hq").await;
        let before = plan.get("/inventory").await;
        assert_eq!(before["devices"].as_array().unwrap().len(), 2);
        third.send(&plan, &sensor, 3, "hq").await;
        early.send(&plan, &sensor, 1, "hq").await;
        let mut after = plan.get("/inventory").await;
        after["capture"] = before["capture"].clone();
        assert_eq!(after, before);
    }
}
