//! The sensor's configuration: each key of `config/netcensus-sensor.toml` is a field here.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::census::{Policy, Prefix};
use crate::cli::log::LogConfig;
use crate::config::{self, ByteSize, ConfigError};
use crate::dissect::SHARDS;
use crate::sensor::pipeline::freshness::Freshness;
use crate::sensor::upload::identity;
use crate::sensor::upload::route::{self, Route};
use crate::sensor::upload::spool::SpoolBounds;

/// The configuration file to read without `--config`, if it exists.
pub const DEFAULT_PATH: &str = "/etc/netcensus/netcensus-sensor.toml";

/// The longest `upload.freshness`: far below the 30 days of X-IDLE, and below the hour in which system names of two cards
/// contradict each other (I8c).
const FRESHEST: Duration = Duration::from_mins(30);

/// The most entries of `capture.tunnels`.
const MAX_TUNNELS: usize = 256;

#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The zone that the captured frames belong to (I9): a site or a routing domain. 1 to 64 bytes.
    pub zone: String,
    /// The folder of the identity, the spool and the control sockets.
    pub state_directory: PathBuf,
    /// Prefixes that are on-link in addition to the learned ones (I5).
    pub prefixes: BTreeSet<Prefix>,
    pub capture: CaptureConfig,
    pub limits: LimitsConfig,
    pub quarantine: QuarantineConfig,
    pub upload: UploadConfig,
    pub spool: SpoolConfig,
    pub health: HealthConfig,
    pub confinement: ConfinementConfig,
    pub log: LogConfig,
    pub rules: RulesConfig,
    pub alerts: AlertsConfig,
}

/// `[capture]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct CaptureConfig {
    /// Interfaces on mirror ports.
    pub interfaces: Vec<String>,
    /// Sources of tunnels whose frames count, besides those that the census trusts by itself (I13).
    pub tunnels: BTreeSet<TunnelSource>,
    /// A tcpdump filter; empty for all frames.
    pub filter: String,
    /// Size of the kernel's ring for each interface, in MiB.
    pub ring_mib: u32,
    /// Maximum bytes to capture of each frame.
    pub snap_length: u32,
    /// Whether to receive frames for other machines.
    pub promiscuous: bool,
    /// Threads that dissect the frames of an interface or a file; 0 for one less than the machine has cores.
    pub threads: u16,
}

impl CaptureConfig {
    /// How many threads dissect frames.
    pub(crate) fn threads(&self) -> usize {
        let free = || std::thread::available_parallelism().map_or(1, |cores| cores.get() - 1);
        if self.threads == 0 { free().clamp(1, SHARDS) } else { self.threads.into() }
    }
}

/// An address or a prefix from which tunnels come.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(try_from = "String")]
pub struct TunnelSource(pub Prefix);

impl TryFrom<String> for TunnelSource {
    type Error = BadTunnelSource;

    fn try_from(text: String) -> Result<Self, BadTunnelSource> {
        let alone =
            || text.parse().ok().and_then(|ip: IpAddr| Prefix::of(ip, if ip.is_ipv4() { 32 } else { 128 }));
        text.parse()
            .ok()
            .or_else(alone)
            .map(Self)
            .ok_or_else(|| BadTunnelSource(text.chars().take(60).collect()))
    }
}

/// The text is neither an address nor a prefix.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "'{0}' is not the source of a tunnel; write an address or a prefix, such as 192.0.2.7 or 192.0.2.0/24"
)]
pub struct BadTunnelSource(String);

/// `[limits]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Maximum number of couplings, and of stations.
    pub couplings: usize,
    /// About how much memory all facts may take.
    pub memory: ByteSize,
}

/// `[quarantine]` (I11)
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct QuarantineConfig {
    /// Maximum number of new devices accepted per minute without confirmation.
    pub rate: usize,
    /// Time after the first frame in which no device counts as new.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub grace: Duration,
    /// Time after which a new device must have been seen again.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub confirm_after: Duration,
    /// I15: the most devices a day that count although only ARP, neighbour discovery or unanswered packets show them.
    pub daily: usize,
}

/// `[upload]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct UploadConfig {
    /// How often to send changes.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub interval: Duration,
    /// How long a sighting of a known device may wait before it is sent; 0 s: until the next upload.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub freshness: Duration,
    /// Maximum time of an upload.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub timeout: Duration,
    /// Wait after the first failure; doubles with each further failure, up to `retry_at_most`.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub retry_after: Duration,
    /// Longest wait after failures.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub retry_at_most: Duration,
    /// How long a stopping sensor still sends the spool.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub grace: Duration,
    /// Bytes to send in a second, averaged over an upload; 0 for no limit.
    pub max_bytes_per_second: u64,
    /// The proxy's URL; `none` for no proxy; empty to use the environment.
    pub proxy: String,
    /// A file with `user:password` for the proxy; empty if the proxy needs none.
    pub proxy_credential: PathBuf,
}

