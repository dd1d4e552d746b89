//! The past is told as it was: a count of an earlier instant agrees with the snapshot that was sealed at it, and with what
//! the service said when that instant was the present, on random histories of facts, decisions, plans and time.

use std::collections::BTreeMap;

use netcensus::census::{MacAddr, Prefix, Sign, Taught, Timestamp, Zone};
use netcensus::plan::app::inventory::CountAt;
use netcensus::plan::store::CredentialKind;
use netcensus::proof::Leaf;
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::support::databases::{on_each_database, place};
use crate::support::dice::Dice;
use crate::support::seen::upload_of;
use crate::support::{Backend, HOUR, Plan, SECOND, Seen, TestSensor, assert_has, send, upload};

const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 24 * HOUR;

on_each_database! {
    a_device_that_came_later_did_not_exist,
    a_decision_that_was_made_later_did_not_stand,
    the_plan_of_the_instant_is_compared,
    an_instant_before_the_subscription_is_refused,
    a_snapshot_stays_the_truth_of_its_day_when_facts_and_rules_move_on,
    what_has_no_time_makes_a_past_count_a_range,
    lists_exports_findings_and_explanations_tell_the_same_past,
}

/// A monthly plan and a sensor; the clock stands at 10:00 on the first day.
async fn begun(plan: &Plan) -> TestSensor {
    plan.onboard_monthly(100).await;
    let sensor = plan.enrol().await;
    plan.set_time("2026-11-22T10:00:00Z");
    sensor
}

const FIRST: &str = "00:1b:d4:00:00:01";
const SECOND_ONE: &str = "00:1b:d4:00:00:02";

async fn see(plan: &Plan, sensor: &TestSensor, sequence: u64, seen: &[(&str, &str, &str, &str)]) {
    plan.upload(sensor, &upload(sequence, "hq", seen)).await.succeeds(201);
}

impl Plan {
    /// Moves the clock, and gives the owner a token that holds then.
    async fn move_on(&mut self, time: &str) {
        self.set_time(time);
        self.renew_token().await;
    }

    pub(crate) async fn renew_token(&mut self) {
        let issued = self.store.issue(CredentialKind::Token, Some("owner"), self.now()).await.unwrap();
        self.token = issued.secret;
    }
}

async fn a_device_that_came_later_did_not_exist(plan: Plan) {
    let sensor = begun(&plan).await;
    see(&plan, &sensor, 1, &[(FIRST, "10.0.0.1", "iot-1", "2026-11-22T09:30:00Z")]).await;
    plan.set_time("2026-11-22T15:00:00Z");
    see(&plan, &sensor, 2, &[(SECOND_ONE, "10.0.0.2", "iot-2", "2026-11-22T14:30:00Z")]).await;
    assert_eq!(plan.get("/census").await["iot"], 2);
    let noon = plan.get("/census?as_of=2026-11-22T12:00:00Z").await;
    assert_has(&noon, json!({"iot": 1, "devices": 1, "as_of": "2026-11-22T12:00:00Z"}));
    let sure = json!({"kind": "kept", "at_least": 1, "at_most": 1, "unsure": 0, "snapshot": null});
    assert_eq!(noon["basis"], sure);
    let nine = plan.get("/census?as_of=2026-11-22T09:15:00Z").await;
    assert_has(&nine, json!({"iot": 0, "devices": 0, "basis": {"at_most": 0}}));
    assert_eq!(plan.get("/census").await["basis"], Value::Null, "the present has none");
}

