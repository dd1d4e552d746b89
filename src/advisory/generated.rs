//! Makes NVD records in the documented form, for tests and measurements: the same numbers give the same bytes.

use std::io::{self, Write};

use serde_json::{Value, json};

/// Writes a feed of `count` records about products of a fictitious vendor, of about the size of real ones.
///
/// # Errors
/// Those of `out`.
pub fn nvd_feed(out: &mut dyn Write, count: u64, seed: u64) -> io::Result<()> {
    write!(
        out,
        "{{\"resultsPerPage\":{count},\"startIndex\":0,\"totalResults\":{count},\"format\":\"NVD_CVE\","
    )?;
    write!(out, "\"version\":\"2.0\",\"timestamp\":\"2026-11-30T00:00:00.000\",\"vulnerabilities\":[")?;
    let mut numbers = Numbers(seed);
    for number in 0..count {
        if number > 0 {
            out.write_all(b",\n")?;
        }
        serde_json::to_writer(&mut *out, &json!({ "cve": nvd_record(number, &mut numbers) }))?;
    }
    out.write_all(b"]}\n")
}

fn nvd_record(number: u64, numbers: &mut Numbers) -> Value {
    let id = format!("CVE-{}-{:04}", 1999 + number / 20_000, 10_000 + number % 20_000);
    let score = numbers.below(101);
    #[expect(clippy::cast_precision_loss, reason = "at most 100")]
    let base = score as f64 / 10.0;
    let metric = |kind: &str| {
        json!({ "source": "sample@example.org", "type": kind, "exploitabilityScore": 3.9, "impactScore": 5.9, "cvssData": {
            "version": "3.1", "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "baseScore": base,
            "baseSeverity": "HIGH", "attackVector": "NETWORK", "attackComplexity": "LOW", "privilegesRequired": "NONE",
            "userInteraction": "NONE", "scope": "UNCHANGED", "confidentialityImpact": "HIGH", "integrityImpact": "HIGH",
            "availabilityImpact": "HIGH" } })
    };
    let products = 1 + numbers.below(4);
    let configurations: Vec<Value> = (0..products).map(|_| configuration(numbers)).collect();
    let text =
        "A sample that stands for a description of a vulnerability in the firmware of a device. ".repeat(4);
    json!({
        "id": id, "sourceIdentifier": "sample@example.org", "published": "2020-01-02T03:04:05.000",
        "lastModified": format!("2025-{:02}-11T10:20:30.000", 1 + numbers.below(12)), "vulnStatus": "Analyzed", "cveTags": [],
        "descriptions": [{ "lang": "en", "value": text }, { "lang": "es", "value": text }],
        "metrics": { "cvssMetricV31": [metric("Primary"), metric("Secondary")] },
        "weaknesses": [{ "source": "sample@example.org", "type": "Primary", "description": [{ "lang": "en", "value": "CWE-78" }] }],
        "configurations": configurations,
        "references": (0..4).map(|n| json!({ "url": format!("https://example.org/advisories/{number}/{n}"),
            "source": "sample@example.org", "tags": ["Vendor Advisory"] })).collect::<Vec<_>>(),
    })
}

/// The number of models of the fictitious vendor.
pub const MODELS: u64 = 20_000;

fn configuration(numbers: &mut Numbers) -> Value {
    // Some products have many records, most have few.
    let spread = MODELS >> numbers.below(8);
    let model = format!("cam-{}", numbers.below(spread.max(1)));
    let end = format!("{}.{}.{}", 1 + numbers.below(5), numbers.below(20), numbers.below(50));
    let found = |vulnerable: bool, cpe: String, end: Option<&str>| {
        let mut found = json!({ "vulnerable": vulnerable, "criteria": cpe,
            "matchCriteriaId": "00000000-0000-4000-8000-000000000000" });
        if let (Some(object), Some(end)) = (found.as_object_mut(), end) {
            object.insert("versionEndExcluding".to_owned(), json!(end));
        }
        json!({ "operator": "OR", "negate": false, "cpeMatch": [found] })
    };
    json!({ "operator": "AND", "nodes": [
        found(true, format!("cpe:2.3:o:example:{model}_firmware:*:*:*:*:*:*:*:*"), Some(&end)),
        found(false, format!("cpe:2.3:h:example:{model}:-:*:*:*:*:*:*:*"), None),
    ] })
}

/// Numbers that look drawn by lot.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }
}
