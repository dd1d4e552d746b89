"""The network of the attacks: hosts are network namespaces on one bridge, which mirrors every port to one recorder."""

import ctypes
import os
import signal
import subprocess
import time

WORK = "/mnt/attacks"
LAN = "10.66.0."
GATEWAY, RIVAL, PLC, SERVER, CLIENT, ATTACKER = (LAN + n for n in ("1", "2", "20", "10", "50", "66"))
CAMERAS = [LAN + str(101 + n) for n in range(30)]
# Behind the gateway: a network of another site, and the Internet.
SITE = "10.77.0."
INTERNET = "93.184.216."

HOSTS = {
    "gateway": (GATEWAY, "00:1b:54:66:00:01"),
    "rival": (RIVAL, "00:1b:54:66:00:02"),
    "plc": (PLC, "28:63:36:66:00:20"),
    "server": (SERVER, "00:50:56:66:00:10"),
    "client": (CLIENT, "3c:a9:f4:66:00:50"),
    "attacker": (ATTACKER, "f4:8e:38:66:00:66"),
} | {f"camera{n}": (ip, f"ac:cc:8e:66:01:{n:02x}") for n, ip in enumerate(CAMERAS, 1)}


def sh(command, check=False, timeout=120):
    """Runs a command; returns its output. A command that takes too long is killed with its children."""
    run = subprocess.Popen(command, shell=isinstance(command, str), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, start_new_session=True, text=True, errors="replace")
    try:
        out, _ = run.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        out, _ = run.communicate()
    if check and run.returncode:
        raise SystemExit(f"attacks: {command} failed: {out}")
    return out


def on(host, command, timeout=120):
    """Runs a command on a host; returns its output."""
    prefix = ["ip", "netns", "exec", host]
    command = ["sh", "-c", command] if isinstance(command, str) else command
    return sh(prefix + command, timeout=timeout)


def start(host, command, name):
    """Starts a command on a host and leaves it running."""
    log = open(f"{WORK}/log/{name}", "ab")
    command = ["sh", "-c", "exec " + command] if isinstance(command, str) else command
    return subprocess.Popen(["ip", "netns", "exec", host, *command], stdin=subprocess.DEVNULL, stdout=log,
                            stderr=log, start_new_session=True)


def stop(*running):
    """Ends what `start` started."""
    for run in running:
        try:
            os.killpg(run.pid, signal.SIGTERM)
            run.wait(timeout=3)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()


def enter(host):
    """Moves this thread into the network of a host: sockets that it opens from now on live there."""
    with open(f"/run/netns/{host}") as place:
        if ctypes.CDLL(None, use_errno=True).setns(place.fileno(), 0x40000000):
            raise OSError(ctypes.get_errno(), f"cannot enter {host}")


def lay():
    """Makes the network."""
    sh("mount -t tmpfs -o mode=755 lab /mnt && mount -t tmpfs -o mode=755 lab /run", check=True)
    for folder in ("/run/netns", f"{WORK}/log", f"{WORK}/captures"):
        os.makedirs(folder)
    # Servers add accounts, and wait for no resolver of this machine.
    for file, copy in (("passwd", "cp"), ("shadow", "cp"), ("resolv.conf", "touch")):
        target = f"{WORK}/{file}"
        sh(f"{copy} {'/etc/' + file if copy == 'cp' else ''} {target} && mount --bind {target} /etc/{file}")
    sh("ip link set lo up; ip link add br0 type bridge; ip link add mirror type veth peer name span0; sysctl -qw "
       "net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1; ip link set br0 up; ip link set mirror arp off up; "
       "ip link set span0 arp off up", check=True)
    for host, (ip, mac) in HOSTS.items():
        port = "p-" + host
        sh(f"""ip netns add {host}
            ip link add {port} type veth peer name eth0 address {mac} netns {host}
            ip link set {port} master br0 up
            tc qdisc add dev {port} clsact
            tc filter add dev {port} ingress protocol all u32 match u32 0 0 action mirred egress mirror dev mirror
            ip netns exec {host} sysctl -qw net.ipv6.conf.all.disable_ipv6=1
            ip netns exec {host} ethtool -K eth0 tx off tso off gso off gro off >/dev/null 2>&1
            ip -n {host} link set lo up
            ip -n {host} addr add {ip}/24 brd + dev eth0
            ip -n {host} link set eth0 up""", check=True)
        if host != "gateway":
            sh(f"ip -n {host} route add default via {GATEWAY}", check=True)
    sh(f"""ip netns add world
        ip -n gateway link add wan type veth peer name wan netns world
        ip netns exec gateway ethtool -K wan tx off tso off gso off gro off >/dev/null 2>&1
        ip netns exec world ethtool -K wan tx off tso off gso off gro off >/dev/null 2>&1
        ip -n gateway addr add 100.64.0.1/30 dev wan
        ip -n world addr add 100.64.0.2/30 dev wan
        ip -n gateway link set wan up
        ip -n world link set wan up
        ip -n world link set lo up
        ip -n gateway route add default via 100.64.0.2
        ip -n world route add 10.66.0.0/24 via 100.64.0.1
        ip -n world route add local {SITE}0/24 dev lo
        ip -n world route add local {INTERNET}0/24 dev lo
        ip netns exec gateway sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 \
            net.ipv4.conf.default.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0
        ip netns exec world sysctl -qw net.ipv4.icmp_ratelimit=0""", check=True)


def forget():
    """Empties the neighbour tables, so that each capture shows who has which address."""
    for host in HOSTS:
        sh(f"ip -n {host} neigh flush all")


NIGHTS = []


def night():
    """Between what a case did and what it does next lies a day: frames after this are dated one day later."""
    time.sleep(0.3)
    NIGHTS.append(time.time_ns())


class Recording:
    """Records the mirror while it is open."""

    def __init__(self, name):
        self.path = f"{WORK}/captures/{name}.pcap"
        self.nights = NIGHTS

    def __enter__(self):
        NIGHTS.clear()
        forget()
        self.run = subprocess.Popen(["tcpdump", "-Z", "root", "-i", "span0", "-w", self.path, "-U", "--immediate-mode", "-B", "32768"],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.run.stderr.readline()  # "listening on"
        self.first = time.time()
        return self

    def __exit__(self, *_):
        time.sleep(0.3)
        self.last = time.time()
        self.run.send_signal(signal.SIGINT)
        self.run.wait()