async fn a_decision_that_was_made_later_did_not_stand(plan: Plan) {
    let sensor = begun(&plan).await;
    see(&plan, &sensor, 1, &[(FIRST, "10.0.0.1", "iot-1", "2026-11-22T09:30:00Z")]).await;
    plan.set_time("2026-11-22T13:00:00Z");
    let id = plan.get("/devices").await["devices"][0]["id"].clone();
    plan.post("/devices/edit", json!({"ids": [id], "delete": true})).await.succeeds(200);
    plan.set_time("2026-11-22T14:00:00Z");
    let list = json!({"source": "intune", "entries": [{"mac": SECOND_ONE}]});
    plan.post("/managed/import", list).await.succeeds(200);
    see(&plan, &sensor, 2, &[(SECOND_ONE, "10.0.0.2", "network-2", "2026-11-22T11:00:00Z")]).await;
    plan.set_time("2026-11-22T15:00:00Z");
    assert_has(&plan.get("/census").await, json!({"billable": 0, "excluded": {"X-DEL": 1, "X-MANAGED": 1}}));
    for (instant, billable) in [("12:00:00", 2), ("13:30:00", 1), ("14:30:00", 0)] {
        let then = plan.get(&format!("/census?as_of=2026-11-22T{instant}Z")).await;
        assert_eq!(then["billable"], billable, "{instant}");
    }
}

async fn the_plan_of_the_instant_is_compared(plan: Plan) {
    begun(&plan).await;
    plan.set_time("2026-11-22T11:30:00Z");
    let larger = json!({"kind": "monthly", "devices": 300, "accept_terms": true});
    plan.post("/plan/replace", larger).await.succeeds(201);
    plan.set_time("2026-11-22T18:00:00Z");
    assert_eq!(plan.get("/census").await["committed"], 300);
    assert_eq!(plan.get("/census?as_of=2026-11-22T12:29:00Z").await["committed"], 100);
    assert_eq!(plan.get("/census?as_of=2026-11-22T12:31:00Z").await["committed"], 300);
    // A later change does not reach back.
    plan.post("/plan/cancel", json!({})).await.succeeds(200);
    assert_eq!(plan.get("/census?as_of=2026-11-22T12:29:00Z").await["committed"], 100);
}

async fn an_instant_before_the_subscription_is_refused(plan: Plan) {
    let sensor = begun(&plan).await;
    see(&plan, &sensor, 1, &[(FIRST, "10.0.0.1", "iot-1", "2026-10-01T09:30:00Z")]).await;
    for path in [
        "/census?as_of=2020-01-01T00:00:00Z",
        "/census?as_of=2026-11-22T08:59:59Z",
        "/inventory?as_of=2026-11-21T00:00:00Z",
        "/devices?as_of=2026-11-21T00:00:00Z",
        "/devices.csv?as_of=2026-11-21T00:00:00Z",
        "/devices.ndjson?as_of=2026-11-21T00:00:00Z",
        "/findings?as_of=2026-11-21T00:00:00Z",
        "/explain?subject=10.0.0.1&as_of=2026-11-21T00:00:00Z",
        "/zones?as_of=2026-11-21T00:00:00Z",
    ] {
        let refused = plan.try_get(path).await.fails(422, "instant-too-early");
        assert_eq!(refused["from"], "2026-11-22T09:00:00Z", "{path}");
    }
    assert_eq!(plan.get("/census?as_of=2026-11-22T09:00:00Z").await["devices"], 1);
    let out = command(&plan, &["census", "--as-of", "2020-01-01T00:00:00Z"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("did not exist at 2020-01-01T00:00:00Z"));
}

/// Runs a command on the database of the service, at its time.
fn command(plan: &Plan, arguments: &[&str]) -> std::process::Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_netcensus-plan"));
    command.args(arguments).env("NETCENSUS_PLAN_DATABASE", place(&plan.database));
    command.env("NETCENSUS_NOW", plan.now().to_string()).output().unwrap()
}

