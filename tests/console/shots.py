#!/usr/bin/env python3
"""Takes pictures of the pages of the console, in light, 1440 and 390 pixels wide.

    shots.py BIN OUT [DOCS]    BIN holds netcensus-plan; DOCS gets small pictures for the documents

Most are of the demo. The overview, sealed days, alerts, recommendations, vulnerabilities and a sensor are of a service with
such data. Fails if a page is missing. Needs Debian's chromedriver, openssl, zstd and libfaketime.
"""

import pathlib
import re
import shutil
import sys
import tempfile
import time
import urllib.parse

from browser import DESKTOP as WIDE, PHONE, Demo, Driver

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "load"))
from filled import Service, fill  # noqa: E402

MOST = 2400  # pixels of a page in a picture
# Names of pictures, and the pages below those of the subscription.
PAGES = {
    "devices": "/devices", "findings": "/findings", "sensors": "/sensors", "plan": "/plan", "zones": "/zones",
    "map": "/map", "managed": "/managed", "changes": "/changes", "estimate": "/estimate", "statements": "/statements",
    "audit": "/audit", "roles": "/roles", "notices": "/notices", "terms": "/terms",
}
OTHERS = {
    "subscriptions": "/subscriptions", "account": "/account", "choices": "/account/notices", "rules": "/rules",
    "rule": "/rules/I8", "problems": "/problems",
}
# Pages that a link leads to: the page with the link, and the link.
LINKED = {
    "device": ("/devices", r"/devices/[0-9a-f]{16}"),
    "statement": ("/statements", r"/statements/\d{4}-\d\d$"),
}
# The same of the service with more data.
MORE = {"overview": "", "snapshots": "/snapshots", "alerts": "/alerts", "recommendations": "/recommendations", "vulnerabilities": "/vulnerabilities",
        "coverage": "/vulnerabilities/coverage", "differences": "/differences"}
MORE_LINKED = {"vulnerability": ("/vulnerabilities", r"/vulnerabilities/CVE-"),
               "snapshot": ("/snapshots", r"/snapshots/\d{4}-\d\d-\d\d$"), "sensor": ("/sensors", r"/sensors/[0-9a-f]{16}")}
DEVICES, ZONES, DAYS = 400, 3, 20
SMALL = ["overview", "devices", "device", "map", "alerts"]


def links(driver):
    script = "return Array.from(document.querySelectorAll('main a[href]'), a => new URL(a.getAttribute('href'), location).href)"
    return driver.run(script)


class Shots:
    """Takes pictures, and notes which pages are missing."""

    def __init__(self, driver, out, small):
        self.driver, self.out, self.small, self.taken, self.wrong = driver, out, small, 0, []

    def all(self, base, pages, linked):
        """Those of pages below `base`, and of pages that a link leads to."""
        urls = {name: base + path for name, path in pages.items()}
        for name, (path, pattern) in linked.items():
            self.driver.post("/url", url=base + path)
            found = [url for url in links(self.driver) if re.search(pattern, url.split("?")[0])]
            if found:
                urls[name] = found[0]
            else:
                self.wrong.append(f"no link leads to {name}")
        for name, url in urls.items():
            self.take(name, url)

    def take(self, name, url):
        driver = self.driver
        driver.resize(WIDE)
        driver.post("/url", url=url)
        time.sleep(0.4)
        if driver.run("return !document.querySelector('h1')"):
            self.wrong.append(f"{url} has no page")
        driver.screenshot(self.out / f"{name}-{WIDE[0]}.png", most=MOST)
        if self.small and name in SMALL:
            self.small.mkdir(parents=True, exist_ok=True)
            driver.screenshot(self.small / f"{name}.png", most=WIDE[1], scale=0.5)
        driver.resize(PHONE)
        driver.screenshot(self.out / f"{name}-{PHONE[0]}.png", most=MOST)
        self.taken += 2


def of_demo(program, shots):
    demo = Demo(program)
    try:
        shots.driver.post("/url", url=demo.url)
        time.sleep(1)
        base = re.match(r".*/subscriptions/[0-9a-f]+", shots.driver.run("return location.href"))[0]
        shots.all(base, PAGES, LINKED)
        shots.all("{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(base)), OTHERS, {})
    finally:
        demo.stop()


def of_service(program, folder, shots):
    service = Service(program, folder)
    try:
        fill(service, DEVICES, ZONES, DAYS)
        origin = f"http://{service.address}"
        shots.driver.cookie(origin, service.sign_in())
        shots.all(f"{origin}/subscriptions/{service.subscription}", MORE, MORE_LINKED)
    finally:
        service.stop()


def main():
    program, out = pathlib.Path(sys.argv[1]) / "netcensus-plan", pathlib.Path(sys.argv[2])
    small = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else None
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        driver = Driver(f"{scratch}/browser")
        try:
            shots = Shots(driver, out, small)
            of_demo(program, shots)
            of_service(program, pathlib.Path(scratch), shots)
        finally:
            driver.quit()
    print(f"   {shots.taken} pictures in {out}")
    for what in shots.wrong:
        print(f"   WRONG {what}")
    sys.exit(1 if shots.wrong else 0)


if __name__ == "__main__":
    main()
