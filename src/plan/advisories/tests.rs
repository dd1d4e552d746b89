//! Imports and what is judged by them, on sets of a few records.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::advisory::{CveId, Firmware, Verdict, generated};
use crate::census::Timestamp;

const KEV: &str = r#"{"catalogVersion":"1","dateReleased":"2026-11-30T00:00:00Z","vulnerabilities":[
    {"cveID":"CVE-1999-9001","vulnerabilityName":"A flaw","dateAdded":"2026-01-02","requiredAction":"Update."}]}"#;
const EPSS: &str =
    "#model_version:v1,score_date:2026-11-30T00:00:00+0000\ncve,epss,percentile\nCVE-1999-9001,0.5,0.9\n";

/// A feed of the NVD with one record, which is fixed in `end`.
fn nvd(cve: &str, end: &str) -> String {
    format!(
        r#"{{"format":"NVD_CVE","vulnerabilities":[{{"cve":{{"id":"{cve}","published":"2026-01-01T00:00:00","lastModified":"2026-02-01T00:00:00",
        "vulnStatus":"Analyzed","descriptions":[{{"lang":"en","value":"A flaw in a camera."}}],
        "metrics":{{"cvssMetricV31":[{{"type":"Primary","source":"s","cvssData":{{"version":"3.1","baseScore":9.8,"vectorString":"v"}}}}]}},
        "configurations":[{{"nodes":[{{"operator":"OR","negate":false,"cpeMatch":[{{"vulnerable":true,
        "criteria":"cpe:2.3:o:axis:p3245-lv_firmware:*:*:*:*:*:*:*:*","versionEndExcluding":"{end}"}}]}}]}}]}}}}]}}"#
    )
}

fn rejected(cve: &str) -> String {
    format!(
        r#"{{"dataType":"CVE_RECORD","cveMetadata":{{"cveId":"{cve}","state":"REJECTED"}},"containers":{{"cna":{{}}}}}}"#
    )
}

fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

fn axis(firmware: &str) -> Subject {
    let firmware = Firmware::Said(firmware.to_owned());
    Subject {
        vendor: "Axis".into(),
        model: Some("P3245-LV".into()),
        is_proved: true,
        firmware,
        ..Subject::default()
    }
}

async fn opened(path: &Path) -> AdvisorySet {
    AdvisorySet::open(path).await.unwrap().unwrap()
}

async fn verdicts(path: &Path, subjects: &[Subject]) -> Vec<Vec<Verdict>> {
    let results = judge(&opened(path).await, &Tables::built_in().unwrap(), subjects).await.unwrap();
    results.iter().map(|result| result.found.iter().map(|found| found.verdict).collect()).collect()
}

#[tokio::test]
async fn what_was_imported_is_found_again_and_a_later_import_adds_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let set = dir.path().join("advisories.sqlite3");
    assert!(AdvisorySet::open(&set).await.unwrap().is_none());
    let feed = written(dir.path(), "nvd.json", &nvd("CVE-1999-9001", "10.12.91"));
    let report = import(&set, &[feed], false, Timestamp(7)).await.unwrap();
    assert_eq!((report.cves, report.records), (1, 1));
    let (old, new) = (axis("10.12.65"), axis("10.12.91"));
    assert_eq!(verdicts(&set, &[old.clone(), new]).await, [vec![Verdict::Affected], vec![]]);
    let first = opened(&set).await.summary().digest.clone();

    let others = [written(dir.path(), "kev.json", KEV), written(dir.path(), "epss.csv", EPSS)];
    import(&set, &others, false, Timestamp(8)).await.unwrap();
    let open = opened(&set).await;
    let cve: CveId = "CVE-1999-9001".parse().unwrap();
    let facts = open.facts(&[cve]).await.unwrap().remove(&cve).unwrap();
    assert_eq!((facts.kev.unwrap().added.as_str(), facts.epss), ("2026-01-02", Some((50_000, 90_000))));
    assert_eq!((facts.title.as_str(), facts.score.unwrap().tenths), ("A flaw in a camera.", 98));
    let summary = open.summary();
    assert_ne!(summary.digest, first);
    let sources: Vec<&str> = summary.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(
        (sources.as_slice(), summary.imported_at),
        (["epss.csv", "kev.json", "nvd.json"].as_slice(), Timestamp(8))
    );
}

