//! Fuzz targets: the dissectors of every protocol, and whatever else reads bytes from outside. `TARGET` in the environment
//! names the one to run; without it the names are printed. All are in one binary, because linking one for each target
//! would take longer than running it.
//!
//! Targets that read messages and frames measure time: an input that costs too much for its length is a finding, like a
//! panic. With `TIMED=no` in the environment they do not, for sanitizers that make everything slow.
//!
//! Each row of the registry of protocols is a target. The seeds of a target are in `corpus/` under its name.

#![no_main]

use std::io::Cursor;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use netcensus::advisory::{
    Components, Cpe, CveId, Firmware, Item, Products, Profile, Proof, check_components, check_range, check_versions, read,
};
use netcensus::capture::file;
use netcensus::census::{Timestamp, VALUE_BYTES, clean};
use netcensus::check_query;
use netcensus::classify::{RuleFile, Rules};
use netcensus::config;
use netcensus::dissect::{self, Frame, LinkType, Malformed, PROTOCOLS, Payload, Protocol, Reader, Words};
use netcensus::security::{Alert, AlertId, Indicators, Labels, Ruleset, check_indicator, compile, ocsf};
use netcensus::sensor::config::Config;
use netcensus::sensor::pipeline::checkpoint;
use netcensus::sensor::pipeline::table::Table;
use netcensus::sensor::pipeline::worker::Worker;
use netcensus::wire::{EnrolmentToken, SetHead, Upload};

macro_rules! readers {
    ($($reader:ident,)*) => {
        const READERS: &[(&str, fn(&[u8]))] = &[$((stringify!($reader), $reader),)*];
    };
}

readers! {
    acts, advisories, capture, checkpoint, components, config_file, cpe, csaf, cve5, datagram, enrolment, epss, feed,
    findings_rules, fingerprints, frame, ids, indicator, indicator_set, kev, nvd, ocsf_event, packed_advisories, products, query,
    rules, stream, upload, version_range, versions,
}

enum Target {
    Protocol(&'static Protocol),
    Reader(fn(&[u8])),
}

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("TARGET").unwrap_or_default();
    if let Some(protocol) = PROTOCOLS.iter().find(|protocol| protocol.name == name) {
        return Target::Protocol(protocol);
    }
    if let Some((_, reader)) = READERS.iter().find(|(known, _)| *known == name) {
        return Target::Reader(*reader);
    }
    for name in PROTOCOLS.iter().map(|protocol| protocol.name).chain(READERS.iter().map(|(name, _)| *name)) {
        println!("{name}");
    }
    std::process::exit(i32::from(!name.is_empty()));
});

fuzz_target!(
    init: {
        LazyLock::force(&TARGET);
    },
    |data: &[u8]| match &*TARGET {
        Target::Protocol(protocol) => {
            for (dissect, payload) in protocol.runs(data) {
                said(data.len(), |words| dissect(&payload, words));
            }
        }
        Target::Reader(read) => read(data),
    }
);

/// What a KiB of a message may cost; less counts as one.
const PER_KIB: Duration = Duration::from_micros(50);
/// How much slower the counters of the fuzzer make the code.
const INSTRUMENTED: u32 = 3;
/// How often an input is measured that took too long: the machine may have done something else meanwhile.
const MEASURED: usize = 64;

/// Runs what reads `bytes` bytes, and again as long as it takes too long.
fn timed(bytes: usize, mut run: impl FnMut()) {
    static TIMED: LazyLock<bool> = LazyLock::new(|| std::env::var_os("TIMED").is_none_or(|v| v != "no"));
    let bound = PER_KIB * INSTRUMENTED * u32::try_from(bytes.div_ceil(1024).max(1)).unwrap_or(u32::MAX);
    let mut least = Duration::MAX;
    for _ in 0..MEASURED {
        let start = Instant::now();
        run();
        least = least.min(start.elapsed());
        if least <= bound || !*TIMED {
            return;
        }
    }
    panic!("{bytes} bytes cost {least:?}; the bound is {bound:?}");
}

