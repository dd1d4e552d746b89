//! Makers: their short names, their numbers in registries, and whether they only make parts.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;

use super::error::{Place, RuleError, syntax};
use crate::census::MacAddr;

/// The name to which the compiled-in registry assigns the prefix of `mac`; `None` if the prefix is not registered.
pub(super) fn registered_name(mac: MacAddr) -> Option<String> {
    let registry = macaddr_ouidb::oui_db();
    let entry = registry.lookup(&mac.0)?;
    let name = entry.name();
    // Owners that are hidden, and blocks whose owner the registry does not name.
    (!matches!(name, "Private" | "IEEE Registration Authority")).then(|| name.to_owned())
}

/// Where the compiled-in registry has the name for the prefix of `mac`; 0 if the prefix is not registered. Cards with one
/// place have one name.
pub(super) fn place_of_registered_name(mac: MacAddr) -> u64 {
    macaddr_ouidb::oui_db().lookup(&mac.0).map_or(0, |entry| entry.name().as_ptr().addr() as u64)
}

/// The table of makers.
#[derive(Clone, Debug, Default)]
pub(super) struct Vendors {
    vendors: Vec<Vendor>,
    by_alias: HashMap<String, usize>,
    by_number: HashMap<(Registry, u32), usize>,
}

/// One maker.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vendor {
    /// The short name.
    pub(super) name: String,
    /// Other spellings. Each also matches longer names that begin with it.
    #[serde(default)]
    aka: Vec<String>,
    /// SNMP enterprise numbers (IANA).
    #[serde(default)]
    pub(super) pen: Vec<u32>,
    /// BACnet vendor ids (ASHRAE).
    #[serde(default)]
    bacnet: Vec<u32>,
    /// EtherNet/IP vendor ids (ODVA).
    #[serde(default)]
    cip: Vec<u32>,
    /// Makes parts that others build in, so it is never the maker of a device.
    #[serde(default)]
    pub(super) module: bool,
    /// The category or type of nearly all its products.
    pub(super) makes: Option<String>,
    /// The certainty of `makes` in percent.
    #[serde(default)]
    pub(super) weight: u8,
}

/// A registry that assigns numbers to makers.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Registry {
    /// SNMP enterprise numbers.
    Pen,
    /// BACnet vendor ids.
    Bacnet,
    /// EtherNet/IP vendor ids.
    Cip,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    schema: u32,
    vendor: Vec<toml::Spanned<Vendor>>,
}

impl Vendors {
    pub(super) fn parse(file: &str, text: &str) -> Result<Self, RuleError> {
        let source: Source = toml::from_str(text).map_err(|e| syntax(file, text, &e))?;
        if source.schema != 1 {
            let reason = format!("schema {} is not supported; write schema = 1", source.schema);
            return Err(RuleError::Syntax { place: Place::new(file, text, 0), reason });
        }
        let vendors = source.vendor.into_iter().map(|entry| (entry.span().start, entry.into_inner()));
        Self::of(file, text, vendors)
    }

    /// The table of makers, each with its place in `text`.
    pub(super) fn of(
        file: &str,
        text: &str,
        vendors: impl Iterator<Item = (usize, Vendor)>,
    ) -> Result<Self, RuleError> {
        let bad = |offset, reason| RuleError::Syntax { place: Place::new(file, text, offset), reason };
        let mut table = Self::default();
        for (at, vendor) in vendors {
            let id = table.vendors.len();
            for alias in vendor.aka.iter().chain(Some(&vendor.name)) {
                if table.by_alias.insert(alias.to_lowercase(), id).is_some_and(|known| known != id) {
                    return Err(bad(at, format!("two makers have the name '{alias}'; remove one")));
                }
            }
            let numbers = [
                (Registry::Pen, &vendor.pen),
                (Registry::Bacnet, &vendor.bacnet),
                (Registry::Cip, &vendor.cip),
            ];
            for (registry, number) in
                numbers.into_iter().flat_map(|(r, list)| list.iter().map(move |n| (r, *n)))
            {
                if table.by_number.insert((registry, number), id).is_some() {
                    return Err(bad(
                        at,
                        format!("two makers have the {registry:?} number {number}; remove one"),
                    ));
                }
            }
            table.vendors.push(vendor);
        }
        Ok(table)
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Vendor> {
        self.vendors.iter()
    }

    /// The entry whose name or alias is `raw`, or else the longest one with which `raw` begins.
    pub(super) fn find(&self, raw: &str) -> Option<&Vendor> {
        let lower = raw.trim().to_lowercase();
        let ends = lower.char_indices().filter(|(_, c)| !c.is_alphanumeric()).map(|(i, _)| i);
        let mut ends: Vec<usize> = ends.chain(Some(lower.len())).collect();
        while let Some(end) = ends.pop() {
            if let Some(id) = lower.get(..end).and_then(|head| self.by_alias.get(head)) {
                return self.vendors.get(*id);
            }
        }
        None
    }

    /// The short name for `raw`; `raw` itself, trimmed, if it is not in the table.
    pub(super) fn short<'a>(&'a self, raw: &'a str) -> Cow<'a, str> {
        match self.find(raw) {
            Some(vendor) => Cow::Borrowed(&vendor.name),
            None => Cow::Borrowed(raw.trim()),
        }
    }

    pub(super) fn by_number(&self, registry: Registry, number: u32) -> Option<&Vendor> {
        self.by_number.get(&(registry, number)).and_then(|id| self.vendors.get(*id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maker_is_found_by_its_longest_alias() {
        let text = "schema = 1\n[[vendor]]\nname = 'HP'\naka = ['Hewlett Packard']\n[[vendor]]\nname = 'HPE'\naka = ['Hewlett Packard Enterprise']\n";
        let table = Vendors::parse("vendors.toml", text).unwrap();
        assert_eq!(table.short("Hewlett Packard"), "HP");
        assert_eq!(table.short("HEWLETT PACKARD ENTERPRISE, Inc."), "HPE");
        assert_eq!(table.short("HPX"), "HPX");
        assert_eq!(table.short(" Ünknown Maker "), "Ünknown Maker");
    }

    #[test]
    fn the_registry_knows_28_and_36_bit_prefixes_and_virtual_cards() {
        let name = |mac: &str| registered_name(mac.parse().unwrap());
        assert_eq!(name("ac:cc:8e:00:00:01").as_deref(), Some("Axis Communications"));
        assert_eq!(name("52:54:00:00:00:01").as_deref(), Some("QEMU virtual NIC"));
        assert_eq!(name("02:00:00:00:00:01"), None);
    }
}
