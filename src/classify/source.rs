//! The sources of evidence that a rule can read: a field, a key of mDNS TXT records, or a group of fields with the same
//! meaning.

use std::fmt;
use std::str::FromStr;

use crate::census::{Field, UnknownField};

/// The fields in which a device names itself. NetBIOS names are read without their suffix.
const NAMES: &[Field] = &[
    Field::LldpSysName,
    Field::DhcpHostname,
    Field::DhcpFqdn,
    Field::Dhcp6Fqdn,
    Field::SnmpSysName,
    Field::MdnsHostname,
    Field::NbnsName,
    Field::LlmnrName,
    Field::NtlmWorkstation,
];

/// The fields in which a device describes its system in words.
const DESCRIPTIONS: &[Field] = &[Field::LldpSysDescr, Field::CdpVersion, Field::SnmpSysDescr];

/// The fields with the names of hosts that a device looks for.
const LOOKUPS: &[Field] = &[Field::DnsQuery, Field::TlsSni, Field::HttpHost];

/// The fields in which a device names its product, mostly with its maker.
const PRODUCTS: &[Field] = &[
    Field::LldpSysDescr,
    Field::LldpMedModel,
    Field::CdpPlatform,
    Field::CdpVersion,
    Field::MndpPlatform,
    Field::MndpBoard,
    Field::UbntModel,
    Field::EdpVersion,
    Field::FdpPlatform,
    Field::CapwapModel,
    Field::DhcpVendorClass,
    Field::Dhcp6VendorClass,
    Field::SnmpSysDescr,
    Field::EnipProduct,
    Field::BacnetModel,
    Field::SipUserAgent,
    Field::SipServer,
    Field::RtspServer,
    Field::H323Product,
    Field::MdnsTxt,
    Field::MdnsInstance,
    Field::SsdpServer,
    Field::UpnpModelName,
    Field::UpnpModelNumber,
    Field::UpnpModelDescription,
    Field::UpnpFriendlyName,
    Field::WsdScopes,
    Field::DiscoveryIdentity,
    Field::HttpServer,
    Field::HttpRealm,
    Field::HttpTitle,
    Field::PjlId,
    Field::FtpBanner,
    Field::TelnetBanner,
];

/// The keys of TXT records that name the product (Bonjour Printing 9.2, Cast, AirPlay, HomeKit and makers' own).
const PRODUCT_KEYS: &[&str] = &[
    "ty",
    "product",
    "usb_mdl",
    "usb_mfg",
    "md",
    "model",
    "am",
    "model_number",
    "modelname",
    "modelid",
    "devicemodel",
    "productname",
    "manufacturer",
    "vendor",
];

/// The value of `evidence` in a rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Source {
    /// A field, `dhcp.prl`.
    Field(Field),
    /// A key of the TXT records of one service, `mdns.txt._ipp._tcp.ty`, or of all services, `mdns.txt.*.ty`.
    Txt {
        /// `_ipp._tcp`; `None` for all services.
        service: Option<String>,
        /// Without case (RFC 6763 section 6.4).
        key: String,
    },
    /// `hostname`: any name.
    Name,
    /// `lookup`: any host that the device looks for by DNS, TLS or HTTP.
    Lookup,
    /// `description`: any system description, by LLDP, CDP or SNMP.
    Description,
    /// `ssh.software`: the part of an SSH banner after the protocol version (RFC 4253 section 4.2).
    SshSoftware,
    /// `ftp.greeting`, `smtp.greeting`: the greeting of a server without its code.
    Greeting(Field),
    /// `mdns.entry._device-info._tcp`: a TXT entry of that service, `key=value`.
    Entry(String),
    /// `product`: any text in which a device names its product.
    Product,
}

/// Fields whose values the same rules read.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Group {
    Field(Field),
    Name,
    Description,
    Product,
    Lookup,
}

impl Group {
    /// The groups that a field belongs to.
    pub(super) fn of(field: Field) -> impl Iterator<Item = Self> {
        let shared = [
            (Self::Name, NAMES),
            (Self::Description, DESCRIPTIONS),
            (Self::Product, PRODUCTS),
            (Self::Lookup, LOOKUPS),
        ];
        let shared = shared.into_iter().filter(move |(_, fields)| fields.contains(&field));
        shared.map(|(group, _)| group).chain(Some(Self::Field(field)))
    }
}

impl FromStr for Source {
    type Err = UnknownField;

