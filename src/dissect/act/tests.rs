//! Which acts a frame shows its sender to do, and which it does not.

use etherparse::PacketBuilder;

use crate::dissect::LinkType;
use crate::dissect::tests::{A, B, HOST, PEER, arp, frame, recorded};

const CLIENT: u16 = 40_000;
const NONE: [&str; 0] = [];

/// The acts of a frame, each as its kind and label.
fn acts(data: &[u8]) -> Vec<String> {
    let (_, also) = recorded(LinkType::Ethernet, data).all();
    let part = |act: &str, name: &str, end: &str| {
        let start = act.split_once(name).map(|(_, rest)| rest.to_owned()).unwrap_or_default();
        start.split(end).next().unwrap_or_default().to_owned()
    };
    let of = |act: &String| {
        format!("{} {}", part(act, "kind: ", ","), part(act, "label: \"", "\"")).trim_end().to_owned()
    };
    also.iter().filter(|line| line.contains(" did Act ")).map(of).collect()
}

/// A segment of `HOST` to `PEER`.
fn segment(ports: (u16, u16), body: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    PacketBuilder::ethernet2(A, B)
        .ipv4(HOST, PEER, 64)
        .tcp(ports.0, ports.1, 7, 1_024)
        .ack(1)
        .write(&mut out, body)
        .unwrap();
    acts(&out)
}

fn datagram(ports: (u16, u16), body: &[u8]) -> Vec<String> {
    acts(&crate::dissect::tests::udp(B, PEER, 64, ports, body))
}

/// A segment without a payload, to a peer, with the flags that `set` sets.
fn flags(peer: [u8; 4], port: u16, flags: u8) -> Vec<String> {
    let mut out = Vec::new();
    PacketBuilder::ethernet2(A, B)
        .ipv4(HOST, peer, 64)
        .tcp(CLIENT, port, 0, 1_024)
        .write(&mut out, &[])
        .unwrap();
    out[14 + 20 + 13] = flags;
    acts(&out)
}

fn server(port: u16, body: &[u8]) -> Vec<String> {
    segment((port, CLIENT), body)
}

fn client(port: u16, body: &[u8]) -> Vec<String> {
    segment((CLIENT, port), body)
}

#[test]
fn a_segment_that_opens_shows_the_port_and_the_host() {
    assert_eq!(flags(PEER, 80, 0x02), ["OpensPorts", "OpensHosts"]);
    assert_eq!(flags(PEER, 502, 0x02), ["OpensPorts", "OpensHosts", "OpensControl"]);
    for odd in [0x01, 0x00, 0x29] {
        assert_eq!(flags(PEER, 80, odd), ["OpensPorts", "OpensHosts"], "{odd:02x}");
    }
    assert_eq!(flags([93, 184, 216, 34], 23, 0x02), ["OpensPublic", "Shows internet", "Reaches", "Returns"]);
}

#[test]
fn answers_bare_acknowledgements_and_browsing_open_nothing() {
    assert_eq!(flags([93, 184, 216, 34], 443, 0x02), ["Shows internet"]);
    assert_eq!(flags(PEER, 80, 0x10), NONE, "an acknowledgement");
    assert_eq!(flags(PEER, 80, 0x11), NONE, "the end of a connection");
    assert_eq!(flags(PEER, 80, 0x12), NONE, "an answer");
    assert_eq!(flags(PEER, 50_000, 0x02), NONE, "a port that was drawn");
}

#[test]
fn a_closed_port_tells_who_knocked() {
    let mut refusal = Vec::new();
    let answer = PacketBuilder::ethernet2(A, B).ipv4(HOST, PEER, 64).tcp(80, CLIENT, 0, 0).rst().ack(1);
    answer.write(&mut refusal, &[]).unwrap();
    assert_eq!(acts(&refusal), ["Closes tcp"]);
    let mut out = Vec::new();
    PacketBuilder::ethernet2(A, B)
        .ipv4(HOST, PEER, 64)
        .tcp(80, CLIENT, 9, 0)
        .rst()
        .ack(1)
        .write(&mut out, &[])
        .unwrap();
    assert_eq!(acts(&out), NONE, "a reset of a connection has a sequence number");
}

