//! The readers of each form, on small files in the documented forms.

use super::*;

/// What a file gives.
fn items(text: &[u8]) -> (Vec<Item>, ReadSummary) {
    let mut items = Vec::new();
    let summary = read(text, &mut |item| {
        items.push(item);
        Ok(())
    });
    (items, summary.unwrap_or_else(|e| panic!("{e}")))
}

fn records(text: &str) -> Vec<Record> {
    let (items, _) = items(text.as_bytes());
    items.into_iter().map(|item| if let Item::Record(r) = item { *r } else { panic!("{item:?}") }).collect()
}

const KEV: &str = r#"{"title":"Catalog","catalogVersion":"2026.11.30","dateReleased":"2026-11-30T15:00:00.000Z","count":2,
 "vulnerabilities":[
  {"cveID":"CVE-1999-9001","vendorProject":"Example","product":"Camera","vulnerabilityName":"Example Camera Flaw",
   "dateAdded":"2026-01-02","shortDescription":"…","requiredAction":"Update.","dueDate":"2026-01-23",
   "knownRansomwareCampaignUse":"Known","notes":"","cwes":["CWE-78"]},
  {"cveID":"CVE-oops","dateAdded":"2026-01-02"}]}"#;

#[test]
fn a_kev_catalogue_is_read_as_json_and_a_bad_entry_is_counted_with_its_place() {
    let (items, summary) = items(KEV.as_bytes());
    let [Item::Kev(kev)] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!(
        (kev.cve.to_string().as_str(), kev.added.as_str(), kev.ransomware),
        ("CVE-1999-9001", "2026-01-02", true)
    );
    assert_eq!((summary.form, summary.items, summary.bad), (Form::Kev, 1, 1));
    let bad = &summary.bad_records[0];
    assert_eq!(
        (bad.record, usize::try_from(bad.place).unwrap()),
        (2, KEV.find("{\"cveID\":\"CVE-oops").unwrap())
    );
    assert_eq!(summary.dated.as_deref(), Some("2026-11-30"));
    assert_eq!(summary.digest.len(), 64);
}

#[test]
fn a_kev_catalogue_is_read_as_a_table() {
    let text = "cveID,vendorProject,product,vulnerabilityName,dateAdded,shortDescription,requiredAction,dueDate,knownRansomwareCampaignUse,notes,cwes\r\n\
        CVE-1999-9001,Example,Camera,\"A \"\"flaw\"\", in two\nlines\",2026-01-02,x,Update.,2026-01-23,Unknown,,\r\n\
        nonsense\r\n";
    let (items, summary) = items(text.as_bytes());
    let [Item::Kev(kev)] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!(
        (kev.name.as_str(), kev.due.as_deref(), kev.ransomware),
        ("A \"flaw\", in two lines", Some("2026-01-23"), false)
    );
    assert_eq!((summary.items, summary.bad), (1, 1));
}

#[test]
fn epss_scores_are_read_with_the_day_of_the_model() {
    let text = "#model_version:v2026.03.14,score_date:2026-11-30T00:00:00+0000\ncve,epss,percentile\n\
        CVE-1999-9001,0.94321,0.9991\nCVE-1999-9002,1.5,0.1\n";
    let (items, summary) = items(text.as_bytes());
    let [Item::Epss(epss)] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!((epss.score, epss.percentile), (94_321, 99_910));
    assert_eq!((summary.bad, summary.dated.as_deref()), (1, Some("2026-11-30")));
}

fn nvd(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","sourceIdentifier":"s","published":"2021-09-22T13:15:07.690","lastModified":"2025-10-21T20:18:39.667",
        "vulnStatus":"Modified","descriptions":[{{"lang":"es","value":"Una"}},{{"lang":"en","value":"A flaw.\nTwo lines."}}],
        "metrics":{{"cvssMetricV31":[{{"source":"second","type":"Secondary","cvssData":{{"version":"3.1","vectorString":"x","baseScore":1.0}}}},
          {{"source":"nvd@nist.gov","type":"Primary","cvssData":{{"version":"3.1","vectorString":"CVSS:3.1/AV:N","baseScore":9.8,"baseSeverity":"CRITICAL"}}}}],
          "cvssMetricV2":[{{"type":"Primary","cvssData":{{"version":"2.0","baseScore":9.3}},"baseSeverity":"HIGH"}}]}},
        "configurations":[{{"operator":"AND","nodes":[
          {{"operator":"OR","negate":false,"cpeMatch":[{{"vulnerable":true,"criteria":"cpe:2.3:o:example:cam-i\\(u\\)\\/sl_firmware:*:*:*:*:*:*:*:*","versionEndExcluding":"2.1","matchCriteriaId":"x"}}]}},
          {{"operator":"OR","negate":false,"cpeMatch":[{{"vulnerable":false,"criteria":"cpe:2.3:h:example:cam-i\\(u\\)\\/sl:-:*:*:*:*:*:*:*","matchCriteriaId":"x"}}]}}]}}],
        "references":[{{"url":"https://example.org","source":"s","tags":["Exploit"]}}]}}"#
    )
}

