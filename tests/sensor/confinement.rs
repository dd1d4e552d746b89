//! What the running sensor can no longer do, seen from outside.

use std::fs;
use std::path::Path;

use netcensus::sensor::health::SensorState;

use super::live::in_namespace_with;

/// The lines of `/proc/PID/status`, which the script copied, as `(name, value)`.
fn status(dir: &Path, name: &str, key: &str) -> String {
    let text = fs::read_to_string(dir.join(name)).unwrap();
    let line = text.lines().find_map(|l| l.strip_prefix(&format!("{key}:")));
    line.unwrap().trim().to_owned()
}

fn state(dir: &Path) -> SensorState {
    serde_json::from_str(&fs::read_to_string(dir.join("state.json")).unwrap()).unwrap()
}

const LOOK: &str = r#"
    curl -s --unix-socket $SOCKET http://sensor/state >state.json
    cp /proc/$PID/status main
    for task in /proc/$PID/task/*; do case $(cat $task/comm) in capture*) cp $task/status capture;; esac; done
    ls -l /proc/$PID/fd >open
    stop
"#;

#[test]
fn the_capture_half_gives_up_all_and_has_no_network() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!("SOCKET=state/control.sock\n{LOOK}");
    let Some(()) = in_namespace_with(dir.path(), "--only capture", &script) else { return };
    for thread in ["main", "capture"] {
        for set in ["CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"] {
            assert_eq!(status(dir.path(), thread, set), "0000000000000000", "{thread} {set}");
        }
        assert_eq!(status(dir.path(), thread, "NoNewPrivs"), "1");
        assert_eq!(status(dir.path(), thread, "Seccomp"), "2");
    }
    let state = state(dir.path());
    assert!(state.captures && !state.uploads);
    let names: Vec<&str> = state.confinement.measures.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["capabilities", "no_new_privileges", "landlock", "seccomp"]);
    // What a kernel lacks is named; what it has is in force.
    assert!(state.confinement.missing().iter().all(|m| m.name == "landlock"), "{:?}", state.confinement);
}

#[test]
fn both_halves_in_one_process_leave_the_capability_to_the_capture_threads_alone() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!("SOCKET=state/control.sock\n{LOOK}");
    let Some(()) = in_namespace_with(dir.path(), "", &script) else { return };
    assert_eq!(status(dir.path(), "main", "CapPrm"), "0000000000000000");
    assert_eq!(status(dir.path(), "capture", "CapPrm"), "0000000000002000");
}

#[test]
fn a_capture_half_whose_interface_comes_again_ends_for_a_new_start() {
    let dir = tempfile::tempdir().unwrap();
    let script = r#"
        ip link del span0
        WANT="span0: " until_says curl -s --unix-socket state/control.sock http://sensor/readyz
        kill -0 $PID
        wire 10.9.0.99
        set +e; wait $PID; test $? = 1 || exit 9; set -e
        grep -q "needs a privilege that this process gave up" log
        ls state/spool/*.upload
    "#;
    let _ran = in_namespace_with(dir.path(), "--only capture", script);
}

#[test]
fn a_changed_filter_makes_the_capture_half_end_for_a_restart_and_an_invalid_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let script = r#"
        cp sensor.toml good.toml
        sed '/^ring_mib/a filter = "not port"' good.toml > sensor.toml
        kill -HUP $PID
        WANT="invalid capture filter 'not port'" until_says cat log
        kill -0 $PID
        sed '/^ring_mib/a filter = "arp"' good.toml > sensor.toml
        kill -HUP $PID
        set +e; wait $PID; test $? = 1 || exit 9; set -e
        grep -q "needs a privilege that this process gave up" log
    "#;
    let _ran = in_namespace_with(dir.path(), "--only capture", script);
}