/// A report that a datagram between these ports met nobody.
fn unreachable(ports: (u16, u16)) -> Vec<String> {
    let mut quoted = Vec::new();
    PacketBuilder::ipv4(PEER, HOST, 64).udp(ports.0, ports.1).write(&mut quoted, &[0; 4]).unwrap();
    let icmp = [&[3, 3, 0, 0, 0, 0, 0, 0][..], &quoted].concat();
    let mut out = Vec::new();
    PacketBuilder::ethernet2(A, B)
        .ipv4(HOST, PEER, 64)
        .write(&mut out, etherparse::IpNumber::ICMP, &icmp)
        .unwrap();
    acts(&out)
}

#[test]
fn a_report_of_icmp_tells_who_knocked_and_not_who_answered_late() {
    assert_eq!(unreachable((CLIENT, 161)), ["Closes udp"]);
    assert_eq!(unreachable((53, 20_000)), NONE, "an answer to a client that left");
    assert_eq!(unreachable((CLIENT, 33_434)), NONE, "traceroute");
}

#[test]
fn asking_by_arp_counts_and_announcing_does_not() {
    let ask = |target| acts(&frame([0xff; 6], A, 0x0806, &arp(1, A, HOST, target)));
    assert_eq!(ask(PEER), ["AsksArp"]);
    assert_eq!(ask(HOST), NONE);
    assert_eq!(acts(&frame(B, A, 0x0806, &arp(2, A, HOST, PEER))), NONE);
}

#[test]
fn servers_refuse_and_admit() {
    let smb = |status: u32| {
        let mut body = vec![0, 0, 0, 68, 0xfe, b'S', b'M', b'B', 64, 0, 0, 0];
        body.extend(status.to_le_bytes());
        body.extend([1, 0, 0, 0, 1, 0, 0, 0]);
        body.resize(72, 0);
        body
    };
    for (port, body, want) in [
        (21, &b"530 Login incorrect.\r\n"[..], "Refuses ftp"),
        (25, b"535 5.7.8 Error: authentication failed\r\n", "Refuses smtp"),
        (587, b"235 2.7.0 Authentication successful\r\n", "Admits smtp"),
        (23, b"\r\nLogin incorrect\r\nlogin: ", "Refuses telnet"),
        (110, b"-ERR [AUTH] Authentication failed.\r\n", "Refuses pop3"),
        (110, b"+OK Logged in.\r\n", "Admits pop3"),
        (143, b"a1 NO [AUTHENTICATIONFAILED] Authentication failed.\r\n", "Refuses imap"),
        (389, &[0x30, 12, 2, 1, 1, 0x61, 7, 0x0a, 1, 49, 4, 0, 4, 0], "Refuses ldap"),
        (445, &smb(0xc000_006d), "Refuses smb"),
        (445, &smb(0), "Admits smb"),
        (1883, &[0x20, 2, 0, 5], "Refuses mqtt"),
        (3306, &[20, 0, 0, 2, 0xff, 0x15, 0x04, b'#', b'2'], "Refuses mysql"),
        (5900, &[0, 0, 0, 1, 0, 0, 0, 4, b'n', b'o', b'p', b'e'], "Refuses vnc"),
    ] {
        assert!(server(port, body).iter().any(|act| act == want), "{want}: {:?}", server(port, body));
    }
}

