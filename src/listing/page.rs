//! One page of a list.

use std::cmp::Ordering;

use serde::Serialize;
use utoipa::ToSchema;

use super::column::SortKey;
use super::error::BadList;
use super::filter::{Filter, Matcher, Place};
use super::rows::Rows;
use crate::census::{Category, DeviceId, Timestamp, time::rfc3339};
use crate::wire::{Basis, DeviceEntry, DeviceRow};

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
    pub(crate) fn new(rows: &Rows) -> Self {
        let mut tabs = Self { all: rows.len() as u64, ..Self::default() };
        for row in rows.iter() {
            *match row.what.category {
                Category::ComputerMobile => &mut tabs.computer_mobile,
                Category::Network => &mut tabs.network,
                Category::Iot => &mut tabs.iot,
                Category::Unclassified => &mut tabs.unclassified,
            } += 1;
        }
        tabs
    }

    /// Adds the devices of another zone.
    pub(crate) fn add(&mut self, other: &Self) {
        let Self { all, computer_mobile, network, iot, unclassified } = other;
        self.all += all;
        self.computer_mobile += computer_mobile;
        self.network += network;
        self.iot += iot;
        self.unclassified += unclassified;
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
    /// From what the count of a past instant is made; left out for the present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// Devices that match, on all pages.
    pub total: usize,
    /// All devices by category, including those that do not match.
    pub tabs: Tabs,
    /// How many devices that match come before the page.
    pub skipped: usize,
    /// What to send as `after` for the next page; null on the last one.
    pub next: Option<String>,
    /// What to send as `before` for the previous page; null on the first one.
    pub previous: Option<String>,
    /// The devices in the order of the request; by zone, address and MAC if it names none.
    pub devices: Vec<DeviceEntry>,
}

/// A device with its place in the order of a list.
type Keyed<'v> = (SortKey<'v>, &'v DeviceRow);

impl DevicePage {
    /// The page of the devices of `zones` that `filter` asks for; `tabs` are those of all of them. Their verdicts are those
    /// at `as_of`: [`Filter::instant`], if it names one.
    ///
    /// # Errors
    /// If the filter, the order or the cursor cannot be read, or the cursor belongs to another list.
    pub(crate) fn new<'v>(
        zones: impl Iterator<Item = &'v Rows>,
        tabs: Tabs,
        as_of: Timestamp,
        filter: &Filter,
    ) -> Result<Self, BadList> {
        Self::visiting(zones, tabs, as_of, filter, |_| ())
    }

    /// As [`DevicePage::new`]; calls `visit` with every device that matches, zone after zone.
    ///
    /// # Errors
    /// As [`DevicePage::new`].
    pub(crate) fn visiting<'v>(
        zones: impl Iterator<Item = &'v Rows>,
        tabs: Tabs,
        as_of: Timestamp,
        filter: &Filter,
        mut visit: impl FnMut(&'v DeviceRow),
    ) -> Result<Self, BadList> {
        let sort = filter.order()?;
        let place = filter.place(sort)?;
        let limit = filter.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
        let matcher = Matcher::new(filter, as_of)?;
        let skip = if let Place::Skip(skip) = place { skip } else { 0 };
        let is_backward = matches!(place, Place::Before(..));
        let is_of_page = |key: &SortKey<'_>, id: DeviceId| match &place {
            Place::After(after, of) => sort.compare((key, id), (after, *of)).is_gt(),
            Place::Before(before, of) => sort.compare((key, id), (before, *of)).is_lt(),
            Place::From(from) => sort.compare_keys(key, from).is_ge(),
            Place::Skip(_) => true,
        };
        let (mut total, mut outside) = (0_usize, 0_usize);
        // One more than the page tells whether there is another. Backwards, the nearest come first.
        let mut nearest = Smallest::new(skip + limit + 1, |a: &Keyed<'v>, b: &Keyed<'v>| {
            let order = sort.compare((&a.0, a.1.id), (&b.0, b.1.id));
            if is_backward { order.reverse() } else { order }
        });
        for rows in zones {
            for (_, row) in matcher.places(rows) {
                total += 1;
                visit(row);
                let key = sort.key(row);
                if is_of_page(&key, row.id) {
                    nearest.push((key, row));
                } else {
                    outside += 1;
                }
            }
        }
        let mut page = nearest.sorted();
        let more = page.len() > skip + limit;
        page.truncate(skip + limit);
        page.drain(..skip.min(page.len()));
        let skipped = if is_backward {
            page.reverse();
            total - outside - page.len()
        } else {
            (outside + skip).min(total)
        };
        let cursor = |device: &Keyed<'v>| filter.cursor_of(sort, as_of, device.0.clone(), device.1.id);
        let (has_previous, has_next) = if is_backward { (more, outside > 0) } else { (skipped > 0, more) };
        let next = page.last().filter(|_| has_next).map(cursor);
        let previous = page.first().filter(|_| has_previous).map(cursor);
        let devices = page.into_iter().map(|(_, row)| row.entry(None)).collect();
        Ok(Self { as_of, basis: None, total, tabs, skipped, next, previous, devices })
    }
}

