//! What both stores hold, whatever the code above them does: constraints, backups, several services on one database.

use std::process::{Command, Stdio};

use netcensus::census::Timestamp;
use netcensus::plan::store::audit::Entry;
use netcensus::plan::store::engine::sql;
use netcensus::plan::store::trail::TrailFilter;
use netcensus::plan::store::{By, Location, Scope, Store};
use netcensus::plan::tls::{Own, Source};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::database::{self, Backend, on_both_stores};
use crate::harness::{Plan, send, upload};

const HOUR: i64 = 3_600_000_000_000;

on_both_stores! {
    async fn the_database_itself_refuses_plans_that_break_the_rules(plan: Plan) {
        let sid = plan.store.create_subscription("other", None, &By::operator(), Timestamp(0)).await.unwrap().id;
        let try_it = async |query: netcensus::plan::store::engine::Query| {
            let mut work = plan.store.write(Scope::Subscription(&sid)).await.unwrap();
            match work.execute(query).await {
                Ok(_) => work.commit().await.is_ok(),
                Err(_) => false,
            }
        };
        let insert = async |number: i64,
                            kind: &str,
                            committed: Option<i64>,
                            from: i64,
                            to: Option<i64>,
                            cancelled: Option<i64>| {
            let text = "INSERT INTO plan (subscription, number, kind, committed, accepted_terms_at, from_at, to_at, cancelled_at, changed_at)
                        VALUES ($1, $2, $3, $4, 0, $5, $6, $7, 0)";
            let query = sql(text).bind(&sid).bind(number).bind(kind).bind(committed);
            try_it(query.bind(from).bind(to).bind(cancelled)).await
        };
        assert!(!insert(1, "monthly", Some(1650), 0, None, None).await, "no multiple of 100");
        assert!(!insert(1, "monthly", None, 0, None, None).await, "no number");
        assert!(!insert(1, "trial", Some(100), 0, Some(HOUR), None).await, "a number for a trial");
        assert!(!insert(1, "trial", None, 0, None, None).await, "a trial without an end");
        assert!(!insert(1, "trial", None, 0, Some(721 * HOUR), None).await, "a trial of more than 30 days");
        let late = insert(1, "annual", Some(100), 0, Some(9 * HOUR), Some(HOUR)).await;
        assert!(!late, "more than an hour's notice");
        assert!(insert(1, "annual", Some(100), 0, Some(2 * HOUR), Some(HOUR)).await);
        let overlap = insert(2, "monthly", Some(100), 2 * HOUR - 1, None, None).await;
        assert!(!overlap, "an overlap of a nanosecond");
        assert!(insert(2, "monthly", Some(100), 2 * HOUR, None, None).await);
        let widen = "UPDATE plan SET to_at = NULL, cancelled_at = NULL WHERE number = 1 AND subscription = $1";
        assert!(!try_it(sql(widen).bind(&sid)).await, "an update that overlaps");
        // A booking that is withdrawn gives its time free, and takes none.
        let keep = "UPDATE plan SET to_at = NULL, cancelled_at = NULL WHERE number = 1 AND subscription = $1";
        let withdraw = "UPDATE plan SET to_at = from_at, withdrawn_at = from_at - 1 WHERE number = 2 AND subscription = $1";
        assert!(try_it(sql(withdraw).bind(&sid)).await && try_it(sql(keep).bind(&sid)).await);
        assert!(!insert(3, "monthly", Some(100), 3 * HOUR, None, None).await, "the plan that was kept is there");
        for edit in [
            "UPDATE plan SET committed = 200 WHERE subscription = $1",
            "UPDATE plan SET from_at = from_at + 1 WHERE subscription = $1",
            "UPDATE plan SET withdrawn_at = from_at + 1 WHERE number = 2 AND subscription = $1",
            "UPDATE plan SET cancelled_at = 5, to_at = 6 WHERE number = 1 AND subscription = $1",
            "DELETE FROM plan WHERE subscription = $1",
        ] {
            assert!(!try_it(sql(edit).bind(&sid)).await, "{edit}");
        }
    }

    async fn the_audit_trail_is_only_ever_added_to_and_its_hashes_are_a_chain(plan: Plan) {
        let now = plan.clock_now();
        for (number, reason) in [(1, None), (2, Some("moved")), (3, None)] {
            let mut work = plan.store.write(Scope::Subscription(&plan.sid)).await.unwrap();
            let by = By { reason: reason.map(str::to_owned), ..By::person("owner") };
            let after = Some(json!({"number": number, "text": "\u{202e}<b>"}));
            let entry = Entry { action: "test", object: "thing/1".into(), after, ..Entry::default() };
            work.audit(Some(&plan.sid), &by, entry, now).await.unwrap();
            work.finish(&by).await.unwrap();
        }
        let tried = By { dry_run: true, ..By::operator() };
        let mut work = plan.store.write(Scope::Subscription(&plan.sid)).await.unwrap();
        let entry = Entry { action: "test", object: "thing/2".into(), ..Entry::default() };
        work.audit(Some(&plan.sid), &tried, entry, now).await.unwrap();
        work.finish(&tried).await.unwrap();
        let mut trail = plan.store.trail(Some(&plan.sid), &TrailFilter::default(), 100).await.unwrap();
        trail.reverse();
        assert!(trail.iter().filter(|e| e.action == "test").count() == 3, "a dry run leaves nothing");
        let mut previous = [0; 32];
        for entry in &trail {
            assert_eq!(entry.expected_hash(&plan.sid, &previous), entry.hash);
            previous = entry.hash;
        }
        for change in ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"] {
            let mut work = plan.store.write(Scope::Subscription(&plan.sid)).await.unwrap();
            assert!(work.execute(sql(change)).await.is_err(), "{change}");
        }
    }

    async fn a_backup_restores_everything_into_an_empty_place_and_nowhere_else(plan: Plan) {
        plan.onboard_trial().await;
        let sensor = plan.enrol().await;
        let seen = upload(1, "hq", &[("02:00:00:00:00:01", "10.0.0.1", "iot-1", crate::harness::START)]);
        assert_eq!(plan.upload(&sensor, &seen).await.0, StatusCode::CREATED);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("backup");
        plan.store.backup(&file).await.unwrap();
        let over = plan.store.backup(&file).await.unwrap_err().to_string();
        assert!(over.contains("holds something already"), "{over}");
        let backend = if plan.store.is_shared() { Backend::Postgres } else { Backend::Sqlite };
        let place = database::fresh(backend, dir.path());
        let restored = Store::restore(&file, &place).await.unwrap();
        let facts = restored.inventory(&plan.sid).await.unwrap();
        assert_eq!(facts, plan.store.inventory(&plan.sid).await.unwrap());
        assert_eq!(restored.plans(&plan.sid).await.unwrap(), plan.store.plans(&plan.sid).await.unwrap());
        restored.close().await;
        let again = Store::restore(&file, &place).await.unwrap_err().to_string();
        assert!(again.contains("holds something already"), "{again}");
    }
}

