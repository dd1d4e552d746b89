//! Where a database is.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;

/// A file of SQLite's, or a server of PostgreSQL's.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
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

/// A text that is neither a file nor a URL of PostgreSQL's. Without the URL, which may have a password.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "'{0}:' is not a database; write the path of a SQLite file, or a URL such as postgresql://user@host/database"
)]
pub struct BadLocation(String);

impl TryFrom<String> for Location {
    type Error = BadLocation;

    fn try_from(text: String) -> Result<Self, BadLocation> {
        text.parse()
    }
}

impl FromStr for Location {
    type Err = BadLocation;

    fn from_str(text: &str) -> Result<Self, BadLocation> {
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        let is_scheme = scheme.len() > 1 && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+');
        match scheme.to_ascii_lowercase().as_str() {
            "postgres" | "postgresql" if rest.starts_with("//") => {
                Ok(Self::Server(format!("{}:{rest}", scheme.to_ascii_lowercase())))
            }
            "postgres" | "postgresql" | "sqlite" => Err(BadLocation(scheme.to_owned())),
            _ if is_scheme && rest.starts_with('/') => Err(BadLocation(scheme.to_owned())),
            _ => Ok(Self::File(PathBuf::from(text))),
        }
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
            assert_eq!(url.parse::<Location>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn only_a_path_is_a_file_and_only_postgresql_a_server() {
        for text in ["plan.sqlite", "/var/lib/x/plan.sqlite", "./a:b", "C:plan"] {
            assert!(matches!(text.parse(), Ok(Location::File(_))), "{text}");
        }
        assert!(matches!("Postgres://x@h/n".parse(), Ok(Location::Server(url)) if url == "postgres://x@h/n"));
        for text in ["mysql://x:secret@y/z", "postgresql:/x@h/n", "sqlite:///tmp/x", "sqlite:x"] {
            let refused = text.parse::<Location>().unwrap_err().to_string();
            assert!(!refused.contains("secret") && refused.contains("postgresql://user@host"), "{refused}");
        }
    }
}
