//! What devices are, in spite of what they say for others and of how they are called.

use super::site::{Client, GATEWAY, Host, Site, host};
use super::words::neighbours::Gear;
use super::words::{mdns, neighbours};
use super::{TELEVISION, WINDOWS, player, server};

#[test]
fn a_mac_that_receives_airplay_is_a_computer_and_a_player_is_none() {
    let mut site = Site::new();
    for (n, model) in
        [(0, "MacBookPro17,1"), (1, "iMac21,1"), (2, "Macmini9,1"), (3, "Mac14,7"), (4, "MacPro7,1")]
    {
        let mac = host([0xa4, 0x83, 0xe7, 0x31, 4, n], 60 + n);
        let (label, name) = (format!("Desk {n}"), format!("Desk-{n}"));
        let model = format!("model={model}");
        let all: [mdns::Offer<'_>; 2] = [
            ("_airplay._tcp", 7000, &["deviceid=A4:83:E7:31:04:00", &model, "srcvers=770.8.1"]),
            ("_raop._tcp", 7000, &["am=x", "vs=770.8.1"]),
        ];
        site.asks(mac).mdns(mac, &mdns::offer(&label, &name, mac.ip, &all));
    }
    site.asks(TELEVISION).mdns(TELEVISION, &player("Lounge"));
    let counted = site.counted();
    counted.assert(1, 1, 5);
    assert_eq!(counted.is(TELEVISION).0, "media_player");
}

#[test]
fn a_server_that_passes_on_what_others_announce_stays_a_server() {
    let (server, mut site) = server();
    let before = site.counted();
    before.assert(1, 0, 1);
    let speaker = mdns::offer(
        "Kitchen",
        "kitchen",
        [10, 31, 8, 5],
        &[("_googlecast._tcp", 8009, &["md=Nest Mini", "fn=Kitchen"])],
    );
    let queue =
        mdns::offer("EPSON", "epson", [10, 31, 8, 6], &[("_ipp._tcp", 631, &["ty=EPSON ET-4850 Series"])]);
    site.mdns(server, &speaker).mdns(server, &queue).wait(60).mdns(server, &speaker).mdns(server, &queue);
    let after = site.counted();
    after.assert(1, 0, 1);
    assert_eq!(after.is(server), before.is(server));
}

#[test]
fn one_broken_record_costs_only_itself() {
    let hub = host([0x00, 0x17, 0x88, 0x31, 4, 0x2a], 31);
    let plug = host([0x48, 0xe1, 0xe9, 0x31, 4, 0x2b], 32);
    let answers = |broken: &dyn Fn(&str) -> Vec<Vec<u8>>| {
        let mut site = Site::new();
        for (host, name, md, ci) in [(hub, "hub", "md=BSB003", "ci=2"), (plug, "plug", "md=Outlet 2", "ci=7")]
        {
            let mut records = mdns::offers(name, name, Some(host.ip), &[("_hap._tcp", 80, &[md, ci])]);
            records.extend(broken(name));
            site.asks(host).mdns(host, &mdns::message(&records));
        }
        let counted = site.counted();
        counted.assert(1, 2, 0);
        counted.summary()
    };
    let plain = answers(&|_| Vec::new());
    // An NSEC whose name points nowhere, a short AAAA, and an empty text.
    assert_eq!(answers(&|name| vec![mdns::record(&[name, "local"], 47, &[0xff, 0xff, 0, 1, 0x40])]), plain);
    assert_eq!(answers(&|name| vec![mdns::record(&[name, "local"], 28, &[0xfe, 0x80, 0])]), plain);
    assert_eq!(answers(&|name| vec![mdns::record(&[name, "_hap", "_tcp", "local"], 16, &[])]), plain);
}

