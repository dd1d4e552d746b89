//! Reads a file of any kind.

use sha2::{Digest as _, Sha256};

use super::error::FileError;
use super::limits::FILE_BYTES;
use super::mapping::Mapping;
use super::product::Product;
use super::reading::{FileKind, Reading};
use super::table::Table;
use super::{cell, cmdb, encoding, json, leases, rows};
use crate::census::Timestamp;

/// How to read a file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct ReadOptions {
    /// Its kind; recognised by its content if it is missing.
    pub kind: Option<FileKind>,
    /// Columns, or members of JSON, that a person named; they override guessed ones.
    pub mapping: Mapping,
    /// The instant of the estimate: nothing was seen after it, and ages count from it.
    pub as_of: Option<Timestamp>,
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
    let mut reading = match options.kind {
        Some(FileKind::Cmdb) | None if !is_json(&text.text) => tabular(name, &text.text, options)?,
        kind => json::read(name, &text.text, kind, options)?,
    };
    reading.notes.extend(text.note);
    Ok(reading)
}

/// Reads a table, or a lease file.
fn tabular(name: String, text: &str, options: &ReadOptions) -> Result<Reading, FileError> {
    if let Some((table, product)) = leases::read(text) {
        return Ok(Reading::of(name, &scope(text), table, Some(product), options));
    }
    let table = cmdb::read(&name, text, &options.mapping)?;
    Ok(Reading::of(name, &scope(text), table, None, options))
}

impl Reading {
    /// A table as devices; `product` names the product if its columns need not tell.
    pub(super) fn of(
        name: String,
        scope: &str,
        mut table: Table,
        product: Option<&'static str>,
        options: &ReadOptions,
    ) -> Self {
        let mut notes = std::mem::take(&mut table.notes);
        notes.extend(table.sections.iter().flat_map(|s| s.columns.notes()));
        let doubts = std::mem::take(&mut table.doubts);
        let columns = table.sections.first().map(|s| s.columns.clone());
        let of_columns = columns.as_ref().and_then(|columns| Product::of(columns.header()));
        let product = product.map(Product::Named).or(of_columns);
        let (rows, told) = rows::devices(table, scope, product, options.as_of);
        Self {
            name,
            kind: FileKind::Cmdb,
            rows,
            product: product.map(Product::name),
            is_distinct: product == Some(Product::Own),
            columns,
            told,
            doubts,
            notes,
        }
    }
}

/// What tells the ids of this list from those of others: two lists may have one name, and one list may be given twice.
pub(super) fn scope(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()).iter().take(8).copied().collect::<Vec<u8>>())
}

/// The signature of a table's header, under which its columns are remembered; `None` if the file is not a table.
pub(crate) fn signature(bytes: &[u8]) -> Option<String> {
    let text = encoding::decode(bytes.get(..FILE_BYTES).unwrap_or(bytes))?;
    (!is_json(&text.text)).then(|| cmdb::signature(&text.text)).flatten()
}

/// Distinguishes JSON from a table by the first character. The members show later whose JSON it is.
fn is_json(text: &str) -> bool {
    matches!(text.trim_start().chars().next(), Some('{' | '['))
}
