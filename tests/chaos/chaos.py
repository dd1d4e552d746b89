#!/usr/bin/env python3
"""Faults: the plan service must learn what the sensor saw, whatever happens between them.

chaos.py BIN [FAULT...]: runs the binaries in the folder BIN through each fault, in namespaces of its own (needs root), and
prints each fault with its outcome. Every run sends the same frames in three parts: before, during and after the fault.
A run passes if the service then has the same census, with the same evidence, as after a run without faults. Devices send
each piece of evidence once, so a repetition cannot hide a loss.

If a fault may cost something, the outcome states the limit. CHAOS_TEST names the test binary that runs the fault in
simulated time. CHAOS_KEEP=1 keeps the folders of failed runs.
"""

import fcntl
import glob
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import relay as relays
import traffic

SERVICE, RELAY, STRANGER, SECOND = 8080, 8081, 8443, 8082
METRICS = "http://127.0.0.1:9109"
PARTS = [(2, 30), (30, 48), (48, 64)]
DEVICES = PARTS[-1][1] - PARTS[0][0]
PATIENCE = 600  # seconds until something counts as hung; no outcome depends on the machine's pace
CONFIG = """\
state_directory = "{state}"
[capture]
interfaces = ["span0"]
ring_mib = 4
[upload]
interval = "100ms"
timeout = "5s"
retry_after = "100ms"
retry_at_most = "1s"
grace = "2s"
[spool]
max_mib = 2
checkpoint_every = "1s"
"""
FAULTS = []


def fault(title, bound="same census, nothing lost"):
    """Registers a fault. It runs after the first part was sent, sends the second, and ends before the third."""

    def register(function):
        FAULTS.append((function.__name__, title, bound, function))
        return function

    return register


def run(*command, check=True, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-600:]}")
    return done


class Failed(Exception):
    """Why a run failed."""


def until(what, condition):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise Failed(f"timed out waiting for {what}")


def get(url):
    return urllib.request.urlopen(url, timeout=30).read().decode()


