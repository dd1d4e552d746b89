"""Real servers on the hosts, each with one account, `lab` with the password `Tr4in-Lamp`."""

import os
import socket
import subprocess
import sys
import threading
import time

from wires import CAMERAS, HOSTS, INTERNET, LAN, RIVAL, WORK, enter, sh, start

USER, PASSWORD = "lab", "Tr4in-Lamp"


def write(name, text):
    path = f"{WORK}/{name}"
    with open(path, "w") as file:
        file.write(text)
    return path


def account():
    digest = sh(["openssl", "passwd", "-6", PASSWORD]).strip()
    with open("/etc/passwd", "a") as file:
        file.write(f"{USER}:x:4999:4999::/mnt/attacks/home:/bin/sh\n")
    with open("/etc/shadow", "a") as file:
        file.write(f"{USER}:{digest}:19000:0:99999:7:::\n")
    os.makedirs(f"{WORK}/home")
    os.chown(f"{WORK}/home", 4999, 4999)
    os.makedirs("/run/sshd")
    write("home/file.txt", "lab\n" * 100)


def files():
    os.makedirs("/run/vsftpd/empty")
    conf = write("vsftpd.conf", "listen=YES\nlisten_ipv6=NO\nanonymous_enable=NO\nlocal_enable=YES\n"
                 "write_enable=YES\nseccomp_sandbox=NO\nmax_login_fails=3\ndelay_failed_login=0\n"
                 "secure_chroot_dir=/run/vsftpd/empty\n")
    start("server", f"vsftpd {conf}", "vsftpd")
    write("smb.conf", f"[global]\nworkgroup = LAB\nnetbios name = LABSERVER\nserver role = standalone server\n"
          f"interfaces = eth0\nbind interfaces only = yes\npid directory = {WORK}/smb\nlock directory = {WORK}/smb\n"
          f"state directory = {WORK}/smb\ncache directory = {WORK}/smb\nprivate dir = {WORK}/smb\n"
          f"ncalrpc dir = {WORK}/smb/rpc\nlog file = {WORK}/log/smbd\nmap to guest = never\nsmb ports = 445\n"
          f"[share]\npath = {WORK}/home\n")
    os.makedirs(f"{WORK}/smb")
    os.makedirs("/run/samba/nmbd", 0o755)
    sh(f"printf '{PASSWORD}\\n{PASSWORD}\\n' | smbpasswd -c {WORK}/smb.conf -s -a {USER}")
    start("server", f"smbd -F --no-process-group -s {WORK}/smb.conf", "smbd.out")
    start("server", f"nmbd -F --no-process-group -s {WORK}/smb.conf", "nmbd.out")


def terminals():
    sh(f"ssh-keygen -q -t ed25519 -N '' -f {WORK}/hostkey")
    conf = write("sshd.conf", f"HostKey {WORK}/hostkey\nUsePAM no\nPasswordAuthentication yes\nMaxStartups 100\n"
                 f"MaxAuthTries 6\nPidFile none\nPermitRootLogin no\nStrictModes no\n")
    for host in ("server", *(f"camera{n}" for n in range(1, 31))):
        start(host, f"/usr/sbin/sshd -D -f {conf}", "sshd")
    serve("server", 23, lambda: ["/usr/sbin/telnetd", "-E", "/bin/login"])
    start("server", "Xvnc :0 -rfbport 5900 -SecurityTypes VncAuth -rfbauth " + vnc_password() +
          " -geometry 320x240 -depth 16 -AlwaysShared -localhost no -BlacklistThreshold 1000 -nolock -nolisten unix", "xvnc")


def vnc_password():
    sh(f"printf 'Tr4inLam\\n' | vncpasswd -f >{WORK}/vncpasswd; chmod 600 {WORK}/vncpasswd")
    return f"{WORK}/vncpasswd"


def mail():
    os.makedirs(f"{WORK}/dovecot")
    conf = write("dovecot.conf", f"""base_dir = {WORK}/dovecot
state_dir = {WORK}/dovecot
protocols = imap pop3
listen = *
ssl = no
disable_plaintext_auth = no
log_path = {WORK}/log/dovecot
mail_location = maildir:{WORK}/home/Mail
auth_failure_delay = 0
mail_uid = 4999
mail_gid = 4999
default_login_user = nobody
default_internal_user = nobody
default_internal_group = nogroup
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {write("mailusers", f"{USER}:{PASSWORD}:4999:4999::{WORK}/home::{chr(10)}")}
}}
userdb {{
  driver = static
  args = uid=4999 gid=4999 home={WORK}/home
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
""")
    os.chmod(f"{WORK}/mailusers", 0o644)
    start("server", f"dovecot -F -c {conf}", "dovecot.out")


def web():
    digest = sh(["openssl", "passwd", "-apr1", PASSWORD]).strip()
    weak = sh(["openssl", "passwd", "-apr1", "admin"]).strip()
    write("htpasswd", f"{USER}:{digest}\nadmin:{weak}\n")
    os.makedirs(f"{WORK}/www")
    write("www/index.html", "<html><body>lab</body></html>")
    conf = write("nginx.conf", f"""pid {WORK}/nginx.pid;
error_log {WORK}/log/nginx;
daemon off;
events {{}}
http {{
  access_log off;
  client_body_temp_path {WORK}/www; proxy_temp_path {WORK}/www; fastcgi_temp_path {WORK}/www;
  uwsgi_temp_path {WORK}/www; scgi_temp_path {WORK}/www;
  server {{
    listen 80; root {WORK}/www;
    location /closed/ {{ alias {WORK}/www/; auth_basic "lab"; auth_basic_user_file {WORK}/htpasswd; }}
  }}
}}
""")
    sh(f"chmod -R a+rX {WORK}/www {WORK}/htpasswd; chmod 755 {WORK}")
    start("server", f"nginx -c {conf}", "nginx.out")
    sh(f"mosquitto_passwd -c -b {WORK}/mqttusers {USER} {PASSWORD} && mosquitto_passwd -b {WORK}/mqttusers admin admin"
       f" && chmod 644 {WORK}/mqttusers")
    conf = write("mosquitto.conf", f"listener 1883\nallow_anonymous false\npassword_file {WORK}/mqttusers\n")
    start("server", f"mosquitto -c {conf}", "mosquitto")


