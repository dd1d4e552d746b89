//! `enrol`: one token becomes this sensor's identity.

use std::fs;
use std::io::{self, Read as _, Write as _};

use super::ConfigArguments;
use super::failure::{FAILED, Failure};
use crate::clock::{Clock as _, SystemClock};
use crate::sensor::upload::client;
use crate::sensor::upload::identity::Identity;
use crate::wire::EnrolmentToken;

const NAME_BYTES: usize = 64;
const TOKEN_BYTES: u64 = 8 << 10;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  netcensus-sensor enrol nce2_... --name \"rack 3\"
  netcensus-sensor enrol - < token               keeps the token out of the list of processes

Make a token with 'netcensus-plan sensor token' or in the console. It works once, for an hour. A sensor that is enrolled
already becomes a new one: the service revokes the old identity in the same moment.")]
pub(super) struct Arguments {
    /// The token, or - to read it from standard input
    token: String,
    /// The sensor's name for people, at most 64 bytes [default: the host's name]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    config: ConfigArguments,
}

pub(super) fn enrol(arguments: &Arguments) -> Result<(), Failure> {
    let config = arguments.config.load()?;
    let token: EnrolmentToken = token(&arguments.token)?
        .parse()
        .map_err(|e: crate::wire::BadToken| Failure::new(FAILED, e.to_string()))?;
    let name = match &arguments.name {
        Some(name) if name.is_empty() || name.len() > NAME_BYTES => {
            return Err(Failure::new(
                2,
                format!("--name: a name has 1 to {NAME_BYTES} bytes; choose another"),
            ));
        }
        Some(name) => name.clone(),
        None => host_name(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // An identity that cannot be read cannot be given up either: a person revokes it.
    let previous = Identity::load(&config.identity_source()).ok();
    let route = config.route();
    let enrolled = client::enrol(&token, &name, previous.as_ref(), &route, SystemClock.now());
    let identity = runtime.block_on(enrolled)?;
    let path = config.identity_path();
    identity.store(&path)?;
    let Identity { sensor, subscription, url, .. } = &identity;
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "Enrolled as sensor {sensor} of subscription {subscription} at {url}; the identity is in {}.",
        path.display()
    )?;
    if let Some(previous) = previous.filter(|p| p.url == identity.url) {
        writeln!(out, "Sensor {}, which this one was before, is revoked.", previous.sensor)?;
    }
    Ok(())
}

fn token(argument: &str) -> Result<String, Failure> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut text = String::new();
    let read = io::stdin().take(TOKEN_BYTES).read_to_string(&mut text);
    read.map_err(|e| {
        Failure::new(FAILED, format!("standard input cannot be read: {e}; pass the token as argument"))
    })?;
    Ok(text)
}

fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().take(NAME_BYTES).filter(char::is_ascii_graphic).collect();
    if name.is_empty() { "sensor".to_owned() } else { name }
}