class Stage:
    """A sensor, a relay and a plan service, with their own wire and disk."""

    relay = None

    def __init__(self, binaries, database=None, services=(SERVICE,), clock=False):
        self.bin = binaries
        self.dir = tempfile.mkdtemp(prefix="netcensus-chaos.")
        self.state = os.path.join(self.dir, "state")
        os.mkdir(self.state)
        run("mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "chaos", self.state)
        self.database = database or os.path.join(self.dir, "plan.sqlite")
        self.config = os.path.join(self.dir, "sensor.toml")
        self.clock = os.path.join(self.dir, "clock")
        self.sent, self.plans, self.sensor, self.has_clock = 0, {}, None, clock
        with open(self.config, "w") as out:
            out.write(CONFIG.format(state=self.state))
        with open(os.path.join(self.dir, "plan.toml"), "w") as out:
            out.write(f'public_url = "http://127.0.0.1:{RELAY}"\n[census]\nas_of = "newest_frame"\n')
        self.set_clock("+0")
        if Stage.relay is None:
            Stage.relay = relays.Relay(RELAY, services)
        Stage.relay.mode, Stage.relay.upstream = "pass", list(services)
        self.plug()
        for port in services:
            self.start_plan(port)
        self.plan("subscription", "create", "Chaos")
        self.plan("plan", "onboard", "--kind", "trial", "--accept-terms")
        token = json.loads(self.plan("sensor", "token", "--json"))["token"]
        self.log = open(os.path.join(self.dir, "log"), "a+")
        run(f"{self.bin}/netcensus-sensor", "enrol", "--config", self.config, token)
        self.start_sensor()

    # the wire

    def plug(self):
        run("ip", "link", "add", "span0", "type", "veth", "peer", "name", "gen0")
        for end in ("span0", "gen0"):
            run("sysctl", "-qw", f"net.ipv6.conf.{end}.disable_ipv6=1", check=False)
            run("ip", "link", "set", end, "arp", "off", "up")

    def send(self, part):
        self.sent += traffic.Wire("gen0").send(*PARTS[part])

    # the processes

    def environment(self):
        """If the run has its own clock, tests can set it while processes run."""
        # The sensor's allocator reserves addresses at the start, so a limit of them would not make allocations fail.
        plain = dict(os.environ, MIMALLOC_ARENA_RESERVE="0")
        if not self.has_clock:
            return plain
        library = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
        if not library:
            raise Failed("libfaketime is missing; '.ci/need chaos' installs it")
        return dict(plain, LD_PRELOAD=library[0], FAKETIME_TIMESTAMP_FILE=self.clock, FAKETIME_NO_CACHE="1",
                    FAKETIME_DONT_FAKE_MONOTONIC="1")

    def set_clock(self, offset):
        with open(self.clock + ".new", "w") as out:
            out.write(offset)
        os.rename(self.clock + ".new", self.clock)

    def start_plan(self, port=SERVICE, wait=True):
        log = open(os.path.join(self.dir, "plan.log"), "a")
        self.plans[port] = subprocess.Popen(
            [f"{self.bin}/netcensus-plan", "serve", "--listen", f"127.0.0.1:{port}", "--database", self.database,
             "--config", os.path.join(self.dir, "plan.toml")],
            stdout=log, stderr=log, env=self.environment(),
        )
        if wait:
            until("the plan service", lambda: get(f"http://127.0.0.1:{port}/readyz"))

    def stop_plan(self, port=SERVICE, how=signal.SIGKILL):
        self.plans[port].send_signal(how)
        self.plans.pop(port).wait()

    def start_sensor(self):
        self.sensor = subprocess.Popen(
            [f"{self.bin}/netcensus-sensor", "run", "--config", self.config],
            stderr=self.log, env=self.environment(),
        )
        until("the sensor", lambda: get(f"{METRICS}/healthz"))

    def stop_sensor(self, how=signal.SIGKILL):
        self.sensor.send_signal(how)
        status, self.sensor = self.sensor.wait(), None
        if how == signal.SIGTERM and status != 0:
            raise Failed(f"the sensor ended with {status}")

    def plan(self, *arguments):
        environment = dict(os.environ, NETCENSUS_PLAN_DATABASE=self.database,
                           NETCENSUS_PLAN_CONFIG=os.path.join(self.dir, "plan.toml"))
        return run(f"{self.bin}/netcensus-plan", *arguments, env=environment).stdout

    # observations

    def metric(self, name):
        for line in get(f"{METRICS}/metrics").splitlines():
            if line.startswith(f"netcensus_sensor_{name}"):
                return float(line.split()[-1])
        return 0.0

    def until_captured(self):
        """Waits until the sensor has captured every frame sent since it started."""
        until("the capture", lambda: self.metric("frames_total") >= self.sent)

    def written_down(self):
        """Waits ten upload intervals more: by then the spool has taken or refused everything captured."""
        self.until_captured()
        time.sleep(1)

    def waiting(self):
        return sorted(glob.glob(os.path.join(self.state, "spool", "*.upload")))

    def said(self, text):
        with open(self.log.name) as log:
            return text in log.read()

    def identity(self):
        return glob.glob(f"{self.state}/**/identity.json", recursive=True)[0]

    def census(self):
        """The service's census without times."""
        document = json.loads(self.plan("census", "--inventory"))
        keep = ("ip", "mac", "category", "type", "vendor", "model", "name", "verdict", "zone")
        devices = []
        for device in document["devices"]:
            row = {key: device.get(key) for key in keep}
            row["couplings"] = sorted((c["mac"], c["ip"]) for c in device["couplings"])
            row["evidence"] = sorted((e["field"], e["value"]) for e in device["evidence"])
            devices.append(row)
        rest = {key: document[key] for key in ("census", "routed")}
        unaddressed = [u.get("mac") for u in document["unaddressed"]]
        return {"devices": devices, "unaddressed": unaddressed, **rest}

    def close(self, keep):
        for process in [*self.plans.values(), self.sensor]:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        run("nft", "flush", "ruleset", check=False)
        for end in ("span0", "gen0"):
            run("ip", "link", "del", end, check=False)
        self.log.close()
        if keep:
            shutil.copytree(self.state, os.path.join(self.dir, "left"), ignore=shutil.ignore_patterns("*.sock"))
        run("umount", "-l", self.state, check=False)
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)


def firewall(rule):
    """Drops packets between sensor and service."""
    run("nft", f"add table inet chaos; add chain inet chaos in {{ type filter hook input priority 0; }}; "
        f"add rule inet chaos in tcp dport {RELAY} {rule} drop; add rule inet chaos in tcp sport {RELAY} {rule} drop")


# ---------------------------------------------------------------------------------------------------------- the service


@fault("plan service down, then back")
def service_down(s):
    s.stop_plan()
    s.send(1)
    s.written_down()
    time.sleep(3)
    s.start_plan()


@fault("plan service killed again and again while it stores")
def service_killed(s):
    for _ in range(4):
        s.stop_plan()
        s.start_plan()
        s.send(1)
        time.sleep(0.25)


