//! Everybody says the same number. After each of many random changes, these agree: the API's census, document, lists and
//! tabs, the CSV, the metrics, and the console. Every few states the command line, the day's snapshot and the month's
//! statement must agree too.

use std::collections::BTreeMap;

use netcensus::census::{Policy, Survey, Timestamp};
use netcensus::plan::store::CredentialKind;
use netcensus::wire::{CaptureSummary, Document};
use reqwest::{StatusCode, header};
use serde_json::{Value, json};

use crate::support::databases::{self, Backend};
use crate::support::dice::Dice;
use crate::support::program::configure_by_name;
use crate::support::service::ByName;
use crate::support::{Plan, TestSensor, send, upload};

const MINUTE: i64 = 60_000_000_000;
const DAY: i64 = 1_440 * MINUTE;
struct World {
    plan: Plan,
    sensor: TestSensor,
    dice: Dice,
    sequence: u64,
    session: String,
    signed_in: Timestamp,
    folder: tempfile::TempDir,
    /// The billable count of each sealed day, in order.
    sealed: Vec<(String, u64)>,
}

impl World {
    async fn new(backend: Backend, seed: u64) -> Self {
        let plan = Plan::start_on(backend).await;
        let monthly = json!({"kind": "monthly", "devices": 100, "accept_terms": true});
        plan.post("/plan", monthly).await.succeeds(201);
        let sensor = plan.enrol().await;
        let folder = tempfile::tempdir().unwrap();
        configure_by_name(folder.path());
        Self {
            plan,
            sensor,
            dice: Dice(seed),
            sequence: 0,
            session: String::new(),
            signed_in: Timestamp(0),
            folder,
            sealed: Vec::new(),
        }
    }

    fn now(&self) -> Timestamp {
        self.plan.now()
    }

    /// Changes something at random: facts, decisions, the plan, or the time.
    async fn change(&mut self) {
        let devices = self.plan.get("/devices?limit=1000").await;
        let ids: Vec<String> = devices["devices"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| d["id"].as_str().unwrap().to_owned())
            .collect();
        match self.dice.roll(12) {
            0..=4 => self.observe().await,
            5 => {
                let later = self.now().plus(i64::try_from(1 + self.dice.roll(600)).unwrap() * MINUTE);
                self.plan.set_time(&later.to_string());
            }
            6 if !ids.is_empty() => {
                let id = self.dice.of(&ids).clone();
                let patch = match self.dice.roll(3) {
                    0 => json!({"category": "iot"}),
                    1 => json!({"category": "computer_mobile"}),
                    _ => json!({"name": "=HYPERLINK(1)", "importance": "high"}),
                };
                self.write(reqwest::Method::PATCH, &format!("/devices/{id}"), Some(patch)).await;
            }
            7 if !ids.is_empty() => {
                let id = self.dice.of(&ids).clone();
                self.write(reqwest::Method::DELETE, &format!("/devices/{id}"), None).await;
            }
            8 if ids.len() > 2 => {
                let merge = json!({"ids": [self.dice.of(&ids), self.dice.of(&ids)]});
                self.write(reqwest::Method::POST, "/devices/merge", Some(merge)).await;
            }
            9 => {
                let mac = format!("02:00:00:00:00:{:02x}", self.dice.roll(40));
                let import = json!({"source": "test", "force": true, "entries": [{"mac": mac}]});
                self.write(reqwest::Method::POST, "/managed/import", Some(import)).await;
            }
            10 => {
                let changes = self.plan.get("/changes").await;
                if let Some(number) = changes["changes"][0]["number"].as_i64() {
                    self.write(reqwest::Method::POST, &format!("/changes/{number}/undo"), None).await;
                }
            }
            _ => {
                let devices = 100 * (1 + self.dice.roll(3));
                let replace = json!({"kind": "monthly", "devices": devices, "accept_terms": true});
                self.write(reqwest::Method::POST, "/plan/replace", Some(replace)).await;
            }
        }
    }

    /// Sends a write. The service may refuse it but must not fail.
    async fn write(&self, method: reqwest::Method, path: &str, body: Option<Value>) {
        let mut request = self.plan.client.request(method, self.plan.of(path)).bearer_auth(&self.plan.token);
        request = request.header(header::IF_MATCH, "*");
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = send(request).await;
        assert!(answer.status.as_u16() < 500, "{path}: {answer:?}");
    }

    async fn observe(&mut self) {
        let mut seen = Vec::new();
        for _ in 0..=self.dice.roll(5) {
            let host = self.dice.roll(40);
            let mac = format!("02:00:00:00:00:{host:02x}");
            let ip = match self.dice.roll(6) {
                0 => format!("10.0.1.{}", 1 + self.dice.roll(60)),
                1 => format!("fe80::{}", 1 + host),
                _ => format!("10.0.0.{}", 1 + host),
            };
            let kind = *self.dice.of(&["network", "iot", "iot", "computer_mobile", "what"]);
            let back = i64::try_from(self.dice.roll(40 * 24)).unwrap() * 60 * MINUTE;
            let old = self.dice.roll(4) == 0;
            let at = self.now().plus(if old { -back } else { -MINUTE });
            seen.push((mac, ip, format!("{kind}-{host}"), at.to_string()));
        }
        let seen: Vec<(&str, &str, &str, &str)> =
            seen.iter().map(|(m, i, n, a)| (m.as_str(), i.as_str(), n.as_str(), a.as_str())).collect();
        self.sequence += 1;
        let zone = *self.dice.of(&["hq", "hq", "branch"]);
        self.plan.upload(&self.sensor, &upload(self.sequence, zone, &seen)).await.succeeds(201);
    }

