//! Where a database is.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;

/// A file of SQLite's, or a server of PostgreSQL's.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(from = "String")]
pub enum Location {
    /// The file.
    File(PathBuf),
    /// The URL: `postgresql://user@host/database`, or `postgresql:///database?host=/run/postgresql` for a socket.
    Server(String),
}

impl Location {
    /// Whether there is nothing yet: a file that does not exist.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::File(path) if !path.exists())
    }
}

impl From<String> for Location {
    fn from(text: String) -> Self {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            Self::Server(text)
        } else {
            Self::File(PathBuf::from(text))
        }
    }
}

impl FromStr for Location {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(text.to_owned()))
    }
}

/// Without the password that a URL may hold.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server(url) => match url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')) {
                Some((_, place)) => write!(f, "postgresql://…@{place}"),
                None => f.write_str(url.split('?').next().unwrap_or_default()),
            },
        }
    }
}