async fn a_snapshot_stays_the_truth_of_its_day_when_facts_and_rules_move_on(mut plan: Plan) {
    let sensor = begun(&plan).await;
    let quiet = (SECOND_ONE, "10.0.0.2", "network-2", "2026-11-22T09:40:00Z");
    see(&plan, &sensor, 1, &[(FIRST, "10.0.0.1", "iot-1", "2026-11-22T09:30:00Z"), quiet]).await;
    plan.set_time("2026-11-23T00:10:00Z");
    plan.run_jobs().await;
    let midnight = "/census?as_of=2026-11-23T00:00:00Z";
    let sealed = plan.get("/snapshots/2026-11-22").await;
    assert_has(
        &plan.get(midnight).await,
        json!({"billable": 2, "basis": {"kind": "snapshot", "differing": 0}}),
    );
    // The alphabetically first name decides in these tests, so a later word about the past turns the device.
    plan.move_on("2026-11-24T10:00:00Z").await;
    see(&plan, &sensor, 2, &[(FIRST, "10.0.0.1", "computer_mobile-1", "2026-11-22T20:00:00Z")]).await;
    let then = plan.get(midnight).await;
    assert_has(&then, json!({"billable": 2, "network": 1, "iot": 1, "devices": 2, "tabs": {"iot": 1}}));
    let basis = json!({"kind": "snapshot", "day": "2026-11-22", "revision": 0, "hash": sealed["hash"], "differing": 1});
    assert_eq!(then["basis"], basis);
    let list = plan.get("/devices?category=iot&as_of=2026-11-23T00:00:00Z").await;
    assert_has(&list["devices"][0], json!({"ip": "10.0.0.1", "verdict": "C-IOT", "confidence": 0.0}));
    // The service counts the day again, because the upload came late. Then its new revision is the truth.
    plan.run_jobs().await;
    assert_eq!(plan.get("/snapshots/2026-11-22").await["header"]["revision"], 1);
    assert_has(&plan.get(midnight).await, json!({"billable": 1, "basis": {"revision": 1, "differing": 0}}));
}

async fn what_has_no_time_makes_a_past_count_a_range(plan: Plan) {
    let sensor = begun(&plan).await;
    // Known by packets alone, of which nobody looked at the TTL: its address is taken for its own (I4).
    let seen = |sign, when| Seen::default().sign(FIRST, "10.0.0.1", "iot-1", sign, when);
    seen(Sign::Sourced, "2026-11-22T09:30:00Z").send(&plan, &sensor, 1, "hq").await;
    plan.set_time("2026-11-22T12:00:00Z");
    assert_eq!(plan.get("/census").await["billable"], 1);
    // Later packets come from behind a router. When that was seen first is not kept.
    plan.set_time("2026-11-22T15:00:00Z");
    seen(Sign::Far, "2026-11-22T14:00:00Z").send(&plan, &sensor, 2, "hq").await;
    assert_has(&plan.get("/census").await, json!({"billable": 0, "excluded": {"X-ROUTED": 1}}));
    let then = plan.get("/census?as_of=2026-11-22T12:00:00Z").await;
    assert_has(&then["basis"], json!({"kind": "kept", "at_least": 0, "at_most": 1, "unsure": 1}));
    let out = command(&plan, &["census", "--as-of", "2026-11-22T12:00:00Z"]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.success() && said.contains("the count at 2026-11-22T12:00:00Z is made of the facts"),
        "{said}"
    );
}

