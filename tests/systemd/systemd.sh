#!/bin/bash
# systemd.sh DEBS — takes the packages of the folder DEBS through their life in a booted systemd: install, enrol, capture,
# kill, stop, upgrade, purge.
#
# The system is a container (systemd-nspawn) on a tmpfs. Its network has one end of a wire, span0; speak.py plays devices
# on the other end. debootstrap makes the image once and the script keeps it in DEBS/../systemd. Everything else is gone
# when the script ends. Needs root and a kernel with namespaces. If a container cannot boot, it says so in one line and
# exits 0.
set -u
DEBS=$(realpath "$1")
cd "$(dirname "$0")" || exit 1
CACHE=$(realpath -m "$DEBS/../systemd")
IMAGE=$CACHE/root.tar
ID=ncsd$$
W=
LEADER=
FAILED=0
START=$(date +%s%N)
PATH=$PATH:/usr/sbin:/sbin

say() { printf '%6d ms  %s\n' $((($(date +%s%N) - START) / 1000000)) "$*"; }
good() { say "ok      $*"; }
bad() {
    say "FAILED  $*"
    FAILED=$((FAILED + 1))
}
check() { # check TEXT COMMAND...
    local text=$1
    shift
    if "$@" >"$W/last" 2>&1; then good "$text"; else
        bad "$text"
        [ -s "$W/last" ] || echo "$*" >"$W/last"
        tail -n 5 "$W/last" | sed 's/^/              /'
    fi
}
# Seconds until something counts as hung. No outcome depends on the machine's pace.
PATIENCE=300
# within COMMAND...: repeats the command until it succeeds.
within() {
    local end=$(($(date +%s%N) + PATIENCE * 1000000000))
    until "$@" >"$W/attempt" 2>&1; do
        [ "$(date +%s%N)" -lt $end ] || { cat "$W/attempt"; return 1; }
        sleep 0.05
    done
}
skip() {
    echo "systemd: skipped: $1"
    exit 0
}

[ "$(id -u)" = 0 ] || skip "needs root (sudo make systemd)"
unshare --mount --cgroup --net true 2>/dev/null || skip "needs a kernel that gives mount, cgroup and network namespaces"

# ------------------------------------------------------------------------------------------------------------- machine

