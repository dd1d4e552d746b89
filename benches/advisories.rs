//! Measures the import of a set of advisories of the size of the NVD, and how long it takes to judge an inventory by it:
//! `cargo bench --bench advisories [RECORDS [DEVICES]]` (400,000 and 100,000). The records are made here.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Instant;

use netcensus::advisory::{Firmware, Products, Verdict, generated};
use netcensus::census::Timestamp;
use netcensus::plan::advisories::{AdvisorySet, Subject, Tables, import, judge};

/// The table of the fictitious vendor of the records.
const TABLE: &str = r#"
schema = 1
[[scheme]]
id = "dotted"
title = "numbers between dots"
form = '(?P<n>\d+(?:\.\d+)*)'
order = [{ by = "numbers", of = "n" }]
tests = []
[[product]]
id = "example"
vendor = ["Example"]
model = '(?P<m>CAM-\d+)'
scheme = "dotted"
cpe = ["example/{m}"]
tests = []
"#;

/// The most memory that the process had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) >> 10
}

async fn measure(folder: &Path, records: u64, devices: u64) {
    let (feed, set) = (folder.join("feed.json"), folder.join("advisories.sqlite3"));
    let mut out = BufWriter::new(File::create(&feed).unwrap());
    generated::nvd_feed(&mut out, records, 1).unwrap();
    out.flush().unwrap();
    let bytes = std::fs::metadata(&feed).unwrap().len();
    let begun = Instant::now();
    let report = import(&set, std::slice::from_ref(&feed), false, Timestamp(0)).await.unwrap();
    let took = begun.elapsed();
    println!(
        "import: {} records, {} MiB of JSON: {took:.1?}, peak {} MiB",
        report.records,
        bytes >> 20,
        peak()
    );
    println!("set: {} MiB", std::fs::metadata(&set).unwrap().len() >> 20);
    let begun = Instant::now();
    import(&set, &[feed], false, Timestamp(1)).await.unwrap();
    println!("import over the same: {:.1?}, peak {} MiB", begun.elapsed(), peak());
    let open = AdvisorySet::open(&set).await.unwrap().unwrap();
    let tables = Tables { products: Products::parse(TABLE).unwrap(), ..Tables::default() };
    let subject = |n: u64| Subject {
        component: None,
        vendor: "Example".to_owned(),
        model: Some(format!("CAM-{}", n % generated::MODELS)),
        os: None,
        is_proved: true,
        firmware: Firmware::Said(format!("{}.{}.{}", 1 + n % 5, n / 7 % 20, n / 11 % 50)),
    };
    let subjects: Vec<Subject> = (0..devices).map(subject).collect();
    let begun = Instant::now();
    let results = judge(&open, &tables, &subjects).await.unwrap();
    let took = begun.elapsed();
    let found = results.iter().flat_map(|r| &r.found).filter(|f| f.verdict == Verdict::Affected).count();
    println!("judged: {devices} devices, {found} vulnerabilities: {took:.1?}, peak {} MiB", peak());
}

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let number = |place: usize, default: u64| numbers.get(place).copied().unwrap_or(default);
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(measure(folder.path(), number(0, 400_000), number(1, 100_000)));
}
