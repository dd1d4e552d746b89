#!/bin/bash
# setup.sh BIN: types README's "Set it up" literally on a fresh machine, as root and as another user, to the first counted
# device. setup.py reads the commands from README.
#
# The machine is made of private mount, pid, net, uts and ipc namespaces: empty home folders and /var/lib, no configuration,
# the two programs in the path, and an interface eth1 on which a camera speaks. It is gone when the script ends. Nothing
# leaves it. Needs root. If namespaces are impossible, it says so in one line and exits 0.
set -euo pipefail
cd "$(dirname "$0")/../.."
BIN=$(realpath -m "${1:-target/debug}")
HERE=$PWD
PATH=$PATH:/usr/sbin:/sbin

skip() {
    echo "setup: skipped: $1"
    exit 0
}

# A fresh machine for one person: setup.sh BIN --inner PERSON.
if [ "${2:-}" != --inner ]; then
    [ "$(id -u)" = 0 ] || skip "needs root (sudo make setup)"
    unshare --net sh -c 'ip link add eth1 type veth peer name camera' 2>/dev/null ||
        skip "network namespaces are not possible on this machine"
    for person in root tester; do
        unshare --mount --pid --net --uts --ipc --fork --kill-child=KILL --mount-proc --propagation private \
            "$HERE/tests/setup/setup.sh" "$BIN" --inner $person
    done
    exit 0
fi
person=$3

machine=$(mktemp -d)
mount -t tmpfs -o mode=755 machine "$machine"
mkdir -p "$machine/bin" "$machine/home/tester" "$machine/root" "$machine/lib" "$machine/etc" "$machine/run"
cp "$BIN/netcensus-plan" "$BIN/netcensus-sensor" "$machine/bin"
cp "$HERE/README.md" "$HERE/tests/setup/setup.py" "$machine"
printf '127.0.0.1 localhost plan\n::1 localhost\n' >"$machine/hosts"
mount --bind "$machine/hosts" /etc/hosts
chown 12345:12345 "$machine/home/tester"
chmod 700 "$machine/root"
# What an installed netcensus left on this machine must not help.
for folder in /var/lib /etc/netcensus; do
    [ ! -d $folder ] || mount --bind "$machine/lib" $folder
done
mount --bind "$machine/run" /run
hostname plan
ip link set lo up

# The mirror port, and the camera on the other end of its wire, in a network of its own.
ip link add eth1 type veth peer name camera
ip link set eth1 addrgenmode none up
unshare --net sleep infinity &
camera=$!
until [ "$(readlink /proc/$camera/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
ip link set camera netns $camera
nsenter --net=/proc/$camera/ns/net sh -c '
    ip link set camera address ac:cc:8e:12:34:56 addrgenmode none up
    ip addr add 10.9.0.7/24 dev camera'

export PATH=$machine/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
for name in $(env -0 | tr '\0' '\n' | sed -n 's/^\(NETCENSUS[A-Z_]*\|XDG_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
exec python3 "$machine/setup.py" "$machine/README.md" "$person" "$machine" $camera
