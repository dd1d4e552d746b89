//! From the outcomes of rows to the sums and sentences of the report.

use std::collections::BTreeMap;

use super::columns::Columns;
use super::exclusion::Exclusion;
use super::fate::{Fate, Place};
use super::listed::shown;
use super::reading::Reading;
use super::report::{Estimate, FileReport, Ledger, RowOutcome, RowReport, TieReport};
use super::unread::Unread;
use crate::census::{Category, Classification, Verdict, commitment};

/// Values that tie nothing, and examples of a kind of tie, that a report names.
const NAMED: usize = 100;
const EXAMPLES: usize = 3;

/// The words for types that nobody knows.
fn types_of(unknown: &BTreeMap<(usize, &str), u64>, list: usize) -> impl Iterator<Item = Unread> {
    let of_list = unknown.iter().filter(move |((of, _), _)| *of == list);
    of_list.map(|((_, text), rows)| Unread {
        column: "type".to_owned(),
        text: text.chars().take(60).collect(),
        rows: *rows,
        why: "does not tell what the device is, and nothing else of its row does".to_owned(),
        effect: "does not count".to_owned(),
    })
}

impl Estimate {
    /// Writes rows and sums into the report.
    pub(super) fn write(&mut self, files: &[Reading], places: &[Place<'_>], fates: Vec<Option<Fate>>) {
        let mut unknown: BTreeMap<(usize, &str), u64> = BTreeMap::new();
        let mut ledgers: Vec<Ledger> = files.iter().map(|_| Ledger::default()).collect();
        for (place, fate) in places.iter().zip(fates) {
            let fate = fate
                .unwrap_or_else(|| Fate::unreadable("internal error: the row was lost; please report this"));
            self.ledger.add(fate.outcome);
            if let Some(ledger) = ledgers.get_mut(place.list) {
                ledger.add(fate.outcome);
            }
            if let (Some(rule), RowOutcome::Excluded) = (fate.rule, fate.outcome) {
                *self.excluded.entry(rule).or_default() += 1;
            }
            let is_untold = fate.rule == Some(Verdict::Unclassified.id());
            if let (true, Ok(listed)) = (is_untold, place.listed)
                && let Some(kind) = listed.kinds.first()
            {
                *unknown.entry((place.list, kind)).or_default() += 1;
            }
            let (mac, ip) = place.listed.map_or((None, None), shown);
            let sorted = place.sorted.as_ref();
            self.rows.push(RowReport {
                file: place.file.name.clone(),
                row: place.number,
                outcome: fate.outcome,
                rule: fate.rule,
                same_as: fate.same_as,
                why: fate.why,
                category: sorted.map_or(Category::Unclassified, |s| s.category),
                kind: sorted.map_or_else(|| Classification::UNKNOWN_KIND.to_owned(), |s| s.kind.clone()),
                mac,
                ip,
                name: place.listed.ok().and_then(|e| e.name.clone()),
            });
        }
        self.files = files
            .iter()
            .zip(ledgers)
            .enumerate()
            .map(|(list, (file, ledger))| FileReport {
                name: file.name.clone(),
                kind: file.kind,
                ledger,
                columns: file.columns.as_ref().map(|c| c.mapping().0),
                signature: file.columns.as_ref().map(Columns::signature),
                product: file.product,
                dates: file.told.dates.clone(),
                states: file.told.states.clone(),
                not_understood: file.told.unread.iter().cloned().chain(types_of(&unknown, list)).collect(),
                doubts: file.doubts.clone(),
                notes: file.notes.clone(),
            })
            .collect();
        self.billable = self.network + self.iot;
        self.commitment = Some(commitment(self.billable)).filter(|number| *number > 0);
        self.arithmetic = self.sum();
        self.untied.truncate(NAMED);
        self.because = self.bounds();
        self.at_least = !self.because.is_empty();
        self.ties = self.tied();
    }

    /// Why the number is only a lower bound.
    fn bounds(&self) -> Vec<String> {
        let mut because = Vec::new();
        if self.ledger.unreadable > 0 {
            because.push(format!("{} rows could not be read", self.ledger.unreadable));
        }
        if let Some(rows) = self.excluded.get(Exclusion::Ambiguous.id()) {
            because.push(format!("{rows} rows without a MAC could be one of several devices"));
        }
        let doubts = self.files.iter().flat_map(|f| f.doubts.iter().map(move |d| format!("{}: {d}", f.name)));
        because.extend(doubts);
        because
    }

    /// The merged rows by what ties them.
    fn tied(&self) -> Vec<TieReport> {
        let mut ties: BTreeMap<&'static str, TieReport> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| row.outcome == RowOutcome::Merged) {
            let by = ["MAC", "id", "serial number", "address"]
                .into_iter()
                .find(|by| row.why.contains(&format!(", by {by}")))
                .unwrap_or("other rows");
            let tie = ties.entry(by).or_insert(TieReport { by, rows: 0, examples: Vec::new() });
            tie.rows += 1;
            if let (Some(same), true) = (&row.same_as, tie.examples.len() < EXAMPLES) {
                tie.examples.push(format!("{}:{} = {same}", row.file, row.row));
            }
        }
        ties.into_values().collect()
    }
}