#[tokio::test]
async fn two_services_on_one_database_give_the_same_answers() {
    let plan = Plan::start_on(Backend::Postgres).await;
    let second = plan.second().await;
    plan.onboard_trial().await;
    let sensor = plan.enrol().await;
    let path = format!("/api/v1/subscriptions/{}/inventory", plan.sid);
    let ask = async |url: &str| -> Value {
        let answer = send(plan.client.get(format!("{url}{path}")).bearer_auth(&plan.token)).await;
        assert_eq!(answer.0, StatusCode::OK, "{}", answer.1);
        answer.1
    };
    assert_eq!(ask(&plan.url).await, ask(&second).await);
    for n in 1..=9_u64 {
        let (mac, ip) = (format!("02:00:00:00:00:0{n}"), format!("10.0.0.{n}"));
        let seen = upload(n, "hq", &[(&mac, &ip, "iot-1", crate::harness::START)]);
        // They take turns in storing, and the one that did not store is asked first.
        let (to, other) = if n % 2 == 0 { (&plan.url, &second) } else { (&second, &plan.url) };
        let url = format!("{to}/api/v1/subscriptions/{}/sensors/{}/uploads", plan.sid, sensor.id);
        let answer = send(sensor.upload(plan.client.post(url), seen.encode().unwrap())).await;
        assert_eq!(answer.0, StatusCode::CREATED, "{}", answer.1);
        let seen = ask(other).await;
        assert_eq!(
            seen.get("devices").and_then(Value::as_array).map(Vec::len),
            Some(usize::try_from(n).unwrap())
        );
        assert_eq!(seen, ask(to).await);
    }
}

#[test]
fn a_location_never_shows_a_password() {
    let place = Location::from("postgresql://plan:secret@db.example/plan".to_owned());
    assert_eq!(place.to_string(), "postgresql://…@db.example/plan");
    assert_eq!(Location::from("/var/lib/plan.sqlite".to_owned()).to_string(), "/var/lib/plan.sqlite");
}

#[tokio::test]
async fn a_server_of_postgresql_on_a_network_is_reached_by_tls_with_a_certificate_for_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let pem = dir.path().join("tls.pem");
    let now = Timestamp::from_secs(1_795_000_000);
    Source::Own(Own { file: pem.clone(), names: vec!["localhost".into()], now }).pin().unwrap();
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    // Nobody else uses this server, so it is gone some seconds after this test.
    let mut server = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plan/postgres.sh"))
        .arg(dir.path())
        .arg("-clisten_addresses=127.0.0.1")
        .env("PGPORT", port.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..1_200 {
        if dir.path().join("ready").exists() || server.try_wait().unwrap().is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let open = async |host: &str, rest: &str| {
        let url = format!("postgresql://postgres@{host}:{port}/postgres?sslrootcert={}{rest}", pem.display());
        Store::open(&Location::Server(url)).await
    };
    let store = open("localhost", "&sslmode=verify-full").await.unwrap();
    let row = store
        .row(sql("SELECT ssl::int::bigint AS ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
        .await
        .unwrap()
        .unwrap();
    assert!(row.truth("ssl").unwrap());
    store.close().await;
    let other = open("127.0.0.1", "&sslmode=verify-full").await.map(drop).unwrap_err().to_string();
    assert!(other.to_lowercase().contains("certificate"), "another name: {other}");
    let url = format!("postgresql://postgres@localhost:{port}/postgres?sslmode=verify-full");
    let stranger = Store::open(&Location::Server(url)).await.map(drop).unwrap_err().to_string();
    assert!(stranger.to_lowercase().contains("certificate"), "no authority vouches for it: {stranger}");
    Command::new("kill").arg(server.id().to_string()).status().unwrap();
    server.wait().unwrap();
}
