//! Who is one device and who is two.

use netcensus::census::Verdict;

use super::site::{self, ASKER, BROADCAST, Client, GATEWAY, Host, Mac, Site, host};
use super::words::neighbours::Gear;
use super::words::{dhcp, mdns, neighbours, snmp};
use super::{CAMERA, LAPTOP, TELEVISION, WINDOWS, player, server};

#[test]
fn a_host_that_another_stands_for_while_it_sleeps_counts_as_when_awake() {
    let sleeper = host([0xa4, 0x83, 0xe7, 0x31, 4, 0x24], 24);
    let says = mdns::offer(
        "Ria's MacBook",
        "Rias-MacBook",
        sleeper.ip,
        &[("_smb._tcp", 445, &[]), ("_device-info._tcp", 0, &["model=MacBookAir10,1"])],
    );
    let mut awake = Site::new();
    awake.asks(TELEVISION).mdns(TELEVISION, &player("Lounge"));
    awake.leases(sleeper, Client { name: b"Rias-MacBook", ..Client::default() });
    awake.asks(sleeper).mdns(sleeper, &says);
    let mut asleep = awake.clone();
    let proxy = Host { ip: sleeper.ip, ..TELEVISION };
    asleep.wait(300).announces(proxy).announces(proxy).answers(proxy);
    asleep.mdns(TELEVISION, &says).mdns(TELEVISION, &says);
    let (awake, asleep) = (awake.counted(), asleep.counted());
    for counted in [&awake, &asleep] {
        counted.assert(1, 1, 1);
        assert_eq!(counted.is(TELEVISION), ("media_player", Some("Lounge")));
        assert_eq!(counted.is(sleeper).1, Some("Rias-MacBook"));
    }
    assert_eq!((awake.couplings(TELEVISION), asleep.couplings(TELEVISION)), (1, 2));
}

#[test]
fn two_cards_that_share_the_address_of_one_machine_are_one_device() {
    let (one, two) = (host([0x00, 0x11, 0x32, 0x31, 4, 1], 25), host([0x00, 0x11, 0x32, 0x31, 4, 2], 25));
    let says = mdns::offer(
        "Vault",
        "vault",
        one.ip,
        &[("_smb._tcp", 445, &[]), ("_http._tcp", 5000, &["vendor=Synology", "model=DS923+"])],
    );
    let mut site = Site::new();
    site.leases(one, Client { name: b"vault", ..Client::default() });
    site.asks(one).mdns(one, &says).answers(one).answers(two).mdns(two, &says).answers(one);
    let counted = site.counted();
    counted.assert(1, 1, 0);
    assert_eq!((counted.couplings(one), counted.is(one).0), (2, "storage_nas"));
    assert!(counted.findings().is_empty(), "{:?}", counted.findings());
}

/// A repeater with a camera and a plug behind it, whose frames bear the MACs that `rewritten` gives.
fn repeated(rewritten: impl Fn(Mac) -> Mac) -> site::Counted {
    let repeater = host([0x74, 0xda, 0x88, 0x31, 4, 0x26], 26);
    let camera = host([0x00, 0x09, 0x18, 0x31, 4, 0x27], 27);
    let plug = host([0x5c, 0xcf, 0x7f, 0x31, 4, 0x28], 28);
    let mut site = Site::new();
    site.leases(repeater, Client { name: b"RE450", ..Client::default() }).asks(repeater);
    for (client, says) in [
        (camera, mdns::offer("Porch", "porch", camera.ip, &[("_hap._tcp", 80, &["md=Porch Cam", "ci=17"])])),
        (plug, mdns::offer("Plug", "plug", plug.ip, &[("_hap._tcp", 80, &["md=Outlet 2", "ci=7"])])),
    ] {
        let seen = Host { mac: rewritten(client.mac), ..client };
        site.leases(client, Client { name: b"", through: Some(seen.mac), ..Client::default() });
        site.asks(seen).mdns(seen, &says).surfs(seen, 443, b"x");
    }
    let counted = site.counted();
    assert_eq!(counted.is(camera).0, "camera");
    counted
}

#[test]
fn clients_of_a_repeater_that_writes_another_mac_count_once() {
    let plain = repeated(|mac| mac).numbers();
    assert_eq!(plain[1], 2);
    assert_eq!(repeated(|_| [0x74, 0xda, 0x88, 0x31, 4, 0x26]).numbers(), plain, "its own");
    let local = |[_, _, _, d, e, f]: Mac| [0x76, 0xda, 0x88, d, e, f];
    assert_eq!(repeated(local).numbers(), plain, "one with its prefix for each client");
}

