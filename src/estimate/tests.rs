//! The estimate of lists made by hand in the documented formats, with planted overlaps and known numbers.

use std::sync::OnceLock;

use super::limits::ROWS;
use super::*;
use crate::census::{Policy, Timestamp};
use crate::classify::Rules;

const SERVICENOW: &[u8] = include_bytes!("../../tests/plan/estimate/servicenow.csv");
const LANSWEEPER: &[u8] = include_bytes!("../../tests/plan/estimate/lansweeper.csv");
const CLIENTS: &[u8] = include_bytes!("../../tests/plan/estimate/meraki-clients.json");
const DEVICES: &[u8] = include_bytes!("../../tests/plan/estimate/meraki-devices.json");
const MACHINES: &[u8] = include_bytes!("../../tests/plan/estimate/defender-machines.json");

fn now() -> Timestamp {
    "2026-11-22T09:00:00Z".parse().unwrap()
}

fn file(name: &str, bytes: &[u8]) -> Reading {
    read(name, bytes, &ReadOptions::default()).unwrap()
}

/// The rules that are compiled in, read once.
pub(super) fn rules() -> &'static Rules {
    static RULES: OnceLock<Rules> = OnceLock::new();
    RULES.get_or_init(|| Rules::builtin().unwrap())
}

fn estimate(files: &[Reading]) -> Estimate {
    let sorter = Sorter::new(rules()).unwrap();
    let estimate = Estimate::new(files, None, &sorter, &Policy::default(), now()).unwrap();
    assert!(estimate.closes());
    estimate
}

/// Every row as a line: place, outcome, what it is, why.
fn lines(estimate: &Estimate) -> String {
    let mut out = format!("{}\n{:?}\n{:?}\n", estimate.arithmetic, estimate.ledger, estimate.excluded);
    for file in &estimate.files {
        out.push_str(&format!("{} {} {:?} {:?}\n", file.name, file.kind, file.ledger, file.notes));
    }
    for r in &estimate.rows {
        let name = r.name.as_deref().unwrap_or("–");
        out.push_str(&format!("{}:{} {:?} {} {}: {}\n", r.file, r.row, r.outcome, r.kind, name, r.why));
    }
    out
}

#[test]
fn each_list_alone_and_all_together_come_to_their_planted_numbers() {
    let all = [
        file("servicenow.csv", SERVICENOW),
        file("lansweeper.csv", LANSWEEPER),
        file("meraki-clients.json", CLIENTS),
        file("meraki-devices.json", DEVICES),
        file("defender-machines.json", MACHINES),
    ];
    let alone: Vec<(u64, u64)> =
        all.iter().map(|f| estimate(std::slice::from_ref(f))).map(|e| (e.network, e.iot)).collect();
    // switch, firewall | printer, camera, UPS || till, printer, telephone || camera, lamp, telephone || three || camera
    assert_eq!(alone, [(2, 3), (0, 3), (0, 3), (3, 1), (0, 1)]);
    let together = estimate(&all);
    // Two printers, two cameras and two telephones are one each, and the till is managed.
    assert_eq!((together.network, together.iot, together.managed.iot), (5, 7, 1));
    assert_eq!(together.arithmetic, "5 network + 8 IoT = 13 − 1 managed = 12 → 100");
    insta::assert_snapshot!("all_lists_together", lines(&together));
}

