#!/usr/bin/env python3
"""make.py: writes the captures of this folder, frame by frame from the protocols' standards.

They are small and hold what real tools send, so that tests can shuffle, copy and split them. `make attacks` records the tools
themselves.
"""

import gzip
import ipaddress
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
START = 1_793_606_400  # 2026-11-02T08:00:00Z
MINUTE, HOUR, DAY = 60, 3_600, 86_400
INTERNET = "93.184.216.34"
EVERYBODY = b"\xff" * 6


def card(n):
    return bytes([0, 0x40, 0x8C, 1, 0, n])


def host(n):
    return f"10.0.0.{n}"


def ip(text):
    return ipaddress.ip_address(text).packed


def total(data):
    data += b"\0" * (len(data) % 2)
    n = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while n >> 16:
        n = (n & 0xFFFF) + (n >> 16)
    return ~n & 0xFFFF


def arp(operation, sender, address, target, to=EVERYBODY):
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + sender + ip(address) + (to if operation == 2 else b"\0" * 6) + ip(target)
    return to + sender + b"\x08\x06" + body


def packet(source, destination, at, to, protocol, payload):
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0) + ip(at) + ip(to)
    return destination + source + b"\x08\x00" + head[:10] + struct.pack("!H", total(head)) + head[12:] + payload


def tcp(source, destination, at, to, ports, flags, payload=b"", sequence=0):
    return packet(source, destination, at, to, 6, struct.pack("!HHIIBBHHH", *ports, sequence, 1, 0x50, flags, 1024, 0, 0) + payload)


def udp(source, destination, at, to, ports, payload):
    return packet(source, destination, at, to, 17, struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload)


def names(*hosts, until=HOUR):
    """Hosts that prove their addresses to the gateway, twice."""
    for at in (0, 70, until):
        for n in hosts:
            yield START + at + n / 1000, arp(1, card(n), host(n), host(1))
            yield START + at + n / 1000 + 0.0005, arp(2, card(1), host(1), host(n), card(n))


def dhcp(n, kind, options, operation=1, your="0.0.0.0"):
    head = struct.pack("!BBBBIHH", operation, 1, 6, 0, n, 0, 0) + b"\0" * 4 + ip(your) + b"\0" * 8 + card(n) + b"\0" * 10
    return head + b"\0" * 192 + b"\x63\x82\x53\x63" + bytes([53, 1, kind]) + options + b"\xff"


def option(code, value):
    return bytes([code, len(value)]) + value


def flood():
    yield from names(50, 66)
    for n in range(1_100):
        yield START + 600 + n / 10, tcp(card(66), card(1), host(66), INTERNET, (20_000 + n, 80), 2)


def browsing():
    """Many connections, to many hosts: no flood."""
    yield from names(50, 66)
    for n in range(1_100):
        yield START + 600 + n / 10, tcp(card(66), card(1), host(66), f"93.184.216.{n % 200 + 1}", (20_000 + n, 443), 2)


def clone():
    yield from names(30, until=3 * DAY)
    for day in range(3):
        for hour, program, name in ((1, b"MSFT 5.0", b"laptop-7"), (2, b"udhcp 1.30.1", b"cam-30"), (3, b"PXEClient:Arch:00007", b"")):
            options = option(60, program) + (option(12, name) if name else b"")
            body = dhcp(30, 3, options)
            yield START + day * DAY + hour * HOUR, udp(card(30), EVERYBODY, "0.0.0.0", "255.255.255.255", (68, 67), body)


