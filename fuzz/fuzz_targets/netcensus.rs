//! Fuzz targets: every dissector, and whatever else reads bytes from outside. `TARGET` in the environment names the one
//! to run; without it the names are printed. All are in one binary, as linking each apart takes longer than it runs.
//!
//! A new dissector is one line in `dissectors`; the seeds of a target are in `corpus/` under its name.

#![no_main]

use std::io::Cursor;
use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use netcensus::capture::file;
use netcensus::census::{MacAddr, Timestamp, VALUE_BYTES, clean};
use netcensus::classify::Rules;
use netcensus::config;
use netcensus::dissect::protocol::*;
use netcensus::dissect::{Frame, LinkType, Malformed, Reader, Words};
use netcensus::sensor::pipeline::checkpoint;
use netcensus::sensor::config::Config;
use netcensus::sensor::pipeline::table::Table;
use netcensus::sensor::pipeline::worker::Worker;
use netcensus::wire::{EnrolmentToken, Upload};

macro_rules! targets {
    (dissectors: { $($name:ident => $dissect:expr,)* } readers: { $($reader:ident,)* }) => {
        const TARGETS: &[(&str, fn(&[u8]))] = &[
            $((stringify!($name), |data| said(data, $dissect)),)*
            $((stringify!($reader), $reader),)*
        ];
    };
}

targets! {
    dissectors: {
        ads => |p, w| ads::dissect(p, w).and_then(|()| ads::discovery(p, w)),
        babel => babel::dissect,
        bacnet => bacnet::dissect,
        bgp => bgp::dissect,
        browser => browser::dissect,
        c37118 => c37118::dissect,
        capwap => |p, w| capwap::dissect(p, 1024, 5246, w),
        cdp => |p, w| cdp::dissect(p, w, &mut |_| {}),
        cip_io => cip_io::dissect,
        cisco => |p, w| with_port(p, |kind, p| cisco::dissect(kind, p, w)),
        coap => |p, w| with_port(p, |from, p| coap::dissect(p, from, w)),
        codesys => |p, w| sides(|side| codesys::stream(p, side, w)).and_then(|()| codesys::datagram(p, w)),
        datagram => |p, w| with_port(p, |from, p| with_port(p, |to, p| datagram(p, from, to, w))),
        dcerpc => dcerpc::dissect,
        dhcp4 => |p, w| dhcp4::dissect(p, w).map(drop),
        dhcp6 => dhcp6::dissect,
        dicom => dicom::dissect,
        dnp3 => dnp3::dissect,
        dns => |p, w| dns::dissect(p, w).and_then(|()| dns::dissect_stream(p, w)),
        eapol => eapol::dissect,
        edp => edp::dissect,
        eigrp => eigrp::dissect,
        enip => |p, w| sides(|side| enip::dissect(p, side, w)),
        ethercat => |p, w| ethercat::dissect(p, MacAddr([0, 1, 2, 3, 4, 5]), w).and_then(|()| ethercat::datagram(p, w)),
        fdp => fdp::dissect,
        fins => |p, w| fins::datagram(p, w).and_then(|()| fins::stream(p, w)),
        fox => |p, w| sides(|side| fox::dissect(p, side, w)),
        ftp => ftp::dissect,
        glbp => glbp::dissect,
        goose => |p, w| with_port(p, |kind, p| goose::dissect(p, kind, w)),
        h323 => |p, w| h323::dissect(p, w).and_then(|()| h323::dissect_registration(p, w)),
        hartip => |p, w| sides(|side| hartip::dissect(p, side, w)),
        hislip => |p, w| sides(|side| hislip::dissect(p, side, w)),
        hl7 => hl7::dissect,
        hsrp => hsrp::dissect,
        http => http::dissect,
        iec104 => |p, w| sides(|side| iec104::dissect(p, side, w)),
        igmp => |p, w| igmp::dissect(p, w).and_then(|()| igmp::dissect_mld(p, w)),
        ipp => ipp::dissect,
        isis => isis::dissect,
        kerberos => |p, w| with_port(p, |from, p| kerberos::dissect(p, from, w)),
        kerberos_segment => |p, w| with_port(p, |from, p| kerberos::dissect_segment(p, from, w)),
        knx => |p, w| sides(|side| knx::dissect(p, side, w)),
        lacp => lacp::dissect,
        ldap => |p, w| with_port(p, |from, p| ldap::dissect(p, from, w)),
        ldp => ldp::dissect,
        lldp => |p, w| lldp::dissect(p, w, &mut |_| {}),
        llmnr => llmnr::dissect,
        lon => lon::dissect,
        lwapp => |p, w| lwapp::dissect(p, 1024, 12223, w),
        maker => |p, w| with_port(p, |port, p| {
            maker::datagram(p, port, 50_000, w)?;
            maker::datagram(p, 50_000, port, w)?;
            maker::stream(p, port, w)
        }),
        mdns => mdns::dissect,
        melsec => |p, w| sides(|side| melsec::dissect(p, side, w)),
        mms => |p, w| sides(|side| mms::dissect(p, side, w)),
        mndp => mndp::dissect,
        modbus => |p, w| sides(|side| modbus::dissect(p, side, w)),
        mqtt => mqtt::dissect,
        mssql => |p, w| mssql::dissect(p, w).and_then(|()| mssql::dissect_segment(p, w)),
        nbns => nbns::dissect,
        ntp => |p, w| with_port(p, |from, p| ntp::dissect(p, from, w)),
        opcua => |p, w| sides(|side| opcua::dissect(p, Some(side), w)).and_then(|()| opcua::dissect(p, None, w)),
        ospf => ospf::dissect,
        pim => pim::dissect,
        pjl => pjl::dissect,
        powerlink => powerlink::dissect,
        profinet => profinet::dissect,
        profinet_cm => profinet_cm::dissect,
        quic => quic::dissect,
        rdp => |p, w| with_port(p, |from, p| rdp::dissect(p, from, w)),
        rip => |p, w| rip::dissect(p, w).and_then(|()| rip::dissect_ng(p, w)),
        rtp => |p, w| with_port(p, |from, p| with_port(p, |to, p| rtp::dissect(p, from, to, w))),
        rtsp => rtsp::dissect,
        s7 => |p, w| sides(|side| s7::dissect(p, side, w)),
        sccp => sccp::dissect,
        sercos => sercos::dissect,
        sip => sip::dissect,
        smb => |p, w| with_port(p, |from, p| smb::dissect(p, from, w)),
        smtp => smtp::dissect,
        snmp => |p, w| snmp::dissect(p, 161, w).and_then(|()| snmp::dissect(p, 1024, w)),
        ssdp => ssdp::dissect,
        ssh => ssh::dissect,
        stp => stp::dissect,
        stream => |p, w| with_port(p, |from, p| with_port(p, |to, p| stream(p, from, to, w))),
        tcp => |p, w| tcp::dissect(p, p.get(20..).unwrap_or_default(), w),
        telnet => telnet::dissect,
        tls => |p, w| tls::dissect(p, true, w).and_then(|()| tls::dissect(p, false, w)),
        ubnt => ubnt::dissect,
        unifi => unifi::dissect,
        upnp => upnp::dissect,
        vrrp => |p, w| vrrp::dissect(p, false, w).and_then(|()| vrrp::dissect(p, true, w)),
        wsd => wsd::dissect,
    }
    readers: { capture, checkpoint, config_file, enrolment, fingerprints, frame, rules, upload, }
}

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("TARGET").unwrap_or_default();
    match TARGETS.iter().find(|(known, _)| *known == name) {
        Some((_, run)) => *run,
        None => {
            for (name, _) in TARGETS {
                println!("{name}");
            }
            std::process::exit(i32::from(!name.is_empty()));
        }
    }
});

