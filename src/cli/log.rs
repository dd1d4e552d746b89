//! The log of both programs, set by `[log]` in either configuration.

use std::io::{self, IsTerminal as _};
use std::os::unix::fs::MetadataExt as _;

use serde::Deserialize;
use tracing::Subscriber;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, fmt, reload};

use super::terminal;

/// What commands log that end by themselves. How long a query took matters to the service's log alone.
pub(crate) const COMMANDS: &str = "warn,sqlx::query=error";

/// `[log]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Where the log goes, and in which form.
    pub format: LogFormat,
    /// A level, or tracing directives such as `info,netcensus::sensor=debug`. `filter` is its former name in the plan
    /// service's configuration. A level that cannot be read counts as `info`.
    #[serde(alias = "filter")]
    pub level: String,
}

/// Where the log goes, and in which form.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// To the journal, with its fields, if standard error leads there; otherwise as [`LogFormat::Text`].
    #[default]
    Auto,
    /// Text on standard error.
    Text,
    /// One JSON object a line on standard error.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Auto, level: "info".to_owned() }
    }
}

/// Changes the level of the running log.
pub type SetLevel = Box<dyn Fn(&str) + Send + Sync>;

/// Starts the log, once in a process; later calls change nothing.
pub(crate) fn start(format: LogFormat, level: &str) -> SetLevel {
    let (filter, handle) = reload::Layer::new(filter(level));
    let layer: Box<dyn Layer<_> + Send + Sync> = match format {
        LogFormat::Json => fmt::layer().json().with_writer(io::stderr).boxed(),
        LogFormat::Auto if is_journal() => match tracing_journald::layer() {
            Ok(layer) => layer.boxed(),
            Err(_) => text().boxed(),
        },
        LogFormat::Auto | LogFormat::Text => text().boxed(),
    };
    let started = Registry::default().with(filter).with(layer).try_init();
    Box::new(move |level| {
        // If the process had a log before, this one is not in use.
        if started.is_ok() && handle.reload(self::filter(level)).is_err() {
            tracing::error!("cannot change the log level; restart the program");
        }
    })
}

fn text<S>() -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let colours = io::stderr().is_terminal() && terminal::may_colour();
    fmt::layer().with_writer(io::stderr).with_ansi(colours).with_target(false)
}

fn filter(level: &str) -> EnvFilter {
    EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"))
}

/// Whether standard error is the stream that systemd connected to the journal (`$JOURNAL_STREAM`, systemd.exec(5)).
fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(file) = std::fs::metadata("/proc/self/fd/2") else { return false };
    stream == format!("{}:{}", file.dev(), file.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> LogConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn both_names_of_the_level_are_read() {
        let debug = LogConfig { format: LogFormat::Json, level: "debug".to_owned() };
        assert_eq!(read("format = 'json'\nlevel = 'debug'"), debug);
        assert_eq!(read("format = 'json'\nfilter = 'debug'"), debug);
        assert_eq!(read(""), LogConfig::default());
    }

    #[test]
    fn a_level_that_cannot_be_read_is_info() {
        assert_eq!(filter("a=b=c").to_string(), "info");
        assert_eq!(filter(COMMANDS).to_string(), "sqlx::query=error,warn");
    }
}
