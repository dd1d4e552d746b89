//! Clients that keep the service waiting, or ask for too much of it: what becomes of their connections, and what they are
//! told. Times pass on a paused clock.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use netcensus::clock::SystemClock;
use netcensus::plan::app::{App, Settings};
use netcensus::plan::connections::ConnectionLimits;
use netcensus::plan::limits::Allowance;
use netcensus::plan::server;
use netcensus::plan::store::{CredentialKind, Location, Scope, Store};
use reqwest::{Method, header};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::support::databases::on_each_database;
use crate::support::service::ByName;
use crate::support::{PATIENCE, Plan, send};

on_each_database! {
    a_service_whose_database_is_away_is_not_ready_and_says_so,
}

/// A service that takes connections from the test itself, so that no time passes in a network.
struct Direct {
    connections: mpsc::Sender<DuplexStream>,
    store: Store,
    _dir: tempfile::TempDir,
}

struct Connections(mpsc::Receiver<DuplexStream>);

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 4711);

impl Listener for Connections {
    type Io = DuplexStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (DuplexStream, SocketAddr) {
        match self.0.recv().await {
            Some(connection) => (connection, PEER),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(PEER)
    }
}

async fn app(settings: Settings) -> (App, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&Location::File(dir.path().join("plan.sqlite"))).await.unwrap();
    (App::new(store, Arc::new(SystemClock), Arc::new(ByName), settings), dir)
}

impl Direct {
    /// Starts the service, and stops the clock: it runs on only while everybody waits.
    async fn start() -> Self {
        let (app, dir) = app(Settings::default()).await;
        let (connections, listener) = mpsc::channel(8);
        let store = app.store.clone();
        tokio::spawn(server::serve(Connections(listener), app, std::future::pending()));
        tokio::time::pause();
        Self { connections, store, _dir: dir }
    }

    /// A connection that holds so many bytes on the way.
    async fn connect(&self, bytes: usize) -> DuplexStream {
        let (client, server) = duplex(bytes);
        self.connections.send(server).await.unwrap();
        client
    }
}