#[tokio::test]
async fn a_record_that_is_imported_again_replaces_the_old_one_and_a_rejected_cve_is_never_found() {
    let dir = tempfile::tempdir().unwrap();
    let set = dir.path().join("advisories.sqlite3");
    let subjects = [axis("10.12.65")];
    for (end, expected) in
        [("10.12.91", vec![Verdict::Affected]), ("9.0", vec![]), ("11.0", vec![Verdict::Affected])]
    {
        let feed = written(dir.path(), "nvd.json", &nvd("CVE-1999-9001", end));
        let report = import(&set, &[feed], false, Timestamp(7)).await.unwrap();
        assert_eq!((report.records, report.cves), (1, 1));
        assert_eq!(verdicts(&set, &subjects).await, [expected]);
    }
    let record = written(dir.path(), "CVE-1999-9001.json", &rejected("CVE-1999-9001"));
    import(&set, &[record], false, Timestamp(8)).await.unwrap();
    assert_eq!(verdicts(&set, &subjects).await, [vec![]]);
    assert_eq!(opened(&set).await.summary().rejected, 1);
}

#[tokio::test]
async fn a_bad_file_is_refused_whole_and_the_old_set_stays() {
    let dir = tempfile::tempdir().unwrap();
    let set = dir.path().join("advisories.sqlite3");
    let good = written(dir.path(), "nvd.json", &nvd("CVE-1999-9001", "10.12.91"));
    import(&set, std::slice::from_ref(&good), false, Timestamp(7)).await.unwrap();
    let before = fs::read(&set).unwrap();
    let cut = nvd("CVE-1999-9002", "99");
    let bad = written(dir.path(), "cut.json", cut.get(..cut.len() - 3).unwrap());
    let error = import(&set, &[good.clone(), bad.clone()], false, Timestamp(8)).await.unwrap_err();
    assert!(matches!(&error, AdvisoryError::Refused { path, .. } if *path == bad), "{error}");
    assert_eq!(fs::read(&set).unwrap(), before);
    let missing = dir.path().join("nowhere.json");
    assert!(import(&set, &[missing], false, Timestamp(8)).await.is_err());
    // Left out, if the import may go on.
    let report = import(&set, &[bad, good], true, Timestamp(8)).await.unwrap();
    assert_eq!((report.refused.len(), report.records), (1, 1));
    let left =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<String> = left.filter(|name| name.contains("importing")).collect();
    assert_eq!(left, [""; 0]);
}

#[tokio::test]
async fn a_folder_is_one_source_and_other_files_in_it_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let set = dir.path().join("advisories.sqlite3");
    let folder = dir.path().join("cves");
    fs::create_dir_all(folder.join("1999")).unwrap();
    written(&folder.join("1999"), "a.json", &rejected("CVE-1999-9001"));
    written(&folder.join("1999"), "b.json", &rejected("CVE-1999-9002"));
    written(&folder, "README.md", "no advisory");
    written(&folder, ".hidden.json", "no advisory");
    let report = import(&set, &[folder], false, Timestamp(7)).await.unwrap();
    let [source] = report.sources.as_slice() else { panic!("{report:?}") };
    assert_eq!((source.source.name.as_str(), source.source.files, source.source.items), ("cves", 2, 2));
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    assert!(matches!(import(&set, &[empty], false, Timestamp(8)).await, Err(AdvisoryError::Empty(_))));
}

#[tokio::test]
async fn a_file_that_is_no_set_is_not_opened_and_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let set = written(
        dir.path(),
        "advisories.sqlite3",
        "not a database, and longer than a header of one would have to be",
    );
    assert!(AdvisorySet::open(&set).await.is_err());
    let feed = written(dir.path(), "nvd.json", &nvd("CVE-1999-9001", "10.12.91"));
    assert!(import(&set, &[feed], false, Timestamp(7)).await.is_err());
    assert!(fs::read_to_string(&set).unwrap().starts_with("not a database"));
}

#[tokio::test]
async fn the_order_and_the_number_of_subjects_do_not_change_what_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let set = dir.path().join("advisories.sqlite3");
    let mut feed = Vec::new();
    generated::nvd_feed(&mut feed, 300, 3).unwrap();
    let text = String::from_utf8(feed).unwrap().replace(":example:cam-", ":axis:p");
    let feed = written(dir.path(), "nvd.json", &text);
    import(&set, &[feed], false, Timestamp(7)).await.unwrap();
    let subject = |n: u32| Subject {
        model: Some(format!("P{:04}", 1000 + n)),
        ..axis(&format!("{}.{}", 1 + n % 4, n % 20))
    };
    let mut subjects: Vec<Subject> = (0..400).map(subject).collect();
    let together = verdicts(&set, &subjects).await;
    assert!(together.iter().any(|found| !found.is_empty()));
    subjects.reverse();
    let mut reversed = verdicts(&set, &subjects).await;
    reversed.reverse();
    assert_eq!(together, reversed);
    subjects.reverse();
    for (subject, expected) in subjects.iter().zip(&together).filter(|(_, found)| !found.is_empty()).take(5) {
        assert_eq!(&verdicts(&set, std::slice::from_ref(subject)).await[0], expected);
    }
}
