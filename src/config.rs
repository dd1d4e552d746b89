//! Configuration files: TOML. Unknown keys are errors, and every error names file, line and column.
//!
//! A struct that is loaded here has `#[serde(deny_unknown_fields, default)]`: a missing key takes its default, and the
//! error about a misspelt key suggests the nearest known one.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Maximum size of a configuration file.
const FILE_BYTES: u64 = 1 << 20;

/// Reads a configuration file.
///
/// # Errors
/// If the file cannot be read, is not TOML, or has an unknown key or a value of the wrong type.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let unreadable = |reason: std::io::Error| ConfigError::Unreadable { path: path.to_owned(), reason };
    let size = fs::metadata(path).map_err(unreadable)?.len();
    if size > FILE_BYTES {
        return Err(ConfigError::TooLarge { path: path.to_owned() });
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    parse(&text, path)
}

/// Parses the text of a configuration file; errors name `path`.
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

/// An error about a well-formed value that is invalid: at the place of `key` (`upload.interval`) in the file, or at its
/// first line if the key is not in the file.
pub fn complain(text: &str, path: &Path, key: &str, problem: &str) -> ConfigError {
    let (line, column) = place(text, find_key(text, key).unwrap_or(0));
    ConfigError::Wrong { path: path.to_owned(), line, column, problem: format!("{key}: {problem}") }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration {}: {reason}; choose another file with --config", path.display())]
    Unreadable { path: PathBuf, reason: std::io::Error },
    #[error("{}: larger than {FILE_BYTES} bytes, so it is not a configuration file; choose another file with --config", path.display())]
    TooLarge { path: PathBuf },
    #[error("{}:{line}:{column}: {problem}", path.display())]
    Wrong {
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What is wrong, and the next step.
        problem: String,
    },
}

/// The line and column, from 1, of the byte offset `at`.
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

/// Rewords serde's message: the key, what is wrong with it, and the next step.
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
            None if known.is_empty() => format!("unknown key '{unknown}'; remove it, this table has no keys"),
            None => format!("unknown key '{unknown}'; the keys here are {}", known.join(", ")),
        };
    }
    if message.contains("\"friendly\" duration format") {
        return format!(
            "{key}: not a duration; write a number and a unit, such as \"30s\", \"5min\" or \"2h\""
        );
    }
    let message = message.trim().trim_end_matches('.').replace('`', "'").replace('\n', ", ");
    if key.is_empty() || key == "." || key == "?" {
        format!("{message}; correct this line")
    } else if message.contains("; ") {
        format!("{key}: {message}")
    } else {
        format!("{key}: {message}; correct the value, or remove the line for the default")
    }
}

/// A number of bytes, written with or without a unit: 2 GiB.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "SizeText")]
pub struct ByteSize(pub u64);

#[derive(Deserialize)]
#[serde(untagged)]
enum SizeText {
    Bytes(u64),
    Text(String),
}

impl TryFrom<SizeText> for ByteSize {
    type Error = BadByteSize;

    fn try_from(text: SizeText) -> Result<Self, BadByteSize> {
        let text = match text {
            SizeText::Bytes(bytes) => return Ok(Self(bytes)),
            SizeText::Text(text) => text,
        };
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = match unit.trim() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => 0,
        };
        let bytes = number.parse().ok().and_then(|n: u64| n.checked_mul(unit)).filter(|_| unit > 0);
        bytes.map(Self).ok_or_else(|| BadByteSize(text.chars().take(60).collect()))
    }
}

/// The text is not a size.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("'{0}' is not a size; write a number of bytes, or one with KiB, MiB or GiB, such as \"2 GiB\"")]
pub struct BadByteSize(String);

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
