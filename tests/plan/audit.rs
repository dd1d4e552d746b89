//! The audit trail: every write of the API leaves exactly one row, a trial none, and what was denied is told too.

use std::collections::BTreeSet;

use netcensus::census::Field;
use netcensus::plan::http::api;
use netcensus::plan::http::guard::{Access, operations};
use netcensus::plan::permission::{Action, Role};
use netcensus::plan::store::engine::sql;
use netcensus::plan::store::trail::{BrokenTrail, TrailFilter};
use netcensus::plan::store::{By, CredentialKind, NewToken, Scope};
use netcensus::wire::EnrolmentToken;
use netcensus::wire::signature::PublicKey;
use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};

use crate::database::on_both_stores;
use crate::harness::{Plan, problem, send, signing_key};
use crate::vectors::{Seen, ready};

/// A write that succeeds: the operation, the values of its path's parameters, and its body.
struct Recipe {
    method: Method,
    path: &'static str,
    values: Vec<String>,
    body: Value,
    /// Whose token: a global admin's, or the owner's.
    admin: bool,
    /// Whether it takes the `ETag` of what it changes.
    tagged: bool,
    /// When, and what is looked at first.
    later: Option<(&'static str, &'static str)>,
    /// A query, and a file in place of a body of JSON.
    file: Option<(&'static str, &'static str)>,
}

fn recipe(method: Method, path: &'static str, values: &[&str], body: Value) -> Recipe {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Recipe { method, path, values, body, admin: false, tagged: false, later: None, file: None }
}

impl Recipe {
    fn by_admin(self) -> Self {
        Self { admin: true, ..self }
    }

    fn on_what_is_seen(self) -> Self {
        Self { tagged: true, ..self }
    }

    /// In December, after a look at that.
    fn in_december(self, look: &'static str) -> Self {
        Self { later: Some(("2026-12-05T09:00:00Z", look)), ..self }
    }

    fn of_file(self, query: &'static str, file: &'static str) -> Self {
        Self { file: Some((query, file)), ..self }
    }

    fn url(&self, plan: &Plan) -> String {
        let mut values = self.values.iter();
        let parts = self.path.split('/').map(|part| match part {
            "{sid}" => plan.sid.clone(),
            part if part.starts_with('{') => values.next().unwrap().clone(),
            part => part.to_owned(),
        });
        format!("{}{}", plan.url, parts.collect::<Vec<_>>().join("/"))
    }
}

