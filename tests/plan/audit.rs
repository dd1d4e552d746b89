//! The audit trail: every write of the API leaves exactly one row, a dry run leaves none, and denials are recorded too.

use std::collections::BTreeSet;

use netcensus::census::Field;
use netcensus::census::conduct::DeedKind;
use netcensus::plan::http::api;
use netcensus::plan::http::guard::{Access, operations};
use netcensus::plan::permission::{Action, Role};
use netcensus::plan::store::engine::{Query, sql};
use netcensus::plan::store::trail::{BrokenTrail, VerifiedTrail};
use netcensus::plan::store::{CredentialKind, NewToken};
use reqwest::{Method, RequestBuilder, header};
use serde_json::{Value, json};

use crate::notices::pending_address;
use crate::support::answers::each;
use crate::support::databases::on_each_database;
use crate::support::people::PASSWORD;
use crate::support::sensors::new_public_key;
use crate::support::service::monthly;
use crate::support::{Plan, Seen, send};

on_each_database! {
    every_write_of_the_api_adds_exactly_one_row_and_a_dry_run_none,
    a_denied_write_is_recorded_once_a_minute_for_each_person,
    a_denied_look_is_not_recorded,
    a_denial_outside_subscriptions_is_in_the_trail_of_the_installation,
    the_trail_is_read_by_pages,
    the_trail_is_filtered,
    the_trail_is_exported_whole_one_entry_a_line,
    an_unbroken_trail_is_verified_up_to_its_head,
    a_trail_that_lost_its_newest_row_is_found_by_the_head_that_was_seen,
    a_trail_that_lost_a_row_which_a_snapshot_anchors_is_found_without_a_seen_head,
    a_trail_that_was_tampered_with_names_its_first_broken_row,
}

/// A write that succeeds.
struct Recipe {
    method: Method,
    /// The path, with its parameters in braces.
    path: String,
    /// The values of the parameters other than the subscription.
    values: Vec<String>,
    body: Value,
    /// Whether a global admin does it, and not the owner.
    admin: bool,
    /// Whether it takes the `ETag` of what it changes.
    tagged: bool,
    /// The time at which it is done, and the path that is read just before.
    later: Option<(&'static str, &'static str)>,
    /// A query, and a file that is sent instead of the body.
    file: Option<(&'static str, &'static str)>,
}

/// A write to a path below `/api/v1`.
fn api_write(method: Method, path: &str, values: &[&str], body: Value) -> Recipe {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    let path = format!("/api/v1{path}");
    Recipe { method, path, values, body, admin: false, tagged: false, later: None, file: None }
}

/// A write to a path below the subscription.
fn write(method: Method, path: &str, values: &[&str], body: Value) -> Recipe {
    api_write(method, &format!("/subscriptions/{{sid}}{path}"), values, body)
}

impl Recipe {
    fn by_admin(self) -> Self {
        Self { admin: true, ..self }
    }

    fn with_tag(self) -> Self {
        Self { tagged: true, ..self }
    }

    /// In December, after a look at this path.
    fn in_december(self, look: &'static str) -> Self {
        Self { later: Some(("2026-12-05T09:00:00Z", look)), ..self }
    }

    fn of_file(self, query: &'static str, file: &'static str) -> Self {
        Self { file: Some((query, file)), ..self }
    }

    fn url(&self, plan: &Plan) -> String {
        let mut values = self.values.iter();
        let parts = self.path.split('/').map(|part| match part {
            "{sid}" => plan.sid.to_string(),
            part if part.starts_with('{') => values.next().unwrap().clone(),
            part => part.to_owned(),
        });
        format!("{}{}", plan.url, parts.collect::<Vec<_>>().join("/"))
    }

    /// The request, with a reason and a request id.
    fn request(&self, plan: &Plan, token: &str, tag: Option<&str>, dry_run: bool) -> RequestBuilder {
        let more = self.file.map_or("", |(query, _)| query);
        let url = format!("{}?dry_run={dry_run}{more}", self.url(plan));
        let mut request = plan.client.request(self.method.clone(), url).bearer_auth(token);
        if let Some(tag) = tag {
            request = request.header(header::IF_MATCH, tag);
        }
        let request = request.header("x-reason", "übung").header("x-request-id", "r-1");
        match self.file {
            Some((_, file)) => request.body(file),
            None => request.json(&self.body),
        }
    }
}

const A: &str = "00:40:8c:00:00:0a";
const B: &str = "00:40:8c:00:00:0b";