#[test]
fn other_answers_refuse_nobody() {
    let smb_more = [
        &[0, 0, 0, 68, 0xfe, b'S', b'M', b'B', 64, 0, 0, 0, 0x16, 0, 0, 0xc0, 1, 0, 0, 0, 1, 0, 0, 0][..],
        &[0; 48],
    ]
    .concat();
    for (port, body) in [
        (21, &b"550 Failed to open file.\r\n"[..]),
        (25, b"550 5.1.1 No such user\r\n"),
        (110, b"-ERR There's no message 7.\r\n"),
        (143, b"a7 NO [TRYCREATE] No such box\r\n"),
        (445, &smb_more),
        (1883, &[0x20, 2, 0, 3]),
        (8080, b"530 Login incorrect.\r\n"),
    ] {
        assert!(server(port, body).iter().all(|act| !act.starts_with("Refuses")), "{:?}", server(port, body));
    }
    let said = client(21, b"530 Login incorrect.\r\n");
    assert_eq!(said, NONE, "a client refuses nobody");
}

#[test]
fn a_server_greets_and_a_client_does_not() {
    assert_eq!(server(22, b"SSH-2.0-OpenSSH_9.2\r\n"), ["Greets ssh", "Shows ssh_2"]);
    assert_eq!(client(22, b"SSH-2.0-OpenSSH_9.2\r\n"), NONE);
    assert_eq!(server(5900, b"RFB 003.008\n"), ["Greets vnc"]);
}

#[test]
fn default_passwords_are_told_apart_from_others_and_none_is_kept() {
    let basic = |pair: &str| format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {pair}\r\n\r\n");
    assert_eq!(client(80, basic("YWRtaW46YWRtaW4=").as_bytes()), ["Presents http", "TriesDefault admin"]);
    assert_eq!(client(80, basic("bGFiOlRyNGluLUxhbXA=").as_bytes()), ["Presents http"]);
    assert_eq!(client(80, b"GET / HTTP/1.1\r\nAuthorization: Bearer YWRtaW46YWRtaW4=\r\n\r\n"), NONE);
    assert_eq!(client(143, b"a1 LOGIN \"admin\" \"admin\"\r\n"), ["TriesDefault admin"]);
    let connect =
        [&[0x10, 27, 0, 4][..], b"MQTT", &[4, 0xc2, 0, 60, 0, 1, b'c', 0, 5], b"admin", &[0, 5], b"admin"]
            .concat();
    assert_eq!(client(1883, &connect), ["Shows mqtt_user", "TriesDefault admin"]);
}

#[test]
fn a_client_maps_a_port_or_mines() {
    let soap = b"POST /ctl HTTP/1.1\r\nSOAPAction: \"urn:schemas-upnp-org:service:WANIPConnection:1#AddPortMapping\"\r\n\r\n";
    assert_eq!(client(5_000, soap), ["Maps upnp"]);
    let ask = b"POST /ctl HTTP/1.1\r\nSOAPAction: \"urn:schemas-upnp-org:service:WANIPConnection:1#GetExternalIPAddress\"\r\n\r\n";
    assert_eq!(client(5_000, ask), NONE);
    assert_eq!(datagram((CLIENT, 5351), &[0, 2, 0, 0, 2, 42, 33, 106, 0, 0, 28, 32]), ["Maps pcp"]);
    assert_eq!(
        datagram((CLIENT, 5351), &[0, 2, 0, 0, 2, 42, 0, 0, 0, 0, 0, 0]),
        NONE,
        "a mapping is taken back"
    );
    let mine = b"{\"id\": 1, \"method\": \"mining.subscribe\", \"params\": []}\n";
    assert_eq!(client(3_333, mine), ["Mines stratum"]);
    assert_eq!(client(3_333, b"{\"id\": 1, \"method\": \"eth_blockNumber\", \"params\": []}\n"), NONE);
}

/// A job of S7 communication with these parameters.
fn s7(parameters: &[u8]) -> Vec<String> {
    let length = u8::try_from(17 + parameters.len()).unwrap();
    let head = [
        3,
        0,
        0,
        length,
        2,
        0xf0,
        0x80,
        0x32,
        1,
        0,
        0,
        0,
        1,
        0,
        u8::try_from(parameters.len()).unwrap(),
        0,
        0,
    ];
    client(102, &[&head[..], parameters].concat())
}

