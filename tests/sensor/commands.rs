//! The commands as processes: what they print, and how they end.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) const SENSOR: &str = env!("CARGO_BIN_EXE_netcensus-sensor");

/// A capture with one ARP announcement of 10.1.0.7, and one IP packet from a public address that its MAC forwards.
pub(crate) fn capture(dir: &Path) -> PathBuf {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        file.extend(word.to_le_bytes());
    }
    let mac = [2, 0, 0, 0, 0, 7];
    let ethernet = |kind: [u8; 2]| [&[0xff; 6][..], &mac, &kind].concat();
    let arp = [
        &ethernet([8, 6])[..],
        &[0, 1, 8, 0, 6, 4, 0, 1],
        &mac,
        &[10, 1, 0, 7],
        &[0; 6],
        &[10, 1, 0, 7],
        &[0; 18],
    ]
    .concat();
    let mut ip = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 57, 17, 0, 0, 8, 8, 8, 8, 10, 1, 0, 9];
    ip.extend([0, 53, 0, 53, 0, 8, 0, 0]);
    let routed = [&[2, 0, 0, 0, 0, 9][..], &mac, &[8, 0], &ip, &[0; 18]].concat();
    for (second, frame) in [(1_700_000_000_u32, arp), (1_700_000_001, routed)] {
        let length = u32::try_from(frame.len()).unwrap();
        for word in [second, 0, length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    let path = dir.join("a.pcap");
    fs::write(&path, file).unwrap();
    path
}

/// Runs the sensor with a configuration whose state lies in `dir`.
fn sensor(dir: &Path, arguments: &[&str]) -> Output {
    let config = dir.join("sensor.toml");
    if !config.exists() {
        fs::write(&config, format!("state_directory = {:?}\n", dir.join("state"))).unwrap();
    }
    Command::new(SENSOR).args(arguments).env("NETCENSUS_SENSOR_CONFIG", config).output().unwrap()
}

fn ends(output: &Output, code: i32, says: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(says), "{stderr}");
}

fn stdout(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn replay_prints_the_census_and_the_document() {
    let dir = tempfile::tempdir().unwrap();
    let file = capture(dir.path());
    let text = stdout(sensor(dir.path(), &["replay", file.to_str().unwrap()]));
    assert!(text.contains("10.1.0.7") && text.contains("billable"), "{text}");
    let json = stdout(sensor(dir.path(), &["replay", "--json", "--zone", "hq", file.to_str().unwrap()]));
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(document["schema"], "netcensus.inventory/1");
    assert_eq!(document["devices"][0]["ip"], "10.1.0.7");
    assert_eq!(document["devices"][0]["zone"], "hq");
    assert_eq!(document["census"]["excluded"]["X-PUB"], 1);
    assert_eq!(document["as_of"], "2023-11-14T22:13:21Z");
}

#[test]
fn a_terminal_shows_how_far_a_replay_is_and_nothing_else_does() {
    let dir = tempfile::tempdir().unwrap();
    let file = capture(dir.path());
    let on_terminal = |options: &str| {
        let command = format!("{SENSOR} {options} replay {}", file.display());
        stdout(Command::new("script").args(["-qec", &command, "/dev/null"]).output().unwrap())
    };
    let (shown, quiet) = (on_terminal(""), on_terminal("--quiet"));
    assert!(shown.contains("0 frames") && shown.contains("billable"), "{shown}");
    assert!(!quiet.contains("0 frames") && quiet.contains("billable"), "{quiet}");
    let piped = sensor(dir.path(), &["replay", file.to_str().unwrap()]);
    assert!(!String::from_utf8_lossy(&piped.stderr).contains("frames"));
}

#[test]
fn a_capture_that_ends_within_a_frame_counts_with_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let file = capture(dir.path());
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 5]).unwrap();
    let output = sensor(dir.path(), &["replay", file.to_str().unwrap()]);
    ends(&output, 0, "ends in the middle of a frame");
    assert!(stdout(output).contains("10.1.0.7"));
}

#[test]
fn each_kind_of_failure_has_its_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| sensor(dir.path(), arguments);
    ends(&run(&["replay", "/nowhere.pcap"]), 1, "/nowhere.pcap");
    ends(&run(&["replay", SENSOR]), 1, "not a capture file");
    ends(&run(&["replay"]), 2, "Usage");
    ends(&run(&["explain", "nonsense"]), 2, "aa:bb:cc:dd:ee:ff");
    ends(&run(&["devices"]), 69, "netcensus-sensor run");
    ends(&run(&["run"]), 78, "capture.interfaces");
    ends(&run(&["run", "--interface", "nowhere0"]), 78, "there is no interface 'nowhere0'");
    ends(&run(&["enrol", "junk"]), 1, "nce2_");
}

