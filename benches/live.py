#!/usr/bin/env python3
"""Live capture at the sender's top speed, beside tcpdump.

    live.py TARGET [PASSES]    TARGET holds release/netcensus-sensor and bench/small.pcap; needs root

tcpreplay sends the capture over a pair of virtual interfaces in a network namespace of its own, pinned to the first core, once
and so many times in a row (10). The receivers take turns five times: tcpdump with a ring of 64 MiB, and the sensor with as much
for one thread and for two. With one thread they are pinned to the second core. Medians; CPU is user and system time of the whole
process. What the passes after the first cost is that of the frames alone, without the start and the first upload. Nothing
here passes or fails.
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


def send(capture, passes):
    said = inside("taskset", "-c", "0", "tcpreplay", "-q", "--topspeed", "--preload-pcap", "--loop", str(passes), "-i", "tx0", str(capture)).stdout
    return int(re.search(r"Actual: (\d+) packets", said).group(1)), float(re.search(r"([0-9.]+) pps", said).group(1))


def ended(process):
    """Ends a receiver; returns its seconds of processor time and what it said last."""
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    _, _, usage = os.wait4(process.pid, 0)
    return usage.ru_utime + usage.ru_stime, said


def tcpdump(capture, passes, _):
    def ready(process):
        while "listening" not in process.stderr.readline():
            pass

    process = receive(["tcpdump", "-Z", "root", "-i", "rx0", "-B", str(RING_MIB << 10), "-w", "/dev/null"], "1", ready)
    offered, rate = send(capture, passes)
    time.sleep(1)
    seconds, said = ended(process)
    count = lambda what: int(re.search(rf"(\d+) packets? {what}", said).group(1))
    return offered, rate, count("captured"), count("dropped by kernel"), seconds


def sensor(program, threads):
    def run(capture, passes, folder):
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
        offered, rate = send(capture, passes)
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
    many = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    taken = {(way, passes): [] for way in ways for passes in (1, many)}
    set_up()
    try:
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(ROUNDS):
                for way, passes in taken:
                    taken[way, passes].append(ways[way](capture, passes, folder))
    finally:
        subprocess.run(["ip", "netns", "del", SPACE], check=True)
    print(f"{'receiver':<10} {'passes':>6} {'offered':>11} {'a second':>10} {'received':>11} {'dropped':>9} {'ns CPU/frame':>13} {'of tcpdump':>11}")
    of = lambda row, place: statistics.median(run[place] for run in taken[row])
    cost = lambda row: statistics.median(run[4] / max(run[2], 1) * 1e9 for run in taken[row])
    further = lambda way: (of((way, many), 4) - of((way, 1), 4)) / max(of((way, many), 2) - of((way, 1), 2), 1) * 1e9
    for row in taken:
        numbers = f"{of(row, 0):>11,.0f} {of(row, 1):>10,.0f} {of(row, 2):>11,.0f} {of(row, 3):>9,.0f}"
        print(f"{row[0]:<10} {row[1]:>6} {numbers} {cost(row):>13,.0f} {cost(row) / cost(('tcpdump', row[1])):>11.2f}")
    for way in ways:
        print(f"{way:<10} further passes {further(way):>50,.0f} {further(way) / further('tcpdump'):>11.2f}")


if __name__ == "__main__":
    main()
