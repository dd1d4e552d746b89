//! Lists of devices: filters, orders, pages, and the same as files.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answers::each;
use crate::support::browser::Browser;
use crate::support::databases::on_each_database;
use crate::support::program::program_at;
use crate::support::{Plan, START, Seen, TestSensor, assert_has};

on_each_database! {
    every_order_gives_every_device_once_page_by_page_and_its_descending_order_is_the_reverse,
    a_list_is_ordered_by_address_and_importance_by_its_meaning,
    the_next_page_is_of_the_same_time_and_only_of_the_same_list,
    a_list_stays_whole_while_devices_arrive_but_in_the_console_it_stays_in_the_present,
    a_device_that_leaves_the_list_neither_hides_nor_repeats_another_on_the_next_page,
    pages_lead_back_to_the_first_and_jump_to_any_place,
    each_filter_selects_its_devices_and_the_tabs_add_up_to_all,
    unknown_filters_and_values_are_refused,
    a_query_selects_the_same_devices_for_the_api_a_file_a_page_and_the_command_line,
    a_csv_file_has_every_device_of_the_list,
    no_cell_of_a_csv_file_is_a_formula,
    a_csv_file_has_the_filters_the_order_and_the_columns_that_are_asked_for,
    a_file_of_json_lines_has_every_device_of_the_list,
}

const HOSTILE: &str = "iot-,\"=HYPERLINK(\"http://x\")";

/// 23 devices in two zones. Some have the same name, one has a formula for a name.
async fn with_devices(plan: &Plan) -> TestSensor {
    let sensor = plan.ready().await;
    let mut seen = Seen::default();
    for n in 1..=20 {
        let name = match n % 4 {
            0 => "network-core",
            1 => "iot-camera",
            2 => "computer_mobile-pc",
            _ => "",
        };
        seen = seen.arp(&format!("00:40:8c:00:00:{n:02x}"), &format!("10.0.0.{n}"), name);
    }
    seen.arp("00:40:8c:00:00:ff", "10.0.0.200", HOSTILE).send(plan, &sensor, 1, "hq").await;
    let far = Seen::default().arp("00:40:8c:00:00:01", "10.0.0.1", "iot-x");
    far.arp("00:40:8c:00:00:02", "10.0.0.2", "iot-y").send(plan, &sensor, 2, "branch").await;
    sensor
}

fn ids(page: &Value) -> Vec<String> {
    each(&page["devices"], "id")
}

/// The ids of the devices on all pages of a list, page by page.
async fn paged(plan: &Plan, query: &str) -> Vec<String> {
    let (mut after, mut paged) = (String::new(), Vec::new());
    loop {
        let page = plan.get(&format!("/devices?{query}{after}")).await;
        assert_eq!(page["total"], 23);
        paged.extend(ids(&page));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return paged,
        }
    }
}

/// Sets properties of the device in the zone hq that has this address.
async fn edit(plan: &Plan, ip: &str, set: Value) {
    let found = plan.get(&format!("/devices?q={ip}&zone=hq")).await;
    let device = found["devices"].as_array().unwrap().iter().find(|device| device["ip"] == ip).unwrap();
    plan.post("/devices/edit", json!({"ids": [device["id"]], "set": set})).await.succeeds(200);
}

async fn is_invalid(plan: &Plan, path: &str) {
    let answer = plan.try_get(path).await;
    assert_eq!(answer.problem(), (400, "invalid-request"), "{path}");
}

async fn every_order_gives_every_device_once_page_by_page_and_its_descending_order_is_the_reverse(
    plan: Plan,
) {
    with_devices(&plan).await;
    edit(&plan, "10.0.0.7", json!({"importance": "low", "location": "roof"})).await;
    for column in [
        "ip",
        "mac",
        "zone",
        "name",
        "category",
        "type",
        "vendor",
        "model",
        "os",
        "location",
        "importance",
        "couplings",
        "first_seen",
        "last_seen",
        "verdict",
    ] {
        let mut both = Vec::new();
        for sort in [column.to_owned(), format!("-{column}")] {
            let whole = ids(&plan.get(&format!("/devices?sort={sort}&limit=1000")).await);
            assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), 23, "{sort}");
            assert_eq!(paged(&plan, &format!("sort={sort}&limit=5")).await, whole, "{sort}");
            both.push(whole);
        }
        both[1].reverse();
        assert_eq!(both[0], both[1], "{column}");
    }
}

async fn a_list_is_ordered_by_address_and_importance_by_its_meaning(plan: Plan) {
    with_devices(&plan).await;
    edit(&plan, "10.0.0.7", json!({"importance": "low"})).await;
    let by_default = ids(&plan.get("/devices?limit=1000").await);
    assert_eq!(by_default, ids(&plan.get("/devices?limit=1000&sort=ip").await));
    assert_eq!(plan.get("/devices?sort=importance&limit=1").await["devices"][0]["ip"], "10.0.0.7");
}

