//! The log: to the journal under systemd, else text or JSON on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, fmt, reload};

use super::config::LogFormat;
use crate::journal;

/// Changes the level of the running log.
pub type SetLevel = Box<dyn Fn(&str) + Send + Sync>;

/// Starts the log, once in a process; a second call changes nothing. A level that cannot be read counts as `info`.
pub fn start(format: LogFormat, level: &str) -> SetLevel {
    let (filter, handle) = reload::Layer::new(filter(level));
    let layer: Box<dyn Layer<_> + Send + Sync> = match format {
        LogFormat::Json => fmt::layer().json().with_writer(std::io::stderr).boxed(),
        LogFormat::Auto if journal::has_standard_error() => match tracing_journald::layer() {
            Ok(layer) => layer.boxed(),
            Err(_) => text().boxed(),
        },
        LogFormat::Auto | LogFormat::Text => text().boxed(),
    };
    let started = Registry::default().with(filter).with(layer).try_init();
    Box::new(move |level| {
        // Where another log was there first, this one has nothing to change.
        if started.is_ok() && handle.reload(self::filter(level)).is_err() {
            tracing::error!("the log's level cannot be changed; restart the sensor");
        }
    })
}

fn text<S>() -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let colours =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    fmt::layer().with_writer(std::io::stderr).with_ansi(colours).with_target(false)
}

fn filter(level: &str) -> EnvFilter {
    EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"))
}
