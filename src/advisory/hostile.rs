//! Files that somebody made to break the readers.

use super::*;

/// What a file gives: how many items, and the summary or the error.
fn outcome(text: &[u8]) -> (u64, Result<ReadSummary, ReadError>) {
    let mut given = 0;
    let outcome = read(text, &mut |_| {
        given += 1;
        Ok(())
    });
    (given, outcome)
}

const GOOD: &str = r#"{"cve":{"id":"CVE-1999-9001","descriptions":[]}}"#;

fn feed(records: &[&str]) -> String {
    format!(r#"{{"format":"NVD_CVE","vulnerabilities":[{}]}}"#, records.join(","))
}

#[test]
fn a_record_that_nests_too_deeply_is_skipped_and_the_next_is_read() {
    let deep = format!(r#"{{"cve":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let (given, outcome) = outcome(feed(&[&deep, GOOD]).as_bytes());
    let summary = outcome.unwrap();
    assert_eq!((given, summary.bad), (1, 1));
    assert_eq!(summary.bad_records[0].why, "nested too deeply");
}

#[test]
fn a_record_that_is_too_large_is_skipped_and_the_next_is_read() {
    let large = format!(r#"{{"cve":{{"id":"CVE-1999-9002","x":"{}"}}}}"#, "y".repeat(RECORD_BYTES));
    let (given, outcome) = outcome(feed(&[&large, GOOD]).as_bytes());
    assert_eq!((given, outcome.unwrap().bad), (1, 1));
}

#[test]
fn a_record_with_too_many_criteria_is_skipped() {
    let criterion = r#"{"vulnerable":true,"criteria":"cpe:2.3:o:e:c:-:*:*:*:*:*:*:*"}"#;
    let criteria = vec![criterion; MATCHES + 1].join(",");
    let record = format!(
        r#"{{"cve":{{"id":"CVE-1999-9002","configurations":[{{"nodes":[{{"operator":"OR","negate":false,"cpeMatch":[{criteria}]}}]}}]}}}}"#
    );
    let (given, outcome) = outcome(feed(&[&record, GOOD]).as_bytes());
    let summary = outcome.unwrap();
    assert_eq!((given, summary.bad), (1, 1));
    assert!(summary.bad_records[0].why.contains("criteria"), "{:?}", summary.bad_records);
}

#[test]
fn a_broken_record_is_skipped_whatever_is_wrong_with_it() {
    let broken = [
        r#"{"cve":{"id":"CVE-1999-9002","id":"CVE-1999-9003"}}"#,
        r#"{"cve":{"id":17}}"#,
        r#"{"cve":{"id":"CVE-1999-9002","metrics":{"cvssMetricV31":[{}]}}}"#,
        r#"{"cve":{"id":"\ud800"}}"#,
        "null",
        "17",
        r#""text""#,
        "{\"cve\":\u{1}}",
    ];
    for record in broken {
        let (given, outcome) = outcome(feed(&[record, GOOD]).as_bytes());
        let summary = outcome.unwrap_or_else(|e| panic!("{record}: {e}"));
        assert_eq!((given, summary.bad), (1, 1), "{record}");
    }
}

#[test]
fn a_file_that_is_broken_outside_its_records_is_refused_whole() {
    for text in [
        "",
        "{",
        "hello",
        "{}",
        "[1,2]",
        r#"{"format":"NVD_CVE","vulnerabilities":["#,
        r#"{"format":"NVD_CVE","vulnerabilities":[{"cve":{"id":"CVE-1999-9001","descriptions":[]}}"#,
        r#"{"format":"NVD_CVE","vulnerabilities":[{} {}]}"#,
        r#"{"format" "NVD_CVE"}"#,
        r#"{"vulnerabilities":[{"cve":"#,
        "PK\u{3}\u{4}",
        "cveID\n",
        "\u{1f}\u{8b}",
    ] {
        assert!(outcome(text.as_bytes()).1.is_err(), "{text}");
    }
    // All records are bad.
    assert!(matches!(outcome(feed(&["{}", "1"]).as_bytes()).1, Err(ReadError::NoRecords { count: 2, .. })));
}

#[test]
fn a_small_file_that_grows_is_read_without_holding_what_it_grows_to() {
    // 64 MiB of white space in a few KiB: the reader passes over it without holding it.
    let text = format!("{}{}", feed(&[GOOD]), " ".repeat(64 << 20));
    let bomb = zstd::stream::encode_all(text.as_bytes(), 19).unwrap();
    assert!(bomb.len() < 16 << 10);
    let (given, outcome) = outcome(&bomb);
    assert_eq!((given, outcome.unwrap().items), (1, 1));
}

#[test]
fn a_csaf_document_that_is_no_csaf_2_is_refused() {
    for (text, why) in [
        (
            r#"{"document":{"csaf_version":"1.2","publisher":{"category":"vendor"},"tracking":{"id":"x"}}}"#,
            "1.2",
        ),
        (
            r#"{"document":{"csaf_version":"2.0","publisher":{"category":"vendor"},"tracking":{"id":"x","status":"draft"}}}"#,
            "draft",
        ),
        (r#"{"document":{}}"#, "missing"),
    ] {
        let error = outcome(text.as_bytes()).1.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn what_takes_the_items_can_end_the_reading() {
    let outcome = read(feed(&[GOOD, GOOD]).as_bytes(), &mut |_| Err("full".to_owned()));
    assert!(matches!(outcome, Err(ReadError::Refused(why)) if why == "full"));
}

#[test]
fn control_characters_of_a_record_reach_nobody() {
    let record = r#"{"cve":{"id":"CVE-1999-9001","descriptions":[{"lang":"en","value":"a\u001b[31mb\u0000c"}],"references":[{"url":"x\ny"}]}}"#;
    read(feed(&[record]).as_bytes(), &mut |item| {
        let Item::Record(record) = item else { return Err("no record".to_owned()) };
        assert_eq!((record.summary.as_str(), record.references[0].as_str()), ("a [31mb c", "x y"));
        Ok(())
    })
    .unwrap();
}