/// `[spool]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SpoolConfig {
    /// Empty for `spool` in the state directory.
    pub directory: PathBuf,
    /// Maximum size in MiB.
    pub max_mib: u64,
    /// Maximum age of an upload.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub max_age: Duration,
    /// How often to write the inventory to disk.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub checkpoint_every: Duration,
}

/// `[health]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct HealthConfig {
    /// Loopback address and port of `/metrics`, `/healthz` and `/readyz`; empty to serve none.
    pub listen: String,
}

/// `[confinement]`
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ConfinementConfig {
    /// What to do if the kernel lacks a measure.
    pub mode: ConfinementMode,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum ConfinementMode {
    /// Take the measures that the kernel supports, and warn about the others.
    #[default]
    Try,
    /// Take all measures, or do not start.
    Require,
    /// Take none, for tracing and debugging.
    Off,
}

/// `[rules]`
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct RulesConfig {
    /// A directory with rule packs that extend the built-in ones; empty for none.
    pub directory: PathBuf,
}

/// `[alerts]`
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct AlertsConfig {
    /// Lists of indicators: addresses, networks and names that are known to be malicious, one a line.
    pub indicators: Vec<PathBuf>,
    /// A folder of rules of alerts and recommendations over the built-in ones, for `replay --findings`; empty for none.
    pub rules: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            zone: "default".to_owned(),
            state_directory: PathBuf::from("/var/lib/netcensus"),
            prefixes: BTreeSet::new(),
            capture: CaptureConfig::default(),
            limits: LimitsConfig::default(),
            quarantine: QuarantineConfig::default(),
            upload: UploadConfig::default(),
            spool: SpoolConfig::default(),
            health: HealthConfig::default(),
            confinement: ConfinementConfig::default(),
            log: LogConfig::default(),
            rules: RulesConfig::default(),
            alerts: AlertsConfig::default(),
        }
    }
}

impl Default for CaptureConfig {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            tunnels: BTreeSet::new(),
            filter: String::new(),
            ring_mib: 32,
            snap_length: 2_048,
            promiscuous: true,
            threads: 0,
        }
    }
}

impl LimitsConfig {
    /// `memory` in bytes.
    pub(crate) fn memory(&self) -> usize {
        usize::try_from(self.memory.0).unwrap_or(usize::MAX)
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { couplings: 1_000_000, memory: ByteSize(2 << 30) }
    }
}

impl Default for QuarantineConfig {
    fn default() -> Self {
        Self { rate: 200, daily: 500, grace: Duration::from_mins(10), confirm_after: Duration::from_mins(10) }
    }
}

impl Default for UploadConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            freshness: Duration::from_mins(5),
            timeout: Duration::from_secs(30),
            retry_after: Duration::from_secs(1),
            retry_at_most: Duration::from_mins(5),
            grace: Duration::from_secs(5),
            max_bytes_per_second: 0,
            proxy: String::new(),
            proxy_credential: PathBuf::new(),
        }
    }
}

impl Default for SpoolConfig {
    fn default() -> Self {
        Self {
            directory: PathBuf::new(),
            max_mib: 512,
            max_age: Duration::from_hours(720),
            checkpoint_every: Duration::from_mins(5),
        }
    }
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self { listen: "127.0.0.1:9109".to_owned() }
    }
}