#[test]
fn switches_with_the_name_of_their_make_are_not_one() {
    let named = |names: [&[u8]; 2]| {
        let mut site = Site::new();
        for (n, name) in [(1, names[0]), (2, names[1])] {
            let switch = host([0x70, 0x6b, 0xb9, 0x31, n, 1], 32 + n);
            let gear = Gear {
                name,
                description: "Cisco IOS Software, C3560CX Software (C3560CX-UNIVERSALK9-M), Version 15.2(7)E3",
                platform: "cisco WS-C3560CX-8PC-S",
                ip: switch.ip,
            };
            site.cdp(switch.mac, &neighbours::cdp(&gear)).wait(70).cdp(switch.mac, &neighbours::cdp(&gear));
            site.asks(switch);
        }
        site.counted().numbers()
    };
    assert_eq!(named([b"north", b"south"]), [3, 0, 0]);
    assert_eq!(named([b"Switch", b"Switch"]), [3, 0, 0]);
}

#[test]
fn power_strips_with_one_engine_id_and_serial_numbers_of_their_own_are_not_one() {
    let strips = |id: &dyn Fn(u8) -> Vec<u8>| {
        let mut site = Site::new();
        for n in 1..=3 {
            let strip = host([0x00, 0xc0, 0xb7, 0x31, n, 7], 35 + n);
            let text = format!(
                "APC Web/SNMP Management Card (MB:v4.3.0 PF:v7.0.6 PN:apc_hw21_aos.bin AN1:apc_hw21_rpdu2g.bin MN:AP7921 HR:05 SN: ZA20310040{n}) "
            );
            for _ in 0..2 {
                site.asks(strip).udp(strip, ASKER, (161, 40_000), 64, &snmp::engine(&id(n)));
                site.udp(strip, ASKER, (161, 40_001), 64, &snmp::description(&text)).wait(70);
            }
        }
        site.counted().assert(1, 3, 0).numbers()
    };
    strips(&|n| [&[0x80, 0, 0x1f, 0x88, 4][..], b"strip-", &[b'0' + n]].concat());
    strips(&|_| [&[0x80, 0, 0x1f, 0x88, 4][..], b"card"].concat());
}

#[test]
fn hosts_that_were_copied_from_one_image_are_not_one() {
    const COPIES: [(&[u8], &[u8]); 3] = [
        (b"bench-a", &[255, 0, 0, 0, 1, 0, 2, 0, 0, 0xab, 0x11, 1, 2, 3, 4, 5, 6, 7, 8]),
        (b"bench-b", &[255, 0, 0, 0, 2, 0, 2, 0, 0, 0xab, 0x11, 1, 2, 3, 4, 5, 6, 7, 8]),
        (b"bench-c", &[255, 0, 0, 0, 3, 0, 2, 0, 0, 0xab, 0x11, 1, 2, 3, 4, 5, 6, 7, 8]),
    ];
    let mut site = Site::new();
    let card =
        |n: usize| host([0xe4, 0x5f, 0x01, 0x31, 4, u8::try_from(n).unwrap()], 40 + u8::try_from(n).unwrap());
    for _ in 0..2 {
        for (n, (name, id)) in COPIES.into_iter().enumerate() {
            site.leases(card(n), Client { name, id, ..Client::default() }).asks(card(n));
            site.surfs(card(n), 443, b"x");
        }
        site.wait(120);
    }
    let counted = site.counted();
    for (n, (name, _)) in COPIES.into_iter().enumerate() {
        let device = counted.device(card(n));
        assert_eq!((device.couplings.len(), device.name.as_deref()), (1, std::str::from_utf8(name).ok()));
    }
}

#[test]
fn who_answers_for_the_broadcast_address_or_for_hundred_others_is_one_device() {
    let display = host([0x1c, 0x53, 0xf9, 0x31, 4, 0x2c], 44);
    let says = mdns::offer(
        "Hall",
        "hall",
        display.ip,
        &[("_googlecast._tcp", 8009, &["md=Google Nest Hub Max", "fn=Hall"])],
    );
    for known in [false, true] {
        let mut site = Site::new();
        if known {
            site.leases(
                LAPTOP,
                Client {
                    name: b"LAPTOP-7Q2R9KD1",
                    class: "MSFT 5.0",
                    parameters: WINDOWS,
                    ..Client::default()
                },
            );
        }
        site.asks(display).mdns(display, &says).answers(display);
        for last in [255, 0] {
            site.answers(Host { ip: [10, 31, 4, last], ..display });
        }
        let counted = site.counted();
        counted.assert(1, 1, u64::from(known));
        assert_eq!(counted.is(display).0, "smart_speaker");
    }
    let (server, mut site) = server();
    for last in 100..200 {
        site.answers(Host { ip: [10, 31, 4, last], ..server });
    }
    let counted = site.counted();
    counted.assert(1, 0, 1);
    assert_eq!(counted.couplings(server), 101);
}