/// A success of every operation that changes something, in an order in which each can succeed.
async fn recipes(plan: &Plan) -> Vec<Recipe> {
    use Method as M;
    let now = plan.clock_now();
    let issued = plan.store.issue(CredentialKind::Session, Some("owner"), now).await.unwrap();
    let new = NewToken { name: "old".into(), ..NewToken::default() };
    let token = plan.store.create_token("owner", &new, None, &By::operator(), now).await.unwrap();
    let sensor = ready(plan).await;
    let (a, b) = ("00:40:8c:00:00:0a", "00:40:8c:00:00:0b");
    let seen = Seen::default().arp(a, "10.0.0.1", "network-a").arp(b, "10.0.0.2", "network-b");
    let seen = seen.station(a, Field::LldpChassisId, "x").station(b, Field::LldpChassisId, "x");
    let seen =
        seen.arp("00:40:8c:00:00:0c", "10.0.0.3", "iot-c").arp("00:40:8c:00:00:0d", "10.0.0.4", "iot-d");
    seen.arp("00:40:8c:00:00:0e", "10.0.0.5", "iot-e").send(plan, &sensor, 1, "hq").await;
    let id = async |ip: &str| {
        let found = plan.get(&format!("/devices?q={ip}")).await;
        found["devices"][0]["id"].as_str().unwrap().to_owned()
    };
    let (tied, c, d, e) =
        (id("10.0.0.1").await, id("10.0.0.3").await, id("10.0.0.4").await, id("10.0.0.5").await);
    // The plan under which they were seen has ended.
    assert_eq!(plan.post("/plan/cancel", Value::Null).await.0, 200);
    plan.set_time("2026-11-22T12:00:00Z");
    let enrolment = plan.post("/sensors/tokens", json!({})).await.1;
    let enrolment: EnrolmentToken = enrolment["token"].as_str().unwrap().parse().unwrap();
    let public_key = PublicKey(signing_key().verifying_key().to_bytes()).to_string();
    let enrol = json!({"secret": enrolment.secret, "name": "edge-2", "public_key": public_key});
    let person = json!({"name": "new", "password": "a long enough password"});
    let password = json!({"current": "a long enough password", "new": "another long password"});
    vec![
        recipe(M::DELETE, "/api/v1/account/sessions/{id}", &[&issued.id], Value::Null),
        recipe(M::POST, "/api/v1/account/password", &[], password),
        recipe(M::POST, "/api/v1/account/tokens", &[], json!({"name": "new"})),
        recipe(M::DELETE, "/api/v1/account/tokens/{id}", &[&token.id], Value::Null),
        recipe(M::POST, "/api/v1/enrol", &[], enrol),
        recipe(M::POST, "/api/v1/people", &[], person).by_admin(),
        recipe(
            M::POST,
            "/api/v1/people/{person}/password",
            &["new"],
            json!({"password": "another long password"}),
        )
        .by_admin(),
        recipe(M::POST, "/api/v1/people/{person}/disable", &["new"], Value::Null).by_admin(),
        recipe(M::POST, "/api/v1/people/{person}/enable", &["new"], Value::Null).by_admin(),
        recipe(M::POST, "/api/v1/subscriptions", &[], json!({"name": "Fabrikam"})).by_admin(),
        recipe(M::PATCH, "/api/v1/subscriptions/{sid}", &[], json!({"name": "Contoso Ltd"}))
            .by_admin()
            .on_what_is_seen(),
        recipe(
            M::POST,
            "/api/v1/subscriptions/{sid}/plan",
            &[],
            json!({"kind": "monthly", "devices": 100, "accept_terms": true}),
        ),
        recipe(M::POST, "/api/v1/subscriptions/{sid}/plan/cancel", &[], Value::Null),
        recipe(M::POST, "/api/v1/subscriptions/{sid}/plan/cancel/withdraw", &[], Value::Null),
        recipe(
            M::POST,
            "/api/v1/subscriptions/{sid}/plan/replace",
            &[],
            json!({"kind": "monthly", "devices": 200, "accept_terms": true}),
        ),
        recipe(
            M::PUT,
            "/api/v1/subscriptions/{sid}/estimate/mappings/{signature}",
            &[&"0".repeat(64)],
            json!({"columns": {"mac": ["Kennung"]}}),
        ),
        recipe(
            M::DELETE,
            "/api/v1/subscriptions/{sid}/estimate/mappings/{signature}",
            &[&"0".repeat(64)],
            Value::Null,
        )
        .on_what_is_seen(),
        recipe(
            M::POST,
            "/api/v1/subscriptions/{sid}/prices",
            &[],
            json!({"currency": "EUR", "micros": 1_000_000}),
        )
        .by_admin(),
        recipe(
            M::POST,
            "/api/v1/subscriptions/{sid}/devices/edit",
            &[],
            json!({"ids": [c], "set": {"name": "x"}}),
        ),
        recipe(M::POST, "/api/v1/subscriptions/{sid}/changes/{number}/undo", &["1"], Value::Null),
        recipe(M::PATCH, "/api/v1/subscriptions/{sid}/devices/{id}", &[&d], json!({"name": "y"}))
            .on_what_is_seen(),
        recipe(
            M::POST,
            "/api/v1/subscriptions/{sid}/devices/{id}/split",
            &[&tied],
            json!({"couplings": [{"mac": b, "ip": "10.0.0.2"}]}),
        ),
        recipe(M::POST, "/api/v1/subscriptions/{sid}/devices/merge", &[], json!({"ids": [c, d]})),
        recipe(M::DELETE, "/api/v1/subscriptions/{sid}/devices/{id}", &[&e], Value::Null).on_what_is_seen(),
        recipe(
            M::POST,
            "/api/v1/subscriptions/{sid}/managed/import",
            &[],
            json!({"source": "s", "entries": [{"mac": a}]}),
        ),
        recipe(M::POST, "/api/v1/subscriptions/{sid}/managed/import/file", &[], Value::Null)
            .of_file("&source=f&all=true", "mac\n00:40:8c:00:00:0c\n"),
        recipe(M::DELETE, "/api/v1/subscriptions/{sid}/managed/{source}", &["s"], Value::Null),
        recipe(M::PUT, "/api/v1/subscriptions/{sid}/roles/{person}", &["new"], json!({"role": "R"})),
        recipe(M::DELETE, "/api/v1/subscriptions/{sid}/roles/{person}", &["new"], Value::Null)
            .on_what_is_seen(),
        recipe(M::POST, "/api/v1/subscriptions/{sid}/sensors/tokens", &[], Value::Null),
        recipe(
            M::PATCH,
            "/api/v1/subscriptions/{sid}/sensors/{sensor}",
            &[&sensor.id],
            json!({"name": "edge-9"}),
        )
        .on_what_is_seen(),
        recipe(M::POST, "/api/v1/subscriptions/{sid}/sensors/{sensor}/revoke", &[&sensor.id], Value::Null),
        recipe(M::POST, "/api/v1/subscriptions/{sid}/snapshots/{day}", &["2026-11-22"], Value::Null)
            .in_december("/snapshots"),
        recipe(
            M::POST,
            "/api/v1/subscriptions/{sid}/statements/{month}/corrections",
            &["2026-11"],
            json!({"line": 2, "committed": 300, "reason": "übung"}),
        )
        .by_admin()
        .in_december("/statements/2026-11"),
    ]
}