fuzz_target!(
    init: {
        LazyLock::force(&TARGET);
    },
    |data: &[u8]| TARGET(data)
);

/// Runs a dissector: whatever it says must be clean, short and bounded in number.
fn said(data: &[u8], dissect: impl FnOnce(&[u8], &mut Words<'_>) -> Result<(), Malformed>) {
    let mut count = 0;
    let mut hear = |field, value: &str| {
        count += 1;
        assert!(value.len() <= VALUE_BYTES, "{field} is too long: {value}");
        assert_eq!(clean(value.as_bytes()).as_deref(), Some(value), "{field} is not clean");
    };
    let _ = dissect(data, &mut Words::new(&mut hear));
    assert!(count <= 4096, "{count} values");
}

/// Takes two bytes off the front for an argument.
fn with_port(data: &[u8], run: impl FnOnce(u16, &[u8]) -> Result<(), Malformed>) -> Result<(), Malformed> {
    data.split_first_chunk().map_or(Ok(()), |(port, rest)| run(u16::from_be_bytes(*port), rest))
}

/// Runs a dissector for either side of a conversation.
fn sides(mut run: impl FnMut(industry::Side) -> Result<(), Malformed>) -> Result<(), Malformed> {
    run(industry::Side::Client)?;
    run(industry::Side::Server)
}

/// The whole way from frames to the inventory: a link type, then frames, each behind its length of two bytes. A panic
/// in a dissector, which the worker would catch, ends the process before that.
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
        worker.frame(&Frame { at: Timestamp(at), link: *link, data, length: length.into() });
    }
    let (counters, _) = worker.finish();
    assert_eq!(counters.panics, 0);
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

/// A rule pack with its tests.
fn rules(data: &[u8]) {
    pack("fuzz.toml", data);
}

/// Fingerprints in Recog's form.
fn fingerprints(data: &[u8]) {
    pack("http_header.server.xml", data);
}

fn pack(name: &str, data: &[u8]) {
    static BUILTIN: LazyLock<Rules> = LazyLock::new(|| Rules::builtin().expect("a test rules that out"));
    if let Ok(text) = str::from_utf8(data)
        && let Err(error) = BUILTIN.try_pack(name, text)
    {
        let _ = error.to_string();
    }
}

/// The body of an upload, compressed or plain; what was read must be read the same after it was written.
fn upload(data: &[u8]) {
    if let Ok(upload) = Upload::decode(&compressed(data)) {
        let again = Upload::decode(&upload.encode().expect("memory takes all"));
        assert_eq!(again, Ok(upload));
    }
}

/// What is no zstd yet, compressed, so that the fuzzer gets past the compression.
fn compressed(data: &[u8]) -> Vec<u8> {
    if data.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        data.to_vec()
    } else {
        zstd::bulk::compress(data, 1).expect("memory takes all")
    }
}
