//! Cursors: where the previous page ended.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::column::SortKey;
use crate::census::Timestamp;

/// The longest cursor in characters. Names are bounded by the size of a frame.
const LENGTH: usize = 4_096;

/// The last device of a page.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cursor<'d> {
    /// The fingerprint of the list's filter and order.
    pub(super) list: String,
    /// The order, for people who decode the cursor.
    pub(super) sort: String,
    /// The instant of the list.
    pub(super) as_of: Timestamp,
    /// The device's sort key.
    pub(super) key: SortKey<'d>,
    pub(super) id: String,
}

/// A cursor that cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadCursor {
    /// It cannot be read.
    #[error(
        "'after' or 'before' is not a cursor; send the 'next' or 'previous' of the page beside it unchanged"
    )]
    Unreadable,
    /// It belongs to another list.
    #[error(
        "'after' or 'before' belongs to a list with another filter, order or instant; repeat those of the page beside it, or start again without"
    )]
    OtherList,
    /// There are several places.
    #[error("'after', 'before', 'skip' and 'from' exclude each other; send one of them")]
    Several,
}

impl Cursor<'_> {
    pub(super) fn write(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    pub(super) fn read(text: &str, list: &str) -> Result<Cursor<'static>, BadCursor> {
        let bytes = if text.len() > LENGTH { None } else { URL_SAFE_NO_PAD.decode(text).ok() };
        let cursor: Option<Cursor<'static>> = bytes.and_then(|b| serde_json::from_slice(&b).ok());
        let cursor = cursor.ok_or(BadCursor::Unreadable)?;
        if cursor.list == list { Ok(cursor) } else { Err(BadCursor::OtherList) }
    }
}
