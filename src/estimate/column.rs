//! What a column of a table can hold, and the headers that name it.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

const WORDS: &str = include_str!("../../config/column-words.toml");

/// What a column can hold.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileColumn {
    /// MACs; possibly several columns.
    Mac,
    /// Addresses; possibly several columns.
    Ip,
    /// Name.
    Name,
    /// Type or class; possibly several columns, the most specific first.
    Type,
    /// Operating system.
    Os,
    /// Maker.
    Vendor,
    /// Model.
    Model,
    /// Whether the device is in use: retired, disposed, in stock and so on.
    Status,
    /// When the device was last active.
    LastSeen,
    /// Whether another system manages the device.
    Managed,
    /// The id in the list: rows with the same id are one device.
    Id,
    /// The serial number: rows of one list with different ones are different devices.
    Serial,
    /// The site: an address ties rows only within a site.
    Site,
    /// When the address was given back, or must be: the device was last active before that.
    LeaseEnd,
}

impl FileColumn {
    pub const ALL: [Self; 14] = [
        Self::Mac,
        Self::Ip,
        Self::Name,
        Self::Type,
        Self::Os,
        Self::Vendor,
        Self::Model,
        Self::Status,
        Self::LastSeen,
        Self::Managed,
        Self::Id,
        Self::Serial,
        Self::Site,
        Self::LeaseEnd,
    ];

    /// The word in mappings.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Mac => "mac",
            Self::Ip => "ip",
            Self::Name => "name",
            Self::Type => "type",
            Self::Os => "os",
            Self::Vendor => "vendor",
            Self::Model => "model",
            Self::Status => "status",
            Self::LastSeen => "last_seen",
            Self::Managed => "managed",
            Self::Id => "id",
            Self::Serial => "serial",
            Self::Site => "site",
            Self::LeaseEnd => "lease_end",
        }
    }

    /// Whether several columns may hold it.
    pub(super) const fn is_plural(self) -> bool {
        matches!(self, Self::Mac | Self::Ip | Self::Type | Self::Status | Self::LastSeen | Self::Managed)
    }

    /// How certainly a squashed header means it: the place among the headers of `config/column-words.toml`.
    pub(super) fn place_of(self, header: &str) -> Option<usize> {
        words().get(&self).and_then(|places| places.get(header)).copied()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    #[serde(rename = "schema")]
    _schema: u32,
    columns: HashMap<FileColumn, Vec<String>>,
}

type Words = HashMap<FileColumn, HashMap<String, usize>>;

/// The compiled-in headers. A test holds that they can be read; if not, only cells tell.
fn words() -> &'static Words {
    static KNOWN: OnceLock<Words> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let columns = toml::from_str::<Source>(WORDS).map(|source| source.columns).unwrap_or_default();
        let places = |words: Vec<String>| words.into_iter().zip(0..).collect();
        columns.into_iter().map(|(column, words)| (column, places(words))).collect()
    })
}

impl fmt::Display for FileColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl FromStr for FileColumn {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let key = text.to_lowercase().replace(['-', ' '], "_");
        Self::ALL.into_iter().find(|c| c.key() == key).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_headers() {
        let source: Source = toml::from_str(WORDS).unwrap();
        assert!(
            FileColumn::ALL.iter().all(|column| source.columns.get(column).is_some_and(|w| !w.is_empty()))
        );
        let squashed = |w: &String| *w == super::super::cell::squash(w);
        assert!(source.columns.values().flatten().all(squashed));
    }
}
