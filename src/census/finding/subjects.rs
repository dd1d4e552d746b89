//! What a finding is about: addresses, prefixes and MACs, bounded.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::census::address::Prefix;
use crate::census::mac::MacAddr;

/// The most subjects of one type in a finding; the smallest stay.
const SUBJECTS: usize = 100;

/// The subjects of a finding. The lists are sorted and hold at most 100 each.
#[derive(Clone, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct Subjects {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "plan", schema(value_type = Vec<String>))]
    pub addresses: Vec<IpAddr>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "plan", schema(value_type = Vec<String>))]
    pub prefixes: Vec<Prefix>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub macs: Vec<MacAddr>,
    /// The number of all subjects, also of those that the lists have no room for.
    #[serde(default, rename = "subjects")]
    pub total: u64,
}

impl Subjects {
    #[must_use]
    pub fn addresses(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.addresses = self.bounded(addresses);
        self
    }

    #[must_use]
    pub fn prefixes(mut self, prefixes: impl IntoIterator<Item = Prefix>) -> Self {
        self.prefixes = self.bounded(prefixes);
        self
    }

    #[must_use]
    pub fn macs(mut self, macs: impl IntoIterator<Item = MacAddr>) -> Self {
        self.macs = self.bounded(macs);
        self
    }

    fn bounded<T: Ord>(&mut self, items: impl IntoIterator<Item = T>) -> Vec<T> {
        let mut items: Vec<T> = items.into_iter().collect();
        items.sort_unstable();
        items.dedup();
        self.total += items.len() as u64;
        items.truncate(SUBJECTS);
        items.shrink_to_fit();
        items
    }
}
