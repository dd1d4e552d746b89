#!/usr/bin/env python3
"""attacks.py [SENSOR] [CASE...] — records real attacks and benign use on real network software, and scores the alerts.

Hosts are network namespaces on one bridge with a mirror (wires.py); unmodified servers play the victims (servers.py);
unmodified tools attack (cases.py, hints.py). Each case is one capture, which SENSOR replays with --findings. Prints a line for each
case, and the table of the rules. Exits 1 if a rule that is on has a recall below 0.95, if the precision is below 0.98, if an
incident has more than 1.05 alerts, or if the alerts depend on the order or the copies of frames (order.py).

Everything lives in private mount, process and network namespaces, and is gone when the script ends. Needs root.

  ATTACKS_KEEP=DIR   keep captures, truth.jsonl, found.jsonl and logs
  ATTACKS_FROM=DIR   score kept captures in place of new ones
"""

import collections
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)

RECALL, PRECISION, PER_INCIDENT = 0.95, 0.98, 1.05
DAY = 86_400 * 10**9
# Rules that are off by default, and that are scored as if they were on.
RULES = os.path.join(HERE, "rules")
# The recommendations that cases name: a device that one finds unhealthy counts as an alert.
RECOMMENDATIONS = ("R-DNS", "R-LDAP")


def settle(sensor):
    """Enters private namespaces, once."""
    if os.environ.get("ATTACKS_INNER") == "1":
        return
    if os.geteuid() != 0:
        raise SystemExit("attacks: skipped: needs root (sudo make attacks)")
    python = os.environ.get("ATTACKS_PYTHON", sys.executable)
    os.environ |= {"ATTACKS_INNER": "1", "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
    os.execvp("unshare", ["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child=KILL",
                          "--mount-proc", "--propagation", "private", python, os.path.abspath(__file__), sensor, *sys.argv[2:]])


def record(names):
    """Records the cases; returns their truth."""
    import cases
    import hints
    import servers
    import wires
    wires.lay()
    missing = servers.up()
    if missing:
        print("attacks: these servers did not start:", ", ".join(missing), flush=True)
    assert hints
    truth = []
    for kind, group in (("attack", cases.ATTACKS), ("benign", cases.BENIGN)):
        for name, (do, alerts, may, stretch) in group.items():
            if names and name not in names:
                continue
            with wires.Recording(name) as recording:
                do()
            if stretch > 1 or recording.nights:
                slow(recording.path, stretch, recording.nights)
            one = {"capture": name, "kind": kind, "from": recording.first, "to": recording.last, "may": list(may),
                   "alerts": [{"rule": r, "device": d, "object": o} for r, d, o in alerts]}
            truth.append(one)
            print(f"recorded {name}: {os.path.getsize(recording.path)} bytes", flush=True)
    with open(f"{wires.WORK}/captures/truth.jsonl", "w") as file:
        file.writelines(json.dumps(one) + "\n" for one in truth)
    return f"{wires.WORK}/captures", truth


def slow(path, factor, nights):
    """Lengthens the time between the frames of a capture, and puts a day between those before and after each night."""
    import order
    head, frames = order.read(path)
    first = frames[0][0]
    days = lambda at: sum(night <= at for night in nights)  # noqa: E731
    order.write(path, head, [(first + (at - first) * factor + days(at) * DAY, frame) for at, frame in frames])


def replay(sensor, capture, *options):
    run = subprocess.run([sensor, "-q", "replay", "--findings", "--findings-rules", RULES, "--baseline-days", "0", "--json",
                          *options, capture], capture_output=True, timeout=120)
    if run.returncode:
        raise SystemExit(f"attacks: {sensor} could not replay {capture}: {run.stderr.decode()}")
    return run.stdout


def told(document):
    """The alerts of a document, and the unhealthy devices of the recommendations that are scored."""
    found = json.loads(document)
    return found["alerts"] + [
        {"rule": r["rule"], "severity": r["severity"], "device": one["device"], "object": one["proof"]["sentence"]}
        for r in found["recommendations"] if r["rule"] in RECOMMENDATIONS for one in r["unhealthy"]]


class Score:
    def __init__(self):
        self.wanted, self.met, self.told, self.right = (collections.Counter() for _ in range(4))
        self.incidents = self.alerts = 0
        self.lines = []

    def add(self, truth, alerts):
        """Takes the alerts of one capture. One that the truth does not name, or names for another device, is false."""
        used = set()
        missing, false = [], []
        for want in truth["alerts"]:
            self.wanted[want["rule"]] += 1
            of = [n for n, a in enumerate(alerts) if a["rule"] == want["rule"] and a["device"]["ip"] == want["device"]
                  and want["object"] in a["object"]]
            if of:
                self.met[want["rule"]] += 1
                self.incidents += 1
                self.alerts += len(of) if want["rule"] not in ("A-SCAN-H",) else 1
                used.update(of)
            else:
                missing.append(f"{want['rule']} of {want['device']}")
        for n, alert in enumerate(alerts):
            if alert["severity"] == "informational" or (n not in used and alert["rule"] in truth["may"]):
                continue
            self.told[alert["rule"]] += 1
            if n in used:
                self.right[alert["rule"]] += 1
            else:
                false.append(f"{alert['rule']} ({alert['severity']}) of {alert['device']['ip']} {alert['object']}".strip())
        bad = [f"missing {m}" for m in missing] + [f"false {f}" for f in false]
        self.lines.append(f"{truth['capture']:28} {'; '.join(bad) if bad else 'right'}")

    def table(self):
        yield f"{'rule':14} {'truth':>5} {'met':>4} {'told':>5} {'false':>5} {'recall':>7} {'precision':>9}"
        for rule in sorted(self.wanted | self.told):
            recall = self.met[rule] / self.wanted[rule] if self.wanted[rule] else None
            precision = self.right[rule] / self.told[rule] if self.told[rule] else None
            show = lambda value: "-" if value is None else f"{value:.2f}"  # noqa: E731
            yield (f"{rule:14} {self.wanted[rule]:5} {self.met[rule]:4} {self.told[rule]:5} "
                   f"{self.told[rule] - self.right[rule]:5} {show(recall):>7} {show(precision):>9}")

    def faults(self):
        for rule, n in self.wanted.items():
            if self.met[rule] < RECALL * n:
                yield f"the recall of {rule} is {self.met[rule] / n:.2f}"
        told, right = sum(self.told.values()), sum(self.right.values())
        if told and right < PRECISION * told:
            yield f"the precision is {right / told:.3f}"
        if self.incidents and self.alerts > PER_INCIDENT * self.incidents:
            yield f"an incident has {self.alerts / self.incidents:.2f} alerts"


def main():
    sensor = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "target/debug/netcensus-sensor"))
    names = sys.argv[2:]
    folder = os.environ.get("ATTACKS_FROM")
    if folder:
        with open(f"{folder}/truth.jsonl") as file:
            truth = [one for one in map(json.loads, file) if not names or one["capture"] in names]
    else:
        settle(sensor)
        folder, truth = record(names)
    import order
    score, found, faults = Score(), [], []
    for one in truth:
        capture = f"{folder}/{one['capture']}.pcap"
        document = replay(sensor, capture)
        alerts = told(document)
        found.append({"capture": one["capture"], "alerts": alerts})
        score.add(one, alerts)
        faults += [f"{one['capture']}: {why}" for why in order.check(lambda *a: replay(sensor, *a), capture, document)]
    print("\n".join(score.lines))
    print("\n".join(score.table()))
    faults += score.faults()
    number = sum(score.told.values())
    print(f"{len(truth)} captures; macro recall "
          f"{sum(score.met[r] / n for r, n in score.wanted.items()) / max(1, len(score.wanted)):.3f}; precision "
          f"{sum(score.right.values()) / max(1, number):.3f}; {score.alerts / max(1, score.incidents):.2f} alerts an incident")
    keep = os.environ.get("ATTACKS_KEEP")
    if keep:
        shutil.copytree(folder, keep, dirs_exist_ok=True)
        if os.path.isdir("/mnt/attacks/log"):
            shutil.copytree("/mnt/attacks/log", f"{keep}/log", dirs_exist_ok=True)
        with open(f"{keep}/found.jsonl", "w") as file:
            file.writelines(json.dumps(one) + "\n" for one in found)
    for fault in faults:
        print("attacks: FAILED:", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
