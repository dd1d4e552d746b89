//! Writes seeds for the fuzzer from what the repository holds: the demo's capture, the rules, the configuration.
//!
//! `cargo run --example fuzz-seeds fuzz/corpus`; `fuzz/run` does, and adds what the dissectors' tests feed them.

#![expect(clippy::expect_used, reason = "a generator of fixed data: what does not fit is a mistake in it")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use etherparse::{LaxSlicedPacket, TransportSlice};
use netcensus::capture::file;
use netcensus::sensor::replay::{self, ReplayOptions};
use netcensus::wire::{EnrolmentToken, Health, UPLOAD_SCHEMA, Upload};

const DEMO: &str = "assets/demo.pcap.zst";
/// Frames in one seed of the readers that take several.
const FRAMES: usize = 24;
/// Couplings and stations of the seed of an upload.
const FACTS: usize = 12;

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("usage: fuzz-seeds FOLDER"));
    let mut frames = Vec::new();
    let mut kinds = BTreeSet::new();
    file::read(Path::new(DEMO), &mut |frame| {
        if kinds.insert(kind(frame.data)) {
            frames.push(frame.data.to_vec());
        }
    })
    .expect("the demo's capture is sound");

    let seed = |target: &str, name: &str, bytes: &[u8]| {
        let folder = folder.join(target);
        fs::create_dir_all(&folder).expect("the folder can be made");
        fs::write(folder.join(name), bytes).expect("the seed can be written");
    };
    for (n, data) in frames.iter().enumerate() {
        seed("frame", &format!("demo-{n}"), &of_frames(&[data]));
        if let Some((target, bytes)) = payload(data) {
            seed(target, &format!("demo-{n}"), &bytes);
        }
    }
    let some: Vec<&Vec<u8>> = frames.iter().take(FRAMES).collect();
    seed("frame", "demo", &of_frames(&some));
    seed("capture", "pcap", &pcap(&some));
    seed("capture", "pcapng", &pcapng(&some));
    seed("capture", "zstd", &zstd::bulk::compress(&pcap(&some), 3).expect("memory takes all"));
    seed("config_file", "sensor", &fs::read("config/netcensus-sensor.toml").expect("it is here"));
    for entry in fs::read_dir("config/rules").expect("it is here").flatten() {
        let name = entry.file_name();
        if let Some(name) = name.to_str().filter(|n| n.ends_with(".toml")) {
            seed("rules", name, &fs::read(entry.path()).expect("it is here"));
        }
    }
    for name in ["alerts", "recommendations"] {
        let path = format!("config/findings/{name}.toml");
        seed("findings_rules", name, &fs::read(path).expect("it is here"));
    }
    for (n, text) in
        ["220 ready\r\n", "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\n\r\n"].iter().enumerate()
    {
        seed("acts", &format!("text-{n}"), &[&[0, 80, 0x9c, 0x40][..], text.as_bytes()].concat());
    }
    certificates(&seed);
    let labels = ["ip:203.0.113.7", "name:evil.example", "net:2001:db8::/32"];
    seed("indicator_set", "labels", (labels.join("\n") + "\n").as_bytes());
    let compiled = netcensus::security::compile(labels).expect("they are sorted");
    seed("indicator_set", "compiled", &compiled.bytes);
    let head = format!(
        "{{\"schema\":\"netcensus.indicator_set/1\",\"subscription\":\"s\",\"digest\":\"{0}\",\"bytes\":9,\"indicators\":3,\"key\":\"{0}\",\"signature\":\"{0}{0}\"}}",
        "0".repeat(64)
    );
    seed("indicator_set", "head", head.as_bytes());
    advisories(&seed);
    let recog = "<fingerprints matches=\"http_header.server\"><fingerprint pattern=\"^x/(\\d+)$\"><description>X</description><example service.version=\"1\">x/1</example><param pos=\"1\" name=\"service.version\"/><param pos=\"0\" name=\"hw.device\" value=\"Printer\"/></fingerprint></fingerprints>";
    seed("fingerprints", "recog", recog.as_bytes());
    // The examples of the documentation.
    let language = fs::read_to_string("docs/query.md").expect("it is here");
    for (n, line) in language.lines().filter(|line| line.starts_with("| `")).enumerate() {
        for (m, query) in line.split('`').skip(1).step_by(2).enumerate() {
            seed("query", &format!("docs-{n}-{m}"), query.as_bytes());
        }
    }
    let token = EnrolmentToken {
        url: "https://plan.example".to_owned(),
        secret: "s3cret".to_owned(),
        fingerprint: None,
    };
    seed("enrolment", "token", token.to_string().as_bytes());
    let zone = serde_json::to_string(&upload().delta).expect("facts are JSON");
    let checkpoint = format!(
        "{{\"schema\":\"netcensus.checkpoint/1\",\"zone\":\"z\",\"epoch\":\"e\",\"sequence\":7}}\n{{\"pending\":true,\"zone\":{zone}}}\n{{\"parts\":1}}\n"
    );
    seed("checkpoint", "json", checkpoint.as_bytes());
    seed("checkpoint", "zstd", &zstd::bulk::compress(checkpoint.as_bytes(), 3).expect("memory takes all"));
    let json = serde_json::to_vec(&upload()).expect("facts are JSON");
    seed("upload", "json", &json);
    seed("upload", "zstd", &zstd::bulk::compress(&json, 3).expect("memory takes all"));
}

