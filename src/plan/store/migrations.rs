//! The schema's migrations: forward only, one file each, the same numbers for both databases.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{AppliedMigration, Migration, MigrationType, Migrator};

/// Where the database keeps which were applied.
pub(super) const TABLE: &str = "_sqlx_migrations";

macro_rules! migrations {
    ($($version:literal $name:literal;)*) => {
        /// Those of SQLite.
        pub(super) fn sqlite() -> Migrator {
            Migrator::with_migrations(vec![$(migration($version, $name, include_str!(concat!("../../../migrations/sqlite/000", $version, "_", $name, ".sql"))),)*])
        }

        /// Those of PostgreSQL.
        pub(super) fn postgres() -> Migrator {
            Migrator::with_migrations(vec![$(migration($version, $name, include_str!(concat!("../../../migrations/postgres/000", $version, "_", $name, ".sql"))),)*])
        }
    };
}

migrations! {
    1 "spine";
    2 "revisions";
    3 "statements";
    4 "snapshots";
    5 "decisions";
    6 "access";
    7 "estimates";
    8 "sensor_keys";
    9 "receipts";
}

fn migration(version: i64, name: &'static str, text: &'static str) -> Migration {
    Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
}

/// The migrations that are not among `applied`, in order, as people read them.
pub(super) fn missing(all: &Migrator, applied: &[AppliedMigration]) -> Vec<String> {
    let pending = |m: &&Migration| applied.iter().all(|a| a.version != m.version);
    all.iter().filter(pending).map(|m| format!("{:04} {}", m.version, m.description)).collect()
}