async fn lists_exports_findings_and_explanations_tell_the_same_past(plan: Plan) {
    let sensor = begun(&plan).await;
    see(&plan, &sensor, 1, &[(FIRST, "10.0.0.1", "iot-1", "2026-11-22T09:30:00Z")]).await;
    plan.set_time("2026-11-22T15:00:00Z");
    // Another MAC takes the address over: a finding, but only since then.
    see(&plan, &sensor, 2, &[(SECOND_ONE, "10.0.0.1", "iot-2", "2026-11-22T14:30:00Z")]).await;
    see(&plan, &sensor, 3, &[(FIRST, "10.0.0.1", "iot-1", "2026-11-22T14:40:00Z")]).await;
    let noon = "as_of=2026-11-22T12:00:00Z";
    assert_eq!(plan.get("/findings").await["findings"].as_array().unwrap().len(), 1);
    assert_has(
        &plan.get(&format!("/findings?{noon}")).await,
        json!({"findings": [], "basis": {"kind": "kept"}}),
    );
    let document = plan.get(&format!("/inventory?{noon}")).await;
    assert_eq!((document["devices"].as_array().unwrap().len(), &document["findings"]), (1, &json!([])));
    assert_eq!(document["basis"]["kind"], "kept");
    assert_eq!(document["capture"]["frames"], 0, "sensors report the present");
    let list = plan.get(&format!("/devices?{noon}")).await;
    assert_has(&list, json!({"total": 1, "basis": {"kind": "kept"}}));
    let explained = plan.get(&format!("/explain?subject=10.0.0.1&{noon}")).await;
    assert_eq!(explained["devices"].as_array().unwrap().len(), 1);
    assert_eq!(explained["basis"]["kind"], "kept");
    let zones = plan.get(&format!("/zones?{noon}")).await;
    assert_has(&zones["zones"][0], json!({"devices": 1, "billable": 1, "couplings": 1}));
    let csv = plan.client.get(plan.of(&format!("/devices.csv?{noon}"))).bearer_auth(&plan.token);
    let csv = csv.send().await.unwrap();
    assert_eq!(csv.headers()["netcensus-basis"], "kept; at-least=1; at-most=1");
    assert_eq!(csv.text().await.unwrap().lines().count(), 2);
    plan.try_get(&format!("/explain?subject={SECOND_ONE}&{noon}")).await.fails(404, "not-found");
    // The console, whose field for an instant gives it without a zone.
    let session = plan.store.issue(CredentialKind::Session, Some("owner"), plan.now()).await.unwrap().secret;
    let id = list["devices"][0]["id"].as_str().unwrap();
    for path in ["", "/devices", &format!("/devices/{id}"), "/findings", "/explain?subject=10.0.0.1"] {
        let separator = if path.contains('?') { '&' } else { '?' };
        for instant in ["2026-11-22T12:00", "2026-11-22T12:00:00Z"] {
            if (path == "/devices" || path.starts_with("/explain")) && instant.len() == 16 {
                continue;
            }
            let url = format!("{}/subscriptions/{}{path}{separator}as_of={instant}", plan.url, plan.sid);
            let page = plan.client.get(&url).header(header::COOKIE, format!("netcensus={session}"));
            let page = page.send().await.unwrap();
            assert_eq!(page.status(), 200, "{url}");
            let page = page.text().await.unwrap();
            assert!(page.contains("This is the past"), "{url}: {page}");
        }
    }
}

/// A service that replays an old capture counts in the time of the capture, which is older than the subscription.
#[tokio::test]
async fn a_replayed_capture_has_a_past_of_its_own() {
    let plan = Plan::start_counting(Backend::Sqlite, CountAt::NewestFrame).await;
    let sensor = plan.ready().await;
    let seen = [
        (FIRST, "10.0.0.1", "iot-1", "2020-01-01T00:00:00Z"),
        (SECOND_ONE, "10.0.0.2", "iot-2", "2020-01-03T00:00:00Z"),
    ];
    see(&plan, &sensor, 1, &seen).await;
    assert_has(&plan.get("/census").await, json!({"iot": 2, "as_of": "2020-01-03T00:00:00Z"}));
    assert_has(&plan.get("/census?as_of=2020-01-02T00:00:00Z").await, json!({"iot": 1}));
    let refused = plan.try_get("/census?as_of=2019-12-31T00:00:00Z").await.fails(422, "instant-too-early");
    assert_eq!(refused["from"], "2020-01-01T00:00:00Z");
}

/// What the service said when an instant was the present.
struct Live {
    at: Timestamp,
    census: Value,
    /// The newest upload of facts about an earlier time made it incomparable: it was not known then.
    outdated: bool,
}

