//! The command about feeds of indicators as a process.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::commands::SENSOR;

#[test]
fn indicators_tells_what_feeds_hold_and_what_a_value_hits() {
    let dir = tempfile::tempdir().unwrap();
    let (list, misp) = (dir.path().join("list.txt"), dir.path().join("misp.json"));
    fs::write(&list, "203.0.113.7\n8.8.8.8\nhttp://evil.example/\n").unwrap();
    fs::write(
        &misp,
        r#"{"Event":{"Attribute":[{"type":"domain","value":"evil.example"},{"type":"md5","value":"0"}]}}"#,
    )
    .unwrap();
    let sensor = |arguments: &[&str]| {
        let mut command = Command::new(SENSOR);
        command.arg("indicators").args(arguments).arg(&list).arg(&misp).output().unwrap()
    };
    let output = sensor(&["--test", "c2.evil.example", "--test", "203.0.113.8"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "guarded 1, URL 1",
        "MISP md5 1",
        "c2.evil.example hits name:evil.example",
        "203.0.113.8 hits no indicator",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let document: Value = serde_json::from_slice(&sensor(&["--json"]).stdout).unwrap();
    assert_eq!((&document["indicators"], &document["feeds"][1]["form"]), (&2.into(), &"MISP JSON".into()));
    fs::write(&misp, "{").unwrap();
    let output = sensor(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("misp.json: the JSON has a fault"));
}
