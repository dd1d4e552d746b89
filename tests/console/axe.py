"""Judges the page that a browser shows by axe-core: in light on a desktop, and in dark on a phone."""

import functools
import os
import pathlib

from browser import DESKTOP, PHONE

# Where .ci/need puts the package that brings the file.
FILE = pathlib.Path(os.environ.get("AXE", "target/axe/axe_playwright_python/axe.min.js"))
LOOKS = [("light", DESKTOP, False), ("dark phone", PHONE, True)]
RUN = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ['violations']}).then(
  (found) => done(found.violations.flatMap((v) => v.nodes.slice(0, 3).map((n) => `${v.id}: ${n.html.slice(0, 200)}`))),
  (error) => done([`axe failed: ${error}`]));
"""


@functools.cache
def source():
    return FILE.read_text(encoding="utf-8")


def faults(driver):
    """Pairs of a look and what is wrong in it. The browser is in light and as wide as a desktop afterwards."""
    out = []
    driver.run(source())
    for name, size, dark in LOOKS:
        driver.resize(size)
        driver.scheme(dark)
        found = driver.settle(RUN)
        if found:
            out.append((name, found))
    driver.scheme(False)
    driver.resize(DESKTOP)
    return out
