use super::*;

const NOW: Timestamp = Timestamp(1_700_000_000_000_000_000);

fn read(feed: &str) -> (Indicators, FeedReport) {
    let mut set = Indicators::default();
    let report = set.read_feed(feed.as_bytes(), NOW).unwrap();
    assert_eq!(set.len(), report.added);
    (set, report)
}

fn unread(report: &FeedReport) -> Vec<(&str, usize)> {
    report.unread.iter().map(|(kind, n)| (kind.as_str(), *n)).collect()
}

#[test]
fn a_plain_list_gives_its_first_words_and_a_hosts_file_its_names() {
    let list = "\u{feff}# list\r\n203.0.113.7\t5\nevil.example # why\n198.51.100.0/24 ; SBL1\n\"bad.example\",high\n";
    let (set, report) = read(list);
    assert_eq!((report.added, report.left_out(), report.form), (4, 0, "list of lines"));
    assert!(set.address("198.51.100.9".parse().unwrap()).is_some() && set.name("bad.example").is_some());
    let (_, report) = read("127.0.0.1 localhost\n0.0.0.0 a.example b.example\n:: c.example\n");
    assert_eq!((report.added, unread(&report)), (3, vec![("other text", 1)]));
}

#[test]
fn what_is_no_indicator_is_counted_by_its_kind_and_what_is_honest_is_guarded() {
    let hash = "0".repeat(64);
    let list = format!(
        "http://evil.example/x\n{hash}\na@evil.example\ncom\n8.8.8.8\n10.0.0.1\n0.0.0.0/0\n{}\n",
        "x".repeat(9_000)
    );
    let (set, report) = read(&list);
    assert!(set.is_empty());
    assert_eq!(
        unread(&report),
        [("URL", 1), ("e-mail address", 1), ("hash", 1), ("line that is too long", 1), ("other text", 1)]
    );
    assert_eq!(
        (report.guarded, &report.guarded_some[..]),
        (3, &["8.8.8.8", "10.0.0.1", "0.0.0.0/0"].map(String::from)[..])
    );
}

#[test]
fn misp_csv_is_read_by_its_header() {
    let csv = "uuid,event_id,category,type,value,comment,to_ids,date\n\
               1,2,net,ip-dst,203.0.113.7,\"a, \"\"b\"\"\",1,0\n\
               1,2,net,ip-dst|port,203.0.113.8|443,,1,0\n\
               1,2,net,domain|ip,evil.example|203.0.113.9,,1,0\n\
               1,2,net,url,http://evil.example/,,1,0\n\
               1,2,net,domain,maybe.example,,0,0\nx\n";
    let (_, report) = read(csv);
    assert_eq!((report.form, report.added), ("MISP CSV", 4));
    assert_eq!(
        unread(&report),
        [("MISP url", 1), ("line without type and value", 1), ("not for detection", 1)]
    );
}