#[test]
fn a_vpn_gateway_that_passes_on_the_packets_of_its_clients_is_one_device() {
    let vpn = host([0x00, 0x1b, 0x17, 0x31, 4, 0x2d], 45);
    let gear = Gear {
        name: b"vpn-7",
        description: "Palo Alto Networks PA-440 series firewall",
        platform: "",
        ip: vpn.ip,
    };
    let mut site = Site::new();
    site.asks(vpn).lldp(vpn.mac, &neighbours::lldp(&gear, vpn.mac, "mgmt"));
    for last in 210..230 {
        let client = Host { ip: [10, 31, 4, last], ..vpn };
        site.answers(client).tcp(client, ASKER, (50_000, 445), 127, b"x").tcp(
            client,
            ASKER,
            (50_000, 445),
            127,
            b"y",
        );
    }
    let counted = site.counted();
    counted.assert(2, 0, 0);
    assert_eq!(counted.couplings(vpn), 21);
}

#[test]
fn an_address_from_before_the_lease_is_no_second_device_unless_it_stays_in_use() {
    let camera = host([0xbc, 0x32, 0x5f, 0x31, 4, 0x2f], 47);
    let factory = Host { ip: [192, 168, 1, 64], ..camera };
    let says = mdns::offer("Dock", "dock", camera.ip, &[("_hap._tcp", 80, &["md=Dock Cam", "ci=17"])]);
    let mut site = Site::new();
    site.announces(factory).announces(factory).wait(20);
    site.leases(camera, Client::default()).asks(camera).mdns(camera, &says);
    let counted = site.counted();
    counted.assert(1, 1, 0);
    assert_eq!(counted.couplings(camera), 2);
    let says = mdns::offer("Dock", "dock", factory.ip, &[("_hap._tcp", 80, &["md=Dock Cam", "ci=17"])]);
    for _ in 0..2 {
        site.wait(60).asks(factory).answers(factory).mdns(factory, &says).asks(camera);
    }
    site.counted().assert(1, 2, 0);
}

#[test]
fn a_telephone_that_asks_from_the_networks_it_came_from_is_billed_nowhere() {
    let phone = host([0x64, 0xa2, 0xf9, 0x31, 4, 0x30], 48);
    let mut site = Site::new();
    for ip in [[10, 88, 0, 44], [192, 168, 178, 31]] {
        site.asks(Host { ip, ..phone });
    }
    site.leases(phone, Client { name: b"OnePlus-12R", class: "android-dhcp-14", ..Client::default() });
    site.asks(phone).surfs(phone, 443, b"x");
    let counted = site.counted();
    assert_eq!(counted.numbers()[..2], [1, 0], "{}", counted.summary());
}