#[test]
fn a_wrong_configuration_is_named_with_its_place_by_every_command() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("sensor.toml"), "[upload]\nintervall = \"1s\"\n").unwrap();
    for arguments in [&["validate"][..], &["run"], &["devices"], &["replay", "x.pcap"], &["enrol", "x"]] {
        let output = sensor(dir.path(), arguments);
        ends(&output, 78, "sensor.toml:2:1: unknown key 'intervall'; did you mean 'interval'?");
    }
    let output = Command::new(SENSOR).args(["validate", "--config", "/nowhere.toml"]).output().unwrap();
    ends(&output, 78, "/nowhere.toml");
}

#[test]
fn a_duration_that_cannot_be_read_is_named_with_the_way_to_write_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("sensor.toml"), "[upload]\ninterval = \"5 parsecs\"\n").unwrap();
    let output = sensor(dir.path(), &["validate"]);
    ends(&output, 78, "sensor.toml:2:12: upload.interval: not a duration; write a number and a unit");
}

#[test]
fn a_broken_rule_pack_is_refused_with_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("rules");
    fs::create_dir(&rules).unwrap();
    fs::write(rules.join("mine.toml"), "[[rule]\n").unwrap();
    fs::write(dir.path().join("sensor.toml"), format!("[rules]\ndirectory = {rules:?}\n")).unwrap();
    ends(&sensor(dir.path(), &["validate"]), 78, "mine.toml:1");
}

#[test]
fn explain_tells_the_rules_of_a_device_and_of_an_address_that_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let file = capture(dir.path());
    let explain = |subject| sensor(dir.path(), &["explain", "--capture", file.to_str().unwrap(), subject]);
    let device = stdout(explain("10.1.0.7"));
    for part in
        ["> C-NET", "announced the address by ARP", "forwards packets for others", "What would change"]
    {
        assert!(device.contains(part), "{part}: {device}");
    }
    let line = stdout(explain("8.8.8.8"));
    for part in ["X-PUB", "02:00:00:00:00:07 forwards packets for others", "the card proves"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let both = stdout(explain("02:00:00:00:00:07"));
    assert!(both.contains("Device 10.1.0.7") && both.contains("No device: 8.8.8.8"), "{both}");
    ends(&explain("10.9.9.9"), 1, "10.9.9.9: no frame showed this address");
}

#[test]
fn interfaces_are_listed_without_a_privilege() {
    let dir = tempfile::tempdir().unwrap();
    let json = stdout(sensor(dir.path(), &["interfaces", "--json"]));
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    let lo = document["interfaces"].as_array().unwrap().iter().find(|i| i["name"] == "lo");
    assert!(lo.is_some_and(|i| i["readable"] == true), "{json}");
}

#[test]
fn without_the_privilege_to_capture_run_says_what_to_do() {
    if !is_root() {
        println!("skipped: only root can become another user");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let binary = dir.path().join("netcensus-sensor");
    // Nobody may not be able to reach the build directory.
    fs::copy(SENSOR, &binary).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(dir.path(), open).unwrap();
    let config = dir.path().join("sensor.toml");
    let state = dir.path().join("state");
    fs::write(&config, format!("state_directory = {state:?}\n[health]\nlisten = \"\"\n")).unwrap();
    let mut command = Command::new(binary);
    command.args(["run", "--interface", "lo", "--config"]).arg(config).uid(65_534).gid(65_534);
    ends(&command.output().unwrap(), 77, "setcap cap_net_raw+ep");
}

pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0)
}

#[test]
fn top_prints_one_page_of_a_capture_as_plain_text() {
    let dir = tempfile::tempdir().unwrap();
    let file = capture(dir.path());
    let text = stdout(sensor(dir.path(), &["top", "--once", "--capture", file.to_str().unwrap()]));
    assert!(text.contains("1 billable") && text.contains("10.1.0.7"), "{text}");
    assert!(text.lines().count() == 24 && text.lines().all(|l| l.chars().count() <= 80), "{text}");
    assert!(!text.contains('\u{1b}'));
    ends(&sensor(dir.path(), &["top", "--once"]), 69, "netcensus-sensor run");
    ends(&sensor(dir.path(), &["top", "--capture", file.to_str().unwrap()]), 2, "--once");
}