#[test]
fn masters_command_and_readers_do_not() {
    assert_eq!(s7(b"\x29\0\0\0\0\0\x09P_PROGRAM"), ["Commands s7_stop"]);
    assert_eq!(s7(b"\x28\0\0\0\0\0\0\xfd\0\0\x09P_PROGRAM"), ["Commands s7_start"]);
    assert_eq!(s7(b"\x28\0\0\0\0\0\0\xfd\0\x0a\x01\x00800010001P\x05_INSE"), ["Commands s7_download"]);
    assert_eq!(s7(b"\x28\0\0\0\0\0\0\xfd\0\x02EP\x05_MODU"), NONE, "copies its memory");
    assert_eq!(s7(b"\x04\x01\x12\x0a\x10\x02\0\x08\0\x01\x84\0\0\0"), NONE, "reads a variable");
    let modbus = |function: u8| client(502, &[0, 1, 0, 0, 0, 6, 1, function, 0, 1, 0, 1]);
    assert_eq!(modbus(6), ["Commands modbus_write"]);
    assert_eq!(modbus(8), ["Commands modbus_restart"]);
    assert_eq!(modbus(3), NONE);
    assert_eq!(server(502, &[0, 1, 0, 0, 0, 6, 1, 6, 0, 1, 0, 1]), NONE, "the answer of a server");
    let dnp3 = |function: u8| client(20_000, &[5, 0x64, 8, 0xc4, 10, 0, 1, 0, 0, 0, 0xc0, 0xc0, function]);
    assert_eq!(dnp3(13), ["Commands dnp3_restart"]);
    assert_eq!(dnp3(5), ["Commands dnp3_control"]);
    assert_eq!(dnp3(1), NONE);
    let iec104 =
        |kind: u8, cause: u8| client(2404, &[0x68, 14, 0, 0, 0, 0, kind, 1, cause, 0, 1, 0, 1, 0, 0, 1]);
    assert_eq!(iec104(45, 6), ["Commands iec104_control"]);
    assert_eq!(iec104(105, 6), ["Commands iec104_restart"]);
    assert_eq!(iec104(45, 7), NONE, "a confirmation");
    assert_eq!(iec104(100, 6), NONE, "an interrogation");
    let bacnet = |service: u8| datagram((47_808, 47_808), &[0x81, 10, 0, 12, 1, 4, 0, 5, 1, service, 9, 0]);
    assert_eq!(bacnet(20), ["Commands bacnet_restart"]);
    assert_eq!(bacnet(15), ["Commands bacnet_write"]);
    assert_eq!(bacnet(12), NONE);
    let cip = |service: u8, class: u8| {
        let head = [&[0x6f, 0, 22, 0][..], &[0; 26], &[2, 0, 0, 0, 0, 0, 0xb2, 0, 6, 0]].concat();
        client(44_818, &[&head[..], &[service, 2, 0x20, class, 0x24, 1]].concat())
    };
    assert_eq!(cip(7, 0x8e), ["Commands cip_stop"]);
    assert_eq!(cip(5, 1), ["Commands cip_reset"]);
    assert_eq!(cip(5, 0x8e), NONE, "a reset of another object");
    assert_eq!(cip(14, 1), NONE);
}

#[test]
fn firmware_names_itself() {
    assert_eq!(datagram((CLIENT, 69), b"\0\x02image.BIN\0octet\0"), ["MovesFirmware tftp_write"]);
    assert_eq!(datagram((CLIENT, 69), b"\0\x01startup-config\0octet\0"), NONE);
    assert_eq!(client(9_100, b"\x1b%-12345X@PJL\r\n@PJL UPGRADE SIZE=100\r\n"), ["MovesFirmware pjl"]);
    assert_eq!(client(9_100, b"\x1b%-12345X@PJL JOB NAME=\"a\"\r\n"), NONE);
}

