//! What a device said of itself: evidence, kept as said; conclusions are derived from it by rules.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::time::Timestamp;
use super::windows::Windows;

/// The longest value in bytes; longer ones are cut at a character's boundary.
pub const VALUE_BYTES: usize = 256;

/// Evidence that is not independent of each other: of one family, only the strongest counts.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// What network gear announces to its neighbours: LLDP, CDP and the like.
    Neighbour,
    /// Spanning tree and link aggregation.
    Bridge,
    /// Forwarding, router advertisements, routing protocols, serving DHCP.
    Routing,
    Snmp,
    Dhcp,
    /// The names that a host gives itself, over any protocol.
    Hostname,
    Mdns,
    Ssdp,
    Wsd,
    Netbios,
    Http,
    /// Telephony.
    Voice,
    /// Cameras and media servers.
    Stream,
    /// Industrial and building protocols.
    Industrial,
    Ssh,
    /// Greetings of FTP, SMTP and Telnet servers, and printers.
    Banner,
    /// What the programs of Windows networks exchange: SMB, NTLM, Kerberos, LDAP, RDP.
    Smb,
    /// Makers' own discovery, and messaging of things.
    Things,
    Medical,
    Tls,
    /// What a host looks for: names it resolves and asks for.
    Lookup,
    /// How its packets are built.
    Stack,
    Mac,
    Other,
}

impl Family {
    /// How many families there are.
    pub const COUNT: usize = Self::Other as usize + 1;

    /// Whether devices say such things every few seconds or minutes, so that one frame of them in a long time is odd.
    pub const fn is_periodic(self) -> bool {
        matches!(self, Self::Neighbour | Self::Bridge | Self::Routing)
    }
}