struct History {
    plan: Plan,
    sensor: TestSensor,
    dice: Dice,
    /// Whether some uploads come long after their frames.
    is_late: bool,
    sequence: u64,
    lives: Vec<Live>,
    compared: u32,
}

impl History {
    async fn new(backend: Backend, seed: u64) -> Self {
        let plan = Plan::start_on(backend).await;
        plan.onboard_monthly(100).await;
        let sensor = plan.enrol().await;
        Self {
            plan,
            sensor,
            dice: Dice(seed),
            is_late: seed.is_multiple_of(2),
            sequence: 0,
            lives: Vec::new(),
            compared: 0,
        }
    }

    /// Time passes, over midnights at which days are sealed. At the end, the present is remembered.
    async fn pass(&mut self) {
        let by = match self.dice.roll(8) {
            0 => self.dice.span(DAY, 4),
            1 if self.dice.roll(6) == 0 => self.dice.span(DAY, 36),
            _ => self.dice.span(17 * MINUTE, 40),
        };
        let to = self.plan.now().plus(by);
        let to = Timestamp(to.0 - to.0.rem_euclid(MINUTE));
        // A service that is asked each day, or was away for many.
        let midnight = Timestamp((self.plan.now().0 / DAY + 1) * DAY).plus(11 * MINUTE);
        if midnight < to {
            self.plan.move_to(if self.dice.roll(2) == 0 { midnight } else { to });
            self.plan.run_jobs().await;
        }
        self.plan.move_to(to);
        self.plan.renew_token().await;
        let census = self.plan.get("/census").await;
        assert_eq!(census["as_of"], to.to_string());
        self.lives.push(Live { at: to, census, outdated: false });
    }

    /// Sends what devices showed: mostly just now, sometimes long ago.
    async fn observe(&mut self) {
        let now = self.plan.now();
        // The present was remembered just before, so a frame of now is not part of it.
        let late = self.is_late && self.dice.roll(9) == 0;
        let when = if late { now.plus(-self.dice.span(7 * HOUR, 30)) } else { now };
        let mut seen = Seen::default();
        for _ in 0..=self.dice.roll(6) {
            let host = self.dice.roll(24);
            let mac = format!("02:00:00:00:00:{host:02x}");
            let ip = match self.dice.roll(8) {
                0 => format!("10.0.1.{}", 1 + self.dice.roll(30)),
                1 => format!("fe80::{}", 1 + host),
                2 => format!("198.51.100.{}", 1 + self.dice.roll(9)),
                _ => format!("10.0.0.{}", 1 + host),
            };
            let kind = *self.dice.of(&["network", "iot", "iot", "computer_mobile", ""]);
            let name = if kind.is_empty() { String::new() } else { format!("{kind}-{host}") };
            let signs =
                [Sign::ArpAsked, Sign::ArpAsked, Sign::Near, Sign::Far, Sign::DhcpAck, Sign::Announced];
            seen = seen.sign(&mac, &ip, &name, *self.dice.of(&signs), &when.to_string());
        }
        if self.dice.roll(12) == 0 {
            let prefix = Prefix::of([10, 0, 0, 0].into(), 24).unwrap();
            seen.0.segment.learn_sent(prefix, &Taught::new(when, MacAddr([2, 0, 0, 0, 0, 1])));
        }
        let Seen(zone): Seen = seen;
        self.send(zone, when).await;
    }

    async fn send(&mut self, zone: Zone, when: Timestamp) {
        self.sequence += 1;
        let name = *self.dice.of(&["hq", "hq", "branch"]);
        let answer = self.plan.upload(&self.sensor, &upload_of(self.sequence, name, zone)).await;
        assert!(answer.status.is_success() || answer.status == 403, "{answer:?}");
        for live in self.lives.iter_mut().filter(|live| live.at > when) {
            live.outdated = true;
        }
    }

