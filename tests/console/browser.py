"""A browser, and a demo to visit: what the scripts beside this share. Needs Debian's chromedriver."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request

PATIENCE = 600  # seconds until something counts as hung; no outcome depends on the machine's pace
DESKTOP, PHONE = (1440, 900), (390, 844)

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
        self.post("/timeouts", script=PATIENCE * 1000)
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

    def settle(self, script, *arguments):
        """Runs a script that calls its last argument with a result."""
        return self.post("/execute/async", script=script, args=arguments)

    def scheme(self, dark):
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.devtools("Emulation.setEmulatedMedia", features=features)

    def cookie(self, origin, text):
        """Sets a cookie, such as that of a session."""
        name, value = text.split("=", 1)
        self.devtools("Network.setCookie", url=origin, name=name, value=value)

    def zone(self, name):
        self.devtools("Emulation.setTimezoneOverride", timezoneId=name)

    def log(self, kind):
        return self.post("/se/log", type=kind)

    def resize(self, size):
        width, height = size
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def screenshot(self, file, most=None, scale=1):
        """The whole page, or its first `most` pixels, as large or smaller."""
        clip = {}
        if most:
            width = self.run("return innerWidth")
            clip = {"clip": {"x": 0, "y": 0, "width": width, "height": most, "scale": scale}}
        png = self.devtools("Page.captureScreenshot", captureBeyondViewport=True, **clip)["data"]
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