/// What tells frames apart that lead to other code: types, ports below 32,768, and the size by powers of two.
fn kind(frame: &[u8]) -> (Vec<u8>, [u16; 2], u32) {
    let types = frame.get(12..24).map(|head| [head.get(..2), head.get(11..)].into_iter().flatten().flatten());
    let ports =
        LaxSlicedPacket::from_ethernet(frame).ok().and_then(|packet| packet.transport).map(|t| match t {
            TransportSlice::Udp(udp) => [udp.source_port(), udp.destination_port()],
            TransportSlice::Tcp(tcp) => [tcp.source_port(), tcp.destination_port()],
            _ => [0, 0],
        });
    let ports = ports.unwrap_or_default().map(|port| if port < 32_768 { port } else { 0 });
    let size = u32::try_from(frame.len()).unwrap_or_default().ilog2();
    (types.into_iter().flatten().copied().collect(), ports, size)
}

/// What servers send that prove themselves, between their ports.
fn certificates(seed: &impl Fn(&str, &str, &[u8])) {
    let mut n = 0;
    file::read(Path::new("tests/sensor/attacks/certificates.pcap.gz"), &mut |frame| {
        // Behind the headers of Ethernet, IPv4 and TCP.
        if let (Some(ports), Some(flight @ [22, ..])) = (frame.data.get(34..38), frame.data.get(54..)) {
            seed("acts", &format!("certificate-{n}"), &[ports, flight].concat());
            n += 1;
        }
    })
    .expect("the capture is sound");
}

/// What advisories, feeds and devices write, and an alert.
fn advisories(seed: &impl Fn(&str, &str, &[u8])) {
    for name in ["products", "components"] {
        let path = format!("config/vulnerabilities/{name}.toml");
        seed(name, "table", &fs::read(path).expect("it is here"));
    }
    // The versions and the ranges that the tests have.
    for name in ["truth", "truth_held", "truth_new"] {
        let text = fs::read_to_string(format!("src/advisory/{name}.toml")).expect("it is here");
        for (n, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
            if line.starts_with("firmware") && n % 3 == 0 {
                seed(
                    "versions",
                    &format!("{name}-{n}"),
                    [words.concat(), words.concat()].join("\n").as_bytes(),
                );
            } else if line.starts_with("csaf") {
                seed("version_range", &format!("{name}-{n}"), words.last().expect("a range").as_bytes());
            }
        }
    }
    for (n, text) in
        ["nginx/1.18.0 (Ubuntu)", "SSH-2.0-OpenSSH_7.4p1", "Apache/2.4.29 OpenSSL/1.1.0g"].iter().enumerate()
    {
        seed("components", &format!("banner-{n}"), text.as_bytes());
    }
    for (n, text) in
        ["203.0.113.7", "2001:db8::/32", "evil.example.", "::ffff:203.0.113.7"].iter().enumerate()
    {
        seed("indicator", &format!("text-{n}"), text.as_bytes());
    }
    for (n, text) in ["CVE-2021-36260", "0123456789abcdef0123456789abcdef"].iter().enumerate() {
        seed("ids", &format!("text-{n}"), text.as_bytes());
    }
    let feed =
        br#"{"format":"NVD_CVE","vulnerabilities":[{"cve":{"id":"CVE-1999-9001","descriptions":[]}}]}"#;
    seed("packed_advisories", "plain", feed);
    seed("packed_advisories", "zstd", &zstd::bulk::compress(feed, 3).expect("memory takes all"));
    let alert = serde_json::json!({ "id": "0123456789abcdef0123456789abcdef", "rule": "A-SCAN-P", "title": "Port scan",
        "severity": "high", "object": "10.0.0.10", "first": "2026-11-22T09:00:00Z", "last": "2026-11-22T09:05:00Z",
        "device": { "id": "0123456789abcdef", "zone": "hq", "ip": "10.0.0.66", "mac": "00:40:8c:01:00:42", "category": "iot",
            "type": "camera" },
        "sentence": "It tries ports", "advice": "Look.", "techniques": ["T1046"],
        "proofs": [{ "sentence": "it opened 16 ports", "first": "2026-11-22T09:00:00Z", "last": "2026-11-22T09:05:00Z" }] });
    seed("ocsf_event", "alert", alert.to_string().as_bytes());
}