macro_rules! fields {
    ($($(#[doc = $doc:literal])* $variant:ident: $family:ident = $name:literal,)*) => {
        /// A field of evidence, by the name under which rules, documents and the console know it.
        ///
        /// The order is the order of importance: at a bound, later fields are dropped first.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum Field { $($(#[doc = $doc])* $variant,)* }

        impl Field {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The family whose evidence the field is.
            #[inline]
            pub const fn family(self) -> Family {
                match self { $(Self::$variant => Family::$family,)* }
            }
        }
    };
}

fields! {
    /// The chassis id as `subtype:hex`, IEEE 802.1AB 8.5.2. Ties MACs (I8c).
    LldpChassisId: Neighbour = "lldp.chassis_id",
    /// The device id TLV of CDP. Ties MACs (I8c).
    CdpDeviceId: Neighbour = "cdp.device_id",
    /// The authoritative engine id as hex, RFC 3411. Ties MACs (I8c).
    SnmpEngineId: Snmp = "snmp.engine_id",
    /// Vendor number and serial number as `vendor:serial` in hex, CIP identity object. Ties MACs (I8c).
    EnipSerial: Industrial = "enip.serial",
    /// The DHCP client identifier as hex, RFC 2132 9.14; of a type-255 one only the DUID (see `dhcp.duid`). Ties leases (I8c).
    DhcpClientId: Dhcp = "dhcp.client_id",
    /// The DUID as hex, from DHCPv6 (RFC 8415) or inside a DHCPv4 client identifier (RFC 4361). Ties leases (I8c).
    DhcpDuid: Dhcp = "dhcp.duid",

    /// Enabled capabilities, decimal bits of IEEE 802.1AB table 8-4.
    LldpCapEnabled: Neighbour = "lldp.cap_enabled",
    /// System description.
    LldpSysDescr: Neighbour = "lldp.sys_descr",
    /// System name.
    LldpSysName: Neighbour = "lldp.sys_name",
    /// Port description.
    LldpPortDescr: Neighbour = "lldp.port_descr",
    /// LLDP-MED device class, decimal (ANSI/TIA-1057).
    LldpMedClass: Neighbour = "lldp.med_class",
    /// LLDP-MED inventory: model.
    LldpMedModel: Neighbour = "lldp.med_model",
    /// LLDP-MED inventory: manufacturer.
    LldpMedManufacturer: Neighbour = "lldp.med_manufacturer",
    /// LLDP-MED inventory: firmware revision.
    LldpMedFirmware: Neighbour = "lldp.med_fw",
    /// LLDP-MED inventory: serial number.
    LldpMedSerial: Neighbour = "lldp.med_serial",
    /// CDP capabilities, decimal bits.
    CdpCap: Neighbour = "cdp.cap",
    /// CDP platform.
    CdpPlatform: Neighbour = "cdp.platform",
    /// CDP software version.
    CdpVersion: Neighbour = "cdp.version",
    /// Platform of an MNDP announcement (MikroTik).
    MndpPlatform: Neighbour = "mndp.platform",
    /// Board name of an MNDP announcement.
    MndpBoard: Neighbour = "mndp.board",
    /// Software version of an MNDP announcement.
    MndpVersion: Neighbour = "mndp.version",
    /// Identity of an MNDP announcement.
    MndpIdentity: Neighbour = "mndp.identity",
    /// Model, short or long, of a Ubiquiti discovery answer.
    UbntModel: Neighbour = "ubnt.model",
    /// Firmware of a Ubiquiti discovery answer.
    UbntFirmware: Neighbour = "ubnt.firmware",
    /// Host name of a Ubiquiti discovery answer.
    UbntHostname: Neighbour = "ubnt.hostname",
    /// Display name of an Extreme discovery (EDP) announcement.
    EdpName: Neighbour = "edp.name",
    /// Software version of an EDP announcement.
    EdpVersion: Neighbour = "edp.version",
    /// Device id of a Foundry discovery (FDP) announcement.
    FdpDeviceId: Neighbour = "fdp.device_id",
    /// Platform of an FDP announcement.
    FdpPlatform: Neighbour = "fdp.platform",
    /// Software version of an FDP announcement.
    FdpVersion: Neighbour = "fdp.version",
    /// What a sender of CAPWAP control is: `access_point` or `controller` (RFC 5415); `unifi_device` of one that reports to a UniFi controller: access point, switch or gateway.
    CapwapRole: Neighbour = "capwap.role",
    /// Model in the board data of a CAPWAP access point.
    CapwapModel: Neighbour = "capwap.model",
    /// `sender` for a bridge that sends BPDUs (IEEE 802.1D).
    StpBridge: Bridge = "stp.bridge",
    /// `sender` of link aggregation control, by a system (IEEE 802.1AX).
    LacpSystem: Bridge = "lacp.system",
    /// A routing or first-hop protocol that the MAC speaks: `vrrp`, `hsrp`, `glbp`, `carp`, `ospf`, `eigrp`, `isis`.
    RouterProtocol: Routing = "router.protocol",
    /// What else the sender does for routing and multicast: `rip` (RIPng too), `babel`, `bgp`, `ldp`, `pim`, `igmp_querier`, `mld_querier`; and as a switch among Cisco's: `vtp`, `dtp`, `udld`, `pagp`.
    RouterTask: Routing = "router.task",
    /// Side of port authentication (IEEE 802.1X): `authenticator` or `supplicant`.
    EapolRole: Other = "eapol.role",
    /// `router` for a sender of router advertisements with a lifetime (RFC 4861 4.2).
    RaSender: Routing = "ra.sender",
    /// `server` for a sender of DHCP offers and acknowledgements.
    DhcpServer: Routing = "dhcp.server",
    /// What the host does to run the network: `dns_server`, `dhcp_relay`, `dhcp6_server`, `flow_exporter`, `radius_client` (also `:ethernet`, `:wireless`, the ports that people sign in through), `radius_server`, `tacacs_client`, `tacacs_server`, `bfd`, `port_mapping`, `redirect` and `time_exceeded` (of ICMP), `keepalive` (Cisco), `mop` (DEC), `pppoe_server`, `pppoe_client`, `sonmp` (Nortel), `ccp` (Check Point), `papi` (Aruba), `log:ios` and `log:firewall` (messages in the form of such gear), `gre` (an end of a tunnel), `lisp`, `auto_rp`, `gtp`, `openflow_switch`, `openflow_controller`.
    NetworkTask: Other = "network.task",

    /// Option 60.
    DhcpVendorClass: Dhcp = "dhcp.vendor_class",
    /// Option 55 as decimal numbers with commas, in the order sent.
    DhcpPrl: Dhcp = "dhcp.prl",
    /// How a client begins: `discover`, or `init_reboot` of a REQUEST for an address that it remembers (RFC 2131 4.3.2). Its earliest time shows which addresses are older than the lease (I8b).
    DhcpBoot: Dhcp = "dhcp.boot",
    /// The order of all options of a DISCOVER or REQUEST, decimal with commas.
    DhcpOptionOrder: Dhcp = "dhcp.option_order",
    /// Option 12.
    DhcpHostname: Dhcp = "dhcp.hostname",
    /// Option 81.
    DhcpFqdn: Dhcp = "dhcp.fqdn",
    /// Option 77.
    DhcpUserClass: Dhcp = "dhcp.user_class",
    /// Option 57, decimal.
    DhcpMaxSize: Dhcp = "dhcp.max_size",
    /// DHCPv6 vendor class data (RFC 8415 21.16).
    Dhcp6VendorClass: Dhcp = "dhcp6.vendor_class",
    /// Enterprise number of the DHCPv6 vendor class, decimal.
    Dhcp6Enterprise: Dhcp = "dhcp6.enterprise",
    /// DHCPv6 option request as decimal numbers with commas, in the order sent.
    Dhcp6Oro: Dhcp = "dhcp6.oro",
    /// DHCPv6 client FQDN (RFC 4704).
    Dhcp6Fqdn: Dhcp = "dhcp6.fqdn",

    /// sysDescr of an SNMP answer.
    SnmpSysDescr: Snmp = "snmp.sys_descr",
    /// sysObjectID of an SNMP answer, dotted.
    SnmpSysObjectId: Snmp = "snmp.sys_object_id",
    /// sysName of an SNMP answer.
    SnmpSysName: Snmp = "snmp.sys_name",
    /// `vendor-number` of an EtherNet/IP identity.
    EnipVendorId: Industrial = "enip.vendor_id",
    /// Device type number of an EtherNet/IP identity.
    EnipDeviceType: Industrial = "enip.device_type",
    /// Product name of an EtherNet/IP identity.
    EnipProduct: Industrial = "enip.product",
    /// Firmware revision of an EtherNet/IP identity, `major.minor`.
    EnipRevision: Industrial = "enip.revision",
    /// Vendor number of a BACnet I-Am (ASHRAE 135).
    BacnetVendorId: Industrial = "bacnet.vendor_id",
    /// Model name property of a BACnet device object.
    BacnetModel: Industrial = "bacnet.model",
    /// Object name property of a BACnet device object.
    BacnetName: Industrial = "bacnet.name",
    /// Firmware revision property of a BACnet device object.
    BacnetFirmware: Industrial = "bacnet.firmware",
    /// Side of Modbus/TCP: `server` or `client`.
    ModbusRole: Industrial = "modbus.role",
    /// Vendor name of a Modbus device identification (function 43/14).
    ModbusVendor: Industrial = "modbus.vendor",
    /// Product code, product name or model name of a Modbus device identification.
    ModbusProduct: Industrial = "modbus.product",
    /// Revision of a Modbus device identification.
    ModbusRevision: Industrial = "modbus.revision",
    /// Side of S7comm: `server` or `client`.
    S7Role: Industrial = "s7.role",
    /// Order number or module name of an S7comm system status list.
    S7Module: Industrial = "s7.module",
    /// Plant or station name of an S7comm system status list.
    S7Name: Industrial = "s7.name",
    /// Firmware of an S7comm system status list.
    S7Firmware: Industrial = "s7.firmware",
    /// `vendor:device` in hex of a PROFINET DCP answer (IEC 61158-6-10).
    PnDevice: Industrial = "pn.device",
    /// Device roles of a PROFINET DCP answer, decimal bits: 1 device, 2 controller, 4 multidevice, 8 supervisor.
    PnRole: Industrial = "pn.role",
    /// Name of station of a PROFINET DCP answer.
    PnStation: Industrial = "pn.station",
    /// Manufacturer-specific string (type of station) of a PROFINET DCP answer.
    PnType: Industrial = "pn.type",
    /// Side of an industrial protocol, `protocol:side`; a controller that polls its devices is their client.
    /// `server` or `client` of `bacnet`, `enip`, `profinet`, `dnp3`, `iec104`, `c37118`, `mms`, `opcua`, `fins`, `melsec`, `hartip`, `codesys`, `ads`, `fox`, `knx`, `powerlink`, `hislip`; `sender` of `profinet`, `codesys`, `ethercat`, `goose`, `sv`, `sercos`, `knx`, `lon`; also `bacnet:router`, `enip:io`.
    OtRole: Industrial = "ot.role",
    /// Application name or uri of an OPC UA server's description.
    OpcuaName: Industrial = "opcua.name",
    /// Product uri of an OPC UA server's description.
    OpcuaProduct: Industrial = "opcua.product",
    /// What another industrial protocol's identification says, `protocol:text`: `mms:vendor model revision`, `fins:model version`, `melsec:model`, `ads:name version`, `fox:key=value`, `c37118:station`, `dnp3:text`, `goose:control block`, `sv:stream`, `powerlink:vendor:product` in hex or its host name, `hislip:maker,model,firmware`.
    OtIdentity: Industrial = "ot.identity",
    /// Friendly name of a KNXnet/IP device.
    KnxName: Industrial = "knx.name",
    /// KNX medium, decimal, of a KNXnet/IP device.
    KnxMedium: Industrial = "knx.medium",
    /// Application entity title that a DICOM association names for its sender.
    DicomAet: Medical = "dicom.aet",
    /// Implementation version name of a DICOM association's sender.
    DicomImplementation: Medical = "dicom.implementation",
    /// What the sender does in DICOM: `scu` or `scp`, with the abstract syntaxes' names where known, `scu:CTImageStorage`.
    DicomRole: Medical = "dicom.role",
    /// Sending application of an HL7 v2 message (MSH-3).
    Hl7Application: Medical = "hl7.application",
    /// User-Agent of a SIP request.
    SipUserAgent: Voice = "sip.user_agent",
    /// Server of a SIP answer.
    SipServer: Voice = "sip.server",
    /// Server of an RTSP answer, or its authentication realm as `realm=…`.
    RtspServer: Stream = "rtsp.server",
    /// Product of an H.323 message.
    H323Product: Voice = "h323.product",
    /// A media stream that the sender keeps up over RTP, by payload type: `audio`, `video`.
    RtpMedia: Voice = "rtp.media",

    /// A service type that the host offers, `_ipp._tcp` (RFC 6763).
    MdnsService: Mdns = "mdns.service",
    /// A TXT entry of an offered service as `_service._proto.key=value` (RFC 6763 6).
    MdnsTxt: Mdns = "mdns.txt",
    /// The instance name of an offered service.
    MdnsInstance: Mdns = "mdns.instance",
    /// The host's own `.local` name without the suffix.
    MdnsHostname: Mdns = "mdns.hostname",
    /// NT of an SSDP NOTIFY, ST of an SSDP answer.
    SsdpType: Ssdp = "ssdp.nt",
    /// Server of an SSDP NOTIFY or answer.
    SsdpServer: Ssdp = "ssdp.server",
    /// User-Agent of an SSDP search.
    SsdpUserAgent: Ssdp = "ssdp.user_agent",
    /// Device type of a UPnP description.
    UpnpDeviceType: Ssdp = "upnp.device_type",
    /// Manufacturer of a UPnP description.
    UpnpManufacturer: Ssdp = "upnp.manufacturer",
    /// Model name of a UPnP description.
    UpnpModelName: Ssdp = "upnp.model_name",
    /// Model number of a UPnP description.
    UpnpModelNumber: Ssdp = "upnp.model_number",
    /// Model description of a UPnP description.
    UpnpModelDescription: Ssdp = "upnp.model_description",
    /// Friendly name of a UPnP description.
    UpnpFriendlyName: Ssdp = "upnp.friendly_name",
    /// WS-Discovery types, one a value, prefix stripped of its namespace alias.
    WsdTypes: Wsd = "wsd.types",
    /// WS-Discovery scopes, one a value.
    WsdScopes: Wsd = "wsd.scopes",
    /// Model of a Kasa or Tapo device's own answer.
    KasaModel: Things = "kasa.model",
    /// Type of a Kasa or Tapo device's own answer, `IOT.SMARTPLUGSWITCH`.
    KasaType: Things = "kasa.type",
    /// Product key or version of a Tuya broadcast; `broadcast` if it is encrypted, `device` for the device's side of a session.
    TuyaProduct: Things = "tuya.product",
    /// `vendor:product`, decimal, of a LIFX version answer; `state` of other answers.
    LifxProduct: Things = "lifx.product",
    /// Identity of another maker's own discovery, `protocol:model`, or `protocol` if it names none. Devices: `wiz`,
    /// `yeelight`, `dahua`, `sadp` (Hikvision), `bjnp` (Canon), `epson`, `synology`, `crestron`, `govee`, `hiflying`
    /// (Wi-Fi module), `miio` (Xiaomi), `moxa` (model number in hex), `sccp` (Cisco telephone, device type in decimal).
    /// Programs: `dropbox:lan`, `spotify:lan`, `steam:windows` (or `linux`, `macos`, `android`, `ios`, `client`),
    /// `syncthing`, `mscdp:windows_laptop` (or `windows_desktop`, `windows_tablet`, `xbox`, `android`, …), `kdeconnect:phone` (or `desktop`, `laptop`, `tablet`, `tv`), `localsend:mobile` (or `desktop`, …).
    DiscoveryIdentity: Things = "discovery.identity",
    /// Side and path of CoAP, `server:/cit/s`, `client:/oic/res`; `server:` of any answer.
    CoapPath: Things = "coap.path",
    /// Client identifier of an MQTT connection.
    MqttClientId: Things = "mqtt.client_id",
    /// Topic that an MQTT client publishes or subscribes to.
    MqttTopic: Things = "mqtt.topic",
    /// Server type of a browse announcement, decimal bits (MS-BRWS 2.2.6).
    BrowserServerType: Netbios = "browser.server_type",
    /// Operating system version of a browse announcement, `major.minor`.
    BrowserOsVersion: Netbios = "browser.os_version",
    /// Comment of a browse announcement.
    BrowserComment: Netbios = "browser.comment",
    /// A NetBIOS name that the host registers or defends, with its suffix as `NAME<00>`; a group's as `NAME<00> group`.
    NbnsName: Netbios = "nbns.name",
    /// The name that an LLMNR answer claims.
    LlmnrName: Netbios = "llmnr.name",
    /// User-Agent of an HTTP request.
    HttpUserAgent: Http = "http.user_agent",
    /// Server of an HTTP answer.
    HttpServer: Http = "http.server",
    /// WWW-Authenticate realm of an HTTP answer.
    HttpRealm: Http = "http.realm",
    /// Title of an HTML page that an HTTP answer bears.
    HttpTitle: Http = "http.title",
    /// Host of an HTTP request in lower case, without its port; no addresses and single labels.
    HttpHost: Lookup = "http.host",
    /// printer-make-and-model or printer-device-id of an IPP answer.
    IppPrinter: Http = "ipp.printer",
    /// Model that a printer answers to a PJL INFO ID or INFO PRODINFO.
    PjlId: Banner = "pjl.id",
    /// The identification line of an SSH server.
    SshBanner: Ssh = "ssh.banner",
    /// Greeting of an FTP server.
    FtpBanner: Banner = "ftp.banner",
    /// Greeting of an SMTP server, without its date.
    SmtpBanner: Banner = "smtp.banner",
    /// Text that a Telnet server greets with.
    TelnetBanner: Banner = "telnet.banner",
    /// NTLM: the sender's version of Windows, `10.0.19045`; other systems send one too, Samba `6.1.0`.
    NtlmVersion: Smb = "ntlm.version",
    /// NTLM: workstation name.
    NtlmWorkstation: Smb = "ntlm.workstation",
    /// NTLM: names of a server's challenge, `dns=…`, `netbios=…`; those of its domain `dns_domain=…`, `domain=…`, which are the server's own if it is not in a domain.
    NtlmTarget: Smb = "ntlm.target",
    /// Native OS of SMB 1.
    SmbNativeOs: Smb = "smb.native_os",
    /// Native LAN manager of SMB 1.
    SmbNativeLanman: Smb = "smb.native_lanman",
    /// Side and dialect of SMB, the client's highest: `server:3.1.1`, `client:2.1`; `server:1`, `client:1` for the first version, `client:2.x` if the client offers to go on.
    SmbDialect: Smb = "smb.dialect",
    /// Side and realm of Kerberos, `client:EXAMPLE.COM`, `kdc:EXAMPLE.COM`.
    KerberosRealm: Smb = "kerberos.realm",
    /// Name that a client signs in with by Kerberos if it is a machine's, `host$` or `host/host.example.com`.
    KerberosMachine: Smb = "kerberos.machine",
    /// What an LDAP server says of itself, `dns=…`, `vendor=…`, `version=…`, `class=…` (object class), `service=…` (of Active Directory); in a domain controller's ping also `dns_domain=…`, `netbios=…`; `server` of any answer.
    LdapServer: Smb = "ldap.server",
    /// Side of RDP: `server`, or `client` with its cookie's name, `client:name`.
    RdpRole: Smb = "rdp.role",
    /// Server and instance of an SQL Server browser answer, `server\instance`, and `version=15.0.2000.5` of that or of an answer to a login.
    MssqlInstance: Smb = "mssql.instance",

    /// What the host does in time keeping: `server` of an answer (NTP mode 4), `broadcast` (mode 5), `client` of a request.
    NtpRole: Other = "ntp.role",
    /// How the stack opens a TCP connection, `4:64:1460:mss*44,7:mss,sok,ts,nop,ws:df,id+`: IP version, TTL, segment size, window and scale, options, marks; own notation, described at the dissector (`protocol/host/tcp.rs`).
    TcpSyn: Stack = "tcp.syn",
    /// The same of a SYN-ACK.
    TcpSynAck: Stack = "tcp.syn_ack",
    /// A TCP port that the host accepts connections on, decimal, below 32,768.
    TcpListens: Stack = "tcp.listens",
    /// The TTL its packets start with, decimal: 30, 32, 64, 128 or 255.
    IpTtl: Stack = "ip.ttl",
    /// Common name of a TLS server's own certificate.
    TlsSubject: Tls = "tls.subject",
    /// Organisation or common name of the issuer of a TLS server's certificate.
    TlsIssuer: Tls = "tls.issuer",
    /// Alternative name of a TLS server's own certificate.
    TlsSan: Tls = "tls.san",
    /// JA4 of a TLS or QUIC client hello (BSD-3 method).
    TlsJa4: Tls = "tls.ja4",
    /// Application protocol that a TLS or QUIC client offers, without those of HTTP.
    TlsAlpn: Tls = "tls.alpn",
    /// Server name of a TLS or QUIC client hello, in lower case.
    TlsSni: Lookup = "tls.sni",
    /// Name that the host looks up by DNS, in lower case; no reverse look-ups and single labels.
    DnsQuery: Lookup = "dns.query",

    /// Vendor of the MAC's prefix. Derived when classifying, never stored.
    MacVendor: Mac = "mac.oui_vendor",
    /// The category or type of nearly all that this vendor makes, a key of the taxonomy. Derived when classifying, never stored.
    MacMakes: Mac = "mac.makes",
    /// `true` for a randomised MAC. Derived when classifying, never stored.
    MacRandom: Mac = "mac.random",
    /// What the census concluded about the MAC: `gateway` (it forwards). Derived when classifying, never stored.
    Behaviour: Routing = "behaviour",
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Field {
    type Err = UnknownField;

    fn from_str(name: &str) -> Result<Self, UnknownField> {
        Self::ALL
            .iter()
            .copied()
            .find(|f| f.name() == name)
            .ok_or_else(|| UnknownField(name.chars().take(60).collect()))
    }
}

impl Serialize for Field {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The name is not that of a field.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("unknown evidence field '{0}'")]
pub struct UnknownField(String);

/// One thing said: a field, its value, and the time of the first frame that said it.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Evidence {
    #[serde(rename = "f")]
    pub field: Field,
    /// The value: at most [`VALUE_BYTES`] bytes, without control characters. Many devices say the same, so values
    /// may be shared.
    #[serde(rename = "v")]
    pub value: Arc<str>,
    /// The earliest frame that said it.
    #[serde(rename = "t")]
    pub at: Timestamp,
    /// The windows in which it was said, from `at` on. Facts of older versions lack them.
    #[serde(rename = "w", default = "twice")]
    pub windows: Windows,
}

const fn twice() -> Windows {
    Windows::TWICE
}

impl Evidence {
    /// Said in one frame.
    pub fn new(field: Field, value: impl Into<Arc<str>>, at: Timestamp) -> Self {
        Self { field, value: value.into(), at, windows: Windows::ONCE }
    }

    pub(super) fn order(&self, other: &Self) -> Ordering {
        (self.field, &self.value).cmp(&(other.field, &other.value))
    }

    /// Joins the times of the same words; returns whether anything changed.
    pub(super) fn heard(&mut self, at: Timestamp, windows: Windows) -> bool {
        let before = (self.at, self.windows);
        (self.at, self.windows) = Windows::join(before, (at, windows));
        before != (self.at, self.windows)
    }
}

/// Makes a string from the network harmless: lossy UTF-8, control and format characters (bidirectional
/// overrides, zero-width marks) out, white space trimmed, at most [`VALUE_BYTES`] bytes. `None` if nothing is left.
pub fn clean(bytes: &[u8]) -> Option<String> {
    cleaned(bytes).map(Cow::into_owned)
}

/// As [`clean`], without a copy of what is clean.
pub fn cleaned(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let head = bytes.get(..VALUE_BYTES * 2).unwrap_or(bytes);
    // Most values are plain text.
    if let Ok(text) = str::from_utf8(head)
        && text.bytes().all(|b| matches!(b, b' '..=b'~'))
    {
        let text = text.get(..VALUE_BYTES).unwrap_or(text).trim();
        return (!text.is_empty()).then_some(Cow::Borrowed(text));
    }
    let mut out = String::new();
    for c in String::from_utf8_lossy(head).chars() {
        if c.is_control() || is_format(c) {
            if matches!(c, '\n' | '\r' | '\t') && !out.ends_with(' ') {
                out.push(' ');
            }
            continue;
        }
        if out.len() + c.len_utf8() > VALUE_BYTES {
            break;
        }
        out.push(c);
    }
    let trimmed = out.trim();
    (!trimmed.is_empty()).then(|| Cow::Owned(trimmed.to_owned()))
}

/// Whether nobody sees the character: it only says how others are written.
pub fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_from_the_network_lose_control_characters_and_length() {
        assert_eq!(clean(b" a\x1b[31mb\0\n c ").as_deref(), Some("a[31mb  c"));
        assert_eq!(clean("x\u{202e}y".as_bytes()).as_deref(), Some("xy"));
        assert_eq!(clean(b"\0\0\x01"), None);
        assert_eq!(clean(&[b'a'; 4000]).unwrap().len(), VALUE_BYTES);
        assert!(clean("ä".repeat(400).as_bytes()).unwrap().len() <= VALUE_BYTES);
    }

    #[test]
    fn every_field_is_found_by_its_name() {
        for field in Field::ALL {
            assert_eq!(field.name().parse::<Field>(), Ok(*field));
        }
        assert!("no.such".parse::<Field>().is_err());
    }
}
