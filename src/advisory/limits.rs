//! Bounds of one import, and of what it makes.

/// The most bytes of one file after decompression.
pub const FILE_BYTES: u64 = 4 << 30;
/// The most bytes of one record of a list. A CSAF document is one record.
pub const RECORD_BYTES: usize = 4 << 20;
/// The most bytes of a document that is not a list of records: one CSAF document.
pub(super) const DOCUMENT_BYTES: usize = 16 << 20;
/// The most criteria of one record.
pub const MATCHES: usize = 20_000;
/// The most CVEs in a set.
pub const CVES: u64 = 1_000_000;
/// The most bytes of the set's file.
pub const INDEX_BYTES: u64 = 3 << 29;
/// How deep the values of a file may nest.
pub(super) const DEPTH: usize = 64;
/// The bad records of one file that are reported with their place; further ones are counted.
pub(super) const REPORTED: usize = 20;
/// The most bytes of a title, a sentence of remedy, a vector, a URL.
pub(super) const LINE: usize = 300;
/// The most bytes of a description.
pub(super) const TEXT: usize = 1_000;
/// The most bytes of a version, a name of a product or of a vendor.
pub(super) const NAME: usize = 200;
/// The most references and remedies of a record.
pub(super) const FEW: usize = 5;

/// The text without control characters, at most `most` bytes of it.
pub(super) fn cut(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(most));
    for c in text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if out.len() + c.len_utf8() > most {
            break;
        }
        out.push(c);
    }
    out
}

/// The day of an instant in a feed, `YYYY-MM-DD`; `None` if it does not begin with one.
pub(super) fn day(text: &str) -> Option<String> {
    let day = text.get(..10)?;
    let fits =
        day.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
    fits.then(|| day.to_owned())
}
