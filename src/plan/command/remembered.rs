//! The subscription that an operator's commands mean if there are several: `subscription use` remembers it for the user, for
//! each database.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use super::failure::Failure;
use crate::plan::store::{Location, Subscription};

/// By database, the subscription's id.
type Remembered = BTreeMap<String, String>;

/// The id of the subscription that is remembered for a database. A file that cannot be read remembers nothing.
pub(super) fn subscription(database: &Location) -> Option<String> {
    read().remove(&key(database))
}

/// Remembers a subscription for a database, or forgets it.
///
/// # Errors
/// If the user's file cannot be written.
pub(super) fn remember(database: &Location, subscription: Option<&Subscription>) -> Result<(), Failure> {
    let Some(file) = file() else {
        return Err(Failure::failed(
            "there is no home folder to remember the subscription in; set HOME, or export NETCENSUS_PLAN_SUBSCRIPTION instead",
        ));
    };
    let mut all = read();
    match subscription {
        Some(subscription) => all.insert(key(database), subscription.id.to_string()),
        None => all.remove(&key(database)),
    };
    let write = || {
        fs::create_dir_all(file.parent().unwrap_or(&file))?;
        fs::write(&file, serde_json::to_vec_pretty(&all).map_err(io::Error::other)?)
    };
    write().map_err(|e| {
        let next = "export NETCENSUS_PLAN_SUBSCRIPTION instead";
        Failure::system(&e, format!("cannot write {}: {e}; {next}", file.display()))
    })
}

fn read() -> Remembered {
    let text = file().and_then(|file| fs::read(file).ok()).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn file() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(folder.join("netcensus/subscriptions.json"))
}

fn key(database: &Location) -> String {
    match database {
        Location::File(path) => {
            std::path::absolute(path).map_or_else(|_| database.to_string(), |path| path.display().to_string())
        }
        Location::Server(_) => database.to_string(),
    }
}
