//! Rows on their way into the report.

use super::exclusion::Exclusion;
use super::listed::ListedDevice;
use super::reading::Reading;
use super::report::RowOutcome;
use super::sorter::Sorted;

/// One row with its file.
pub(super) struct Place<'a> {
    pub(super) file: &'a Reading,
    /// The file's index.
    pub(super) list: usize,
    pub(super) number: u64,
    pub(super) listed: Result<&'a ListedDevice, &'a str>,
    pub(super) sorted: Option<Sorted>,
}

impl Place<'_> {
    pub(super) fn named(&self) -> String {
        format!("{}:{}", self.file.name, self.number)
    }
}

/// The outcome of a row.
pub(super) struct Fate {
    pub(super) outcome: RowOutcome,
    pub(super) rule: Option<&'static str>,
    pub(super) same_as: Option<String>,
    pub(super) why: String,
}

impl Fate {
    pub(super) fn excluded(exclusion: Exclusion, because: Option<&str>) -> Self {
        let title = exclusion.title();
        let why = because.map_or_else(|| title.to_owned(), |b| format!("{title}: {b}"));
        Self { outcome: RowOutcome::Excluded, rule: Some(exclusion.id()), same_as: None, why }
    }

    pub(super) fn unreadable(why: &str) -> Self {
        Self { outcome: RowOutcome::Unreadable, rule: None, same_as: None, why: why.to_owned() }
    }

    pub(super) fn same(as_what: String, why: String) -> Self {
        Self { outcome: RowOutcome::Merged, rule: None, same_as: Some(as_what), why }
    }
}