/// Six devices in one zone, and one in another: the first has two cards, which LLDP ties, and an address of the last, which has an alert. Then their plan ends.
async fn prepare(plan: &Plan) -> (String, String) {
    let sensor = plan.ready().await;
    let seen = Seen::default().arp(A, "10.0.0.1", "network-a").arp(B, "10.0.0.2", "network-b");
    let seen = seen.station(A, Field::LldpChassisId, "7:78").station(B, Field::LldpChassisId, "7:78");
    let seen = seen.arp("00:40:8c:00:00:0c", "10.0.0.3", "iot-c");
    let seen = seen.arp("00:40:8c:00:00:0d", "10.0.0.4", "iot-d");
    let seen = seen.arp("00:40:8c:00:00:0e", "10.0.0.5", "iot-e");
    let seen = seen.arp("00:40:8c:00:00:0f", "10.0.0.6", "iot-f").arp(A, "10.0.0.6", "");
    let seen = seen.did("00:40:8c:00:00:0f", "10.0.0.6", DeedKind::Mines, None, "stratum");
    seen.send(plan, &sensor, 1, "hq").await;
    Seen::default().arp("00:40:8c:00:00:10", "10.0.0.7", "iot-g").send(plan, &sensor, 2, "branch").await;
    let alert = plan.get("/alerts").await["alerts"][0]["id"].as_str().unwrap().to_owned();
    plan.post("/plan/cancel", Value::Null).await.succeeds(200);
    plan.set_time("2026-11-22T12:00:00Z");
    (sensor.id.to_string(), alert)
}

