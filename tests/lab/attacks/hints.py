"""What rules that are off by default tell, and what looks like it: beacons, cards that change, far resolvers, directories."""

import os
import random
import time

from cases import attack, benign, lease, talk_as_camera
from servers import PASSWORD, WORK, write
from wires import ATTACKER, CAMERAS, GATEWAY, HOSTS, INTERNET, RIVAL, SERVER, night, on, sh, start, stop

# So many times slower is the time of a capture of beacons: a minute and a half become almost seven hours.
SLOWER = 270


def again(command, pause, jitter, seconds=92):
    """A shell's loop that runs a command with pauses of up to `jitter` more or less."""
    chance = random.Random(command)
    pauses = [pause * chance.uniform(1 - jitter, 1 + jitter) for _ in range(round(seconds / pause))]
    return f"for pause in {' '.join(f'{p:.2f}' for p in pauses)}; do {command}; sleep $pause; done"


def at_once(seconds, *of_hosts):
    """Runs a loop on each host until it ends, or that many seconds went by."""
    running = [start(host, ["sh", "-c", loop], f"loop.{host}") for host, loop in of_hosts]
    end = time.time() + seconds
    while time.time() < end and any(run.poll() is None for run in running):
        time.sleep(0.5)
    stop(*[run for run in running if run.poll() is None])


# --------------------------------------------------------------------------------------------------------------- beacons

@attack(("A-BEACON", CAMERAS[0], f"{INTERNET}81 port 4444"), ("A-BEACON", CAMERAS[1], f"{INTERNET}82 port 8099"),
        ("A-BEACON", CAMERAS[2], f"{INTERNET}83 port 5999"), ("A-BEACON", CAMERAS[3], f"{INTERNET}84 port 9001"), stretch=SLOWER)
def beacons():
    """Four cameras call home: by curl, by wget, by a shell whose master is away, and by TLS."""
    for n in range(1, 5):
        talk_as_camera(f"camera{n}")
    at_once(110, ("camera1", again(f"curl -s -m 2 http://{INTERNET}81:4444/task", 0.8, 0.2)),
            ("camera2", again(f"wget -q -T 2 -t 1 -O /dev/null http://{INTERNET}82:8099/", 0.8, 0.3)),
            ("camera3", again(f"busybox nc -w 1 {INTERNET}83 5999 </dev/null", 0.8, 0.1)),
            ("camera4", again(f"curl -s -k -m 2 https://{INTERNET}84:9001/", 0.8, 0.2)))


@benign(stretch=SLOWER)
def polling():
    """Devices that keep to services all day: the time, a broker, a maker's cloud, one service of two devices, and updates."""
    clock = write("chrony.conf", f"server {INTERNET}90 minpoll 0 maxpoll 0\ncmdport 0\npidfile {WORK}/chrony.pid\n")
    for n in range(1, 6):
        talk_as_camera(f"camera{n}")
    cloud = f"curl -s -m 2 http://{INTERNET}93"
    at_once(96, ("camera1", f"exec chronyd -d -x -f {clock}"),
            # Two brokers, one of them by a port that few services have: each is one connection that stays.
            ("camera2", f"mosquitto_sub -k 5 -h {INTERNET}91 -p 1883 -t a & exec mosquitto_sub -k 5 -h {INTERNET}91 -p 7001 -t a"),
            ("camera3", again(f"{cloud}:443/; {cloud}:80/", 0.8, 0.2)),
            # Two devices of one maker.
            ("camera4", again(f"{cloud}:7000/", 0.8, 0.2)),
            ("camera5", again(f"{cloud}:7000/", 0.8, 0.2)),
            # Looks for an update every 36 minutes.
            ("camera6", again(f"curl -s -m 2 http://{INTERNET}94:7100/", 8, 0.1)),
            # Works there, with many connections.
            ("camera7", again("; ".join([f"curl -s -m 2 http://{INTERNET}95:7200/"] * 3), 0.8, 0.2)))


