//! Finds a quotation that swallows rows: `"24 inch display` opens one that never closes.

use super::spelling;

/// The line on which a quotation opens that does not close where it should; `None` if all are in order.
///
/// `width` is the number of columns. A quotation that closes only on a later line, after whole rows, is one too.
pub(super) fn open_quotation(text: &str, delimiter: u8, width: usize) -> Option<u64> {
    let bytes = text.as_bytes();
    let (mut at, mut line) = (0, 1_u64);
    let mut is_start = true;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' if is_start => {
                let Some((next, lines)) = close(bytes, at + 1, delimiter, width) else { return Some(line) };
                (at, line) = (next, line + lines);
                is_start = false;
                continue;
            }
            b'\n' => {
                line += 1;
                is_start = true;
            }
            b'\r' => is_start = true,
            b => is_start = *b == delimiter,
        }
        at += 1;
    }
    None
}

/// The byte behind the quotation that opened before `at`, and the line feeds in it; `None` if it is not in order.
fn close(bytes: &[u8], mut at: usize, delimiter: u8, width: usize) -> Option<(usize, u64)> {
    let start = at;
    let mut lines = 0;
    let mut delimiters = 0;
    loop {
        match bytes.get(at) {
            None => return None,
            Some(b'"') => match bytes.get(at + 1) {
                Some(b'"') => at += 1,
                next if next.is_none_or(|b| matches!(b, b'\n' | b'\r') || *b == delimiter) => {
                    let cell = bytes.get(start..at).unwrap_or_default();
                    return (lines == 0 || !holds_rows(cell, delimiter)).then_some((at + 1, lines));
                }
                _ => return None,
            },
            Some(b'\n') => {
                // A line of its own with as many cells as the table has.
                if lines > 0 && width > 2 && delimiters + 1 >= width {
                    return None;
                }
                lines += 1;
                delimiters = 0;
            }
            Some(byte) => delimiters += usize::from(*byte == delimiter),
        }
        at += 1;
    }
}

/// Whether a line of a cell, behind its first one, has a separator and a MAC: it is a row.
fn holds_rows(cell: &[u8], delimiter: u8) -> bool {
    cell.split(|b| *b == b'\n').skip(1).filter(|line| line.contains(&delimiter)).any(|line| {
        line.split(|b| *b == delimiter)
            .any(|cell| spelling::macs(&String::from_utf8_lossy(cell)).next().is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotation_that_swallows_rows_is_found_on_its_line() {
        let of = |text: &str| open_quotation(text, b',', 3);
        assert_eq!(of("a,b,c\n1,2,3\n\"24 inch,2,3\n1,2,3\n"), Some(3));
        assert_eq!(of("a,b,c\n\"24 inch,2,3\n1,2,3\n\"27 inch,2,3\n"), Some(2));
        assert_eq!(of("a,b,c\nx,\"24\" inch,3\n"), Some(2));
        assert_eq!(of("a,b,c\n1,2,\"ok\n2,00:40:8c:00:00:01,x\"\n"), Some(2));
    }

    #[test]
    fn quotations_in_order_are_none() {
        let of = |text: &str| open_quotation(text, b',', 3);
        for text in [
            "a,b,c\n\"x, y\",2,3\n",
            "a,b,c\r\n\"two\r\nlines\",2,3\r\n",
            "a,b,c\n\"say \"\"hi\"\"\",2,3",
            "a,b,c\n24\" display,2,3\n",
            "a,b,c\n\"\",\"\",\"\"\n",
            "a,b,c\n\"note, with ,\nand\nreturn\",2,3\n",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
