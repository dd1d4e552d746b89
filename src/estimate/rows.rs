//! From the rows of a table to devices.

use std::collections::BTreeMap;

use super::cell::{self, squash};
use super::column::FileColumn;
use super::columns::Columns;
use super::dates::Dates;
use super::exclusion::Exclusion;
use super::listed::{Addresses, ListedDevice};
use super::placeholder::is_placeholder;
use super::product::Product;
use super::reading::{FileRow, Told};
use super::states::States;
use super::table::{Row, Table};
use super::unread::Unread;
use super::words::TypeWords;
use crate::census::{Category, Timestamp, Verdict};

/// The rows of a table as devices, and how its cells were understood.
pub(super) fn devices(
    table: Table,
    name: &str,
    product: Option<Product>,
    as_of: Option<Timestamp>,
) -> (Vec<FileRow>, Told) {
    let Table { sections, broken, .. } = table;
    let mut told = Told::default();
    let header = |column| sections.iter().find_map(|s| s.columns.header_of(column));
    let texts = |column| {
        sections.iter().flat_map(move |section| {
            let places = section.columns.at(column);
            let cells =
                move |row: &'_ Row| places.iter().map(|p| row.cell(*p).to_owned()).collect::<Vec<_>>();
            section.rows.iter().flat_map(cells).filter(|text| is_said(text))
        })
    };
    let dates = |column, as_of| {
        let texts: Vec<String> = texts(column).collect();
        Dates::of(texts.iter().map(String::as_str), header(column), as_of)
    };
    let seen = dates(FileColumn::LastSeen, as_of);
    // A lease ends after the list was made.
    let ends = dates(FileColumn::LeaseEnd, None);
    let header = header(FileColumn::LastSeen);
    let column = header.unwrap_or("last_seen").to_owned();
    let (states, managed) = (States::default(), BTreeMap::new());
    let mut reading = Rows { name, product, as_of, seen, ends, states, managed };
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
    let (dates, mut unread) = reading.seen.report(&column);
    let (ends, of_ends) = reading.ends.report("lease_end");
    unread.extend(of_ends);
    let (states, words) = reading.states.report();
    unread.extend(words);
    unread.extend(reading.managed.into_iter().map(|((column, text), rows)| Unread {
        column,
        text,
        rows,
        why: "does not say whether another system manages the device".to_owned(),
        effect: "counts as not managed".to_owned(),
    }));
    told.dates = dates.or(ends);
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
    name: &'a str,
    product: Option<Product>,
    as_of: Option<Timestamp>,
    seen: Dates,
    ends: Dates,
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
            ids: id.clone().map(|id| scoped(id, self.name)).into_iter().collect(),
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
        }
        if self.product == Some(Product::Own) {
            own_verdict(row, columns, &mut listed);
        }
        addresses.into_device(listed)
    }

    /// The newest date of a row. A lease that ended tells that its device was not seen later.
    fn last_seen(&mut self, row: &Row, columns: &Columns) -> Option<Timestamp> {
        let mut newest: Option<Timestamp> = None;
        for place in columns.at(FileColumn::LastSeen) {
            let text = row.cell(*place);
            // A cell may hold the dates of several cards.
            for line in text.lines().map(str::trim).filter(|line| is_said(line)) {
                newest = newest.max(self.seen.read(line));
            }
        }
        if newest.is_none() {
            for place in columns.at(FileColumn::LeaseEnd) {
                let text = row.cell(*place);
                if is_said(text) {
                    newest = self.ends.read(text).map(|end| self.as_of.map_or(end, |now| end.min(now)));
                }
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
