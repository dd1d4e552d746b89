#!/usr/bin/env python3
"""Visits the demo's console in headless Chromium, as a person would: it follows links to every kind of page.

    visit.py BIN OUT    BIN holds netcensus-plan; screenshots go to OUT

Fails if the browser logs an error or a warning, if a page violates the content security policy, if a request fails or
goes to another origin, if a page is wider than a phone's screen, if an expected page is missing, and if axe finds a violation in
the answer to a form: judge.py asks axe about all other pages. Needs Debian's chromedriver and the file of axe.py.
"""

import json
import pathlib
import re
import shutil
import sys
import tempfile
import time
import urllib.parse

import axe
from browser import DESKTOP, PHONE, Demo, Driver

# Pages that must be visited: a name, and a pattern of the path with its query.
EXPECTED = {
    "the overview": r"^/[^?]*$",
    "the device tabs": r"devices",
    "the preview of a change": r"devices/bulk",
    "a device's why page": r"devices/[^/?]+",
    "the findings": r"findings",
    "the alerts": r"/alerts",
    "the changes of alerts": r"alerts/changes",
    "the ledger of alerts": r"alerts/ledger",
    "the mute rules": r"/mutes",
    "the estimate": r"estimate",
    "the plan": r"plan",
    "the managed lists": r"managed",
    "the snapshots": r"snapshots",
    "the audit trail": r"/audit",
    "the changes": r"changes",
    "the notices": r"/notices",
    "the choice of notices": r"^/account/notices",
    "the map": r"/map",
    "the zones": r"zones",
    "the statements": r"statements",
    "a statement": r"statements/[^/?]+",
    "a rule": r"^/rules/[^/?]+",
}
TABS = ["All", "Computers & Mobile", "Network", "IoT", "Unclassified"]
PER_KIND = 2  # pages to visit of each kind

class Visit:
    """Walks through the pages and notes what is wrong."""

    def __init__(self, driver, origin, out):
        self.driver, self.origin, self.out = driver, origin, out
        self.wrong = []
        self.visited = []
        self.kinds = {}
        self.judged = 0  # answers to forms that axe has judged
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
        if not url:
            self.judged += 1
            for where, faults in axe.faults(self.driver):
                self.wrong += [f"{here}: axe, {where}: {fault}" for fault in faults]
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

    def see_times(self):
        """Instants are in the zone of the browser, and in UTC on hover."""
        self.driver.zone("Asia/Tokyo")
        self.driver.resize(DESKTOP)
        page = next(path for path in self.visited if path.endswith("/audit"))
        self.driver.post("/url", url=self.origin + page)
        time.sleep(0.4)
        shown = self.driver.run("const t = document.querySelector('time[datetime]'); return [t.textContent, t.title, "
                                "document.querySelector('footer').textContent]")
        if "GMT+9" not in shown[0] or not shown[1].endswith(" UTC") or "Asia/Tokyo" not in shown[2]:
            self.note(page, f"does not show the browser's time zone: {shown}")
        self.driver.zone("")

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
                visit.see_times()
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
    print(f"   {len(visit.visited)} pages visited, {visit.judged} answers to forms judged by axe, screenshots in {out}")
    for what in visit.wrong:
        print(f"   WRONG {what}")
    sys.exit(1 if visit.wrong else 0)


if __name__ == "__main__":
    main()
