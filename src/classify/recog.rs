//! Reads Recog's XML fingerprints, which an operator may add to the folder of rules. A file is a database of
//! fingerprints, each a pattern with parameters (github.com/rapid7/recog, `xml/fingerprints.xsd`). None are shipped.
//!
//! A database is read if its values correspond to a field here. As in Recog, only the first pattern that matches a value
//! counts, even if it says nothing. Fingerprints weigh like registry knowledge, so what the built-in rules read from a
//! device's own words takes precedence. Patterns are parsed when the file is read, and compiled when a value or a test
//! needs them. A pattern that does not compile is skipped and reported. Document types, and so entities, are refused.

use std::path::Path;
use std::sync::Arc;

use roxmltree::{Document, Node, ParsingOptions};

use super::error::{Place, RuleError};
use super::matcher::Matcher;
use super::rule::{Attribute, Kind, Origin, Rule, Saying, Template, Tier, What};
use super::source::Source;
use super::taxonomy::Taxonomy;
use crate::census::{Field, clean};

/// The most fingerprints of a file.
const FINGERPRINTS: usize = 10_000;
/// The most elements, attributes and texts of a file.
const NODES: u32 = 500_000;
/// The most bytes of a pattern.
const PATTERN: usize = 4_096;
/// The most parameters, and the most examples, of a fingerprint.
const CHILDREN: usize = 256;
/// The most problems that are reported; the rest is counted.
const NAMED: usize = 10;
/// The weight, in percent, of a certainty of 1: for the type, and for all other attributes.
const TYPE: f64 = 75.0;
const TEXT: f64 = 70.0;

/// The evidence that corresponds to the values of a database.
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

/// The taxonomy's type for a Recog device.
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

/// The fingerprints of one file, as rules.
#[derive(Debug, Default)]
pub(super) struct Fingerprints {
    pub(super) rules: Vec<Rule>,
    /// The number of examples that were tested.
    pub(super) tests: usize,
    /// What was skipped without being an error.
    pub(super) notes: Vec<String>,
}

/// Reads a file. If `thorough`, compiles every pattern and tests the examples.
pub(super) fn read(
    file: &str,
    text: &str,
    taxonomy: &Taxonomy,
    thorough: bool,
    errors: &mut Vec<RuleError>,
) -> Fingerprints {
    let mut read = Fingerprints::default();
    let mut refuse = |line: u32, column: u32, reason: String| {
        let place = Place { file: file.to_owned(), line: line as usize, column: column as usize };
        errors.push(RuleError::Syntax { place, reason });
    };
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES, ..ParsingOptions::default() };
    let document = match Document::parse_with_options(text, options) {
        Ok(document) => document,
        Err(e) => {
            refuse(e.pos().row, e.pos().col, format!("the file is not XML, or has a document type: {e}"));
            return read;
        }
    };
    let root = document.root_element();
    let fingerprints = || root.children().filter(|n| n.has_tag_name("fingerprint"));
    if !root.has_tag_name("fingerprints") {
        refuse(
            1,
            1,
            format!("the root element is <{}>; expected Recog's <fingerprints>", root.tag_name().name()),
        );
        return read;
    }
    if fingerprints().count() > FINGERPRINTS {
        refuse(1, 1, format!("the file has more than {FINGERPRINTS} fingerprints; split it"));
        return read;
    }
    // Without the attribute, the file name names the database.
    let stem = Path::new(file).file_stem().and_then(|s| s.to_str()).unwrap_or("recog");
    let database = root.attribute("matches").unwrap_or(stem);
    let Some(source) = source(database) else {
        let n = fingerprints().count();
        read.notes
            .push(format!("{file}: no field corresponds to '{database}'; its {n} fingerprints are skipped"));
        return read;
    };
    let preference = root.attribute("preference").and_then(share).unwrap_or(1.0);
    let own: Arc<str> = file.into();
    let mut problems = Vec::new();
    // Counting from the start for each fingerprint would be slow in a long file.
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
                        read.tests += 1;
                        match rule.matcher.try_match(&example) {
                            Ok(true) => {}
                            Ok(false) => problem(format!("its example '{example}' does not match")),
                            Err(e) => problem(format!("the pattern is skipped: {e}")),
                        }
                    }
                    rule.matcher.free_patterns();
                }
                read.rules.push(rule);
            }
            Err(why) => problem(format!("skipped: {why}")),
        }
    }
    let more = problems.len().saturating_sub(NAMED);
    if !problems.is_empty() {
        read.notes.push(format!(
            "{file}: {} problems in {} fingerprints",
            problems.len(),
            fingerprints().count()
        ));
    }
    read.notes.extend(problems.into_iter().take(NAMED));
    if more > 0 {
        read.notes.push(format!("{file}: and {more} more problems"));
    }
    read
}

/// A certainty, 0 to 1.
fn share(text: &str) -> Option<f64> {
    text.parse().ok().filter(|c| (0.0..=1.0).contains(c))
}

/// The rule of one fingerprint, and its examples. The error says why it is skipped.
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
        return Err("it is longer than the limits".to_owned());
    }
    let flags = node.attribute("flags").unwrap_or_default();
    let part = Part::of(source);
    let pattern = part.pattern(pattern).ok_or("it matches a part of the value that is not kept")?;
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
        title: format!("An operator's fingerprint matches: {title}").into(),
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

/// The claims of the parameters. If several give one attribute, the first that can be filled counts.
fn sayings(params: &[Param<'_>], certainty: f64, taxonomy: &Taxonomy) -> Vec<Saying> {
    let find = |name: &str| params.iter().find(|p| p.name == name).filter(|p| p.value != Some("Unknown"));
    let constant = |name: &str| find(name).and_then(|p| p.value);
    let sure = |part: &str| constant(part).and_then(share).unwrap_or(1.0) * certainty;
    let mut says = Vec::new();
    let percent = |most: f64, sure: f64| {
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
        // For a device, unlike for a computer, the maker of the operating system is the maker of the device.
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

/// A parameter: a text or a capture.
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

    /// The parameter as a [`Template`]: captures by number, with the parameters that it names filled in.
    fn template(&self, params: &[Self]) -> Option<String> {
        let Some(value) = self.value else { return Some(format!("{{{}}}", self.position)) };
        let mut out = String::new();
        let mut rest = value;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, tail) = after.split_once('}')?;
            out.push_str(before);
            let named = params.iter().find(|p| p.name == name)?;
            match named.value {
                // Only one level deep, because two parameters may name each other.
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

/// The part of Recog's value that our evidence keeps.
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
                // A capture before the realm would shift the numbers of the others.
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

    fn read_as(file: &str, text: &str) -> (Fingerprints, Vec<RuleError>) {
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
            "3 problems in 3 fingerprints",
            "web.xml:2: skipped",
            "web.xml:3: its example 'Emca'",
            "web.xml:4: the pattern is skipped",
        ] {
            assert!(notes.contains(part), "{part}: {notes}");
        }
    }

    #[test]
    fn a_file_that_is_not_a_fingerprint_file_is_refused_with_its_place() {
        for (text, expected) in [
            ("<fingerprints>\n</x>", "local.xml:2:"),
            ("<rules/>", "<rules>; expected"),
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