impl Config {
    /// Reads and checks the configuration: the file at `path`, otherwise [`DEFAULT_PATH`] if it exists, otherwise the
    /// defaults.
    ///
    /// # Errors
    /// As [`config::load`], and for invalid values.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let path = match path {
            Some(path) => path,
            None if Path::new(DEFAULT_PATH).exists() => Path::new(DEFAULT_PATH),
            None => return Ok(Self::default()),
        };
        let config: Self = config::load(path)?;
        match config.invalid() {
            None => Ok(config),
            Some((key, problem)) => {
                let text = fs::read_to_string(path).unwrap_or_default();
                Err(config::complain(&text, path, key, &problem))
            }
        }
    }

    /// The first key with an invalid value, and why it is invalid.
    fn invalid(&self) -> Option<(&'static str, String)> {
        let within = |key, value: u64, low: u64, high: u64, unit: &str| {
            (!(low..=high).contains(&value))
                .then(|| (key, format!("{value} is out of range; write a number from {low} to {high}{unit}")))
        };
        let at_least = |key, value: Duration, low: Duration| {
            (value < low || value > Duration::from_hours(24))
                .then(|| (key, format!("{value:?} is out of range; write a time from {low:?} to 24h")))
        };
        let zone = (self.zone.is_empty() || self.zone.len() > 64 || self.zone.contains(char::is_control))
            .then(|| ("zone", "a zone's name has 1 to 64 bytes and no control characters".to_owned()));
        let bad_name = self.capture.interfaces.iter().find(|n| !is_interface_name(n)).map(|n| {
            let name = n.escape_debug();
            (
                "capture.interfaces",
                format!(
                    "'{name}' is not an interface name; 'netcensus-sensor interfaces' lists the interfaces"
                ),
            )
        });
        let listen = (!self.health.listen.is_empty() && self.listen().is_none()).then(|| {
            let listen = self.health.listen.escape_debug();
            (
                "health.listen",
                format!("'{listen}' is not a loopback address with a port; write 127.0.0.1:9109, or \"\" to serve no metrics"),
            )
        });
        let tunnels = (self.capture.tunnels.len() > MAX_TUNNELS).then(|| {
            let problem = format!("more than {MAX_TUNNELS} entries; write prefixes instead of addresses");
            ("capture.tunnels", problem)
        });
        zone.or(bad_name)
            .or(tunnels)
            .or_else(|| within("capture.ring_mib", self.capture.ring_mib.into(), 1, 1_024, " MiB"))
            .or_else(|| {
                within("capture.snap_length", self.capture.snap_length.into(), 128, 262_144, " bytes")
            })
            .or_else(|| within("capture.threads", self.capture.threads.into(), 0, SHARDS as u64, ""))
            .or_else(|| within("limits.couplings", self.limits.couplings as u64, 1, 50_000_000, ""))
            .or_else(|| {
                let mib = self.limits.memory.0 >> 20;
                (!(16..=1 << 20).contains(&mib)).then(|| {
                    ("limits.memory", format!("{mib} MiB is out of range; write a size from 16 MiB to 1024 GiB"))
                })
            })
            .or_else(|| within("quarantine.rate", self.quarantine.rate as u64, 1, 1_000_000_000, ""))
            .or_else(|| within("spool.max_mib", self.spool.max_mib, 1, 1 << 20, " MiB"))
            .or_else(|| {
                (self.spool.max_age < Duration::from_hours(1)).then(|| {
                    ("spool.max_age", format!("{:?} is out of range; write a time of 1h or more", self.spool.max_age))
                })
            })
            .or_else(|| at_least("spool.checkpoint_every", self.spool.checkpoint_every, Duration::from_secs(1)))
            .or_else(|| {
                let why = "not a proxy URL; write http://proxy.example:3128, \"none\" for no proxy, or \"\" to use HTTPS_PROXY";
                (!route::is_proxy(&self.upload.proxy)).then(|| ("upload.proxy", why.to_owned()))
            })
            .or_else(|| at_least("upload.interval", self.upload.interval, Duration::from_millis(100)))
            .or_else(|| {
                let freshness = self.upload.freshness;
                (freshness > FRESHEST).then(|| {
                    ("upload.freshness", format!("{freshness:?} is out of range; write a time from 0s to {FRESHEST:?}"))
                })
            })
            .or_else(|| at_least("upload.timeout", self.upload.timeout, Duration::from_secs(1)))
            .or_else(|| at_least("upload.retry_after", self.upload.retry_after, Duration::from_millis(100)))
            .or_else(|| at_least("upload.retry_at_most", self.upload.retry_at_most, self.upload.retry_after))
            .or(listen)
    }

    /// The address of `/metrics`, if it is served.
    pub(crate) fn listen(&self) -> Option<SocketAddr> {
        self.health.listen.parse().ok().filter(|a: &SocketAddr| a.ip().is_loopback())
    }

    /// How long sightings wait.
    pub(crate) fn freshness(&self) -> Freshness {
        Freshness::new(self.upload.freshness, self.quarantine.confirm_after)
    }

    /// The sources of tunnels that are trusted (I13).
    pub(crate) fn tunnels(&self) -> BTreeSet<Prefix> {
        self.capture.tunnels.iter().map(|source| source.0).collect()
    }

    pub(crate) fn spool_directory(&self) -> PathBuf {
        if self.spool.directory.as_os_str().is_empty() {
            self.state_directory.join("spool")
        } else {
            self.spool.directory.clone()
        }
    }

    pub(crate) fn spool_bounds(&self) -> SpoolBounds {
        SpoolBounds { bytes: self.spool.max_mib << 20, age: self.spool.max_age }
    }

    /// The file of the checkpoint.
    pub(crate) fn checkpoint_path(&self) -> PathBuf {
        self.state_directory.join("inventory.zst")
    }

    pub(crate) fn route(&self) -> Route {
        Route { proxy: self.upload.proxy.clone(), credential: self.upload.proxy_credential.clone() }
    }

    /// The folder of the upload half, which the capture half must not read.
    pub(crate) fn upload_directory(&self) -> PathBuf {
        self.state_directory.join("upload")
    }

    /// The file to which enrolment writes the identity.
    pub(crate) fn identity_path(&self) -> PathBuf {
        self.upload_directory().join("identity.json")
    }

    /// The file from which the identity is read: that file, or the credential that systemd passes to the service.
    pub(crate) fn identity_source(&self) -> PathBuf {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        identity::source(self.identity_path(), credentials.as_deref())
    }

    /// The control socket of the running sensor, or of its capture half.
    pub(crate) fn control_path(&self) -> PathBuf {
        self.state_directory.join("control.sock")
    }

    /// The socket on which the capture half serves its metrics to the upload half.
    pub(crate) fn health_path(&self) -> PathBuf {
        self.state_directory.join("health.sock")
    }

    /// The control socket of the upload half, if it runs alone.
    pub(crate) fn upload_control_path(&self) -> PathBuf {
        self.upload_directory().join("control.sock")
    }

    /// The policy of the sensor's commands.
    pub(crate) fn policy(&self) -> Policy {
        let nanos = |d: Duration| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX);
        Policy {
            quarantine_rate: self.quarantine.rate,
            quarantine_daily: self.quarantine.daily,
            quarantine_grace: nanos(self.quarantine.grace),
            quarantine_confirm_after: nanos(self.quarantine.confirm_after),
            on_link: self.prefixes.clone(),
            ..Policy::default()
        }
    }
}