on_both_stores! {
    async fn every_write_of_the_api_adds_exactly_one_row_and_a_trial_none(plan: Plan) {
        let admin = plan.admin().await;
        let recipes = recipes(&plan).await;
        // Uploads are recorded by themselves, each with its sensor, digest and instant: the trail is of decisions.
        let wanted: BTreeSet<(String, String)> = operations(&api::description())
            .into_iter()
            .filter(|o| o.method != Method::GET && o.access != Some(Access::Sensor))
            // What only needs to be seen is computed, not stored.
            .filter(|o| o.access != Some(Access::Action(Action::View)))
            .map(|o| (o.method.to_string(), o.path))
            .collect();
        let known: BTreeSet<(String, String)> =
            recipes.iter().map(|r| (r.method.to_string(), r.path.to_owned())).collect();
        assert_eq!(wanted, known, "a recipe for every operation that changes something");
        for recipe in &recipes {
            let what = format!("{} {}", recipe.method, recipe.path);
            let (token, url) = (if recipe.admin { &admin } else { &plan.token }, recipe.url(&plan));
            if let Some((when, look)) = recipe.later {
                plan.set_time(when);
                plan.get(look).await;
            }
            let mut tag = None;
            if recipe.tagged {
                let seen = plan.client.get(&url).bearer_auth(token).send().await.unwrap();
                assert_eq!(seen.status(), StatusCode::OK, "{what}");
                tag = Some(seen.headers()[header::ETAG].clone());
            }
            let ask = |dry: &str| -> RequestBuilder {
                let more = recipe.file.map_or("", |(query, _)| query);
                let url = format!("{url}?dry_run={dry}{more}");
                let mut request = plan.client.request(recipe.method.clone(), url).bearer_auth(token);
                if let Some(tag) = &tag {
                    request = request.header(header::IF_MATCH, tag);
                }
                let request = request.header("x-reason", "übung").header("x-request-id", "r-1");
                match recipe.file {
                    Some((_, file)) => request.body(file),
                    None => request.json(&recipe.body),
                }
            };
            let before = plan.audit_rows().await;
            let tried = send(ask("true")).await;
            assert!(tried.0.is_success(), "{what}: {tried:?}");
            assert_eq!(plan.audit_rows().await, before, "{what}: a trial leaves nothing");
            let done = send(ask("false")).await;
            assert!(done.0.is_success(), "{what}: {done:?}");
            assert_eq!(done.0, tried.0, "{what}: a trial answers as if it were done");
            assert_eq!(plan.audit_rows().await, before + 1, "{what}");
            let newest = "SELECT actor, address, request, reason FROM audit ORDER BY at DESC, number DESC";
            let rows = plan.store.rows(sql(newest)).await.unwrap();
            let row = rows.iter().find(|row| row.str("request").unwrap() == "r-1").unwrap();
            assert_eq!(row.opt_text("address").unwrap().as_deref(), Some("127.0.0.1"), "{what}");
            assert_eq!((row.str("request").unwrap(), row.opt_text("reason").unwrap().as_deref()), ("r-1", Some("übung")));
            plan.advance();
        }
    }

    async fn a_denied_write_is_recorded_once_a_minute_and_a_denied_look_is_not(plan: Plan) {
        let reader = plan.person("reader", Role::Reader).await;
        let outsider = {
            plan.store.create_person("outsider", "a long enough password", false, &By::operator(), plan.clock_now()).await.unwrap();
            plan.store.issue(CredentialKind::Token, Some("outsider"), plan.clock_now()).await.unwrap().secret
        };
        let denied = async |trail: Option<&str>| {
            let filter = TrailFilter { action: Some("denied".into()), ..TrailFilter::default() };
            plan.store.trail(trail, &filter, 100).await.unwrap()
        };
        for token in [&reader, &reader, &outsider] {
            send(plan.client.post(plan.of("/sensors/tokens")).bearer_auth(token)).await;
            send(plan.client.get(plan.of("/audit")).bearer_auth(token)).await;
        }
        let trail = denied(Some(&plan.sid)).await;
        assert_eq!(trail.len(), 2, "{trail:?}");
        let last = trail.last().unwrap();
        assert_eq!(last.actor, "person:reader");
        assert_eq!(last.object, format!("POST /api/v1/subscriptions/{}/sensors/tokens", plan.sid));
        assert_eq!(last.after, Some(json!({"action": "manage-sensors"})));
        plan.set_time("2026-11-22T09:01:00Z");
        send(plan.client.post(plan.of("/sensors/tokens")).bearer_auth(&reader)).await;
        assert_eq!(denied(Some(&plan.sid)).await.len(), 3);
        let create = plan.client.post(format!("{}/api/v1/subscriptions", plan.url)).bearer_auth(&reader);
        assert_eq!(problem(&send(create.json(&json!({"name": "x"}))).await), (403, "not-permitted"));
        assert_eq!(denied(None).await.len(), 1);
    }

    async fn the_trail_is_read_by_pages_and_filters_and_exported_whole(plan: Plan) {
        for _ in 0..7 {
            plan.advance();
            assert_eq!(plan.post("/sensors/tokens", Value::Null).await.0, 201);
        }
        let page = plan.get("/audit?limit=3").await;
        let numbers = |page: &Value| -> Vec<i64> {
            page["entries"].as_array().unwrap().iter().map(|e| e["number"].as_i64().unwrap()).collect()
        };
        assert_eq!((numbers(&page), page["next"].as_i64()), (vec![7, 6, 5], Some(5)));
        let page = plan.get("/audit?limit=4&before=5").await;
        assert_eq!((numbers(&page), &page["next"]), (vec![4, 3, 2, 1], &Value::Null));
        assert_eq!(numbers(&plan.get("/audit?actor=person:owner&action=sensor.token&limit=500").await).len(), 7);
        for none in ["actor=person:x", "action=x", "object=x", "from=2027-01-01T00:00:00Z", "to=2020-01-01T00:00:00Z"] {
            assert_eq!(plan.get(&format!("/audit?{none}")).await["entries"], json!([]), "{none}");
        }
        for wrong in ["limit=0", "limit=501", "from=yesterday", "x=1", "before=x"] {
            let answer = send(plan.client.get(plan.of(&format!("/audit?{wrong}"))).bearer_auth(&plan.token)).await;
            assert_eq!(problem(&answer), (400, "invalid-request"), "{wrong}");
        }
        let export = plan.client.get(plan.of("/audit/export")).bearer_auth(&plan.token).send().await.unwrap();
        assert_eq!(export.headers()[header::CONTENT_TYPE], "application/x-ndjson");
        let text = export.text().await.unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 7);
        assert_eq!(lines[0], plan.get("/audit?limit=1").await["entries"][0]);
    }
}