    /// The census by verdict, without zeros.
    fn verdicts(census: &Value) -> BTreeMap<String, u64> {
        let mut out: BTreeMap<String, u64> =
            serde_json::from_value(census["excluded"].clone()).unwrap_or_default();
        out.insert("C-NET".into(), census["network"].as_u64().unwrap());
        out.insert("C-IOT".into(), census["iot"].as_u64().unwrap());
        out.retain(|_, n| *n > 0);
        out
    }

    /// The document of the same instant, counted at once from what the database holds.
    async fn counted_anew(&self, document: &Value) -> Value {
        let (store, sid) = (&self.plan.store, &self.plan.sid);
        let policy = Policy::default();
        let inventory = store.inventory(sid).await.unwrap();
        let inventory = inventory.admitted(&policy);
        let decisions = store.decisions(sid, None).await.unwrap().map(|(_, made)| made).unwrap_or_default();
        let as_of = document["as_of"].as_str().unwrap().parse().unwrap();
        let survey = Survey::new(&inventory, &policy, &decisions, &ByName, as_of);
        serde_json::to_value(Document::new(&survey, CaptureSummary::default(), None)).unwrap()
    }

    async fn text(&self, url: String) -> String {
        let request = self.plan.client.get(url).bearer_auth(&self.plan.token);
        request.send().await.unwrap().text().await.unwrap()
    }