/// Sends a byte each two seconds until the connection ends. Returns what came, and after how many seconds it ended.
async fn trickle(connection: DuplexStream) -> (String, u64) {
    let begun = Instant::now();
    let (mut read, mut write) = tokio::io::split(connection);
    let sender = async move {
        while write.write_all(b"a").await.is_ok() {
            sleep(Duration::from_secs(2)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut answer = Vec::new();
    tokio::select! {
        _ = read.read_to_end(&mut answer) => {}
        () = sender => {}
    }
    (String::from_utf8(answer).unwrap(), begun.elapsed().as_secs())
}

/// Reads one answer without a body of unknown length.
async fn answer(connection: &mut DuplexStream) -> String {
    let mut all = String::new();
    while !all.ends_with("ok\n") {
        let mut some = [0; 1_024];
        let n = connection.read(&mut some).await.unwrap();
        assert!(n > 0, "the connection ended after {all}");
        all.push_str(std::str::from_utf8(&some[..n]).unwrap());
    }
    all
}

#[tokio::test]
async fn a_head_that_comes_slowly_ends_its_connection_after_ten_seconds() {
    let service = Direct::start().await;
    let mut connection = service.connect(1 << 16).await;
    connection.write_all(b"POST /api/v1/enrol HTTP/1.1\r\nHost: x\r\nX-").await.unwrap();
    let (answer, seconds) = trickle(connection).await;
    assert_eq!((answer.as_str(), seconds), ("", 10));
}

#[tokio::test]
async fn a_connection_that_sends_nothing_ends_after_ten_seconds() {
    let service = Direct::start().await;
    let mut connection = service.connect(1 << 16).await;
    let begun = Instant::now();
    assert_eq!(connection.read(&mut [0; 16]).await.unwrap(), 0);
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn a_connection_stays_between_the_uploads_of_a_sensor_and_ends_when_it_is_idle() {
    let service = Direct::start().await;
    let mut connection = service.connect(1 << 16).await;
    for _ in 0..3 {
        connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert!(answer(&mut connection).await.starts_with("HTTP/1.1 200"));
        sleep(Duration::from_secs(60)).await;
    }
    connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    answer(&mut connection).await;
    let begun = Instant::now();
    assert_eq!(connection.read(&mut [0; 16]).await.unwrap(), 0);
    assert_eq!(begun.elapsed().as_secs(), 75);
}

#[tokio::test]
async fn a_second_head_that_comes_slowly_ends_its_connection_too() {
    let service = Direct::start().await;
    let mut connection = service.connect(1 << 16).await;
    connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    answer(&mut connection).await;
    sleep(Duration::from_secs(60)).await;
    connection.write_all(b"GET /healthz HTTP/1.1\r\nX-").await.unwrap();
    assert_eq!(trickle(connection).await, (String::new(), 10));
}

#[tokio::test]
async fn a_body_that_comes_slowly_is_told_after_thirty_seconds() {
    let service = Direct::start().await;
    let mut connection = service.connect(1 << 16).await;
    let head = "POST /api/v1/enrol HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{";
    connection.write_all(head.as_bytes()).await.unwrap();
    let (answer, seconds) = trickle(connection).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("/problems/timeout"), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("retry-after: 10"), "{answer}");
    assert_eq!(seconds, 30);
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_an_answer_is_left_after_thirty_seconds() {
    let service = Direct::start().await;
    let mut connection = service.connect(1_024).await;
    connection.write_all(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    sleep(Duration::from_secs(31)).await;
    let mut some = Vec::new();
    connection.read_to_end(&mut some).await.unwrap();
    assert!(some.starts_with(b"HTTP/1.1 200") && some.len() <= 1_024, "{}", some.len());
}

#[tokio::test]
async fn a_service_whose_writer_is_stuck_is_not_ready_and_asks_only_once_a_second() {
    let service = Direct::start().await;
    let stuck = service.store.write(Scope::Installation).await.unwrap();
    let ready = async || {
        let mut connection = service.connect(1 << 16).await;
        let request = b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        connection.write_all(request).await.unwrap();
        let (mut answer, begun) = (String::new(), Instant::now());
        connection.read_to_string(&mut answer).await.unwrap();
        (answer.starts_with("HTTP/1.1 200"), answer, begun.elapsed().as_secs())
    };
    let (good, answer, seconds) = ready().await;
    assert!(!good && answer.contains("/problems/database-unavailable") && seconds == 3, "{answer} {seconds}");
    drop(stuck);
    let (good, _, seconds) = ready().await;
    assert_eq!((good, seconds), (false, 0), "the last answer");
    sleep(Duration::from_secs(1)).await;
    tokio::time::resume();
    assert!(ready().await.0);
}

async fn a_service_whose_database_is_away_is_not_ready_and_says_so(plan: Plan) {
    let get = async |path: &str| {
        let answer =
            plan.client.get(format!("{}{path}", plan.url)).bearer_auth(&plan.token).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body: Value = answer.json().await.unwrap_or_default();
        (status, headers.contains_key(header::RETRY_AFTER), body["type"].clone())
    };
    plan.store.close().await;
    for path in ["/readyz", "/api/v1/subscriptions"] {
        assert_eq!(get(path).await, (503, true, Value::from("/problems/database-unavailable")), "{path}");
    }
    assert_eq!(get("/healthz").await.0, 200, "the process runs");
}

/// Serves on loopback with these settings, and gives the address.
async fn serve(settings: Settings) -> (SocketAddr, App, tempfile::TempDir) {
    let (app, dir) = app(settings).await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server::serve(listener, app.clone(), std::future::pending()));
    (address, app, dir)
}

/// Opens a connection and asks for `/healthz`. Gives it back with the head of the answer.
async fn connected(address: SocketAddr) -> (TcpStream, String) {
    let mut connection = TcpStream::connect(address).await.unwrap();
    // A refused connection may be closed before the request is sent.
    connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.ok();
    let mut some = [0; 1_024];
    let n = connection.read(&mut some).await.unwrap_or(0);
    (connection, String::from_utf8_lossy(&some[..n]).into_owned())
}

#[tokio::test]
async fn connections_of_one_address_beyond_its_limit_are_refused_until_others_end() {
    let of = |n| NonZeroUsize::new(n).unwrap();
    let connections = ConnectionLimits { most: of(8), of_address: of(3) };
    let (address, app, _dir) = serve(Settings { connections, ..Settings::default() }).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let (connection, answer) = connected(address).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        open.push(connection);
    }
    let (_, answer) = connected(address).await;
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.is_empty() || answer.contains("/problems/busy") && answer.contains("retry-after: 5"),
        "{answer}"
    );
    let shown = app.metrics.text().unwrap();
    assert!(shown.contains("netcensus_plan_refused_total{limit=\"connections-of-address\"} 1"), "{shown}");
    open.pop();
    let again = async { while !connected(address).await.1.starts_with("HTTP/1.1 200") {} };
    timeout(PATIENCE, again).await.unwrap();
}

#[tokio::test]
async fn a_made_up_token_gains_nothing_over_none_on_the_api_and_on_pages() {
    let of = |n| NonZeroU32::new(n).unwrap();
    // Nobody waits for the hour in which an address gets its next request.
    let allowance = Allowance { per_second: of(1), burst: of(20) };
    let (address, ..) = serve(Settings { allowance, ..Settings::default() }).await;
    let client = netcensus::tls::client().no_proxy().build().unwrap();
    let get = async |path: &str, token: String| {
        let request = client.get(format!("http://{address}{path}")).bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    };
    let mut refused = 0;
    for n in 0..200 {
        refused += usize::from(get("/api/v1/account", format!("nct_{n}")).await == 429);
    }
    assert!(refused > 100, "{refused}");
    let pages = ["/login", "/problems", "/openapi.json", "/metrics"];
    let mut statuses = Vec::new();
    for path in pages {
        statuses.push(get(path, "nct_x".to_owned()).await);
    }
    assert!(statuses.iter().filter(|status| **status == 429).count() >= 2, "{statuses:?}");
    assert_eq!(get("/healthz", "nct_x".to_owned()).await, 200, "a probe is never refused");
}

#[tokio::test]
async fn a_session_has_at_most_four_event_streams() {
    let plan = Plan::start().await;
    let session = plan.issue(CredentialKind::Session, Some("owner")).await;
    let other = plan.issue(CredentialKind::Session, Some("owner")).await;
    let events = async |session: &str| {
        let url = format!("{}/subscriptions/{}/events", plan.url, plan.sid);
        let request = plan.client.request(Method::GET, url);
        request.header(header::COOKIE, format!("netcensus={session}")).send().await.unwrap()
    };
    let mut open = Vec::new();
    for _ in 0..4 {
        let stream = events(&session).await;
        assert_eq!(stream.status(), 200);
        open.push(stream);
    }
    let refused = events(&session).await;
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key(header::RETRY_AFTER));
    assert_eq!(events(&other).await.status(), 200, "another session has its own");
    open.pop();
    let again = async { while events(&session).await.status() != 200 {} };
    timeout(PATIENCE, again).await.unwrap();
    // The pages of the session are not affected.
    let page = plan.client.get(&plan.url).header(header::COOKIE, format!("netcensus={session}"));
    assert!(!send(page).await.status.is_server_error());
}
