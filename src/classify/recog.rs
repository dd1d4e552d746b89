//! Reads fingerprints in Recog's XML form, which an operator may put into the folder of rules: one file a database,
//! each fingerprint a pattern with parameters (github.com/rapid7/recog, `xml/fingerprints.xsd`). None are shipped.
//!
//! A database is read where it has a field here; the first of its patterns that matches a value speaks, or by saying
//! nothing silences the rest, as Recog has it. What it says is knowledge from elsewhere: weighed as from a registry,
//! so that what the built-in rules read from a device's own words comes first. Patterns are parsed when the file is
//! read, and compiled when a value needs them or in a test; one that does not compile is left out, counted and named.
//! No document type, and with it no entity, is accepted.

use std::path::Path;
use std::sync::Arc;

use roxmltree::{Document, Node, ParsingOptions};

use super::catalog::Origin;
use super::error::{Place, RuleError};
use super::matcher::Matcher;
use super::pack::Pack;
use super::rule::{Attribute, Kind, Rule, Saying, Template, Tier, What};
use super::source::Source;
use super::taxonomy::Taxonomy;
use crate::census::{Field, clean};

/// Fingerprints of one file.
const FINGERPRINTS: usize = 10_000;
/// Elements, attributes and texts of one file.
const NODES: u32 = 500_000;
/// Bytes of one pattern.
const PATTERN: usize = 4_096;
/// Parameters and examples of one fingerprint.
const CHILDREN: usize = 256;
/// Problems that are named; more are counted.
const NAMED: usize = 10;
/// Percent for a certainty of 1: a device's type, and everything else.
const TYPE: f64 = 75.0;
const TEXT: f64 = 70.0;

/// What a database is called, and where its values stand here.
fn source(database: &str) -> Option<Source> {
    let field = |f| Some(Source::Field(f));
    match database {
        "dhcp_vendor_class" => field(Field::DhcpVendorClass),
        "ftp.banner" => Some(Source::Greeting(Field::FtpBanner)),
        "smtp.banner" => Some(Source::Greeting(Field::SmtpBanner)),
        "html_title" => field(Field::HttpTitle),
        "http_header.server" => field(Field::HttpServer),
        "http_header.wwwauth" => field(Field::HttpRealm),
        "hp_pjl_id" => field(Field::PjlId),
        "mdns.device-info.txt" => Some(Source::Entry("_device-info._tcp".to_owned())),
        "rtsp_header.server" => field(Field::RtspServer),
        "sip_header.server" => field(Field::SipServer),
        "sip_header.user_agent" => field(Field::SipUserAgent),
        "smb.native_lm" => field(Field::SmbNativeLanman),
        "smb.native_os" => field(Field::SmbNativeOs),
        "snmp.sys_description" => Some(Source::Description),
        "snmp.sys_object_id" => field(Field::SnmpSysObjectId),
        "ssdp_header.server" => field(Field::SsdpServer),
        "ssh.banner" => Some(Source::SshSoftware),
        "telnet.banner" => field(Field::TelnetBanner),
        "x509.issuer" => field(Field::TlsIssuer),
        "x509.subject" => field(Field::TlsSubject),
        _ => None,
    }
}

