//! The databases that tests run on: a file of SQLite's, or a database of its own on a PostgreSQL server that the tests
//! start, see `postgres.sh`.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use netcensus::plan::{secret, store::Location};

/// Which database.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// Makes two tests of one: on SQLite and on PostgreSQL.
///
/// `on_both_stores! { async fn name(plan: Plan) { … } }`
macro_rules! on_both_stores {
    ($($(#[doc = $doc:literal])* async fn $name:ident($($plan:tt)+) $body:block)+) => {$(
        mod $name {
            use super::*;

            $(#[doc = $doc])*
            async fn check($($plan)+) $body

            #[tokio::test]
            async fn on_sqlite() {
                check(Plan::start_on(crate::database::Backend::Sqlite).await).await;
            }

            #[tokio::test]
            async fn on_postgresql() {
                check(Plan::start_on(crate::database::Backend::Postgres).await).await;
            }
        }
    )+};
}
pub(crate) use on_both_stores;

/// A new, empty database; `directory` is where a file goes.
pub(crate) fn fresh(backend: Backend, directory: &Path) -> Location {
    match backend {
        Backend::Sqlite => Location::File(directory.join("plan.sqlite")),
        Backend::Postgres => {
            let socket = server();
            let name = format!("t{}", secret::generate_id().unwrap());
            psql(&socket, "postgres", &format!("CREATE DATABASE {name}"));
            Location::Server(format!("postgresql:///{name}?host={}&user=postgres", socket.display()))
        }
    }
}

/// A database's place, as commands take it.
pub(crate) fn place(database: &Location) -> String {
    match database {
        Location::File(path) => path.to_str().unwrap().to_owned(),
        Location::Server(url) => url.clone(),
    }
}

/// What the superuser executes on a database of the tests' server, such as what the service itself must not do.
pub(crate) fn psql(socket: &Path, database: &str, statement: &str) {
    let out = Command::new("psql")
        .args(["-qX", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h"])
        .arg(socket)
        .args(["-d", database, "-c", statement])
        .output()
        .expect("psql comes with the Debian package postgresql; '.ci/need unit' installs it");
    assert!(out.status.success(), "{statement}: {}", String::from_utf8_lossy(&out.stderr));
}

/// The folder of the server's socket. The server lives while a process that called this does.
pub(crate) fn server() -> PathBuf {
    static SERVER: OnceLock<(PathBuf, File)> = OnceLock::new();
    SERVER.get_or_init(start).0.clone()
}

fn start() -> (PathBuf, File) {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgres");
    std::fs::create_dir_all(&directory).unwrap();
    let open = |name: &str| OpenOptions::new().create(true).append(true).open(directory.join(name)).unwrap();
    let (starting, users) = (open("start"), open("users"));
    starting.lock().unwrap();
    users.lock_shared().unwrap();
    let ready = directory.join("ready");
    let alive = |socket: &str| Path::new(socket.trim()).join(".s.PGSQL.5432").exists();
    if !std::fs::read_to_string(&ready).is_ok_and(|socket| alive(&socket)) {
        std::fs::remove_file(&ready).ok();
        let status = Command::new("setsid")
            .arg("--fork")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plan/postgres.sh"))
            .arg(&directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success());
        let begin = Instant::now();
        while !ready.exists() {
            let log = || std::fs::read_to_string(directory.join("log")).unwrap_or_default();
            assert!(begin.elapsed() < Duration::from_secs(120), "PostgreSQL did not start: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    let socket = std::fs::read_to_string(&ready).unwrap();
    starting.unlock().unwrap();
    (PathBuf::from(socket.trim()), users)
}
