#!/bin/bash
# lab.sh [BIN] — runs the sensor on a mirrored port of real network software and compares its devices with the true ones.
#
# Hosts are network namespaces with one port each on a bridge; tc mirrors every port to span0 in the sensor's namespace.
# Unmodified daemons and clients play the devices (devices.sh, ot.py), BIN's binaries listen and count, and compare.py
# judges. Exits 0 if the census has exactly the devices below, each in its category, and 1 on any difference. In mid-run
# the script kills the plan service and starts it again. The mirror port must not send a frame.
#
# Everything lives in private mount, pid, net, uts and ipc namespaces, on a tmpfs, and is gone when the script ends. Needs
# root. If namespaces are impossible, it says so in one line and exits 0.
#
#   LAB_KEEP=DIR    keep the mirror port's capture, the logs, the truth and the devices found
#   LAB_SECONDS=N   listen at least N seconds after all devices are up (default 16)
set -u
cd "$(dirname "$0")/../.." || exit 1
BIN=$(realpath -m "${1:-target/debug}")
LAB=$PWD/tests/lab

# Every MAC that has an address and speaks on the mirrored network. Hosts behind the router do not count as devices, nor
# does the virtual address that the router holds.
TRUTH="
router    00:1b:54:aa:00:01 10.99.0.1   network         router
switch    00:1c:73:aa:00:02 10.99.0.2   network         switch
ap        00:0b:86:aa:00:03 10.99.0.3   network         access_point
core      00:05:85:aa:00:04 10.99.0.4   network         router
access    00:14:6c:aa:00:05 10.99.0.5   network         switch
laptop    3c:a9:f4:aa:00:11 10.99.0.11  computer_mobile workstation
pixel     da:a1:19:aa:00:12 10.99.0.12  computer_mobile smartphone
nuc       f4:8e:38:aa:00:13 10.99.0.13  computer_mobile workstation
build     00:50:56:aa:00:14 10.99.0.14  computer_mobile server
desk      f8:b1:56:aa:00:15 10.99.0.15  computer_mobile workstation
printer   3c:d9:2b:aa:00:21 10.99.0.21  iot             printer
nas       00:11:32:aa:00:22 10.99.0.22  iot             storage_nas
phone     00:04:f2:aa:00:23 10.99.0.23  iot             voip_phone
camera    ac:cc:8e:aa:00:24 10.99.0.24  iot             camera
ups       00:c0:b7:aa:00:25 10.99.0.25  iot             power
tv        f4:f5:d8:aa:00:26 10.99.0.26  iot             media_player
plug      24:0a:c4:aa:00:27 10.99.0.27  iot             smart_home_generic
lamp      5c:e5:0c:aa:00:28 10.99.0.28  iot             smart_lighting
inkjet    64:eb:8c:aa:00:29 10.99.0.29  iot             printer
speaker   00:0e:58:aa:00:30 10.99.0.30  iot             media_player
hub       00:17:88:aa:00:32 10.99.0.32  iot             smart_hub
bms       00:10:8d:aa:00:33 10.99.0.33  iot             bms_controller
plc       28:63:36:aa:00:34 10.99.0.34  iot             plc
"
# Speaks LLDP but has no address: the document lists it apart, the census never counts it.
UNADDRESSED="
shelf     00:1c:73:aa:00:31 -           network         switch
"

skip() {
    echo "lab: skipped: $1"
    exit 0
}

