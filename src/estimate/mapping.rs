//! Which columns a person named.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cell;
use super::column::FileColumn;
use super::error::FileError;

/// The headers that a person named for each column. An empty list means that the table does not have the column.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Mapping(pub BTreeMap<FileColumn, Vec<String>>);

impl Mapping {
    /// Adds `later`, which overrides this mapping.
    #[must_use]
    pub fn under(mut self, later: &Self) -> Self {
        self.0.extend(later.0.iter().map(|(column, headers)| (*column, headers.clone())));
        self
    }

    /// Reads assignments such as `mac=MAC Address`; a field may be assigned several times.
    ///
    /// # Errors
    ///
    /// If a field is not a [`FileColumn`].
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
