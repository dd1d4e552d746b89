#!/usr/bin/env python3
"""Measures the first byte of every page of the console, with many devices.

    pages.py BIN [--devices 50000] [--rounds 30] [--bound MS] [--only PATTERN]    BIN holds netcensus-plan

It follows links to every kind of page, and adds every order and a dozen filters of the list of devices. Pages are asked in turns,
while sensors upload what they see again, so a count that grows old takes part. It prints the median and the 95th percentile
of each page, the slowest first. Exit status 1 if a page of the router was not found, or if one took longer than the bound.
"""

import argparse
import pathlib
import re
import signal
import sys
import tempfile
import threading
import time

from filled import Service, delta, fill
from walk import Browser, crawl, routes

FILTERS = [
    "category=iot", "category=unclassified", "verdict=X-IDLE", "zone=site-3", "type=camera", "vendor=Axis", "managed=false", "q=printer",
    "q=vendor%3Aaxis+type%3Acamera+counts%3Ayes", "q=ip%3A10.0.20.0%2F24", "q=mac%3Aac-cc-8e-*", "q=seen%3C7d+counts%3Ano", "q=first%3C1d",
    "q=vlan%3A11+not+vendor%3A*", "q=%22status+page%22", "q=zzzz", "q=desk-4711&sort=-last_seen", "q=model%3Ap3245*&sort=name",
]


def sorts(browser, base):
    """Every order of the list of devices, up and down."""
    html = browser.get(f"{base}/devices", 1)[1].decode()
    keys = re.findall(r'name="c" value="(\w+)"', html)
    words = [f"sort={sign}{key}" for key in ["name", *keys] for sign in ("", "-")]
    return [word for word in words if browser.get(f"{base}/devices?{word}", 1)[0] == 200]


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, round((len(values) - 1) * part))]


def keep_uploading(sensors, devices, stop):
    """An upload each second: what a part of a zone's devices said again."""
    turn = 0
    while not stop.wait(1):
        number = turn % len(sensors)
        now = int(time.time())
        numbers = range(number + len(sensors) * (turn % 50), devices, len(sensors) * 50)
        sensors[number].upload(f"site-{number}", delta(numbers, now - 60, now - 1))
        turn += 1


def measure(service, sensors, wanted):
    base = f"/subscriptions/{service.subscription}"
    cookie = service.sign_in()
    browser = Browser(service, cookie)
    begun = time.perf_counter()
    service.wait(lambda: browser.get(base, 3)[0] == 200)
    print(f"   the first page after the start took {time.perf_counter() - begun:.2f} s")
    found, pages = crawl(browser, base)
    paths = sorted(found.values())
    for word in ("vendor=Axis", "category=computer_mobile", "category=network"):
        html = browser.get(f"{base}/devices?{word}", 1)[1].decode()
        paths += re.findall(rf'href="({base}/devices/[0-9a-f]{{16}})', html)[:3]
    paths += [f"{base}/devices?{word}" for word in sorts(browser, base) + FILTERS]
    missing = sorted(routes() - pages)
    paths = [path for path in dict.fromkeys(paths) if re.search(wanted.only, path)]
    print(f"   {len(paths)} addresses of {len(pages)} pages, {wanted.rounds} rounds, {wanted.devices} devices")
    stop = threading.Event()
    uploads = threading.Thread(target=keep_uploading, args=(sensors, wanted.devices, stop), daemon=True)
    if not wanted.quiet:
        uploads.start()
    took, sizes, wrong = {path: [] for path in paths}, {}, []
    for path in paths:
        browser.get(path)  # what only the first reader pays
    for turn in range(wanted.rounds):
        for path in paths if turn % 2 else reversed(paths):
            status, _, seconds, size = browser.get(path)
            if status not in (200, 302, 303, 307):
                wrong.append(f"{path}: {status}")
            took[path].append(seconds * 1000)
            sizes[path] = size
    stop.set()
    if uploads.is_alive():
        uploads.join()
    print("     p50 ms   p95 ms   max ms  KiB  page")
    for place, path in enumerate(sorted(paths, key=lambda path: -percentile(took[path], 0.95))):
        values, name = took[path], re.sub(r"=([\w-]{20})[\w-]{20,}", r"=\1…", path.replace(base, "~"))
        if place < wanted.show:
            print(f"   {percentile(values, 0.5):8.1f} {percentile(values, 0.95):8.1f} {max(values):8.1f} {sizes[path] >> 10:4}  {name}")
        if percentile(values, 0.95) > wanted.bound:
            wrong.append(f"{name}: p95 {percentile(values, 0.95):.0f} ms")
    every = [value for values in took.values() for value in values]
    print(f"   all pages: p50 {percentile(every, 0.5):.1f} ms, p95 {percentile(every, 0.95):.1f} ms, p99 {percentile(every, 0.99):.1f} ms, max {max(every):.1f} ms")
    return wrong + [f"no link led to {path}" for path in missing]


def main():
    reader = argparse.ArgumentParser()
    reader.add_argument("programs", type=pathlib.Path)
    reader.add_argument("--devices", type=int, default=50_000)
    reader.add_argument("--rounds", type=int, default=30)
    reader.add_argument("--bound", type=float, default=100.0, help="milliseconds")
    reader.add_argument("--only", default="", help="a pattern of addresses")
    reader.add_argument("--show", type=int, default=40, help="how many pages to print")
    reader.add_argument("--zones", type=int, default=8)
    reader.add_argument("--quiet", action="store_true", help="nobody uploads meanwhile")
    wanted = reader.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # the service ends, too
    with tempfile.TemporaryDirectory() as scratch:
        service = Service(wanted.programs / "netcensus-plan", pathlib.Path(scratch))
        try:
            begun = time.perf_counter()
            sensors = fill(service, wanted.devices, wanted.zones, days=3)
            print(f"   filled in {time.perf_counter() - begun:.0f} s")
            wrong = measure(service, sensors, wanted)
        finally:
            service.stop()
    for what in wrong:
        print(f"   WRONG {what}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
