#!/usr/bin/env python3
"""Judges each page of the console by axe in four looks, on a service that has data for all of them.

    judge.py BIN    BIN holds netcensus-plan

Follows links to one page of each kind. Fails if axe finds a violation, if a page violates the content security policy, is wider
than a phone's screen, has more than 150 KiB or 10 requests, or if the router has a page to which no link leads. newcomer.py
judges the pages without data, visit.py the answers to forms. Needs Debian's chromedriver, openssl, zstd and libfaketime.
"""

import json
import pathlib
import sys
import tempfile
import time

import axe
from browser import Driver

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "load"))
from filled import Service, fill  # noqa: E402
from walk import Browser, crawl, routes  # noqa: E402

DEVICES, ZONES, DAYS = 400, 3, 3
BYTES, REQUESTS = 150 << 10, 10


class Judge:
    """Opens pages and notes what is wrong."""

    def __init__(self, driver, origin):
        self.driver, self.origin, self.wrong = driver, origin, []

    def open(self, path):
        self.driver.log("performance")
        self.driver.post("/url", url=self.origin + path)
        bytes_, requests = self.weigh()
        if bytes_ > BYTES or requests > REQUESTS:
            self.wrong.append(f"{path}: {bytes_ >> 10} KiB, {requests} requests")
        for where, faults in axe.faults(self.driver):
            self.wrong += [f"{path}: axe, {where}: {fault}" for fault in faults]
        for violation in self.driver.run("return window.__violations || []"):
            self.wrong.append(f"{path}: content security policy: {violation}")

    def weigh(self):
        """Bytes and requests of the page, without its event stream."""
        bytes_, streams, requests = 0, set(), 0
        for entry in self.driver.log("performance"):
            event = json.loads(entry["message"])["message"]
            given = event.get("params", {})
            match event["method"]:
                case "Network.requestWillBeSent" if given.get("type") == "EventSource":
                    streams.add(given["requestId"])
                case "Network.requestWillBeSent":
                    requests += 1
                case "Network.dataReceived" if given["requestId"] not in streams:
                    bytes_ += given["dataLength"]
        return bytes_, requests


def main():
    programs, wrong = pathlib.Path(sys.argv[1]), []
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        folder = pathlib.Path(scratch)
        service = Service(programs / "netcensus-plan", folder)
        try:
            fill(service, DEVICES, ZONES, DAYS)
            base, cookie = f"/subscriptions/{service.subscription}", service.sign_in()
            found, pages = crawl(Browser(service, cookie), base, deep=False)
            wrong += [f"no link led to {path}" for path in sorted(routes() - pages)]
            filled = time.monotonic()
            driver = Driver(folder / "browser")
            try:
                judge = Judge(driver, f"http://{service.address}")
                driver.cookie(judge.origin, cookie)
                for path in found.values():
                    judge.open(path)
                wrong += judge.wrong
            finally:
                driver.quit()
        finally:
            service.stop()
    looks = len(axe.LOOKS)
    print(f"   {len(found)} pages judged in {looks} looks in {time.monotonic() - filled:.0f} s, service filled in {filled - begun:.0f} s")
    for what in wrong:
        print(f"   WRONG {what}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