    /// Compares everything that shows the present number.
    async fn agree(&mut self) {
        let census = self.plan.get("/census").await;
        let expected = Self::verdicts(&census);
        let billable = expected.get("C-NET").unwrap_or(&0) + expected.get("C-IOT").unwrap_or(&0);
        assert_eq!(census["billable"], billable);
        assert_eq!(census["commitment"], billable.div_ceil(100) * 100);
        let document = self.plan.get("/inventory").await;
        assert_eq!(Self::verdicts(&document["census"]), expected, "the document");
        let anew = self.counted_anew(&document).await;
        for part in ["devices", "census", "routed", "unaddressed"] {
            assert_eq!(document[part], anew[part], "counted in increments and anew: {part}");
        }

        let is_line = |id: &str| ["X-VIRT", "X-PUB", "X-ROUTED"].contains(&id);
        let of_devices: BTreeMap<String, u64> =
            expected.iter().filter(|(id, _)| !is_line(id)).map(|(id, n)| (id.clone(), *n)).collect();
        let total: u64 = of_devices.values().sum();
        let list = self.plan.get("/devices?limit=1000").await;
        assert_eq!((&list["total"], &census["devices"]), (&json!(total), &json!(total)));
        let mut listed = BTreeMap::new();
        for device in list["devices"].as_array().unwrap() {
            *listed.entry(device["verdict"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
        assert_eq!(listed, of_devices, "the list");
        let tabs: BTreeMap<String, u64> = serde_json::from_value(list["tabs"].clone()).unwrap();
        assert_eq!(tabs["all"], total, "the tabs");
        let tabs: u64 = tabs.iter().filter(|(tab, _)| *tab != "all").map(|(_, n)| n).sum();
        assert_eq!(tabs, total, "the tabs");
        if let Some((id, n)) = of_devices.iter().next() {
            let filtered = self.plan.get(&format!("/devices?verdict={id}&limit=1")).await;
            assert_eq!(filtered["total"], *n, "the list of {id}");
        }

        let csv = self.text(self.plan.of("/devices.csv?columns=id,name,verdict")).await;
        let mut exported = BTreeMap::new();
        for row in csv::Reader::from_reader(csv.as_bytes()).records() {
            let row = row.unwrap();
            assert!(!row[1].starts_with('='), "{row:?}");
            *exported.entry(row[2].to_owned()).or_insert(0) += 1;
        }
        assert_eq!(exported, of_devices, "the CSV");

        let metrics = self.text(format!("{}/metrics", self.plan.url)).await;
        let mut measured = BTreeMap::new();
        for line in metrics.lines().filter(|l| l.starts_with("netcensus_plan_devices{")) {
            let (labels, number) = line.rsplit_once(' ').unwrap();
            let verdict = labels.split("verdict=\"").nth(1).unwrap().split('"').next().unwrap();
            measured.insert(verdict.to_owned(), number.parse::<u64>().unwrap());
        }
        measured.retain(|_, n| *n > 0);
        assert_eq!(measured, expected, "the metrics");

        // The console, to a signed-in browser.
        let now = self.now();
        if self.session.is_empty() || now.since(self.signed_in) > 360 * MINUTE {
            self.signed_in = now;
            let session = self.plan.store.issue(CredentialKind::Session, Some("owner"), now).await.unwrap();
            self.session = format!("netcensus={}", session.secret);
        }
        let page = format!("{}/subscriptions/{}", self.plan.url, self.plan.sid);
        let page = self.plan.client.get(page).header(header::COOKIE, &self.session).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        let page = page.text().await.unwrap();
        let shown = |of: &str| -> u64 {
            let term = page.split(of).nth(1).unwrap_or_else(|| panic!("{of}: {page}"));
            let number = term.split("<b>").nth(1).unwrap().split("</b>").next().unwrap();
            number.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap()
        };
        let numbers = ["term network", "term iot", "term billable", "term commitment"].map(shown);
        let sum = [&census["network"], &census["iot"], &census["billable"], &census["commitment"]];
        assert_eq!(numbers.map(Some), sum.map(Value::as_u64), "the console");
    }

    /// Compares the command line, which counts from the database itself.
    async fn ask_the_command_line(&self) {
        let census = self.plan.get("/census").await;
        let as_of = census["as_of"].as_str().unwrap();
        let ask = |arguments: &[&str]| -> Value {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_netcensus-plan"));
            command.args(arguments).env("NETCENSUS_PLAN_DATABASE", databases::place(&self.plan.database));
            command.env("NETCENSUS_NOW", self.now().to_string());
            command.arg("--config").arg(self.folder.path().join("plan.conf")).arg("--json");
            let out = command.output().unwrap();
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            serde_json::from_slice(&out.stdout).unwrap()
        };
        assert_eq!(Self::verdicts(&ask(&["census", "--as-of", as_of])), Self::verdicts(&census));
        let month = as_of.get(..7).unwrap();
        let said = ask(&["statement", "show", month]);
        let answered = self.plan.get(&format!("/statements/{month}")).await;
        assert_eq!(said["statement"], answered["statement"], "the statement of {month}");
    }

    /// Moves to the next day, seals the day before, and compares its snapshot and its month's statement.
    async fn seal(&mut self) {
        let midnight = Timestamp((self.now().0 / DAY + 1) * DAY);
        self.plan.set_time(&midnight.plus(11 * MINUTE).to_string());
        // The token has expired by then.
        let token = self.plan.store.issue(CredentialKind::Token, Some("owner"), self.now()).await.unwrap();
        self.plan.token = token.secret;
        let census = self.plan.get(&format!("/census?as_of={midnight}")).await;
        let day = midnight.plus(-DAY).to_string();
        let day = day.get(..10).unwrap();
        let sealed = self.plan.post(&format!("/snapshots/{day}"), json!({})).await;
        assert!(sealed.status.is_success(), "{sealed:?}");
        let header = &sealed.body["header"];
        assert_eq!(Self::verdicts(&header["census"]), Self::verdicts(&census), "the snapshot of {day}");
        let leaves = self.text(self.plan.of(&format!("/snapshots/{day}/leaves"))).await;
        assert_eq!(header["size"], leaves.lines().count());
        self.sealed.push((day.to_owned(), census["billable"].as_u64().unwrap()));
        let month = day.get(..7).unwrap();
        let statement = self.plan.get(&format!("/statements/{month}")).await;
        let of_month = self.sealed.iter().filter(|(d, _)| d.starts_with(month)).map(|(_, n)| *n);
        let statement = &statement["statement"];
        assert_eq!(statement["peak_billable"].as_u64(), of_month.clone().max(), "the peak of {month}");
        assert_eq!(statement["last_billable"].as_u64(), of_month.clone().next_back(), "the last of {month}");
    }
}

/// Goes through random states that begin with `seed`.
///
/// A command costs a process and a sealing a day, so most states do without: `AGREEMENT_EVERY=1` asks for both in each
/// state, which takes minutes.
async fn agree(backend: Backend, seed: u64, states: u32) {
    let every = std::env::var("AGREEMENT_EVERY").ok().map(|every| every.parse::<u32>().unwrap());
    let mut world = World::new(backend, seed).await;
    for state in 1..=states {
        world.change().await;
        world.agree().await;
        if state % every.unwrap_or(60) == 0 {
            world.ask_the_command_line().await;
        }
        if state % every.unwrap_or(40) == 0 {
            world.seal().await;
        }
    }
}

/// Tests that run beside each other: name, database, seed, number of states.
macro_rules! everybody_says_the_same_number {
    ($($name:ident: $backend:ident, $seed:literal, $states:literal;)*) => {
        mod everybody_says_the_same_number {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                agree(Backend::$backend, $seed, $states).await;
            })*
        }
    };
}

// 900 states on SQLite, 250 on PostgreSQL.
everybody_says_the_same_number! {
    on_sqlite_1: Sqlite, 1, 150;
    on_sqlite_2: Sqlite, 2, 150;
    on_sqlite_3: Sqlite, 3, 150;
    on_sqlite_4: Sqlite, 4, 150;
    on_sqlite_5: Sqlite, 5, 150;
    on_sqlite_6: Sqlite, 6, 150;
    on_postgresql_1: Postgres, 7, 125;
    on_postgresql_2: Postgres, 8, 125;
}
