#!/usr/bin/env python3
"""speak.py INTERFACE FIRST LAST: plays devices 10.7.0.FIRST to LAST, each with its own MAC. They send each other ARP
requests and UDP until the process is killed."""

import socket
import struct
import sys
import time

interface, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((interface, 0))


def mac(n):
    return bytes([0xAC, 0xCC, 0x8E, 0, 7, n])  # the prefix of a camera maker


def ip(n):
    return bytes([10, 7, 0, n])


def checksum(header):
    total = sum(struct.unpack("!10H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def arp(n, asked):
    body = struct.pack("!HHBBH", 1, 0x800, 6, 4, 1) + mac(n) + ip(n) + bytes(6) + ip(asked)
    return b"\xff" * 6 + mac(n) + b"\x08\x06" + body + bytes(18)


def udp(a, b, number):
    payload = struct.pack("!HHHH", 40000, 9, 8 + 16, 0) + bytes(16)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), number & 0xFFFF, 0, 64, 17, 0) + ip(a) + ip(b)
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return mac(b) + mac(a) + b"\x08\x00" + header + payload


number = 0
while True:
    for n in range(first, last + 1):
        number += 1
        peer = first if n == last else n + 1
        try:
            out.send(arp(n, peer))
            out.send(udp(n, peer, number))
            out.send(udp(peer, n, number))
        except OSError:
            pass  # the interface is down
        time.sleep(0.002)
    time.sleep(0.2)
