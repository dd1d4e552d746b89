//! Text for terminals: columns, and strings from the network made harmless.

use std::io::{self, Write};

pub(super) use crate::doctor::safe;

/// What stands for nothing.
pub(super) const NONE: &str = "-";

/// Columns of text, each as wide as its widest cell; the last one is not padded.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(header: &[&str]) -> Self {
        Self { rows: vec![header.iter().map(|h| (*h).to_owned()).collect()] }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|c| safe(&c)).collect());
    }

    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        columns(self.rows.iter(), out)
    }
}

/// Writes rows of harmless cells in columns. The rows are gone through twice, so that a million of them need not be held.
pub(super) fn columns<R: AsRef<[String]>>(
    rows: impl Iterator<Item = R> + Clone,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows.clone() {
        let row = row.as_ref();
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut line = String::new();
    for row in rows {
        line.clear();
        for (cell, width) in row.as_ref().iter().zip(&widths) {
            let pad = width.saturating_sub(cell.chars().count());
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', pad + 2));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_hostile_text_is_harmless() {
        let mut table = Table::new(&["A", "B"]);
        table.row(["long one".to_owned(), "x\u{1b}[31m\u{202e}y".to_owned()]);
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "A         B\nlong one  x\u{fffd}[31m\u{fffd}y\n");
    }
}