/// The form that the target `frame` reads.
fn of_frames<F: AsRef<[u8]>>(frames: &[F]) -> Vec<u8> {
    let mut out = vec![0];
    for frame in frames {
        let frame = frame.as_ref();
        out.extend(u16::try_from(frame.len()).expect("a frame is shorter").to_be_bytes());
        out.extend(frame);
    }
    out
}

/// The form that `datagram` and `stream` read: two ports, then the payload.
fn payload(frame: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    let (target, ports, payload) = match LaxSlicedPacket::from_ethernet(frame).ok()?.transport? {
        TransportSlice::Udp(udp) => {
            ("datagram", [udp.source_port(), udp.destination_port()], udp.payload().to_vec())
        }
        TransportSlice::Tcp(tcp) => {
            ("stream", [tcp.source_port(), tcp.destination_port()], tcp.payload().to_vec())
        }
        _ => return None,
    };
    let head = ports.map(u16::to_be_bytes).concat();
    (!payload.is_empty()).then(|| (target, [head, payload].concat()))
}

fn pcap(frames: &[&Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1u32] {
        out.extend(word.to_le_bytes());
    }
    for (frame, second) in frames.iter().zip(0u32..) {
        let length = u32::try_from(frame.len()).expect("a frame is shorter");
        for word in [second, 0, length, length] {
            out.extend(word.to_le_bytes());
        }
        out.extend(*frame);
    }
    out
}

fn pcapng(frames: &[&Vec<u8>]) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let padded = body.len().next_multiple_of(4);
        let length = u32::try_from(padded + 12).expect("a frame is shorter").to_le_bytes();
        let mut padded_body = body.to_vec();
        padded_body.resize(padded, 0);
        [&kind.to_le_bytes()[..], &length, &padded_body, &length].concat()
    };
    let mut out =
        block(0x0a0d_0d0a, &[&0x1a2b_3c4du32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat());
    out.extend(block(1, &[1, 0, 0, 0, 0, 0, 0, 0]));
    for (frame, time) in frames.iter().zip(0u32..) {
        let length = u32::try_from(frame.len()).expect("a frame is shorter");
        let head = [0, 0, time, length, length].map(u32::to_le_bytes).concat();
        out.extend(block(6, &[&head, &frame[..]].concat()));
    }
    out
}

/// What a sensor would send of some of the demo's devices.
fn upload() -> Upload {
    let options = ReplayOptions {
        files: vec![PathBuf::from(DEMO)],
        zone: "demo".to_owned(),
        couplings: 10_000,
        memory: usize::MAX,
        tunnels: Default::default(),
        indicators: netcensus::security::Indicators::default(),
        threads: 1,
    };
    let inventory = replay::read(&options).expect("the demo's capture is sound").inventory;
    let zone = inventory.zones.into_values().next().expect("a replay has one zone");
    let mut delta = Arc::unwrap_or_clone(zone);
    delta.couplings = delta.couplings.into_iter().take(FACTS).collect();
    delta.stations = delta.stations.into_iter().take(FACTS).collect();
    Upload {
        schema: UPLOAD_SCHEMA.to_owned(),
        epoch: "00c0ffee".to_owned(),
        sequence: 1,
        zone: "demo".to_owned(),
        delta,
        health: Health::default(),
    }
}