if [ ! -s "$IMAGE" ]; then
    mkdir -p "$CACHE"
    rm -rf "$CACHE/root"
    . /etc/os-release
    mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,iproute2,procps,libpcap0.8,ca-certificates \
        "${VERSION_CODENAME:-stable}" "$CACHE/root" "${mirror:-http://deb.debian.org/debian}" >"$CACHE/log" 2>&1 || {
        tail -n 5 "$CACHE/log" >&2
        skip "debootstrap could not make an image from the Debian mirror (its last lines are above)"
    }
    rm -rf "$CACHE"/root/var/cache/apt/archives/*.deb "$CACHE"/root/var/lib/apt/lists/* "$CACHE"/root/usr/share/{doc,locale}/*
    tar -C "$CACHE/root" -cf "$IMAGE.new" . && mv "$IMAGE.new" "$IMAGE"
    rm -rf "$CACHE/root"
    say "image made ($(du -m "$IMAGE" | cut -f1) MiB)"
fi

W=$(mktemp -d)
cleanup() {
    [ -z "${SPEAKERS:-}" ] || kill $SPEAKERS 2>/dev/null
    [ -z "$LEADER" ] || kill -KILL "$LEADER" 2>/dev/null
    [ -z "${NSPAWN:-}" ] || { kill "$NSPAWN" && wait "$NSPAWN"; } 2>/dev/null
    ip netns del $ID 2>/dev/null
    ip netns del $ID-gen 2>/dev/null
    umount -l "$W" 2>/dev/null
    rmdir "$W" 2>/dev/null
}
trap cleanup EXIT
trap 'exit 1' INT TERM
mount -t tmpfs -o size=2g,mode=755 netcensus-systemd "$W"
mkdir "$W/root"
tar -C "$W/root" -xf "$IMAGE"
: >"$W/root/etc/machine-id"
mkdir -p "$W/root/var/log/journal"
ip netns add $ID && ip netns add $ID-gen || skip "needs a kernel with network namespaces"
# Without IPv6: the ends of the wire would announce addresses of their own.
for n in $ID $ID-gen; do
    ip netns exec $n sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6; echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6' 2>/dev/null
done
ip -n $ID link set lo up
ip -n $ID link add span0 type veth peer name gen0 netns $ID-gen || skip "needs a kernel with veth"
ip -n $ID link set span0 up
ip -n $ID-gen link set gen0 up

unshare --mount --cgroup --propagation private systemd-nspawn -q -D "$W/root" --boot --register=no --keep-unit \
    --network-namespace-path=/run/netns/$ID --kill-signal=SIGRTMIN+3 --console=read-only --machine=$ID \
    --system-call-filter="landlock_create_ruleset landlock_add_rule landlock_restrict_self" </dev/null >"$W/console" 2>&1 &
NSPAWN=$!
# nspawn has one child, the container's init. It exits if it cannot start that.
for _ in $(seq 6000); do
    LEADER=$(pgrep -P $NSPAWN) && break
    kill -0 $NSPAWN 2>/dev/null || { tail -n 3 "$W/console"; skip "systemd-nspawn cannot make a container here"; }
    sleep 0.05
done
inside() { nsenter -t "$LEADER" -a -- "$@"; }
running() { inside systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded'; }
within running || { tail -n 5 "$W/console"; skip "no systemd boots in a container here"; }
say "booted: $(inside systemctl --version | head -n 1)"

# --------------------------------------------------------------------------------------------------------------- words

show() { inside systemctl show "$1" -p "$2" --value; }
active() { [ "$(show "$1" ActiveState)" = active ]; }
restarted() { active "$1" && [ "$(show "$1" MainPID)" != "$2" ]; } # restarted UNIT OLD
# murder UNIT: kills its process. Refuses process 0, which would be this script's own group.
murder() {
    OLD=$(show "$1" MainPID)
    [ "${OLD:-0}" -gt 1 ] || { bad "$1 does not run"; OLD=0; return 1; }
    inside kill -KILL "$OLD"
}
state_of() { inside grep -E "^$2:" "/proc/$(show "$1" MainPID)/status" | awk '{ print $2 }'; }
owner() { inside stat -c "%U %G %a" "$1"; }
# speak FIRST LAST: devices 10.7.0.FIRST to LAST talk until the script ends
speak() {
    ip netns exec $ID-gen python3 speak.py gen0 "$1" "$2" &
    SPEAKERS="${SPEAKERS:-} $!"
}
addresses() { python3 -c 'import json, sys; print(*sorted(d["ip"] for d in json.load(sys.stdin)["devices"]), sep="\n")'; }
counted() {
    inside netcensus-plan devices --json | addresses >"$W/counted"
    [ "$(wc -l <"$W/counted")" = "$1" ] || {
        echo "counted:" $(cat "$W/counted")
        inside journalctl -q -n 3 -o cat -u netcensus-sensor -u netcensus-upload
        false
    }
}
known() { inside netcensus-sensor devices --json 2>/dev/null | addresses | grep -qx "$1"; }
spooled() { inside sh -c 'ls /var/lib/netcensus/spool/*.upload'; }
version() { inside dpkg-query -W -f '${Version}' "$1"; }
left() { inside find / -xdev -iname '*netcensus*' ! -path '/proc/*' ! -path '/tmp/*' ! -path '/run/*'; }
dpkg_in() { inside env DEBIAN_FRONTEND=noninteractive dpkg "$@"; }

# ------------------------------------------------------------------------------------------------------------- install

mkdir "$W/root/packages" "$W/later"
for side in sensor plan; do
    deb=$(ls "$DEBS"/netcensus-$side*.deb)
    cp "$deb" "$W/root/packages/$side.deb"
    # The same package with a later version, for the upgrade.
    dpkg-deb -R "$deb" "$W/later/$side"
    sed -i 's/^Version: .*/Version: 99.0.0-1/' "$W/later/$side/DEBIAN/control"
    dpkg-deb --root-owner-group -Znone -b "$W/later/$side" "$W/root/packages/$side-later.deb" >/dev/null
