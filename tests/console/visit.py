#!/usr/bin/env python3
"""Visits the demo's console in headless Chromium, as a person would: it follows links to every kind of page.

    visit.py BIN OUT    BIN holds netcensus-plan; screenshots go to OUT

Fails if the browser logs an error or a warning, if a page violates the content security policy, if a request fails or
goes to another origin, if a page is wider than a phone's screen, and if an expected page is missing. Needs Debian's
chromedriver and Python's standard library.
"""

import base64
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

# Pages that must be visited: a name, and a pattern of the path with its query.
EXPECTED = {
    "the overview": r"^/[^?]*$",
    "the device tabs": r"devices",
    "the preview of a change": r"devices/bulk",
    "a device's why page": r"devices/[^/?]+",
    "the findings": r"findings",
    "the estimate": r"estimate",
    "the plan": r"plan",
    "the managed lists": r"managed",
    "the snapshots": r"snapshots",
    "the audit trail": r"/audit",
    "the changes": r"changes",
    "the zones": r"zones",
    "the statements": r"statements",
    "a statement": r"statements/[^/?]+",
    "a rule": r"^/rules/[^/?]+",
}
TABS = ["All", "Computers & Mobile", "Network", "IoT", "Unclassified"]
PER_KIND = 2  # pages to visit of each kind
PATIENCE = 600  # seconds until something counts as hung; no outcome depends on the machine's pace
DESKTOP, PHONE = (1280, 900), (390, 844)

# Runs in each page before the page's own scripts.
WATCH = """
window.__violations = [];
document.addEventListener('securitypolicyviolation', e => window.__violations.push(
  `${e.effectiveDirective} blocked ${e.blockedURI} at ${e.sourceFile}:${e.lineNumber}`));
"""