/// Recog's words for a device, in the taxonomy's.
fn kind(device: &str) -> Option<&'static str> {
    Some(match device {
        "ADSL Modem" | "ATM DSL Unit" | "CSU/DSU" | "Cable Modem" | "DOCSIS Cable Modem" | "DSL Modem"
        | "DSU/CSU" => "modem",
        "ADSL Router" | "Broadband Router" | "Router" | "SD-WAN Appliance" => "router",
        "AV Receiver" => "av_receiver",
        "Access Control" => "access_control",
        "Alarm Panel" => "alarm_panel",
        "Audio Encoder" | "Network Audio" => "audio_endpoint",
        "Building Automation" => "bms_controller",
        "Check Scanner" | "Handheld Scanner" | "Network Scanner" | "Scanner" => "scanner",
        "Copier" | "Fax Server" | "Multifunction Device" | "Print Server" | "Printer" => "printer",
        "DVR" => "video_recorder",
        "Desktop" | "Workstation" => "workstation",
        "Device Server" => "terminal_server",
        "Environment Control" | "Sensor" => "sensor",
        "Firewall" | "IDS" | "IPS" | "SSL-VPN" | "Security Appliance" | "VPN" => "firewall",
        "Game Console" => "game_console",
        "HMI Controller" => "hmi",
        "Hub" | "Switch" => "switch",
        "Hypervisor" | "Mainframe" | "Server" => "server",
        "IP Camera" => "camera",
        "Industrial Control" | "Power Relay" | "Relay Controller" => "ot_device",
        "KVM" | "Lights Out Management" | "Management Processor" | "Onboard Administrator" => {
            "infrastructure_mgmt"
        }
        "Laptop" => "laptop",
        "Light Bulb" => "smart_lighting",
        "Load Balancer" => "load_balancer",
        "Media Receiver" => "media_player",
        "Mobile" => "mobile_other",
        "Mobile Phone" => "smartphone",
        "NAC" | "Network" | "Network Appliance" | "Network Management Device" => "network_other",
        "NAS" | "Storage" | "Storage Appliance" | "Tape Library" | "Tape library" => "storage_nas",
        "PDU" | "Power Device" | "UPS" => "power",
        "PLC" => "plc",
        "Point of Sale" => "pos_terminal",
        "Powerline" => "powerline",
        "HiPath" | "Media Gateway" | "SIP Device" | "SIP Gateway" | "VoIP" | "VoIP Server"
        | "VoIP Switch" | "Voice Appliance" => "telephony",
        "Smart TV" => "smart_tv",
        "Tablet" => "tablet",
        "Thin Client" => "thin_client",
        "Video Conference" | "Video Conferencing" | "ViewStation" => "video_conference",
        "Video Decoder" | "Video Encoder" | "Whiteboard" | "Wireless Presenter" => "audio_video",
        "WAN Accelerator" => "wan_optimizer",
        "WAP" | "WLAN Repeater" => "access_point",
        "Web Proxy" => "web_proxy",
        "Wireless Controller" => "wireless_controller",
        _ => return None,
    })
}

/// Reads a file; `thorough` compiles every pattern and runs the examples.
pub(super) fn read(
    file: &str,
    text: &str,
    taxonomy: &Taxonomy,
    thorough: bool,
    errors: &mut Vec<RuleError>,
) -> Pack {
    let mut pack = Pack::default();
    let mut refuse = |line: u32, column: u32, reason: String| {
        let place = Place { file: file.to_owned(), line: line as usize, column: column as usize };
        errors.push(RuleError::Syntax { place, reason });
    };
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES, ..ParsingOptions::default() };
    let document = match Document::parse_with_options(text, options) {
        Ok(document) => document,
        Err(e) => {
            refuse(e.pos().row, e.pos().col, format!("no XML that is read here: {e}"));
            return pack;
        }
    };
    let root = document.root_element();
    let fingerprints = || root.children().filter(|n| n.has_tag_name("fingerprint"));
    if !root.has_tag_name("fingerprints") {
        refuse(1, 1, format!("the document is <{}>; Recog's is <fingerprints>", root.tag_name().name()));
        return pack;
    }
    if fingerprints().count() > FINGERPRINTS {
        refuse(1, 1, format!("more than {FINGERPRINTS} fingerprints; split the file"));
        return pack;
    }
    // Some databases are named by their file alone.
    let stem = Path::new(file).file_stem().and_then(|s| s.to_str()).unwrap_or("recog");
    let database = root.attribute("matches").unwrap_or(stem);
    let Some(source) = source(database) else {
        let n = fingerprints().count();
        pack.notes
            .push(format!("{file}: no evidence is like '{database}'; its {n} fingerprints are left out"));
        return pack;
    };
    let preference = root.attribute("preference").and_then(share).unwrap_or(1.0);
    let own: Arc<str> = file.into();
    let mut problems = Vec::new();
    // Counted on the way: to count from the start for each of them would be slow in a long file.
    let (mut line, mut counted) = (1, 0);
    for node in fingerprints() {
        let start = node.range().start;
        line +=
            text.as_bytes().get(counted..start).unwrap_or_default().iter().filter(|b| **b == b'\n').count();
        counted = start;
        let mut problem = |what: String| problems.push(format!("{file}:{line}: {what}"));
        let origin = Origin { pack: "recog".into(), file: own.clone(), line };
        match fingerprint(node, &source, origin, stem, preference, taxonomy) {
            Ok((mut rule, examples)) => {
                if thorough {
                    for example in examples {
                        pack.tests += 1;
                        match rule.matcher.try_match(&example) {
                            Ok(true) => {}
                            Ok(false) => problem(format!("its example '{example}' does not match")),
                            Err(e) => problem(format!("the pattern is left out: {e}")),
                        }
                    }
                    rule.matcher.rest();
                }
                pack.rules.push(rule);
            }
            Err(why) => problem(format!("left out: {why}")),
        }
    }
    let more = problems.len().saturating_sub(NAMED);
    if !problems.is_empty() {
        pack.notes.push(format!(
            "{file}: {} of {} fingerprints or examples are not good",
            problems.len(),
            fingerprints().count()
        ));
    }
    pack.notes.extend(problems.into_iter().take(NAMED));
    if more > 0 {
        pack.notes.push(format!("{file}: and {more} more"));
    }
    pack
}

