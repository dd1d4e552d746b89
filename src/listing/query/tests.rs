//! What queries mean, term by term, and what is said about a wrong one.

use super::{Query, check_query};

/// The query as it is understood, or the fault.
fn read(text: &str) -> String {
    Query::parse(text).map_or_else(|fault| fault.to_string(), |query| query.to_string())
}

#[test]
fn a_query_is_written_as_it_is_understood() {
    for (written, understood) in [
        ("", ""),
        ("  Camera   HQ ", "camera hq"),
        ("\"Exact Words\"", "\"exact words\""),
        ("vendor:Axis", "vendor:axis"),
        ("vendor=\"Axis Communications\"", "vendor=\"axis communications\""),
        ("location:\"hall 2\"", "location:\"hall 2\""),
        ("name:core*", "name:core*"),
        ("name:\"core *\"", "name:\"core *\""),
        ("name:\"core \\*\"", "name:\"core \\*\""),
        ("vendor:*", "vendor:*"),
        ("type:\"Network Switch\"", "type:network_switch"),
        ("CATEGORY:IoT", "category:iot"),
        ("category:computer-mobile", "category:computer_mobile"),
        ("verdict:x-idle", "verdict:X-IDLE"),
        ("counts:true random:no managed:YES", "counts:yes random:no managed:yes"),
        ("importance:high", "importance:high"),
        ("couplings>1 couplings=2", "couplings>1 couplings:2"),
        ("seen<7d seen>=48hours first<2026-11-01", "seen<1w seen>=2d first<2026-11-01"),
        (
            "last_seen:2026-11-22 first_seen>2026-11-22t09:00:00z",
            "seen:2026-11-22 first>2026-11-22T09:00:00Z",
        ),
        ("not tag:lab", "not tag:lab"),
        ("NOT not tag:lab", "not not tag:lab"),
        ("a or b c", "a or b c"),
        ("(a b) OR c", "(a b) or c"),
        ("a and b AND (c (d))", "a b c d"),
        ("not (a or b)", "not (a or b)"),
        ("(vendor:axis or vendor:bosch) alert(1)", "vendor:axis or vendor:bosch \"alert(1)\""),
        ("core*", "core"),
        ("\"or\"", "\"or\""),
    ] {
        assert_eq!(read(written), understood, "{written}");
    }
}

#[test]
fn macs_and_addresses_are_understood_in_every_spelling() {
    for mac in ["58AC.7800.0001", "58-ac-78-00-00-01", "58ac78000001", "58:AC:78:0:0:1", "0x58AC78000001"] {
        assert_eq!(read(&format!("mac:{mac}")), "mac:58:ac:78:00:00:01", "{mac}");
        // As a bare word, it is a part of a name, too.
        assert_eq!(read(mac), mac.to_lowercase(), "{mac}");
    }
    for start in ["58-ac-78-*", "58:AC:78*", "58ac.78*", "58ac78*"] {
        assert_eq!(read(&format!("mac:{start}")), "mac:58:ac:78*", "{start}");
        assert_eq!(read(start), "mac:58:ac:78*", "{start}");
    }
    assert_eq!(read("mac:0:1b:*"), "mac:00:1b*");
    assert_eq!(read("mac:58ac7*"), "mac:58:ac:7*");
    for (written, understood) in [
        ("ip:10.20.0.4", "ip:10.20.0.4"),
        ("ip:010.020.000.004", "ip:10.20.0.4"),
        ("ip:10.20.0.4/32", "ip:10.20.0.4"),
        ("ip:10.20.0.77/24", "ip:10.20.0.0/24"),
        ("ip:10.20.*", "ip:10.20.0.0/16"),
        ("10.20.0.0/24", "ip:10.20.0.0/24"),
        ("ip:2001:DB8::1", "ip:2001:db8::1"),
        ("ip:2001:db8:*", "ip:2001:db8::/32"),
        ("ip:fe80::/10", "ip:fe80::/10"),
        ("10.20.0.4", "10.20.0.4"),
    ] {
        assert_eq!(read(written), understood, "{written}");
    }
}

#[test]
fn a_fault_names_its_column_and_what_to_write() {
    for (wrong, said) in [
        ("camera vendro:axis", "query, column 8: unknown field 'vendro'; did you mean 'vendor'?"),
        ("sen<7d", "query, column 1: unknown field 'sen'; did you mean 'seen'?"),
        ("http://x", "query, column 1: unknown field 'http'; quote the word to search for it as text."),
        ("verdict:x-idel", "query, column 9: 'x-idel' is not a value of 'verdict'; did you mean 'X-IDLE'?"),
        ("verdict:X-PUB", "query, column 9: 'X-PUB' is not a value of 'verdict'"),
        ("category:cameras", "query, column 10: 'cameras' is not a value of 'category'; write one of"),
        ("counts:maybe", "query, column 8: 'maybe' is not a value of 'counts'; write yes or no"),
        ("ip:10.20", "query, column 4: '10.20' is not a value of 'ip'; write an address, a network"),
        ("ip:10.20.0.0/33", "query, column 4: '10.20.0.0/33' is not a value of 'ip'"),
        ("mac:58-ac-78", "query, column 5: '58-ac-78' is not a value of 'mac'; write six bytes"),
        ("seen<soon", "query, column 6: 'soon' is not a value of 'seen'; write a span such as 7d"),
        ("seen:7d", "query, column 1: 'seen' does not take ':'; write seen<7d"),
        ("vendor>axis", "query, column 1: 'vendor' does not take '>'; write vendor:axis"),
        ("couplings>many", "query, column 11: 'many' is not a value of 'couplings'; write a number"),
        ("vendor: axis", "query, column 1: 'vendor' has no value; write it directly behind ':'"),
        ("seen < 7d", "query, column 6: '<' stands alone"),
        ("a \"b", "query, column 3: the quotation does not end"),
        ("a \"\"", "query, column 3: the quotation is empty"),
        ("a (b", "query, column 3: the parenthesis is not closed"),
        ("()", "query, column 1: '(' needs a term"),
        ("a not", "query, column 3: 'not' needs a term"),
        ("a or", "query, column 3: 'or' needs a term"),
        ("or a", "query, column 1: 'or' needs a term before it"),
    ] {
        let found = read(wrong);
        assert!(found.starts_with(said), "{wrong}: {found}");
    }
}

#[test]
fn length_terms_and_depth_are_bounded() {
    let starts = |text: &str, said: &str| assert!(read(text).starts_with(said), "{}", read(text));
    starts(&"ä".repeat(1_001), "query, column 501: the query is longer than 1000 bytes");
    starts(&"a ".repeat(65), "query, column 129: the query has more than 64 terms");
    starts(&"(".repeat(40), "query, column 18: more than 16 parentheses");
    starts(&"not ".repeat(40), "query, column 69: more than 16 parentheses");
    assert_eq!(read(&"a ".repeat(64)), ["a"; 64].join(" "));
}

#[test]
fn the_examples_of_the_documentation_keep_the_laws_that_the_fuzzer_checks() {
    let language = include_str!("../../../docs/query.md");
    let lines = language.lines().filter(|line| line.starts_with("| `"));
    let examples: Vec<&str> = lines.flat_map(|line| line.split('`').skip(1).step_by(2)).collect();
    assert!(examples.len() > 30);
    for text in examples.into_iter().chain(["(", "\"", "not", "vendro:x", "\u{7}", "ä:*"]) {
        assert_eq!(check_query(text), Ok(()), "{text}");
    }
}