done
check "both packages are installed" dpkg_in -i /packages/plan.deb /packages/sensor.deb
check "the plan service is ready" within active netcensus-plan
check "the upload half is ready" within active netcensus-upload
check "the capture half waits for an interface, without an error" [ "$(show netcensus-sensor ActiveState)" = inactive ]
check "all are enabled" inside systemctl is-enabled netcensus-plan netcensus-sensor netcensus-upload
check "man page and completions" inside test -s /usr/share/man/man1/netcensus-sensor.1.gz -a -s /usr/share/bash-completion/completions/netcensus-sensor
check "bill of materials" inside grep -q CycloneDX /usr/share/doc/netcensus-sensor/netcensus-sensor.cdx.json
check "the sensor has no code of the plan service" inside sh -c '! grep -q "CREATE TABLE" /usr/bin/netcensus-sensor'

# --------------------------------------------------------------------------------------------------- enrol and capture

check "a subscription" inside netcensus-plan subscription create Main
check "a plan" inside netcensus-plan plan onboard --kind trial --accept-terms
TOKEN=$(inside netcensus-plan sensor token --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])')
check "the sensor is enrolled by root" inside netcensus-sensor enrol "$TOKEN"
check "the identity is the upload half's alone" [ "$(owner /var/lib/netcensus/upload/identity.json)" = "netcensus-upload netcensus 600" ]
inside sed -i -e 's/^interfaces = .*/interfaces = ["span0"]/' -e 's/^interval = .*/interval = "1s"/' \
    -e 's/^retry_at_most = .*/retry_at_most = "2s"/' /etc/netcensus/netcensus-sensor.toml
inside systemctl restart netcensus-upload
check "the capture half starts" inside systemctl start netcensus-sensor
speak 1 20
check "20 devices are in the census of the service" within counted 20

# ----------------------------------------------------------------------------------------------------------- privilege

check "the capture half is its own user" [ "$(state_of netcensus-sensor Uid)" != 0 ]
capabilities() { echo "$(state_of netcensus-$1 CapPrm) $(state_of netcensus-$1 CapAmb)"; }
check "the capture half has dropped its capability" [ "$(capabilities sensor)" = "0000000000000000 0000000000000000" ]
check "the upload half has no capability" [ "$(state_of netcensus-upload CapBnd)" = 0000000000000000 ]
for unit in sensor upload plan; do
    check "netcensus-$unit cannot gain privileges, and its system calls are filtered" \
        [ "$(state_of netcensus-$unit NoNewPrivs)$(state_of netcensus-$unit Seccomp)" = 12 ]
done
check "the capture half cannot read the identity" inside runuser -u netcensus-sensor -- sh -c '! cat /var/lib/netcensus/upload/identity.json'
check "the upload half cannot write where the control socket is" inside runuser -u netcensus-upload -- sh -c '! mv /var/lib/netcensus/control.sock /var/lib/netcensus/x'
metrics() { ip netns exec $ID curl -sf -m 5 "http://127.0.0.1:9109$1" | grep -q "$2"; }
check "the upload half serves its metrics" metrics /metrics netcensus_sensor_uploads_total
check "the upload half passes on the capture half's metrics" metrics /capture/metrics netcensus_sensor_interface_up
confined() {
    inside netcensus-sensor doctor --seconds 1 --json | python3 -c '
import json, sys
found = [f for f in json.load(sys.stdin)["findings"] if f["check"] == "confinement"]
print(*(f["finding"] for f in found if f["outcome"] != "good"), sep="\n")
sys.exit(len(found) != 8 or any(f["outcome"] != "good" for f in found))'
}
check "all measures of confinement are in force in both halves" confined
healthy() { inside netcensus-sensor doctor --seconds 2 >"$W/doctor" || { grep -A1 PROBLEM "$W/doctor"; false; }; }
check "doctor finds no problem" healthy
check "the plan service's doctor finds no problem" inside netcensus-plan doctor