async fn the_next_page_is_of_the_same_time_and_only_of_the_same_list(plan: Plan) {
    with_devices(&plan).await;
    let first = plan.get("/devices?category=iot&limit=2").await;
    let next = first["next"].as_str().unwrap();
    plan.set_time("2026-11-22T10:00:00Z");
    let second = plan.get(&format!("/devices?category=iot&limit=3&after={next}")).await;
    assert_eq!(second["as_of"], first["as_of"]);
    for other in [
        format!("/devices?category=network&after={next}"),
        format!("/devices?category=iot&sort=name&after={next}"),
        format!("/devices?category=iot&as_of=2026-11-22T10:00:00Z&after={next}"),
    ] {
        assert_eq!(plan.try_get(&other).await.problem(), (400, "cursor-mismatch"), "{other}");
    }
    is_invalid(&plan, "/devices?after=x").await;
}

async fn a_list_stays_whole_while_devices_arrive_but_in_the_console_it_stays_in_the_present(plan: Plan) {
    let sensor = with_devices(&plan).await;
    let first = plan.get("/devices?limit=2").await;
    let next = format!("/devices?limit=2&after={}", first["next"].as_str().unwrap());
    let seen = Seen::default().arp("00:40:8c:00:01:01", "10.0.1.1", "iot-new");
    seen.send(&plan, &sensor, 3, "hq").await;
    plan.set_time("2026-11-22T09:03:00Z");
    assert_eq!(plan.get("/devices").await["total"], 24);
    let second = plan.get(&next).await;
    assert_eq!((&second["total"], &second["as_of"]), (&first["total"], &first["as_of"]));
    assert_eq!(second["basis"], Value::Null, "it is the count of the first page, not one of the past");
    let page = Browser::sign_in(&plan).await.show(&next).await;
    page.assert(200, "of 24");
}

async fn a_device_that_leaves_the_list_neither_hides_nor_repeats_another_on_the_next_page(plan: Plan) {
    with_devices(&plan).await;
    let first = plan.get("/devices?category=iot&limit=2").await;
    let next = format!("/devices?category=iot&limit=3&after={}", first["next"].as_str().unwrap());
    let second = plan.get(&next).await;
    let last = ids(&first).pop().unwrap();
    let leave = json!({"ids": [last], "set": {"category": "network"}});
    plan.post("/devices/edit", leave).await.succeeds(200);
    assert_eq!(ids(&plan.get(&next).await), ids(&second));
}

async fn pages_lead_back_to_the_first_and_jump_to_any_place(plan: Plan) {
    with_devices(&plan).await;
    for sort in ["ip", "-name", "last_seen"] {
        let whole = ids(&plan.get(&format!("/devices?sort={sort}&limit=1000")).await);
        let mut page = plan.get(&format!("/devices?sort={sort}&limit=5&skip=20")).await;
        assert_eq!((page["skipped"].as_u64(), page["next"].as_str()), (Some(20), None), "{sort}");
        let mut backward = vec![ids(&page)];
        while let Some(previous) = page["previous"].as_str() {
            page = plan.get(&format!("/devices?sort={sort}&limit=5&before={previous}")).await;
            let skipped = usize::try_from(page["skipped"].as_u64().unwrap()).unwrap();
            assert_eq!(ids(&page), whole[skipped..skipped + 5], "{sort}");
            assert!(page["next"].is_string());
            backward.push(ids(&page));
        }
        backward.reverse();
        assert_eq!(backward.concat(), whole, "{sort}");
    }
    let from = plan.get("/devices?sort=name&from=NET").await;
    assert_eq!(
        (from["devices"][0]["name"].as_str(), from["total"].as_u64()),
        (Some("network-core"), Some(23))
    );
    let from = plan.get("/devices?sort=-name&from=iot&limit=1").await;
    assert!(from["devices"][0]["name"].as_str().unwrap().starts_with("iot"), "{from}");
    let past = plan.get("/devices?skip=99999999999").await;
    assert_eq!((ids(&past), past["skipped"].as_u64()), (Vec::<String>::new(), Some(23)));
    for wrong in ["skip=1&from=a", "from=1&sort=ip", "before=x"] {
        is_invalid(&plan, &format!("/devices?{wrong}")).await;
    }
}

