//! What devices say, and what they are.

use super::{NOBODY, builtin, classify};
use crate::census::Category;
use crate::classify::builtin::PACKS;
use crate::classify::source::Source;

/// Types, each with the evidence of a device in the naming schemes of its maker.
const DEVICES: &[(&str, &[(&str, &str)])] = &[
    (
        "printer",
        &[
            ("mdns.service", "_ipp._tcp"),
            ("mdns.txt", "_ipp._tcp.ty=Brother MFC-L3770CDW series"),
            ("mdns.txt", "_ipp._tcp.rp=ipp/print"),
        ],
    ),
    ("printer", &[("snmp.sys_descr", "Xerox AltaLink C8055; System 103.003.008.21200")]),
    ("printer", &[("http.server", "JC-HTTPD/1.14.18"), ("dhcp.hostname", "CanonMF645C")]),
    (
        "camera",
        &[
            ("wsd.types", "NetworkVideoTransmitter"),
            ("wsd.scopes", "onvif://www.onvif.org/hardware/IPC-HFW2431S"),
            ("wsd.scopes", "onvif://www.onvif.org/Profile/Streaming"),
        ],
    ),
    (
        "camera",
        &[
            ("dhcp.vendor_class", "AXIS,Network Camera,P3265-LV,11.2.68"),
            ("upnp.friendly_name", "AXIS P3265-LV - ACCC8E000001"),
        ],
    ),
    ("camera", &[("upnp.model_name", "DS-2DE4A425IWG-E"), ("upnp.manufacturer", "HIKVISION")]),
    (
        "video_recorder",
        &[
            ("upnp.model_name", "DS-7732NXI-K4"),
            ("wsd.scopes", "onvif://www.onvif.org/type/Network_Video_Recorder"),
        ],
    ),
    ("access_control", &[("http.title", "AXIS A1610 Network Door Controller")]),
    (
        "voip_phone",
        &[
            ("lldp.cap_enabled", "36"),
            ("lldp.sys_descr", "snom D862/10.1.159.12"),
            ("lldp.med_class", "3"),
            ("lldp.med_manufacturer", "snom"),
        ],
    ),
    (
        "voip_phone",
        &[("sip.user_agent", "Fanvil X6U 2.4.12 0c383e112233"), ("dhcp.vendor_class", "Fanvil X6U")],
    ),
    (
        "voip_phone",
        &[
            ("cdp.cap", "1168"),
            ("cdp.platform", "Cisco IP Phone 8861"),
            ("cdp.version", "sip88xx.14-1-1-0001-136"),
        ],
    ),
    (
        "video_conference",
        &[("cdp.platform", "Cisco Webex Room Kit Mini"), ("http.title", "Webex Room Kit Mini")],
    ),
    (
        "switch",
        &[
            ("lldp.cap_enabled", "20"),
            ("lldp.sys_descr", "Aruba JL661A 6300M 48G CL4 PoE 4SFP56 Swch FL.10.10.1010"),
        ],
    ),
    (
        "switch",
        &[
            ("snmp.sys_descr", "GS724Tv4 ProSafe 24-port Gigabit Ethernet Smart Switch, 6.3.1.19"),
            ("snmp.sys_object_id", "1.3.6.1.4.1.4526.100.4.36"),
        ],
    ),
    (
        "switch",
        &[
            ("cdp.cap", "40"),
            ("cdp.platform", "cisco C9300X-48HX"),
            (
                "cdp.version",
                "Cisco IOS Software [Cupertino], Catalyst L3 Switch Software (CAT9K_IOSXE), Version 17.9.4",
            ),
        ],
    ),
    (
        "access_point",
        &[("lldp.cap_enabled", "12"), ("lldp.sys_descr", "Mist Systems 802.11ax Access Point.")],
    ),
    (
        "access_point",
        &[("lldp.cap_enabled", "12"), ("lldp.sys_descr", "U6-LR, 6.5.28.14491"), ("mac.random", "true")],
    ),
    ("access_point", &[("cdp.platform", "cisco C9130AXI-B"), ("cdp.cap", "2")]),
    (
        "router",
        &[
            ("ssdp.nt", "urn:schemas-upnp-org:device:InternetGatewayDevice:1"),
            ("upnp.model_name", "FRITZ!Box 6690 Cable"),
            ("dhcp.server", "server"),
        ],
    ),
    ("router", &[("mndp.platform", "MikroTik"), ("mndp.board", "RB5009UG+S+")]),
    (
        "firewall",
        &[("snmp.sys_descr", "Palo Alto Networks PA-1400 series firewall"), ("ra.sender", "router")],
    ),
    (
        "firewall",
        &[
            ("lldp.sys_descr", "FortiGate-100F v7.2.5,build1517"),
            ("lldp.cap_enabled", "20"),
            ("dhcp.server", "server"),
        ],
    ),
    ("wireless_controller", &[("cdp.platform", "cisco C9800-L-F-K9"), ("cdp.cap", "1")]),
    (
        "smart_tv",
        &[
            ("upnp.model_name", "QE65Q80CATXZG"),
            ("ssdp.nt", "urn:samsung.com:device:RemoteControlReceiver:1"),
            ("dhcp.hostname", "Samsung"),
        ],
    ),
    (
        "smart_tv",
        &[
            ("mdns.service", "_googlecast._tcp"),
            ("mdns.txt", "_googlecast._tcp.md=BRAVIA 4K VH2"),
            ("dhcp.vendor_class", "android-dhcp-10"),
            ("dhcp.prl", "1,3,6,15,26,28,51,58,59,43,114"),
        ],
    ),
    (
        "media_player",
        &[
            ("mdns.service", "_googlecast._tcp"),
            ("mdns.txt", "_googlecast._tcp.md=Chromecast HD"),
            ("dhcp.vendor_class", "android-dhcp-12"),
        ],
    ),
    (
        "media_player",
        &[
            ("mdns.service", "_companion-link._tcp"),
            ("mdns.txt", "_companion-link._tcp.rpmd=AppleTV14,1"),
            ("dhcp.prl", "1,121,3,6,15,108,114,119,252"),
        ],
    ),
    (
        "smart_speaker",
        &[("mdns.service", "_sonos._tcp"), ("upnp.model_name", "Sonos Era 300"), ("stp.bridge", "sender")],
    ),
    (
        "av_receiver",
        &[
            ("upnp.model_name", "AVR-X4800H"),
            ("upnp.manufacturer", "Denon"),
            ("ssdp.server", "Linux/4.9 UPnP/1.0 HEOS/1.0"),
        ],
    ),
    ("projector", &[("http.realm", "EPSON EB-2250U projector")]),
    (
        "storage_nas",
        &[
            ("mdns.txt", "_http._tcp.vendor=Synology"),
            ("mdns.txt", "_http._tcp.model=DS1823xs+"),
            ("mdns.service", "_smb._tcp"),
            ("ssh.banner", "SSH-2.0-OpenSSH_8.2"),
        ],
    ),
    (
        "storage_nas",
        &[
            ("mdns.service", "_qdiscover._tcp"),
            ("snmp.sys_descr", "Linux TS-873A 5.10.60-qnap"),
            ("nbns.name", "NAS01<20>"),
        ],
    ),
    (
        "power",
        &[(
            "snmp.sys_descr",
            "APC Web/SNMP Management Card (MB:v4.1.0 PF:v7.0.8 PN:apc_hw21_aos_708.bin MN:AP9640)",
        )],
    ),
    ("power", &[("snmp.sys_object_id", "1.3.6.1.4.1.534.1"), ("http.title", "Eaton Gigabit Network Card")]),
    ("infrastructure_mgmt", &[("http.title", "iDRAC9 - Login"), ("dhcp.vendor_class", "iDRAC")]),
    (
        "infrastructure_mgmt",
        &[("http.server", "HPE-iLO-Server/1.30"), ("ssdp.server", "HPE-iLO/1.0 UPnP/1.0")],
    ),
    ("plc", &[("snmp.sys_descr", "Siemens, SIMATIC S7, CPU 1516-3 PN/DP, 6ES7 516-3AN02-0AB0")]),
    ("plc", &[("enip.device_type", "14"), ("enip.product", "5069-L320ER/A")]),
    ("drive", &[("enip.device_type", "2"), ("enip.product", "PowerFlex 755T")]),
    ("terminal_server", &[("snmp.sys_descr", "NPort 6650-16 Terminal Server")]),
    (
        "bms_controller",
        &[
            ("bacnet.vendor_id", "36"),
            ("bacnet.model", "JACE-9000"),
            ("http.server", "Niagara Web Server/1.1"),
        ],
    ),
    ("energy", &[("mdns.service", "_enphase-envoy._tcp"), ("mdns.hostname", "envoy")]),
    ("smart_plug", &[("kasa.type", "IOT.SMARTPLUGSWITCH"), ("kasa.model", "KP125M(US)")]),
    (
        "smart_plug",
        &[("mdns.txt", "_shelly._tcp.app=PlusPlugS"), ("dhcp.hostname", "shellyplusplugs-d4d4da000001")],
    ),
    (
        "smart_lighting",
        &[
            ("mdns.service", "_hap._tcp"),
            ("mdns.txt", "_hap._tcp.md=Nanoleaf Lines NL59"),
            ("mdns.txt", "_hap._tcp.ci=5"),
        ],
    ),
    ("thermostat", &[("mdns.txt", "_hap._tcp.ci=9"), ("mdns.txt", "_hap._tcp.md=ecobee Premium")]),
    ("vacuum", &[("dhcp.hostname", "roborock-vacuum-a62"), ("mdns.service", "_miio._udp")]),
    ("smart_hub", &[("ssdp.server", "Hue/1.0 UPnP/1.0 IpBridge/1.60.0"), ("mdns.service", "_hue._tcp")]),
    ("game_console", &[("dhcp.vendor_class", "PS5"), ("http.user_agent", "libhttp/8.20 (PlayStation 5)")]),
    (
        "e_reader",
        &[
            ("dhcp.hostname", "kindle-9b1c2d3e4"),
            (
                "http.user_agent",
                "Mozilla/5.0 (X11; U; Linux armv7l like Android; en-us) AppleWebKit/531.2+ Kindle/3.0+",
            ),
        ],
    ),
    (
        "workstation",
        &[
            ("dhcp.vendor_class", "MSFT 5.0"),
            ("dhcp.hostname", "DESKTOP-1A2B3C4"),
            ("dhcp.prl", "1,3,6,15,31,33,43,44,46,47,119,121,249,252"),
        ],
    ),
    (
        "laptop",
        &[("mdns.txt", "_companion-link._tcp.rpmd=MacBookPro18,4"), ("dhcp.hostname", "MacBook-Pro-von-Eva")],
    ),
    (
        "smartphone",
        &[
            ("dhcp.hostname", "iPhone-de-Lucia"),
            ("dhcp.prl", "1,121,3,6,15,108,114,119,252"),
            ("mac.random", "true"),
        ],
    ),
    ("smartphone", &[("dhcp.vendor_class", "android-dhcp-14"), ("dhcp.hostname", "Pixel-8-Pro")]),
    (
        "smartphone",
        &[("http.user_agent", "Dalvik/2.1.0 (Linux; U; Android 14; SM-S928B Build/UP1A.231005.007)")],
    ),
    (
        "server",
        &[
            ("ssh.banner", "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u2"),
            ("http.server", "nginx/1.18.0 (Ubuntu)"),
            ("dhcp.hostname", "fra-db03"),
        ],
    ),
    ("server", &[("cdp.platform", "VMware ESX"), ("lldp.sys_descr", "VMware ESX Releasebuild-21930508")]),
    ("thin_client", &[("dhcp.vendor_class", "wyse-5070"), ("dhcp.hostname", "WT7c8ae1000001")]),
];

