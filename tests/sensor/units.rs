//! The systemd units: sound, and as closed as promised.

use std::path::{Path, PathBuf};
use std::process::Command;

/// `systemd-analyze` counts from 0, closed, to 10, open; its threshold is in tenths.
const THRESHOLD: &str = "--threshold=15";

fn units() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut units: Vec<PathBuf> = entries.filter(|p| p.extension().is_some_and(|e| e == "service")).collect();
    units.sort();
    units
}

fn analyze(arguments: &[&str], unit: &Path) -> Option<(bool, String)> {
    let output = Command::new("systemd-analyze").args(arguments).arg(unit).output().ok()?;
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Some((output.status.success(), text))
}

#[test]
fn no_unit_is_more_exposed_than_1_5() {
    assert_eq!(units().len(), 3);
    for unit in units() {
        let arguments = ["security", "--offline=true", "--no-pager", THRESHOLD];
        let Some((closed, text)) = analyze(&arguments, &unit) else {
            println!("skipped: systemd-analyze is not installed");
            return;
        };
        assert!(closed, "{}: {text}", unit.display());
        assert!(text.contains("Overall exposure level"), "{text}");
    }
}

#[test]
fn every_key_of_a_unit_is_one_that_systemd_knows() {
    for unit in units() {
        let Some((_, text)) = analyze(&["verify", "--man=no"], &unit) else {
            println!("skipped: systemd-analyze is not installed");
            return;
        };
        // The back-off is for systemd 254 and later; the binary need not be installed here.
        let unknown = text.lines().find(|l| {
            l.contains("Unknown") && !l.contains("RestartSteps") && !l.contains("RestartMaxDelaySec")
        });
        assert_eq!(unknown, None);
    }
}

#[test]
fn the_capture_half_has_no_network_and_the_upload_half_no_capability() {
    let read = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name);
        std::fs::read_to_string(path).unwrap()
    };
    let has = |unit: &str, line: &str| unit.lines().any(|l| l == line);
    let (capture, upload) = (read("netcensus-sensor.service"), read("netcensus-upload.service"));
    assert!(has(&capture, "RestrictAddressFamilies=AF_PACKET AF_NETLINK AF_UNIX"));
    assert!(has(&capture, "CapabilityBoundingSet=CAP_NET_RAW") && has(&capture, "IPAddressDeny=any"));
    assert!(has(&upload, "CapabilityBoundingSet=") && !upload.contains("AF_PACKET"));
    assert!(!upload.contains("AmbientCapabilities"));
}

#[test]
fn both_halves_may_write_wherever_they_hand_over() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/netcensus-sensor.tmpfile");
    let text = std::fs::read_to_string(path).unwrap();
    let folders: Vec<Vec<&str>> =
        text.lines().filter(|l| l.starts_with("d ")).map(|l| l.split_whitespace().collect()).collect();
    let shared = folders.iter().filter(|f| f[1].starts_with("/var/lib/netcensus/spool"));
    let modes: Vec<_> = shared.map(|f| (f[1].rsplit('/').next().unwrap(), f[2], f[4])).collect();
    let expected =
        [("spool", "2770", "netcensus"), ("bad", "2770", "netcensus"), ("tmp", "2770", "netcensus")];
    assert_eq!(modes, expected);
    assert!(
        folders.iter().any(|f| f[1].ends_with("/upload") && f[2] == "0700" && f[3] == "netcensus-upload")
    );
}
