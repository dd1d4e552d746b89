//! The components that devices name in their banners.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::advisory::{Component, Components};
use crate::census::{Category, Device, DeviceId, Field, Timestamp};

/// A component that a device names, and in which word.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SaidComponent {
    pub component: Component,
    pub field: Field,
    pub said: Arc<str>,
    /// The earliest frame that said it.
    pub at: Timestamp,
}

/// The components of network and IoT devices. Of one component, the version that came last counts: devices are updated.
pub(super) fn components_of(
    table: &Components,
    devices: &[Device<'_>],
) -> BTreeMap<DeviceId, Vec<SaidComponent>> {
    let covered = devices.iter().filter(|d| matches!(d.category, Category::Network | Category::Iot));
    let of_device = |device: &Device<'_>| {
        let mut newest: BTreeMap<_, SaidComponent> = BTreeMap::new();
        for word in device.couplings.iter().flat_map(|member| member.facts.evidence.iter()) {
            for component in table.read(word.field, &word.value) {
                let said = SaidComponent {
                    component,
                    field: word.field,
                    said: Arc::clone(&word.value),
                    at: word.at,
                };
                let rank = |one: &SaidComponent| (one.at, one.component.version.clone());
                let known = newest.entry(said.component.id.clone()).or_insert_with(|| said.clone());
                if rank(known) < rank(&said) {
                    *known = said;
                }
            }
        }
        (!newest.is_empty()).then(|| (device.id, newest.into_values().collect()))
    };
    covered.filter_map(of_device).collect()
}
