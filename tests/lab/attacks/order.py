"""Whether the alerts depend on what they must not: the order of frames, copies of frames, and more frames."""

import json
import os
import random
import struct
import tempfile

SHUFFLES = 2


def read(path):
    """The header of a capture in classic form and its frames, each (nanoseconds, frame)."""
    with open(path, "rb") as file:
        data = file.read()
    nano = data[:4] == b"\x4d\x3c\xb2\xa1"
    frames, at = [], 24
    while at + 16 <= len(data):
        seconds, rest, length, _ = struct.unpack_from("<4I", data, at)
        frames.append((seconds * 10**9 + rest * (1 if nano else 1000), data[at + 16:at + 16 + length]))
        at += 16 + length
    return data[:24], frames


def write(path, head, frames):
    """Writes a capture with nanoseconds."""
    with open(path, "wb") as file:
        file.write(b"\x4d\x3c\xb2\xa1" + head[4:])
        for at, frame in frames:
            file.write(struct.pack("<4I", at // 10**9, at % 10**9, len(frame), len(frame)) + frame)


def named(document):
    """What a document tells, apart from times and texts that may grow."""
    return {(a["rule"], a["device"]["ip"], a["object"]) for a in json.loads(document)["alerts"]}


def check(replay, capture, document):
    """Yields what is wrong."""
    head, frames = read(capture)
    chance = random.Random(os.path.basename(capture))
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/changed.pcap"
        for n in range(SHUFFLES):
            changed = frames[:]
            chance.shuffle(changed)
            write(path, head, changed)
            if replay(path) != document:
                yield f"shuffle {n} changes the alerts"
                break
        write(path, head, [frame for frame in frames for _ in range(2)])
        if replay(path) != document:
            yield "copies of frames change the alerts"
        write(path, head, frames[:len(frames) * 2 // 3])
        lost = named(replay(path, "--all-alerts")) - named(replay(capture, "--all-alerts"))
        if lost:
            yield f"more frames take back {sorted(lost)}"