/// A certainty, 0 to 1.
fn share(text: &str) -> Option<f64> {
    text.parse().ok().filter(|c| (0.0..=1.0).contains(c))
}

/// One fingerprint, and its examples. The error says why it is of no use.
fn fingerprint(
    node: Node<'_, '_>,
    source: &Source,
    origin: Origin,
    stem: &str,
    preference: f64,
    taxonomy: &Taxonomy,
) -> Result<(Rule, Vec<String>), String> {
    let pattern = node.attribute("pattern").ok_or("it has no pattern")?;
    if pattern.len() > PATTERN || node.children().count() > CHILDREN * 2 {
        return Err("it is longer than what is read here".to_owned());
    }
    let flags = node.attribute("flags").unwrap_or_default();
    let part = Part::of(source);
    let pattern = part.pattern(pattern).ok_or("it looks at a part of the value that is not kept")?;
    let dot = if flags.contains("REG_DOT_NEWLINE") { "s" } else { "" };
    let matcher = Matcher::numbered(format!("(?m{dot}){pattern}"), !flags.contains("REG_ICASE"))?;
    let params: Vec<Param<'_>> =
        node.children().filter(|n| n.has_tag_name("param")).filter_map(Param::read).take(CHILDREN).collect();
    let certainty = node.attribute("certainty").and_then(share).unwrap_or(1.0) * preference;
    let examples = node
        .children()
        .filter(|n| n.has_tag_name("example") && !n.attributes().any(|a| a.name().starts_with('_')))
        .filter_map(|n| part.example(n.text()?))
        .take(CHILDREN);
    let description = node.children().find(|n| n.has_tag_name("description")).and_then(|n| n.text());
    let title = description.and_then(|t| clean(t.as_bytes())).unwrap_or_else(|| "a fingerprint".to_owned());
    let slug = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let database: String = stem.chars().map(slug).collect();
    let rule = Rule {
        id: format!("recog.{database}.{}", origin.line).into(),
        title: format!("A fingerprint of the operator's matches: {title}").into(),
        first_of: Some(origin.file.clone()),
        origin,
        kind: Kind::Registry,
        tier: Tier::Specific,
        family: None,
        source: source.clone(),
        matcher,
        also: Vec::new(),
        unless: Vec::new(),
        says: sayings(&params, certainty, taxonomy),
        map: None,
    };
    Ok((rule, examples.collect()))
}

