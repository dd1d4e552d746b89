//! The running sensor on a real interface, in its own network namespace.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use netcensus::capture::file;
use netcensus::census::Zone;
use netcensus::dissect::Frame;
use netcensus::sensor::upload::spool::SpoolReader;
use netcensus::wire::Upload;
use serde_json::Value;

use super::commands::{SENSOR, is_root};

#[allow(dead_code, reason = "the benchmark reads the names")]
#[path = "../../benches/hostile/mod.rs"]
mod hostile;

/// Runs a script in its own network namespace, with `span0` and `gen0` as the two ends of a wire and the sensor on
/// `span0`; `None` if this machine does not allow namespaces.
fn in_namespace(dir: &Path, script: &str) -> Option<Output> {
    run_in_namespace(dir, "", script)
}

/// As [`in_namespace`], with further arguments of `run`; the script must succeed.
pub(crate) fn in_namespace_with(dir: &Path, arguments: &str, script: &str) -> Option<()> {
    succeeded(&run_in_namespace(dir, arguments, script)?);
    Some(())
}

fn run_in_namespace(dir: &Path, arguments: &str, script: &str) -> Option<Output> {
    let possible = is_root()
        && Command::new("unshare")
            .args(["-n", "ip", "link", "add", "a0", "type", "veth", "peer", "name", "b0"])
            .output()
            .is_ok_and(|o| o.status.success());
    if !possible {
        println!("skipped: network namespaces need root and a kernel that allows them");
        return None;
    }
    let config = dir.join("sensor.toml");
    let state = dir.join("state");
    let text = format!(
        "state_directory = {state:?}\n[capture]\ninterfaces = [\"span0\"]\nring_mib = 2\nthreads = 2\n[health]\nlisten = \"127.0.0.1:9109\"\n[upload]\ngrace = \"0s\"\n"
    );
    fs::write(&config, text).unwrap();
    let preamble = r#"
        set -eu
        # Nothing but the test speaks on the wire: no end gives itself an IPv6 address that it would announce.
        wire() { ip link add span0 type veth peer name gen0
                 for i in span0 gen0; do ip link set $i addrgenmode none; ip link set $i up; done
                 ip addr add $1/24 dev gen0; }
        # Announces 10.9.0.1 by asking for somebody who is not there.
        speak() { (echo hello > /dev/udp/10.9.0.$1/9) 2>/dev/null || true; }
        until_says() { for _ in $(seq 200); do if "$@" 2>/dev/null | grep -q "$WANT"; then return 0; fi; speak $((RANDOM % 200 + 2)); sleep 0.05; done
                  echo "never said $WANT: $*" >&2; cat log >&2; exit 1; }
        devices() { "$SENSOR" devices --config sensor.toml "$@"; }
        stop() { kill -TERM $PID; wait $PID; }
        ip link set lo up
        wire 10.9.0.1
        "$SENSOR" run $ARGUMENTS --config sensor.toml 2>log & PID=$!
        trap 'kill -KILL $PID 2>/dev/null || true' EXIT
        WANT="^10.9.0.1 " until_says devices
    "#;
    let mut command = Command::new("unshare");
    command.args(["-n", "bash", "-c", &format!("{preamble}\n{script}")]);
    Some(command.current_dir(dir).env("SENSOR", SENSOR).env("ARGUMENTS", arguments).output().unwrap())
}

fn succeeded(output: &Output) -> String {
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}\n{said}");
    said.into_owned()
}

fn spooled(dir: &Path) -> Zone {
    let reader = SpoolReader::new(&dir.join("state/spool"));
    let mut zone = Zone::default();
    while let Some(item) = reader.oldest().unwrap() {
        zone.merge(&Upload::decode(&reader.read(&item).unwrap().unwrap()).unwrap().delta);
        reader.done(&item).unwrap();
    }
    zone
}

fn has(zone: &Zone, ip: &str) -> bool {
    zone.couplings.keys().any(|k| k.ip.to_string() == ip)
}

