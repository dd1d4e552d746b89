//! Arguments that several commands share.

use std::path::PathBuf;

use super::failure::Failure;
use crate::census::Field;
use crate::sensor::config::Config;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct ConfigArguments {
    /// The configuration file [default: /etc/netcensus/netcensus-sensor.toml, if it exists]
    #[arg(long, value_name = "FILE", env = "NETCENSUS_SENSOR_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// The folder of identity, spool and inventory [default: as configured]
    #[arg(long, value_name = "FOLDER", env = "NETCENSUS_SENSOR_STATE")]
    pub(super) state: Option<PathBuf>,
}

impl ConfigArguments {
    pub(super) fn load(&self) -> Result<Config, Failure> {
        let mut config = Config::load(self.config.as_deref())?;
        if let Some(state) = &self.state {
            config.state_directory.clone_from(state);
        }
        Ok(config)
    }
}

/// Parses the name of a zone, for clap.
pub(super) fn zone_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 64 || text.contains(char::is_control) {
        return Err("a zone's name has 1 to 64 bytes and no control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// Parses the name of a field of evidence, for clap.
pub(super) fn field(name: &str) -> Result<Field, String> {
    name.parse().map_err(|e: crate::census::UnknownField| {
        let likeness = |f: &&Field| strsim::jaro_winkler(f.name(), name);
        let nearest = Field::ALL.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        match nearest.filter(|f| likeness(f) > 0.75) {
            Some(field) => format!("{e}; did you mean '{field}'?"),
            None => format!("{e}; config/rules/README.md names them"),
        }
    })
}