    fn from_str(text: &str) -> Result<Self, UnknownField> {
        if text == "hostname" {
            return Ok(Self::Name);
        }
        if text == "lookup" {
            return Ok(Self::Lookup);
        }
        if text == "description" {
            return Ok(Self::Description);
        }
        if text == "product" {
            return Ok(Self::Product);
        }
        match text {
            "ssh.software" => return Ok(Self::SshSoftware),
            "ftp.greeting" => return Ok(Self::Greeting(Field::FtpBanner)),
            "smtp.greeting" => return Ok(Self::Greeting(Field::SmtpBanner)),
            _ => {}
        }
        if let Some(service) = text.strip_prefix("mdns.entry.")
            && service.starts_with('_')
        {
            return Ok(Self::Entry(service.to_owned()));
        }
        if let Some(path) = text.strip_prefix("mdns.txt.")
            && let Some((service, key)) = path.rsplit_once('.')
            && !key.is_empty()
            && (service == "*" || service.starts_with('_'))
        {
            let service = (service != "*").then(|| service.to_owned());
            return Ok(Self::Txt { service, key: key.to_owned() });
        }
        text.parse().map(Self::Field)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => field.fmt(f),
            Self::Txt { service, key } => write!(f, "mdns.txt.{}.{key}", service.as_deref().unwrap_or("*")),
            Self::Name => f.write_str("hostname"),
            Self::Description => f.write_str("description"),
            Self::SshSoftware => f.write_str("ssh.software"),
            Self::Greeting(Field::SmtpBanner) => f.write_str("smtp.greeting"),
            Self::Greeting(_) => f.write_str("ftp.greeting"),
            Self::Entry(service) => write!(f, "mdns.entry.{service}"),
            Self::Product => f.write_str("product"),
            Self::Lookup => f.write_str("lookup"),
        }
    }
}

impl Source {
    pub(super) fn fields(&self) -> &[Field] {
        match self {
            Self::Field(field) | Self::Greeting(field) => std::slice::from_ref(field),
            Self::SshSoftware => &[Field::SshBanner],
            Self::Txt { .. } | Self::Entry(_) => &[Field::MdnsTxt],
            Self::Name => NAMES,
            Self::Lookup => LOOKUPS,
            Self::Description => DESCRIPTIONS,
            Self::Product => PRODUCTS,
        }
    }

    /// The group of fields that it reads.
    pub(super) fn group(&self) -> Group {
        match self {
            Self::Field(field) | Self::Greeting(field) => Group::Field(*field),
            Self::SshSoftware => Group::Field(Field::SshBanner),
            Self::Txt { .. } | Self::Entry(_) => Group::Field(Field::MdnsTxt),
            Self::Name => Group::Name,
            Self::Description => Group::Description,
            Self::Product => Group::Product,
            Self::Lookup => Group::Lookup,
        }
    }

    /// The part of a field's value that it reads; `None` if it reads none.
    pub(super) fn read<'v>(&self, field: Field, value: &'v str) -> Option<&'v str> {
        match self {
            Self::Field(own) => (*own == field).then_some(value),
            Self::Txt { service, key } if field == Field::MdnsTxt => {
                let (path, rest) = value.split_once('=')?;
                let mut parts = path.splitn(3, '.');
                let (name, proto, found) = (parts.next()?, parts.next()?, parts.next()?);
                let right = service.as_deref().is_none_or(|s| {
                    s.split_once('.')
                        .is_some_and(|(n, p)| n.eq_ignore_ascii_case(name) && p.eq_ignore_ascii_case(proto))
                });
                (right && key.eq_ignore_ascii_case(found)).then_some(rest)
            }
            Self::Name if field == Field::NbnsName => host_of_netbios(value),
            Self::Name => NAMES.contains(&field).then_some(value),
            Self::Lookup => LOOKUPS.contains(&field).then_some(value),
            Self::Description => DESCRIPTIONS.contains(&field).then_some(value),
            Self::Product if field == Field::MdnsTxt => {
                let (path, rest) = value.split_once('=')?;
                let key = path.splitn(3, '.').nth(2)?;
                PRODUCT_KEYS.iter().any(|k| k.eq_ignore_ascii_case(key)).then_some(rest)
            }
            // Names often end with an address or a serial number: "Hue - C94115", "AXIS P3245 - ACCC8E001122".
            Self::Product if matches!(field, Field::MdnsInstance | Field::UpnpFriendlyName) => {
                Some(before_identifier(value)).filter(|v| !v.is_empty())
            }
            Self::Product => PRODUCTS.contains(&field).then_some(value),
            Self::SshSoftware if field == Field::SshBanner => {
                // SSH-protoversion-softwareversion. The software may contain dashes.
                Some(value.strip_prefix("SSH-").and_then(|v| v.split_once('-')).map_or(value, |(_, s)| s))
            }
            Self::Greeting(own) if *own == field => {
                let code = |c: &str| c.len() == 3 && c.bytes().all(|b| b.is_ascii_digit());
                Some(value.split_once([' ', '-']).filter(|(c, _)| code(c)).map_or(value, |(_, rest)| rest))
            }
            Self::Entry(service) if field == Field::MdnsTxt => {
                let head = value.get(..service.len())?;
                let rest = value.get(service.len()..)?.strip_prefix('.')?;
                head.eq_ignore_ascii_case(service).then_some(rest)
            }
            Self::Txt { .. } | Self::SshSoftware | Self::Greeting(_) | Self::Entry(_) => None,
        }
    }

    /// A text in lower case that all values it reads from contain, if there is one.
    pub(super) fn literal(&self) -> Option<String> {
        match self {
            Self::Txt { key, .. } => Some(format!(".{}=", key.to_ascii_lowercase())),
            _ => None,
        }
    }

    /// A field and a value of it from which [`Source::read`] gives `value`; the evidence of a rule's test.
    pub(super) fn example(&self, value: &str) -> (Field, String) {
        match self {
            Self::Field(field) => (*field, value.to_owned()),
            Self::Txt { service, key } => {
                (Field::MdnsTxt, format!("{}.{key}={value}", service.as_deref().unwrap_or("_any._tcp")))
            }
            Self::Name => (Field::DhcpHostname, value.to_owned()),
            Self::Lookup => (Field::DnsQuery, value.to_owned()),
            Self::Description => (Field::SnmpSysDescr, value.to_owned()),
            Self::SshSoftware => (Field::SshBanner, format!("SSH-2.0-{value}")),
            Self::Greeting(field) => (*field, format!("220 {value}")),
            Self::Entry(service) => (Field::MdnsTxt, format!("{service}.{value}")),
            Self::Product => (Field::UpnpModelName, value.to_owned()),
        }
    }
}

