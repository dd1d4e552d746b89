"""Walks through the console of a service by links, to one page of each kind."""

import http.client
import pathlib
import re
import time
import urllib.parse

ROUTER = pathlib.Path(__file__).resolve().parent.parent.parent / "src/plan/http/console/mod.rs"
# Pages that no link leads to: answers to events and files, and pages for those who are not signed in.
UNLINKED = {"/events", "/login", "/login/oidc", "/login/oidc/callback", "/login/{}", "/invitation/{}", "/setup/{}", "/assets/{}", "/favicon.ico",
            "/jobs/{}", "/"}
BACK = "back"  # begins the names of GETs of forms, which lead back to their page


def routes():
    """The pages of the router."""
    text = ROUTER.read_text(encoding="utf-8")
    tenant, rest = text.split("Router::new()", 2)[1:]
    out = set()
    for part, base in ((tenant, "~"), (rest, "")):
        for path, handler in re.findall(r'\.route\("([^"]+)", get\(\w+::(\w+)\)', part):
            if not handler.startswith(BACK):
                out.add(base + (re.sub(r"\{\w+\}", "{}", path) if path != "/" or not base else ""))
    return {path for path in out if path.removeprefix("~") not in UNLINKED or path == "~"}


class Browser:
    """A connection that stays open, as a browser's does."""

    def __init__(self, service, cookie):
        self.service, self.cookie = service, cookie
        self.connection = service.connect()

    def get(self, path, after=0):
        """Status, text, seconds to the first byte, and bytes on the wire. Follows at most three redirects."""
        headers = {"Cookie": self.cookie, "Accept": "text/html", "Accept-Encoding": "identity" if after else "br, gzip, zstd"}
        begun = time.perf_counter()
        try:
            self.connection.request("GET", path, headers=headers)
            answer = self.connection.getresponse()
        except (http.client.HTTPException, ConnectionError):
            self.connection.close()
            self.connection.request("GET", path, headers=headers)
            answer = self.connection.getresponse()
        took = time.perf_counter() - begun
        data = answer.read()
        if after and answer.status in (302, 303, 307, 308):
            return self.get(urllib.parse.urljoin(path, answer.headers["Location"]), after - 1)
        return answer.status, data, took, len(data)


def kind(path, base):
    """The kind of a page: ids do not matter; of a query, the names."""
    path, _, query = path.partition("?")
    path = re.sub(rf"^{base}(?=/|$)", "~", path)
    path = re.sub(r"(?<=~/)(devices|alerts|changes|snapshots|statements|vulnerabilities|jobs|sensors)/(?=[^/]*\d)[^/]+", r"\1/{}", path)
    path = re.sub(r"(?<=/problems)/.+|(?<=/rules)/.+", "/{}", path)
    if path == "~/":
        path = "~"
    return path, tuple(sorted({name for name, _ in urllib.parse.parse_qsl(query)}))


def crawl(browser, base, deep=True):
    """One address of each kind, and the pages that they are of. If not `deep`, queries make no kinds, but for the past's."""
    explain = urllib.parse.urlencode({"subject": "10.0.1.1"})
    queue = [base, f"{base}/explain?{explain}", "/subscriptions", "/people", "/account", "/rules", "/problems", "/audit"]
    found, pages = {}, set()
    while queue:
        path = queue.pop(0).split("#")[0]
        page, names = kind(path, base)
        key = (page, names if deep else "as_of" in names)
        if key in found or not path.startswith("/") or path.startswith(("/assets", "/api", "/logout")) or path.startswith(f"{base}/events"):
            continue
        if path.startswith("/subscriptions/") and not path.startswith(base):
            continue
        status, data, *_ = browser.get(path, 3)
        if status != 200:
            continue
        html = data.decode()
        if "<html" not in html[:200].lower():
            continue
        found[key] = path
        pages.add(page)
        queue += [urllib.parse.urljoin(path, link.replace("&amp;", "&").replace("&#38;", "&")) for link in re.findall(r'href="([^"]+)"', html)]
    return found, pages
