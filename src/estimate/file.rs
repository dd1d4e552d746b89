//! Reads a file of any kind.

use super::error::FileError;
use super::limits::FILE_BYTES;
use super::mapping::Mapping;
use super::reading::{FileKind, Reading};
use super::{cell, cmdb, encoding, json};

/// How a file is to be read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ReadOptions {
    /// Its kind; told by its content where none is given.
    pub kind: Option<FileKind>,
    /// Columns that a person named, over the guessed ones. For tables only.
    pub mapping: Mapping,
}

/// Reads a file.
///
/// # Errors
///
/// Where nothing of it can be read at all; what is wrong with a single row stands in that row.
pub fn read(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<Reading, FileError> {
    let name = cell::file_name(name);
    if bytes.len() > FILE_BYTES {
        return Err(FileError::TooLarge { name });
    }
    let text = encoding::decode(bytes).ok_or_else(|| FileError::NotText { name: name.clone() })?;
    if text.text.trim().is_empty() {
        return Err(FileError::Empty { name });
    }
    let mut reading = match options.kind.unwrap_or_else(|| guess(&text.text)) {
        FileKind::Cmdb => cmdb::read(name, &text.text, &options.mapping)?,
        kind => json::read(name, &text.text, kind, options.kind.is_some())?,
    };
    reading.notes.extend(text.note);
    Ok(reading)
}

/// The signature of a table's header, under which its columns are remembered; `None` for what is no table.
pub fn signature(bytes: &[u8]) -> Option<String> {
    let text = encoding::decode(bytes.get(..FILE_BYTES).unwrap_or(bytes))?;
    (guess(&text.text) == FileKind::Cmdb).then(|| cmdb::signature(&text.text)).flatten()
}

/// Tells JSON from a table by the first character; whose JSON it is, is told by its members.
fn guess(text: &str) -> FileKind {
    match text.trim_start().chars().next() {
        Some('{' | '[') => FileKind::Defender,
        _ => FileKind::Cmdb,
    }
}