async fn each_filter_selects_its_devices_and_the_tabs_add_up_to_all(plan: Plan) {
    with_devices(&plan).await;
    edit(&plan, "10.0.0.7", json!({"tags": ["Floor 3"], "type": "printer"})).await;
    for (filter, total) in [
        ("category=network", 5),
        ("category=iot", 9),
        ("verdict=X-CM", 5),
        ("zone=branch", 2),
        ("type=printer", 1),
        ("tag=floor%203", 1),
        ("importance=normal", 23),
        ("importance=high", 0),
        ("managed=false", 23),
        ("managed=true", 0),
        ("vendor=nobody", 0),
        ("q=camera%20hq", 5),
        ("q=floor", 1),
        ("category=&q=", 23),
    ] {
        let page = plan.get(&format!("/devices?{filter}")).await;
        assert_eq!(page["total"], total, "{filter}");
        let tabs = ["computer_mobile", "network", "iot", "unclassified"];
        let sum: u64 = tabs.iter().map(|tab| page["tabs"][*tab].as_u64().unwrap()).sum();
        assert_eq!((sum, page["tabs"]["all"].as_u64().unwrap()), (23, 23), "{filter}");
    }
    assert_eq!(plan.get("/census").await["tabs"], plan.get("/devices").await["tabs"]);
}

async fn unknown_filters_and_values_are_refused(plan: Plan) {
    for wrong in [
        "verdict=X-PUB",
        "verdict=X-Y",
        "managed=yes",
        "importance=huge",
        "sort=colour",
        "sort=-evidence",
        "colour=red",
        "limit=-1",
        "as_of=noon",
        "q=vendro:axis",
        "q=a%20or",
    ] {
        is_invalid(&plan, &format!("/devices?{wrong}")).await;
    }
    is_invalid(&plan, "/devices.csv?columns=ip,colour").await;
    let answer = plan.try_get("/devices?q=camera%20vendro:axis").await;
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("query, column 8: unknown field 'vendro'; did you mean 'vendor'?"),
        "{detail}"
    );
}

async fn a_query_selects_the_same_devices_for_the_api_a_file_a_page_and_the_command_line(plan: Plan) {
    with_devices(&plan).await;
    edit(&plan, "10.0.0.7", json!({"tags": ["Floor 3"], "type": "printer", "location": "Hall 2"})).await;
    let browser = Browser::sign_in(&plan).await;
    for (query, total) in [
        ("category:network", 5),
        ("counts:no category:computer-mobile", 5),
        ("name:network* or name:*pc", 10),
        ("type:printer tag:\"floor 3\" location:\"hall 2\"", 1),
        ("not zone:hq", 2),
        ("zone:h* not (category:iot or category:network)", 9),
        ("ip:10.0.0.0/29", 9),
        ("ip:10.0.0.8/29 camera", 2),
        ("mac:00-40-8c-*", 23),
        ("0040.8c00.00ff", 1),
        ("mac:0040.8C00.00FF", 1),
        ("\"camera 00\" or name:iot-camera zone:hq", 5),
        ("couplings:1 importance:normal managed:no random:no", 23),
        ("seen<1h", 23),
        ("seen>1h", 0),
        ("first<2026-11-01", 0),
        ("camera hq", 5),
    ] {
        let q = serde_urlencoded::to_string([("q", query)]).unwrap();
        let list = plan.get(&format!("/devices?{q}&limit=1000")).await;
        assert_eq!(list["total"], total, "{query}");
        let listed = ids(&list);
        let file = plan.text(&format!("/devices.csv?{q}&columns=id")).await;
        assert_eq!(file.lines().skip(1).collect::<Vec<_>>(), listed, "{query}");
        let page = browser.show(&format!("/devices?{q}")).await;
        let (_, table) = page.html.split_once("<table").unwrap_or_default();
        let links = table.split("/devices/").skip(1).map(|rest| rest.get(..16).unwrap());
        assert_eq!(links.collect::<Vec<_>>(), listed, "{query}");
    }
    // The command line sorts by the built-in rules, so these queries ask for no category.
    for query in [
        "not zone:hq",
        "ip:10.0.0.0/29",
        "mac:00-40-8c-* tag:\"floor 3\"",
        "0040.8C00.00FF",
        "seen>1h",
        "branch",
    ] {
        let q = serde_urlencoded::to_string([("q", query)]).unwrap();
        let listed = ids(&plan.get(&format!("/devices?{q}&limit=1000")).await);
        let arguments = ["devices", "--query", query, "--json"];
        let output = program_at(&plan.database, START, &arguments).output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(ids(&document), listed, "{query}");
    }
    let wrong = program_at(&plan.database, START, &["devices", "--search", "sen<7d"]).output().unwrap();
    let message = String::from_utf8(wrong.stderr).unwrap();
    assert!(message.contains("column 1: unknown field 'sen'; did you mean 'seen'?"), "{message}");
}