/// What the parameters say in our words. Of several for one attribute the first that can be filled counts.
fn sayings(params: &[Param<'_>], certainty: f64, taxonomy: &Taxonomy) -> Vec<Saying> {
    let find = |name: &str| params.iter().find(|p| p.name == name).filter(|p| p.value != Some("Unknown"));
    let constant = |name: &str| find(name).and_then(|p| p.value);
    let sure = |part: &str| constant(part).and_then(share).unwrap_or(1.0) * certainty;
    let mut says = Vec::new();
    let percent = |most: f64, sure: f64| {
        // Within 1 to 80, so nothing is cut.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded just before")]
        let weight = (most * sure).round().clamp(1.0, f64::from(Kind::Registry.cap())) as u8;
        weight
    };
    let device = constant("hw.device").and_then(kind).map(|k| (k, sure("hw.certainty")));
    let device = device.or_else(|| constant("os.device").and_then(kind).map(|k| (k, sure("os.certainty"))));
    if let Some((key, sure)) = device
        && let Some(node) = taxonomy.find(key)
    {
        says.push(Saying { attribute: Attribute::Type, what: What::Node(node), weight: percent(TYPE, sure) });
    }
    let mut text = |attribute, names: &[&str], sure: f64| {
        let written: Option<Vec<String>> = names.iter().map(|n| find(n)?.template(params)).collect();
        let template = written.and_then(|parts| Template::parse(&parts.join(" ")).ok());
        if let Some(template) = template {
            says.push(Saying { attribute, what: What::Text(template), weight: percent(TEXT, sure) });
        }
    };
    let (hw, os) = (sure("hw.certainty"), sure("os.certainty"));
    text(Attribute::Vendor, &["hw.vendor"], hw);
    if device.is_some() {
        // Of a device, and not a computer that runs an operating system, the system's maker is its own.
        text(Attribute::Vendor, &["os.vendor"], os);
    }
    for names in [&["hw.product"], &["hw.model"], &["hw.family"]] {
        text(Attribute::Model, names, hw);
    }
    for names in
        [&["os.product", "os.version"][..], &["os.product"], &["os.family", "os.version"], &["os.family"]]
    {
        text(Attribute::Os, names, os);
    }
    text(Attribute::Firmware, &["hw.version"], hw);
    says
}

/// A parameter: a text, or a capture.
#[derive(Clone, Copy, Debug)]
struct Param<'a> {
    name: &'a str,
    position: u32,
    value: Option<&'a str>,
}

impl<'a> Param<'a> {
    fn read(node: Node<'a, '_>) -> Option<Self> {
        let position = node.attribute("pos")?.parse().ok()?;
        let value = node.attribute("value");
        (position > 0 || value.is_some()).then_some(Self { name: node.attribute("name")?, position, value })
    }

    /// Its text as a template of ours: captures by number, other parameters that it names put in.
    fn template(&self, params: &[Self]) -> Option<String> {
        let Some(value) = self.value else { return Some(format!("{{{}}}", self.position)) };
        let mut out = String::new();
        let mut rest = value;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, tail) = after.split_once('}')?;
            out.push_str(before);
            let named = params.iter().find(|p| p.name == name)?;
            match named.value {
                // One step deep, so that two cannot name each other for ever.
                Some(text) if !text.contains('{') => out.push_str(text),
                Some(_) => return None,
                None => out.push_str(&format!("{{{}}}", named.position)),
            }
            rest = tail;
        }
        out.push_str(rest);
        Some(out)
    }
}

/// The part of the value in Recog's patterns that is kept here.
#[derive(Clone, Copy, Debug)]
enum Part {
    Whole,
    /// The realm of `Basic realm="…"`.
    Realm,
    /// The common name of `CN=…`.
    CommonName,
}

impl Part {
    fn of(source: &Source) -> Self {
        match source {
            Source::Field(Field::HttpRealm) => Self::Realm,
            Source::Field(Field::TlsSubject | Field::TlsIssuer) => Self::CommonName,
            _ => Self::Whole,
        }
    }

