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

impl Location {
    /// Whether it is a file of SQLite's.
    pub const fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
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

/// Without the user, the password and the parameters of a URL, except those that say where the server is.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = match self {
            Self::File(path) => return path.display().fmt(f),
            Self::Server(url) => url,
        };
        let (url, query) = url.split_once('?').unwrap_or((url, ""));
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        match rest.rsplit_once('@') {
            Some((_, place)) => write!(f, "postgresql://…@{place}")?,
            None => write!(f, "postgresql://{rest}")?,
        }
        let place = |pair: &&str| {
            ["host=", "hostaddr=", "port=", "dbname="].iter().any(|name| pair.starts_with(name))
        };
        for (n, pair) in query.split('&').filter(place).enumerate() {
            write!(f, "{}{pair}", if n == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_shown_with_its_host_and_without_secrets() {
        for (url, shown) in [
            ("postgresql://u:p%40x@db.example:5432/n", "postgresql://…@db.example:5432/n"),
            ("postgresql://db.example/n?user=u&password=p@q&port=1", "postgresql://db.example/n?port=1"),
            ("postgres:///n?host=/run/postgresql&sslmode=disable", "postgresql:///n?host=/run/postgresql"),
            ("/var/lib/plan.sqlite", "/var/lib/plan.sqlite"),
        ] {
            assert_eq!(Location::from(url.to_owned()).to_string(), shown);
        }
    }
}
