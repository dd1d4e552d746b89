#!/usr/bin/env python3
"""CPU and memory of `netcensus-sensor replay` on generated captures.

    replay.py TARGET    TARGET holds release/netcensus-sensor and bench/{office,small,million,flood}.pcap

office and small: CPU relative to `tcpdump -r FILE -w /dev/null` on the same files in the same run. The two take turns
five times per file, and the medians of user + system time are compared. On a busy machine such a ratio means something; a
time does not.

million and flood: the peak resident memory of the whole process, and the CPU per frame relative to the calm LAN of
small.pcap. The flood must not change the LAN's billable count. Nothing here passes or fails.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROUNDS = 5


def run(command, out=subprocess.DEVNULL):
    """The command's seconds of user and system time, and its peak resident memory in MiB."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=out, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        if status != 0:
            errors.seek(0)
            sys.exit(f"bench: {' '.join(command)} ended with {status}: {errors.read().decode()[-300:]}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def document(command):
    """A replay's document without devices, its seconds and its peak memory."""
    with tempfile.TemporaryFile() as out:
        taken = run(command, out)
        out.seek(0)
        head = out.read(4096).decode("utf-8", "replace")
    place = head.index('"devices":')
    return json.loads(head[:place] + '"devices":[]}'), *taken


def main():
    target = pathlib.Path(sys.argv[1])
    sensor = str(target / "release" / "netcensus-sensor")
    calm = None
    print(f"{'capture':<8} {'frames':>9} {'mean B':>7} {'replay s':>9} {'tcpdump s':>10} {'ratio':>6} {'ns/frame':>9}")
    for name in ("office", "small"):
        file = target / "bench" / f"{name}.pcap"
        frames = 1_000_000
        mean = (file.stat().st_size - 24) / frames - 16
        ways = {
            "replay": [sensor, "replay", "--json", str(file)],
            "tcpdump": ["tcpdump", "-r", str(file), "-w", "/dev/null"],
        }
        for command in ways.values():  # warms the page cache
            run(command)
        taken = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, command in ways.items():
                taken[way].append(run(command)[0])
        ours, theirs = (statistics.median(taken[way]) for way in ("replay", "tcpdump"))
        calm = ours / frames
        print(
            f"{name:<8} {frames:>9,} {mean:>7.0f} {ours:>9.3f} {theirs:>10.3f} {ours / theirs:>6.2f}"
            f" {calm * 1e9:>9.0f}"
        )
    print(f"\n{'capture':<8} {'frames':>9} {'couplings':>10} {'billable':>9} {'peak MiB':>9} {'ns/frame':>9} {'of calm':>8}")
    for name in ("small", "million", "flood"):
        found, seconds, peak = document(["env", sensor, "-q", "replay", "--json", str(target / "bench" / f"{name}.pcap")])
        frames, census = found["capture"]["frames"], found["census"]
        bound = ", a lower bound" if census.get("lower_bound") else ""
        print(
            f"{name:<8} {frames:>9,} {census['strict_couplings']:>10,} {census['billable']:>9,} {peak:>9.0f}"
            f" {seconds / frames * 1e9:>9.0f} {seconds / frames / calm:>8.2f}{bound}"
        )


if __name__ == "__main__":
    main()
