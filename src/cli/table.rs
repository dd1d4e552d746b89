//! Tables of text: aligned columns, nothing cut off.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr as _;

use super::terminal::safe;

/// Stands for an empty cell.
#[cfg(any(feature = "sensor", feature = "plan"))]
pub(crate) const NONE: &str = "-";

/// Prints rows under a header. A column is as wide as its widest cell in terminal columns; if its header starts with
/// `>`, it is aligned to the right. Cells may come from the network.
///
/// The rows are gone through twice instead of being kept, so that a million of them need no memory.
pub(crate) fn print<R, I>(out: &mut dyn Write, header: &[&str], rows: I) -> io::Result<()>
where
    R: AsRef<[String]>,
    I: IntoIterator<Item = R>,
    I::IntoIter: Clone,
{
    let rows = rows.into_iter();
    let titles: Vec<&str> = header.iter().map(|h| h.trim_start_matches('>')).collect();
    let mut widths: Vec<usize> = titles.iter().map(|t| t.width()).collect();
    for row in rows.clone() {
        for (width, cell) in widths.iter_mut().zip(row.as_ref()) {
            *width = (*width).max(safe(cell).width());
        }
    }
    let mut line = String::new();
    let mut write = |cells: &mut dyn Iterator<Item = &str>| {
        line.clear();
        for ((cell, width), title) in cells.zip(&widths).zip(header) {
            let cell = safe(cell);
            let gap = " ".repeat(width.saturating_sub(cell.width()));
            let (before, after) =
                if title.starts_with('>') { (gap.as_str(), "") } else { ("", gap.as_str()) };
            line.extend([before, &cell, after, "  "]);
        }
        writeln!(out, "{}", line.trim_end())
    };
    write(&mut titles.iter().copied())?;
    for row in rows {
        write(&mut row.as_ref().iter().map(String::as_str))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(header: &[&str], rows: &[[&str; 2]]) -> String {
        let mut out = Vec::new();
        print(&mut out, header, rows.iter().map(|row| row.map(str::to_owned))).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_line_up_and_numbers_stand_right() {
        let rows = [["a\u{1b}[31m", "5"], ["bcd", "1234"]];
        assert_eq!(printed(&["NAME", ">N"], &rows), "NAME       N\na\u{fffd}[31m     5\nbcd     1234\n");
    }

    #[test]
    fn wide_and_combining_characters_are_measured_as_a_terminal_shows_them() {
        let rows = [["東京", "1"], ["cafe\u{301}", "2"]];
        assert_eq!(printed(&["NAME", "N"], &rows), "NAME  N\n東京  1\ncafe\u{301}  2\n");
    }
}
