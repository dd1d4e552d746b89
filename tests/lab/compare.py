#!/usr/bin/env python3
"""Compares the devices found with the true ones.

    compare.py TRUTH UNADDRESSED FOUND [REPLAYED]

TRUTH and UNADDRESSED have a line per device: `name mac ip category type`, separated by tabs. FOUND is the plan service's
list of devices, REPLAYED the inventory document of the same port's capture. Prints a table. Exits 1 if a device is
missing, extra or in the wrong category in either.
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
    """All MACs of a device."""
    return {device["mac"]} | {coupling["mac"] for coupling in device.get("couplings", [])}


def compare(where, true, devices):
    """The differences, and a row of the table for each true device and each extra one."""
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
            wrong.append(f"{where}: no true device is {device['mac']} {device['ip']} ({device['category']})")
            rows.append(("-", device["mac"], "-", "-", "-", device, False))
    return wrong, rows


def main():
    true, silent, found = truth(sys.argv[1]), truth(sys.argv[2]), document(sys.argv[3])
    wrong, rows = compare("plan service", true, found["devices"])
    print(f"\n  {'device':<9} {'mac':<17} {'ip':<11} {'true':<31} {'found':<31}")
    for name, mac, ip, category, kind, device, right in rows:
        seen = f"{device['category']} / {device.get('type')}" if device else "missing"
        print(f"{' ' if right else '!'} {name:<9} {mac:<17} {ip:<11} {f'{category} / {kind}':<31} {seen:<31}")
    if len(sys.argv) == 4:
        sys.exit(1 if wrong else 0)
    replayed = document(sys.argv[4])
    wrong += compare("replay", true, replayed["devices"])[0]
    listed = {entry["mac"]: entry["category"] for entry in replayed.get("unaddressed", [])}
    for name, mac, _, category, _ in silent:
        if listed.pop(mac, None) != category:
            wrong.append(f"replay: {name} ({mac}) is not listed as an unaddressed {category} device")
    wrong += [f"replay: no true device is the unaddressed {mac}" for mac in listed]
    print(f"\n  {len(true)} true, {len(found['devices'])} found, {len(replayed['devices'])} in the replay of the capture")
    for what in wrong:
        print(f"  WRONG {what}")
    print()
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
