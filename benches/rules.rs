//! Benchmarks of the rules: the time to load and test them, and the time per new value of evidence.

#![expect(clippy::expect_used, reason = "a benchmark stops if its setup fails")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use netcensus::census::{Classifier, ClassifierInput, Evidence, Field, Timestamp};
use netcensus::classify::Rules;

/// Evidence of many kinds of devices. `#` is replaced by a number, so that each value is new.
const SAID: &[(Field, &str)] = &[
    (Field::LldpSysDescr, "Juniper Networks, Inc. ex2300-48p Ethernet Switch, kernel JUNOS 20.4R3.#"),
    (Field::LldpSysName, "sw-og#-01"),
    (Field::LldpCapEnabled, "36"),
    (Field::CdpPlatform, "cisco WS-C2960X-#FPS-L"),
    (Field::DhcpVendorClass, "dhcpcd-9.4.1:Linux-6.1.#-v8+:aarch64:BCM2835"),
    (Field::DhcpPrl, "1,3,6,15,31,33,43,44,46,47,119,121,249,252,#"),
    (Field::DhcpHostname, "DESKTOP-ABC#"),
    (Field::SnmpSysDescr, "Linux nas# 4.4.302+ #1 SMP x86_64"),
    (Field::SnmpSysObjectId, "1.3.6.1.4.1.9.1.#"),
    (Field::MdnsService, "_ipp._tcp"),
    (Field::MdnsTxt, "_ipp._tcp.ty=HP LaserJet M#"),
    (Field::MdnsTxt, "_googlecast._tcp.id=0123456789abcdef#"),
    (Field::MdnsInstance, "Kitchen speaker #"),
    (Field::MdnsHostname, "iPhone-de-Marie-#"),
    (Field::SsdpType, "urn:schemas-upnp-org:device:MediaRenderer:#"),
    (Field::SsdpServer, "Linux/4.9.# UPnP/1.0 GUPnP/1.0.2"),
    (Field::UpnpModelName, "UE55TU#"),
    (Field::WsdScopes, "onvif://www.onvif.org/hardware/DS-2CD#"),
    (Field::HttpUserAgent, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/#.0.0.0"),
    (Field::HttpServer, "lighttpd/1.4.#"),
    (Field::SipUserAgent, "Yealink SIP-T46S 66.86.0.#"),
    (Field::SshBanner, "SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.#"),
    (Field::NbnsName, "ACCOUNTING#<00>"),
];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("rules");
    group.sample_size(10);
    group.bench_function("load", |b| b.iter(|| Rules::builtin().expect("the rules are sound")));
    let rules = Rules::builtin().expect("the rules are sound");
    println!("rules/count: {} ({} kB of memory, by VmRSS)", rules.len(), resident());
    let evidence: Vec<Evidence> = (0..64)
        .flat_map(|n| SAID.iter().map(move |(field, text)| (*field, text.replace('#', &format!("{n}")))))
        .map(|(field, value)| Evidence::new(field, value, Timestamp(1)))
        .collect();
    group.throughput(Throughput::Elements(evidence.len() as u64));
    group.bench_function("value", |b| {
        b.iter(|| {
            for e in &evidence {
                let subject = ClassifierInput { evidence: vec![e.into()], ..ClassifierInput::default() };
                black_box(rules.classify(&subject));
            }
        });
    });
    group.finish();
    criterion.final_summary();
}

/// Resident memory in kB; 0 if the system does not report it.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.split_whitespace().next()).and_then(|n| n.parse().ok()).unwrap_or(0)
}