    /// Somebody decides something.
    async fn decide(&mut self) {
        let devices = self.plan.get("/devices?limit=1000").await;
        let ids: Vec<Value> =
            devices["devices"].as_array().unwrap().iter().map(|d| d["id"].clone()).collect();
        let mac = format!("02:00:00:00:00:{:02x}", self.dice.roll(24));
        let (method, path, body) = match self.dice.roll(7) {
            0 | 1 if !ids.is_empty() => {
                let category = *self.dice.of(&["iot", "network", "computer_mobile"]);
                let body = json!({"ids": [self.dice.of(&ids)], "set": {"category": category}});
                (Method::POST, "/devices/edit".to_owned(), body)
            }
            2 if !ids.is_empty() => (
                Method::POST,
                "/devices/edit".to_owned(),
                json!({"ids": [self.dice.of(&ids)], "delete": true}),
            ),
            3 if ids.len() > 2 => {
                let merge = json!({"ids": [self.dice.of(&ids), self.dice.of(&ids)]});
                (Method::POST, "/devices/merge".to_owned(), merge)
            }
            4 => {
                let to = self.plan.now().plus(self.dice.span(HOUR, 90)).to_string();
                let entry = json!({"mac": mac, "to": to});
                (
                    Method::POST,
                    "/managed/import".to_owned(),
                    json!({"source": "test", "force": true, "entries": [entry]}),
                )
            }
            5 => {
                let changes = self.plan.get("/changes").await;
                let Some(number) = changes["changes"][0]["number"].as_i64() else { return };
                (Method::POST, format!("/changes/{number}/undo"), Value::Null)
            }
            _ => {
                let devices = 100 * (1 + self.dice.roll(3));
                let plan = json!({"kind": "monthly", "devices": devices, "accept_terms": true});
                (Method::POST, "/plan/replace".to_owned(), plan)
            }
        };
        let mut request = self.plan.client.request(method, self.plan.of(&path)).bearer_auth(&self.plan.token);
        request = request.header(header::IF_MATCH, "*");
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = send(request).await;
        assert!(answer.status.as_u16() < 500, "{path}: {answer:?}");
    }

    /// Compares every sealed day, and what was said when each instant was the present.
    async fn compare(&mut self) {
        self.plan.move_to(self.plan.now().plus(2 * MINUTE));
        let list = self.plan.get("/snapshots?limit=1000").await;
        let mut newest: BTreeMap<String, Value> = BTreeMap::new();
        for snapshot in list["snapshots"].as_array().unwrap().iter().rev() {
            newest.insert(snapshot["header"]["day"].as_str().unwrap().to_owned(), snapshot.clone());
        }
        for (day, snapshot) in &newest {
            self.agree_with_snapshot(day, snapshot).await;
        }
        for live in std::mem::take(&mut self.lives) {
            if !live.outdated {
                self.agree_with_live(&live).await;
            }
        }
    }

    async fn agree_with_snapshot(&mut self, day: &str, snapshot: &Value) {
        let header = &snapshot["header"];
        let as_of = header["as_of"].as_str().unwrap();
        let census = self.plan.get(&format!("/census?as_of={as_of}")).await;
        for (member, value) in header["census"].as_object().unwrap() {
            assert_eq!(&census[member], value, "{member} of {day}");
        }
        assert_has(&census["basis"], json!({"kind": "snapshot", "hash": snapshot["hash"]}));
        assert_eq!(census["devices"], header["size"], "{day}");
        let leaves = self.plan.text(&format!("/snapshots/{day}/leaves")).await;
        let leaves: Vec<Leaf> = leaves.lines().map(|line| Leaf::read(line).unwrap()).collect();
        let listed = self.plan.get(&format!("/devices?limit=1000&as_of={as_of}")).await;
        let told = |d: &Value| {
            ["id", "zone", "mac", "ip", "category", "type", "verdict", "first_seen", "last_seen"]
                .map(|member| d[member].as_str().unwrap().to_owned())
        };
        let mut listed: Vec<_> = listed["devices"].as_array().unwrap().iter().map(told).collect();
        let mut sealed: Vec<_> =
            leaves.iter().map(|leaf| told(&serde_json::to_value(leaf).unwrap())).collect();
        listed.sort();
        sealed.sort();
        assert_eq!(listed, sealed, "the devices of {day}");
        if self.dice.roll(25) == 0 {
            let out = command(&self.plan, &["census", "--json", "--as-of", as_of]);
            let mut said: Value = serde_json::from_slice(&out.stdout).unwrap();
            // The command has other rules than these tests' service.
            said["basis"]["differing"] = census["basis"]["differing"].clone();
            assert_eq!(said, census, "the command line about {day}");
        }
        self.compared += 1;
    }