/// A file of CSV with its header.
struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn read(text: &str) -> Self {
        let mut rows = csv_rows(text);
        Self { header: rows.remove(0), rows }
    }

    fn cell<'a>(&self, row: &'a [String], column: &str) -> &'a str {
        &row[self.header.iter().position(|name| name == column).unwrap()]
    }

    /// The row of the device in the zone hq that has this address.
    fn row(&self, ip: &str) -> &[String] {
        let is_it = |row: &&Vec<String>| self.cell(row, "ip") == ip && self.cell(row, "zone") == "hq";
        self.rows.iter().find(is_it).unwrap()
    }
}

async fn a_csv_file_has_every_device_of_the_list(plan: Plan) {
    with_devices(&plan).await;
    let text = plan.text("/devices.csv").await;
    let table = Table::read(&text);
    assert_eq!((table.header[0].as_str(), table.header.last().unwrap().as_str()), ("id", "policy"));
    assert_eq!(table.rows.len(), 23);
    assert!(table.rows.iter().all(|row| row.len() == table.header.len()));
    let listed: Vec<&str> = table.rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(listed, ids(&plan.get("/devices?limit=1000").await));
    for row in &table.rows {
        assert_eq!(table.cell(row, "policy"), "count-v1");
        assert_eq!(table.cell(row, "as_of"), "2026-11-22T09:00:00Z");
    }
    let counted = table.rows.iter().filter(|row| table.cell(row, "counted") == "true").count();
    assert_eq!(json!(counted), plan.get("/census").await["billable"]);
    assert!(text.ends_with("\r\n") && !text.starts_with('\u{feff}'));
}

async fn no_cell_of_a_csv_file_is_a_formula(plan: Plan) {
    with_devices(&plan).await;
    edit(&plan, "10.0.0.3", json!({"name": "=cmd|' /C calc'!A0", "location": "@SUM(A1)"})).await;
    let table = Table::read(&plan.text("/devices.csv").await);
    let edited = table.row("10.0.0.3");
    assert_eq!(table.cell(edited, "name"), "'=cmd|' /C calc'!A0");
    assert_eq!(table.cell(edited, "location"), "'@SUM(A1)");
    assert_eq!(table.cell(table.row("10.0.0.200"), "name"), HOSTILE);
    for row in &table.rows {
        assert!(row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r'])), "{row:?}");
    }
}

async fn a_csv_file_has_the_filters_the_order_and_the_columns_that_are_asked_for(plan: Plan) {
    with_devices(&plan).await;
    let text = plan.text("/devices.csv?category=network&sort=-ip&columns=ip,name").await;
    let rows: Vec<&str> = text.split("\r\n").collect();
    assert_eq!((rows[0], rows[1], rows.len()), ("ip,name", "10.0.0.20,network-core", 7));
}

async fn a_file_of_json_lines_has_every_device_of_the_list(plan: Plan) {
    with_devices(&plan).await;
    let text = plan.text("/devices.ndjson?category=iot").await;
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let list = plan.get("/devices?category=iot&limit=1000").await;
    let devices = list["devices"].as_array().unwrap();
    assert_eq!(lines.len(), devices.len());
    for (line, device) in lines.iter().zip(devices) {
        let (id, couplings) = (&device["id"], &device["couplings"]);
        assert_has(line, json!({"id": id, "couplings": couplings, "policy": "count-v1"}));
    }
}

#[tokio::test]
async fn each_file_has_its_media_type() {
    let plan = Plan::start().await;
    for (path, expected) in
        [("/devices.csv", "text/csv; charset=utf-8"), ("/devices.ndjson", "application/x-ndjson")]
    {
        let answer = plan.request(Method::GET, path).send().await.unwrap();
        let found = answer.headers()["content-type"].to_str().unwrap();
        assert!(found.starts_with(expected), "{path}: {found}");
    }
}

#[tokio::test]
async fn a_file_has_no_cap() {
    let plan = Plan::start().await;
    let sensor = plan.ready().await;
    Seen::default().many("iot", 0, 3_000).send(&plan, &sensor, 1, "hq").await;
    assert_eq!(csv_rows(&plan.text("/devices.csv?columns=id,ip").await).len(), 3_001);
    assert_eq!(plan.text("/devices.ndjson?columns=id").await.lines().count(), 3_000);
}

/// Reads CSV without the crate that writes it: quotes, doubled quotes, line ends within quotes.
fn csv_rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quoted) {
            ('"', true) if chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            ('"', _) => quoted = !quoted,
            (',', false) => row.push(std::mem::take(&mut cell)),
            ('\r', false) if chars.peek() == Some(&'\n') => {
                chars.next();
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            (c, _) => cell.push(c),
        }
    }
    assert!(cell.is_empty() && row.is_empty() && !quoted);
    rows
}
