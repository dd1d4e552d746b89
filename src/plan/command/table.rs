//! Tables on a terminal: columns aligned, nothing cut, control characters out.

use std::io::{self, Write};

/// Prints rows under a header. Columns whose header starts with `>` are aligned to the right.
pub(crate) fn print(out: &mut dyn Write, header: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let titles: Vec<String> = header.iter().map(|h| h.trim_start_matches('>').to_owned()).collect();
    let right: Vec<bool> = header.iter().map(|h| h.starts_with('>')).collect();
    let rows: Vec<Vec<String>> = std::iter::once(titles)
        .chain(rows.iter().map(|row| row.iter().map(|cell| plain(cell)).collect()))
        .collect();
    let width = |i: usize| rows.iter().filter_map(|r| r.get(i)).map(|c| c.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    for row in &rows {
        let mut line = String::new();
        for ((cell, width), right) in row.iter().zip(&widths).zip(&right) {
            let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
            let (before, after) = if *right { (gap.as_str(), "") } else { ("", gap.as_str()) };
            line.push_str(&format!("{before}{cell}{after}  "));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Prints a line.
pub(crate) fn line(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "{}", plain(text))
}

/// A text that cannot steer the terminal.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_control_characters_are_dropped() {
        let mut out = Vec::new();
        let rows = [vec!["a\u{1b}[31m".to_owned(), "5".to_owned()], vec!["bcd".into(), "1234".into()]];
        print(&mut out, &["NAME", ">N"], &rows).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "NAME      N\na[31m     5\nbcd    1234\n");
    }
}