if [ "${LAB_INNER:-}" != 1 ]; then
    [ "$(id -u)" = 0 ] || skip "needs root (sudo make lab)"
    unshare --mount --pid --net --uts --ipc --fork --mount-proc true 2>/dev/null ||
        skip "namespaces are not possible on this machine"
    export LAB_PYTHON=${BIN%/*}/lab-python # Python packages for ot.py
    .ci/need lab || exit 1
    unshare --net sh -c 'ip link add name br9 type bridge && ip link add name in9 type veth peer name out9 &&
        tc qdisc add dev in9 clsact && tc filter add dev in9 ingress protocol all u32 match u32 0 0 \
            action mirred egress mirror dev out9' 2>/dev/null ||
        skip "the kernel has no bridge, veth or traffic mirroring"
    [ -z "${LAB_KEEP:-}" ] || mkdir -p "$LAB_KEEP"
    export LAB_INNER=1
    exec unshare --mount --pid --net --uts --ipc --fork --kill-child=KILL --mount-proc --propagation private "$0" "$BIN"
fi

# ---------------------------------------------------------------------------------------------------------------- tools

PATH=$PATH:/usr/sbin:/sbin
START=$(date +%s%N)
say() { printf '%5d ms  %s\n' $((($(date +%s%N) - START) / 1000000)) "$*"; }

finish() {
    [ -z "${LAB_KEEP:-}" ] || cp -r $W/log $W/span.pcap $W/*.json $W/*.tsv "$LAB_KEEP/" 2>/dev/null
}
die() {
    say "FAILED: $*"
    for log in plan sensor; do
        [ ! -s $W/log/$log ] || { echo "--- the last lines of $log:" && tail -n 15 $W/log/$log; }
    done
    finish
    exit 1
}

field() { awk -v h="$1" -v n="$2" '$1 == h { print $n }' <<<"$TRUTH$UNADDRESSED"; }
mac() { field "$1" 2; }
address() { field "$1" 3; }
within() { local host=$1 && shift && ip netns exec "$host" "$@"; }

# on HOST NAME COMMAND...: runs the command in the background on that host, with its own host name and /run. Its output goes
# to log/HOST.NAME.
on() {
    local host=$1 name=$2
    shift 2
    mkdir -p "$W/run/$host"
    ip netns exec "$host" unshare --uts bash -c '
        hostname "$1"; mount --bind "$2/run/$1" /run; shift 2
        mkdir -p /run/lldpd /run/samba /run/avahi-daemon /run/sshd /run/lock
        exec "$@"' on "$host" "$W" "$@" >"$W/log/$host.$name" 2>&1 </dev/null &
}

# Seconds until something counts as hung. No outcome depends on the machine's pace.
PATIENCE=300
# wait_for WHAT COMMAND...: waits until the command succeeds.
wait_for() {
    local what=$1 end=$((SECONDS + PATIENCE))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || die "timed out waiting for $what"
        sleep 0.1
    done
}
says() { grep -qE "$2" "$W/log/$1"; }

# -------------------------------------------------------------------------------------------------------------- network

mount -t tmpfs -o mode=755 lab /mnt
W=/mnt/lab
mkdir -p $W/log $W/run
mount -t tmpfs -o mode=755 lab /run
mkdir -p /run/netns
: >$W/resolv.conf
mount --bind $W/resolv.conf /etc/resolv.conf # DHCP clients overwrite it
ip link set lo up

HOSTS=$(awk 'NF { print $1 }' <<<"$TRUTH$UNADDRESSED")
quiet() { ip netns exec "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1; }

ip netns add bridge && quiet bridge
ip netns add sensor
ip -n sensor link set lo up
ip -n bridge link add br0 type bridge
ip -n bridge link add mirror type veth peer name span0 netns sensor
within sensor sysctl -qw net.ipv6.conf.span0.disable_ipv6=1
ip -n sensor link set span0 arp off up
ip -n bridge link set mirror up
ip -n bridge link set br0 up
for host in $HOSTS; do
    ip netns add "$host"
    ip -n bridge link add "$host" type veth peer name eth0 address "$(mac "$host")" netns "$host"
    ip -n bridge link set "$host" master br0 up
    within bridge tc qdisc add dev "$host" clsact
    within bridge tc filter add dev "$host" ingress protocol all prio 1 u32 match u32 0 0 \
        action mirred egress mirror dev mirror
    within "$host" ethtool -K eth0 tx off >/dev/null 2>&1 # true checksums on the wire
    ip -n "$host" link set lo up
done
ip netns exec sensor tcpdump -i span0 -U -s0 -Z root -w $W/span.pcap >$W/log/tcpdump 2>&1 &
TCPDUMP=$!
wait_for "the mirror port" says tcpdump 'listening on'
say "a switch of $(wc -w <<<"$HOSTS") ports, each mirrored to span0"

# ------------------------------------------------------------------------------------------------------- sensor and plan

# shellcheck source=tests/lab/census.sh
. "$LAB/census.sh"
start_plan
start_sensor

# -------------------------------------------------------------------------------------------------------------- devices

# shellcheck source=tests/lab/devices.sh
. "$LAB/devices.sh"
start_devices
say "all devices are up: $(awk '{ print $3 }' $W/leases | sort -t. -k4n | xargs) by DHCP"
use_devices
sleep $((${LAB_SECONDS:-16} / 2))
restart_plan
sleep $((${LAB_SECONDS:-16} / 2))

# ---------------------------------------------------------------------------------------------------------------- judge

check_devices
awk 'NF' <<<"$TRUTH" | tr -s ' ' '\t' >$W/truth.tsv
awk 'NF' <<<"$UNADDRESSED" | tr -s ' ' '\t' >$W/unaddressed.tsv
wait_for_truth
stop_sensor
kill $TCPDUMP && wait $TCPDUMP
say "the mirror port: $(grep -E 'captured|dropped by kernel' $W/log/tcpdump | xargs)"
sent=$(within sensor cat /sys/class/net/span0/statistics/tx_packets)
[ "$sent" = 0 ] || die "the mirror port sent $sent frames; a sensor must not send any"
ask_plan
replay_capture
status=0
python3 "$LAB/compare.py" $W/truth.tsv $W/unaddressed.tsv $W/found.json $W/replayed.json || status=1
finish
say "$([ $status = 0 ] && echo 'found exactly the true devices' || echo 'FAILED: the devices found are not the true ones')"
exit $status