fn question(name: &str, kind: u16) -> Vec<u8> {
    let mut out = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        out.push(u8::try_from(label.len()).unwrap());
        out.extend(label.bytes());
    }
    out.push(0);
    out.extend(kind.to_be_bytes());
    out.extend([0, 1]);
    out
}

fn asks(name: &str, kind: u16) -> Vec<String> {
    datagram((CLIENT, 53), &question(name, kind))
}

#[test]
fn names_that_carry_data_are_told_apart_from_long_ones() {
    assert_eq!(
        asks("0ibad82hbvyxrpubi2b6zs2aaoxwcy.t.example.org", 1),
        ["AsksNames example.org", "AsksLong"]
    );
    assert_eq!(asks("yrbezu", 10), NONE, "nothing below a domain");
    assert_eq!(asks("yrbezu.t.example.org", 10), ["AsksNames example.org"]);
    for name in [
        "internal-prod-web-alb-1234567890.eu-west-1.elb.amazonaws.com",
        "web-frontend-deployment-7.backend.production.svc.cluster.example.net",
        "d3aq8x7v5k1l2.cloudfront.net",
        "0123456789abcdef0123456789abcdef.ebl.msbl.org",
        "4.3.2.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
    ] {
        assert_eq!(asks(name, 1), NONE, "{name}");
    }
    assert_eq!(asks("selector1-example-com._domainkey.example.com", 16), NONE);
    assert_eq!(asks("_dmarc.example.com", 16), NONE);
    assert_eq!(asks("4.3.2.1.zen.spamhaus.org", 16), NONE);
    assert_eq!(asks("hvMAAAABBA.srv.tunnel.com", 16), ["AsksNames tunnel.com"]);
}

#[test]
fn a_country_has_a_second_level() {
    assert_eq!(
        asks("0ibad82hbvyxrpubi2b6zs2aaoxwcy.t.example.co.uk", 1),
        ["AsksNames example.co.uk", "AsksLong"]
    );
}

#[test]
fn who_answers_for_names_is_noted_and_who_has_none_is_not() {
    let llmnr = |flags: u8, answers: u8, name: &str| {
        let mut out = question(name, 1);
        (out[2], out[3], out[7]) = (flags, 0, answers);
        datagram((5355, CLIENT), &out)
    };
    assert_eq!(llmnr(0x80, 1, "fileserv"), ["AnswersNames llmnr"]);
    assert_eq!(llmnr(0x80, 1, "wpad"), ["AnswersNames llmnr", "AnswersNames wpad"]);
    assert_eq!(llmnr(0x80, 0, "fileserv"), NONE, "an answer without an address");
    assert_eq!(llmnr(0, 0, "fileserv"), NONE, "a question");
}

#[test]
fn answers_show_how_a_device_is_administered() {
    for (port, body, want) in [
        (
            80,
            &b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"a\"\r\n\r\n"[..],
            "Shows http_basic",
        ),
        (
            80,
            b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"a\"\r\n\r\n",
            "Shows http_digest",
        ),
        (
            554,
            b"RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"a\"\r\n\r\n",
            "Shows rtsp_basic",
        ),
        (554, b"RTSP/1.0 200 OK\r\nContent-Type: application/sdp\r\n\r\n", "Shows rtsp_describes"),
        (23, &[0xff, 0xfd, 24], "Shows telnet"),
        (23, b"router login: ", "Shows telnet_login"),
        (23, b"\r\nrouter# ", "Shows telnet_prompt"),
        (21, b"230 Login successful.\r\n", "Shows ftp_clear"),
        (21, b"234 Proceed with negotiation.\r\n", "Shows ftp_tls"),
        (3389, &[3, 0, 0, 19, 14, 0xd0, 0, 0, 0, 0, 0, 2, 0, 8, 0, 0, 0, 0, 0], "Shows rdp_plain"),
        (3389, &[3, 0, 0, 19, 14, 0xd0, 0, 0, 0, 0, 0, 2, 0, 8, 0, 2, 0, 0, 0], "Shows rdp_nla"),
        (5900, &[1, 1], "Shows vnc_open"),
        (5900, &[1, 2], "Shows vnc_password"),
    ] {
        assert!(server(port, body).iter().any(|act| act == want), "{want}: {:?}", server(port, body));
    }
    assert_eq!(server(5900, &[1, 0]), NONE, "refuses all");
}

