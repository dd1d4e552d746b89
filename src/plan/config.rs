//! The service's configuration file. Every key has a default; `config/netcensus-plan.toml` explains each.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::store::{Location, Room};
use crate::census::{Policy, Prefix, Timestamp};
use crate::cli::log::LogConfig;
use crate::config::{ByteSize, ConfigError, complain, parse};
use crate::plan::app::inventory::{CountAt, Memory};
use crate::plan::app::{AccessSettings, Settings};
use crate::plan::connections::ConnectionLimits;
use crate::plan::limits::Allowance;
use crate::plan::mail::MailSettings;
use crate::plan::oidc::{OidcSettings, Provider, ProviderError};
use crate::plan::secret;
use crate::plan::terms::TermsConfig;
use crate::plan::tls::{Given, Own, Source, TlsError};

/// The whole file.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the service listens.
    pub listen: SocketAddr,
    /// The database: SQLite's file, or PostgreSQL's URL.
    pub database: Location,
    /// The URL under which browsers and sensors reach the service; empty for the address that it listens on.
    pub public_url: String,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Prefix>,
    pub tls: TlsConfig,
    /// What the count depends on.
    pub census: CensusConfig,
    pub limits: LimitsConfig,
    /// How many connections may be open.
    pub connections: ConnectionLimits,
    pub metrics: MetricsConfig,
    pub oidc: OidcSettings,
    pub mail: MailSettings,
    pub terms: TermsConfig,
    pub vulnerabilities: VulnerabilitiesConfig,
    pub alerts: AlertsConfig,
    pub log: LogConfig,
}

/// `[vulnerabilities]`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct VulnerabilitiesConfig {
    /// The file with the set of advisories; empty for a file next to SQLite's.
    pub file: PathBuf,
    /// Whether advisories about the components that banners name are listed.
    pub components: bool,
}

/// `[alerts]`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct AlertsConfig {
    /// A folder of rules of alerts and recommendations over the built-in ones; empty for none.
    pub rules: PathBuf,
}

/// `[limits]`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Requests of one caller a second in the long run.
    pub per_second: NonZeroU32,
    /// Requests of one caller at once.
    pub burst: NonZeroU32,
    /// About how much memory the counts of all subscriptions may take.
    pub memory: ByteSize,
    /// About how much memory the facts of one subscription may take.
    pub subscription: ByteSize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let Allowance { per_second, burst } = Allowance::default();
        let subscription = ByteSize(Room::default().bytes as u64);
        Self { per_second, burst, memory: ByteSize(Memory::default().0 as u64), subscription }
    }
}

/// `[metrics]`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
    /// The file with the token that reads `/metrics`; empty if clients on this machine do.
    pub token_file: PathBuf,
}

/// `[tls]`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    pub mode: TlsMode,
    /// The chain of a given certificate in PEM form; empty for the service's own.
    pub certificate: PathBuf,
    /// Its private key in PEM form.
    pub key: PathBuf,
    /// Whether enrolment tokens carry the given certificate's fingerprint.
    pub pin: bool,
    /// The file of the service's own certificate; empty for a file next to SQLite's.
    pub own: PathBuf,
}

/// When the service speaks HTTPS.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum TlsMode {
    /// On other than loopback addresses, and if a certificate is configured.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never: a proxy in front of the service speaks HTTPS.
    OffBehindProxy,
}

/// `[census]`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct CensusConfig {
    /// The default instant of the count.
    pub as_of: CountAt,
    /// Prefixes that are on-link, even if the frames show otherwise (I5).
    pub on_link: Vec<Prefix>,
    /// A folder of rule packs over the built-in ones; empty for none.
    pub rules: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            database: Location::File("netcensus-plan.sqlite".into()),
            public_url: String::new(),
            tls: TlsConfig::default(),
            trusted_proxies: Vec::new(),
            metrics: MetricsConfig::default(),
            oidc: OidcSettings::default(),
            mail: MailSettings::default(),
            terms: TermsConfig::default(),
            vulnerabilities: VulnerabilitiesConfig::default(),
            alerts: AlertsConfig::default(),
            census: CensusConfig::default(),
            limits: LimitsConfig::default(),
            connections: ConnectionLimits::default(),
            log: LogConfig::default(),
        }
    }
}

