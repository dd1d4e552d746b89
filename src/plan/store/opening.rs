//! Why a database cannot be opened, in words that name it and the next step.

use std::io;
use std::path::Path;

use super::engine::sql;
use super::{Location, Store, StoreError, is_away};

impl Store {
    /// Opens a database that `serve` or `restore` made. Others do not make one: a command with a wrong path must not work
    /// on a new, empty database.
    ///
    /// # Errors
    /// [`StoreError::Missing`], or those of [`Store::open`].
    pub async fn open_existing(location: &Location) -> Result<Self, StoreError> {
        if !Self::exists(location).await? {
            return Err(Self::missing(location));
        }
        Self::open(location).await
    }

    /// The error that there is no database.
    pub fn missing(location: &Location) -> StoreError {
        StoreError::Missing(absolute(location))
    }

    /// Whether there is a database: a file that is not empty, or a server's database with a schema.
    ///
    /// # Errors
    /// Those of [`Store::open`].
    pub async fn exists(location: &Location) -> Result<bool, StoreError> {
        match location {
            Location::File(path) => match path.metadata() {
                Ok(file) => Ok(file.len() > 0),
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
                Err(e) => Err(explain(location, sqlx::Error::Io(e))),
            },
            Location::Server(url) => {
                let server = super::postgres::PostgresEngine::connect(url).await?;
                let table = "SELECT 1 AS one WHERE to_regclass('_sqlx_migrations') IS NOT NULL";
                let found =
                    super::engine::Engine::rows(&server, sql(table)).await.map(|rows| !rows.is_empty());
                super::engine::Engine::close(&server).await;
                found
            }
        }
    }
}

/// The location with the whole path, so that people see in which folder the command looked.
fn absolute(location: &Location) -> String {
    match location {
        Location::File(path) => {
            std::path::absolute(path).map_or_else(|_| location.to_string(), |path| path.display().to_string())
        }
        Location::Server(_) => location.to_string(),
    }
}

/// What went wrong when the database was opened.
pub(super) fn explain(location: &Location, error: sqlx::Error) -> StoreError {
    let place = absolute(location);
    match location {
        Location::File(path) => of_file(path, place, error),
        Location::Server(_) => of_server(place, error),
    }
}

fn of_file(path: &Path, place: String, error: sqlx::Error) -> StoreError {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let unusable = |place, why: String, denied| StoreError::Unusable { place, why, denied };
    let not_permitted = |place| {
        let why = format!(
            "this user may not read and write the file and its folder {}; run the command as their owner, for example 'runuser -u netcensus-plan -- netcensus-plan …'",
            folder.display()
        );
        unusable(place, why, true)
    };
    let code = error.as_database_error().and_then(|e| e.code()).and_then(|code| code.parse::<i64>().ok());
    // The lower byte of an extended code is the code.
    match (&error, code.map(|code| code & 0xff)) {
        (sqlx::Error::Io(_), _) if !folder.exists() => {
            let why = format!(
                "its folder {} does not exist; create it with 'mkdir -p', or name another database with --database",
                folder.display()
            );
            unusable(place, why, false)
        }
        (sqlx::Error::Io(e), _) if e.kind() == io::ErrorKind::PermissionDenied => not_permitted(place),
        (_, Some(14)) if path.is_dir() => {
            unusable(place, "it is a folder; name a file with --database".to_owned(), false)
        }
        (_, Some(8 | 14 | 23)) => not_permitted(place),
        (_, Some(26)) => {
            let why = "it is not a SQLite database; name another file with --database, or restore a backup with 'netcensus-plan restore'";
            unusable(place, why.to_owned(), false)
        }
        (_, Some(11)) => {
            let why = "it is damaged; move it away and restore a backup with 'netcensus-plan restore'";
            unusable(place, why.to_owned(), false)
        }
        (_, Some(5 | 6)) => {
            let why =
                "another program has locked it for more than 10 s; end that program, or try again".to_owned();
            StoreError::Away { place, why }
        }
        (_, Some(13)) => {
            let why = format!("no space is left on the file system of {}; free some", folder.display());
            StoreError::Away { place, why }
        }
        _ => StoreError::Unusable { place, why: error.to_string(), denied: false },
    }
}

fn of_server(place: String, error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|e| e.code()).unwrap_or_default().into_owned();
    match code.as_str() {
        "3D000" => StoreError::Missing(place),
        "28000" | "28P01" => {
            let why = format!(
                "{}; check the user in the URL, the password in ~/.pgpass, and pg_hba.conf on the server",
                plain(&error)
            );
            StoreError::Unusable { place, why, denied: true }
        }
        _ if error.to_string().contains("certificate") => {
            let why = format!(
                "{}; check that the server's certificate is for this name and still valid, and 'sslrootcert' and 'sslmode' in the URL",
                plain(&error)
            );
            StoreError::Unusable { place, why, denied: false }
        }
        _ if is_away(&error) => StoreError::Away { place, why: unreachable(&error) },
        _ => StoreError::Unusable { place, why: plain(&error), denied: false },
    }
}

/// Why a server does not answer, and what to check.
pub(super) fn unreachable(error: &sqlx::Error) -> String {
    let why = match error {
        sqlx::Error::PoolTimedOut => "it does not answer, or all connections are busy".to_owned(),
        other => plain(other),
    };
    format!("{why}; check that PostgreSQL runs there and that this host reaches it")
}

/// The cause without the driver's preface.
fn plain(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(path: &Path) -> String {
        Store::open(&Location::File(path.to_owned())).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn each_reason_names_the_path_and_the_next_step() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let missing = refused(&at("no/such/plan.sqlite")).await;
        assert!(missing.contains("no/such/plan.sqlite") && missing.contains("'mkdir -p'"), "{missing}");
        std::fs::write(at("text"), "x".repeat(5_000)).unwrap();
        let text = refused(&at("text")).await;
        assert!(text.contains("/text: it is not a SQLite database; name another"), "{text}");
        let folder = refused(dir.path()).await;
        assert!(folder.contains("it is a folder"), "{folder}");
        let error = sqlx::Error::Io(io::ErrorKind::PermissionDenied.into());
        let denied = explain(&Location::File(at("plan.sqlite")), error).to_string();
        assert!(denied.contains("plan.sqlite: this user may not") && denied.contains("runuser"), "{denied}");
    }

    #[tokio::test]
    async fn what_nobody_made_is_missing_and_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let location = Location::File(dir.path().join("plan.sqlite"));
        let missing = Store::open_existing(&location).await.unwrap_err();
        assert!(
            matches!(&missing, StoreError::Missing(place) if place.ends_with("/plan.sqlite")),
            "{missing}"
        );
        assert!(missing.to_string().contains("--database"), "{missing}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        std::fs::write(dir.path().join("plan.sqlite"), "").unwrap();
        assert!(matches!(Store::open_existing(&location).await, Err(StoreError::Missing(_))));
        Store::open(&location).await.unwrap().close().await;
        Store::open_existing(&location).await.unwrap().close().await;
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_named_without_its_password() {
        // Nothing listens on port 1.
        let location =
            "postgresql://alice:secret@127.0.0.1:1/netcensus?password=secret".parse::<Location>().unwrap();
        let away = Store::open_existing(&location).await.unwrap_err();
        assert!(away.is_away(), "{away:?}");
        let text = away.to_string();
        assert!(text.contains("127.0.0.1:1/netcensus") && !text.contains("secret"), "{text}");
    }
}
