//! What the databases themselves guarantee: constraints, backups, several services on one database.

use std::process::Command;

use netcensus::census::Timestamp;
use netcensus::plan::app::news;
use netcensus::plan::store::audit::Entry;
use netcensus::plan::store::engine::sql;
use netcensus::plan::store::{By, Heard, Location, Scope, Store};
use netcensus::plan::tls::{Own, Source};
use netcensus::wire::{EnrolmentToken, SubscriptionId};
use serde_json::{Value, json};

use crate::support::databases::Backend::Postgres;
use crate::support::databases::on_each_database;
use crate::support::program::{Process, program_at};
use crate::support::{HOUR, Plan, START, Seen, databases, send, upload};

on_each_database! {
    the_database_refuses_plans_with_numbers_or_ends_that_no_plan_has,
    the_database_refuses_plans_that_overlap_by_a_nanosecond,
    a_booking_that_is_withdrawn_frees_its_time,
    the_hashes_of_the_audit_trail_are_a_chain,
    the_database_only_adds_to_the_audit_trail,
    a_backup_restores_everything_into_an_empty_database,
    a_backup_overwrites_no_file_and_is_restored_over_no_data,
}

/// A row of the table of plans; times are nanoseconds.
#[derive(Clone, Copy)]
struct Row {
    number: i64,
    kind: &'static str,
    committed: Option<i64>,
    from: i64,
    to: Option<i64>,
    cancelled: Option<i64>,
}

const MONTHLY: Row =
    Row { number: 1, kind: "monthly", committed: Some(100), from: 0, to: None, cancelled: None };
const TRIAL: Row = Row { kind: "trial", committed: None, to: Some(HOUR), ..MONTHLY };
/// Cancelled after an hour, with an hour's notice.
const CANCELLED: Row = Row { kind: "annual", to: Some(2 * HOUR), cancelled: Some(HOUR), ..MONTHLY };

/// Says whether the database takes the row.
async fn inserts(plan: &Plan, sid: &SubscriptionId, row: Row) -> bool {
    let text = "INSERT INTO plan (subscription, number, kind, committed, accepted_terms_at, from_at, to_at,
                                  cancelled_at, changed_at)
                VALUES ($1, $2, $3, $4, 0, $5, $6, $7, 0)";
    let query = sql(text).bind(sid).bind(row.number).bind(row.kind).bind(row.committed);
    plan.execute_for(sid, query.bind(row.from).bind(row.to).bind(row.cancelled)).await
}

async fn the_database_refuses_plans_with_numbers_or_ends_that_no_plan_has(plan: Plan) {
    let sid = plan.subscription("other", None).await;
    for (why, row) in [
        ("not a multiple of 100", Row { committed: Some(1650), ..MONTHLY }),
        ("no number", Row { committed: None, ..MONTHLY }),
        ("a number for a trial", Row { committed: Some(100), ..TRIAL }),
        ("a trial without an end", Row { to: None, ..TRIAL }),
        ("a trial of more than 30 days", Row { to: Some(721 * HOUR), ..TRIAL }),
        ("more than an hour's notice", Row { to: Some(9 * HOUR), ..CANCELLED }),
    ] {
        assert!(!inserts(&plan, &sid, row).await, "{why}");
    }
    assert!(inserts(&plan, &sid, CANCELLED).await);
}

/// Keeps plan 1, which was cancelled.
const KEEP: &str = "UPDATE plan SET to_at = NULL, cancelled_at = NULL WHERE number = 1 AND subscription = $1";

async fn the_database_refuses_plans_that_overlap_by_a_nanosecond(plan: Plan) {
    let sid = plan.subscription("other", None).await;
    assert!(inserts(&plan, &sid, CANCELLED).await);
    assert!(!inserts(&plan, &sid, Row { number: 2, from: 2 * HOUR - 1, ..MONTHLY }).await);
    assert!(inserts(&plan, &sid, Row { number: 2, from: 2 * HOUR, ..MONTHLY }).await);
    assert!(!plan.execute_for(&sid, sql(KEEP).bind(&sid)).await, "by an update either");
}