#[test]
fn the_client_of_a_relay_has_its_own_card_whichever_side_is_mirrored() {
    let (inside, outside) = (
        Host { mac: [0x70, 0x6b, 0xb9, 0x31, 6, 1], ..GATEWAY },
        Host { mac: [0x70, 0x6b, 0xb9, 0x31, 6, 2], ip: [10, 31, 9, 1] },
    );
    let server = Host { mac: [0x52, 0x54, 0, 0x31, 9, 9], ip: [10, 31, 9, 9] };
    let all = Host { mac: BROADCAST, ip: [255; 4] };
    let client = Client { name: b"yard", ..Client::default() };
    let says = mdns::offer("Yard", "yard", CAMERA.ip, &[("_hap._tcp", 80, &["md=Welcome Cam 3", "ci=17"])]);
    let mut site = Site::default();
    site.udp(
        Host { ip: [0; 4], ..CAMERA },
        all,
        (68, 67),
        64,
        &dhcp::request(3, CAMERA.mac, CAMERA.ip, &client),
    );
    site.udp(
        Host { ip: inside.ip, ..outside },
        server,
        (67, 67),
        64,
        &dhcp::relayed(3, CAMERA.mac, CAMERA.ip, &client, inside.ip),
    );
    site.udp(
        server,
        Host { ip: inside.ip, ..outside },
        (67, 67),
        64,
        &dhcp::ack(CAMERA.mac, CAMERA.ip, server.ip, inside.ip),
    );
    site.udp(inside, CAMERA, (67, 68), 64, &dhcp::ack(CAMERA.mac, CAMERA.ip, server.ip, inside.ip));
    site.asks(inside).asks(outside).answers(server).asks(CAMERA).mdns(CAMERA, &says);
    let counted = site.counted();
    assert_eq!(counted.numbers()[1..], [1, 0], "{}", counted.summary());
    assert_eq!((counted.couplings(CAMERA), counted.device(CAMERA).mac.0), (1, CAMERA.mac));
    // It renews its lease through the router; the copy behind the router has the router's MAC and a lower TTL.
    site.udp(
        CAMERA,
        Host { mac: inside.mac, ..server },
        (68, 67),
        64,
        &dhcp::request(3, CAMERA.mac, CAMERA.ip, &client),
    );
    site.udp(
        Host { mac: outside.mac, ..CAMERA },
        server,
        (68, 67),
        63,
        &dhcp::request(3, CAMERA.mac, CAMERA.ip, &client),
    );
    site.udp(
        server,
        Host { mac: outside.mac, ..CAMERA },
        (67, 68),
        64,
        &dhcp::ack(CAMERA.mac, CAMERA.ip, server.ip, [0; 4]),
    );
    site.udp(
        Host { mac: inside.mac, ..server },
        CAMERA,
        (67, 68),
        63,
        &dhcp::ack(CAMERA.mac, CAMERA.ip, server.ip, [0; 4]),
    );
    let renewed = site.counted();
    assert_eq!(renewed.numbers()[1..], [1, 0], "{}", renewed.summary());
    assert_eq!((renewed.couplings(CAMERA), renewed.device(CAMERA).mac.0), (1, CAMERA.mac));
}

#[test]
fn a_telephone_that_leaks_an_address_of_its_mobile_network_is_no_router() {
    let mut site = Site::new();
    for n in 0..6 {
        let phone = host([0xb6, 0x1d, 0x77, 0x31, 4, n], 70 + n);
        let leak = Host { ip: [26, 91, 7, 20 + n], ..phone };
        site.asks(phone).surfs(phone, 443, b"x").surfs(leak, 443, b"x");
    }
    let counted = site.counted();
    counted.assert(1, 0, 0);
    assert_eq!(counted.excluded(Verdict::Public), 6 + 2, "{}", counted.summary());
}

#[test]
fn a_switch_whose_ports_and_management_have_macs_of_their_own_is_one_device() {
    let base: Mac = [0x94, 0x18, 0x82, 0x31, 4, 0x80];
    let managed = host(base, 80);
    let gear = Gear {
        name: b"closet-2",
        description: "Aruba JL256A 2930F-48G-PoE+-4SFP+ Switch, revision WC.16.11.0012",
        platform: "cisco WS-C2960X-24TS-L",
        ip: managed.ip,
    };
    // The chassis is the management card, or another part of the switch.
    for (chassis, by_cdp) in [(base, false), ([0x94, 0x18, 0x82, 0x31, 4, 0x81], false), (base, true)] {
        let mut site = Site::new();
        for _ in 0..2 {
            for port in [0x8b, 0xa0] {
                let mac = [0x94, 0x18, 0x82, 0x31, 4, port];
                if by_cdp {
                    site.cdp(mac, &neighbours::cdp(&gear));
                } else {
                    site.lldp(mac, &neighbours::lldp(&gear, chassis, &port.to_string()));
                }
            }
            site.asks(managed).answers(managed).udp(
                managed,
                ASKER,
                (161, 40_000),
                64,
                &snmp::description(gear.description),
            );
            site.serves(managed, 22, b"SSH-2.0-Mocana SSH 6.3 \r\n").wait(70);
        }
        let counted = site.counted();
        counted.assert(2, 0, 0);
        assert_eq!((counted.couplings(managed), counted.is(managed).0), (3, "switch"));
        assert!(counted.findings().is_empty(), "{:?}", counted.findings());
    }
    let point = host([0x20, 0x4c, 0x03, 0x31, 4, 0x82], 82);
    let gear = Gear {
        name: b"ap-4",
        description: "ArubaOS (MODEL: 535), Version Aruba AP 8.11.2.1",
        platform: "",
        ip: point.ip,
    };
    let mut site = Site::new();
    site.lldp(point.mac, &neighbours::lldp(&gear, point.mac, "eth0")).asks(point);
    site.counted().assert(2, 0, 0);
}