on_both_stores! {
    async fn a_chain_that_was_tampered_with_names_its_first_broken_row(plan: Plan) {
        for _ in 0..5 {
            assert_eq!(plan.post("/sensors/tokens", Value::Null).await.0, 201);
        }
        let sid = Some(plan.sid.as_str());
        let good = plan.store.verify_trail(sid, None).await.unwrap().unwrap();
        assert_eq!(good.rows, 5);
        assert_eq!(plan.store.verify_trail(sid, Some((5, good.head))).await.unwrap(), Ok(good));
        assert_eq!(plan.store.verify_trail(sid, Some((5, [1; 32]))).await.unwrap(), Err(BrokenTrail::OtherHead(5)));
        assert_eq!(plan.store.verify_trail(Some("nobody"), None).await.unwrap().unwrap().rows, 0);
        // Whoever owns the database takes the triggers away first.
        let tamper = async |statement: &'static str| {
            let mut work = plan.store.write(Scope::Subscription(&plan.sid)).await.unwrap();
            for trigger in ["audit_is_not_changed", "audit_is_not_deleted", "audit_is_only_ever_added_to"] {
                let text = if plan.store.is_shared() {
                    format!("DROP TRIGGER IF EXISTS {trigger} ON audit")
                } else {
                    format!("DROP TRIGGER IF EXISTS {trigger}")
                };
                work.execute(netcensus::plan::store::engine::Query::assembled(text)).await.unwrap();
            }
            if plan.store.is_shared() {
                work.execute(sql("DROP TRIGGER IF EXISTS audit_is_only_added_to ON audit")).await.unwrap();
            }
            work.execute(sql(statement).bind(&plan.sid)).await.unwrap();
            work.commit().await.unwrap();
        };
        tamper("DELETE FROM audit WHERE subscription = $1 AND number = 5").await;
        assert_eq!(plan.store.verify_trail(sid, None).await.unwrap().unwrap().rows, 4, "a lost end needs what was seen");
        assert_eq!(plan.store.verify_trail(sid, Some((5, good.head))).await.unwrap(), Err(BrokenTrail::OtherHead(5)));
        tamper("UPDATE audit SET actor = 'person:mallory' WHERE subscription = $1 AND number = 3").await;
        assert_eq!(plan.store.verify_trail(sid, None).await.unwrap(), Err(BrokenTrail::Changed(3)));
        tamper("DELETE FROM audit WHERE subscription = $1 AND number = 2").await;
        let missing = BrokenTrail::Missing { expected: 2, found: 3 };
        assert_eq!(plan.store.verify_trail(sid, None).await.unwrap(), Err(missing));
    }
}
