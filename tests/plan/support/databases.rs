//! The databases of the tests: an SQLite file, or a database of its own on a PostgreSQL server that the tests start with
//! `postgres.sh`.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use netcensus::plan::{secret, store::Location};

/// Which database.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// Makes two tests of each of these functions: on SQLite and on PostgreSQL. Each takes a new [`Plan`](super::Plan), or
/// after `bare` the [`Backend`] alone. The compiler warns of a function that is not in the list.
macro_rules! on_each_database {
    (bare $($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::support::Backend;

            #[tokio::test]
            async fn on_sqlite() {
                super::$name(Backend::Sqlite).await;
            }

            #[tokio::test]
            async fn on_postgresql() {
                super::$name(Backend::Postgres).await;
            }
        }
    )+};
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::support::{Backend, Plan};

            #[tokio::test]
            async fn on_sqlite() {
                super::$name(Plan::start_on(Backend::Sqlite).await).await;
            }

            #[tokio::test]
            async fn on_postgresql() {
                super::$name(Plan::start_on(Backend::Postgres).await).await;
            }
        }
    )+};
}
pub(crate) use on_each_database;

/// A new, empty database. SQLite keeps it in `directory`.
pub(crate) fn fresh(backend: Backend, directory: &Path) -> Location {
    match backend {
        Backend::Sqlite => Location::File(directory.join("plan.sqlite")),
        Backend::Postgres => {
            let socket = server();
            let name = format!("t{}", hex::encode(secret::generate_id_bits().unwrap()));
            psql(&socket, "postgres", &format!("CREATE DATABASE {name}"));
            Location::Server(format!("postgresql:///{name}?host={}&user=postgres", socket.display()))
        }
    }
}

/// The location as commands take it.
pub(crate) fn place(database: &Location) -> String {
    match database {
        Location::File(path) => path.to_str().unwrap().to_owned(),
        Location::Server(url) => url.clone(),
    }
}

/// Executes a statement as the superuser of the tests' server.
pub(crate) fn psql(socket: &Path, database: &str, statement: &str) {
    let out = Command::new("psql")
        .args(["-qX", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h"])
        .arg(socket)
        .args(["-d", database, "-c", statement])
        .output()
        .expect("psql is missing: '.ci/need unit' installs it");
    assert!(out.status.success(), "{statement}: {}", String::from_utf8_lossy(&out.stderr));
}

/// Starts a PostgreSQL server that keeps its files in `directory`, and waits until it is ready.
///
/// `launcher` runs `postgres.sh`, which prints one line as soon as the server answers. If it ends before, the server
/// failed; nothing here depends on how long it takes.
pub(crate) fn start_server(mut launcher: Command, directory: &Path) -> std::process::Child {
    let mut child =
        launcher.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let log = || std::fs::read_to_string(directory.join("log")).unwrap_or_default();
    assert!(!line.is_empty(), "PostgreSQL did not start: {}", log());
    child
}

/// The script that runs a server.
pub(crate) const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plan/postgres.sh");

/// The folder of the server's socket. The server runs while a process that called this does.
fn server() -> PathBuf {
    static SERVER: OnceLock<(PathBuf, File)> = OnceLock::new();
    SERVER.get_or_init(share_server).0.clone()
}

/// Uses the server that another test started, or starts it.
fn share_server() -> (PathBuf, File) {
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
        let mut launcher = Command::new("setsid");
        launcher.arg("--fork").arg(SCRIPT).arg(&directory);
        assert!(start_server(launcher, &directory).wait().unwrap().success());
    }
    let socket = std::fs::read_to_string(&ready).unwrap();
    starting.unlock().unwrap();
    (PathBuf::from(socket.trim()), users)
}