#[test]
fn an_agent_answers_with_the_community_that_it_was_asked_with() {
    let response = |version: u8, community: &[u8]| {
        let body =
            [&[2, 1, version, 4, u8::try_from(community.len()).unwrap()], community, &[0xa2, 0]].concat();
        [&[0x30, u8::try_from(body.len()).unwrap()][..], &body].concat()
    };
    assert_eq!(datagram((161, CLIENT), &response(1, b"public")), ["Shows snmp_v2c", "Shows snmp_default"]);
    assert_eq!(datagram((161, CLIENT), &response(0, b"Mon1tor")), ["Shows snmp_v1"]);
    assert_eq!(datagram((CLIENT, 161), &response(1, b"public")), NONE, "who asks shows nothing");
}

#[test]
fn of_sixteen_ports_one_counts_for_a_flood() {
    let knock = |port: u16| {
        let mut out = Vec::new();
        let segment =
            PacketBuilder::ethernet2(A, B).ipv4(HOST, [93, 184, 216, 34], 64).tcp(port, 80, 0, 1_024).syn();
        segment.write(&mut out, &[]).unwrap();
        acts(&out).contains(&"Floods".to_owned())
    };
    for start in [1_024, 32_768, 60_000] {
        let n = (start..start + 1_024).filter(|port| knock(*port)).count();
        assert!((60..=68).contains(&n), "{n} of the ports from {start} on");
        let even = (start..start + 2_048).step_by(2).filter(|port| knock(*port)).count();
        assert!((60..=68).contains(&even), "{even} of the even ports from {start} on");
    }
}

/// A resolver's answer about a name, and what it tells.
fn resolved(name: &str, flags: u16) -> Vec<String> {
    let mut body = [&[0, 1][..], &flags.to_be_bytes(), &[0, 1, 0, 0, 0, 0, 0, 0]].concat();
    for label in name.split('.') {
        body.push(u8::try_from(label.len()).unwrap());
        body.extend(label.bytes());
    }
    body.extend([0, 0, 1, 0, 1]);
    datagram((53, CLIENT), &body)
}

#[test]
fn a_name_that_does_not_exist_is_what_the_receiver_asked_for() {
    assert_eq!(resolved("a.qzxv.com", 0x8183), ["Misses"]);
    assert_eq!(resolved("a.qzxv.com", 0x8180), NONE, "it exists");
    assert_eq!(resolved("a.qzxv.com", 0x8182), NONE, "the resolver failed");
    for own in ["wpad", "wpad.lan", "nas.local", "4.3.2.1.in-addr.arpa", "db.corp"] {
        assert_eq!(resolved(own, 0x8183), NONE, "{own}");
    }
}

#[test]
fn an_smb_server_tells_whether_it_requires_signatures() {
    let negotiated = |mode: u8| {
        let mut body = vec![0, 0, 0, 128, 0xfe, b'S', b'M', b'B', 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1];
        body.resize(4 + 64, 0);
        body.extend([65, 0, mode, 0, 0x11, 3]);
        server(445, &body)
    };
    assert_eq!(negotiated(1), ["Shows smb_2", "Shows smb_unsigned"]);
    assert_eq!(negotiated(3), ["Shows smb_2", "Shows smb_signs"]);
}

