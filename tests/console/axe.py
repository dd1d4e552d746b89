"""Judges the page that a browser shows by axe-core, in four looks: light and dark, as wide as a desktop and as a phone."""

import functools
import os
import pathlib

from browser import DESKTOP, PHONE

# Where .ci/need puts the package that brings the file.
FILE = pathlib.Path(os.environ.get("AXE", "target/axe/axe_playwright_python/axe.min.js"))
# Dark changes colours and nothing else, so only what judges colours is asked again.
COLOURS = ["color-contrast", "link-in-text-block"]
LOOKS = [
    ("light", DESKTOP, False, None), ("dark", DESKTOP, True, COLOURS),
    ("dark phone", PHONE, True, COLOURS), ("light phone", PHONE, False, None),
]
RUN = """
const [rules, done] = arguments;
const options = {resultTypes: ['violations'], ...(rules ? {runOnly: {type: 'rule', values: rules}} : {})};
axe.run(document, options).then(
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
    for name, size, dark, rules in LOOKS:
        driver.resize(size)
        driver.scheme(dark)
        if found := driver.settle(RUN, rules):
            out.append((name, found))
    driver.resize(DESKTOP)
    return out