@fault("answer lost after the upload was stored")
def answer_lost(s):
    s.relay.mode = "lose"
    s.send(1)
    s.written_down()
    time.sleep(3)


@fault("connection cut in the middle of a request")
def request_cut(s):
    s.relay.mode = "cut"
    s.send(1)
    time.sleep(3)


@fault("slow server: a few KiB a second")
def slow_server(s):
    s.relay.mode = "slow"
    s.send(1)
    time.sleep(4)


@fault("server that takes and never answers")
def stalling_server(s):
    s.relay.mode = "stall"
    s.send(1)
    time.sleep(12)  # the sensor gives an upload up after 5 s


@fault("server busy (429, Retry-After)")
def busy_server(s):
    s.relay.mode = "busy"
    s.send(1)
    time.sleep(3)


@fault("captive portal: 200 with a page")
def captive_portal(s):
    s.relay.mode = "page"
    s.send(1)
    s.written_down()
    until("an upload to wait", s.waiting)
    time.sleep(2)
    if not s.waiting():
        raise Failed("the sensor took a page for a receipt")


@fault("corrupt database: refused at start, older backup restored")
def corrupt_database(s):
    broken_database(s, lambda path: overwrite(path, 0, b"\xff" * 8192))


@fault("truncated database: refused at start, older backup restored")
def truncated_database(s):
    broken_database(s, lambda path: os.truncate(path, os.path.getsize(path) // 2 // 4096 * 4096 + 100))


def broken_database(s, damage):
    s.stop_plan(how=signal.SIGTERM)
    backup = s.database + ".backup"
    shutil.copyfile(s.database, backup)
    s.start_plan()
    s.send(1)
    s.written_down()
    until("the upload", lambda: not s.waiting())
    s.stop_plan(how=signal.SIGTERM)
    for left in glob.glob(s.database + "-*"):
        os.unlink(left)
    damage(s.database)
    s.start_plan(wait=False)
    try:
        s.plans[SERVICE].wait(20)
    except subprocess.TimeoutExpired:
        # If it runs, it must not call itself ready.
        try:
            get(f"http://127.0.0.1:{SERVICE}/readyz")
        except OSError:
            pass
        else:
            raise Failed("the service calls itself ready with a damaged database") from None
        s.plans[SERVICE].kill()
    s.plans.pop(SERVICE).wait()
    for left in glob.glob(s.database + "-*"):
        os.unlink(left)
    os.rename(backup, s.database)
    s.start_plan()


@fault("two plan services on PostgreSQL, one killed")
def two_services(s):
    s.send(1)
    time.sleep(0.3)
    s.stop_plan(SERVICE)
    s.written_down()


# ---------------------------------------------------------------------------------------------------------- the network


@fault("partition")
def partition(s):
    firewall("")
    s.send(1)
    s.written_down()
    time.sleep(4)
    run("nft", "flush", "ruleset")


@fault("30 % of packets lost")
def loss(s):
    firewall("numgen random mod 100 < 30")
    s.send(1)
    time.sleep(6)
    run("nft", "flush", "ruleset")


@fault("wrong certificate")
def wrong_certificate(s):
    server, taken = relays.stranger(STRANGER, s.dir)
    path = s.identity()
    s.relay.mode = "busy"  # so that no upload is stored before the sensor turns to the stranger
    with open(path) as file:
        right = file.read()
    identity = json.loads(right)
    identity["url"] = f"https://127.0.0.1:{STRANGER}"
    overwrite(path, 0, json.dumps(identity).encode(), cut=True)
    s.sensor.send_signal(signal.SIGHUP)
    s.send(1)
    until("the complaint", lambda: s.said("certificate"))
    overwrite(path, 0, right.encode(), cut=True)
    s.sensor.send_signal(signal.SIGHUP)
    server.shutdown()
    server.server_close()
    if taken:
        raise Failed("the sensor sent an upload to a stranger")


@fault("interface down and up")
def interface_down(s):
    s.send(1)
    s.written_down()
    run("ip", "link", "set", "span0", "down")
    time.sleep(1.5)
    run("ip", "link", "set", "span0", "up")
    until("the capture to go on", lambda: get(f"{METRICS}/readyz"))
    time.sleep(0.5)


@fault("interface deleted and made again")
def interface_deleted(s):
    s.send(1)
    s.written_down()
    run("ip", "link", "del", "span0")
    time.sleep(1)
    s.plug()
    until("the capture to go on", lambda: s.said("capturing again"))


# ------------------------------------------------------------------------------------------------------ the sensor's disk


@fault("disk full")
def disk_full(s):
    filler = os.path.join(s.state, "filler")
    with open(filler, "wb", buffering=0) as out:
        try:
            while True:
                out.write(b"\0" * 4096)
        except OSError:
            pass
    s.send(1)
    s.written_down()
    time.sleep(1)
    until("the complaint", lambda: s.said("No space left"))
    os.unlink(filler)


@fault("read-only disk")
def disk_read_only(s):
    run("mount", "-o", "remount,ro", s.state)
    s.send(1)
    s.written_down()
    time.sleep(1)
    until("the complaint", lambda: s.said("Read-only"))
    run("mount", "-o", "remount,rw", s.state)


@fault("corrupt spool")
def corrupt_spool(s):
    damaged_spool(s, lambda path: overwrite(path, os.path.getsize(path) // 2, b"\xa5\x5a"))


@fault("truncated spool")
def truncated_spool(s):
    damaged_spool(s, lambda path: os.truncate(path, os.path.getsize(path) // 2))


def damaged_spool(s, damage):
    firewall("")
    s.send(1)
    s.written_down()
    until("an upload to wait", s.waiting)
    for path in s.waiting():
        damage(path)
    run("nft", "flush", "ruleset")
    until("the damage to be found", lambda: s.metric('uploads_total{result="put_aside"}') > 0)


@fault("corrupt spool, found at the start")
def corrupt_spool_at_start(s):
    firewall("")
    s.send(1)
    s.written_down()
    time.sleep(1)
    until("an upload to wait", s.waiting)
    s.stop_sensor()
    for path in s.waiting():
        overwrite(path, os.path.getsize(path) // 2, b"\xa5\x5a")
    run("nft", "flush", "ruleset")
    restart(s)


@fault("spool deleted")
def spool_deleted(s):
    firewall("")
    s.send(1)
    s.written_down()
    time.sleep(1)
    s.stop_sensor()
    shutil.rmtree(os.path.join(s.state, "spool"))
    run("nft", "flush", "ruleset")
    restart(s)


@fault("corrupt inventory")
def corrupt_inventory(s):
    firewall("")
    s.send(1)
    s.written_down()
    time.sleep(1)
    inventory = os.path.join(s.state, "inventory.zst")
    until("a checkpoint", lambda: os.path.exists(inventory))
    s.stop_sensor()
    overwrite(inventory, 40, b"\xa5\x5a")
    run("nft", "flush", "ruleset")
    restart(s)
    if not s.said("starts without it"):
        raise Failed("the sensor did not report the damage")


# --------------------------------------------------------------------------------------------------- the sensor's process


@fault("sensor killed (SIGKILL), five times")
def sensor_killed(s):
    s.send(1)
    s.written_down()
    for _ in range(5):
        s.stop_sensor()
        restart(s)
        time.sleep(0.15)


@fault("out of memory: allocations fail, then SIGKILL")
def out_of_memory(s):
    s.send(1)
    s.written_down()
    with open(f"/proc/{s.sensor.pid}/statm") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    resource.prlimit(s.sensor.pid, resource.RLIMIT_AS, (size, size))
    try:
        traffic.Wire("gen0").send(*PARTS[1])
        time.sleep(1)
    finally:
        s.stop_sensor()
    restart(s)


@fault("no file descriptors left, on both sides")
def descriptors(s):
    processes, limits = [s.sensor, s.plans[SERVICE]], []
    for process in processes:
        limits.append(resource.prlimit(process.pid, resource.RLIMIT_NOFILE))
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, limits[-1][1]))
    s.send(1)
    time.sleep(4)
    for process, limit in zip(processes, limits):
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limit)


@fault("clocks jump: a year on, then ten years back")
def clock_jumps(s):
    s.set_clock("+400d")
    s.send(1)
    time.sleep(3)
    s.set_clock("-3650d")
    time.sleep(3)
    s.set_clock("+0")


def restart(s):
    s.sent = 0
    s.start_sensor()


def overwrite(path, at, data, cut=False):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)
        if cut:
            file.truncate()


# ------------------------------------------------------------------------------------------------------------- the runs


def play(binaries, function, expected):
    """Runs one fault. Returns the census, the seconds from the fault's end until it was right, and the frames dropped."""
    postgres = Postgres() if function is two_services else None
    stage, good = None, False
    try:
        if postgres:
            stage = Stage(binaries, postgres.url, (SERVICE, SECOND))
        else:
            stage = Stage(binaries, clock=function is clock_jumps)
        stage.send(0)
        stage.written_down()
        if function is None:
            stage.send(1)
        else:
            function(stage)
        stage.relay.mode = "pass"
        end = time.monotonic()
        stage.send(2)
        stage.until_captured()
        until("the spool to drain", lambda: stage.metric("spool_uploads") == 0)
        right = expected or stage.census
        found = None

        def same():
            nonlocal found
            found = stage.census()
            return len(found["devices"]) == DEVICES if expected is None else found == expected

        try:
            until("the census", same)
        except Failed:
            raise Failed(difference(found, expected)) from None
        took = time.monotonic() - end
        dropped = stage.metric("dropped_ring") + stage.metric("dropped_interface")
        stage.stop_sensor(signal.SIGTERM)
        good = True
        return found, took, dropped
    finally:
        if stage is not None:
            keep = not good and bool(os.environ.get("CHAOS_KEEP"))
            stage.close(keep)
            if keep:
                print(f"   kept: {stage.dir}", file=sys.stderr)
        if postgres:
            postgres.close()


def difference(found, expected):
    if expected is None:
        return f"{len(found['devices'])} devices instead of {DEVICES}"
    theirs = {json.dumps(d, sort_keys=True) for d in found["devices"]}
    ours = {json.dumps(d, sort_keys=True) for d in expected["devices"]}
    missing, other = sorted(ours - theirs), sorted(theirs - ours)
    first = (missing or other or [json.dumps(found["census"])])[0]
    return f"another census: {len(missing)} devices missing or different, {len(other)} others; {first[:300]}"


class Postgres:
    """A PostgreSQL server, started as the plan service's tests start it."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="netcensus-chaos-pg.")
        self.users = open(os.path.join(self.dir, "users"), "a")
        fcntl.flock(self.users, fcntl.LOCK_SH)
        script = os.path.join(HERE, "..", "plan", "postgres.sh")
        self.server = subprocess.Popen([script, self.dir], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until("PostgreSQL", lambda: os.path.exists(os.path.join(self.dir, "ready")))
        with open(os.path.join(self.dir, "ready")) as file:
            socket = file.read().strip()
        run("psql", "-qX", "-U", "postgres", "-h", socket, "-c", "CREATE DATABASE chaos", "postgres")
        self.url = f"postgresql:///chaos?host={socket}&user=postgres"

    def close(self):
        self.server.terminate()
        self.server.wait()
        self.users.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def main():
    binaries, wanted = os.path.abspath(sys.argv[1]), sys.argv[2:]
    unknown = set(wanted) - {name for name, *_ in FAULTS} - {"days"}
    if unknown:
        sys.exit(f"chaos: no such fault: {', '.join(sorted(unknown))}; there are: days, "
                 + ", ".join(name for name, *_ in FAULTS))
    run("ip", "link", "set", "lo", "up")
    rows, failed = [], 0
    expected, took, _ = play(binaries, None, None)
    census = expected["census"]
    print(f"undisturbed: {DEVICES} devices, {census.get('billable')} of them billable, right after {took:.1f} s", flush=True)
    for name, title, bound, function in FAULTS:
        if wanted and name not in wanted:
            continue
        start = time.monotonic()
        try:
            _, took, dropped = play(binaries, function, expected)
            outcome = f"{bound}; right {took:.1f} s after the fault"
            if dropped:
                outcome += f"; {dropped:.0f} frames dropped by the kernel"
        except Failed as problem:
            failed += 1
            outcome = f"FAILED: {problem}"
        rows.append((title, outcome))
        print(f"   {title:<62} {outcome} ({time.monotonic() - start:.0f} s)", flush=True)
    test = os.environ.get("CHAOS_TEST")
    if test and (not wanted or "days" in wanted):
        done = run(test, "--exact", "--nocapture",
                   "outage::a_week_without_a_service_and_with_kills_takes_bounded_room_and_loses_nothing", check=False)
        good = done.returncode == 0 and "1 passed" in done.stdout
        said = [line for line in done.stdout.splitlines() if line.startswith("7 days:")]
        outcome = f"same census, nothing lost; {said[0] if said else ''}" if good else f"FAILED: {done.stdout[-300:]}"
        failed += not good
        rows.append(("plan service down for a week (simulated clock)", outcome))
        print(f"   {rows[-1][0]:<62} {outcome}", flush=True)
    print(f"\n{len(rows)} faults, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    if os.environ.get("CHAOS_INNER") != "1":
        if os.geteuid() != 0:
            sys.exit("chaos: namespaces need root")
        os.environ["CHAOS_INNER"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child=KILL", "--mount-proc",
                              "--propagation", "private", sys.executable, *sys.argv])
    main()
