#!/usr/bin/env python3
"""setup.py README PERSON MACHINE CAMERA: types the commands of README's "Set it up" as PERSON, see setup.sh.

A line that begins with "$ " is typed by PERSON, one that begins with "# " by root. A block that begins with "export", or whose
first line is for root, is typed in a new terminal; another one in the last terminal of its program. Commands that README says
run until Ctrl-C (serve, run) keep their terminal. The token that a command prints takes the place of "nce2_…". The run is
good if each command succeeds, the sensor logs its first steps, and the census counts the camera.
"""

import json
import os
import re
import shlex
import ssl
import subprocess
import sys
import threading
import time
import urllib.request

README, PERSON, MACHINE, CAMERA = sys.argv[1:]
USER = 12345
HANG = 120  # seconds after which something hangs; nothing here takes so long
ENDLESS = {"serve", "run"}
DONE = "the command ended with"


def fail(why):
    print(f"setup: as {PERSON}: {why}", file=sys.stderr)
    for terminal in Terminal.all:
        print(f"--- a terminal of {terminal.person}\n{terminal.text()}", file=sys.stderr)
    os._exit(1)


def blocks(text):
    """The command lines of each console block of the section."""
    section = text.split("\n## Set it up\n", 1)[1].split("\n## ", 1)[0]
    for block in re.findall(r"^```console\n(.*?)^```", section, re.S | re.M):
        lines = [(line[0], line[2:]) for line in block.splitlines() if line.startswith(("$ ", "# "))]
        if lines:
            yield lines


class Terminal:
    """A shell of one person, and what it shows."""

    all = []

    def __init__(self, person):
        self.person, self.lines, self.programs, self.busy = person, [], set(), False
        home = f"{MACHINE}/root" if person == "root" else f"{MACHINE}/home/{person}"
        command = ["env", "-i", f"HOME={home}", f"USER={person}", f"PATH={os.environ['PATH']}", "NO_COLOR=1", "bash", "-s"]
        if person != "root":
            command = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *command]
        self.shell = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      text=True, cwd=home)
        threading.Thread(target=self.read, daemon=True).start()
        Terminal.all.append(self)

    def read(self):
        for line in self.shell.stdout:
            self.lines.append(line.rstrip("\n"))

    def text(self):
        return "\n".join(self.lines)

    def wait(self, what, condition):
        """Waits for a line; gives it."""
        end = time.monotonic() + HANG
        while time.monotonic() < end:
            for line in list(self.lines):
                if condition(line):
                    return line
            if self.shell.poll() is not None:
                break
            time.sleep(0.05)
        fail(f"{what} did not come")

    def type(self, command):
        """Types a command; gives what it printed, once it has ended."""
        before = len(self.lines)
        self.lines.append(f"$ {command}")
        self.shell.stdin.write(f"{command}\n")
        if self.busy:
            self.shell.stdin.flush()
            return ""
        self.shell.stdin.write(f"echo {shlex.quote(DONE)} $? {before}\n")
        self.shell.stdin.flush()
        end = self.wait(f"the end of '{command}'", lambda line: line.startswith(DONE) and line.endswith(f" {before}"))
        if end != f"{DONE} 0 {before}":
            fail(f"'{command}' failed")
        return "\n".join(self.lines[before + 1:])


def speak():
    """The camera looks for others, and announces itself so."""
    script = "while :; do for n in 1 2 3 4; do (echo hello >/dev/udp/10.9.0.$n/9) 2>/dev/null; done; sleep 0.3; done"
    subprocess.Popen(["nsenter", f"--net=/proc/{CAMERA}/ns/net", "bash", "-c", script])


def open_link(terminal):
    """Opens the link of the first administrator, as README says."""
    line = terminal.wait("the link of the first start", lambda line: "/setup/" in line)
    unverified = ssl._create_unverified_context()  # README: the certificate is the service's own
    page = urllib.request.urlopen(line.strip(), context=unverified, timeout=HANG).read().decode()
    if "first administrator" not in page:
        fail(f"{line.strip()} is not the page of the first administrator")


def main():
    with open(README, encoding="utf-8") as file:
        typed = list(blocks(file.read()))
    if not typed:
        fail("README has no commands in 'Set it up'")
    speak()
    token, count = None, 0
    for block in typed:
        program = next((word for _, line in block for word in line.split() if word.startswith("netcensus-")), None)
        is_new = block[0][0] == "#" or block[0][1].startswith("export ")
        known = [t for t in Terminal.all if program in t.programs and not t.busy]
        if is_new or not known:
            terminal = Terminal("root" if block[0][0] == "#" else PERSON)
        else:
            terminal = known[-1]
        terminal.programs.add(program)
        for _, line in block:
            if "nce2_…" in line:
                if token is None:
                    fail("no command printed a token")
                line = line.replace("nce2_…", token)
            words = line.split()
            terminal.busy = len(words) > 1 and words[0].startswith("netcensus-") and words[1] in ENDLESS
            count += 1
            if words[:2] == ["netcensus-plan", "census"]:
                counted(terminal)
            out = terminal.type(line)
            token = next((word for word in out.split() if word.startswith("nce2_")), token)
            if words[:2] == ["netcensus-plan", "serve"]:
                terminal.wait("the service", lambda line: "listening on https://plan:8443" in line)
                open_link(terminal)
            elif words[:2] == ["netcensus-sensor", "run"]:
                for step in ("enrolled as", "capturing on eth1", "first frame on eth1", "first device: ", "first upload "):
                    terminal.wait(step, lambda line: step in line)
    print(f"setup: as {PERSON}: {count} commands of README, to the first counted device")


def counted(terminal):
    """Waits until the census counts the camera."""
    end = time.monotonic() + HANG
    while time.monotonic() < end:
        out = terminal.type("netcensus-plan census --json")
        census = json.loads(next(line for line in out.splitlines() if line.startswith("{")))
        if census["billable"] == 1:
            return
        time.sleep(0.2)
    fail(f"the census does not count the camera: {out}")


main()
os._exit(0)
