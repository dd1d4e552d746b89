//! Takes a JSON text apart into the records of a list, without holding more than one of them.
//!
//! Only brackets and quotes are looked at; each record is then read for itself, so that a bad one does not spoil the file.

use std::io::BufRead;

use super::error::ReadError;
use super::limits::DEPTH;

/// The longest key of the outer object.
const KEY: usize = 256;
/// The longest value beside the list that is handed over, such as the date of a catalogue.
const VALUE: usize = 1_024;

/// What the outermost values of a text are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Layout {
    /// Objects that hold a list of records under one of these keys; or lists of records.
    List(&'static [&'static str]),
    /// Records; or lists of records.
    Whole,
}

/// A part of a text.
#[derive(Debug)]
pub(super) enum Piece<'b> {
    /// A record, and the byte at which it begins.
    Record { at: u64, bytes: &'b [u8] },
    /// A record that is not handed over, and why.
    Skipped { at: u64, why: &'static str },
    /// A value beside the list.
    Beside { key: &'b str, value: &'b [u8] },
}

/// What becomes of a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Complete,
    TooLarge,
    TooDeep,
}

/// Calls `each` for every piece of a text. A record has at most `most` bytes.
///
/// # Errors
/// If the text outside the records is not JSON, if it ends too early, and what `each` refuses.
pub(super) fn split(
    input: &mut dyn BufRead,
    layout: Layout,
    most: usize,
    each: &mut dyn FnMut(Piece<'_>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let mut scanner = Scanner { input, at: 0, most, buffer: Vec::new() };
    // The mark of the byte order, which some programs write.
    if scanner.byte()? == Some(0xef) {
        for expected in [0xef, 0xbb, 0xbf] {
            scanner.expect(expected, "not JSON")?;
        }
    }
    while let Some(first) = scanner.peek()? {
        match (first, layout) {
            (b'[', _) => scanner.list(each)?,
            (b'{', Layout::Whole) => scanner.record(each)?,
            (b'{', Layout::List(keys)) => scanner.object(keys, each)?,
            _ => return Err(scanner.error("neither an object nor a list")),
        }
    }
    Ok(())
}

struct Scanner<'i> {
    input: &'i mut dyn BufRead,
    at: u64,
    most: usize,
    buffer: Vec<u8>,
}