#[test]
fn devices_are_classified_by_protocols_and_naming_schemes() {
    let taxonomy = builtin().taxonomy();
    let mut wrong = Vec::new();
    for (expected, said) in DEVICES {
        assert!(taxonomy.find(expected).is_some(), "{expected}");
        let what = classify(NOBODY, said);
        if what.kind != *expected {
            let reasons: Vec<String> =
                what.reasons.iter().map(|r| format!("{} {} {}", r.rule, r.says, r.weight)).collect();
            wrong.push(format!("{said:?}: {} instead of {expected}: {reasons:#?}", what.kind));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_do_not_contradict_each_other_on_their_own_examples() {
    let taxonomy = builtin().taxonomy();
    let category = |key: &str| {
        let id = taxonomy.find(key)?;
        let top = taxonomy.lineage(id).last()?;
        taxonomy.node(top).map(|n| n.category)
    };
    let mut wrong = Vec::new();
    for (_, text) in PACKS {
        let pack: toml::Table = toml::from_str(text).unwrap();
        for rule in pack["rule"].as_array().unwrap() {
            let source: Source = rule["evidence"].as_str().unwrap().parse().unwrap();
            for test in rule["tests"].as_array().unwrap() {
                let expect = |key: &str| test.get("expect")?.get(key)?.as_str();
                let Some(expected) = expect("type").or_else(|| expect("category")).and_then(category) else {
                    continue;
                };
                let (field, value) = source.example(test["in"].as_str().unwrap());
                let mut said = vec![(field, value)];
                for (path, value) in test.get("with").and_then(|w| w.as_table()).into_iter().flatten() {
                    said.push(path.parse::<Source>().unwrap().example(value.as_str().unwrap()));
                }
                let said: Vec<(&str, &str)> = said.iter().map(|(f, v)| (f.name(), v.as_str())).collect();
                let what = classify(NOBODY, &said);
                // Weak evidence may leave the device unclassified.
                if what.category != expected && what.category != Category::Unclassified {
                    let why: Vec<_> = what.reasons.iter().map(|r| (&r.rule, &r.says, r.weight)).collect();
                    wrong.push(format!("{} {said:?}: {:?} {why:?}", rule["id"], what.category));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
