//! Where a rule reads: a field, one key of the mDNS TXT records, or a group of fields that say the same thing.

use std::str::FromStr;

use crate::census::{Field, UnknownField};

/// The fields in which a device names itself; what each is read as lacks the NetBIOS suffix.
const NAMES: &[Field] = &[
    Field::LldpSysName,
    Field::DhcpHostname,
    Field::DhcpFqdn,
    Field::SnmpSysName,
    Field::MdnsHostname,
    Field::NbnsName,
    Field::LlmnrName,
    Field::NtlmWorkstation,
];

/// The fields in which a device describes its system in words.
const DESCRIPTIONS: &[Field] = &[Field::LldpSysDescr, Field::CdpVersion, Field::SnmpSysDescr];

/// The fields that name whom a device looks for.
const LOOKUPS: &[Field] = &[Field::DnsQuery, Field::TlsSni, Field::HttpHost];

/// What a rule's `evidence` names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Source {
    /// A field, `dhcp.prl`.
    Field(Field),
    /// A key of a TXT record, `mdns.txt._ipp._tcp.ty`, or of any service's, `mdns.txt.*.ty`.
    Txt {
        /// `_ipp._tcp`; `None` for any.
        service: Option<String>,
        /// The key; RFC 6763 6.4 has no case.
        key: String,
    },
    /// `hostname`: any name.
    Name,
    /// `lookup`: any host that it looks for by DNS, TLS or HTTP.
    Lookup,
    /// `description`: any system description, by LLDP, CDP or SNMP.
    Description,
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

impl Source {
    /// The fields it reads.
    pub(super) fn fields(&self) -> &[Field] {
        match self {
            Self::Field(field) => std::slice::from_ref(field),
            Self::Txt { .. } => &[Field::MdnsTxt],
            Self::Name => NAMES,
            Self::Lookup => LOOKUPS,
            Self::Description => DESCRIPTIONS,
        }
    }

    /// The part of a field's value that it reads; `None` where it reads none.
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
            Self::Txt { .. } => None,
        }
    }

    /// A text in lower case that every value it reads from holds, where there is one.
    pub(super) fn literal(&self) -> Option<String> {
        match self {
            Self::Txt { key, .. } => Some(format!(".{}=", key.to_ascii_lowercase())),
            _ => None,
        }
    }

    /// A field and a value of it from which `read` gives `value`: what a rule's test puts in.
    pub(super) fn example(&self, value: &str) -> (Field, String) {
        match self {
            Self::Field(field) => (*field, value.to_owned()),
            Self::Txt { service, key } => {
                (Field::MdnsTxt, format!("{}.{key}={value}", service.as_deref().unwrap_or("_any._tcp")))
            }
            Self::Name => (Field::DhcpHostname, value.to_owned()),
            Self::Lookup => (Field::DnsQuery, value.to_owned()),
            Self::Description => (Field::SnmpSysDescr, value.to_owned()),
        }
    }
}

/// The host's name in a NetBIOS name as `NAME<00>`; `None` for a group's, `NAME<00> group`.
pub(super) fn host_of_netbios(value: &str) -> Option<&str> {
    let (name, suffix) = value.rsplit_once('<')?;
    matches!(suffix, "00>" | "03>" | "20>").then_some(name)
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