def gateway():
    """A laptop announces the gateway's address beside the gateway, which announces it, too."""
    yield from names(50, 66)
    windows = bytes([1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252])
    asks = dhcp(66, 3, option(12, b"laptop-7") + option(60, b"MSFT 5.0") + option(55, windows) + option(50, ip(host(66))))
    for at in (5, 75, 700):
        yield START + at, udp(card(66), EVERYBODY, "0.0.0.0", "255.255.255.255", (68, 67), asks)
    lease = dhcp(50, 5, option(54, ip(host(1))) + option(1, ip("255.255.255.0")) + option(3, ip(host(1))), 2, host(50))
    for at in (10, 80):
        yield START + at, udp(card(1), card(50), host(1), host(50), (67, 68), lease)
    for at in range(30, HOUR, 300):
        yield START + at, arp(1, card(1), host(1), host(1))
    for at in range(1_800, HOUR, 200):
        yield START + at, arp(1, card(66), host(1), host(1))


def slow_scan():
    yield from names(66, until=9 * HOUR)
    for n in range(40):
        yield START + 600 + n * 600, tcp(card(66), card(1), host(66), f"10.9.0.{n + 1}", (30_000 + n, 8291), 2)


def closed_ports():
    yield from names(10, 66)
    for n in range(40):
        yield START + 600 + n, tcp(card(66), card(10), host(66), host(10), (40_000, n + 1), 2)
        yield START + 600 + n + 0.001, tcp(card(10), card(66), host(10), host(66), (n + 1, 40_000), 0x14)


def guessing():
    yield from names(10, 66)
    for n in range(30):
        answer = b"530 Login incorrect.\r\n"
        yield START + 600 + n * 3, tcp(card(10), card(66), host(10), host(66), (21, 40_000 + n), 0x18, answer, 100 + n)
    yield START + 700, tcp(card(10), card(66), host(10), host(66), (21, 41_000), 0x18, b"230 Login successful.\r\n", 999)


def generated_names():
    yield from names(50)
    for n in range(30):
        label = f"q{n * 7919 % 100_000:05}x"
        question = bytes([len(label)]) + label.encode() + b"\x03com\0" + b"\0\x01\0\x01"
        body = struct.pack("!HHHHHH", n, 0x8183, 1, 0, 0, 0) + question
        yield START + 600 + n, udp(card(1), card(50), "9.9.9.9", host(50), (53, 40_000 + n), body)


def der(tag, *parts):
    body = b"".join(parts)
    return bytes([tag, 0x82]) + struct.pack("!H", len(body)) + body


def certificates():
    """One device's certificate has ended, another's ends in three years."""
    yield from names(10, 11)
    for n, end in ((10, b"260101000000Z"), (11, b"291231235959Z")):
        algorithm = der(0x30, b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00")
        name = der(0x30, der(0x31, der(0x30, b"\x06\x03\x55\x04\x03", der(0x0C, b"device"))))
        dates = der(0x30, b"\x17\x0d250101000000Z", b"\x17\x0d" + end)
        certificate = der(0x30, der(0x30, b"\xa0\x03\x02\x01\x02\x02\x01\x09", algorithm, name, dates, name), algorithm)
        chain = struct.pack("!I", len(certificate))[1:] + certificate
        chain = struct.pack("!I", len(chain))[1:] + chain
        message = b"\x0b" + struct.pack("!I", len(chain))[1:] + chain
        hello = b"\x03\x03" + b"\x07" * 32 + b"\0" + b"\xc0\x2f" + b"\0"
        flight = b"\x02" + struct.pack("!I", len(hello))[1:] + hello + message
        record = b"\x16\x03\x03" + struct.pack("!H", len(flight)) + flight
        for at in (600, 700):
            yield START + at + n, tcp(card(n), card(50), host(n), host(50), (443, 40_000), 0x18, record, 1)


CAPTURES = (flood, browsing, clone, gateway, slow_scan, closed_ports, guessing, generated_names, certificates)

for make in CAPTURES:
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)
    for at, frame in sorted(make(), key=lambda one: one[0]):
        out += struct.pack("<IIII", int(at), round(at % 1 * 1e6) % 1_000_000, len(frame), len(frame)) + frame
    with open(os.path.join(HERE, f"{make.__name__}.pcap.gz"), "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(out)
