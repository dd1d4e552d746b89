//! From the rows of a table to devices.

use std::collections::BTreeMap;

use super::cell::{self, squash};
use super::column::FileColumn;
use super::columns::Columns;
use super::dates::Dates;
use super::exclusion::Exclusion;
use super::headers;
use super::listed::{Addresses, ListedDevice};
use super::placeholder::is_placeholder;
use super::product::Product;
use super::reading::{FileRow, Told};
use super::states::{self, States};
use super::table::{Row, Table};
use super::unread::Unread;
use super::words::TypeWords;
use crate::census::{Category, Timestamp, Verdict};

/// The rows of a table as devices, and how its cells were understood.
pub(super) fn devices(
    table: Table,
    scope: &str,
    product: Option<Product>,
    as_of: Option<Timestamp>,
) -> (Vec<FileRow>, Told) {
    let Table { sections, broken, .. } = table;
    let mut told = Told::default();
    // Each column of dates decides its own order; columns of one name in several sections are one.
    let mut texts: BTreeMap<(bool, String), Vec<&str>> = BTreeMap::new();
    for (section, is_end) in sections.iter().flat_map(|s| [(s, false), (s, true)]) {
        let column = if is_end { FileColumn::LeaseEnd } else { FileColumn::LastSeen };
        for place in section.columns.at(column) {
            let into = texts.entry((is_end, section.columns.name(*place).to_owned())).or_default();
            into.extend(section.rows.iter().map(|row| row.cell(*place)).filter(|text| is_said(text)));
        }
    }
    let dates = texts
        .into_iter()
        .map(|((is_end, header), texts)| {
            // A lease ends after the list was made.
            let as_of = as_of.filter(|_| !is_end);
            let dates = Dates::of(texts.into_iter(), Some(&header), as_of);
            ((is_end, header), dates)
        })
        .collect();
    let (states, managed) = (States::default(), BTreeMap::new());
    let mut reading = Rows { scope, product, as_of, dates, states, managed };
    let mut rows = Vec::new();
    for section in &sections {
        rows.extend(
            section
                .rows
                .iter()
                .map(|row| FileRow { number: row.number, listed: reading.row(row, &section.columns) }),
        );
    }
    rows.extend(broken.into_iter().map(|(number, why)| FileRow { number, listed: Err(why) }));
    let mut unread = Vec::new();
    for ((_, header), dates) in reading.dates {
        let (report, texts) = dates.report(&header);
        told.dates.extend(report);
        unread.extend(texts);
    }
    let (states, words) = reading.states.report();
    unread.extend(words);
    unread.extend(reading.managed.into_iter().map(|((column, text), rows)| Unread {
        column,
        text,
        rows,
        why: "does not say whether another system manages the device".to_owned(),
        effect: "counts as not managed".to_owned(),
    }));
    told.states = states;
    told.unread = unread;
    (rows, told)
}

/// Whether a cell says anything.
fn is_said(text: &str) -> bool {
    cell::text(text).is_some()
}

/// Reads rows one after another.
struct Rows<'a> {
    /// What tells the ids of this list from those of others.
    scope: &'a str,
    product: Option<Product>,
    as_of: Option<Timestamp>,
    /// By whether the dates are ends of leases, and by header.
    dates: BTreeMap<(bool, String), Dates>,
    states: States,
    /// Words in columns of managed devices that are neither yes nor no.
    managed: BTreeMap<(String, String), u64>,
}

