//! The service's configuration file. Every key has a default; `config/netcensus-plan.toml` explains each.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::api::limit::Allowance;
use super::inventory::CountAt;
use super::oidc::{OidcSettings, Provider, ProviderError};
use super::service::{AccessSettings, Settings};
use super::store::Location;
use crate::census::{Policy, Prefix};
use crate::config::{ConfigError, complain, parse};

/// The whole file.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the service listens.
    pub listen: SocketAddr,
    /// The database: SQLite's file, or PostgreSQL's URL.
    pub database: Location,
    /// The URL under which browsers and sensors reach the service; empty for `http://<listen>`.
    pub public_url: String,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Prefix>,
    /// What the count depends on.
    pub census: CensusConfig,
    /// How much one caller may ask.
    pub limits: Allowance,
    /// The identity provider.
    pub oidc: OidcSettings,
    /// The log on standard error.
    pub log: LogConfig,
}

/// `[census]`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct CensusConfig {
    /// The default instant of the count.
    pub as_of: CountAt,
    /// Prefixes that are on-link whatever was learned (I5).
    pub on_link: Vec<Prefix>,
    /// A folder of rule packs over the built-in ones; empty for none.
    pub rules: PathBuf,
}

/// `[log]`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// A filter such as `info` or `netcensus=debug,warn`.
    pub filter: String,
    /// How lines look.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            database: Location::from("netcensus-plan.sqlite".to_owned()),
            public_url: String::new(),
            trusted_proxies: Vec::new(),
            oidc: OidcSettings::default(),
            census: CensusConfig::default(),
            limits: Allowance::default(),
            log: LogConfig::default(),
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Text }
    }
}

impl Config {
    /// Reads the file, or gives the defaults where none is named.
    ///
    /// # Errors
    /// [`ConfigError`] names the place.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(path)
            .map_err(|reason| ConfigError::Unreadable { path: path.to_owned(), reason })?;
        let mut config: Self = parse(&text, path)?;
        config.public_url = config.public_url.trim_end_matches('/').to_owned();
        let scheme = config.public_url.is_empty()
            || config.public_url.starts_with("http://")
            || config.public_url.starts_with("https://");
        if !scheme {
            return Err(complain(&text, path, "public_url", "write it as https://plan.example"));
        }
        if let Some((key, advice)) = config.oidc.complaint() {
            return Err(complain(&text, path, key, advice));
        }
        Ok(config)
    }

    /// The policy of the count.
    pub fn policy(&self) -> Policy {
        Policy { on_link: self.census.on_link.iter().copied().collect(), ..Policy::default() }
    }

    /// How a service is made that is reached at `public_url`.
    ///
    /// # Errors
    /// [`ProviderError::Settings`] where the identity provider's cannot be used.
    pub fn settings(&self, public_url: String) -> Result<Settings, ProviderError> {
        let provider = match self.oidc.is_on() {
            true => Some(Arc::new(Provider::new(self.oidc.clone(), &public_url)?)),
            false => None,
        };
        let access = AccessSettings {
            trusted_proxies: self.trusted_proxies.clone(),
            local_passwords: self.oidc.local_passwords,
            provider,
        };
        let (count_at, policy) = (self.census.as_of, self.policy());
        Ok(Settings { public_url, count_at, policy, allowance: self.limits, access })
    }

    /// The folder of rule packs, where one is named.
    pub fn rules(&self) -> Option<&Path> {
        Some(self.census.rules.as_path()).filter(|p| !p.as_os_str().is_empty())
    }

    /// The URL under which the service is reached when it listens on `address`.
    pub fn url(&self, address: SocketAddr) -> String {
        if self.public_url.is_empty() { format!("http://{address}") } else { self.public_url.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_says_what_the_defaults_are() {
        let shipped = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config/netcensus-plan.toml"));
        assert_eq!(Config::load(Some(shipped)).unwrap(), Config::default());
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place_and_a_suggestion() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan.toml");
        std::fs::write(&path, "listen = \"127.0.0.1:1\"\ndatabse = \"x\"\n").unwrap();
        let message = Config::load(Some(&path)).unwrap_err().to_string();
        assert!(
            message.ends_with("plan.toml:2:1: unknown key 'databse'; did you mean 'database'?"),
            "{message}"
        );
        std::fs::write(&path, "public_url = \"plan.example\"\n").unwrap();
        let message = Config::load(Some(&path)).unwrap_err().to_string();
        assert!(message.contains("plan.toml:1:1: public_url"), "{message}");
    }
}
