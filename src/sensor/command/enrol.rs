//! `enrol`: exchanges a token for the sensor's identity.

use std::fs;
use std::io::{self, Read as _, Write as _};

use super::arguments::ConfigArguments;
use super::failure::Failure;
use crate::cli;
use crate::clock::{Clock as _, SystemClock};
use crate::sensor::upload::client;
use crate::sensor::upload::identity::Identity;
use crate::wire::EnrolmentToken;

const NAME_BYTES: usize = 64;
const TOKEN_BYTES: u64 = 8 << 10;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  netcensus-sensor enrol nce2_... --name \"rack 3\"
  netcensus-sensor enrol - < token               does not show the token in the process list

Create a token with 'netcensus-plan sensor token' or in the console. It works once, within an hour. If this sensor is
already enrolled, it becomes a new sensor, and the service revokes the old one.")]
pub(super) struct Arguments {
    /// The token, or - to read it from standard input
    token: String,
    /// The name that the console shows, 1 to 64 bytes [default: the host name]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    config: ConfigArguments,
}

pub(super) fn enrol(arguments: &Arguments) -> Result<(), Failure> {
    let config = arguments.config.load()?;
    let token: EnrolmentToken = token(&arguments.token)?
        .parse()
        .map_err(|e: crate::wire::BadToken| Failure::failed(e.to_string()))?;
    let name = match &arguments.name {
        Some(name) if name.is_empty() || name.len() > NAME_BYTES => {
            return Err(Failure::usage(format!(
                "--name must have 1 to {NAME_BYTES} bytes; choose another name"
            )));
        }
        Some(name) => name.clone(),
        None => host_name(),
    };
    let runtime = cli::runtime()?;
    // If the old identity cannot be read, a person has to revoke it in the console.
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
        writeln!(out, "The service revoked its old identity, sensor {}.", previous.sensor)?;
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
        Failure::failed(format!("cannot read the token from standard input: {e}; pass it as an argument"))
    })?;
    Ok(text)
}

fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().take(NAME_BYTES).filter(char::is_ascii_graphic).collect();
    if name.is_empty() { "sensor".to_owned() } else { name }
}
