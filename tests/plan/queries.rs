//! Random queries: the search box, the address of the page, the API, a file and the command line give the same devices, and
//! refuse the same queries with the same words.

use std::path::Path;
use std::process::Output;
use std::thread;

use netcensus::plan::app;
use netcensus::plan::app::inventory::Patience;
use serde_json::{Value, json};

use crate::support::answers::each;
use crate::support::browser::{Browser, Page};
use crate::support::databases::Backend;
use crate::support::dice::Dice;
use crate::support::program::{configure_by_name, program_at};
use crate::support::{Plan, START, Seen};

/// How many queries are compared.
const QUERIES: usize = 500;
/// The command line answers one in this many, because a process for each takes minutes. It answers all if
/// `NETCENSUS_QUERIES` is set.
const OF_COMMAND: usize = 5;

/// 30 devices of two zones, some of which people edited. The service has the rules of the command line.
async fn with_devices(rules: &Path) -> Plan {
    let classifier = app::classifier(Some(rules)).unwrap();
    let plan = Plan::start_counted_by(Backend::Sqlite, classifier, Patience::ENDLESS).await;
    let sensor = plan.ready().await;
    let mut seen = Seen::default();
    for n in 1..=24_u32 {
        let name = match n % 5 {
            0 => "network-core switch",
            1 => "iot-camera",
            2 => "computer_mobile-pc",
            3 => "iot-Axis \"hall\" 2",
            _ => "",
        };
        let mac =
            if n % 6 == 0 { format!("5a:ac:78:00:00:{n:02x}") } else { format!("58:ac:78:00:00:{n:02x}") };
        seen = seen.arp(&mac, &format!("10.20.{}.{n}", n % 3), name);
    }
    seen.arp("58:ac:78:00:01:01", "2001:db8::1", "iot-six").send(&plan, &sensor, 1, "hq").await;
    let far = Seen::default().many("iot", 1, 5);
    far.send(&plan, &sensor, 2, "Branch office").await;
    let ids = each(&plan.get("/devices?zone=hq&limit=1000").await["devices"], "id");
    for (n, set) in [
        json!({"tags": ["lab", "Floor 2"], "location": "Hall 2"}),
        json!({"type": "camera", "importance": "high"}),
        json!({"category": "network", "tags": ["lab"]}),
        json!({"name": "or", "location": "a*b (c)"}),
    ]
    .into_iter()
    .enumerate()
    {
        plan.post("/devices/edit", json!({"ids": [ids[n], ids[n + 5]], "set": set})).await.succeeds(200);
    }
    plan.post("/devices/edit", json!({"ids": [ids[9]], "delete": true})).await.succeeds(200);
    plan.post("/devices/edit", json!({"ids": [ids[11]], "managed_by": "mdm"})).await.succeeds(200);
    plan.post("/devices/merge", json!({"ids": [ids[12], ids[13]]})).await.succeeds(200);
    plan
}

/// A term, sometimes one that cannot be read.
fn term(dice: &mut Dice) -> String {
    let fields = ["name", "vendor", "model", "os", "firmware", "location", "zone", "tag", "type", "role"];
    let texts = [
        "iot",
        "core",
        "\"core switch\"",
        "axis",
        "*",
        "c*",
        "*a*",
        "camera",
        "lab",
        "\"floor 2\"",
        "hq",
        "\"a\\*b (c)\"",
        "\"or\"",
        "Hall",
        "\"branch office\"",
        "pc",
    ];
    let words = [
        "iot",
        "CORE",
        "10.20.",
        "58ac.7800.0001",
        "58-AC-78-00-00-06",
        "10.20.1.0/24",
        "2001:db8::1",
        "hq",
        "\"hall\\\" 2\"",
        "c-iot",
        "58-ac-78-*",
        "\"not\"",
        "x-idle",
        "10.20.2.5",
        "zz",
    ];
    let operators = ["<", "<=", ">", ">="];
    match dice.roll(16) {
        0..3 => (*dice.of(&words)).to_owned(),
        3..7 => {
            let sign = if dice.roll(3) == 0 { "=" } else { ":" };
            format!("{}{sign}{}", dice.of(&fields), dice.of(&texts))
        }
        7 => format!("category:{}", dice.of(&["iot", "network", "computer-mobile", "unclassified", "toys"])),
        8 => format!("verdict:{}", dice.of(&["C-IOT", "c-net", "X-DEL", "X-MANAGED", "X-CM", "X-Y"])),
        9 => format!("importance:{}", dice.of(&["low", "normal", "high"])),
        10 => format!("{}:{}", dice.of(&["counts", "random", "managed"]), dice.of(&["yes", "no"])),
        11 => {
            format!("ip:{}", dice.of(&["10.20.0.0/24", "10.20.1.*", "10.20.2.2", "2001:db8::/32", "10.20"]))
        }
        12 => format!("mac:{}", dice.of(&["58-ac-78-*", "5AAC.7800.0006", "5a:*", "58:ac:78:00:00:0", "*"])),
        13 => format!("couplings{}{}", dice.of(&["<", ">", ">=", ":"]), dice.roll(4)),
        14 => {
            let when = ["1d", "0s", "3w", "2026-11-22", "2026-11-22T09:00:00Z", "2026-11-23", "soon"];
            format!("{}{}{}", dice.of(&["seen", "first"]), dice.of(&operators), dice.of(&when))
        }
        _ => (*dice.of(&["vendro:axis", "(", "name:", "not", "seen:1d", "\"open"])).to_owned(),
    }
}