# ----------------------------------------------------------------------------------------------------- cards that change

def thing(host, name, program="udhcp 1.35.0"):
    """Asks for a lease as a device with BusyBox does."""
    on(host, f"ping -c 1 {GATEWAY}; busybox udhcpc -i eth0 -n -q -f -t 5 -s /bin/true -V '{program}' -x hostname:{name}", timeout=20)


def computer(host, name, program="MSFT 5.0"):
    """Asks for a lease as a computer does; its configuration stays."""
    conf = write(f"dhclient.{name}", f'send vendor-class-identifier "{program}";\nsend host-name "{name}";\n'
                 "request subnet-mask, routers, domain-name-servers;\ntimeout 10;\n")
    files = f"-cf {conf} -lf {WORK}/dhclient.{name}.leases -pf {WORK}/dhclient.{name}.pid"
    on(host, f"ping -c 1 {GATEWAY}; rm -f {WORK}/dhclient.{name}.leases; dhclient -1 -d -sf /bin/true {files} eth0 & "
       f"sleep 4; kill $!; wait", timeout=20)


def days(n, do):
    for _ in range(n):
        do()
        night()


def card(host):
    return HOSTS[host][1]


@attack(("A-TYPE", ATTACKER, card("attacker")))
def camera_becomes_a_computer():
    days(4, lambda: thing("attacker", "cam-66"))
    days(4, lambda: computer("attacker", "desk-7"))


@attack(("A-TYPE", CAMERAS[12], card("camera13")))
def computer_becomes_a_thing():
    days(3, lambda: computer("camera13", "desk-50"))
    days(3, lambda: thing("camera13", "relay-9"))


@attack(("A-TYPE", CAMERAS[7], card("camera8")))
def camera_becomes_a_telephone():
    days(3, lambda: thing("camera8", "door-8", "udhcp 1.22.1"))
    days(3, lambda: computer("camera8", "Pixel-8", "android-dhcp-14"))


@benign
def firmware_renewed():
    """A camera is renewed: the same program in a newer version, another name, and a loader that asks first."""
    days(3, lambda: thing("camera9", "cam-9", "udhcp 1.22.1"))
    thing("camera9", "", "U-Boot.armv8")
    days(3, lambda: thing("camera9", "camera-9", "udhcp 1.35.0"))


@benign
def computer_set_up_anew():
    """A loader of the network, then the same computer with another system; and a visitor with the camera's adapter."""
    days(3, lambda: computer("camera14", "desk-50"))
    computer("camera14", "", "PXEClient:Arch:00007:UNDI:003016")
    days(3, lambda: computer("camera14", "desk-50", "dhcpcd-9.4.1:Linux-6.1.0:x86_64"))
    days(3, lambda: thing("camera10", "cam-10"))
    days(2, lambda: computer("camera10", "visitor"))


# --------------------------------------------------------------------------------------------------------- far resolvers

@attack(("R-DNS", CAMERAS[0], ""), ("R-DNS", CAMERAS[1], ""), ("R-DNS", CAMERAS[2], ""))
def far_resolvers():
    """Cameras ask the Internet, though the network names its own resolver: by dig, nslookup, and kdig beside the named one."""
    for n in range(1, 5):
        talk_as_camera(f"camera{n}")
        lease(f"camera{n}")
    on("camera1", f"dig +tries=1 +time=2 @{INTERNET}53 cloud.example.com")
    on("camera2", f"busybox nslookup cloud.example.com {INTERNET}53")
    on("camera3", f"dig +tries=1 +time=2 @{GATEWAY} time.example.com; kdig +retry=0 +time=2 @{INTERNET}53 cloud.example.com AAAA")
    on("camera4", f"dig +tries=1 +time=2 @{GATEWAY} cloud.example.com")


