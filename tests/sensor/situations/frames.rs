//! What frames are wrapped in, and when they say that they came.

use netcensus::census::{FindingKind, Policy, Timestamp, Verdict, time::DAY};

use super::site::{self, ASKER, GATEWAY, Site, host};
use super::words::mdns;
use super::{CAMERA, PRINTER, office};

/// The frame with bytes between its addresses and its type.
fn shimmed(frame: &[u8], shim: &[u8]) -> Vec<u8> {
    let (addresses, rest) = frame.split_at(12);
    [addresses, shim, rest].concat()
}

#[test]
fn a_header_before_every_packet_changes_no_number() {
    let plain = office().counted();
    plain.assert(1, 2, 1);
    assert_eq!(plain.is(CAMERA).0, "camera");
    assert_eq!(plain.is(PRINTER).0, "printer");
    let shims: [&[u8]; 5] = [
        &[0x89, 0x26, 0x80, 3, 0, 9],
        &[0x89, 0x3f, 0x20, 0, 0, 9, 0, 0],
        &[0x89, 0x09, 1, 1, 0, 1, 0, 77],
        &[0x89, 0x88, 0, 1, 2, 3, 4, 5],
        &[0x89, 0x26, 0x80, 3, 0, 9, 0x81, 0, 0, 40, 0x89, 0x09, 1, 1, 0, 1, 0, 77],
    ];
    for shim in shims {
        let wrapped = office().each(|frame| shimmed(frame, shim)).counted();
        assert_eq!(wrapped.summary(), plain.summary(), "{shim:x?}");
        assert_eq!(wrapped.numbers(), plain.numbers());
    }
}

#[test]
fn a_remote_mirror_counts_what_is_inside_and_its_sender() {
    let switch = host([0x00, 0x9c, 0x02, 0x31, 4, 0x30], 30);
    let mut site = Site::default();
    for (_, frame) in office().frames {
        site.udp(switch, ASKER, (7932, 7932), 64, &[&[0; 12], &frame[..]].concat());
    }
    let counted = site.counted();
    counted.assert(1, 2, 1);
    assert_eq!(counted.device(switch).verdict, Verdict::Unclassified);
}

/// Forty cameras that come within two minutes, after the gateway; `odd` changes when some frame came.
fn cameras(odd: impl Fn(&mut Site)) -> site::Counted {
    let mut site = Site::new();
    for n in 0..40 {
        let camera = host([0x00, 0x09, 0x18, 0x31, 5, n], 40 + n);
        let says = mdns::offer("Cam", "cam", camera.ip, &[("_hap._tcp", 80, &["md=Hall Cam", "ci=17"])]);
        site.asks(camera).mdns(camera, &says);
    }
    site.asks(GATEWAY);
    odd(&mut site);
    let policy = Policy { quarantine_rate: 10, ..Policy::default() };
    site.counted_by(&policy)
}

#[test]
fn a_clock_that_starts_in_1970_or_jumps_once_changes_no_number() {
    let plain = cameras(|_| ());
    plain.assert(1, 40, 0);
    assert!(plain.findings().is_empty());
    let begins_in_1970 = cameras(|site| {
        for (at, _) in &mut site.frames[..5] {
            *at = Timestamp(at.0 - site::START);
        }
    });
    let once_in_2038 = cameras(|site| site.frames.last_mut().unwrap().0 = Timestamp(24_836 * DAY));
    let without_time = cameras(|site| site.frames[3].0 = Timestamp(0));
    for jumped in [begins_in_1970, once_in_2038, without_time] {
        jumped.assert(1, 40, 0);
        assert_eq!(jumped.excluded(Verdict::Tentative) + jumped.excluded(Verdict::Idle), 0);
        let kinds: Vec<_> = jumped.findings().iter().map(|f| f.kind).collect();
        assert_eq!(kinds, [FindingKind::ClockJump]);
    }
}
