//! `migrate`, `backup` and `restore` of the database.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::arguments::Common;
use super::failure::{Exit, Failure};
use crate::cli::terminal::print_json;
use crate::plan::running::Running;
use crate::plan::store::Store;

#[derive(Debug, Args)]
pub(super) struct Migrate {
    #[command(flatten)]
    common: Common,
    /// Print the pending migrations, but apply none
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  netcensus-plan backup /var/backups/netcensus-2026-11-25

The copy is consistent; the service may run meanwhile. With PostgreSQL, the copy is an archive of pg_dump.
It contains inventories, hashes of passwords and the key that signs snapshots: protect it like the database.")]
pub(super) struct Backup {
    #[command(flatten)]
    common: Common,
    /// The file to create; it must not exist
    file: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  netcensus-plan restore /var/backups/netcensus-2026-11-25 --database /var/lib/netcensus/plan.sqlite
  netcensus-plan restore /var/backups/netcensus-2026-11-25 --database postgresql:///netcensus

Stop the service first. The command overwrites nothing: a database file must not exist, a PostgreSQL database
must be empty.")]
pub(super) struct Restore {
    #[command(flatten)]
    common: Common,
    /// The file that 'netcensus-plan backup' wrote
    file: PathBuf,
}

/// Brings the schema up to date.
pub(super) async fn migrate(arguments: Migrate) -> Result<(), Failure> {
    let config = arguments.common.config()?;
    // A server's database is made by createdb, so its schema may be made here; a file is not made.
    if config.database.is_file() && !Store::exists(&config.database).await? {
        return Err(Store::missing(&config.database).into());
    }
    let pending = Store::pending(&config.database).await?;
    if !arguments.dry_run {
        Store::open(&config.database).await?.close().await;
    }
    if arguments.common.json {
        return print_json(&json!({"pending": pending, "applied": !arguments.dry_run}));
    }
    let mut out = io::stdout().lock();
    let verb = if arguments.dry_run { "would apply" } else { "applied" };
    for migration in &pending {
        writeln!(out, "{verb} {migration}")?;
    }
    if pending.is_empty() {
        writeln!(out, "{} is up to date", config.database)?;
    }
    Ok(())
}

/// Copies the database.
pub(super) async fn backup(arguments: Backup) -> Result<(), Failure> {
    let (config, store) = arguments.common.store().await?;
    store.backup(&arguments.file).await?;
    store.close().await;
    let bytes = std::fs::metadata(&arguments.file)?.len();
    if arguments.common.json {
        return print_json(&json!({"file": arguments.file, "bytes": bytes}));
    }
    writeln!(io::stdout(), "copied {} to {} ({bytes} bytes)", config.database, arguments.file.display())?;
    Ok(())
}

/// Restores a backup into an empty database.
pub(super) async fn restore(arguments: Restore) -> Result<(), Failure> {
    let config = arguments.common.config()?;
    if !arguments.file.is_file() {
        return Err(Failure::failed(format!(
            "the backup {} does not exist or is not a file",
            arguments.file.display()
        )));
    }
    if let Some(running) = Running::find(&config.database).filter(|_| config.database.is_file()) {
        return Err(Failure::new(
            Exit::Unavailable,
            format!("the service {} runs on {}; stop it first", running.url, config.database),
        ));
    }
    let store = Store::restore(&arguments.file, &config.database).await?;
    let subscriptions = store.subscriptions().await?.len();
    store.close().await;
    if arguments.common.json {
        return print_json(&json!({"database": config.database.to_string(), "subscriptions": subscriptions}));
    }
    let file = arguments.file.display();
    writeln!(io::stdout(), "restored {file} into {}: {subscriptions} subscriptions", config.database)?;
    Ok(())
}
