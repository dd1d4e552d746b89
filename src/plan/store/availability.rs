//! Whether the database is there and can be written to.

use super::engine::{Access, sql};
use super::{Store, StoreError, Work};

/// Result codes of SQLite for a file that cannot be read or written now: busy, locked, read-only, failed, full, not opened.
const SQLITE: [i64; 6] = [5, 6, 8, 10, 13, 14];
/// Classes of PostgreSQL's errors for a server that is away, has no resources left, or is being stopped.
const POSTGRESQL: [&str; 4] = ["08", "53", "57P", "58"];
/// A server that lets nobody write: another one was promoted.
const READ_ONLY: &str = "25006";

impl Store {
    /// Tries to write, and rolls back: takes a turn among the writers, and finds a connection, a lock or a file that nobody
    /// can write with.
    ///
    /// # Errors
    /// The database's.
    pub async fn try_writing(&self) -> Result<(), StoreError> {
        // With PostgreSQL a name of its own: long writes of a subscription do not matter.
        let mut work = Work(self.engine.begin(Access::Write("readiness")).await?);
        work.execute(sql("UPDATE subscription SET name = name WHERE id = ''")).await.map(drop)
    }
}

/// Whether another program has locked SQLite's file.
pub(super) fn is_locked(error: &sqlx::Error) -> bool {
    let code =
        error.as_database_error().filter(|e| e.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some());
    let code = code.and_then(|e| e.code()).and_then(|code| code.parse::<i64>().ok());
    // The lower byte of an extended code is the code.
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

/// Whether an error says that the database is away, rather than that a statement is wrong.
pub fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
            true
        }
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // The lower byte of SQLite's extended codes is the code.
            let is_sqlite = error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some();
            match is_sqlite {
                true => code.parse::<i64>().is_ok_and(|code| SQLITE.contains(&(code & 0xff))),
                false => POSTGRESQL.iter().any(|class| code.starts_with(class)) || code == READ_ONLY,
            }
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::store::Location;

    #[tokio::test]
    async fn a_file_that_is_full_is_away_and_a_wrong_statement_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::File(dir.path().join("plan.sqlite"))).await.unwrap();
        store.try_writing().await.unwrap();
        let mut work = Work(store.engine.begin(Access::Write("")).await.unwrap());
        work.execute(sql("CREATE TABLE filler (body BLOB)")).await.unwrap();
        work.rows(sql("PRAGMA max_page_count = 1")).await.unwrap();
        let full = work.execute(sql("INSERT INTO filler VALUES (zeroblob(10000000))")).await.unwrap_err();
        assert!(matches!(full, StoreError::Database(error) if is_away(&error)));
        drop(work);
        let wrong = store.rows(sql("SELECT nothing FROM nowhere")).await.unwrap_err();
        assert!(matches!(wrong, StoreError::Database(error) if !is_away(&error)));
        store.try_writing().await.unwrap();
        store.close().await;
        let closed = store.try_writing().await.unwrap_err();
        assert!(matches!(closed, StoreError::Database(error) if is_away(&error)));
    }
}
