//! The migrations of the schema: one file each, the same numbers for both databases, forward only.
//!
//! The files are included by hand: `sqlx::migrate!` needs the feature `macros` of sqlx, which compiles slowly.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{AppliedMigration, Migration, MigrationType, Migrator};

/// The table with the applied migrations.
pub(super) const TABLE: &str = "_sqlx_migrations";

macro_rules! migrations {
    ($($zeros:literal $version:literal $name:literal;)*) => {
        pub(super) fn sqlite() -> Migrator {
            Migrator::with_migrations(vec![$(migration($version, $name, include_str!(concat!("../../../migrations/sqlite/", $zeros, $version, "_", $name, ".sql"))),)*])
        }

        pub(super) fn postgres() -> Migrator {
            Migrator::with_migrations(vec![$(migration($version, $name, include_str!(concat!("../../../migrations/postgres/", $zeros, $version, "_", $name, ".sql"))),)*])
        }
    };
}

migrations! {
    "000" 1 "schema";
    "000" 2 "findings";
    "000" 3 "receipts";
    "000" 4 "tenants";
    "000" 5 "annual_prices";
    "000" 6 "terms";
    "000" 7 "device_views";
    "000" 8 "notices";
    "000" 9 "conduct";
    "00" 10 "alert_life";
    "00" 11 "sensor_hours";
    "00" 12 "feeds";
    "00" 13 "zone_names";
}

fn migration(version: i64, name: &'static str, text: &'static str) -> Migration {
    Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
}

/// The migrations that are not in `applied`, in order, as text for people.
pub(super) fn missing(all: &Migrator, applied: &[AppliedMigration]) -> Vec<String> {
    let pending = |m: &&Migration| applied.iter().all(|a| a.version != m.version);
    all.iter().filter(pending).map(|m| format!("{:04} {}", m.version, m.description)).collect()
}