/// A write of every operation that changes something, in an order in which each succeeds.
async fn recipes(plan: &Plan) -> Vec<Recipe> {
    use Method as M;
    let session = plan.store.issue(CredentialKind::Session, Some("owner"), plan.now()).await.unwrap().id;
    let (token, _) = plan.create_token("owner", NewToken::default()).await;
    pending_address(plan, "owner", "a code").await;
    let (sensor, alert) = prepare(plan).await;
    let id = async |ip: &str| {
        let found = plan.get(&format!("/devices?q={ip}")).await;
        found["devices"][0]["id"].as_str().unwrap().to_owned()
    };
    let [tied, c, d, e] =
        [id("10.0.0.1").await, id("10.0.0.3").await, id("10.0.0.4").await, id("10.0.0.5").await];
    let finding = plan.get("/findings").await["findings"][0]["id"].as_str().unwrap().to_owned();
    let secret = plan.enrolment_token().await.secret;
    let enrol = json!({"secret": secret, "name": "edge-2", "public_key": new_public_key()});
    let person = json!({"name": "new", "password": PASSWORD});
    let password = json!({"current": PASSWORD, "new": "another long password"});
    let price = json!({"currency": "EUR", "micros": 1_000_000});
    let split = json!({"couplings": [{"mac": B, "ip": "10.0.0.2"}]});
    let import = json!({"source": "s", "entries": [{"mac": A}]});
    let view = json!({"filter": "q=iot"});
    let columns = json!({"columns": {"mac": ["Kennung"]}});
    let signature = "0".repeat(64);
    let mute = json!({"filter": {"zone": "hq"}, "reason": "übung", "until": "2026-11-24T00:00:00Z"});
    let correction = json!({"line": 2, "committed": 300, "reason": "übung"});
    vec![
        api_write(M::DELETE, "/account/sessions/{id}", &[&session], Value::Null),
        api_write(M::PATCH, "/account/notices", &[], json!({"choices": {"trial_ends": "off"}})),
        api_write(M::POST, "/account/notices/confirm", &[], json!({"code": "a code"})),
        api_write(M::POST, "/account/password", &[], password),
        api_write(M::POST, "/account/tokens", &[], json!({"name": "new"})),
        api_write(M::DELETE, "/account/tokens/{id}", &[&token], Value::Null),
        api_write(M::POST, "/enrol", &[], enrol),
        api_write(M::POST, "/people", &[], person).by_admin(),
        api_write(
            M::POST,
            "/people/{person}/password",
            &["new"],
            json!({"password": "another long password"}),
        )
        .by_admin(),
        api_write(
            M::POST,
            "/people/{person}/relink",
            &["new"],
            json!({"issuer": "https://id.example", "subject": "1"}),
        )
        .by_admin(),
        api_write(M::POST, "/people/{person}/invitation", &["new"], Value::Null).by_admin(),
        api_write(M::POST, "/people/{person}/disable", &["new"], Value::Null).by_admin(),
        api_write(M::POST, "/people/{person}/enable", &["new"], Value::Null).by_admin(),
        api_write(M::POST, "/subscriptions", &[], json!({"name": "Fabrikam"})).by_admin(),
        write(M::PATCH, "", &[], json!({"name": "Contoso Ltd"})).by_admin().with_tag(),
        write(M::POST, "/plan", &[], monthly(100)),
        write(M::POST, "/plan/cancel", &[], Value::Null),
        write(M::POST, "/plan/cancel/withdraw", &[], Value::Null),
        write(M::POST, "/plan/replace", &[], monthly(200)),
        write(M::PUT, "/estimate/mappings/{signature}", &[&signature], columns),
        write(M::DELETE, "/estimate/mappings/{signature}", &[&signature], Value::Null).with_tag(),
        write(M::POST, "/prices", &[], price).by_admin(),
        write(M::POST, "/devices/edit", &[], json!({"ids": [c], "set": {"name": "x"}})),
        write(M::POST, "/changes/{number}/undo", &["1"], Value::Null),
        write(M::POST, "/alerts/{id}/state", &[&alert], json!({"state": "closed", "note": "übung"})),
        write(M::POST, "/alerts/changes/{number}/undo", &["1"], Value::Null),
        write(M::POST, "/alerts/change", &[], json!({"alerts": [alert], "decide": {"state": "active"}})),
        write(M::POST, "/mutes", &[], mute),
        write(M::DELETE, "/mutes/{number}", &["1"], Value::Null),
        write(M::POST, "/feeds/{name}", &["drop"], Value::Null).of_file("", "203.0.113.7\n"),
        write(M::DELETE, "/feeds/{name}", &["drop"], Value::Null),
        write(M::POST, "/findings/{id}/close", &[&finding], json!({"note": "übung"})),
        write(M::POST, "/findings/{id}/reopen", &[&finding], json!({})),
        write(M::PATCH, "/devices/{id}", &[&d], json!({"name": "y"})).with_tag(),
        write(M::POST, "/devices/{id}/split", &[&tied], split),
        write(M::POST, "/devices/merge", &[], json!({"ids": [c, d]})),
        write(M::DELETE, "/devices/{id}", &[&e], Value::Null).with_tag(),
        write(M::POST, "/zones/rename", &[], json!({"zone": "branch", "name": "Zug"})),
        write(M::POST, "/zones/merge", &[], json!({"zone": "Zug", "into": "hq"})),
        write(M::POST, "/managed/import", &[], import),
        write(M::POST, "/managed/import/file", &[], Value::Null)
            .of_file("&source=f&all=true", "mac\n00:40:8c:00:00:0c\n"),
        write(M::DELETE, "/managed/{source}", &["s"], Value::Null),
        write(M::PUT, "/views/own/{name}", &["mine"], view.clone()),
        write(M::DELETE, "/views/own/{name}", &["mine"], Value::Null),
        write(M::PUT, "/views/shared/{name}", &["ours"], view),
        write(M::DELETE, "/views/shared/{name}", &["ours"], Value::Null),
        write(M::PUT, "/roles/{person}", &["new"], json!({"role": "R"})),
        write(M::DELETE, "/roles/{person}", &["new"], Value::Null).with_tag(),
        write(M::POST, "/admin-grants/seen", &[], Value::Null),
        write(M::POST, "/sensors/tokens", &[], Value::Null),
        write(M::PATCH, "/sensors/{sensor}", &[&sensor], json!({"name": "edge-9"})).with_tag(),
        write(M::POST, "/sensors/{sensor}/revoke", &[&sensor], Value::Null),
        write(M::POST, "/snapshots/{day}", &["2026-11-22"], Value::Null).in_december("/snapshots"),
        write(M::POST, "/statements/{month}/corrections", &["2026-11"], correction)
            .by_admin()
            .in_december("/statements/2026-11"),
    ]
}

/// The operations that change something. Uploads are recorded as such: the trail is about decisions.
fn operations_that_write() -> BTreeSet<(String, String)> {
    let writes = operations(&api::description()).into_iter().filter(|operation| {
        // An operation that anybody may do who sees the subscription computes, and stores nothing but their own views
        // and what they have read.
        let stores = ![Some(Access::Sensor), Some(Access::Action(Action::View))].contains(&operation.access)
            || operation.path.contains("/views/own/");
        operation.method != Method::GET && stores
    });
    writes.map(|operation| (operation.method.to_string(), operation.path)).collect()
}