    async fn agree_with_live(&mut self, live: &Live) {
        let then = self.plan.get(&format!("/census?as_of={}", live.at)).await;
        let (basis, billable) = (&then["basis"], live.census["billable"].as_u64().unwrap());
        let place = format!("{}\nlive {:#}\nthen {then:#}", live.at, live.census);
        assert_eq!(then["committed"], live.census["committed"], "{place}");
        if basis["kind"] == "kept" {
            let (at_least, at_most) =
                (basis["at_least"].as_u64().unwrap(), basis["at_most"].as_u64().unwrap());
            assert!((at_least..=at_most).contains(&billable), "{place}");
            let shown = then["billable"].as_u64().unwrap();
            assert!((at_least..=at_most).contains(&shown), "{place}");
            if basis["unsure"] == 0 {
                for member in ["network", "iot", "devices", "tabs"] {
                    assert_eq!(then[member], live.census[member], "{member} at {place}");
                }
                assert_eq!(of_devices(&then), of_devices(&live.census), "{place}");
            }
        }
        self.compared += 1;
    }
}

/// The devices that do not count, by rule. Couplings of no device have other rules.
fn of_devices(census: &Value) -> Value {
    let mut excluded = census["excluded"].clone();
    let lines = ["X-BCAST", "X-PUB", "X-ROUTED", "X-VIRT"];
    excluded.as_object_mut().unwrap().retain(|rule, _| !lines.contains(&rule.as_str()));
    excluded
}

/// Compares at least `pairs` pairs of a history and an instant, on histories that begin with `seed`.
async fn pasts_agree(backend: Backend, seed: u64, pairs: u32) {
    let (mut compared, mut seed) = (0, seed);
    while compared < pairs {
        let mut history = History::new(backend, seed).await;
        for _ in 0..28 {
            for _ in 0..=history.dice.roll(2) {
                history.observe().await;
            }
            if history.dice.roll(3) == 0 {
                history.decide().await;
            }
            history.pass().await;
        }
        history.compare().await;
        assert!(history.compared > 0);
        compared += history.compared;
        seed += 1_001;
    }
}

/// How many pairs each of the tests below compares: `PASTS=500` compares 1,000 on each database.
fn pairs() -> u32 {
    std::env::var("PASTS").ok().map_or(40, |pairs| pairs.parse().unwrap())
}

#[tokio::test]
async fn random_pasts_agree_on_sqlite_1() {
    pasts_agree(Backend::Sqlite, 1, pairs()).await;
}

#[tokio::test]
async fn random_pasts_agree_on_sqlite_2() {
    pasts_agree(Backend::Sqlite, 2, pairs()).await;
}

#[tokio::test]
async fn random_pasts_agree_on_postgresql_1() {
    pasts_agree(Backend::Postgres, 3, pairs()).await;
}

#[tokio::test]
async fn random_pasts_agree_on_postgresql_2() {
    pasts_agree(Backend::Postgres, 4, pairs()).await;
}
