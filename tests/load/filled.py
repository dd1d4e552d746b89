"""A plan service with many devices: what the scripts beside this share. Needs openssl, zstd, and faketime if it has a past.

The devices are of one site: cameras with firmware that advisories name, printers, switches, computers, and others of which
nothing is known. Some did what an alert or a recommendation tells.
"""

import base64
import contextlib
import glob
import hashlib
import http.client
import json
import os
import pathlib
import re
import secrets
import signal
import subprocess
import threading
import time
import urllib.parse

CHUNK = 4000  # devices of an upload
DAY = 86_400
MODELS = ["P3245-LV", "M3116-LVE", "Q6135-LE", "P1448-LE", "M5525-E"]
CONFIG = """
[limits]
per_second = 100000
burst = 1000000
[terms]
file = "{terms}"
"""


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Service:
    """A service on an empty database in a folder, with one subscription."""

    def __init__(self, program, folder):
        self.program, self.folder = pathlib.Path(program), pathlib.Path(folder)
        self.database, self.config = self.folder / "plan.sqlite", self.folder / "plan.toml"
        terms = self.folder / "terms.txt"
        terms.write_text("Pay by the month.\n")
        self.config.write_text(CONFIG.format(terms=terms))
        self.process, self.back = None, 0

    def environment(self):
        """Programs of this service see a clock that is some seconds behind."""
        if not self.back:
            return os.environ | {"NO_COLOR": "1"}
        library = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")[0]
        return os.environ | {"NO_COLOR": "1", "LD_PRELOAD": library, "FAKETIME": f"-{self.back}s", "DONT_FAKE_MONOTONIC": "1"}

    def now(self):
        return time.time() - self.back

    def command(self, *words, text=None):
        words = [str(self.program), *map(str, words), "--config", str(self.config), "--database", str(self.database)]
        done = subprocess.run(words, input=text, capture_output=True, text=True, env=self.environment())
        if done.returncode:
            raise SystemExit(f"{' '.join(words)}: {done.stderr}")
        return done.stdout

    def start(self, back=0):
        """Starts it with a clock that is `back` seconds behind."""
        self.back = back
        words = [self.program, "serve", "--listen", "127.0.0.1:0", "--config", self.config, "--database", self.database]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self.environment())
        said = []
        for line in self.process.stdout:
            said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                self.address = f"127.0.0.1:{found[1]}"
                break
        else:
            raise SystemExit("the service did not start:\n" + "".join(said))
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        self.wait(lambda: self.get("/healthz")[0] == 200)

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
            self.process = None

    @staticmethod
    def wait(done, seconds=600):
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if done():
                    return
            if time.monotonic() > end:
                raise SystemExit("the service does not get on")
            time.sleep(0.2)

    def connect(self):
        return http.client.HTTPConnection(self.address, timeout=120)

    def get(self, path, **headers):
        return self.send("GET", path, None, headers)

    def send(self, method, path, body, headers):
        connection = self.connect()
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, answer.headers, data

    def sign_in(self):
        """The cookie of a session of the owner."""
        form = urllib.parse.urlencode({"name": "owner", "password": "a long enough password"})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://{self.address}"}
        status, headers, data = self.send("POST", "/login", form, headers)
        if status != 303:
            raise SystemExit(f"cannot sign in: {status} {data[:500]}")
        return headers["Set-Cookie"].split(";")[0]

    def set_up(self):
        """The owner, the subscription, a plan and a price."""
        self.command("user", "create", "owner", "--global-admin", text="a long enough password\n")
        made = json.loads(self.command("subscription", "create", "Site", "--owner", "owner", "--json"))
        self.subscription = made["id"]

    def onboard(self, devices):
        """Onboards a plan that has room for what such a number of devices bills."""
        committed = -(-devices * 7 // 1000) * 100
        self.command("plan", "onboard", "--kind", "monthly", "--devices", str(committed), "--accept-terms")

    def advisories(self, records):
        """Imports advisories about the cameras."""
        feed = self.folder / "feed.json"
        feed.write_text(json.dumps({"format": "NVD_CVE", "version": "2.0", "vulnerabilities": [{"cve": advisory(n)} for n in range(records)]}))
        self.command("vulnerabilities", "import", feed)


def advisory(number):
    """A record in the form of the NVD."""
    severity = 40 + number % 60
    model = MODELS[number % len(MODELS)].lower()
    match = {"vulnerable": True, "criteria": f"cpe:2.3:o:axis:{model}_firmware:*:*:*:*:*:*:*:*", "matchCriteriaId": "00000000-0000-4000-8000-000000000000",
             "versionEndExcluding": f"10.{number % 16}.{number % 100}"}
    return {"id": f"CVE-2025-{10_000 + number}", "sourceIdentifier": "sample@example.org", "published": "2025-01-02T03:04:05.000",
            "lastModified": "2025-05-11T10:20:30.000", "vulnStatus": "Analyzed", "cveTags": [],
            "descriptions": [{"lang": "en", "value": "A sample of what an advisory says about the firmware of a camera."}],
            "metrics": {"cvssMetricV31": [{"source": "sample@example.org", "type": "Primary", "cvssData": {
                "version": "3.1", "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "baseScore": severity / 10, "baseSeverity": "HIGH"}}]},
            "configurations": [{"nodes": [{"operator": "OR", "negate": False, "cpeMatch": [match]}]}], "references": []}


class Sensor:
    """A sensor's identity, and its uploads."""

    def __init__(self, service, number):
        self.service, self.sequence, self.epoch = service, 0, secrets.token_hex(8)
        self.key = service.folder / f"sensor-{number}.pem"
        run = lambda *words: subprocess.run(["openssl", *words], check=True, capture_output=True).stdout
        run("genpkey", "-algorithm", "ed25519", "-out", str(self.key))
        self.public = base64url(run("pkey", "-in", str(self.key), "-pubout", "-outform", "DER")[-32:])
        token = re.search(r"nce2_(\S+)", service.command("sensor", "token", "--url", f"http://{service.address}"))[1]
        secret = json.loads(base64.urlsafe_b64decode(token + "=="))["secret"]
        body = json.dumps({"secret": secret, "name": f"edge-{number}", "public_key": self.public})
        status, _, data = service.send("POST", "/api/v1/enrol", body, {"Content-Type": "application/json"})
        if status != 201:
            raise SystemExit(f"cannot enrol: {status} {data}")
        identity = json.loads(data)
        self.bearer = identity["key"]
        self.path = f"/api/v1/subscriptions/{identity['subscription']}/sensors/{identity['sensor']}/uploads"

    def signed(self, body):
        """The headers of RFC 9421."""
        digest = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
        parameters = (f'("@method" "@path" "content-digest");created={int(self.service.now())};keyid="{self.public}";'
                      f'alg="ed25519";nonce="{secrets.token_urlsafe(16)}";tag="netcensus-upload"')
        base = f'"@method": POST\n"@path": {self.path}\n"content-digest": {digest}\n"@signature-params": {parameters}'
        text = self.service.folder / f"{self.epoch}.base"
        text.write_text(base)
        signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", str(self.key), "-in", str(text)],
                                   check=True, capture_output=True).stdout
        return {"Authorization": f"Bearer {self.bearer}", "Content-Digest": digest, "Signature-Input": f"sensor={parameters}",
                "Signature": f"sensor=:{base64.b64encode(signature).decode()}:", "Content-Type": "application/zstd"}

    def upload(self, zone, delta):
        self.sequence += 1
        text = json.dumps({"schema": "netcensus.upload/1", "epoch": self.epoch, "sequence": self.sequence, "zone": zone,
                           "delta": delta, "health": {"version": "load", "frames": 1000 * self.sequence, "bytes": 90_000 * self.sequence}})
        body = subprocess.run(["zstd", "-q", "-3", "-c"], input=text.encode(), check=True, capture_output=True).stdout
        for _ in range(60):
            status, headers, data = self.service.send("POST", self.path, body, self.signed(body))
            if status != 503:
                break
            time.sleep(float(headers.get("Retry-After", 1)))
        if status not in (200, 201):
            raise SystemExit(f"an upload was refused: {status} {data[:500]}")


def delta(numbers, since, until):
    """What frames between the two seconds said of those devices."""
    first, last = since * 10**9, until * 10**9
    couplings, stations, conduct = [], [], []
    for n in numbers:
        kind = n % 20
        maker = {0: "00:1b:0c", 1: "00:1b:0c"}.get(kind, "ac:cc:8e" if kind < 8 else "00:1b:a9" if kind < 12 else "00:14:22" if kind < 18 else "00:ff:aa")
        mac = f"{maker}:{n >> 16 & 255:02x}:{n >> 8 & 255:02x}:{n & 255:02x}"
        ip = f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
        at = first + n * 1000
        said, station = [], []
        if kind < 2:
            station.append(("lldp.sys_descr", "Cisco IOS Software, C2960X Software (C2960X-UNIVERSALK9-M), Version 15.2(7)E3"))
        elif kind < 8:
            version = f"10.{n % 13}.{n % 97}"
            station.append(("dhcp.vendor_class", f"AXIS,Network Camera,{MODELS[n % len(MODELS)]},{version}"))
        elif kind < 12:
            said += [("mdns.hostname", f"printer-{n}"), ("mdns.service", "_ipp._tcp")]
        elif kind < 18:
            station += [("dhcp.hostname", f"desk-{n}"), ("dhcp.vendor_class", "MSFT 5.0")]
        said.append(("http.title", f"Status page of unit {n}"))
        words = lambda pairs: [{"f": field, "v": value, "t": at} for field, value in pairs]
        couplings.append([{"mac": mac, "ip": ip}, {"a": at, "z": last, "p": at, "s": 385, "q": 1, "w": [10 + n % 4], "e": words(said)}])
        if station:
            stations.append([mac, {"a": at, "z": at, "e": words(station)}])
        doer = {"mac": mac, "ip": ip}
        if 2 <= kind < 8 and n % 3 == 0:
            conduct.append([{"d": doer, "k": "shows", "l": ["telnet", "snmp_v2c", "snmp_default"][n // 3 % 3]}, {"a": at, "z": last}])
        if n % 211 == 0:
            conduct.append([{"d": doer, "k": "mines", "i": "203.0.113.9", "p": 3333}, {"a": at, "z": last}])
        if n % 173 == 0:
            conduct.append([{"d": doer, "k": "maps", "i": "10.0.0.1", "p": 8080}, {"a": at, "z": last}])
    return {"segment": {"first_frame": first, "last_frame": last}, "couplings": couplings, "stations": stations, "conduct": conduct}


def fill(service, devices, zones, days):
    """Fills a service with so many devices in so many zones, a part of them new today, and a past of so many days. Returns the
    sensors, one a zone."""
    back = days * DAY
    service.start(back)
    service.set_up()
    service.onboard(devices)
    service.command("price", "set", "EUR", "1.20")
    sensors = [Sensor(service, number) for number in range(zones)]
    old = devices * 19 // 20

    def send(numbers, since, until):
        for number, sensor in enumerate(sensors):
            own = [n for n in numbers if n % zones == number]
            for place in range(0, len(own), CHUNK):
                sensor.upload(f"site-{number}", delta(own[place:place + CHUNK], since, until))

    then = int(service.now())
    send(range(old), then - 3600, then - 60)
    service.stop()
    service.back = 0
    service.advisories(1500)
    service.start()
    now = int(service.now())
    # Some fell silent, some are new.
    send(range(old // 50, old), then - 3600, now - 60)
    send(range(old, devices), now - 600, now - 60)
    service.command("devices", "edit", "10.0.0.2", "--location", "Hall 2")
    return sensors
