#!/usr/bin/env python3
"""Takes pictures of the pages of the demo's console, in light, 1440 and 390 pixels wide.

    shots.py BIN OUT [DOCS]    BIN holds netcensus-plan; DOCS gets four small pictures for the documents

Fails if a page is missing. Needs Debian's chromedriver.
"""

import pathlib
import re
import shutil
import sys
import tempfile
import time
import urllib.parse

from browser import DESKTOP as WIDE, PHONE, Demo, Driver

MOST = 2400  # pixels of a page in a picture
# Names of pictures, and the pages below those of the subscription.
PAGES = {
    "overview": "", "devices": "/devices", "findings": "/findings", "sensors": "/sensors", "plan": "/plan", "zones": "/zones",
    "map": "/map", "managed": "/managed", "changes": "/changes", "estimate": "/estimate", "statements": "/statements",
    "snapshots": "/snapshots", "audit": "/audit", "roles": "/roles", "notices": "/notices", "terms": "/terms",
}
OTHERS = {
    "subscriptions": "/subscriptions", "account": "/account", "choices": "/account/notices", "rules": "/rules",
    "rule": "/rules/I8", "problems": "/problems",
}
# Pages that a link leads to: the page with the link, and the link.
LINKED = {
    "device": ("/devices", r"/devices/[0-9a-f]{16}"),
    "statement": ("/statements", r"/statements/\d{4}-\d\d$"),
    "snapshot": ("/snapshots", r"/snapshots/\d{4}-\d\d-\d\d$"),
}
SMALL = ["overview", "devices", "device", "map"]


def links(driver):
    script = "return Array.from(document.querySelectorAll('main a[href]'), a => new URL(a.getAttribute('href'), location).href)"
    return driver.run(script)


def main():
    programs, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    small = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else None
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    demo, wrong, taken = Demo(programs / "netcensus-plan"), [], 0
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            driver = Driver(scratch)
            try:
                driver.post("/url", url=demo.url)
                time.sleep(1)
                base = re.match(r".*/subscriptions/[0-9a-f]+", driver.run("return location.href"))[0]
                origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(base))
                urls = {name: base + path for name, path in PAGES.items()} | {name: origin + path for name, path in OTHERS.items()}
                for name, (path, pattern) in LINKED.items():
                    driver.post("/url", url=base + path)
                    found = [url for url in links(driver) if re.search(pattern, url.split("?")[0])]
                    if found:
                        urls[name] = found[0]
                for name, url in urls.items():
                    driver.resize(WIDE)
                    driver.post("/url", url=url)
                    time.sleep(0.4)
                    if driver.run("return !document.querySelector('h1')"):
                        wrong.append(f"{url} has no page")
                    driver.screenshot(out / f"{name}-{WIDE[0]}.png", most=MOST)
                    if small and name in SMALL:
                        small.mkdir(parents=True, exist_ok=True)
                        driver.screenshot(small / f"{name}.png", most=WIDE[1], scale=0.5)
                    driver.resize(PHONE)
                    driver.screenshot(out / f"{name}-{PHONE[0]}.png", most=MOST)
                    taken += 2
            finally:
                driver.quit()
    finally:
        demo.stop()
    print(f"   {taken} pictures in {out}")
    for what in wrong:
        print(f"   WRONG {what}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