impl Rows<'_> {
    fn row(&mut self, row: &Row, columns: &Columns) -> Result<ListedDevice, String> {
        let all = |column: FileColumn| columns.at(column).iter().map(|place| row.cell(*place));
        let texts = |column: FileColumn| all(column).filter_map(cell::text);
        let one = |column: FileColumn| texts(column).next();
        let header = |place: &usize| columns.header().get(*place).cloned().unwrap_or_default();
        let mut addresses = Addresses::default();
        all(FileColumn::Mac).for_each(|cell| addresses.add_macs(cell));
        all(FileColumn::Ip).for_each(|cell| addresses.add_ips(cell));
        let id = one(FileColumn::Id).filter(|id| !is_placeholder(id));
        let mut listed = ListedDevice {
            name: one(FileColumn::Name),
            kinds: texts(FileColumn::Type).collect(),
            os: one(FileColumn::Os),
            vendor: one(FileColumn::Vendor),
            model: one(FileColumn::Model),
            ids: id.clone().map(|id| scoped(id, self.scope)).into_iter().collect(),
            id,
            serial: one(FileColumn::Serial).filter(|s| !is_placeholder(s)).map(|s| s.to_uppercase()),
            site: one(FileColumn::Site).map(|s| squash(&s)).filter(|s| !s.is_empty()),
            last_seen: self.last_seen(row, columns),
            ..ListedDevice::default()
        };
        // The most certain column that says anything decides: one that names a manager says less than one of states.
        let managing =
            if self.product == Some(Product::Own) { &[][..] } else { columns.at(FileColumn::Managed) };
        for place in managing {
            let Some(text) = cell::text(row.cell(*place)) else { continue };
            match cell::yes_or_no(&text) {
                Some(is_managed) => listed.managed = is_managed,
                None => {
                    let text: String = text.chars().take(60).collect();
                    *self.managed.entry((header(place), text)).or_default() += 1;
                }
            }
            break;
        }
        for place in columns.at(FileColumn::Status) {
            let Some(status) = cell::text(row.cell(*place)) else { continue };
            if self.states.is_not_in_use(&header(place), &status) && listed.excluded.is_none() {
                listed.excluded = Some(Exclusion::Retired);
                listed.because = Some(status);
            }
            if states::is_decisive(&header(place)) {
                break;
            }
        }
        // Rows of interfaces: the name is that of their device.
        let is_interface = columns.header_of(FileColumn::Mac).is_some_and(headers::is_interface);
        if let (true, true, Some(name)) = (is_interface, listed.ids.is_empty(), &listed.name) {
            listed.ids.push(format!("{}#name#{}", self.scope, name.to_lowercase()));
        }
        if self.product == Some(Product::Own) {
            own_verdict(row, columns, &mut listed);
        }
        addresses.into_device(listed)
    }

    /// The newest date of a row. A lease that ended tells that its device was not seen later.
    fn last_seen(&mut self, row: &Row, columns: &Columns) -> Option<Timestamp> {
        let seen = self.newest(row, columns, FileColumn::LastSeen);
        seen.or_else(|| {
            let end = self.newest(row, columns, FileColumn::LeaseEnd)?;
            Some(self.as_of.map_or(end, |now| end.min(now)))
        })
    }

    fn newest(&mut self, row: &Row, columns: &Columns, column: FileColumn) -> Option<Timestamp> {
        let mut newest: Option<Timestamp> = None;
        for place in columns.at(column) {
            let key = (column == FileColumn::LeaseEnd, columns.name(*place).to_owned());
            let Some(dates) = self.dates.get_mut(&key) else { continue };
            // A cell may hold the dates of several cards.
            for line in row.cell(*place).lines().map(str::trim).filter(|line| is_said(line)) {
                newest = newest.max(dates.read(line));
            }
        }
        newest
    }
}

/// Takes over what our own export decided: the category, and what is managed, deleted, unclassified or no device. Whether a
/// device is idle or counts is judged again.
fn own_verdict(row: &Row, columns: &Columns, listed: &mut ListedDevice) {
    let cell = |name: &str| {
        let place = columns.header().iter().position(|h| squash(h) == name);
        place.map_or("", |place| row.cell(place).trim())
    };
    // A person may have edited the category alone, so it goes before the type.
    let word = match Category::from_key(cell("category")) {
        Some(Category::Network) => Some("network"),
        Some(Category::Iot) => Some("iot"),
        Some(Category::ComputerMobile) => Some("computer"),
        _ => None,
    };
    if let Some(word) = word
        && !TypeWords::builtin().is_ok_and(|words| {
            let of = |text: &str| words.meaning(text).map(|m| m.category);
            listed.kinds.first().is_some_and(|kind| of(kind) == of(word))
        })
    {
        listed.kinds.insert(0, word.to_owned());
    }
    match Verdict::ALL.into_iter().find(|v| v.id() == cell("verdict")) {
        Some(Verdict::Managed) => listed.managed = true,
        Some(
            verdict @ (Verdict::Deleted
            | Verdict::Public
            | Verdict::Tentative
            | Verdict::Unclassified
            | Verdict::Virtual),
        ) => listed.excluded = Some(Exclusion::Verdict(verdict)),
        _ => {}
    }
}

/// Only a long hexadecimal id can be shared by several lists; a short one is specific to its file.
fn scoped(id: String, file: &str) -> String {
    let bare = squash(&id);
    let is_wide = bare.len() >= 32 && bare.bytes().all(|b| b.is_ascii_hexdigit());
    if is_wide { bare } else { format!("{file}#{id}") }
}
