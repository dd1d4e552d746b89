//! The devices of a zone, as lists search them.

use std::fmt::Write as _;
use std::sync::OnceLock;

use memchr::memmem::Finder;

use crate::census::{DeviceDecisions, DeviceId, Join};
use crate::wire::{CouplingRow, DeviceRow};

/// The devices of a zone, sorted by address and MAC.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    rows: Vec<DeviceRow>,
    /// Places of the devices, sorted by id.
    by_id: Vec<u32>,
    text: OnceLock<SearchText>,
}

impl Rows {
    pub(crate) fn new(rows: Vec<DeviceRow>) -> Self {
        let mut by_id: Vec<u32> = (0..u32::try_from(rows.len()).unwrap_or(u32::MAX)).collect();
        by_id.sort_unstable_by_key(|place| rows.get(*place as usize).map(|row| row.id));
        Self { rows, by_id, text: OnceLock::new() }
    }

    /// About how much memory they take, with the text that is searched.
    pub(crate) fn bytes(&self) -> usize {
        let more = |row: &DeviceRow| {
            let couplings = row.couplings.len().saturating_sub(1) * size_of::<CouplingRow>();
            couplings + row.joins.len() * size_of::<Join>() + 64 * row.couplings.len()
        };
        // A line of the text is about as long as half a row.
        self.rows.len() * size_of::<DeviceRow>() * 3 / 2 + self.rows.iter().map(more).sum::<usize>()
    }

    pub(crate) fn into_rows(self) -> impl Iterator<Item = DeviceRow> {
        self.rows.into_iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The name of the zone, unless it has no devices.
    pub(super) fn zone(&self) -> Option<&str> {
        self.rows.first().map(|row| &*row.zone)
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, DeviceRow> {
        self.rows.iter()
    }

    pub(crate) fn get(&self, place: usize) -> Option<&DeviceRow> {
        self.rows.get(place)
    }

    /// The device of that id.
    pub(crate) fn of_id(&self, id: DeviceId) -> Option<&DeviceRow> {
        let row = |place: &u32| self.rows.get(*place as usize);
        let place = self.by_id.partition_point(|place| row(place).is_some_and(|row| row.id < id));
        self.by_id.get(place).and_then(row).filter(|row| row.id == id)
    }

    /// What words are searched in for the device at `place`, in lower case.
    pub(super) fn text(&self, place: usize) -> &str {
        self.text.get_or_init(|| SearchText::new(&self.rows)).of(place)
    }

    /// Places of the devices that have all of `words`, which are in lower case.
    pub(super) fn having<'v: 's, 's>(
        &'v self,
        words: &'s [String],
    ) -> impl Iterator<Item = usize> + use<'v, 's> {
        let text = self.text.get_or_init(|| SearchText::new(&self.rows));
        // The longest word is the rarest, as a rule.
        let longest = words.iter().max_by_key(|word| word.len());
        let longest = longest.map(|word| Finder::new(word.as_str()));
        let mut from = 0;
        std::iter::from_fn(move || {
            loop {
                let (place, next) = text.find(longest.as_ref()?, from)?;
                from = next;
                if words.iter().all(|word| text.of(place).contains(word.as_str())) {
                    return Some(place);
                }
            }
        })
    }
}

/// What words are searched in: a line for each device, in lower case.
#[derive(Debug, Default)]
struct SearchText {
    text: String,
    /// The end of each device's line.
    ends: Vec<usize>,
}

impl SearchText {
    fn new(rows: &[DeviceRow]) -> Self {
        let mut out = Self::default();
        let mut line = String::new();
        for row in rows {
            line.clear();
            write_line(&mut line, row);
            out.text.push_str(&line.to_lowercase());
            out.text.push('\n');
            out.ends.push(out.text.len());
        }
        out.text.shrink_to_fit();
        out
    }

    fn of(&self, place: usize) -> &str {
        let start = place.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(place).copied().unwrap_or(start);
        self.text.get(start..end).unwrap_or_default()
    }

    /// The first device whose line has the word and begins at `from` or later, and where the next line begins.
    fn find(&self, word: &Finder<'_>, from: usize) -> Option<(usize, usize)> {
        let at = from + word.find(self.text.as_bytes().get(from..)?)?;
        let place = self.ends.partition_point(|end| *end <= at);
        Some((place, *self.ends.get(place)?))
    }
}

fn write_line(line: &mut String, d: &DeviceRow) {
    let what = &d.what;
    // Writing to memory does not fail.
    write!(line, "{} {} {} {} {} {}", d.id, d.ip, d.mac, what.kind, d.zone, d.verdict.id()).ok();
    let decided = d.decided.as_deref();
    let told = [&what.name, &what.vendor, &what.model, &what.os, &what.firmware].into_iter().flatten();
    let told = told.map(|text| &**text).chain(decided.and_then(DeviceDecisions::location));
    for part in told.chain(decided.into_iter().flat_map(DeviceDecisions::tags).map(String::as_str)) {
        line.push(' ');
        line.push_str(part);
    }
    for c in &d.couplings {
        write!(line, " {} {}", c.key.ip, c.key.mac).ok();
    }
}