    fn pattern(self, pattern: &str) -> Option<String> {
        match self {
            Self::Whole => Some(pattern.to_owned()),
            Self::Realm => {
                let (before, after) = pattern.split_once("realm=\"")?;
                // A capture before the realm would count among those that are left.
                let captures = before.replace("(?:", "").contains('(');
                let inside = after.split_once('"').map_or_else(|| after.to_owned(), |(i, _)| format!("{i}$"));
                (!captures).then(|| format!("^{inside}"))
            }
            Self::CommonName => {
                let name = pattern.strip_prefix("^CN=")?;
                (!name.contains(',')).then(|| format!("^{name}"))
            }
        }
    }

    fn example(self, text: &str) -> Option<String> {
        let text = text.trim();
        match self {
            Self::Whole => Some(text.to_owned()),
            Self::Realm => {
                let (_, after) = text.split_once("realm=\"")?;
                Some(after.split('"').next()?.to_owned())
            }
            Self::CommonName => Some(text.strip_prefix("CN=")?.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAXONOMY: &str = include_str!("../../config/taxonomy.toml");

    fn read_as(file: &str, text: &str) -> (Pack, Vec<RuleError>) {
        let taxonomy = Taxonomy::parse("", TAXONOMY).unwrap();
        let mut errors = Vec::new();
        let pack = read(file, text, &taxonomy, true, &mut errors);
        (pack, errors)
    }

    #[test]
    fn every_type_of_the_table_is_in_the_taxonomy() {
        let taxonomy = Taxonomy::parse("", TAXONOMY).unwrap();
        for line in include_str!("recog.rs").lines() {
            if let Some((_, key)) = line.split_once("=> \"")
                && let Some(key) = key.strip_suffix("\",")
            {
                assert!(taxonomy.find(key).is_some(), "{key}");
            }
        }
    }

    #[test]
    fn a_pattern_that_does_not_compile_and_an_example_that_fails_are_named_with_their_lines() {
        let text = "<fingerprints matches='http_header.server'>\n\
            <fingerprint pattern='^(Acme$'><description>A</description></fingerprint>\n\
            <fingerprint pattern='^Acme$'><example>Emca</example><example>Acme</example></fingerprint>\n\
            <fingerprint pattern='^(?:a{1000}){1000}$'><example>b</example></fingerprint>\n\
            </fingerprints>";
        let (pack, errors) = read_as("web.xml", text);
        assert!(errors.is_empty());
        assert_eq!((pack.rules.len(), pack.tests), (2, 3));
        let notes = pack.notes.join("\n");
        for part in [
            "3 of 3",
            "web.xml:2: left out",
            "web.xml:3: its example 'Emca'",
            "web.xml:4: the pattern is left",
        ] {
            assert!(notes.contains(part), "{part}: {notes}");
        }
    }

    #[test]
    fn what_is_no_fingerprint_file_is_refused_with_its_place() {
        for (text, expected) in [
            ("<fingerprints>\n</x>", "local.xml:2:"),
            ("<rules/>", "<rules>; Recog's is"),
            ("<!DOCTYPE a [<!ENTITY b 'c'>]><fingerprints matches='ssh.banner'/>", "local.xml:1:"),
        ] {
            let (_, errors) = read_as("local.xml", text);
            let error = errors.first().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let (pack, errors) =
            read_as("x.xml", "<fingerprints matches='tls_jarm'><fingerprint pattern='a'/></fingerprints>");
        assert!(errors.is_empty() && pack.rules.is_empty() && pack.notes.concat().contains("'tls_jarm'"));
    }

    #[test]
    fn parts_of_values_are_found_in_patterns() {
        let realm = |p| Part::Realm.pattern(p);
        assert_eq!(realm("^Basic realm=\"Cam (\\d+)\"$").as_deref(), Some("^Cam (\\d+)$"));
        assert_eq!(realm("^(Basic|Digest) realm=\"Cam\"").as_deref(), None);
        assert_eq!(Part::CommonName.pattern("^CN=box-(\\w+)$").as_deref(), Some("^box-(\\w+)$"));
        assert_eq!(Part::CommonName.pattern("^CN=a,O=b$"), None);
    }
}