impl MetricsConfig {
    /// The shortest token in characters.
    const SHORTEST: usize = 16;

    /// SHA-256 of the token in the file; `None` if no file is named. Only the service reads the file.
    ///
    /// # Errors
    /// Why the file has no usable token.
    pub fn token(&self) -> Result<Option<secret::Hash>, String> {
        let file = self.token_file.display();
        if self.token_file.as_os_str().is_empty() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&self.token_file).map_err(|e| {
            format!(
                "cannot read {file}: {e}; let metrics.token_file name a file that the service's user can read"
            )
        })?;
        let token = text.trim();
        if token.len() < Self::SHORTEST || !token.bytes().all(|b| b.is_ascii_graphic()) {
            let shortest = Self::SHORTEST;
            return Err(format!(
                "{file}: write one word of {shortest} visible ASCII characters or more, as metrics.token_file needs it"
            ));
        }
        Ok(Some(secret::hash(token)))
    }
}

impl Config {
    /// Reads the file; without a path, returns the defaults.
    ///
    /// # Errors
    /// [`ConfigError`] with the file, line and column.
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
        // Links of pages and cookies belong to the root of a host.
        if config
            .public_url
            .split_once("://")
            .is_some_and(|(_, rest)| rest.is_empty() || rest.contains(['/', '?', '#', '@']))
        {
            let advice = "netcensus is served at the root of a host name, not below a path: write only scheme, host and port, such as https://plan.example, and give it a host name of its own at the proxy";
            return Err(complain(&text, path, "public_url", advice));
        }
        let tls = &config.tls;
        if tls.certificate.as_os_str().is_empty() != tls.key.as_os_str().is_empty() {
            let missing = if tls.key.as_os_str().is_empty() { "tls.certificate" } else { "tls.key" };
            let both =
                "name both tls.certificate and tls.key, or leave both out for the service's own certificate";
            return Err(complain(&text, path, missing, both));
        }
        if let Some((key, advice)) = config.oidc.complaint().or_else(|| config.mail.complaint()) {
            return Err(complain(&text, path, key, advice));
        }
        Ok(config)
    }

    /// The policy of the count.
    pub fn policy(&self) -> Policy {
        Policy { on_link: self.census.on_link.iter().copied().collect(), ..Policy::default() }
    }

    /// The settings of a service whose clients reach it at `public_url`.
    ///
    /// # Errors
    /// [`ProviderError::Settings`] if those of the identity provider are not valid.
    pub fn settings(&self, public_url: String) -> Result<Settings, ProviderError> {
        let provider = match self.oidc.is_on() {
            true => Some(Arc::new(Provider::new(self.oidc.clone(), &public_url)?)),
            false => None,
        };
        let access = AccessSettings {
            trusted_proxies: self.trusted_proxies.clone(),
            local_passwords: self.oidc.local_passwords,
            provider,
            metrics_token: None,
        };
        let (count_at, policy) = (self.census.as_of, self.policy());
        let LimitsConfig { per_second, burst, memory, .. } = self.limits;
        let (allowance, connections) = (Allowance { per_second, burst }, self.connections);
        let memory = Memory(usize::try_from(memory.0).unwrap_or(usize::MAX));
        Ok(Settings {
            public_url,
            count_at,
            policy,
            allowance,
            connections,
            memory,
            access,
            advisories: self.advisories(),
            components: self.vulnerabilities.components,
            alert_rules: self.alerts.rules.clone(),
            ..Settings::default()
        })
    }

    /// The file with the set of advisories: as configured, or next to SQLite's database.
    fn advisories(&self) -> Option<PathBuf> {
        match (&self.database, self.vulnerabilities.file.as_os_str().is_empty()) {
            (_, false) => Some(self.vulnerabilities.file.clone()),
            (Location::File(database), true) => Some(database.with_file_name("advisories.sqlite3")),
            (Location::Server(_), true) => None,
        }
    }

    /// What the facts of one subscription may take.
    pub fn room(&self) -> Room {
        let bytes = usize::try_from(self.limits.subscription.0).unwrap_or(usize::MAX);
        Room { bytes, ..Room::default() }
    }

    /// The folder of rule packs, if the file names one.
    pub fn rules(&self) -> Option<&Path> {
        Some(self.census.rules.as_path()).filter(|p| !p.as_os_str().is_empty())
    }

    /// The URL under which the service is reached when it listens on `address`.
    pub fn url(&self, address: SocketAddr) -> String {
        if !self.public_url.is_empty() {
            return self.public_url.clone();
        }
        let scheme = if self.speaks_tls(address) { "https" } else { "http" };
        match host_name() {
            // Nobody can connect to 0.0.0.0 or [::].
            Some(host) if address.ip().is_unspecified() => format!("{scheme}://{host}:{}", address.port()),
            _ => format!("{scheme}://{address}"),
        }
    }

    fn speaks_tls(&self, address: SocketAddr) -> bool {
        match self.tls.mode {
            TlsMode::Auto => self.is_certificate_given() || !address.ip().is_loopback(),
            TlsMode::On => true,
            TlsMode::OffBehindProxy => false,
        }
    }

    fn is_certificate_given(&self) -> bool {
        !self.tls.certificate.as_os_str().is_empty()
    }

    /// The source of the certificate if the service listens on `address`; `None` if the service speaks plain HTTP.
    ///
    /// # Errors
    /// [`TlsError::Refused`] if passwords and keys would cross a network in the clear, or if no file is configured for
    /// the service's own certificate.
    pub fn tls(&self, address: SocketAddr, now: Timestamp) -> Result<Option<Source>, TlsError> {
        let refused = |why: String| Err(TlsError::Refused(why));
        let on = self.speaks_tls(address);
        if let Some(rest) = self.public_url.strip_prefix("http://") {
            if on {
                return refused(format!("the service speaks HTTPS: write public_url = \"https://{rest}\""));
            }
            if !is_loopback(rest) {
                return refused(format!(
                    "public_url = \"{}\" would send passwords and keys in the clear; write https://, and see [tls]",
                    self.public_url
                ));
            }
        }
        if !on {
            if !address.ip().is_loopback() && self.public_url.is_empty() {
                let why = "tls.mode = \"off_behind_proxy\" needs the proxy's address: write public_url = \"https://…\"";
                return refused(why.to_owned());
            }
            return Ok(None);
        }
        if self.is_certificate_given() {
            let TlsConfig { certificate, key, pin, .. } = self.tls.clone();
            return Ok(Some(Source::Given(Given { certificate, key, pin })));
        }
        let file = match (&self.database, self.tls.own.as_os_str().is_empty()) {
            (_, false) => self.tls.own.clone(),
            (Location::File(path), true) => {
                let mut name = path.as_os_str().to_owned();
                name.push(".tls.pem");
                PathBuf::from(name)
            }
            (Location::Server(_), true) => {
                let why = "with PostgreSQL, name the file for the service's own certificate with tls.own, or your own certificate with tls.certificate and tls.key";
                return refused(why.to_owned());
            }
        };
        Ok(Some(Source::Own(Own { file, names: self.names(address), now })))
    }

    /// The names and addresses under which the service may be reached.
    fn names(&self, address: SocketAddr) -> Vec<String> {
        let public = self.public_url.split_once("://").map(|(_, rest)| host_of(rest).to_owned());
        let listen = (!address.ip().is_unspecified()).then(|| address.ip().to_string());
        let own = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let mut names: Vec<String> = public.into_iter().chain(host_name()).chain(listen).chain(own).collect();
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| !name.is_empty() && name.is_ascii() && seen.insert(name.clone()));
        names
    }
}