/// The devices beside one in a list.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Neighbours {
    /// The number of the device in the list, from 1.
    pub place: usize,
    /// Devices that match.
    pub total: usize,
    pub previous: Option<DeviceId>,
    pub next: Option<DeviceId>,
}

impl Neighbours {
    /// Those of the device in the list that `filter` asks for; `None` if the list does not have the device.
    ///
    /// # Errors
    /// If the filter or the order cannot be read.
    pub(crate) fn new<'v>(
        zones: impl Iterator<Item = &'v Rows> + Clone,
        as_of: Timestamp,
        filter: &Filter,
        id: DeviceId,
    ) -> Result<Option<Self>, BadList> {
        let sort = filter.order()?;
        let matcher = Matcher::new(filter, as_of)?;
        let Some(own) = zones.clone().find_map(|rows| rows.of_id(id)) else { return Ok(None) };
        let own = (sort.key(own), id);
        let (mut found, mut is_in_list) = (Self::default(), false);
        let (mut previous, mut next): (Option<(SortKey<'v>, DeviceId)>, Option<_>) = (None, None);
        for row in zones.flat_map(|rows| matcher.places(rows)).map(|(_, row)| row) {
            let other = (sort.key(row), row.id);
            let order = |a: &(SortKey<'v>, DeviceId), b: &(SortKey<'v>, DeviceId)| {
                sort.compare((&a.0, a.1), (&b.0, b.1))
            };
            found.total += 1;
            match order(&other, &own) {
                Ordering::Less => {
                    found.place += 1;
                    if previous.as_ref().is_none_or(|known| order(&other, known).is_gt()) {
                        previous = Some(other);
                    }
                }
                Ordering::Equal => is_in_list = true,
                Ordering::Greater => {
                    if next.as_ref().is_none_or(|known| order(&other, known).is_lt()) {
                        next = Some(other);
                    }
                }
            }
        }
        found.place += 1;
        (found.previous, found.next) = (previous.map(|(_, id)| id), next.map(|(_, id)| id));
        Ok(is_in_list.then_some(found))
    }
}

/// The smallest of many, without sorting the others.
struct Smallest<T, F> {
    /// Once it was cut, the last of the first `most` is the largest of them.
    kept: Vec<T>,
    most: usize,
    is_cut: bool,
    order: F,
}

impl<T, F: Fn(&T, &T) -> Ordering> Smallest<T, F> {
    const fn new(most: usize, order: F) -> Self {
        Self { kept: Vec::new(), most, is_cut: false, order }
    }

    fn push(&mut self, new: T) {
        let largest = self.kept.get(self.most.saturating_sub(1)).filter(|_| self.is_cut);
        if largest.is_some_and(|largest| (self.order)(&new, largest).is_ge()) {
            return;
        }
        self.kept.push(new);
        if self.kept.len() >= 4 * self.most {
            self.kept.select_nth_unstable_by(self.most.saturating_sub(1), &self.order);
            self.kept.truncate(self.most);
            self.is_cut = true;
        }
    }

    fn sorted(mut self) -> Vec<T> {
        self.kept.sort_unstable_by(&self.order);
        self.kept.truncate(self.most);
        self.kept
    }
}

/// How many devices match at `as_of`.
///
/// # Errors
/// If the filter cannot be read.
pub(crate) fn count<'v>(
    zones: impl Iterator<Item = &'v Rows>,
    as_of: Timestamp,
    filter: &Filter,
) -> Result<usize, BadList> {
    let matcher = Matcher::new(filter, as_of)?;
    Ok(zones.map(|rows| matcher.places(rows).count()).sum())
}

/// The places of all devices that match at `as_of`, as numbers of the zone and of the device in it, in the order of the request.
///
/// # Errors
/// If the filter or the order cannot be read.
pub(crate) fn places<'v>(
    zones: impl Iterator<Item = &'v Rows>,
    as_of: Timestamp,
    filter: &Filter,
) -> Result<Vec<(u32, u32)>, BadList> {
    let sort = filter.order()?;
    let matcher = Matcher::new(filter, as_of)?;
    let number = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
    let mut keyed: Vec<(Keyed<'v>, (u32, u32))> = Vec::new();
    for (zone, rows) in zones.enumerate() {
        let found = matcher.places(rows);
        keyed.extend(found.map(|(place, row)| ((sort.key(row), row), (number(zone), number(place)))));
    }
    keyed.sort_unstable_by(|((a, x), _), ((b, y), _)| sort.compare((a, x.id), (b, y.id)));
    Ok(keyed.into_iter().map(|(_, place)| place).collect())
}