impl Scanner<'_> {
    fn error(&self, why: &'static str) -> ReadError {
        ReadError::Syntax { at: self.at, why }
    }

    /// The next byte, which stays.
    fn byte(&mut self) -> Result<Option<u8>, ReadError> {
        Ok(self.input.fill_buf()?.first().copied())
    }

    fn skip(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.at += bytes as u64;
    }

    /// The next byte that is not white space, which stays.
    fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        while let Some(byte) = self.byte()? {
            if !byte.is_ascii_whitespace() {
                return Ok(Some(byte));
            }
            self.skip(1);
        }
        Ok(None)
    }

    fn expect(&mut self, expected: u8, why: &'static str) -> Result<(), ReadError> {
        if self.peek()? != Some(expected) {
            return Err(self.error(why));
        }
        self.skip(1);
        Ok(())
    }

    fn object(
        &mut self,
        keys: &[&str],
        each: &mut dyn FnMut(Piece<'_>) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        self.expect(b'{', "not an object")?;
        if self.peek()? == Some(b'}') {
            self.skip(1);
            return Ok(());
        }
        loop {
            if self.peek()? != Some(b'"') {
                return Err(self.error("no key"));
            }
            if self.value(KEY)? != Fate::Complete {
                return Err(self.error("a key is too long"));
            }
            let key: String = serde_json::from_slice(&self.buffer).map_err(|_| self.error("a bad key"))?;
            self.expect(b':', "no value for a key")?;
            if keys.contains(&key.as_str()) && self.peek()? == Some(b'[') {
                self.list(each)?;
            } else if self.peek()?.is_none() {
                return Err(self.error("ends within an object"));
            } else if self.value(VALUE)? == Fate::Complete {
                each(Piece::Beside { key: &key, value: &self.buffer })?;
            }
            match self.peek()? {
                Some(b',') => self.skip(1),
                Some(b'}') => break,
                _ => return Err(self.error("no comma between two keys")),
            }
        }
        self.skip(1);
        Ok(())
    }

    fn list(&mut self, each: &mut dyn FnMut(Piece<'_>) -> Result<(), ReadError>) -> Result<(), ReadError> {
        self.expect(b'[', "not a list")?;
        if self.peek()? == Some(b']') {
            self.skip(1);
            return Ok(());
        }
        loop {
            self.record(each)?;
            match self.peek()? {
                Some(b',') => self.skip(1),
                Some(b']') => break,
                _ => return Err(self.error("no comma between two records")),
            }
        }
        self.skip(1);
        Ok(())
    }

    fn record(&mut self, each: &mut dyn FnMut(Piece<'_>) -> Result<(), ReadError>) -> Result<(), ReadError> {
        if self.peek()?.is_none() {
            return Err(self.error("ends within a list"));
        }
        let at = self.at;
        match self.value(self.most)? {
            Fate::Complete => each(Piece::Record { at, bytes: &self.buffer }),
            Fate::TooLarge => each(Piece::Skipped { at, why: "larger than a record may be" }),
            Fate::TooDeep => each(Piece::Skipped { at, why: "nested too deeply" }),
        }
    }

    /// Takes a value into the buffer. If it is too large or too deep, it is passed over, and the buffer is empty.
    fn value(&mut self, most: usize) -> Result<Fate, ReadError> {
        self.buffer.clear();
        let mut fate = Fate::Complete;
        let (mut depth, mut in_string, mut escaped, mut ended) = (0_usize, false, false, false);
        while !ended {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                // A number or a word ends with the text.
                if depth == 0 && !in_string && !self.buffer.is_empty() {
                    break;
                }
                return Err(self.error("ends within a value"));
            }
            let mut taken = 0;
            for byte in chunk {
                if in_string {
                    taken += 1;
                    match byte {
                        _ if escaped => escaped = false,
                        b'\\' => escaped = true,
                        b'"' => {
                            in_string = false;
                            ended = depth == 0;
                        }
                        _ => {}
                    }
                } else {
                    match byte {
                        b'"' => in_string = true,
                        b'{' | b'[' => {
                            depth += 1;
                            if depth > DEPTH {
                                fate = Fate::TooDeep;
                            }
                        }
                        b'}' | b']' if depth > 0 => {
                            depth -= 1;
                            ended = depth == 0;
                        }
                        // The end of a number or a word.
                        b',' | b'}' | b']' | b':' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => {
                            ended = true;
                            break;
                        }
                        _ => {}
                    }
                    taken += 1;
                }
                if ended {
                    break;
                }
            }
            if fate == Fate::Complete && self.buffer.len() + taken > most {
                fate = Fate::TooLarge;
            }
            if fate == Fate::Complete {
                self.buffer.extend_from_slice(chunk.get(..taken).unwrap_or_default());
            }
            self.skip(taken);
        }
        if fate != Fate::Complete {
            self.buffer = Vec::new();
        } else if self.buffer.is_empty() {
            return Err(self.error("no value"));
        }
        Ok(fate)
    }
}

/// A key of a text's beginning, and how deep it is: 1 for those of the outermost object.
pub(super) fn keys(head: &[u8]) -> Vec<(usize, String, Option<u8>)> {
    let mut found = Vec::new();
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = head.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let start = at + 1;
                let rest = head.get(start..).unwrap_or_default();
                let Some(end) = end_of_string(rest) else { break };
                at = start + end;
                let mut after =
                    head.get(at + 1..).unwrap_or_default().iter().filter(|b| !b.is_ascii_whitespace());
                if after.next() == Some(&b':') {
                    let key = String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned();
                    found.push((depth, key, after.next().copied()));
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn end_of_string(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at),
            _ => {}
        }
    }
    None
}