async fn a_booking_that_is_withdrawn_frees_its_time(plan: Plan) {
    let sid = plan.subscription("other", None).await;
    assert!(inserts(&plan, &sid, CANCELLED).await);
    assert!(inserts(&plan, &sid, Row { number: 2, from: 2 * HOUR, ..MONTHLY }).await);
    let withdraw = "UPDATE plan SET to_at = from_at, withdrawn_at = from_at - 1
                    WHERE number = 2 AND subscription = $1";
    assert!(plan.execute_for(&sid, sql(withdraw).bind(&sid)).await);
    assert!(plan.execute_for(&sid, sql(KEEP).bind(&sid)).await);
    let third = Row { number: 3, from: 3 * HOUR, ..MONTHLY };
    assert!(!inserts(&plan, &sid, third).await, "the plan that was kept lasts");
    for edit in [
        "UPDATE plan SET committed = 200 WHERE subscription = $1",
        "UPDATE plan SET from_at = from_at + 1 WHERE subscription = $1",
        "UPDATE plan SET withdrawn_at = from_at + 1 WHERE number = 2 AND subscription = $1",
        "UPDATE plan SET cancelled_at = 5, to_at = 6 WHERE number = 1 AND subscription = $1",
        "DELETE FROM plan WHERE subscription = $1",
    ] {
        assert!(!plan.execute_for(&sid, sql(edit).bind(&sid)).await, "{edit}");
    }
}

/// Adds a row to the audit trail.
async fn audit(plan: &Plan, by: &By, object: &str, after: Option<Value>) {
    let mut work = plan.store.write(Scope::Subscription(&plan.sid)).await.unwrap();
    let entry = Entry { action: "test", object: object.to_owned(), after, ..Entry::default() };
    work.audit(Some(&plan.sid), by, entry, plan.now()).await.unwrap();
    work.finish(by).await.unwrap();
}

async fn the_hashes_of_the_audit_trail_are_a_chain(plan: Plan) {
    for (number, reason) in [(1, None), (2, Some("moved")), (3, None)] {
        let by = By { reason: reason.map(str::to_owned), ..By::person("owner") };
        audit(&plan, &by, "thing/1", Some(json!({"number": number, "text": "\u{202e}<b>"}))).await;
    }
    audit(&plan, &By { dry_run: true, ..By::operator() }, "thing/2", None).await;
    let mut trail = plan.trail().await;
    trail.reverse();
    assert_eq!(trail.iter().filter(|e| e.action == "test").count(), 3, "a dry run leaves nothing");
    let mut previous = [0; 32];
    for entry in &trail {
        assert_eq!(entry.expected_hash(plan.sid.as_str(), &previous), entry.hash);
        previous = entry.hash;
    }
}

async fn the_database_only_adds_to_the_audit_trail(plan: Plan) {
    audit(&plan, &By::operator(), "thing/1", None).await;
    plan.assert_database_refuses(&["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"]).await;
}

async fn a_backup_restores_everything_into_an_empty_database(plan: Plan) {
    let sensor = plan.ready().await;
    Seen::default().arp("02:00:00:00:00:01", "10.0.0.1", "iot-1").send(&plan, &sensor, 1, "hq").await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup");
    plan.store.backup(&file).await.unwrap();
    let restored = Store::restore(&file, &databases::fresh(plan.backend, dir.path())).await.unwrap();
    let facts = restored.inventory(&plan.sid).await.unwrap();
    assert_eq!(facts, plan.store.inventory(&plan.sid).await.unwrap());
    assert_eq!(restored.plans(&plan.sid).await.unwrap(), plan.store.plans(&plan.sid).await.unwrap());
}

