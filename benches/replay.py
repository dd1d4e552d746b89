#!/usr/bin/env python3
"""CPU of `netcensus-sensor replay` relative to `tcpdump -r FILE -w /dev/null` on the same files, in the same run.

    replay.py TARGET    TARGET holds release/netcensus-sensor and bench/{office,small}.pcap

The two take turns, five times a file, and the medians of user + system time are compared: a ratio of one run means
something on a busy machine, a time does not. Nothing here passes or fails.
"""

import pathlib
import resource
import statistics
import subprocess
import sys

ROUNDS = 5


def cpu(command):
    """Seconds of user and system time that the command takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(command)} ended with {done.returncode}: {done.stderr.decode()[-300:]}")
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def main():
    target = pathlib.Path(sys.argv[1])
    sensor = target / "release" / "netcensus-sensor"
    print(f"{'capture':<8} {'frames':>9} {'mean B':>7} {'replay s':>9} {'tcpdump s':>10} {'ratio':>6} {'ns/frame':>9}")
    for name in ("office", "small"):
        file = target / "bench" / f"{name}.pcap"
        frames = 1_000_000
        mean = (file.stat().st_size - 24) / frames - 16
        ways = {
            "replay": [str(sensor), "replay", "--json", str(file)],
            "tcpdump": ["tcpdump", "-r", str(file), "-w", "/dev/null"],
        }
        for command in ways.values():  # the file into the page cache, the programs too
            cpu(command)
        taken = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, command in ways.items():
                taken[way].append(cpu(command))
        ours, theirs = (statistics.median(taken[way]) for way in ("replay", "tcpdump"))
        print(
            f"{name:<8} {frames:>9,} {mean:>7.0f} {ours:>9.3f} {theirs:>10.3f} {ours / theirs:>6.2f}"
            f" {ours / frames * 1e9:>9.0f}"
        )


if __name__ == "__main__":
    main()