# ---------------------------------------------------------------------------------------------------------------- kill

inside systemctl stop netcensus-upload
speak 21 30
check "the sensor knows 10 more while uploads are stopped" within known 10.7.0.30
check "the spool holds uploads" within spooled
sleep 5 # five upload intervals: by then the spool has it
murder netcensus-sensor
check "killed, the capture half is back" within restarted netcensus-sensor "$OLD"
inside systemctl start netcensus-upload
check "nothing is lost: 30 devices" within counted 30
murder netcensus-upload
check "killed, the upload half is back" within restarted netcensus-upload "$OLD"
murder netcensus-plan
check "killed, the plan service is back" within restarted netcensus-plan "$OLD"
check "it still counts 30 devices" within counted 30

# ---------------------------------------------------------------------------------------------------- interface, reload

ip -n $ID link del span0
ip -n $ID link add span0 type veth peer name gen0 netns $ID-gen
ip -n $ID link set span0 up && ip -n $ID-gen link set gen0 up
kill $SPEAKERS 2>/dev/null
SPEAKERS=
speak 31 35
check "capture resumes on an interface that was deleted and made again" within counted 35
OLD=$(show netcensus-sensor MainPID)
inside sed -i 's/^filter = .*/filter = "not port 9"/' /etc/netcensus/netcensus-sensor.toml
check "a reload with another filter" inside systemctl reload netcensus-sensor
check "the reload restarts the capture half, which had dropped its privilege" within restarted netcensus-sensor "$OLD"

# ------------------------------------------------------------------------------------------------------ stop and upgrade

speak 36 40
check "the sensor knows 5 more" within known 10.7.0.40
check "both halves stop" inside systemctl stop netcensus-sensor netcensus-upload
check "both ended cleanly" [ "$(show netcensus-sensor Result)$(show netcensus-upload Result)" = successsuccess ]
check "the spool is empty: the sensor sent everything" sh -c "! ls $W/root/var/lib/netcensus/spool/*.upload"
check "40 devices" counted 40
inside systemctl start netcensus-sensor
OLD=$(show netcensus-sensor MainPID)
check "upgrade" dpkg_in --force-confold -i /packages/plan-later.deb /packages/sensor-later.deb
check "the later version is installed" [ "$(version netcensus-sensor)$(version netcensus-plan)" = 99.0.0-199.0.0-1 ]
check "the later version runs" within restarted netcensus-sensor "$OLD"
check "the configuration is kept" inside grep -q '^interfaces = \["span0"\]' /etc/netcensus/netcensus-sensor.toml
speak 41 45
check "identity, database and spool are kept: 45 devices" within counted 45
check "no unit has failed" sh -c "[ -z \"\$(nsenter -t $LEADER -a -- systemctl --failed --no-legend --plain)\" ]"

# --------------------------------------------------------------------------------------------------------------- purge

check "remove" dpkg_in -r netcensus-sensor netcensus-plan
check "removing keeps state and configuration" inside test -d /var/lib/netcensus/upload -a -f /etc/netcensus/netcensus-sensor.toml -a -f /var/lib/netcensus-plan/plan.sqlite
check "purge" dpkg_in -P netcensus-sensor netcensus-plan
left >"$W/left"
check "purging leaves no file" sh -c "cat $W/left; test ! -s $W/left"
check "purging leaves no user" sh -c "! nsenter -t $LEADER -a -- grep netcensus /etc/passwd /etc/group"

kill -RTMIN+4 "$LEADER"
wait $NSPAWN
LEADER=
NSPAWN=
[ $FAILED = 0 ] && say "all passed" || say "$FAILED failed"
exit $((FAILED > 0))
