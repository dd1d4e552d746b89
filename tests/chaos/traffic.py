"""The chaos tests' network: the same frames of a few dozen devices in every run, sent on one end of a wire."""

import socket
import struct
import time

ROUTER = (bytes.fromhex("020000000001"), "10.7.0.1")
MULTICAST_DNS = "224.0.0.251"


def mac(kind, n):
    return bytes([kind, 0x50, 0xC2, 0, n >> 8, n & 255])


def host(n):
    return f"10.7.{n >> 8}.{n & 255}"


def ethernet(to, source, kind, payload):
    return (to + source + struct.pack(">H", kind) + payload).ljust(60, b"\0")


def arp(source, address, target):
    body = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1)
    body += source + socket.inet_aton(address) + bytes(6) + socket.inet_aton(target)
    return ethernet(b"\xff" * 6, source, 0x0806, body)


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp(to, source, source_ip, target_ip, ports, payload, ttl=255):
    datagram = struct.pack(">HHHH", *ports, 8 + len(payload), 0) + payload
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(datagram), 1, 0, ttl, 17, 0)
    head += socket.inet_aton(source_ip) + socket.inet_aton(target_ip)
    head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
    return ethernet(to, source, 0x0800, head + datagram)


def name(text):
    return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".")) + b"\0"


def announcement(source, address, label):
    """A multicast DNS answer with the device's name and a service that it offers."""
    record = name(f"{label}.local") + struct.pack(">HHIH", 1, 0x8001, 120, 4) + socket.inet_aton(address)
    target = name(f"{label}._ipp._tcp.local")
    pointer = name("_ipp._tcp.local") + struct.pack(">HHIH", 12, 1, 120, len(target)) + target
    message = struct.pack(">HHHHHH", 0, 0x8400, 0, 2, 0, 0) + record + pointer
    return udp(b"\x01\x00\x5e\x00\x00\xfb", source, address, MULTICAST_DNS, (5353, 5353), message)


def neighbour(source, label):
    """An LLDP frame of a switch."""
    def tlv(kind, value):
        return struct.pack(">H", kind << 9 | len(value)) + value

    body = tlv(1, b"\x04" + source) + tlv(2, b"\x05port1") + tlv(3, struct.pack(">H", 120))
    body += tlv(5, label.encode()) + tlv(6, b"Switch OS 1.0") + tlv(7, struct.pack(">HH", 4, 4)) + tlv(0, b"")
    return ethernet(bytes.fromhex("0180c200000e"), source, 0x88CC, body)


def frames(first, last):
    """ARP from every device below `last`; from those numbered from `first` on, also their evidence."""
    out = []
    for n in range(2, last):
        source, address = mac(0, n), host(n)
        out.append(arp(source, address, ROUTER[1]))
        if n < first:
            continue
        if n % 3 == 0:
            out.append(announcement(source, address, f"printer-{n}"))
        if n % 5 == 0:
            out.append(neighbour(source, f"switch-{n}"))
    return out


class Wire:
    """The sending end."""

    def __init__(self, interface):
        self.interface = interface

    def send(self, first, last):
        """Sends and returns the number of frames. Pauses keep the sending socket from dropping any."""
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        sender.bind((self.interface, 0))
        all_frames = frames(first, last)
        for i, frame in enumerate(all_frames):
            sender.send(frame)
            if i % 50 == 49:
                time.sleep(0.005)
        sender.close()
        return len(all_frames)