/// The host name in a NetBIOS name such as `NAME<00>`; `None` for the name of a group, `NAME<00> group`.
pub(super) fn host_of_netbios(value: &str) -> Option<&str> {
    let (name, suffix) = value.rsplit_once('<')?;
    matches!(suffix, "00>" | "03>" | "20>").then_some(name)
}

/// The text before the first word of six or more hexadecimal digits, one of them decimal. Such a word is part of a MAC or
/// a serial number, which may contain the name of a model by chance.
fn before_identifier(text: &str) -> &str {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let is_identifier = |word: &&str| {
        word.len() >= 6
            && word.bytes().all(|b| b.is_ascii_hexdigit())
            && word.bytes().any(|b| b.is_ascii_digit())
    };
    let found = words.find(is_identifier).and_then(|word| text.find(word));
    found.and_then(|place| text.get(..place)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_txt_key_is_read_of_one_service_or_of_any() {
        let one: Source = "mdns.txt._device-info._tcp.model".parse().unwrap();
        assert_eq!(one.read(Field::MdnsTxt, "_device-info._tcp.model=Mac14,2"), Some("Mac14,2"));
        assert_eq!(one.read(Field::MdnsTxt, "_Device-Info._TCP.Model=a=b"), Some("a=b"));
        assert_eq!(one.read(Field::MdnsTxt, "_airplay._tcp.model=AppleTV5,3"), None);
        let any: Source = "mdns.txt.*.ty".parse().unwrap();
        assert_eq!(any.read(Field::MdnsTxt, "_ipp._tcp.ty=X"), Some("X"));
        assert_eq!(any.read(Field::MdnsTxt, "_ipp._tcp.type=X"), None);
    }

    #[test]
    fn software_greetings_and_entries_are_read_without_what_stands_before_them() {
        let read = |source: &str, field, value| source.parse::<Source>().unwrap().read(field, value);
        let ssh = |value| read("ssh.software", Field::SshBanner, value);
        assert_eq!(ssh("SSH-2.0-OpenSSH_9.2p1 Debian-2"), Some("OpenSSH_9.2p1 Debian-2"));
        assert_eq!(ssh("SSH-1.99-a-b"), Some("a-b"));
        assert_eq!(read("ftp.greeting", Field::FtpBanner, "220-Welcome to X"), Some("Welcome to X"));
        assert_eq!(read("ftp.greeting", Field::FtpBanner, "Welcome to X"), Some("Welcome to X"));
        let entry = |value| read("mdns.entry._device-info._tcp", Field::MdnsTxt, value);
        assert_eq!(entry("_device-info._tcp.model=Mac14,2"), Some("model=Mac14,2"));
        assert_eq!(entry("_ipp._tcp.ty=X"), None);
    }

    #[test]
    fn a_netbios_name_is_read_without_its_suffix() {
        assert_eq!(Source::Name.read(Field::NbnsName, "BRN001<20>"), Some("BRN001"));
        assert_eq!(Source::Name.read(Field::NbnsName, "WORKGROUP<00> group"), None);
        assert_eq!(Source::Name.read(Field::SsdpServer, "x"), None);
        let lookup: Source = "lookup".parse().unwrap();
        assert_eq!(lookup.read(Field::TlsSni, "x.example"), Some("x.example"));
        assert_eq!(lookup.read(Field::TlsSan, "x.example"), None);
        assert!("no.such".parse::<Source>().is_err());
        assert!("mdns.txt.nothing".parse::<Source>().is_err());
    }
}