#[test]
fn a_computer_that_shares_a_printer_is_no_printer() {
    let mac = host([0xa4, 0x83, 0xe7, 0x31, 4, 0x2e], 46);
    let text = [
        "ty=EPSON ET-4850 Series",
        "adminurl=http://studio.local.:631/printers/epson",
        "printer-type=0x480900E",
    ];
    let (server, mut site) = server();
    site.leases(
        mac,
        Client {
            name: b"Lena-MacBook-Air",
            parameters: &[1, 121, 3, 6, 15, 108, 114, 119, 252],
            ..Client::default()
        },
    );
    site.asks(mac)
        .mdns(mac, &mdns::offer("EPSON @ Lena", "Lena-MacBook-Air", mac.ip, &[("_ipp._tcp", 631, &text)]));
    site.mdns(server, &mdns::offer("EPSON @ studio", "studio", server.ip, &[("_ipp._tcp", 631, &text)]));
    site.counted().assert(1, 0, 2);
}

#[test]
fn who_asks_and_fetches_for_others_is_not_taken_for_them() {
    let (server, mut site) = server();
    let resolver = Host { mac: GATEWAY.mac, ip: [151, 101, 2, 53] };
    for domain in [
        "a1.tuyaus.com",
        "dev.ezvizlife.com",
        "api.sonos.com",
        "lgtvsdp.com",
        "time.nest.com",
        "iot.tapo.com",
    ] {
        site.udp(server, resolver, (40_000, 53), 64, &mdns::question(domain));
    }
    site.counted().assert(1, 0, 1);
    for agent in [
        "Mozilla/5.0 (SMART-TV; LINUX; Tizen 7.0) AppleWebKit/537.36 (KHTML, like Gecko) 94.0/7.0 TV Safari/537.36",
        "Roku/DVP-14.0 (14.0.0.9044-88)",
        "Mozilla/5.0 (PlayStation 4/11.00) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    ] {
        let request = format!(
            "GET / HTTP/1.1\r\nHost: example.org\r\nUser-Agent: {agent}\r\nVia: 1.1 edge (squid/6.6)\r\nX-Forwarded-For: 10.31.4.90\r\n\r\n"
        );
        site.surfs(server, 80, request.as_bytes());
    }
    site.counted().assert(1, 0, 1);
}

#[test]
fn names_in_other_encodings_cost_no_device() {
    const NAMES: [&[u8]; 3] = [b"B\xdcRO-1", b"caf\x82\x01\x1b[2J", b"\x93\xfa\x96\x7b"];
    let mut site = Site::new();
    for (n, name) in (0..).zip(NAMES) {
        let desk = host([0x8c, 0x16, 0x45, 0x31, 5, n], 50 + n);
        site.asks(desk)
            .leases(desk, Client { name, class: "MSFT 5.0", parameters: WINDOWS, ..Client::default() });
    }
    let switch = host([0x70, 0x6b, 0xb9, 0x31, 5, 9], 59);
    let gear = Gear {
        name: b"M\xfcnchen \x07",
        description: "Cisco IOS Software, C2960L Software, Version 15.2(7)E2",
        platform: "cisco WS-C2960L-8TS-LL",
        ip: switch.ip,
    };
    site.cdp(switch.mac, &neighbours::cdp(&gear));
    let counted = site.counted();
    counted.assert(2, 0, 3);
    assert!(!counted.summary().chars().any(|c| c.is_control() && c != '\n'), "{}", counted.summary());
}

#[test]
fn the_name_that_an_administrator_gave_decides_nothing() {
    for name in [&b"sw-dell-3"[..], b"nas-lenovo-2", b"pc-3", b"sw-eg-1"] {
        let switch = host([0x94, 0x18, 0x82, 0x31, 4, 0x84], 84);
        let gear = Gear {
            name,
            description: "Aruba JL256A 2930F-48G-PoE+-4SFP+ Switch, revision WC.16.11.0012",
            platform: "",
            ip: switch.ip,
        };
        let mut site = Site::new();
        site.lldp(switch.mac, &neighbours::lldp(&gear, switch.mac, "7"));
        site.counted().assert(2, 0, 0);
    }
    for name in [&b"prn-dell-1og"[..], b"nas-asus-4", b"win-hp-2", b"laptop-hp"] {
        let mut site = Site::new();
        let client = Client { name, class: "Hewlett-Packard JetDirect", ..Client::default() };
        site.leases(host([0x3c, 0x52, 0x82, 0x31, 4, 0x85], 85), client);
        site.counted().assert(1, 1, 0);
    }
}