async fn every_write_of_the_api_adds_exactly_one_row_and_a_dry_run_none(plan: Plan) {
    let admin = plan.admin().await;
    let recipes = recipes(&plan).await;
    let known: BTreeSet<(String, String)> =
        recipes.iter().map(|r| (r.method.to_string(), r.path.clone())).collect();
    assert_eq!(operations_that_write(), known, "a recipe for every operation that changes something");
    for recipe in &recipes {
        let what = format!("{} {}", recipe.method, recipe.path);
        let token = if recipe.admin { &admin } else { &plan.token };
        if let Some((when, look)) = recipe.later {
            plan.set_time(when);
            plan.get(look).await;
        }
        let mut tag = None;
        if recipe.tagged {
            let seen = plan.client.get(recipe.url(&plan)).bearer_auth(token).send().await.unwrap();
            assert_eq!(seen.status(), 200, "{what}");
            tag = Some(seen.headers()[header::ETAG].to_str().unwrap().to_owned());
        }
        let before = plan.audit_rows().await;
        let tried = send(recipe.request(&plan, token, tag.as_deref(), true)).await;
        assert!(tried.status.is_success(), "{what}: {tried:?}");
        assert_eq!(plan.audit_rows().await, before, "{what}: a dry run leaves nothing");
        let done = send(recipe.request(&plan, token, tag.as_deref(), false)).await;
        assert_eq!(done.status, tried.status, "{what}: a dry run answers as if it were done");
        assert_eq!(plan.audit_rows().await, before + 1, "{what}");
        let newest = "SELECT actor, address, request, reason FROM audit ORDER BY at DESC, number DESC";
        let rows = plan.store.rows(sql(newest)).await.unwrap();
        let row = rows.iter().find(|row| row.str("request").unwrap() == "r-1").unwrap();
        assert_eq!(row.opt_text("address").unwrap().as_deref(), Some("127.0.0.1"), "{what}");
        assert_eq!(row.opt_text("reason").unwrap().as_deref(), Some("übung"), "{what}");
        plan.advance();
    }
}

async fn a_denied_write_is_recorded_once_a_minute_for_each_person(plan: Plan) {
    let reader = plan.person("reader", Role::Reader).await;
    let outsider = plan.outsider("outsider").await;
    let write = async |token: &str| send(plan.request_as(token, Method::POST, "/sensors/tokens")).await;
    for token in [&reader, &reader, &outsider] {
        write(token).await;
    }
    let denied = plan.trail_of("denied").await;
    assert_eq!(denied.len(), 2, "{denied:?}");
    let first = denied.last().unwrap();
    assert_eq!(first.actor, "person:reader");
    assert_eq!(first.object, format!("POST /api/v1/subscriptions/{}/sensors/tokens", plan.sid));
    assert_eq!(first.after, Some(json!({"action": "manage-sensors"})));
    plan.set_time("2026-11-22T09:01:00Z");
    write(&reader).await;
    assert_eq!(plan.trail_of("denied").await.len(), 3);
}

async fn a_denied_look_is_not_recorded(plan: Plan) {
    let tokens = [plan.person("reader", Role::Reader).await, plan.outsider("outsider").await];
    for token in &tokens {
        let answer = send(plan.request_as(token, Method::GET, "/audit")).await;
        assert!(answer.status.is_client_error(), "{answer:?}");
    }
    assert_eq!(plan.trail_of("denied").await, []);
}

async fn a_denial_outside_subscriptions_is_in_the_trail_of_the_installation(plan: Plan) {
    let reader = plan.person("reader", Role::Reader).await;
    let answer = plan.api(&reader, Method::POST, "/subscriptions", json!({"name": "x"})).await;
    answer.fails(403, "not-permitted");
    assert_eq!(plan.installation_trail_of("denied").await.len(), 1);
}

/// Adds rows to the trail.
async fn create_enrolment_tokens(plan: &Plan, count: usize) {
    for _ in 0..count {
        plan.advance();
        plan.post("/sensors/tokens", Value::Null).await.succeeds(201);
    }
}

async fn the_trail_is_read_by_pages(plan: Plan) {
    create_enrolment_tokens(&plan, 7).await;
    let page = plan.get("/audit?limit=3").await;
    assert_eq!(each(&page["entries"], "number"), ["7", "6", "5"]);
    assert_eq!(page["next"], 5);
    let page = plan.get("/audit?limit=4&before=5").await;
    assert_eq!(each(&page["entries"], "number"), ["4", "3", "2", "1"]);
    assert_eq!(page["next"], Value::Null);
}