#[test]
fn the_golden_vector_is_1679_to_1700_and_with_500_managed_1179_to_1200() {
    let mac = |i: usize| format!("00:40:8c:00:{:02x}:{:02x}", i / 256, i % 256);
    let mut csv = String::from("Name,Type,MAC Address,IP Address\n");
    for i in 0..1_679 {
        let kind = if i < 473 { "Switch" } else { "Camera" };
        csv.push_str(&format!("d{i},{kind},{},10.1.{}.{}\n", mac(i), i / 250, i % 250 + 1));
    }
    for i in 0..900 {
        csv.push_str(&format!("pc{i},Laptop,{},10.2.{}.{}\n", mac(10_000 + i), i / 250, i % 250 + 1));
    }
    let list = file("cmdb.csv", csv.as_bytes());
    let plain = estimate(std::slice::from_ref(&list));
    assert_eq!(plain.arithmetic, "473 network + 1206 IoT = 1679 → 1700");
    assert_eq!(plain.excluded, [("X-CM", 900)].into());
    let machines: Vec<serde_json::Value> = (0..500)
        .map(|i| {
            let cards =
                serde_json::json!([{"macAddress": mac(3 * i), "ipAddress": null, "operationalStatus": "Up"}]);
            serde_json::json!({"id": format!("m{i}"), "onboardingStatus": "Onboarded", "ipAddresses": cards})
        })
        .collect();
    let machines = serde_json::json!({ "value": machines }).to_string();
    let both = estimate(&[list, file("machines.json", machines.as_bytes())]);
    assert_eq!(both.arithmetic, "473 network + 1206 IoT = 1679 − 500 managed = 1179 → 1200");
    assert_eq!((both.billable, both.commitment), (1_179, Some(1_200)));
    assert_eq!((both.managed.network, both.managed.iot), (158, 342));
    assert_eq!(both.excluded, [("X-CM", 900), ("X-MANAGED", 500)].into());
    assert_eq!((both.ledger.rows, both.ledger.merged), (3_079, 500));
}

#[test]
fn an_address_joins_a_row_without_a_mac_only_where_one_device_bears_it() {
    let list = "name,mac,ip,type\na,00:40:8c:00:00:01,10.0.0.1,Camera\nb,00:40:8c:00:00:02,10.0.0.2,Camera\nc,00:40:8c:00:00:03,10.0.0.2,Camera\n";
    let more = "name,ip,type\nsame as a,10.0.0.1,Camera\nb or c,10.0.0.2,Camera\nnew,10.0.0.4,Camera\nnew,10.0.0.4,Camera\n";
    let both = estimate(&[file("a.csv", list.as_bytes()), file("b.csv", more.as_bytes())]);
    let outcomes: Vec<(RowOutcome, Option<&str>)> =
        both.rows.iter().map(|r| (r.outcome, r.rule.filter(|_| r.outcome == RowOutcome::Excluded))).collect();
    assert_eq!(both.iot, 4);
    assert_eq!(
        outcomes[3..],
        [
            (RowOutcome::Merged, None),
            (RowOutcome::Excluded, Some("ambiguous")),
            (RowOutcome::Taken, None),
            (RowOutcome::Merged, None)
        ]
    );
    assert_eq!(both.rows[3].same_as.as_deref(), Some("a.csv:2"));
    assert_eq!(both.rows[6].why, "the same device as b.csv:4, by address");
}

#[test]
fn an_address_tells_a_managed_machine_for_a_week() {
    let list = "mac,ip,type\n00:40:8c:00:00:01,10.0.0.1,Camera\n";
    let count = |seen: &str| {
        let machine = format!(
            r#"[{{"id":"m","onboardingStatus":"onboarded","lastIpAddress":"10.0.0.1","lastSeen":"{seen}"}}]"#
        );
        let both = estimate(&[file("a.csv", list.as_bytes()), file("m.json", machine.as_bytes())]);
        (both.iot, both.excluded.get("X-MANAGED").copied())
    };
    assert_eq!(count("2026-11-15T09:00:00Z"), (0, Some(1)));
    assert_eq!(count("2026-11-15T08:59:59Z"), (1, Some(1)));
}

#[test]
fn lists_that_disagree_on_whether_a_device_counts_leave_it_unclassified_and_say_so() {
    let list = "mac,type\n00:40:8c:00:00:01,Camera\n00:40:8c:00:00:01,Laptop\n00:40:8c:00:00:02,Camera\n00:40:8c:00:00:02,Switch\n";
    let found = estimate(&[file("a.csv", list.as_bytes())]);
    assert_eq!((found.network, found.iot), (1, 0));
    assert_eq!(found.excluded, [("X-UNCL", 1)].into());
    assert!(found.rows[0].why.contains("lists disagree: 'Camera' and 'Laptop'"), "{}", found.rows[0].why);
}