/// Runs a dissector: what it says must be clean, short, bounded in number and cheap.
fn said(bytes: usize, mut dissect: impl FnMut(&mut Words<'_>) -> Result<(), Malformed>) {
    check(&mut dissect);
    let mut hear = |field, value: &str| {
        std::hint::black_box((field, value));
    };
    let mut words = Words::new(&mut hear);
    timed(bytes, || {
        words.begin_message();
        let _ = dissect(&mut words);
    });
}

fn check(dissect: impl FnOnce(&mut Words<'_>) -> Result<(), Malformed>) {
    let mut count = 0;
    let mut hear = |field, value: &str| {
        count += 1;
        assert!(value.len() <= VALUE_BYTES, "{field} is too long: {value}");
        assert_eq!(clean(value.as_bytes()).as_deref(), Some(value), "{field} is not clean");
    };
    let _ = dissect(&mut Words::new(&mut hear));
    assert!(count <= 128, "{count} values");
}

/// A UDP payload between any ports: two ports, then the bytes.
fn datagram(data: &[u8]) {
    between_ports(data, |payload, words| dissect::datagram(payload, words));
}

/// A TCP payload between any ports: two ports, then the bytes.
fn stream(data: &[u8]) {
    between_ports(data, |payload, words| dissect::stream(payload, words));
}

fn between_ports(data: &[u8], run: impl Fn(Payload<'_>, &mut Words<'_>) -> Result<(), Malformed>) {
    let mut r = Reader::new(data);
    if let Some((from, to)) = r.u16().zip(r.u16()) {
        said(data.len(), |words| run(Payload::new(r.rest()).between(from, to), words));
    }
}

/// From frames to the inventory: a link type, then frames, each after its length of two bytes. A panic in a dissector ends
/// the process before the worker can catch it.
fn frame(data: &[u8]) {
    let types = [LinkType::Ethernet, LinkType::LinuxSll, LinkType::LinuxSll2, LinkType::RawIp];
    let mut r = Reader::new(data);
    let Some(link) = r.u8().and_then(|n| types.get(usize::from(n))) else { return };
    let table = Table::new(1_000);
    let mut worker = Worker::new(&table);
    let mut at = 0;
    while let Some(length) = r.u16() {
        let data = r.take(length.into()).unwrap_or(r.rest());
        at += 1_000_000;
        timed(data.len(), || {
            worker.frame(&Frame { at: Timestamp(at), link: *link, data, length: length.into() });
        });
    }
    let (counters, _) = worker.finish();
    assert_eq!(counters.panics, 0);
}

/// What a segment and a datagram show their sender to do: two ports, then the payload. Their frames are whole, so that the
/// fuzzer need not find headers.
fn acts(data: &[u8]) {
    let Some((ports, payload)) = data.split_at_checked(4).filter(|(_, payload)| payload.len() <= 1_400) else { return };
    let table = Table::new(1_000);
    let mut worker = Worker::new(&table);
    for (protocol, head) in [(6, &[0, 0, 0, 7, 0, 0, 0, 1, 0x50, 0x18, 4, 0, 0, 0, 0, 0][..]), (17, &[0, 0, 0, 0])] {
        let mut segment = [ports, head, payload].concat();
        if let (17, Some(length)) = (protocol, segment.get_mut(4..6)) {
            length.copy_from_slice(&(payload.len() as u16 + 8).to_be_bytes());
        }
        let length = (segment.len() as u16 + 20).to_be_bytes();
        let frame = [
            &[0, 0x40, 0x8c, 1, 0, 2, 0, 0x40, 0x8c, 1, 0, 1, 8, 0, 0x45, 0][..],
            &length,
            &[0, 1, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
            &segment,
        ]
        .concat();
        timed(data.len(), || {
            let length = frame.len() as u32;
            worker.frame(&Frame { at: Timestamp(1_000_000), link: LinkType::Ethernet, data: &frame, length });
        });
    }
    assert_eq!(worker.finish().0.panics, 0);
}

/// The reader of capture files: pcap, pcapng, and both compressed.
fn capture(data: &[u8]) {
    let input = Box::new(Cursor::new(data.to_vec()));
    let _ = file::read_from(Path::new("fuzz"), input, &mut |frame| {
        assert!(frame.data.len() <= data.len().saturating_mul(1_100), "more data than a file can hold");
    });
}

/// The inventory of an earlier run; plain or compressed.
fn checkpoint(data: &[u8]) {
    let table = Table::new(100);
    let body = compressed(data);
    if checkpoint::check(&*body).is_ok() {
        let _ = checkpoint::merge(&*body, false, &table);
        assert!(table.len() <= 100);
    }
}

/// A file of advisories in any form; what is read of a record is judged.
fn advisories(data: &[u8]) {
    static PRODUCTS: LazyLock<Products> = LazyLock::new(|| Products::built_in().expect("a test rules that out"));
    let proof = Proof { vendor: "Axis", model: Some("P3245-LV"), os: None, is_proved: true };
    let _ = read(data, &mut |item| {
        if let Item::Record(record) = item {
            let profile = Profile::new(&PRODUCTS, proof);
            let firmware = Firmware::Said("10.12.65".to_owned());
            let ready = profile.ready(&firmware);
            if let Some(prepared) = profile.prepare(&record) {
                let judged = prepared.judge(&ready, true);
                let _ = prepared.why(judged, &ready);
            }
        }
        Ok(())
    });
}

/// A record of the NVD, in the list of a page.
fn nvd(data: &[u8]) {
    wrapped(br#"{"format":"NVD_CVE","vulnerabilities":[{"cve":{"id":"CVE-1999-9001","#, data, b"}}]}");
}

/// A record of the CVE list.
fn cve5(data: &[u8]) {
    wrapped(br#"{"dataType":"CVE_RECORD","cveMetadata":{"cveId":"CVE-1999-9001"},"containers":{"cna":{"#, data, b"}}}");
}

/// A CSAF document.
fn csaf(data: &[u8]) {
    let head = br#"{"document":{"csaf_version":"2.0","publisher":{"category":"vendor"},"tracking":{"id":"x"}},"#;
    wrapped(head, data, b"}");
}

/// An entry of KEV.
fn kev(data: &[u8]) {
    wrapped(br#"{"catalogVersion":"1","vulnerabilities":[{"cveID":"CVE-1999-9001","#, data, b"}]}");
    wrapped(b"cveID,vendorProject,product,vulnerabilityName,dateAdded\n", data, b"");
}

/// Rows of EPSS.
fn epss(data: &[u8]) {
    wrapped(b"cve,epss,percentile\n", data, b"");
}

/// A set of indicators: its head, and its labels, compressed as they come or by the fuzzer.
fn indicator_set(data: &[u8]) {
    if let Ok(head) = SetHead::read(data) {
        assert_eq!(head.message().lines().count(), 5, "no part of a head can pretend to be another");
    }
    for compressed in [data.to_vec(), zstd::bulk::compress(data, 1).expect("memory does not run out")] {
        let labels: Result<Vec<String>, _> = Labels::of(&compressed[..]).and_then(Iterator::collect);
        if let Ok(labels) = labels {
            let again = compile(labels.iter().map(String::as_str)).expect("they are sorted");
            let read: Vec<String> =
                Labels::of(&again.bytes[..]).expect("they were compiled").map(|label| label.expect("a label")).collect();
            assert_eq!(read, labels, "a set is read as it was written");
        }
    }
}

/// Feeds of indicators in every form: alone, and within what each form begins with.
fn feed(data: &[u8]) {
    let heads: [(&[u8], &[u8]); 5] = [
        (b"", b""),
        (b"uuid,event_id,category,type,value,comment,to_ids\n", b""),
        (b"{\"objects\":[{\"type\":\"indicator\",\"pattern\":\"[", b"\"}]}"),
        (b"{\"objects\":[", b"]}"),
        (b"{\"Event\":{\"Attribute\":[", b"]}}"),
    ];
    for (head, tail) in heads {
        let mut set = Indicators::default();
        match set.read_feed(&[head, data, tail].concat()[..], Timestamp::default()) {
            Ok(report) => assert_eq!(set.len(), report.added),
            Err(_) => assert!(set.is_empty(), "a feed with a fault adds nothing"),
        }
    }
}

fn wrapped(head: &[u8], data: &[u8], tail: &[u8]) {
    advisories(&[head, data, tail].concat());
}

/// A name in CPE 2.3: what it prints is read as the same.
fn cpe(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data)
        && let Ok(cpe) = text.parse::<Cpe>()
    {
        assert_eq!(cpe.to_string().parse(), Ok(cpe));
    }
}

/// The range of versions of a CSAF document.
fn version_range(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        check_range(text).expect("the laws of ranges hold");
    }
}

/// Two lines as versions of every scheme.
fn versions(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        check_versions(text).expect("the laws of versions hold");
    }
}

/// A table of components, and a banner that the built-in one reads.
fn components(data: &[u8]) {
    static BUILT_IN: LazyLock<Components> = LazyLock::new(|| Components::built_in().expect("a test rules that out"));
    if let Ok(text) = str::from_utf8(data) {
        check_components(&BUILT_IN, text).expect("the laws of components hold");
        if let Ok(table) = Components::parse(text) {
            check_components(&table, text).expect("the laws of components hold");
        }
    }
}

/// A file of advisories, compressed: broken by the fuzzer, or by zstd around what the fuzzer made.
fn packed_advisories(data: &[u8]) {
    for packed in [data.to_vec(), compressed(data)] {
        advisories(&packed);
    }
}

/// The ids of vulnerabilities and alerts: what is printed is read as the same.
fn ids(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(id) = text.parse::<CveId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(CveId::from_number(id.to_number()), Some(id));
    }
    if let Ok(id) = text.parse::<AlertId>() {
        assert_eq!(id.to_string(), text);
    }
}

/// One indicator as a feed or a person writes it.
fn indicator(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        check_indicator(text).expect("the laws of indicators hold");
    }
}

/// The event of an alert, whose texts come from the network.
fn ocsf_event(data: &[u8]) {
    let Ok(alert) = serde_json::from_slice::<Alert>(data) else { return };
    for status in [ocsf::Status::New, ocsf::Status::InProgress, ocsf::Status::Suppressed, ocsf::Status::Resolved] {
        let event = ocsf::alert(&alert, status);
        assert_eq!(event["finding_info"]["uid"], alert.id.to_string());
        assert_eq!(event["status_id"], status as u8);
        let line = event.to_string();
        assert!(!line.contains('\n'), "an event is one line");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).expect("it is JSON"), event);
    }
}

