//! Cursors: where the page before ended.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::column::SortKey;
use crate::census::Timestamp;

/// The longest cursor in characters: names are bounded by what a frame can say.
const LENGTH: usize = 4_096;

/// The last device of a page.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Which list: its filter and order.
    pub(super) list: String,
    /// The order, for people who look.
    pub(super) sort: String,
    /// The instant of the list.
    pub(super) as_of: Timestamp,
    /// What the device is sorted by.
    pub(super) key: SortKey,
    /// The device.
    pub(super) id: String,
}

/// A cursor that leads nowhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadCursor {
    /// It cannot be read.
    #[error("'after' is no cursor; send the 'next' of the page before as it is")]
    Unreadable,
    /// It is of another list.
    #[error(
        "'after' is of a list with another filter, order or instant; send it with those of the page before, or begin anew without it"
    )]
    OtherList,
}

impl Cursor {
    pub(super) fn write(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    pub(super) fn read(text: &str, list: &str) -> Result<Self, BadCursor> {
        let bytes = if text.len() > LENGTH { None } else { URL_SAFE_NO_PAD.decode(text).ok() };
        let cursor: Option<Self> = bytes.and_then(|b| serde_json::from_slice(&b).ok());
        let cursor = cursor.ok_or(BadCursor::Unreadable)?;
        if cursor.list == list { Ok(cursor) } else { Err(BadCursor::OtherList) }
    }
}