async fn the_trail_is_filtered(plan: Plan) {
    create_enrolment_tokens(&plan, 7).await;
    let all = plan.get("/audit?actor=person:owner&action=sensor.token&limit=500").await;
    assert_eq!(all["entries"].as_array().unwrap().len(), 7);
    for none in
        ["actor=person:x", "action=x", "object=x", "from=2027-01-01T00:00:00Z", "to=2020-01-01T00:00:00Z"]
    {
        assert_eq!(plan.get(&format!("/audit?{none}")).await["entries"], json!([]), "{none}");
    }
    for wrong in ["limit=0", "limit=501", "from=yesterday", "x=1", "before=x"] {
        let answer = plan.try_get(&format!("/audit?{wrong}")).await;
        assert_eq!(answer.problem(), (400, "invalid-request"), "{wrong}");
    }
}

async fn the_trail_is_exported_whole_one_entry_a_line(plan: Plan) {
    create_enrolment_tokens(&plan, 7).await;
    let export = plan.request(Method::GET, "/audit/export").send().await.unwrap();
    assert_eq!(export.headers()[header::CONTENT_TYPE], "application/x-ndjson");
    let text = export.text().await.unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 7);
    assert_eq!(lines[0], plan.get("/audit?limit=1").await["entries"][0]);
}

impl Plan {
    /// Verifies the subscription's trail, against a row that was seen earlier.
    async fn verify(&self, seen: Option<(i64, [u8; 32])>) -> Result<VerifiedTrail, BrokenTrail> {
        self.store.verify_trail(Some(&self.sid), seen).await.unwrap()
    }

    /// Changes the trail as an owner of the database can, who removes the triggers first.
    async fn tamper(&self, statement: &'static str) {
        for trigger in [
            "audit_is_not_changed",
            "audit_is_not_deleted",
            "audit_is_only_ever_added_to",
            "audit_is_only_added_to",
        ] {
            let on = if self.store.is_shared() { " ON audit" } else { "" };
            let drop = Query::assembled(format!("DROP TRIGGER IF EXISTS {trigger}{on}"));
            assert!(self.execute(drop).await);
        }
        assert!(self.execute(sql(statement).bind(&self.sid)).await, "{statement}");
    }
}

async fn an_unbroken_trail_is_verified_up_to_its_head(plan: Plan) {
    create_enrolment_tokens(&plan, 5).await;
    let good = plan.verify(None).await.unwrap();
    assert_eq!(good.rows, 5);
    assert_eq!(plan.verify(Some((5, good.head))).await, Ok(good));
    assert_eq!(plan.verify(Some((5, [1; 32]))).await, Err(BrokenTrail::OtherHead(5)));
    assert_eq!(
        plan.store.verify_trail(Some(&"nobody".parse().unwrap()), None).await.unwrap().unwrap().rows,
        0
    );
}

async fn a_trail_that_lost_its_newest_row_is_found_by_the_head_that_was_seen(plan: Plan) {
    create_enrolment_tokens(&plan, 5).await;
    let good = plan.verify(None).await.unwrap();
    plan.tamper("DELETE FROM audit WHERE subscription = $1 AND number = 5").await;
    assert_eq!(plan.verify(None).await.unwrap().rows, 4, "without the head nobody can tell");
    assert_eq!(plan.verify(Some((5, good.head))).await, Err(BrokenTrail::OtherHead(5)));
}

async fn a_trail_that_lost_a_row_which_a_snapshot_anchors_is_found_without_a_seen_head(plan: Plan) {
    create_enrolment_tokens(&plan, 5).await;
    plan.set_time("2026-11-23T00:10:00Z");
    plan.post("/snapshots/2026-11-22", Value::Null).await.succeeds(201);
    let sealed = plan.get("/snapshots/2026-11-22").await;
    let good = plan.verify(None).await.unwrap();
    assert_eq!((good.rows, &sealed["header"]["trails"]["subscription"]["rows"]), (6, &json!(5)));
    let installation = plan.store.verify_trail(None, None).await.unwrap();
    let anchored = &sealed["header"]["trails"]["installation"];
    assert_eq!(anchored["hash"], hex::encode(installation.unwrap().head));
    plan.tamper("DELETE FROM audit WHERE subscription = $1 AND number > 4").await;
    let lost = BrokenTrail::Anchor { day: "2026-11-22".to_owned(), number: 5 };
    assert_eq!(plan.verify(None).await, Err(lost));
}

async fn a_trail_that_was_tampered_with_names_its_first_broken_row(plan: Plan) {
    create_enrolment_tokens(&plan, 5).await;
    plan.tamper("UPDATE audit SET actor = 'person:mallory' WHERE subscription = $1 AND number = 3").await;
    assert_eq!(plan.verify(None).await, Err(BrokenTrail::Changed(3)));
    plan.tamper("DELETE FROM audit WHERE subscription = $1 AND number = 2").await;
    assert_eq!(plan.verify(None).await, Err(BrokenTrail::Missing { expected: 2, found: 3 }));
}