#[test]
fn what_is_captured_is_shown_and_goes_to_the_spool_when_the_sensor_stops() {
    let dir = tempfile::tempdir().unwrap();
    let script = r#"
        WANT='netcensus_sensor_interface_up{interface="span0"} 1' until_says curl -s 127.0.0.1:9109/metrics
        WANT=ok until_says curl -s 127.0.0.1:9109/healthz
        WANT="the running sensor" until_says "$SENSOR" top --once --config sensor.toml
        WANT="^10.9.0.1 " until_says "$SENSOR" top --once --config sensor.toml
        WANT="mac.random\|devices: " until_says "$SENSOR" rules coverage --config sensor.toml
        # Who starts it reads how far it has come.
        for WANT in "not enrolled yet" "capturing on span0 as zone" "first frame on span0" "first device: "; do until_says cat log; done
        # A second one on the same state directory is refused with the process id of the first.
        "$SENSOR" run --config sensor.toml 2>second && exit 1
        grep -q "the process $PID runs a sensor with the state directory" second
        stop
        test ! -e state/control.sock
    "#;
    let Some(output) = in_namespace(dir.path(), script) else { return };
    succeeded(&output);
    assert!(has(&spooled(dir.path()), "10.9.0.1"));
}

#[test]
fn what_was_known_is_known_again_after_a_kill_and_after_a_stop() {
    let dir = tempfile::tempdir().unwrap();
    let script = r#"
        # Before it serves, it does not catch a signal either.
        again() { "$SENSOR" run --config sensor.toml 2>>log & PID=$!
                  WANT="the running sensor" until_says "$SENSOR" top --once --config sensor.toml; }
        stop
        echo '[spool]
        checkpoint_every = "1s"' >>sensor.toml
        sed -i 's/^\[upload\]/[upload]\ninterval = "100ms"/' sensor.toml
        again
        WANT="^10.9.0.1 " until_says devices
        WANT=inventory.zst until_says ls state
        "$SENSOR" explain 10.9.0.1 --config sensor.toml >before
        kill -KILL $PID; wait $PID || true
        # Nobody speaks any more.
        ip link set gen0 down
        again
        devices >after
        grep -q "^10.9.0.1 " after
        stop
        again
        devices >after
        grep -q "^10.9.0.1 " after
        "$SENSOR" explain 10.9.0.1 --config sensor.toml >after
        stop
        # The last sighting may have come after the first look.
        times() { sed -E 's/20[0-9]{2}-[0-9T:.-]+Z/TIME/g' "$1"; }
        diff <(times before) <(times after)
        printf damaged >state/inventory.zst
        again
        WANT="starts without it" until_says cat log
        stop
        test -e state/inventory.bad
    "#;
    let Some(output) = in_namespace(dir.path(), script) else { return };
    succeeded(&output);
    assert!(has(&spooled(dir.path()), "10.9.0.1"));
}

#[test]
fn an_interface_that_disappears_is_captured_again_when_it_returns() {
    let dir = tempfile::tempdir().unwrap();
    let script = r#"
        ip link del span0
        WANT="span0: " until_says curl -s 127.0.0.1:9109/readyz
        kill -0 $PID
        wire 10.9.0.99
        WANT="^10.9.0.99 " until_says devices
        stop
        grep -q "capturing again" log
    "#;
    let Some(output) = in_namespace(dir.path(), script) else { return };
    succeeded(&output);
    let zone = spooled(dir.path());
    assert!(has(&zone, "10.9.0.1") && has(&zone, "10.9.0.99"));
}

#[test]
fn a_reload_ignores_an_invalid_configuration_and_applies_a_valid_one() {
    let dir = tempfile::tempdir().unwrap();
    let script = r#"
        cp sensor.toml good.toml
        echo 'nonsense = 1' > sensor.toml
        kill -HUP $PID
        WANT="unknown key 'nonsense'.*keeping the old configuration" until_says cat log
        sed '/^ring_mib/a filter = "not port"' good.toml > sensor.toml
        kill -HUP $PID
        WANT="invalid capture filter 'not port'" until_says cat log
        sed '/^ring_mib/a filter = "arp"' good.toml > sensor.toml
        kill -HUP $PID
        WANT="capturing with the changed settings" until_says cat log
        kill -0 $PID
        stop
    "#;
    let Some(output) = in_namespace(dir.path(), script) else { return };
    succeeded(&output);
}

