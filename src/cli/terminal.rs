//! Output for terminals and pipes: texts without control characters, JSON documents, colours.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::failure::Failure;

/// Bytes of a document that are written at once.
const WRITTEN: usize = 64 << 10;

/// Replaces what could steer a terminal: control characters, and characters that change the direction of writing.
/// Everything that came from the network passes through here before it is printed.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    if text.contains(steers) { Cow::Owned(text.replace(steers, "\u{fffd}")) } else { Cow::Borrowed(text) }
}

fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Prints a line of text.
#[cfg(feature = "plan")]
pub(crate) fn line(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "{}", safe(text))
}

/// Prints a message of the program to standard error, each of its lines without control characters.
pub(super) fn complain(program: &str, message: &str) {
    let lines: Vec<_> = message.lines().map(safe).collect();
    // If standard error is closed, only the exit status remains.
    writeln!(io::stderr(), "{program}: {}", lines.join("\n")).ok();
}

/// Prints a JSON document in one line on standard output.
///
/// # Errors
/// If standard output cannot be written.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    Ok(write_json(value, &mut io::stdout().lock())?)
}

/// Writes a JSON document in one line.
///
/// # Errors
/// If `out` cannot be written.
pub(crate) fn write_json(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(WRITTEN, out);
    serde_json::to_writer(&mut out, value)?;
    writeln!(out)?;
    out.flush()
}

/// Whether `NO_COLOR` is unset or empty (<https://no-color.org>).
pub(crate) fn may_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_steers_a_terminal_is_harmless() {
        assert_eq!(safe("x\u{1b}[31m\u{202e}y\n"), "x\u{fffd}[31m\u{fffd}y\u{fffd}");
        assert!(matches!(safe("Überwachung 東京"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_json_document_is_one_line() {
        let mut out = Vec::new();
        write_json(&serde_json::json!({"a": [1, 2]}), &mut out).unwrap();
        assert_eq!(out, b"{\"a\":[1,2]}\n");
    }
}
