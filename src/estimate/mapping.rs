//! Which columns a person named.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cell;
use super::column::FileColumn;
use super::error::FileError;

/// What a person says of columns, by their headers. An empty list: no column holds it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Mapping(pub BTreeMap<FileColumn, Vec<String>>);

impl Mapping {
    /// Joins `later` over this one.
    #[must_use]
    pub fn under(mut self, later: &Self) -> Self {
        self.0.extend(later.0.iter().map(|(column, headers)| (*column, headers.clone())));
        self
    }

    /// Reads `mac=MAC Address`; the same field may stand several times.
    ///
    /// # Errors
    ///
    /// Where the field is none of [`FileColumn`].
    pub fn parse<'a>(assignments: impl IntoIterator<Item = &'a str>) -> Result<Self, FileError> {
        let mut mapping = Self::default();
        for text in assignments {
            let bad = || FileError::BadMapping(cell::text(text).unwrap_or_default());
            let (field, header) = text.split_once('=').ok_or_else(bad)?;
            let column: FileColumn = field.trim().parse().map_err(|()| bad())?;
            let headers = mapping.0.entry(column).or_default();
            if !header.trim().is_empty() {
                headers.push(header.trim().to_owned());
            }
        }
        Ok(mapping)
    }
}