/// Sends each frame of a file (length in 4 bytes, then the bytes) on an interface.
const SEND: &str = r#"
import socket, struct, sys, time
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((sys.argv[2], 0))
data = open(sys.argv[1], "rb").read()
at = sent = 0
while at < len(data):
    (length,) = struct.unpack_from(">I", data, at)
    out.send(data[at + 4 : at + 4 + length])
    at += 4 + length
    sent += 1
    if sent % 50 == 0:
        time.sleep(0.005)
print(sent)
"#;

/// The demo's frames; every tenth in a VLAN, every twentieth in one within another.
fn tagged_office() -> Vec<u8> {
    let office: &[u8] = include_bytes!("../../assets/demo.pcap.zst");
    let (mut out, mut n) = (Vec::new(), 0u32);
    let mut each = |frame: &Frame<'_>| {
        if frame.data.len() < 14 || frame.data.len() > 1400 || n >= 2_000 {
            return;
        }
        n += 1;
        let (addresses, rest) = frame.data.split_at(12);
        let tags: &[u8] = match n % 20 {
            0 => &[0x88, 0xa8, 0, 40, 0x81, 0, 0, 30],
            10 => &[0x81, 0, 0xe0, 30],
            _ => &[],
        };
        let frame = [addresses, tags, rest].concat();
        out.extend(u32::try_from(frame.len()).unwrap().to_be_bytes());
        out.extend(frame);
    };
    file::read_from(Path::new("demo"), Box::new(office), &mut each).unwrap();
    out
}

/// A document without what differs between a live capture and a file: totals and frame numbers.
fn comparable(json: &str) -> Value {
    let mut document: Value = serde_json::from_str(json).unwrap();
    document.as_object_mut().unwrap().remove("capture").unwrap();
    for device in document.get_mut("devices").and_then(Value::as_array_mut).unwrap() {
        for evidence in device.get_mut("evidence").and_then(Value::as_array_mut).unwrap() {
            evidence.as_object_mut().unwrap().remove("frame");
        }
    }
    document
}

#[test]
fn the_same_frames_live_and_from_a_file_give_the_same_inventory_tags_included() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("frames"), tagged_office()).unwrap();
    fs::write(dir.path().join("send.py"), SEND).unwrap();
    let script = r#"
        stop; rm -rf state
        for i in span0 gen0; do ip link set $i arp off; sysctl -q net.ipv6.conf.$i.disable_ipv6=1 || true; done
        tcpdump -Z root -i span0 --nano -U -w seen.pcap 2>dump & DUMP=$!
        for _ in $(seq 200); do grep -q "listening on" dump && break; sleep 0.05; done
        "$SENSOR" run --config sensor.toml 2>log & PID=$!
        for _ in $(seq 200); do devices >/dev/null 2>&1 && break; sleep 0.05; done
        SENT=$(python3 send.py frames gen0)
        WANT="\"frames\":$SENT,"
        for _ in $(seq 200); do devices --json >live.json 2>/dev/null; grep -q "$WANT" live.json && break; sleep 0.05; done
        grep -q "$WANT" live.json
        "$SENSOR" devices --config sensor.toml --json --as-of 2030-01-01T00:00:00Z >live.json
        kill -INT $DUMP; wait $DUMP || true
        stop
        "$SENSOR" replay --json --as-of 2030-01-01T00:00:00Z seen.pcap >replayed.json
    "#;
    let Some(output) = in_namespace(dir.path(), script) else { return };
    succeeded(&output);
    let read = |name| fs::read_to_string(dir.path().join(name)).unwrap();
    let (live, replayed) = (comparable(&read("live.json")), comparable(&read("replayed.json")));
    assert_eq!(live, replayed);
    let couplings =
        || live["devices"].as_array().unwrap().iter().flat_map(|d| d["couplings"].as_array().unwrap());
    assert!(couplings().any(|c| c["vlan"] == serde_json::json!([30, 40])), "both tags are put back");
    assert!(live["devices"].as_array().unwrap().len() > 50);
}