def management():
    conf = write("snmpd.conf", "rocommunity Mon1tor\nagentaddress udp:161\nsysDescr AXIS lab camera\n")
    for n in range(1, 31):
        start(f"camera{n}", f"snmpd -f -Lo -C -c {conf} -p {WORK}/snmpd.{n}", "snmpd")
    # Hosts that take their lease use its address.
    keep = ("attacker", "camera8", "camera9", "camera10", "camera13", "camera14")
    reserved = "\n".join(f"dhcp-host={HOSTS[host][1]},{HOSTS[host][0]}" for host in keep)
    conf = write("dnsmasq.conf", f"""interface=eth0
bind-interfaces
no-resolv
no-hosts
except-interface=lo
dhcp-range={LAN}200,{LAN}240,2m
dhcp-option=3,{LAN}1
dhcp-host={HOSTS["camera6"][1]},set:far
dhcp-host={HOSTS["camera7"][1]},set:own
{reserved}
dhcp-option=tag:far,6,{INTERNET}53
dhcp-option=tag:own,6,{RIVAL}
dhcp-leasefile={WORK}/leases
server={INTERNET}53
pid-file=
user=root
""")
    start("gateway", f"dnsmasq -k -C {conf}", "dnsmasq")
    conf = write("world.conf", f"no-resolv\nno-hosts\naddress=/#/{INTERNET}80\nlisten-address={INTERNET}53\n"
                 "bind-interfaces\npid-file=\nuser=root\ncache-size=0\nserver=/t.example.org/" + INTERNET + "54\n")
    start("world", f"dnsmasq -k -C {conf}", "dnsmasq.world")


def internet():
    """The time, brokers that let everybody in, and a page by TLS."""
    conf = write("world.chrony", f"local stratum 5\nallow all\nbindaddress {INTERNET}90\ncmdport 0\npidfile {WORK}/world.chrony.pid\n")
    start("world", f"chronyd -d -x -f {conf}", "chrony.world")
    conf = write("world.mosquitto", "listener 1883\nlistener 7001\nallow_anonymous true\n")
    start("world", f"mosquitto -c {conf}", "mosquitto.world")
    sh(f"openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=far.example -keyout {WORK}/far.key -out {WORK}/far.pem")
    start("world", f"openssl s_server -quiet -www -accept 9001 -key {WORK}/far.key -cert {WORK}/far.pem", "far")


def serve(host, port, program):
    """As inetd does: each connection to the port runs a program."""
    def loop():
        enter(host)
        listener = socket.create_server(("0.0.0.0", port))
        while True:
            stream, _ = listener.accept()
            subprocess.Popen(program(), stdin=stream, stdout=stream, stderr=subprocess.DEVNULL)
            stream.close()
    threading.Thread(target=loop, daemon=True).start()


def answer(host, ports, bytes_=b"", address="0.0.0.0"):
    """Accepts connections at ports of a host and answers each request alike."""
    def talk(stream):
        with stream:
            stream.settimeout(5)
            try:
                while stream.recv(4096):
                    if bytes_:
                        stream.sendall(bytes_)
            except OSError:
                pass

    def loop(port):
        enter(host)
        listener = socket.create_server((address, port), backlog=200)
        while True:
            stream, _ = listener.accept()
            threading.Thread(target=talk, args=(stream,), daemon=True).start()
    for port in ports:
        threading.Thread(target=loop, args=(port,), daemon=True).start()


PAGE = b"HTTP/1.1 200 OK\r\nServer: lab\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok"
STREAM = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: OPTIONS, DESCRIBE\r\n\r\n"


def plants():
    python = sys.executable
    tools = os.path.join(os.path.dirname(os.path.abspath(__file__)), "plant.py")
    start("plc", [python, tools, "serve"], "plant")
    for n, _ in enumerate(CAMERAS, 1):
        answer(f"camera{n}", [80], PAGE)
        answer(f"camera{n}", [554], STREAM)
    answer("camera5", range(9001, 9029), PAGE)
    answer("world", [80, 443, 3333, 4444, 7000, 7100, 7200, 8099], PAGE)
    answer("gateway", [5000], PAGE)
    answer("server", [9100])


def ready(patience=300):
    """Waits until the servers listen; returns those that do not."""
    wanted = {"server": [21, 22, 23, 80, 110, 143, 445, 1883, 5900, 9100], "plc": [102, 502], "camera30": [22, 80, 554]}
    end = time.time() + patience
    while True:
        missing = []
        for host, ports in wanted.items():
            out = sh(["ip", "netns", "exec", host, "ss", "-Hltn"])
            missing += [f"{host}:{port}" for port in ports if f":{port} " not in out]
        if not missing or time.time() > end:
            return missing
        time.sleep(0.3)


def up():
    assert HOSTS
    account()
    for part in (files, terminals, mail, web, management, plants, internet):
        part()
    return ready()