class Driver:
    """A session of chromedriver, over the W3C WebDriver protocol."""

    def __init__(self, scratch):
        self.process = subprocess.Popen(
            ["chromedriver", "--port=0", "--log-level=WARNING"], stdout=subprocess.PIPE, text=True
        )
        for line in self.process.stdout:
            if found := re.search(r"started successfully on port (\d+)", line):
                self.base = f"http://127.0.0.1:{found[1]}"
                break
        else:
            sys.exit("console: chromedriver did not start")
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        arguments = [
            "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", f"--user-data-dir={scratch}",
        ]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")  # Chromium refuses its sandbox to root
        capabilities = {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": shutil.which("chromium"), "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        self.session = ""
        self.session = "/session/" + self.post("/session", capabilities={"alwaysMatch": capabilities})["sessionId"]
        self.devtools("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        self.post("/url", url="about:blank")  # the browser's own first page logs too
        for kind in ("browser", "performance"):
            self.log(kind)

    def post(self, path, **body):
        request = urllib.request.Request(
            self.base + self.session + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path}: {json.load(error)['value']['message'].splitlines()[0]}") from None

    def devtools(self, command, **parameters):
        return self.post("/goog/cdp/execute", cmd=command, params=parameters)

    def run(self, script):
        return self.post("/execute/sync", script=script, args=[])

    def log(self, kind):
        return self.post("/se/log", type=kind)

    def resize(self, size):
        width, height = size
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def screenshot(self, file):
        png = self.devtools("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        file.write_bytes(base64.b64decode(png))

    def quit(self):
        try:
            request = urllib.request.Request(self.base + self.session, method="DELETE")
            urllib.request.urlopen(request, timeout=PATIENCE).close()
        except OSError:
            pass
        self.process.terminate()
        self.process.wait()


class Demo:
    """A running `netcensus-plan demo`."""

    def __init__(self, program):
        self.process = subprocess.Popen([program, "demo"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        env=os.environ | {"NO_COLOR": "1"})
        self.said = []
        self.url = None
        ready = threading.Event()
        threading.Thread(target=self.listen, args=(ready,), daemon=True).start()
        if not ready.wait(PATIENCE) or self.url is None:
            self.stop()
            sys.exit("console: the demo did not print the console's URL:\n" + "".join(self.said))

    def listen(self, ready):
        for line in self.process.stdout:
            self.said.append(line)
            if "console" in line.lower() and (found := re.search(r"https?://[^\s'\"<>]+", line)):
                self.url = self.url or found[0]
                ready.set()
        ready.set()

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return None


class Visit:
    """Walks through the pages and notes what is wrong."""

    def __init__(self, driver, origin, out):
        self.driver, self.origin, self.out = driver, origin, out
        self.wrong = []
        self.visited = []
        self.kinds = {}
        self.text = ""
        self.streams = 0

    def note(self, page, what):
        self.wrong.append(f"{page}: {what}")

    def open(self, url):
        """Opens a page, or takes the one that is open, checks it in both sizes, and returns the targets of its links."""
        self.driver.resize(DESKTOP)
        if url:
            self.driver.post("/url", url=url)
        time.sleep(0.4)  # scripts and event streams start after the load
        here = self.driver.run("return location.pathname + location.search")
        name = re.sub(r"[^A-Za-z0-9]+", "-", here).strip("-")[:80] or "overview"
        name = f"{len(self.visited) + 1:02}-{name}"
        self.driver.screenshot(self.out / f"{name}.png")
        self.text += self.driver.run("return document.body.innerText") + "\n"
        if not self.driver.run("return document.title && document.querySelector('h1') && document.documentElement.lang"):
            self.note(here, "has no title, no h1 or no language")
        links = self.driver.run("return Array.from(document.querySelectorAll('a[href]'), a => new URL(a.getAttribute('href'), location).href)")
        self.driver.resize(PHONE)
        wide = self.driver.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            self.note(here, f"is {wide} px wider than a phone's screen")
        self.driver.screenshot(self.out / f"{name}-phone.png")
        for violation in self.driver.run("return window.__violations || []"):
            self.note(here, f"content security policy: {violation}")
        self.check_logs(here)
        self.visited.append(here)
        return links

    def check_logs(self, page):
        for entry in self.driver.log("browser"):
            if entry["level"] in ("SEVERE", "WARNING"):
                self.note(page, f"console: {entry['message']}")
        urls = {}
        for entry in self.driver.log("performance"):
            event = json.loads(entry["message"])["message"]
            given = event.get("params", {})
            match event["method"]:
                case "Network.requestWillBeSent":
                    url = urls[given["requestId"]] = given["request"]["url"]
                    self.streams += given.get("type") == "EventSource"
                    scheme, *_ = parts = urllib.parse.urlsplit(url)
                    if scheme not in ("data", "blob") and f"{scheme}://{parts.netloc}" != self.origin:
                        self.note(page, f"requests another origin: {url}")
                case "Network.responseReceived" if given["response"]["status"] >= 400:
                    self.note(page, f"{given['response']['status']} for {given['response']['url']}")
                case "Network.loadingFailed" if not given.get("canceled") and given.get("type") != "EventSource":
                    self.note(page, f"{given['errorText']} for {urls.get(given['requestId'], 'a request')}")

    def send(self, script):
        """Sends a form by a script, waits for the page that answers, and checks it."""
        self.driver.run("window.__sent = true; " + script)
        while self.driver.run("return window.__sent || document.readyState !== 'complete'"):
            time.sleep(0.1)
        return self.open(None)

    def use_table(self, devices):
        """Goes through the table by its keys, ticks two devices, and previews, makes and undoes a change of them."""
        self.open(devices)
        self.driver.resize(DESKTOP)
        press = "const press = key => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));"
        done = self.driver.run(press + """
          press('/');
          const found = document.activeElement.id === 'q';
          document.activeElement.blur();
          press('j'); press('x'); press('j'); press('x'); press('k');
          const row = document.activeElement.closest('tr') === document.querySelector('tbody tr');
          press('?');
          const keys = document.getElementById('keys');
          const shown = keys.open;
          keys.close();
          return [found, row, document.querySelectorAll('td.pick input:checked').length, shown];""")
        if done != [True, True, 2, True]:
            self.note(devices, f"the keys do not work: {done}")
        choose = "document.getElementById('action').value = 'edit'; document.querySelector('.bulk button').click();"
        self.send(choose)
        self.send("document.getElementById('add_tags').value = 'visited'; document.querySelector('[value=preview]').click();")
        if not self.driver.run("return !!document.querySelector('[value=confirm]')"):
            self.note(devices, "a change has no preview")
        self.send("document.querySelector('[value=confirm]').click();")
        if not self.driver.run("return !!document.querySelector('.banner button')"):
            self.note(devices, "a change has no banner with a way to undo it")
        self.send("document.querySelector('.banner button').click();")
        if "undid change" not in self.driver.run("return document.body.innerText"):
            self.note(devices, "the banner does not undo the change")

    def walk(self, start):
        queue, seen = [start], set()
        while queue:
            url = urllib.parse.urldefrag(queue.pop(0)).url
            kind = self.kind(url)
            if url in seen or not url.startswith(self.origin + "/") or self.kinds.get(kind, 0) >= PER_KIND:
                continue
            seen.add(url)
            self.kinds[kind] = self.kinds.get(kind, 0) + 1
            queue += self.open(url)

    @staticmethod
    def kind(url):
        """The kind of a page: ids, searches and orders do not matter, but each value of a single filter does."""
        parts = urllib.parse.urlsplit(url)
        path = re.sub(r"/(?=[^/]*\d)[^/]+|(?<=/problems)/.+|(?<=/rules)/.+", "/…", parts.path)
        query = [(name, value) for name, value in urllib.parse.parse_qsl(parts.query) if name != "sort"]
        # Queries lead to further ones without end.
        names = [name for name, _ in query]
        return f"{path}?{query if len(query) == 1 and names != ['q'] else names}"


def main():
    programs, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    demo = Demo(programs / "netcensus-plan")
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            driver = Driver(scratch)
            try:
                parts = urllib.parse.urlsplit(demo.url)
                visit = Visit(driver, f"{parts.scheme}://{parts.netloc}", out)
                visit.walk(demo.url)
                device_list = next(path for path in visit.visited if re.search(r"/devices$", path))
                visit.use_table(visit.origin + device_list)
            finally:
                driver.quit()
    finally:
        demo.stop()
    for page, pattern in EXPECTED.items():
        if not any(re.search(pattern, path) for path in visit.visited):
            visit.note("the console", f"no link led to {page}")
    for tab in TABS:
        if tab.lower() not in visit.text.lower():
            visit.note("the console", f"no page shows the tab {tab!r}")
    if not visit.streams:
        visit.note("the console", "no page listens for events")
    print(f"   {len(visit.visited)} pages visited, screenshots in {out}")
    for what in visit.wrong:
        print(f"   WRONG {what}")
    sys.exit(1 if visit.wrong else 0)


if __name__ == "__main__":
    main()
