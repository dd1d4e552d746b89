//! A list as a table, before anybody says what its rows mean.

use csv::StringRecord;

use super::columns::{Cells, Columns};
use super::mapping::Mapping;

/// Rows by whose cells a column is recognised.
pub(super) const SAMPLE: usize = 1_000;

/// A table. A file that was put together of several exports has a section for each header.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) sections: Vec<Section>,
    /// Rows that cannot be read, by line, with the reason.
    pub(super) broken: Vec<(u64, String)>,
    pub(super) notes: Vec<String>,
    /// Why rows may be missing or misread, for people.
    pub(super) doubts: Vec<String>,
}

/// Rows below one header.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) columns: Columns,
    pub(super) rows: Vec<Row>,
}

/// A row: its line or number, and its cells.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) number: u64,
    pub(super) cells: RowCells,
}

/// The cells of a row: all, or only those that a record has.
#[derive(Debug)]
pub(super) enum RowCells {
    All(StringRecord),
    Some(Vec<(usize, String)>),
}

impl Row {
    /// The cell in a column; empty if the row has none.
    pub(super) fn cell(&self, place: usize) -> &str {
        match &self.cells {
            RowCells::All(record) => record.get(place).unwrap_or_default(),
            RowCells::Some(cells) => {
                cells.iter().find(|(p, _)| *p == place).map_or("", |(_, text)| text.as_str())
            }
        }
    }
}

/// What the first rows hold in each column.
pub(super) fn sample<'a>(width: usize, rows: impl Iterator<Item = &'a Row>) -> Vec<Cells> {
    let mut cells: Vec<Cells> = (0..width).map(|_| Cells::default()).collect();
    for row in rows.take(SAMPLE) {
        match &row.cells {
            RowCells::All(record) => record.iter().zip(&mut cells).for_each(|(text, cell)| cell.add(text)),
            RowCells::Some(found) => {
                for (place, text) in found {
                    if let Some(cell) = cells.get_mut(*place) {
                        cell.add(text);
                    }
                }
            }
        }
    }
    cells
}

impl Section {
    /// The meaning of the columns by header and rows.
    ///
    /// # Errors
    ///
    /// With the header that `mapping` names and the table does not have.
    pub(super) fn of(header: &[String], rows: Vec<Row>, mapping: &Mapping) -> Result<Self, String> {
        let cells = sample(header.len(), rows.iter());
        Ok(Self { columns: Columns::of(header, &cells, mapping)?, rows })
    }
}