/// Whether the kernel accepts an interface name (`dev_valid_name`: at most 15 bytes, no slash, no blank).
pub(crate) fn is_interface_name(name: &str) -> bool {
    (1..=15).contains(&name.len())
        && !matches!(name, "." | "..")
        && name.bytes().all(|b| b.is_ascii_graphic() && b != b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        fs::write(&path, text).unwrap();
        Config::load(Some(&path))
    }

    #[test]
    fn the_shipped_file_holds_exactly_the_defaults() {
        let shipped = include_str!("../../config/netcensus-sensor.toml");
        let read: Config = config::parse(shipped, Path::new("config/netcensus-sensor.toml")).unwrap();
        assert_eq!(read, Config::default());
        assert_eq!(read.invalid(), None);
    }

    #[test]
    fn the_shipped_file_explains_every_key() {
        let mut lines = Vec::new();
        for line in include_str!("../../config/netcensus-sensor.toml").lines() {
            if line.contains('=') && !line.starts_with('#') {
                assert!(lines.last().is_some_and(|l: &&str| l.starts_with('#')), "not explained: {line}");
            }
            lines.push(line);
        }
    }

    #[test]
    fn values_without_sense_are_refused_at_their_line() {
        for (text, expected) in [
            ("\n[upload]\ninterval = \"1ms\"\n", ":3:1: upload.interval: 1ms is out of range"),
            (
                "[health]\nlisten = \"0.0.0.0:9109\"\n",
                ":2:1: health.listen: '0.0.0.0:9109' is not a loopback",
            ),
            ("zone = \"\"\n", ":1:1: zone: a zone's name"),
            ("[capture]\ninterfaces = [\"a/b\"]\n", ":2:1: capture.interfaces: 'a/b' is not an interface"),
            ("[capture]\nring_mb = 3\n", ":2:1: unknown key 'ring_mb'; did you mean 'ring_mib'?"),
            ("[upload]\nproxy = \"p:3128\"\n", ":2:1: upload.proxy: not a proxy"),
            ("[spool]\nmax_age = \"1m\"\n", ":2:1: spool.max_age: 60s is out of range"),
            (
                "[capture]\ntunnels = [\"192.0.2.7\", \"192.0.2.7/24\"]\n",
                "tunnels[1]: '192.0.2.7/24' is not the source of a tunnel",
            ),
            ("[limits]\nmemory = \"2 GB\"\n", "'2 GB' is not a size"),
            ("[limits]\nmemory = \"1 MiB\"\n", ":2:1: limits.memory: 1 MiB is out of range"),
            ("prefixes = [\"10.0.0.1/8\"]\n", ":1:12: prefixes[0]: '10.0.0.1/8' is not a prefix"),
        ] {
            let complaint = load(text).unwrap_err().to_string();
            assert!(complaint.contains(expected), "{complaint}");
        }
    }

    #[test]
    fn times_are_written_as_people_write_them() {
        let config = load("[upload]\ninterval = \"1m 30s\"\n").unwrap();
        assert_eq!(config.upload.interval, Duration::from_secs(90));
    }
}
