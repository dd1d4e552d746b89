#!/usr/bin/env python3
"""Measures how long it takes from a frame on the mirror port to the alert in the API, with the real sensor and service.

    finding.py BIN [ROUNDS [INTERVAL]]    BIN holds netcensus-plan and netcensus-sensor (root)

It runs in a network of its own. Each round, another station asks for its gateway and then sends one request of a protocol for
mining; the time runs from that frame until the API lists the alert. The sensor uploads each INTERVAL ("10s"). Exit status 1 if one
took longer than 15 s.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

from filled import Service

INSIDE = "NETCENSUS_FINDING"
BOUND = 15.0


def enter():
    """Runs this again in a network of its own."""
    if os.geteuid() != 0:
        sys.exit("finding: needs root")
    os.environ[INSIDE] = "yes"
    os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])


def wire():
    """The mirror port eth1, and a socket on the other end of its wire."""
    run = lambda *words: subprocess.run(words, check=True)
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "far")
    for name in ("eth1", "far"):
        run("ip", "link", "set", name, "addrgenmode", "none", "up")
    far = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    far.bind(("far", 0))
    return far


def total(data):
    """The checksum of the Internet."""
    data += b"\0" * (len(data) % 2)
    number = sum(int.from_bytes(data[at:at + 2], "big") for at in range(0, len(data), 2))
    while number >> 16:
        number = (number & 0xFFFF) + (number >> 16)
    return (~number & 0xFFFF).to_bytes(2, "big")


def frames(number):
    """The station's question for its gateway, and its request to a pool."""
    mac, ip = bytes.fromhex(f"accc8e0000{number:02x}"), bytes([10, 9, 0, number])
    pool, gateway = bytes([203, 0, 113, 9]), bytes([10, 9, 0, 254])
    arp = b"\xff" * 6 + mac + bytes.fromhex("08060001080006040001") + mac + ip + bytes(6) + gateway
    said = b'{"id":1,"method":"mining.subscribe","params":["miner/1.0"]}\n'
    tcp = (40_000 + number).to_bytes(2, "big") + (3333).to_bytes(2, "big") + bytes.fromhex("00000001" "00000001" "5018" "ffff" "0000" "0000") + said
    pseudo = ip + pool + b"\0\x06" + len(tcp).to_bytes(2, "big")
    tcp = tcp[:16] + total(pseudo + tcp) + tcp[18:]
    head = b"\x45\0" + (20 + len(tcp)).to_bytes(2, "big") + b"\0\x01\x40\0\x40\x06\0\0" + ip + pool
    head = head[:10] + total(head) + head[12:]
    return arp.ljust(60, b"\0"), bytes.fromhex("00005e000101") + mac + b"\x08\0" + head + tcp


def main():
    if not os.environ.get(INSIDE):
        enter()
    programs, rounds = pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5
    interval, took = sys.argv[3] if len(sys.argv) > 3 else "10s", []
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        far, service, sensor = wire(), Service(programs / "netcensus-plan", folder), None
        try:
            service.start()
            service.set_up()
            service.onboard(1000)
            cookie = service.sign_in()
            token = next(word for word in service.command("sensor", "token", "--url", f"http://{service.address}").split() if word.startswith("nce2_"))
            config = folder / "sensor.toml"
            config.write_text(f'state_directory = "{folder}/state"\n[upload]\ninterval = "{interval}"\n')
            program = programs / "netcensus-sensor"
            subprocess.run([program, "enrol", token, "--config", config], check=True, stdout=subprocess.DEVNULL)
            sensor = subprocess.Popen([program, "run", "--interface", "eth1", "--config", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            path = f"/api/v1/subscriptions/{service.subscription}"
            sensors = lambda: json.loads(service.get(f"{path}/sensors", Cookie=cookie)[2])["sensors"]
            service.wait(lambda: any(s["uploaded_at"] for s in sensors()))
            for number in range(1, rounds + 1):
                ask, mine = frames(number)
                far.send(ask)
                time.sleep(0.1)
                begun = time.monotonic()
                far.send(mine)
                service.wait(lambda: json.loads(service.get(f"{path}/alerts", Cookie=cookie)[2])["total"] >= number, 120)
                took.append(time.monotonic() - begun)
        finally:
            if sensor:
                sensor.terminate()
                sensor.wait()
            service.stop()
    print(f"   frame to alert in {len(took)} rounds: {min(took):.1f} to {max(took):.1f} s")
    sys.exit(1 if max(took) > BOUND else 0)


if __name__ == "__main__":
    main()