async fn a_backup_overwrites_no_file_and_is_restored_over_no_data(plan: Plan) {
    plan.onboard_trial().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup");
    plan.store.backup(&file).await.unwrap();
    let over = plan.store.backup(&file).await.unwrap_err().to_string();
    assert!(over.contains("is not empty"), "{over}");
    let place = databases::fresh(plan.backend, dir.path());
    Store::restore(&file, &place).await.unwrap().close().await;
    let again = Store::restore(&file, &place).await.unwrap_err().to_string();
    assert!(again.contains("is not empty"), "{again}");
}

#[tokio::test]
async fn two_services_on_one_database_give_the_same_answers() {
    let plan = Plan::start_on(Postgres).await;
    let second = plan.second().await;
    let sensor = plan.ready().await;
    let path = format!("/api/v1/subscriptions/{}/inventory", plan.sid);
    let ask = async |url: &str| -> Value {
        send(plan.client.get(format!("{url}{path}")).bearer_auth(&plan.token)).await.succeeds(200)
    };
    assert_eq!(ask(&plan.url).await, ask(&second).await);
    for n in 1..=9_u64 {
        let (mac, ip) = (format!("02:00:00:00:00:0{n}"), format!("10.0.0.{n}"));
        let seen = upload(n, "hq", &[(&mac, &ip, "iot-1", START)]);
        // They take turns; the one that did not store the upload is asked first.
        let (to, other) = if n % 2 == 0 { (&plan.url, &second) } else { (&second, &plan.url) };
        let url = format!("{to}/api/v1/subscriptions/{}/sensors/{}/uploads", plan.sid, sensor.id);
        send(sensor.upload(plan.client.post(url), seen.encode().unwrap())).await.succeeds(201);
        let seen = ask(other).await;
        assert_eq!(seen["devices"].as_array().unwrap().len() as u64, n);
        assert_eq!(seen, ask(to).await);
    }
}

#[tokio::test]
async fn a_service_hears_at_once_what_another_one_on_its_database_wrote() {
    let plan = Plan::start_on(Postgres).await;
    let (sensor, second, stranger) = (plan.ready().await, plan.another().await, plan.another().await);
    let inventories = second.inventories().unwrap();
    let mut changes = inventories.changes(&plan.sid);
    inventories.look(&plan.sid).await.unwrap();
    let mut news = second.store.news().await.unwrap().unwrap();
    let following = tokio::spawn(news::follow(second.clone()));
    changes.mark_unchanged();
    let before = second.hearing.look_every();
    while second.hearing.look_every() == before {
        tokio::task::yield_now().await;
    }
    Seen::default().arp("02:00:00:00:00:01", "10.0.0.1", "iot-1").send(&plan, &sensor, 1, "hq").await;
    let heard = news.next().await.unwrap();
    assert_eq!(heard, Heard::Changed(plan.sid.clone()));
    // Nobody asked the second service for anything: it took the facts by itself.
    changes.changed().await.unwrap();
    let facts = plan.store.inventory(&plan.sid).await.unwrap();
    assert!(facts.zones.contains_key("hq"));
    assert!(stranger.inventories().unwrap().loaded().is_empty(), "who holds no facts has nothing to do");
    second.stopping.send_replace(true);
    following.await.unwrap();
}

#[tokio::test]
async fn one_service_at_a_time_does_the_jobs_of_a_database() {
    let plan = Plan::start_on(Postgres).await;
    let other = plan.another().await.store.clone();
    let turn = plan.store.turn("seal_days").await.unwrap();
    assert!(turn.is_some());
    assert!(other.turn("seal_days").await.unwrap().is_none(), "another service is at it");
    assert!(other.turn("prune_receipts").await.unwrap().is_some(), "other work has another turn");
    drop(turn);
    let again = async {
        while other.turn("seal_days").await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    };
    again.await;
}

#[test]
fn a_location_never_shows_a_password() {
    let place = "postgresql://plan:secret@db.example/plan".parse::<Location>().unwrap();
    assert_eq!(place.to_string(), "postgresql://…@db.example/plan");
    assert_eq!("/var/lib/plan.sqlite".parse::<Location>().unwrap().to_string(), "/var/lib/plan.sqlite");
}