/// The table of products.
fn products(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        let _ = Products::parse(text);
    }
}

/// An enrolment token.
fn enrolment(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data)
        && let Ok(token) = text.parse::<EnrolmentToken>()
    {
        assert_eq!(token.to_string().parse(), Ok(token));
    }
}

/// The sensor's configuration.
fn config_file(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data)
        && let Err(error) = config::parse::<Config>(text, Path::new("fuzz.toml"))
    {
        let _ = error.to_string();
    }
}

/// A query for devices: what it prints is read as the same, and a fault lies within the text.
fn query(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        check_query(text).expect("the laws of queries hold");
    }
}

/// A rule pack with its tests.
fn rules(data: &[u8]) {
    pack("fuzz.toml", data);
}

/// An operator's file of rules of alerts and recommendations.
fn findings_rules(data: &[u8]) {
    static BUILT_IN: LazyLock<Ruleset> = LazyLock::new(|| Ruleset::builtin().expect("a test rules that out"));
    if let Ok(text) = str::from_utf8(data) {
        let mut rules = BUILT_IN.clone();
        match rules.put("fuzz.toml", text) {
            Ok(()) => assert_eq!(rules.alerts.len(), BUILT_IN.alerts.len()),
            Err(why) => assert!(why.to_string().starts_with("fuzz.toml:")),
        }
    }
}

/// Fingerprints in Recog's form.
fn fingerprints(data: &[u8]) {
    pack("http_header.server.xml", data);
}

fn pack(name: &str, data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        let file = RuleFile { name: name.to_owned(), text: text.to_owned() };
        let checked = Rules::check([&file]).expect("a test rules that out");
        for error in checked.iter().flat_map(|c| &c.errors) {
            let _ = error.to_string();
        }
    }
}

/// The body of an upload, compressed or plain; what was read must be read the same after it was written.
fn upload(data: &[u8]) {
    if let Ok(upload) = Upload::decode(&compressed(data)) {
        let again = Upload::decode(&upload.encode().expect("memory takes all"));
        assert_eq!(again, Ok(upload));
    }
}

/// Compresses bytes that are not zstd yet, so that the fuzzer gets past the compression.
fn compressed(data: &[u8]) -> Vec<u8> {
    if data.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        data.to_vec()
    } else {
        zstd::bulk::compress(data, 1).expect("memory takes all")
    }
}
