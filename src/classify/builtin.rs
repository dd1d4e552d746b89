//! The packs, the taxonomy and the table of makers that are compiled in.

use serde::Deserialize;

use super::error::{Place, RuleError};
use super::pack::Compiled;
use super::taxonomy::Taxonomy;
use super::vendors::{Vendor, Vendors};

/// The rule packs: name and text. The crate's tests check them; programs read [`compiled`].
pub(super) const PACKS: &[(&str, &str)] = &[
    ("rules/banner.toml", include_str!("../../config/rules/banner.toml")),
    ("rules/behaviour.toml", include_str!("../../config/rules/behaviour.toml")),
    ("rules/building.toml", include_str!("../../config/rules/building.toml")),
    ("rules/description.toml", include_str!("../../config/rules/description.toml")),
    ("rules/dhcp.toml", include_str!("../../config/rules/dhcp.toml")),
    ("rules/hostname.toml", include_str!("../../config/rules/hostname.toml")),
    ("rules/http.toml", include_str!("../../config/rules/http.toml")),
    ("rules/lldp_cdp.toml", include_str!("../../config/rules/lldp_cdp.toml")),
    ("rules/mdns.toml", include_str!("../../config/rules/mdns.toml")),
    ("rules/medical.toml", include_str!("../../config/rules/medical.toml")),
    ("rules/names.toml", include_str!("../../config/rules/names.toml")),
    ("rules/network.toml", include_str!("../../config/rules/network.toml")),
    ("rules/ot.toml", include_str!("../../config/rules/ot.toml")),
    ("rules/products.toml", include_str!("../../config/rules/products.toml")),
    ("rules/sip_rtsp.toml", include_str!("../../config/rules/sip_rtsp.toml")),
    ("rules/smb.toml", include_str!("../../config/rules/smb.toml")),
    ("rules/ssdp_wsd.toml", include_str!("../../config/rules/ssdp_wsd.toml")),
    ("rules/ssh.toml", include_str!("../../config/rules/ssh.toml")),
    ("rules/stack.toml", include_str!("../../config/rules/stack.toml")),
    ("rules/things.toml", include_str!("../../config/rules/things.toml")),
    ("rules/windows.toml", include_str!("../../config/rules/windows.toml")),
];

/// The same packs without their tests, and the makers, as `build.rs` wrote them.
#[derive(Deserialize)]
pub(super) struct CompiledRules {
    pub(super) packs: Vec<Compiled>,
    vendors: Vec<Vendor>,
}

/// Reads what `build.rs` wrote. Nothing is checked again: the crate's tests do.
pub(super) fn compiled() -> Result<(CompiledRules, Taxonomy, Vendors), RuleError> {
    let text = include_str!(concat!(env!("OUT_DIR"), "/rules.json"));
    let mut rules: CompiledRules = serde_json::from_str(text).map_err(|e| RuleError::Syntax {
        place: Place { file: "rules.json".to_owned(), line: e.line(), column: e.column() },
        reason: e.to_string(),
    })?;
    let vendors = std::mem::take(&mut rules.vendors).into_iter().map(|vendor| (0, vendor));
    let vendors = Vendors::of("vendors.toml", "", vendors)?;
    Ok((rules, Taxonomy::builtin().clone(), vendors))
}

/// The taxonomy and the table of makers, which all rules refer to.
pub(super) fn tables() -> Result<(Taxonomy, Vendors), RuleError> {
    Ok((
        Taxonomy::parse("taxonomy.toml", include_str!("../../config/taxonomy.toml"))?,
        Vendors::parse("vendors.toml", include_str!("../../config/vendors.toml"))?,
    ))
}