#[test]
fn columns_are_named_by_a_person_where_no_guess_understands_them() {
    let list = b"Kennung\tNetz\tWas\n00:40:8c:00:00:01\t10.0.0.1\tCamera\n";
    let mapping = Mapping::parse(["mac=kennung", "type=Was"]).unwrap();
    let options = ReadOptions { mapping, ..ReadOptions::default() };
    let found = estimate(&[read("liste.tsv", list, &options).unwrap()]);
    assert_eq!((found.iot, found.rows[0].row), (1, 2));
    assert_eq!(signature(list), found.files[0].signature);
    let missing = ReadOptions { mapping: Mapping::parse(["mac=MAC"]).unwrap(), ..ReadOptions::default() };
    assert!(read("liste.tsv", list, &missing).unwrap_err().to_string().contains("has no column 'MAC'"));
    let without = b"Kennung\tWas\n17\tCamera\n";
    let refused = read("liste.tsv", without, &ReadOptions::default()).unwrap_err().to_string();
    assert!(refused.contains("Kennung, Was") && refused.contains("mac=COLUMN"), "{refused}");
}

#[test]
fn a_column_of_macs_is_one_whatever_its_name() {
    let list = b"Kennung\tNetz\tWas\n00:40:8c:00:00:01\t10.0.0.1\tCamera\n";
    let found = file("liste.tsv", list);
    let listed = found.rows[0].listed.as_ref().unwrap();
    assert_eq!((listed.macs.len(), listed.ips.len()), (1, 1));
    assert!(found.notes[0].contains("'Kennung' was recognised by its cells"), "{:?}", found.notes);
    let bare = file("macs.txt", b"00:40:8c:00:00:01,10.0.0.1\n00:40:8c:00:00:02,10.0.0.2\n");
    assert_eq!(bare.rows.len(), 2);
}

#[test]
fn the_same_list_is_read_alike_in_every_encoding_and_with_every_sign() {
    let text = "name;mac;ip;type\nKüche;00:40:8c:00:00:01;10.0.0.1;Drucker\n";
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let bom: Vec<u8> = [0xef, 0xbb, 0xbf].into_iter().chain(text.bytes()).collect();
    let rows = |bytes: &[u8]| file("a.csv", bytes).rows;
    let plain = rows(text.as_bytes());
    assert_eq!(plain[0].listed.as_ref().unwrap().name.as_deref(), Some("Küche"));
    for other in
        [utf16.as_slice(), &bom, text.replace(';', ",").as_bytes(), text.replace(';', "\t").as_bytes()]
    {
        assert_eq!(rows(other), plain);
    }
}

#[test]
fn hostile_texts_are_cut_and_cannot_steer_a_terminal() {
    let list = format!("name,mac,type\n\"\u{1b}[31m{}\",00:40:8c:00:00:01,Camera\n", "x".repeat(100_000));
    let reading =
        read("../../etc/\u{1b}pass\u{202e}wd.csv", list.as_bytes(), &ReadOptions::default()).unwrap();
    let name = reading.rows[0].listed.as_ref().unwrap().name.clone().unwrap();
    assert!(name.len() <= 256 && name.starts_with("[31m"));
    assert_eq!(reading.name, "passwd.csv");
}

#[test]
fn every_bound_is_refused_by_name() {
    let refused = |bytes: &[u8]| read("a.csv", bytes, &ReadOptions::default()).unwrap_err().to_string();
    assert!(refused(&vec![b'a'; FILE_BYTES + 1]).contains("16 MiB"));
    let wide = format!("mac{}\n", ",x".repeat(COLUMNS));
    assert!(refused(wide.as_bytes()).contains("512 columns"));
    let long = format!("mac\n{}", "00:40:8c:00:00:01\n".repeat(ROWS + 1));
    assert!(refused(long.as_bytes()).contains("200000 rows"));
    let many = format!("[{}{{}}]", "{},".repeat(ROWS));
    assert!(refused(many.as_bytes()).contains("200000 rows"));
    assert!(refused(b"").contains("is empty"));
    assert!(refused(b"\x89PNG\0\0").contains("not a text file"));
    let rules = crate::census::Unclassified;
    let sorter = Sorter::new(&rules).unwrap();
    let files = vec![file("a.csv", b"mac\n00:40:8c:00:00:01\n"); FILES + 1];
    let error = Estimate::new(&files, None, &sorter, &Policy::default(), now()).unwrap_err();
    assert_eq!(error, FileError::TooManyFiles);
}