#[tokio::test]
async fn while_a_postgresql_server_is_away_clients_are_told_to_come_again() {
    let dir = tempfile::tempdir().unwrap();
    // Held until the test ends: the server runs as long as somebody uses it.
    let users = std::fs::File::create(dir.path().join("users")).unwrap();
    users.lock_shared().unwrap();
    let mut launcher = Command::new(databases::SCRIPT);
    launcher.arg(dir.path());
    let mut server = databases::start_server(launcher, dir.path());
    let socket = std::fs::read_to_string(dir.path().join("ready")).unwrap();
    let url = format!("postgresql:///postgres?host={}&user=postgres", socket.trim());
    let database = Location::Server(url);
    let command = |arguments: &[&str]| program_at(&database, START, arguments).output().unwrap();
    let unmade = command(&["subscription", "list"]);
    let said = String::from_utf8(unmade.stderr).unwrap();
    assert!(unmade.status.code() == Some(69) && said.contains("there is no database at"), "{said}");
    let service = Process::start(program_at(&database, START, &["serve", "--listen", "127.0.0.1:0"]));
    assert!(command(&["subscription", "create", "Contoso"]).status.success());
    let token = String::from_utf8(command(&["sensor", "token"]).stdout).unwrap();
    let token: EnrolmentToken = token.trim().parse().unwrap();
    assert_eq!(token.url, service.url, "the address of the service beside it");
    Command::new("kill").arg(server.id().to_string()).status().unwrap();
    server.wait().unwrap();
    for path in ["/login", "/readyz", "/api/v1/subscriptions"] {
        let request =
            netcensus::tls::client().no_proxy().build().unwrap().get(format!("{}{path}", service.url));
        let answer = request.bearer_auth("nct_x").send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["retry-after"].as_bytes()),
            (503, &b"5"[..]),
            "{path}"
        );
    }
    let away = command(&["subscription", "list"]);
    let said = String::from_utf8(away.stderr).unwrap();
    assert!(away.status.code() == Some(69) && said.contains(socket.trim()), "{said}");
    assert!(said.contains("is unavailable") && said.contains("check that PostgreSQL runs there"), "{said}");
    service.kill();
}

#[tokio::test]
async fn a_postgresql_server_on_a_network_is_reached_by_tls_with_a_certificate_for_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let pem = dir.path().join("tls.pem");
    let now = Timestamp::from_secs(1_795_000_000);
    Source::Own(Own { file: pem.clone(), names: vec!["localhost".into()], now }).pin().unwrap();
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    // Held until the test ends: the server runs as long as somebody uses it.
    let users = std::fs::File::create(dir.path().join("users")).unwrap();
    users.lock_shared().unwrap();
    let mut launcher = Command::new(databases::SCRIPT);
    launcher.arg(dir.path()).arg("-clisten_addresses=127.0.0.1").env("PGPORT", port.to_string());
    let mut server = databases::start_server(launcher, dir.path());
    let open = async |host: &str, rest: &str| {
        let url = format!("postgresql://postgres@{host}:{port}/postgres?sslmode=verify-full{rest}");
        Store::open(&Location::Server(url)).await
    };
    let refusal = async |host: &str, rest: &str| {
        open(host, rest).await.map(drop).unwrap_err().to_string().to_lowercase()
    };
    let authority = format!("&sslrootcert={}", pem.display());
    let store = open("localhost", &authority).await.unwrap();
    let query = sql("SELECT ssl::int::bigint AS ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    assert!(store.row(query).await.unwrap().unwrap().truth("ssl").unwrap());
    store.close().await;
    let other = refusal("127.0.0.1", &authority).await;
    assert!(other.contains("certificate"), "another name: {other}");
    let stranger = refusal("localhost", "").await;
    assert!(stranger.contains("certificate"), "an unknown authority: {stranger}");
    Command::new("kill").arg(server.id().to_string()).status().unwrap();
    server.wait().unwrap();
}
