//! The packs, the taxonomy and the table of makers that are compiled in.

use super::error::RuleError;
use super::taxonomy::Taxonomy;
use super::vendors::Vendors;

/// The rule packs: name and text.
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

/// The taxonomy and the table of makers, which all rules refer to.
pub(super) fn tables() -> Result<(Taxonomy, Vendors), RuleError> {
    Ok((
        Taxonomy::parse("taxonomy.toml", include_str!("../../config/taxonomy.toml"))?,
        Vendors::parse("vendors.toml", include_str!("../../config/vendors.toml"))?,
    ))
}