/// The host of what follows a URL's scheme.
fn host_of(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.strip_prefix('[').and_then(|a| a.split_once(']')) {
        Some((address, _)) => address,
        None => authority.split(':').next().unwrap_or_default(),
    }
}

fn is_loopback(rest: &str) -> bool {
    let host = host_of(rest);
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// The machine's name, if it is valid in a URL.
fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    Some(name.trim().to_owned()).filter(|n| !n.is_empty() && n.bytes().all(good))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_says_what_the_defaults_are() {
        let shipped = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config/netcensus-plan.toml"));
        assert_eq!(Config::load(Some(shipped)).unwrap(), Config::default());
    }

    fn read(text: &str) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(Some(&path))
    }

    #[test]
    fn http_is_spoken_on_loopback_alone_unless_a_proxy_is_said_to_speak_https() {
        let of = |text: &str, listen: &str| {
            read(text).unwrap().tls(listen.parse().unwrap(), Timestamp(0)).map_err(|e| e.to_string())
        };
        let (here, everywhere) = ("127.0.0.1:8080", "0.0.0.0:8443");
        assert_eq!(of("", here), Ok(None));
        assert_eq!(of("public_url = \"https://plan.example\"", here), Ok(None), "a proxy on this machine");
        let Ok(Some(Source::Own(own))) = of("public_url = \"https://plan.example/\"", everywhere) else {
            unreachable!("HTTPS with its own certificate")
        };
        assert_eq!(own.file, Path::new("netcensus-plan.sqlite.tls.pem"));
        assert!(own.names.starts_with(&["plan.example".to_owned()]), "{:?}", own.names);
        let given = "[tls]\ncertificate = \"c\"\nkey = \"k\"";
        assert!(matches!(of(given, here), Ok(Some(Source::Given(_)))));
        assert!(matches!(of("[tls]\nmode = \"on\"", here), Ok(Some(Source::Own(_)))));

        let proxy = "[tls]\nmode = \"off_behind_proxy\"";
        let refused = of(proxy, everywhere).unwrap_err();
        assert!(refused.contains("public_url"), "{refused}");
        assert_eq!(of(&format!("public_url = \"https://p\"\n{proxy}"), everywhere), Ok(None));
        for (text, listen) in [
            (format!("public_url = \"http://p:80\"\n{proxy}"), everywhere),
            ("public_url = \"http://plan.example\"".to_owned(), here),
            ("public_url = \"http://plan.example\"".to_owned(), everywhere),
            ("public_url = \"http://127.0.0.1:8443\"".to_owned(), everywhere),
            ("database = \"postgresql:///p\"".to_owned(), everywhere),
        ] {
            assert!(of(&text, listen).is_err(), "{text} on {listen}");
        }
        assert_eq!(of("public_url = \"http://[::1]:8080\"", here), Ok(None));
        let half = read("[tls]\ncertificate = \"c\"\n").unwrap_err().to_string();
        assert!(half.contains("plan.toml:2:1: tls.certificate: name both"), "{half}");
    }

    #[test]
    fn an_address_for_everybody_is_named_by_the_machine() {
        let config = Config::default();
        assert_eq!(config.url("127.0.0.1:8080".parse().unwrap()), "http://127.0.0.1:8080");
        assert_eq!(config.url("192.0.2.7:8443".parse().unwrap()), "https://192.0.2.7:8443");
        let everywhere = config.url("0.0.0.0:8443".parse().unwrap());
        assert!(everywhere.starts_with("https://") && everywhere.ends_with(":8443"), "{everywhere}");
        assert!(host_name().is_none() || !everywhere.contains("0.0.0.0"), "{everywhere}");
    }

    #[test]
    fn a_token_for_the_metrics_that_is_missing_or_too_short_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        let of = || read(&format!("[metrics]\ntoken_file = {file:?}\n")).unwrap().metrics.token();
        assert!(of().unwrap_err().contains("cannot read"));
        std::fs::write(&file, "short\n").unwrap();
        assert!(of().unwrap_err().contains("one word of 16"));
        std::fs::write(&file, "0123456789abcdef\n").unwrap();
        assert_eq!(of(), Ok(Some(secret::hash("0123456789abcdef"))));
        assert_eq!(read("").unwrap().metrics.token(), Ok(None));
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
        for bad in ["https://plan.example/netcensus", "https://plan.example?x", "https://a@plan.example"] {
            let message = read(&format!("public_url = {bad:?}")).unwrap_err().to_string();
            assert!(
                message.contains("plan.toml:1:1: public_url: netcensus is served at the root"),
                "{message}"
            );
        }
        assert_eq!(
            read("public_url = \"https://plan.example:8443/\"").unwrap().public_url,
            "https://plan.example:8443"
        );
    }
}
