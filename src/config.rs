//! Configuration files: TOML in which nothing unknown passes, and every complaint names file, line and column.
//!
//! A struct that is loaded here carries `#[serde(deny_unknown_fields, default)]`, so that a key that is left out has
//! the default and a key that is misspelt is refused with the nearest one that exists.

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// The largest configuration file that is read.
const FILE_BYTES: u64 = 1 << 20;

/// Reads a configuration file.
///
/// # Errors
/// [`ConfigError`] where the file cannot be read, is no TOML, has an unknown key or a value of the wrong kind.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let unreadable = |reason: std::io::Error| ConfigError::Unreadable { path: path.to_owned(), reason };
    let size = fs::metadata(path).map_err(unreadable)?.len();
    if size > FILE_BYTES {
        return Err(ConfigError::TooLarge { path: path.to_owned() });
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    parse(&text, path)
}

/// Reads the text of a configuration file; `path` is what complaints name.
///
/// # Errors
/// As [`load`].
pub fn parse<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, ConfigError> {
    let wrong = |key: String, error: &toml::de::Error| {
        let start = error.span().map_or(0, |s| s.start);
        let (line, column) = place(text, start);
        ConfigError::Wrong { path: path.to_owned(), line, column, problem: explain(&key, error.message()) }
    };
    let input = toml::Deserializer::parse(text).map_err(|e| wrong(String::new(), &e))?;
    serde_path_to_error::deserialize(input).map_err(|e| {
        let key = e.path().to_string();
        wrong(key, e.inner())
    })
}

/// Where to complain about a value that reads well but makes no sense: the place of `key` (`upload.interval`) in
/// the file, or its first line where the key is not written there.
pub fn complain(text: &str, path: &Path, key: &str, problem: &str) -> ConfigError {
    let (line, column) = place(text, find_key(text, key).unwrap_or(0));
    ConfigError::Wrong { path: path.to_owned(), line, column, problem: format!("{key}: {problem}") }
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {reason}; name another file with --config", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// The file is larger than a configuration can be.
    #[error("{}: larger than {FILE_BYTES} bytes; this is no configuration file, name another with --config", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Something in it is wrong.
    #[error("{}:{line}:{column}: {problem}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What is wrong, and what to write instead.
        problem: String,
    },
}

/// Line and column, from 1, of the byte offset `at`.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// The offset of the line that sets `table.key`.
fn find_key(text: &str, key: &str) -> Option<usize> {
    let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
    let (mut offset, mut inside) = (0, String::new());
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        if let Some(header) = bare.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
            inside = header.trim().to_owned();
        } else if inside == table && bare.split('=').next().is_some_and(|k| k.trim() == name) {
            return Some(offset + line.len() - line.trim_start().len());
        }
        offset += line.len();
    }
    None
}

/// The problem in our words: the key, what is wrong with it, and the next step.
fn explain(key: &str, message: &str) -> String {
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let mut quoted = rest.split('`').skip(1).step_by(2);
        let unknown = quoted.next().unwrap_or_default();
        let known: Vec<&str> = quoted.collect();
        let nearest = known
            .iter()
            .map(|k| (strsim::jaro_winkler(unknown, k), *k))
            .filter(|(likeness, _)| *likeness > 0.75)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        return match nearest {
            Some((_, k)) => format!("unknown key '{unknown}'; did you mean '{k}'?"),
            None if known.is_empty() => format!("unknown key '{unknown}'; remove it, nothing is set here"),
            None => format!("unknown key '{unknown}'; the keys here are {}", known.join(", ")),
        };
    }
    let message = message.trim().trim_end_matches('.').replace('`', "'").replace('\n', ", ");
    if key.is_empty() || key == "." || key == "?" {
        format!("{message}; correct this line")
    } else if message.contains("; ") {
        format!("{key}: {message}")
    } else {
        format!("{key}: {message}; correct this value or remove the line to have the default")
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Sample {
        zone: String,
        upload: Upload,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Upload {
        interval: u32,
        timeout: u32,
    }

    fn complaint(text: &str) -> String {
        parse::<Sample>(text, Path::new("a.toml")).unwrap_err().to_string()
    }

    #[test]
    fn what_is_left_out_has_the_default() {
        let sample: Sample = parse("[upload]\ninterval = 3\n", Path::new("a.toml")).unwrap();
        assert_eq!(sample, Sample { zone: String::new(), upload: Upload { interval: 3, timeout: 0 } });
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place_and_the_nearest_known_one() {
        assert_eq!(
            complaint("zone = \"x\"\n[upload]\n  intervall = 3\n"),
            "a.toml:3:3: unknown key 'intervall'; did you mean 'interval'?"
        );
        assert_eq!(
            complaint("[upload]\nquux = 3\n"),
            "a.toml:2:1: unknown key 'quux'; the keys here are interval, timeout"
        );
        assert_eq!(complaint("[uplaod]\n"), "a.toml:1:2: unknown key 'uplaod'; did you mean 'upload'?");
    }

    #[test]
    fn a_bad_value_is_refused_with_its_place_and_key() {
        let text = complaint("[upload]\ninterval = \"often\"\n");
        assert!(text.starts_with("a.toml:2:12: upload.interval: invalid type"), "{text}");
        let text = complaint("zone = [\n");
        assert!(text.starts_with("a.toml:"), "{text}");
        let text = complaint("[upload]\ninterval = -1\n");
        assert!(text.starts_with("a.toml:2:12: upload.interval: invalid value"), "{text}");
    }

    #[test]
    fn a_complaint_about_sense_finds_the_line_of_its_key() {
        let text = "zone = \"a\"\n[upload]\n  interval = 3\n";
        let says = |key| complain(text, Path::new("a.toml"), key, "no").to_string();
        assert_eq!(says("upload.interval"), "a.toml:3:3: upload.interval: no");
        assert_eq!(says("zone"), "a.toml:1:1: zone: no");
        assert_eq!(says("upload.timeout"), "a.toml:1:1: upload.timeout: no");
    }

    #[test]
    fn a_missing_file_is_named() {
        let text = load::<Sample>(Path::new("/nowhere/a.toml")).unwrap_err().to_string();
        assert!(text.contains("/nowhere/a.toml") && text.contains("--config"), "{text}");
    }
}
