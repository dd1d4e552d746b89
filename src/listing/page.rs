//! One page of a list.

use serde::Serialize;
use utoipa::ToSchema;

use super::column::SortKey;
use super::error::BadList;
use super::filter::{Filter, Matcher};
use crate::census::{Category, Timestamp, time::rfc3339};
use crate::wire::DeviceEntry;

/// Devices on a page by default.
pub(crate) const PAGE: usize = 100;
/// The most devices on a page.
pub(crate) const PAGE_MAX: usize = 1_000;

/// How many devices each tab holds. They add up to `all`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct Tabs {
    /// Every device.
    pub all: u64,
    /// Computers & mobile.
    pub computer_mobile: u64,
    /// Network.
    pub network: u64,
    /// IoT.
    pub iot: u64,
    /// Unclassified.
    pub unclassified: u64,
}

impl Tabs {
    /// Counts all devices by category.
    pub fn new(devices: &[DeviceEntry]) -> Self {
        let mut tabs = Self { all: devices.len() as u64, ..Self::default() };
        for device in devices {
            *match device.category {
                Category::ComputerMobile => &mut tabs.computer_mobile,
                Category::Network => &mut tabs.network,
                Category::Iot => &mut tabs.iot,
                Category::Unclassified => &mut tabs.unclassified,
            } += 1;
        }
        tabs
    }

    /// The number of devices in each category, in the order of the tabs.
    pub(crate) fn by_category(&self) -> [(Category, u64); 4] {
        Category::ALL.map(|category| {
            let number = match category {
                Category::ComputerMobile => self.computer_mobile,
                Category::Network => self.network,
                Category::Iot => self.iot,
                Category::Unclassified => self.unclassified,
            };
            (category, number)
        })
    }
}

/// One page of devices.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct DevicePage {
    /// The instant of the verdicts.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// Devices that match, on all pages.
    pub total: usize,
    /// All devices by category, including those that do not match.
    pub tabs: Tabs,
    /// What to send as `after` for the next page; null on the last one.
    pub next: Option<String>,
    /// The devices in the order of the request; by zone, address and MAC if it names none.
    pub devices: Vec<DeviceEntry>,
}

impl DevicePage {
    /// The page of `devices` that `filter` asks for; `tabs` are those of all of them. Their verdicts are those at `as_of`:
    /// [`Filter::instant`], if it names one.
    ///
    /// # Errors
    /// If the filter, the order or the cursor cannot be read, or the cursor belongs to another list.
    pub(crate) fn new(
        devices: &[DeviceEntry],
        tabs: Tabs,
        as_of: Timestamp,
        filter: &Filter,
    ) -> Result<Self, BadList> {
        let sort = filter.order()?;
        let cursor = filter.cursor()?;
        let limit = filter.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
        let matcher = Matcher::new(filter)?;
        let matching: Vec<&DeviceEntry> = devices.iter().filter(|d| matcher.matches(d)).collect();
        let total = matching.len();
        let keyed = matching.into_iter().map(|d| (sort.key(d), d));
        let after = |(key, d): &(SortKey, &DeviceEntry)| {
            cursor.as_ref().is_none_or(|c| sort.compare((key, &d.id), (&c.key, &c.id)).is_gt())
        };
        let mut rest: Vec<(SortKey, &DeviceEntry)> = keyed.filter(after).collect();
        let order = |a: &(SortKey, &DeviceEntry), b: &(SortKey, &DeviceEntry)| {
            sort.compare((&a.0, &a.1.id), (&b.0, &b.1.id))
        };
        // Only the page needs sorting, not the thousands after it.
        let more = rest.len() > limit;
        if more {
            rest.select_nth_unstable_by(limit, order);
            rest.truncate(limit);
        }
        rest.sort_unstable_by(order);
        let next = rest.last().cloned().filter(|_| more);
        let next = next.map(|(key, d)| filter.cursor_after(sort, as_of, key, d.id.clone()));
        let page = rest.into_iter().map(|(_, d)| d.clone()).collect();
        Ok(Self { as_of, total, tabs, next, devices: page })
    }
}

/// The indexes in `devices` of all that match, in the order of the request.
///
/// # Errors
/// If the filter or the order cannot be read.
pub(crate) fn places(devices: &[DeviceEntry], filter: &Filter) -> Result<Vec<usize>, BadList> {
    let sort = filter.order()?;
    let matcher = Matcher::new(filter)?;
    let matching = devices.iter().enumerate().filter(|(_, d)| matcher.matches(d));
    let mut keyed: Vec<(SortKey, &str, usize)> =
        matching.map(|(place, d)| (sort.key(d), d.id.as_str(), place)).collect();
    keyed.sort_unstable_by(|a, b| sort.compare((&a.0, a.1), (&b.0, b.1)));
    Ok(keyed.into_iter().map(|(.., place)| place).collect())
}