#[test]
fn misp_json_is_read_as_an_event_and_as_an_answer_to_a_search() {
    let attribute =
        |kind: &str, value: &str, more: &str| format!(r#"{{"type":"{kind}","value":"{value}"{more}}}"#);
    let all = [
        attribute("ip-src", "203.0.113.7", r#","to_ids":true,"Tag":[{"name":"x"}]"#),
        attribute("hostname", "evil.example", ""),
        attribute("md5", "00", ""),
        attribute("domain", "old.example", r#","deleted":true"#),
        attribute("domain", "seen.example", r#","to_ids":false"#),
    ]
    .join(",");
    let inner = attribute("domain", "inner.example", "");
    let event =
        format!(r#"{{"Event":{{"info":"x","Attribute":[{all}],"Object":[{{"Attribute":[{inner}]}}]}}}}"#);
    for feed in [event.clone(), format!(r#"{{"response":[{event}]}}"#)] {
        let (_, report) = read(&feed);
        assert_eq!((report.form, report.added), ("MISP JSON", 3), "{feed}");
        assert_eq!(unread(&report), [("MISP md5", 1), ("deleted attribute", 1), ("not for detection", 1)]);
    }
    let (_, report) = read(&format!(r#"{{"response":{{"Attribute":[{all}]}}}}"#));
    assert_eq!(report.added, 2);
}

#[test]
fn stix_bundles_and_taxii_envelopes_give_what_one_comparison_alone_says() {
    let indicator = |pattern: &str, more: &str| {
        let pattern = pattern.replace('\\', "\\\\");
        format!(r#"{{"type":"indicator","pattern":"{pattern}","pattern_type":"stix"{more}}}"#)
    };
    let objects = [
        indicator("[ipv4-addr:value = '203.0.113.7']", ""),
        indicator("[ipv4-addr:value='198.51.100.0/24' OR domain-name:value = 'evil.example'] or [ipv6-addr:value = '2001:db8:1::1']", ""),
        indicator("[ipv4-addr:value ISSUBSET '192.0.2.0/24']", ""),
        indicator("[domain-name:value = 'a.example' AND ipv4-addr:value = '203.0.113.8']", ""),
        indicator("[file:hashes.MD5 = 'x' OR domain-name:value = 'or.example']", ""),
        indicator("[domain-name:value = 'gone.example']", r#","revoked":true"#),
        indicator("[domain-name:value = 'past.example']", r#","valid_until":"2020-01-01T00:00:00Z""#),
        indicator("[domain-name:value = 'next.example']", r#","valid_until":"2030-01-01T00:00:00.000Z""#),
        r#"{"type":"indicator","pattern":"alert ip any","pattern_type":"snort"}"#.to_owned(),
        r#"{"type":"malware","name":5,"pattern":{"x":[1]}}"#.to_owned(),
    ]
    .join(",");
    for head in [r#""type":"bundle","id":"bundle--1""#, r#""more":false,"next":"x""#] {
        let (set, report) = read(&format!(r#"{{{head},"objects":[{objects}]}}"#));
        assert_eq!(report.form, "STIX 2.1");
        assert!(set.name("or.example").is_some() && set.name("a.example").is_none());
        let kinds = [
            ("STIX malware", 1),
            ("expired indicator", 1),
            ("pattern in snort", 1),
            ("pattern of file", 1),
            ("pattern of several conditions", 1),
            ("revoked indicator", 1),
        ];
        assert_eq!(unread(&report), kinds);
    }
}

#[test]
fn drop_as_json_has_a_value_a_line() {
    let drop = "{\"cidr\":\"203.0.112.0/20\",\"sblid\":\"SBL1\"}\n{\"cidr\":\"10.0.0.0/8\"}\n{\"type\":\"metadata\",\"size\":5}\n";
    let (set, report) = read(drop);
    assert_eq!((report.form, report.added, report.guarded), ("Spamhaus DROP", 1, 1));
    assert!(set.address("203.0.113.7".parse().unwrap()).is_some());
    let (_, report) = read("[\"a.example\", \"b.example\", 5, null]");
    assert_eq!(report.added, 2);
}

#[test]
fn a_feed_with_a_fault_adds_nothing_and_a_second_feed_adds_what_is_new() {
    let mut set = Indicators::default();
    let broken = r#"{"objects":[{"type":"indicator","pattern":"[domain-name:value = 'a.example']"}, "#;
    assert!(matches!(set.read_feed(broken.as_bytes(), NOW), Err(BadFeed::Json(_))));
    assert!(set.is_empty());
    set.read_feed(&b"a.example\nb.example\n"[..], NOW).unwrap();
    let report = set.read_feed(&b"b.example\nc.example\nC.example.\n"[..], NOW).unwrap();
    assert_eq!((report.added, report.known, set.len()), (1, 2, 3));
}

#[test]
fn a_feed_beyond_its_bound_is_refused_whole() {
    struct Endless;
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(b'#');
            Ok(buffer.len())
        }
    }
    let mut set = Indicators::default();
    assert!(matches!(set.read_bounded(Endless, NOW, 100_000), Err(BadFeed::Large)));
}

#[test]
fn deep_json_is_refused_without_overflowing() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(Indicators::default().read_feed(deep.as_bytes(), NOW), Err(BadFeed::Json(_))));
}