fn query(dice: &mut Dice, depth: u64) -> String {
    let mut out = String::new();
    for place in 0..=dice.roll(3) {
        if place > 0 {
            let joint = *dice.of(&[" ", " ", " and ", " or "]);
            out.push_str(joint);
        }
        if dice.roll(4) == 0 {
            out.push_str("not ");
        }
        if depth > 0 && dice.roll(4) == 0 {
            out.push_str(&format!("({})", query(dice, depth - 1)));
        } else {
            out.push_str(&term(dice));
        }
    }
    out
}

/// The devices of a query, or why it is refused.
type Answer = Result<Vec<String>, String>;

async fn of_api(plan: &Plan, q: &str) -> Answer {
    let answer = plan.try_get(&format!("/devices?{q}&limit=1000")).await;
    match answer.status.as_u16() {
        200 => Ok(each(&answer.body["devices"], "id")),
        400 => Err(answer.body["detail"].as_str().unwrap().to_owned()),
        other => panic!("{q}: {other}"),
    }
}

/// The devices in the rows of a page of the console.
fn of_page(page: &Page) -> Vec<String> {
    let (_, table) = page.html.split_once("<tbody>").unwrap_or_default();
    table.split("/devices/").skip(1).map(|rest| rest.get(..16).unwrap().to_owned()).collect()
}

fn of_command(output: &Output) -> Answer {
    if output.status.success() {
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        return Ok(each(&document["devices"], "id"));
    }
    Err(String::from_utf8(output.stderr.clone()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_queries_give_the_same_devices_in_box_address_api_file_and_command_line() {
    let folder = tempfile::tempdir().unwrap();
    configure_by_name(folder.path());
    let plan = with_devices(folder.path()).await;
    let browser = Browser::sign_in(&plan).await;
    let config = folder.path().join("plan.conf");
    let mut dice = Dice(17);
    let queries: Vec<String> = (0..QUERIES).map(|_| query(&mut dice, 2)).collect();
    let (mut found, mut empty, mut refused) = (0, 0, 0);
    let mut answers = Vec::new();
    for query in &queries {
        let q = serde_urlencoded::to_string([("q", query)]).unwrap();
        let answer = of_api(&plan, &q).await;
        let page = browser.show(&format!("/devices?{q}")).await;
        match &answer {
            Ok(ids) => {
                let file = plan.text(&format!("/devices.csv?{q}&columns=id")).await;
                assert_eq!(of_page(&page), *ids, "{query}");
                assert_eq!(file.lines().skip(1).collect::<Vec<_>>(), *ids, "{query}");
                found += usize::from(!ids.is_empty());
                empty += usize::from(ids.is_empty());
                // The form sends the query that the box shows.
                let (_, shown) = page.html.split_once("<input id=\"q\"").unwrap();
                let (_, shown) = shown.split_once(" value=\"").unwrap();
                assert_eq!(unescaped(shown.split('"').next().unwrap()), *query);
            }
            Err(why) => {
                assert_eq!(page.status, 400, "{query}");
                assert!(unescaped(&page.html).contains(why.trim_end_matches('.')), "{query}: {why}");
                refused += 1;
            }
        }
        answers.push(answer);
    }
    let step = if std::env::var_os("NETCENSUS_QUERIES").is_some() { 1 } else { OF_COMMAND };
    let asked: Vec<(&String, &Answer)> = queries.iter().zip(&answers).step_by(step).collect();
    let (database, config) = (&plan.database, &config);
    let compare = |asked: &[(&String, &Answer)]| {
        for (query, answer) in asked {
            let mut command = program_at(database, START, &["devices"]);
            command.arg("--config").arg(config).arg("--json").arg(format!("--query={query}"));
            let told = of_command(&command.output().unwrap());
            match (answer, told) {
                (Ok(ids), told) => assert_eq!(told.as_ref(), Ok(ids), "{query}"),
                (Err(why), Err(told)) => assert!(told.contains(why.as_str()), "{query}: {why}: {told}"),
                (Err(why), Ok(_)) => panic!("{query}: {why}"),
            }
        }
    };
    let (one, other) = asked.split_at(asked.len() / 2);
    thread::scope(|threads| {
        threads.spawn(|| compare(one));
        threads.spawn(|| compare(other));
    });
    assert!(found > 150 && empty > 50 && refused > 50, "{found} {empty} {refused}");
}

fn unescaped(html: &str) -> String {
    html.replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#38;", "&")
}