#[test]
fn a_rule_file_is_taken_at_reload_and_one_with_an_error_leaves_the_old_rules_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let script = r#"
        rule() { printf '%s\n' 'schema = 1' '[pack]' 'name = "l"' 'version = "1"' '[[rule]]' 'id = "l.a"' 'title = "T"' \
            'evidence = "mac.random"' 'match = { eq = "true" }' "set = { type = \"$1\" }" 'weight = 99' \
            'tests = [{ in = "true", expect = {} }, { in = "x", miss = true }]' > rules/local.toml; }
        mkdir rules
        rule camera
        echo "[rules]
        directory = \"$PWD/rules\"" >> sensor.toml
        kill -HUP $PID
        WANT="^10.9.0.1 .* camera " until_says devices
        rule camara
        kill -HUP $PID
        WANT="local.toml:5:1: rule 'l.a': 'camara' is neither a category nor a type.*keeping the old configuration" until_says cat log
        WANT="^10.9.0.1 .* camera " until_says devices
        rule printer
        kill -HUP $PID
        WANT="^10.9.0.1 .* printer " until_says devices
        stop
    "#;
    let Some(output) = in_namespace(dir.path(), script) else { return };
    succeeded(&output);
}

/// Runs the sensor and kills it if it does not report for the time of its watchdog, as systemd would.
const WATCHDOG: &str = r#"
import os, socket, subprocess, sys, time
seconds = float(sys.argv[1])
notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notified.bind("notify.sock")
notified.settimeout(0.1)
environment = dict(os.environ, NOTIFY_SOCKET=os.path.abspath("notify.sock"), WATCHDOG_USEC=str(int(seconds * 1e6)))
sensor = subprocess.Popen([os.environ["SENSOR"], "run", "--config", "sensor.toml"], env=environment)
open("watched.pid", "w").write(str(sensor.pid))
pings, deadline = 0, time.monotonic() + seconds
while sensor.poll() is None:
    try:
        told = notified.recv(65536)
    except TimeoutError:
        told = b""
    if b"WATCHDOG=1" in told:
        pings, deadline = pings + 1, time.monotonic() + seconds
    elif b"STOPPING=1" in told:
        deadline += 60
    elif time.monotonic() > deadline:
        sensor.kill()
        sys.exit(f"no report for {seconds} s after {pings} pings")
sys.exit(sensor.wait() if pings else "never reported")
"#;

/// Sends the frames of a file on an interface again and again, as fast as it can, for some seconds.
const FLOOD: &str = r#"
import socket, struct, sys, time
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((sys.argv[2], 0))
data = open(sys.argv[1], "rb").read()
at, frames = 0, []
while at < len(data):
    (length,) = struct.unpack_from(">I", data, at)
    frames.append(data[at + 4 : at + 4 + length])
    at += 4 + length
end, sent = time.monotonic() + float(sys.argv[3]), 0
while time.monotonic() < end:
    for frame in frames:
        try:
            out.send(frame)
            sent += 1
        except OSError:
            pass
print(sent)
"#;

fn framed(frames: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    frames.flat_map(|f| [&u32::try_from(f.len()).unwrap().to_be_bytes()[..], &f].concat()).collect()
}

/// A question that a host of 10.9.1.0/24 asks.
fn calm(host: u8) -> Vec<u8> {
    let mac = [0x00, 0x40, 0x8c, 9, 1, host];
    let body = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &mac, &[10, 9, 1, host], &[0; 6], &[10, 9, 1, 254]].concat();
    [&[0xff; 6][..], &mac, &[8, 6], &body].concat()
}