#[test]
fn log_ins_in_clear_are_shown_by_pages_mailboxes_and_telephones() {
    let page = b"HTTP/1.1 200 OK\r\n\r\n<form><input type=\"password\" name=\"p\"></form>";
    assert_eq!(server(80, page), ["Shows login_form"]);
    assert_eq!(server(80, b"HTTP/1.1 200 OK\r\n\r\n<form><input type=\"text\"></form>"), NONE);
    assert!(server(110, b"+OK Logged in.\r\n").contains(&"Shows pop3_clear".to_owned()));
    let digest =
        b"SIP/2.0 401 Unauthorized\r\nCSeq: 1 REGISTER\r\nWWW-Authenticate: Digest realm=\"a\"\r\n\r\n";
    assert!(datagram((5060, 5060), digest).contains(&"Shows sip_digest".to_owned()));
}

/// A message of LDAP with this operation.
fn directory(operation: u8, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).unwrap();
    [&[0x30, length + 5, 2, 1, 7, operation, length][..], body].concat()
}

#[test]
fn a_bind_with_a_password_in_clear_is_told_apart_from_others() {
    let bind =
        |secret: &[u8]| directory(0x60, &[&[2, 1, 3, 4, 4, b'c', b'n', b'=', b'a'][..], secret].concat());
    let simple = bind(&[0x80, 2, b'p', b'w']);
    assert_eq!(client(389, &simple), ["Shows ldap_binds"]);
    assert_eq!(client(3268, &simple), ["Shows ldap_binds"]);
    let otherwise = ["Shows ldap_binds_otherwise"];
    assert_eq!(client(389, &bind(&[0x80, 0])), otherwise, "a name without a password is nobody's");
    assert_eq!(client(389, &bind(&[0xa3, 5, 4, 3, b'G', b'S', b'S'])), otherwise, "SASL");
    assert_eq!(client(389, &directory(0x60, &[2, 1, 3, 4, 0, 0x80, 1, b'x'])), otherwise, "nobody's name");
    assert_eq!(client(389, &bind(&[0x85, 1, b'x'])), NONE, "no kind of a secret that is known");
    assert_eq!(server(389, &simple), NONE, "a server binds to nobody");
    for end in 0..simple.len() - 2 {
        assert_eq!(client(389, &simple[..end]), NONE, "{end}");
    }
}

#[test]
fn a_directory_says_that_it_wants_more_than_a_password() {
    let answer = |code: u8| directory(0x61, &[0x0a, 1, code, 4, 0, 4, 0]);
    assert_eq!(server(389, &answer(8)), ["Shows ldap_requires"]);
    assert_eq!(server(389, &answer(13)), ["Shows ldap_requires"]);
    assert_eq!(server(389, &answer(0)), ["Admits ldap"]);
    assert_eq!(server(389, &answer(32)), NONE, "no such object");
    let hello = [&[22, 3, 3, 0, 48, 2, 0, 0, 44, 3, 3][..], &[9; 32], &[0, 0xc0, 0x2f, 0, 0, 0]].concat();
    assert!(server(389, &hello).contains(&"Shows ldap_tls".to_owned()), "{:?}", server(389, &hello));
    assert!(!server(443, &hello).contains(&"Shows ldap_tls".to_owned()));
}

/// A question of `HOST` for `a.example` to a resolver, with these flags.
fn asked(resolver: [u8; 4], flags: u16) -> Vec<String> {
    let head = [&[0, 1][..], &flags.to_be_bytes(), &[0, 1, 0, 0, 0, 0, 0, 0]].concat();
    let body = [&head[..], b"\x01a\x07example\0\0\x01\0\x01"].concat();
    acts(&crate::dissect::tests::udp(B, resolver, 64, (CLIENT, 53), &body))
}

#[test]
fn who_asks_a_resolver_of_the_internet_is_told_and_a_resolver_itself_is_not() {
    assert_eq!(asked([8, 8, 8, 8], 0x0100), ["Resolves"]);
    assert_eq!(asked([8, 8, 8, 8], 0), NONE, "it finds names out by itself");
    assert_eq!(asked(PEER, 0x0100), NONE, "a resolver of the network");
    assert_eq!(asked([8, 8, 8, 8], 0x8180), NONE, "an answer");
}