@benign
def named_resolvers():
    """The gateway's resolver, one of the Internet that DHCP names for some, and one of the network that asks the Internet."""
    conf = write("resolver.conf", f"interface=eth0\nbind-interfaces\nexcept-interface=lo\nno-resolv\nno-hosts\n"
                 f"server={INTERNET}53\npid-file=\nuser=root\n")
    running = start("rival", f"dnsmasq -k -C {conf}", "resolver")
    for n in (5, 6, 7):
        talk_as_camera(f"camera{n}")
        lease(f"camera{n}")
    on("camera5", f"dig +tries=1 +time=2 @{GATEWAY} a.example.com")
    on("camera6", f"dig +tries=1 +time=2 @{INTERNET}53 b.example.com")
    on("camera7", f"dig +tries=1 +time=2 @{RIVAL} c.example.com; busybox nslookup d.example.com {RIVAL}")
    stop(running)


@benign
def resolvers_of_a_network_that_names_none():
    """Without an answer by DHCP, nobody knows what is named."""
    talk_as_camera("camera11")
    on("camera11", f"dig +tries=1 +time=2 @{INTERNET}53 e.example.com")


# ----------------------------------------------------------------------------------------------------------- directories

ADMIN = "cn=admin,dc=lab"


def directory(host, *conf, urls="ldap:///"):
    """Starts slapd on a host."""
    folder = f"{WORK}/slapd.{host}"
    os.makedirs(f"{folder}/data", exist_ok=True)
    if not os.path.exists(f"{folder}/key.pem"):
        sh(f"openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=directory.lab -keyout {folder}/key.pem "
           f"-out {folder}/cert.pem")
    file = write(f"slapd.{host}/slapd.conf", "\n".join((
        "include /etc/ldap/schema/core.schema", "modulepath /usr/lib/ldap", "moduleload back_mdb",
        f"pidfile {folder}/pid", f"argsfile {folder}/args",
        f"TLSCertificateFile {folder}/cert.pem", f"TLSCertificateKeyFile {folder}/key.pem", *conf,
        "database mdb", 'suffix "dc=lab"', f'rootdn "{ADMIN}"', f"rootpw {PASSWORD}", f"directory {folder}/data", "")))
    running = start(host, ["slapd", "-d", "0", "-f", file, "-h", urls], f"slapd.{host}")
    for _ in range(40):
        time.sleep(0.25)
        if ":389 " in on(host, "ss -Hltn"):
            break
    return running


def search(host, options, ip=SERVER, scheme="ldap"):
    on(host, f"LDAPTLS_REQCERT=never timeout 5 ldapsearch -x -H {scheme}://{ip} {options} -b dc=lab")


CLEAR = f"-D {ADMIN} -w {PASSWORD}"


@attack(("R-LDAP", SERVER, ""))
def password_to_a_directory():
    running = directory("server")
    search("client", CLEAR)
    stop(running)


@attack(("R-LDAP", SERVER, ""))
def passwords_of_things_to_a_directory():
    """A telephone's address book, beside clients that do it better, and one that errs."""
    running = directory("server", urls="ldap:/// ldaps:///")
    on("camera12", f"timeout 5 ldapwhoami -x -H ldap://{SERVER} {CLEAR}")
    search("client", f"-ZZ {CLEAR}")
    search("client", f"-D {ADMIN} -w mistyped")
    stop(running)


@benign
def directories():
    """By TLS from the start, by STARTTLS, anonymously, with a wrong password; and one that refuses passwords in clear."""
    running = [directory("server", urls="ldap:/// ldaps:///"), directory("rival", "security simple_bind=128")]
    search("client", CLEAR, scheme="ldaps")
    search("client", f"-ZZ {CLEAR}")
    search("client", "")
    search("client", f"-D {ADMIN} -w mistyped")
    search("client", CLEAR, ip=RIVAL)
    search("camera12", f"-ZZ {CLEAR}", ip=RIVAL)
    stop(*running)