/// `FLOOD_SECONDS` in the environment makes it longer; the suite floods for five seconds.
#[test]
fn the_dearest_frames_at_full_speed_keep_the_sensor_alive_and_cost_no_device_of_the_calm_before() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    let dearest = hostile::KINDS.iter().flat_map(|kind| (1..40).map(|n| (kind.frame)(n)));
    write("dearest", &framed(dearest.filter(|frame| frame.len() <= 1_514)));
    write("calm", &framed((1..=40).map(calm)));
    write("watchdog.py", WATCHDOG.as_bytes());
    write("flood.py", FLOOD.as_bytes());
    write("send.py", SEND.as_bytes());
    let seconds = std::env::var("FLOOD_SECONDS").unwrap_or_else(|_| "5".to_owned());
    let script = r#"
        stop; rm -rf state
        frames() { curl -s 127.0.0.1:9109/metrics | sed -n 's/^netcensus_sensor_frames_total.* //p'; }
        python3 watchdog.py 4 2>log & WATCHED=$!
        for _ in $(seq 200); do devices >/dev/null 2>&1 && break; sleep 0.05; done
        PID=$(cat watched.pid)
        python3 send.py calm gen0 >/dev/null
        for n in 1 20 40; do
            for _ in $(seq 200); do devices 2>/dev/null | grep -q "^10.9.1.$n " && break; sleep 0.05; done
        done
        python3 flood.py dearest gen0 FLOOD_SECONDS >sent & FLOOD=$!
        # The counters go on in the flood, and stay so.
        sleep 1; BEFORE=$(frames)
        sleep 2; DURING=$(frames)
        test "$DURING" -gt "$BEFORE"
        wait $FLOOD
        kill -0 $WATCHED
        sleep 1
        devices --json >after.json
        curl -s 127.0.0.1:9109/metrics >metrics
        "$SENSOR" top --once --config sensor.toml >top
        kill -TERM $PID
        wait $WATCHED
    "#;
    let Some(output) = in_namespace(dir.path(), &script.replace("FLOOD_SECONDS", &seconds)) else { return };
    succeeded(&output);
    let read = |name| fs::read_to_string(dir.path().join(name)).unwrap();
    let document: Value = serde_json::from_str(&read("after.json")).unwrap();
    let dropped = document["capture"]["dropped"].as_u64().unwrap();
    println!("sent {}, captured {}, dropped {dropped}", read("sent").trim(), document["capture"]["frames"]);
    let devices = document["devices"].as_array().unwrap();
    let addresses: Vec<&str> = devices
        .iter()
        .flat_map(|d| d["couplings"].as_array().unwrap())
        .filter_map(|coupling| coupling["ip"].as_str())
        .collect();
    assert!((1..=40).all(|n| addresses.contains(&format!("10.9.1.{n}").as_str())), "{addresses:?}");
    assert!(dropped > 0, "a sender of this speed should overrun a ring of 1 MiB");
    assert!(document["capture"]["drops"]["first"].is_string());
    let findings = document["findings"].as_array().unwrap();
    assert!(findings.iter().any(|f| f["kind"] == "frames_dropped" && f["last"].is_string()), "{findings:?}");
    assert!(read("top").contains("frames dropped"));
    let metrics = read("metrics");
    assert!(metrics.contains("netcensus_sensor_anomalies_total{kind=\"over_budget\"}"), "{metrics}");
    assert!(metrics.contains("netcensus_sensor_dissector_panics_total{interface=\"span0\"} 0"));
    let reader = SpoolReader::new(&dir.path().join("state/spool"));
    let mut newest = None;
    while let Some(item) = reader.oldest().unwrap() {
        newest = Some(Upload::decode(&reader.read(&item).unwrap().unwrap()).unwrap());
        reader.done(&item).unwrap();
    }
    let health = newest.unwrap().health;
    assert!(health.dropped > 0 && health.drops.is_some());
}