#[test]
fn nvd_records_are_read_from_feeds_pages_and_single_files() {
    let record = nvd("CVE-1999-9001");
    let page = format!(r#"{{"resultsPerPage":1,"format":"NVD_CVE","vulnerabilities":[{{"cve":{record}}}]}}"#);
    let feed = format!(r#"{{"cve_items":[{record}],"feed_name":"CVE-1999"}}"#);
    let list = format!(r#"[{record},{record}]"#);
    let lines = format!("{record}\n{record}\n");
    for (text, count) in [(&page, 1), (&feed, 1), (&record, 1), (&list, 2), (&lines, 2)] {
        let found = records(text);
        assert_eq!(found.len(), count);
        let found = &found[0];
        let score = found.score.as_ref().unwrap();
        assert_eq!(
            (score.base().as_str(), score.severity(), score.source.as_str()),
            ("9.8", Severity::Critical, "nvd@nist.gov")
        );
        assert_eq!(
            (found.published.as_deref(), found.summary.as_str()),
            (Some("2021-09-22"), "A flaw. Two lines.")
        );
        assert_eq!(found.exploit, ["reference"]);
        let criteria: Vec<String> = found.criteria().map(ToString::to_string).collect();
        assert_eq!(
            criteria,
            ["example/cam-i(u)/sl < 2.1", "running on example/cam-i(u)/sl versions not stated"]
        );
    }
}

#[test]
fn compressed_files_are_read_like_plain_ones() {
    use std::io::Write as _;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(KEV.as_bytes()).unwrap();
    let zstd = zstd::stream::encode_all(KEV.as_bytes(), 1).unwrap();
    for file in [gzip.finish().unwrap(), zstd] {
        assert_eq!(items(&file).1.items, 1);
    }
}

#[test]
fn a_csaf_document_gives_a_record_for_each_vulnerability() {
    let text = r#"{"document":{"category":"csaf_security_advisory","csaf_version":"2.0","title":"Example Camera",
        "publisher":{"category":"vendor","name":"Example PSIRT","namespace":"https://example.org"},
        "references":[{"category":"self","url":"https://example.org/a.json"}],
        "tracking":{"id":"EX-1","status":"final","version":"1","initial_release_date":"2026-01-01T00:00:00Z","current_release_date":"2026-02-01T00:00:00Z"}},
      "vulnerabilities":[
        {"cve":"CVE-1999-9001","title":"A flaw","scores":[{"cvss_v3":{"version":"3.1","baseScore":7.5,"vectorString":"CVSS:3.1/AV:N","baseSeverity":"HIGH"},"products":["P1"]}],
         "product_status":{"known_affected":["P1","P3"],"fixed":["P2"]},
         "remediations":[{"category":"mitigation","details":"Separate it."},{"category":"vendor_fix","details":"Update to V2.1."}]},
        {"title":"without an id"}],
      "product_tree":{"branches":[{"category":"vendor","name":"Example","branches":[
        {"category":"product_name","name":"Camera 7 (EX7-1234)","branches":[
          {"category":"product_version_range","name":"vers:intdot/<2.1","product":{"name":"Camera 7","product_id":"P1","product_identification_helper":{"model_numbers":["EX7-9999"]}}},
          {"category":"product_version","name":"V2.1","product":{"name":"Camera 7 V2.1","product_id":"P2"}}]},
        {"category":"product_name","name":"Mount firmware","branches":[{"category":"product_version_range","name":"<3","product":{"name":"f","product_id":"F"}}]},
        {"category":"product_name","name":"Mount","product":{"name":"m","product_id":"M"}}]}],
        "relationships":[{"category":"installed_on","product_reference":"F","relates_to_product_reference":"M","full_product_name":{"name":"Mount with firmware","product_id":"P3"}}]}}"#;
    let (items, summary) = items(text.as_bytes());
    let [Item::Record(record)] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!((summary.form, summary.bad), (Form::Csaf, 1));
    assert_eq!((record.source, record.document.as_str()), (Source::Maker, "Example PSIRT EX-1"));
    assert_eq!(record.remedies, ["Update to V2.1.", "Separate it."]);
    let keys: Vec<&String> = record.criteria().flat_map(|criterion| &criterion.keys).collect();
    for key in
        ["name/example/camera 7", "order/example/ex71234", "order/example/ex79999", "name/example/mount"]
    {
        assert!(keys.iter().any(|known| *known == key), "{key}: {keys:?}");
    }
    let shown: Vec<String> = record.criteria().map(ToString::to_string).collect();
    assert!(
        shown.iter().any(|text| text.ends_with("< 3"))
            && shown.iter().any(|text| text.starts_with("running on ")),
        "{shown:?}"
    );
}

#[test]
fn a_cve_record_gives_ranges_and_says_if_it_is_exploited_or_rejected() {
    let text = r#"{"dataType":"CVE_RECORD","dataVersion":"5.1","cveMetadata":{"cveId":"CVE-1999-9001","state":"PUBLISHED","datePublished":"2026-01-01T00:00:00Z"},
      "containers":{"cna":{"title":"A flaw","affected":[{"vendor":"Example","product":"Camera 7","defaultStatus":"unaffected","cpes":["cpe:2.3:o:example:camera_7_firmware:*:*:*:*:*:*:*:*"],
        "versions":[{"version":"0","lessThan":"2.1","status":"affected","versionType":"custom"},{"version":"3.0","status":"affected"},{"version":"n/a","status":"affected"},
          {"version":"1","lessThan":"2","status":"affected","changes":[{"at":"1.5","status":"unaffected"}]}]},
        {"vendor":"n/a","product":"n/a","versions":[{"version":"n/a","status":"affected"}]}]},
        "adp":[{"metrics":[{"other":{"type":"ssvc","content":{"options":[{"Exploitation":"active"}]}}},
          {"cvssV3_1":{"version":"3.1","baseScore":8.1,"vectorString":"x"}}],"providerMetadata":{"shortName":"CISA-ADP"}}]}}"#;
    let found = &records(text)[0];
    let shown: Vec<String> = found.criteria().map(|c| c.versions.to_string()).collect();
    assert_eq!(shown, ["< 2.1", "= 3.0", "versions unspecified", "\"1\""]);
    assert_eq!(found.groups[0].nodes[0].criteria[0].keys, ["cpe/example/camera_7", "name/example/camera 7"]);
    assert_eq!(
        (found.exploit.as_slice(), found.score.as_ref().unwrap().tenths),
        (["ssvc".to_owned()].as_slice(), 81)
    );
    let rejected = text.replace("PUBLISHED", "REJECTED");
    assert!(records(&rejected)[0].rejected);
}

