#!/usr/bin/env python3
"""Live capture at the sender's top speed, beside tcpdump.

    live.py TARGET    TARGET holds release/netcensus-sensor and bench/small.pcap; needs root

tcpreplay sends the capture over a pair of virtual interfaces in a network namespace of its own, pinned to the first core. The
receivers take turns five times: tcpdump with a ring of 64 MiB, and the sensor with as much for one thread and for two. With
one thread they are pinned to the second core. Medians; CPU is user and system time of the whole process. Nothing here
passes or fails.
"""

import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 5
SPACE = f"netcensus-live-{os.getpid()}"
RING_MIB = 64


def inside(*command, **options):
    return subprocess.run(["ip", "netns", "exec", SPACE, *command], check=True, text=True, capture_output=True, **options)


def set_up():
    subprocess.run(["ip", "netns", "add", SPACE], check=True)
    inside("ip", "link", "set", "lo", "up")
    inside("ip", "link", "add", "tx0", "type", "veth", "peer", "name", "rx0")
    for name in ("tx0", "rx0"):
        # Nothing but the capture is on the wire.
        inside("ip", "link", "set", name, "addrgenmode", "none", "mtu", "9000")
        inside("ip", "link", "set", name, "up")


def receive(command, cores, ready):
    """Starts a receiver; returns its process once `ready` says so."""
    process = subprocess.Popen(
        ["ip", "netns", "exec", SPACE, "taskset", "-c", cores, *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    ready(process)
    return process


def send(capture):
    said = inside("taskset", "-c", "0", "tcpreplay", "-q", "--topspeed", "--preload-pcap", "-i", "tx0", str(capture)).stdout
    return int(re.search(r"Actual: (\d+) packets", said).group(1)), float(re.search(r"([0-9.]+) pps", said).group(1))


def ended(process):
    """Ends a receiver; returns its seconds of processor time and what it said last."""
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    _, _, usage = os.wait4(process.pid, 0)
    return usage.ru_utime + usage.ru_stime, said


def tcpdump(capture, _):
    def ready(process):
        while "listening" not in process.stderr.readline():
            pass

    process = receive(["tcpdump", "-Z", "root", "-i", "rx0", "-B", str(RING_MIB << 10), "-w", "/dev/null"], "1", ready)
    offered, rate = send(capture)
    time.sleep(1)
    seconds, said = ended(process)
    count = lambda what: int(re.search(rf"(\d+) packets? {what}", said).group(1))
    return offered, rate, count("captured"), count("dropped by kernel"), seconds


def sensor(program, threads):
    def run(capture, folder):
        config = pathlib.Path(folder) / "sensor.toml"
        config.write_text(
            f'state_directory = "{folder}/state{threads}"\n[capture]\ninterfaces = ["rx0"]\nring_mib = {RING_MIB}\n'
            f'threads = {threads}\n[health]\nlisten = "127.0.0.1:9109"\n[upload]\ngrace = "0s"\n'
        )

        def metric(name):
            said = inside("curl", "-s", "http://127.0.0.1:9109/metrics").stdout
            return sum(int(n) for n in re.findall(rf"^netcensus_sensor_{name}\S* (\d+)$", said, re.M))

        def ready(_):
            for _ in range(100):
                try:
                    metric("frames")
                    return
                except subprocess.CalledProcessError:
                    time.sleep(0.1)
            sys.exit("live: the sensor does not start")

        cores = "1" if threads == 1 else f"0-{min(threads, os.cpu_count()) - 1}"
        process = receive([program, "-q", "run", "--config", str(config)], cores, ready)
        offered, rate = send(capture)
        time.sleep(1.5)
        got, lost = metric("frames_total"), metric("dropped_ring_total")
        seconds, _ = ended(process)
        subprocess.run(["rm", "-rf", f"{folder}/state{threads}"], check=True)
        return offered, rate, got, lost, seconds

    return run


def main():
    target = pathlib.Path(sys.argv[1]).absolute()
    capture, program = target / "bench" / "small.pcap", str(target / "release" / "netcensus-sensor")
    ways = {"tcpdump": tcpdump, "1 thread": sensor(program, 1), "2 threads": sensor(program, 2)}
    taken = {way: [] for way in ways}
    set_up()
    try:
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(ROUNDS):
                for way, run in ways.items():
                    taken[way].append(run(capture, folder))
    finally:
        subprocess.run(["ip", "netns", "del", SPACE], check=True)
    print(f"{'receiver':<10} {'offered':>10} {'a second':>10} {'received':>10} {'dropped':>9} {'ns CPU/frame':>13} {'of tcpdump':>11}")
    of = lambda way, place: statistics.median(run[place] for run in taken[way])
    cost = lambda way: statistics.median(run[4] / max(run[2], 1) * 1e9 for run in taken[way])
    for way in ways:
        print(
            f"{way:<10} {of(way, 0):>10,.0f} {of(way, 1):>10,.0f} {of(way, 2):>10,.0f} {of(way, 3):>9,.0f}"
            f" {cost(way):>13,.0f} {cost(way) / cost('tcpdump'):>11.2f}"
        )


if __name__ == "__main__":
    main()
