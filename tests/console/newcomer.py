#!/usr/bin/env python3
"""A newcomer, in headless Chromium: from the first link to the first device and its why, in at most 12 clicks.

    newcomer.py BIN    BIN holds netcensus-plan and netcensus-sensor

The service is empty. The newcomer chooses a password, makes a subscription, onboards a trial, copies the block of commands for
a sensor, watches it tick, and opens the device. Beside the clicks, axe judges each page, most of them without data. It runs in
a network of its own, with a camera on a wire. Needs root, and Debian's chromedriver; without namespaces it says so and ends.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

import axe
from browser import DESKTOP, PATIENCE, Driver

CLICKS = 12
INSIDE = "NETCENSUS_NEWCOMER"
PASSWORD = "a long enough password"
# Pages below that of the subscription that axe judges without data.
EMPTY = ["", "/devices", "/findings", "/sensors", "/plan", "/zones", "/map", "/managed", "/changes", "/estimate", "/statements",
         "/alerts", "/alerts/changes", "/alerts/ledger", "/mutes", "/recommendations", "/snapshots", "/audit", "/roles", "/notices", "/terms"]
OTHERS = ["/subscriptions", "/people", "/account", "/account/notices", "/audit", "/rules", "/problems"]


def enter():
    """Runs this again in a network of its own."""
    if os.geteuid() != 0:
        print("newcomer: skipped: needs root")
        sys.exit(0)
    tried = subprocess.run(["unshare", "--net", "ip", "link", "add", "eth1", "type", "veth", "peer", "name", "camera"], capture_output=True)
    if tried.returncode:
        print("newcomer: skipped: network namespaces are not possible on this machine")
        sys.exit(0)
    os.environ[INSIDE] = "yes"
    os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])


def wire():
    """The mirror port eth1, and a camera on the other end of its wire, in a network of its own. Returns what ends it."""
    run = lambda *words: subprocess.run(words, check=True)
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "camera")
    run("ip", "link", "set", "eth1", "addrgenmode", "none", "up")
    camera = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
    own = os.readlink("/proc/self/ns/net")
    while os.readlink(f"/proc/{camera.pid}/ns/net") == own:
        time.sleep(0.05)
    run("ip", "link", "set", "camera", "netns", str(camera.pid))
    speak = ("ip link set camera address ac:cc:8e:12:34:56 addrgenmode none up; ip addr add 10.9.0.7/24 dev camera; "
             "while :; do for n in 1 2 3 4; do (echo hello >/dev/udp/10.9.0.$n/9) 2>/dev/null; done; sleep 0.3; done")
    speaker = subprocess.Popen(["nsenter", f"--net=/proc/{camera.pid}/ns/net", "bash", "-c", speak])
    return [speaker, camera]


class Program:
    """A program whose output is read while it runs."""

    def __init__(self, *words):
        self.lines = []
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True).start()

    def wait(self, pattern):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for line in list(self.lines):
                if found := re.search(pattern, line):
                    return found[0]
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        sys.exit(f"newcomer: nothing said {pattern!r}:\n{''.join(self.lines)}")


class Newcomer:
    def __init__(self, driver):
        self.driver, self.clicks, self.wrong, self.judged = driver, [], [], 0

    def judge(self):
        here = self.driver.run("return location.pathname")
        self.judged += 1
        for where, faults in axe.faults(self.driver):
            self.wrong += [f"{here}: axe, {where}: {fault}" for fault in faults]

    def wait(self, what, script):
        end = time.monotonic() + PATIENCE
        while not (found := self.driver.run(script)):
            if time.monotonic() > end:
                sys.exit(f"newcomer: {what} did not come: {self.driver.run('return document.body.innerText')}")
            time.sleep(0.1)
        return found

    def click(self, words, where="a, button, label, summary"):
        """Clicks on what a person reads."""
        self.clicks.append(words)
        find = (f"const is = (n) => n.getClientRects().length && n.innerText.trim().toLowerCase().startsWith({words.lower()!r}); "
                f"const n = Array.from(document.querySelectorAll({where!r})).find(is); ")
        if not self.driver.run(find + "return !!n"):
            sys.exit(f"newcomer: nothing to click on says {words!r}: {self.driver.run('return document.body.innerText')}")
        self.driver.run("window.__old = true; " + find + "n.click();")
        time.sleep(0.3)
        self.wait(f"the page behind {words!r}", "return document.readyState === 'complete'")
        if refused := self.driver.run("const n = document.querySelector('.note.bad[role=alert]'); return n && n.innerText"):
            sys.exit(f"newcomer: {words!r} was refused: {refused}")

    def type(self, field, text):
        self.driver.run(f"document.getElementsByName({field!r})[0].value = {text!r};")


def walk(newcomer, service, sensor):
    driver = newcomer.driver
    driver.resize(DESKTOP)
    driver.post("/url", url=service.wait(r"http://\S+/setup/\S+"))
    newcomer.judge()
    newcomer.type("name", "alice")
    newcomer.type("password", PASSWORD)
    newcomer.click("Set up")
    newcomer.judge()
    newcomer.type("name", "Head office")
    newcomer.click("Create", "button")
    base = newcomer.wait("the subscription", "return location.pathname.startsWith('/subscriptions/') && location.href").rstrip("/")
    origin = re.match(r"https?://[^/]+", base)[0]
    for url in [base + path for path in EMPTY] + [origin + path for path in OTHERS]:
        driver.post("/url", url=url)
        time.sleep(0.2)
        newcomer.judge()
    driver.post("/url", url=base)
    newcomer.click("Plan", "nav a")
    newcomer.click("Trial", "label")
    newcomer.click("I accept", "label")
    newcomer.click("Onboard", "button")
    newcomer.click("Sensors", "nav a")
    newcomer.click("Create an enrolment token", "button")
    token = driver.run("return document.querySelector('pre').innerText.match(/nce2_\\S+/)[0]")
    sensor(token)
    newcomer.wait("the first device", "return document.querySelectorAll('#progress ~ ul .steps .open, .steps .open').length === 0 "
                  "&& document.querySelectorAll('.steps .done').length > 0")
    newcomer.judge()
    newcomer.click("Devices", "nav a")
    newcomer.wait("the device in the list", "return !!document.querySelector('tbody th a')")
    newcomer.clicks.append("the device")
    driver.run("document.querySelector('tbody th a').click()")
    newcomer.wait("its why", "return /why/.test(document.title)")
    newcomer.judge()
    if "10.9.0.7" not in driver.run("return document.body.innerText"):
        newcomer.wrong.append("the page of the device does not name its address")


def main():
    if not os.environ.get(INSIDE):
        enter()
    programs = pathlib.Path(sys.argv[1])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        folder, running = pathlib.Path(scratch), []
        config = folder / "sensor.toml"
        config.write_text(f'state_directory = "{folder}/state"\n')
        try:
            running += wire()
            service = Program(programs / "netcensus-plan", "serve", "--listen", "127.0.0.1:8080", "--database", folder / "plan.sqlite")
            running.append(service.process)

            def sensor(token):
                program = programs / "netcensus-sensor"
                subprocess.run([program, "enrol", token, "--config", config], check=True)
                run = [program, "run", "--interface", "eth1", "--config", config]
                running.append(subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

            driver = Driver(folder / "browser")
            try:
                newcomer = Newcomer(driver)
                walk(newcomer, service, sensor)
            finally:
                driver.quit()
        finally:
            for process in reversed(running):
                process.terminate()
    print(f"   {len(newcomer.clicks)} clicks: {', '.join(newcomer.clicks)}; {newcomer.judged} pages judged by axe")
    if len(newcomer.clicks) > CLICKS:
        newcomer.wrong.append(f"it takes {len(newcomer.clicks)} clicks, not {CLICKS}")
    for what in newcomer.wrong:
        print(f"   WRONG {what}")
    sys.exit(1 if newcomer.wrong else 0)


if __name__ == "__main__":
    main()
