#!/usr/bin/env python3
"""Compares what the census found with what is true.

    compare.py TRUTH UNADDRESSED FOUND REPLAYED

TRUTH and UNADDRESSED: a line a device, `name mac ip category type` by tabs. FOUND: the plan service's devices, and
REPLAYED: the inventory document of the capture that was taken at the same port; both hold `devices`. Prints a table and
exits 1 on a device that is missing, extra or in the wrong category, in either of them.
"""

import json
import sys


def truth(path):
    with open(path, encoding="utf-8") as lines:
        return [line.rstrip("\n").split("\t") for line in lines if line.strip()]


def document(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def macs(device):
    """All MACs that a device speaks from."""
    return {device["mac"]} | {coupling["mac"] for coupling in device.get("couplings", [])}


def compare(where, true, devices):
    """Differences between the true devices and those found, and which of these each of those is."""
    wrong, taken, rows = [], set(), []
    for name, mac, ip, category, kind in true:
        mine = [n for n, device in enumerate(devices) if mac in macs(device)]
        taken.update(mine)
        if len(mine) != 1:
            wrong.append(f"{where}: {name} ({mac}) is {len(mine)} devices")
        for n in mine or [None]:
            device = devices[n] if n is not None else {}
            right = device.get("category") == category and device.get("ip") == ip
            if device and not right:
                wrong.append(
                    f"{where}: {name} is {category} at {ip}, found as {device['category']} at {device['ip']}"
                )
            rows.append((name, mac, ip, category, kind, device, right and len(mine) == 1))
    for n, device in enumerate(devices):
        if n not in taken:
            wrong.append(f"{where}: nothing true is {device['mac']} {device['ip']} ({device['category']})")
            rows.append(("-", device["mac"], "-", "-", "-", device, False))
    return wrong, rows


def main():
    true, silent, found, replayed = truth(sys.argv[1]), truth(sys.argv[2]), document(sys.argv[3]), document(sys.argv[4])
    wrong, rows = compare("plan service", true, found["devices"])
    print(f"\n  {'device':<9} {'mac':<17} {'ip':<11} {'true':<31} {'found':<31}")
    for name, mac, ip, category, kind, device, right in rows:
        seen = f"{device['category']} / {device.get('type')}" if device else "missing"
        print(f"{' ' if right else '!'} {name:<9} {mac:<17} {ip:<11} {f'{category} / {kind}':<31} {seen:<31}")
    wrong += compare("replay", true, replayed["devices"])[0]
    listed = {entry["mac"]: entry["category"] for entry in replayed.get("unaddressed", [])}
    for name, mac, _, category, _ in silent:
        if listed.pop(mac, None) != category:
            wrong.append(f"replay: {name} ({mac}) is not listed as an unaddressed {category} device")
    wrong += [f"replay: nothing true is the unaddressed {mac}" for mac in listed]
    print(f"\n  {len(true)} true, {len(found['devices'])} found, {len(replayed['devices'])} in the replay of the capture")
    for what in wrong:
        print(f"  WRONG {what}")
    print()
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