#[test]
fn a_set_of_makers_records_beats_the_nvd_and_the_loser_stays_known() {
    let judged = |verdict| Judged { verdict, leaf: 0 };
    let voice = |source, modified, verdict| Voice { source, modified, judged: judged(verdict) };
    let voices = [
        voice(Source::Nvd, Some("2026-01-01"), Verdict::Affected),
        voice(Source::Maker, Some("2025-01-01"), Verdict::Affected),
        voice(Source::Maker, Some("2026-01-01"), Verdict::Fixed),
        voice(Source::Cve5, None, Verdict::ModelOnly),
    ];
    let conclusion = conclude(&voices).unwrap();
    assert_eq!((conclusion.verdict, conclusion.record), (Verdict::Fixed, 2));
    // A source that decides nothing leaves it to the next.
    let voices =
        [voice(Source::Maker, None, Verdict::Undecided), voice(Source::Nvd, None, Verdict::Affected)];
    assert_eq!(conclude(&voices).unwrap().verdict, Verdict::Affected);
    let voices = [voice(Source::Maker, None, Verdict::ModelOnly), voice(Source::Nvd, None, Verdict::Outside)];
    assert_eq!(conclude(&voices).unwrap().verdict, Verdict::Outside);
    assert_eq!(conclude(&[voice(Source::Nvd, None, Verdict::NoMatch)]), None);
}

#[test]
fn without_proof_of_the_model_a_device_is_only_possibly_affected() {
    let products = Products::built_in().unwrap();
    let text = nvd("CVE-1999-9001").replace("example:cam-i\\\\(u\\\\)\\\\/sl", "axis:p3245-lv");
    let record = &records(&text)[0];
    let firmware = Firmware::Said("2.0".to_owned());
    for (is_proved, expected) in [(true, Verdict::Affected), (false, Verdict::ModelOnly)] {
        let proof = Proof { vendor: "Axis", model: Some("P3245-LV"), os: None, is_proved };
        let profile = Profile::new(&products, proof);
        let (prepared, ready) = (profile.prepare(record).unwrap(), profile.ready(&firmware));
        let judged = prepared.judge(&ready, profile.is_proved);
        assert_eq!(judged.verdict, expected);
        let why = prepared.why(judged, &ready).unwrap();
        assert_eq!(why.criterion, "axis/p3245-lv < 2.1");
        assert_eq!(why.compared, "2.0 fits < 2.1 (numbers between dots)");
        assert_eq!((why.row.as_str(), why.fixed_in.as_deref()), ("axis", Some("2.1")));
    }
}
