//! The commands about rules as processes.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::commands::{SENSOR, capture};

const GOOD: &str = r#"schema = 1
[pack]
name = "local"
version = "1"

[[rule]]
id = "local.badge-reader"
title = "The badge readers of our doors"
evidence = "mac.random"
match = { eq = "true" }
set = { type = "access_control", model = "Reader {value|upper}" }
weight = 90
tests = [
  { in = "true", expect = { type = "access_control" } },
  { in = "no", miss = true },
]
"#;

/// Runs the sensor with `pack` as its operator's rules.
fn sensor(dir: &Path, pack: &str, arguments: &[&str]) -> Output {
    let rules = dir.join("rules");
    fs::create_dir_all(&rules).unwrap();
    fs::write(rules.join("local.toml"), pack).unwrap();
    let config = dir.join("sensor.toml");
    let state = dir.join("state");
    fs::write(&config, format!("state_directory = {state:?}\n[rules]\ndirectory = {rules:?}\n")).unwrap();
    Command::new(SENSOR).args(arguments).env("NETCENSUS_SENSOR_CONFIG", config).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn rules_are_listed_by_field_pack_and_text_with_what_they_set() {
    let dir = tempfile::tempdir().unwrap();
    let output = sensor(dir.path(), GOOD, &["rules", "list", "--pack", "local", "BADGE"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    for part in ["local.badge-reader", "mac.random", "type=access_control, model=Reader {value|upper}", "90"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = sensor(dir.path(), GOOD, &["rules", "list", "--field", "mac.random", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(document["schema"], "netcensus.rules/1");
    let rules = document["rules"].as_array().unwrap();
    assert!(rules.iter().all(|r| r["evidence"] == "mac.random"));
    assert!(rules.iter().any(|r| r["id"] == "local.badge-reader" && r["line"] == 6));
    let wrong = sensor(dir.path(), GOOD, &["rules", "list", "--field", "mac.randon"]);
    assert!(wrong.status.code() == Some(2) && said(&wrong).contains("did you mean 'mac.random'?"));
}

#[test]
fn rules_that_are_overridden_or_disabled_are_listed_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let pack = GOOD
        .replace("local.badge-reader", "ssh.dropbear")
        .replace("schema = 1", "schema = 1\ndisable = ['ssh.windows']");
    let text = said(&sensor(dir.path(), &pack, &["rules", "list", "ssh."]));
    let line = |id: &str, state: &str| text.lines().any(|l| l.starts_with(id) && l.contains(state));
    assert!(line("ssh.dropbear", " overridden "), "{text}");
    assert!(line("ssh.dropbear", " overrides "), "{text}");
    assert!(line("ssh.windows", " disabled "), "{text}");
    assert!(line("ssh.unix", " active "), "{text}");
}

#[test]
fn the_tests_of_all_packs_pass_and_every_failure_is_named_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let good = sensor(dir.path(), GOOD, &["rules", "test"]);
    assert!(good.status.success(), "{}", said(&good));
    assert!(said(&good).contains("rules/ssh.toml") && said(&good).contains("local.toml"));

    let bad =
        GOOD.replace("{ in = \"true\", expect", "{ in = \"false\", expect").replace("\"no\"", "\"true\"");
    let file = dir.path().join("rules/local.toml");
    let output = sensor(dir.path(), &bad, &["rules", "test", file.to_str().unwrap()]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("local.toml:14:3: rule 'local.badge-reader' fails its test 1"), "{text}");
    assert!(text.contains("local.toml:15:3: rule 'local.badge-reader' fails its test 2"), "{text}");
    let json = sensor(dir.path(), &bad, &["rules", "test", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&document["schema"], &document["passed"]), (&"netcensus.rule_tests/1".into(), &false.into()));
}

#[test]
fn coverage_shows_what_no_rule_knows_until_a_rule_knows_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = capture(dir.path());
    let coverage = |pack: &str| {
        let capture = file.to_str().unwrap();
        let arguments = ["rules", "coverage", "--json", "--field", "behaviour", "--capture", capture];
        let output = sensor(dir.path(), pack, &arguments);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let before = coverage(GOOD);
    assert_eq!((&before["devices"], &before["decided"]), (&1.into(), &1.into()));
    assert_eq!(before["unmatched"][0]["value"], "gateway.public", "{before}");
    let after = coverage(&GOOD.replace("mac.random", "behaviour").replace("\"true\"", "\"gateway.public\""));
    assert_eq!(after["unmatched_values"], 0, "{after}");
}
