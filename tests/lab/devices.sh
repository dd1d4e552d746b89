# The lab's devices: the software that runs on each host. lab.sh sources this file and defines on, within, wait_for, W.

# announce HOST [TYPE PORT TXT[;TXT…]]…: mDNS by avahi, with these DNS-SD services.
announce() {
    local host=$1 txt
    shift
    mkdir -p "$W/avahi/$host"
    {
        echo '<?xml version="1.0"?><!DOCTYPE service-group SYSTEM "avahi-service.dtd"><service-group>'
        echo '<name replace-wildcards="yes">%h</name>'
        while [ $# -ge 3 ]; do
            echo "<service><type>$1</type><port>$2</port>"
            IFS=';' read -ra records <<<"$3"
            for txt in "${records[@]}"; do echo "<txt-record>$txt</txt-record>"; done
            echo '</service>'
            shift 3
        done
        echo '</service-group>'
    } >"$W/avahi/$host/device.service"
    cat >"$W/avahi/$host.conf" <<-END
		[server]
		host-name=$host
		enable-dbus=no
		allow-interfaces=eth0
		[publish]
		publish-workstation=no
	END
    on "$host" avahi bash -c "mount --bind $W/avahi/$host /etc/avahi/services
        exec avahi-daemon --no-drop-root --no-chroot --no-rlimits -f $W/avahi/$host.conf"
}

# ot HOST ROLE ADDRESS: an industrial stack in Python (ot.py).
ot() { on "$1" ot env PYTHONPATH="$LAB_PYTHON" python3 -u "$LAB/ot.py" "$2" "$3"; }

# lldp HOST DESCRIPTION CAPABILITIES OPTION…: LLDP by lldpd, a frame every 3 seconds.
lldp() {
    local host=$1 description=$2 capabilities=$3
    shift 3
    printf 'configure lldp tx-interval 3\nconfigure system capabilities enabled %s\n' "$capabilities" >"$W/$host.lldp"
    on "$host" lldpd lldpd -d -O "$W/$host.lldp" -I eth0 -u /run/lldpd.sock -S "$description" "$@"
}

# netbios HOST NAME: NetBIOS by samba's nmbd.
netbios() {
    local own=$W/samba.$1
    mkdir -p "$own"
    printf '%s\n' '[global]' "netbios name=$2" 'interfaces=eth0' 'bind interfaces only=yes' \
        "lock directory=$own" "state directory=$own" "cache directory=$own" "private dir=$own" \
        'pid directory=/run' >"$W/$1.smb.conf"
    on "$1" nmbd nmbd -F --no-process-group -s "$W/$1.smb.conf" --debug-stdout
}

static() {
    ip -n "$1" addr add "$(address "$1")/24" dev eth0
    ip -n "$1" route add default via "$(address router)"
}

# dhclient HOST NAME VENDOR_CLASS REQUESTED: ISC's client.
dhclient() {
    cat >"$W/$1.dhclient" <<-END
		send host-name "$2";
		send vendor-class-identifier "$3";
		request $4;
	END
    on "$1" dhcp dhclient -4 -d -1 -cf "$W/$1.dhclient" -lf "$W/$1.leases" -pf /run/dhclient.pid -sf "$W/dhclient.script" eth0
}

# busybox_dhcp HOST NAME [VENDOR_CLASS]: busybox's client, as small devices have it.
busybox_dhcp() {
    on "$1" dhcp udhcpc -f -i eth0 -s "$W/udhcpc.script" -x "hostname:$2" ${3:+-V "$3"}
}

start_router() {
    within router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    ip -n router addr add "$(address router)/24" dev eth0
    ip -n router addr add fd00:99::1/64 dev eth0 nodad
    ip netns add far
    ip -n router link add wan0 type veth peer name eth0 netns far
    ip -n router addr add 192.0.2.1/24 dev wan0
    ip -n router link set wan0 up
    ip -n far addr add 192.0.2.80/24 dev eth0
    ip -n far link set lo up
    ip -n far link set eth0 up
    ip -n far route add default via 192.0.2.1

    cat >$W/radvd.conf <<-END
		interface eth0 {
		  AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 5;
		  prefix fd00:99::/64 { AdvOnLink on; AdvAutonomous on; };
		};
	END
    on router radvd radvd -n -m stderr -C $W/radvd.conf -p /run/radvd.pid
    cat >$W/keepalived.conf <<-END
		vrrp_instance lab {
		  state MASTER
		  interface eth0
		  virtual_router_id 51
		  priority 150
		  advert_int 1
		  virtual_ipaddress { 10.99.0.254/24 }
		}
	END
    on router keepalived keepalived -n -l -D -P -f $W/keepalived.conf -p /run/keepalived.pid -r /run/vrrp.pid
    {
        cat <<-END
			interface=eth0
			bind-interfaces
			no-resolv
			domain=lab.test
			dhcp-range=10.99.0.100,10.99.0.199,255.255.255.0,10m
			dhcp-authoritative
			dhcp-option=3,$(address router)
			address=/www.example.test/192.0.2.80
			dhcp-leasefile=$W/leases
			log-dhcp
		END
        for host in ap laptop pixel nuc build phone camera ups tv plug lamp; do echo "dhcp-host=$(mac $host),$(address $host)"; done
    } >$W/dnsmasq.conf
    on router dnsmasq dnsmasq -k -C $W/dnsmasq.conf -u root --log-facility=-
    lldp router "Cisco IOS Software, ISR4300 Software, Version 17.6.3" router
    mkdir -p $W/www && echo hello >$W/www/index.html
    on far http python3 -u -m http.server -d $W/www 80
    on far sip sipp -sn uas -i 192.0.2.80 -p 5060 -nostdin
    wait_for "the DHCP server" says router.dnsmasq 'DHCP, IP range'
}

start_devices() {
    cat >$W/dhclient.script <<-'END'
		#!/bin/sh
		case $reason in
		PREINIT) ip link set $interface up ;;
		BOUND | REBOOT | RENEW | REBIND)
		  ip addr replace $new_ip_address/24 dev $interface
		  ip route replace default via $new_routers ;;
		esac
		exit 0
	END
    cat >$W/udhcpc.script <<-'END'
		#!/bin/sh
		[ "$1" != bound ] || { ip addr replace $ip/24 dev $interface; ip route replace default via $router; }
	END
    chmod +x $W/*.script
    for host in $HOSTS; do
        [ "$host" != shelf ] || quiet shelf
        ip -n "$host" link set eth0 up
    done

    start_router

    # network
    static switch
    lldp switch "Arista Networks EOS version 4.28.1F running on an Arista Networks DCS-7050TX-64" bridge -P DCS-7050TX-64 -cc -l
    lldp shelf "Arista Networks EOS version 4.28.1F running on an Arista Networks DCS-7010T-48" bridge
    busybox_dhcp ap ap-floor-2 ArubaAP
    lldp ap "ArubaOS (MODEL: 515), Version 8.10.0.4" wlan,bridge

    static core
    cat >$W/bird.conf <<-END
		router id $(address core);
		protocol device { }
		protocol ospf v2 lab { area 0 { interface "eth0" { hello 2; dead 10; }; }; }
	END
    on core bird bird -f -c $W/bird.conf -s /run/bird.ctl
    # A bridge of the kernel with spanning tree; its address is the bridge's own, as a managed switch has it.
    ip -n access link add br0 address "$(mac access)" type bridge stp_state 1 hello_time 100 forward_delay 200
    ip -n access link set eth0 master br0
    ip -n access link set br0 up
    ip -n access addr add "$(address access)/24" dev br0
    ip -n access route add default via "$(address router)"

    # computers and mobile
    dhclient laptop anna-laptop "MSFT 5.0" "subnet-mask, routers, domain-name-servers, domain-name, \
        router-discovery, static-routes, vendor-encapsulated-options, netbios-name-servers, netbios-node-type, \
        netbios-scope"
    busybox_dhcp pixel Pixel-8 android-dhcp-14
    printf '%s\n' 'hostname dev-nuc' 'option domain_name_servers, routers' \
        'nohook resolv.conf, hostname, timesyncd' noarp >$W/dhcpcd.conf
    on nuc dhcp bash -c "mkdir -p /run/dhcpcd $W/dhcpcd; mount --bind $W/dhcpcd /var/lib/dhcpcd
        exec dhcpcd -B -f $W/dhcpcd.conf -4 eth0"
    printf '%s\n' '[Match]' Name=eth0 '[Network]' DHCP=ipv4 EmitLLDP=yes IPv6AcceptRA=yes \
        '[DHCPv4]' SendHostname=yes Hostname=vm-build ClientIdentifier=mac >$W/10-eth0.network
    on build dhcp bash -c "mount -o remount,bind,ro /sys
        mkdir -p /run/systemd/network /run/systemd/netif/{links,leases,lldp}
        chown -R systemd-network:systemd-network /run/systemd/netif
        cp $W/10-eth0.network /run/systemd/network/; exec /lib/systemd/systemd-networkd"
    announce nuc _ssh._tcp 22 "" _workstation._tcp 9 ""
    static desk
    netbios desk DESKTOP-7F3K2QA
    on desk wsdd wsdd -i eth0 -n DESKTOP-7F3K2QA

    # IoT
    static printer
    announce printer _ipp._tcp 631 "txtvers=1;ty=HP LaserJet Pro M404dn;usb_MFG=HP;usb_MDL=LaserJet Pro M404dn;rp=ipp/print" \
        _pdl-datastream._tcp 9100 "ty=HP LaserJet Pro M404dn"
    on printer snmpd snmpd -f -Lo -C --rocommunity=public --agentAddress=udp:161 \
        --sysDescr="HP ETHERNET MULTI-ENVIRONMENT,ROM none,JETDIRECT,JD153,EEPROM JSI24110024"
    static nas
    announce nas _smb._tcp 445 "" _device-info._tcp 9 "model=RackStation" \
        _http._tcp 5000 "vendor=Synology;model=DS920+;version_major=7"
    mkdir -p $W/dlna
    netbios nas LABNAS
    on nas wsdd wsdd -i eth0 -n LABNAS
    printf '%s\n' network_interface=eth0 port=8200 'friendly_name=LABNAS' media_dir=$W/www db_dir=$W/dlna \
        log_dir=$W/dlna notify_interval=5 >$W/dlna.conf
    on nas minidlna minidlnad -S -f $W/dlna.conf -P /run/dlna.pid
    on nas sshd bash -c "ssh-keygen -q -t ed25519 -N '' -f $W/hostkey
        exec /usr/sbin/sshd -D -e -h $W/hostkey -o PidFile=none -o DebianBanner=no"
    dhclient phone Polycom_0004f2aa0023 "Polycom-VVX411" "subnet-mask, routers, domain-name-servers, ntp-servers, tftp-server-name"
    lldp phone "Polycom;VVX-VVX_411;3111-48450-001,1;SIP/5.9.0.9373/" telephone,bridge -M 3
    busybox_dhcp camera axis-accc8eaa0024 "AXIS,Network Camera,P3245-LV,10.12.153"
    announce camera _axis-video._tcp 80 "macaddress=ACCC8EAA0024" _rtsp._tcp 554 ""
    busybox_dhcp ups apcAA0025 APC
    on ups snmpd snmpd -f -Lo -C --rocommunity=public --agentAddress=udp:161 \
        --sysDescr="APC Web/SNMP Management Card (MB:v4.1.0 PF:v6.5.0 PN:apc_hw05_aos_650.bin AF1:v6.5.0 MN:AP9630)"
    busybox_dhcp tv Living-Room
    busybox_dhcp plug shellyplug-s-AA0027
    busybox_dhcp lamp yeelink-light-color1_miioAA0028
    on lamp coap coap-server-notls
    start_inkjet
    static speaker
    on speaker upnp env HOME=$W gmediarender -I eth0 -f Kitchen -u 6d1a9c9e-0000-4000-8000-000e58aa0030 \
        --gstout-audiosink=fakesink --gstout-videosink=fakesink
    static hub
    announce hub _hue._tcp 443 "bridgeid=001788FFFEAA0032;modelid=BSB002"
    printf '%s\n' 'listener 1883' 'allow_anonymous true' >$W/mosquitto.conf
    on hub mqtt mosquitto -c $W/mosquitto.conf
    static bms
    ot bms bacnet "$(address bms)/24"
    static plc
    ot plc modbus "$(address plc)"
    on plc snmpd snmpd -f -Lo -C --rocommunity=public --agentAddress=udp:161 \
        --sysDescr="Siemens, SIMATIC S7, CPU 1214C DC/DC/DC, 6ES7 214-1AG40-0XB0, HW: 9, FW: V.4.5.2"
    announce tv _googlecast._tcp 8009 "id=8d3a2f;md=Chromecast;fn=Living Room;ca=4101;st=0"

    for host in laptop pixel nuc build phone camera ups tv ap plug lamp; do
        wait_for "the lease of $host" grep -q "$(mac $host) $(address $host)" $W/leases
    done
    # Servers must listen before use_devices asks them.
    local server
    for server in far.tcp.80 far.udp.5060 nas.tcp.22 inkjet.tcp.631 plc.tcp.502 plc.udp.161 printer.udp.161 ups.udp.161 \
        hub.tcp.1883 lamp.udp.5683; do
        wait_for "$server" listens ${server//./ }
    done
}
# listens HOST tcp|udp PORT
listens() { within "$1" ss --no-header --listening --numeric "--$2" "sport = :$3" | grep -q .; }

# A driverless printer: CUPS's own, which publishes itself by avahi over D-Bus.
start_inkjet() {
    static inkjet
    mkdir -p $W/inkjet
    cat >$W/inkjet/dbus.conf <<-'END'
		<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
		<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>
	END
    printf '%s\n' '[server]' host-name=inkjet allow-interfaces=eth0 '[publish]' publish-workstation=no >$W/inkjet/avahi.conf
    on inkjet ipp bash -c "mkdir -p /run/dbus
        dbus-daemon --config-file=$W/inkjet/dbus.conf --nofork --nopidfile &
        until [ -S /run/dbus/system_bus_socket ]; do sleep 0.1; done
        avahi-daemon --no-drop-root --no-chroot --no-rlimits -f $W/inkjet/avahi.conf &
        until [ -e /run/avahi-daemon/pid ]; do sleep 0.1; done
        exec ippeveprinter -p 631 -d $W/inkjet -M EPSON -m 'ET-2850 Series' -f application/pdf,image/jpeg 'EPSON ET-2850 Series'"
}

# The traffic of people and machines: names, pages, calls, queries, and ARP requests for an address that nobody has.
use_devices() {
    local web="http://192.0.2.80/" silent=10.99.0.250
    cat >$W/register.xml <<-'END'
		<?xml version="1.0"?><scenario name="register"><send retrans="500"><![CDATA[
		REGISTER sip:[remote_ip] SIP/2.0
		Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
		From: <sip:1001@[remote_ip]>;tag=[call_number]
		To: <sip:1001@[remote_ip]>
		Call-ID: [call_id]
		CSeq: 1 REGISTER
		Contact: <sip:1001@[local_ip]:[local_port]>
		Max-Forwards: 70
		User-Agent: PolycomVVX-VVX_411-UA/5.9.0.9373
		Expires: 3600
		Content-Length: 0

		]]></send><pause milliseconds="200"/></scenario>
	END
    on phone sip sipp 192.0.2.80:5060 -sf $W/register.xml -i "$(address phone)" -m 1 -nostdin -timeout 60
    on laptop web curl -sS -m 60 -A "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36" $web
    on laptop ping ping -c 2 -W 1 $silent
    on laptop names nmblookup -s $W/nas.smb.conf -B 10.99.0.255 LABNAS
    on pixel web curl -sS -m 60 -A "Mozilla/5.0 (Linux; Android 14; Pixel 8)" $web
    on nuc ssh ssh -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o ConnectTimeout=60 "$(address nas)" true
    on nuc snmp bash -c "snmpget -v2c -c public -t 20 $(address printer) 1.3.6.1.2.1.1.1.0
        snmpget -v2c -c public -t 20 $(address ups) 1.3.6.1.2.1.1.1.0
        snmpget -v2c -c public -t 20 $(address plc) 1.3.6.1.2.1.1.1.0"
    on laptop ipp ipptool -t -T 60 "ipp://$(address inkjet):631/ipp/print" get-printer-attributes.test
    on plug mqtt bash -c "for n in 1 2 3; do
        mosquitto_pub -h $(address hub) -i shellyplug-s-AA0027 -t shellies/shellyplug-s-AA0027/relay/0 -m on; sleep 1; done"
    on hub coap coap-client-notls -B 60 -m get "coap://$(address lamp)/.well-known/core"
    ot hub poll "$(address plc)"
    on build web curl -sS -m 60 $web
    for host in switch ap camera tv core access desk speaker bms; do on $host ping ping -c 3 -i 2 -W 1 192.0.2.80; done
    on build ping6 ping -6 -c 3 -i 2 fd00:99::1
}

# Waits for the conversations of use_devices: a silent device proves nothing.
check_devices() {
    wait_for "the inkjet's attributes" says laptop.ipp PASS
    wait_for "the plc's registers" says hub.ot 'registers=\[17, 17'
    wait_for "the lamp's resources" says hub.coap Internal
    wait_for "the plug at the broker" says hub.mqtt 'as shellyplug'
    wait_for "the plc's description" says nuc.snmp SIMATIC
    [ "$(wc -l <$W/log/bms.ot)" = 0 ] || die "the building controller reported errors"
}
