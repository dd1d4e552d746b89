//! Reads a file of any kind.

use super::error::FileError;
use super::limits::FILE_BYTES;
use super::mapping::Mapping;
use super::reading::{FileKind, Reading};
use super::{cell, cmdb, encoding, json};

/// How to read a file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct ReadOptions {
    /// Its kind; recognised by its content if it is missing.
    pub kind: Option<FileKind>,
    /// Columns that a person named; they override guessed ones. For tables only.
    pub mapping: Mapping,
}

/// Reads a file.
///
/// # Errors
///
/// If the file as a whole cannot be read. A row that cannot be read carries its own reason.
pub(crate) fn read(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<Reading, FileError> {
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

/// The signature of a table's header, under which its columns are remembered; `None` if the file is not a table.
pub(crate) fn signature(bytes: &[u8]) -> Option<String> {
    let text = encoding::decode(bytes.get(..FILE_BYTES).unwrap_or(bytes))?;
    (guess(&text.text) == FileKind::Cmdb).then(|| cmdb::signature(&text.text)).flatten()
}

/// Distinguishes JSON from a table by the first character. The members show later whose JSON it is.
fn guess(text: &str) -> FileKind {
    match text.trim_start().chars().next() {
        Some('{' | '[') => FileKind::Defender,
        _ => FileKind::Cmdb,
    }
}
