//! The laws of queries: what is printed is read as the same, no text is too much for the parser, and the devices that match
//! are those that a plain evaluation finds.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use smallvec::SmallVec;

use super::field::{Field, Operator};
use super::term::{MacStart, Pattern, Term, When};
use super::{Expression, Query};
use crate::census::laws::cases;
use crate::census::time::{DAY, HOUR, SECOND};
use crate::census::{
    Binding, Category, Classification, CouplingKey, CouplingState, Decision, DeviceDecisions, Importance,
    MacAddr, Mark, Prefix, Property, Ruling, Timestamp, Verdict,
};
use crate::listing::filter::Filter;
use crate::listing::page::places;
use crate::listing::rows::Rows;
use crate::wire::{CouplingRow, DeviceRow, Shown, Subject};

const AS_OF: Timestamp = Timestamp::from_secs(1_795_000_000);

fn word() -> impl Strategy<Value = String> {
    let some =
        select(vec!["axis", "core", "core sw-1", "or", "not", "58ac78000001", "hall 2", "10.0.0.0/24"]);
    let any = "[a-zä0-9 .*\"\\\\():<>=_-]{1,6}".prop_filter("not blank", |text| !text.trim().is_empty());
    prop_oneof![some.prop_map(str::to_owned), any]
}

fn key() -> impl Strategy<Value = String> {
    select(vec!["camera", "switch", "network_switch", "x*"]).prop_map(str::to_owned)
}

fn pattern(field: Field) -> BoxedStrategy<Pattern> {
    let text = if matches!(field, Field::Type | Field::Role) { key().boxed() } else { word().boxed() };
    let piece = || prop_oneof![Just(String::new()), key(), "[a-z]{1,2}"];
    let pieces = (piece(), vec("[a-z.]{1,2}", 0..3), piece()).prop_map(|(first, between, last)| {
        let pieces = std::iter::once(first).chain(between).chain([last]);
        Pattern::Pieces(pieces.collect())
    });
    let part = text.clone().prop_map(Pattern::Part);
    let whole = text.prop_map(Pattern::Whole);
    let prose = [Field::Name, Field::Vendor, Field::Model, Field::Os, Field::Firmware, Field::Location];
    if prose.contains(&field) {
        prop_oneof![part, whole, pieces].boxed()
    } else {
        prop_oneof![whole, pieces].boxed()
    }
}

fn mac() -> impl Strategy<Value = MacAddr> {
    (select(vec![0x58_u8, 0x5a, 0x00]), 0..3_u8)
        .prop_map(|(first, last)| MacAddr([first, 0xac, 0x78, 0, 0, last]))
}

fn ip() -> impl Strategy<Value = std::net::IpAddr> {
    let v6 = (0..4_u16).prop_map(|n| std::net::Ipv6Addr::new(0x2001, 0xdb8, n, 0, 0, 0, 0, 1).into());
    prop_oneof![(0..3_u8, 0..4_u8).prop_map(|(c, d)| [10, 20, c, d].into()), v6]
}

fn ordered() -> impl Strategy<Value = Operator> {
    select(vec![Operator::Less, Operator::AtMost, Operator::More, Operator::AtLeast])
}

fn instant() -> impl Strategy<Value = Timestamp> {
    (0..80_i64).prop_map(|hours| AS_OF.plus(-hours * HOUR))
}

fn term() -> impl Strategy<Value = Term> {
    let fields = select(Field::ALL.into_iter().take(10).collect::<Vec<_>>());
    let text = fields.prop_flat_map(|field| pattern(field).prop_map(move |p| Term::Text(field, p)));
    let flag = select(vec![Field::Counts, Field::Random, Field::Managed]);
    let time = || select(vec![Field::Seen, Field::First]);
    let start = (mac(), 1..=12_u8).prop_map(|(mac, digits)| {
        let text: String = mac.to_string().replace(':', "").chars().take(digits.into()).collect();
        Term::Mac(MacStart { mac: format!("{text:0<12}").parse().unwrap(), digits })
    });
    let bits = select(vec![8_u8, 24, 31, 32, 48, 128]);
    let prefix = (ip(), bits).prop_filter_map("too long", |(ip, bits)| Prefix::of(ip, bits).map(Term::Ip));
    let spans = (ordered(), 0..80_i64, select(vec![1_i64, 60, 3_600, 86_400]));
    prop_oneof![
        3 => word().prop_map(Term::Word),
        1 => mac().prop_map(|mac| {
            let spelled = mac.to_string().replace(':', "-");
            Term::Spelled(spelled, Subject::Mac(mac))
        }),
        5 => text,
        1 => select(Category::ALL.to_vec()).prop_map(Term::Category),
        1 => select(vec![Verdict::CountedIot, Verdict::Idle, Verdict::Unclassified]).prop_map(Term::Verdict),
        1 => select(Importance::ALL.to_vec()).prop_map(Term::Importance),
        1 => (flag, any::<bool>()).prop_map(|(field, is)| Term::Flag(field, is)),
        1 => prefix,
        1 => start,
        1 => proptest::option::of(10..13_u16).prop_map(Term::Vlan),
        1 => (prop_oneof![ordered(), Just(Operator::Has)], 0..4_u32).prop_map(|(o, n)| Term::Couplings(o, n)),
        1 => (time(), spans).prop_map(|(field, (o, n, unit))| Term::Time(field, o, When::Ago(n * unit))),
        1 => (time(), ordered(), instant()).prop_map(|(field, o, at)| Term::Time(field, o, When::At(at))),
        1 => (time(), prop_oneof![ordered(), Just(Operator::Has)], instant())
            .prop_map(|(field, o, at)| Term::Time(field, o, When::Day(at.day_start()))),
    ]
}

fn expression() -> impl Strategy<Value = Expression> {
    term().prop_map(Expression::Term).prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..4).prop_map(Expression::all),
            vec(inner.clone(), 1..4).prop_map(Expression::any),
            inner.prop_map(|inner| Expression::Not(Box::new(inner))),
        ]
    })
}

fn decisions() -> impl Strategy<Value = Option<Box<DeviceDecisions>>> {
    let tags = vec(select(vec!["lab", "Floor 2"]), 0..2);
    let location = proptest::option::of(select(vec!["Hall 2", "roof"]));
    let importance = proptest::option::of(select(Importance::ALL.to_vec()));
    proptest::option::of((tags, location, importance)).prop_map(|decided| {
        let (tags, location, importance) = decided?;
        let mark = Arc::new(Mark { by: "anna".into(), at: AS_OF, change: 1 });
        let mut decisions = DeviceDecisions::default();
        let mut set = |property, ruling| {
            decisions.properties.insert(property, Decision { ruling, mark: Arc::clone(&mark) });
        };
        if !tags.is_empty() {
            set(Property::Tags, Ruling::Tags(tags.into_iter().map(Into::into).collect()));
        }
        if let Some(location) = location {
            set(Property::Location, Ruling::Location(location.into()));
        }
        if let Some(importance) = importance {
            set(Property::Importance, Ruling::Importance(importance));
        }
        Some(Box::new(decisions))
    })
}

fn row() -> impl Strategy<Value = DeviceRow> {
    let texts = || proptest::option::of(select(vec!["Axis", "core", "Core sw-1", "58AC78000001 x", "a*b"]));
    let what =
        (texts(), texts(), texts(), select(Category::ALL.to_vec()), select(vec!["camera", "network_switch"]));
    let verdict = select(vec![Verdict::CountedIot, Verdict::Idle, Verdict::Unclassified]);
    let couplings = vec((mac(), ip()), 1..4);
    (what, verdict, couplings, decisions(), instant(), 0..50_i64).prop_map(
        |((name, vendor, model, category, kind), verdict, couplings, decided, last_seen, earlier)| {
            let what = Classification {
                category,
                kind: kind.into(),
                roles: if name.is_some() { vec!["switch".into()] } else { Vec::new() },
                name: name.map(Into::into),
                vendor: vendor.map(Into::into),
                model: model.map(Into::into),
                ..Classification::default()
            };
            let first_seen = last_seen.plus(-earlier * HOUR);
            let mut rows: SmallVec<[CouplingRow; 1]> = SmallVec::new();
            for (mac, ip) in couplings {
                rows.push(CouplingRow {
                    key: CouplingKey { mac, ip },
                    binding: Binding::Proven,
                    state: CouplingState::Active,
                    first_seen,
                    last_seen,
                    shown: Shown::default(),
                    vlans: [10, 11].into_iter().take(usize::from(ip.is_ipv4()) * rows.len().min(2)).collect(),
                });
            }
            DeviceRow {
                id: "00000000000000aa".parse().unwrap(),
                zone: "Lab".into(),
                ip: rows[0].key.ip,
                mac: rows[0].key.mac,
                couplings: rows,
                joins: thin_vec::ThinVec::new(),
                forwards: None,
                what: Arc::new(what),
                first_seen,
                last_seen,
                verdict,
                decided,
            }
        },
    )
}

/// Whether a text matches, by trying every way.
fn like(pattern: &[String], text: &str) -> bool {
    match pattern {
        [] => text.is_empty(),
        [last] => text == last,
        [first, rest @ ..] => text.strip_prefix(first.as_str()).is_some_and(|text| {
            (0..=text.len()).filter_map(|at| text.get(at..)).any(|text| like(rest, text))
        }),
    }
}

/// Evaluates a query by the document that people see.
fn holds(expression: &Expression, row: &DeviceRow, text: &str) -> bool {
    let d = row.entry(None);
    match expression {
        Expression::All(parts) => parts.iter().filter(|part| !holds(part, row, text)).count() == 0,
        Expression::Any(parts) => parts.iter().filter(|part| holds(part, row, text)).count() > 0,
        Expression::Not(inner) => !holds(inner, row, text),
        Expression::Term(Term::Word(word)) => text.contains(word.as_str()),
        Expression::Term(Term::Spelled(word, subject)) => {
            text.contains(word.as_str()) || d.couplings.iter().any(|c| subject.is(c.mac, c.ip))
        }
        Expression::Term(Term::Text(field, pattern)) => {
            let texts: Vec<String> = match field {
                Field::Name => d.name.into_iter().collect(),
                Field::Vendor => d.vendor.into_iter().collect(),
                Field::Model => d.model.into_iter().collect(),
                Field::Os => d.os.into_iter().collect(),
                Field::Firmware => d.firmware.into_iter().collect(),
                Field::Location => d.location.into_iter().collect(),
                Field::Zone => vec![d.zone],
                Field::Tag => d.tags,
                Field::Type => vec![d.kind],
                _ => d.roles,
            };
            texts.iter().map(|text| text.to_lowercase()).any(|text| match pattern {
                Pattern::Part(part) => text.contains(part.as_str()),
                Pattern::Whole(whole) => text == *whole,
                Pattern::Pieces(pieces) => like(pieces, &text),
            })
        }
        Expression::Term(Term::Category(category)) => d.category == *category,
        Expression::Term(Term::Verdict(verdict)) => d.verdict == *verdict,
        Expression::Term(Term::Importance(importance)) => d.importance.unwrap_or_default() == *importance,
        Expression::Term(Term::Flag(Field::Counts, is)) => d.verdict.id().starts_with('C') == *is,
        Expression::Term(Term::Flag(Field::Random, is)) => d.random_mac == *is,
        Expression::Term(Term::Flag(_, is)) => !*is,
        Expression::Term(Term::Ip(prefix)) => d.couplings.iter().any(|c| prefix.contains(c.ip)),
        Expression::Term(Term::Mac(start)) => {
            let begin: String =
                start.mac.to_string().replace(':', "").chars().take(start.digits.into()).collect();
            d.couplings.iter().any(|c| c.mac.to_string().replace(':', "").starts_with(&begin))
        }
        Expression::Term(Term::Vlan(id)) => {
            let vlans: Vec<u16> = d.couplings.iter().flat_map(|c| c.vlan.clone()).collect();
            id.map_or(vlans.is_empty(), |id| vlans.contains(&id))
        }
        Expression::Term(Term::Couplings(operator, number)) => {
            compared(*operator, d.couplings.len() as i64, i64::from(*number))
        }
        Expression::Term(Term::Time(field, operator, when)) => {
            let at = if *field == Field::First { d.first_seen } else { d.last_seen };
            match when {
                When::Ago(seconds) => compared(*operator, AS_OF.0 - at.0, seconds * SECOND),
                When::At(instant) => compared(*operator, at.0, instant.0),
                When::Day(start) => compared(*operator, at.0.div_euclid(DAY), start.0 / DAY),
            }
        }
    }
}

fn compared(operator: Operator, a: i64, b: i64) -> bool {
    match operator.sign() {
        "<" => a < b,
        "<=" => a <= b,
        ">" => a > b,
        ">=" => a >= b,
        _ => a == b,
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_is_printed_is_read_as_the_same(expression in expression()) {
        let query = Query { expression };
        let text = query.to_string();
        prop_assert_eq!(Query::parse(&text), Ok(query), "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused_with_a_column_in_it(
        text in prop_oneof![
            any::<String>(),
            "(not |or |and |[( )\"*:<>=a-f0-9.-]|vendor:|ip:|mac:|seen|first<|\\\\|ä|İ){0,40}",
        ]
    ) {
        match Query::parse(&text) {
            Ok(query) => {
                let printed = query.to_string();
                prop_assert_eq!(Query::parse(&printed), Ok(query), "{}", printed);
            }
            Err(fault) => prop_assert!((1..=text.chars().count()).contains(&fault.column), "{}", fault),
        }
    }

    #[test]
    fn the_devices_that_match_are_those_of_a_plain_evaluation(
        expression in expression(),
        rows in vec(row(), 1..6),
    ) {
        let query = Query { expression };
        let rows = Rows::new(rows);
        let filter = Filter { q: Some(query.to_string()), ..Filter::default() };
        let mut found: Vec<usize> =
            places([&rows].into_iter(), AS_OF, &filter).unwrap().iter().map(|(_, place)| *place as usize).collect();
        found.sort_unstable();
        let expected: Vec<usize> = rows
            .iter()
            .enumerate()
            .filter(|(place, row)| holds(&query.expression, row, rows.text(*place)))
            .map(|(place, _)| place)
            .collect();
        prop_assert_eq!(found, expected, "{}", query);
    }

    #[test]
    fn words_alone_find_the_devices_that_have_each_of_them_anywhere(
        words in vec(select(vec!["axis", "CORE", "sw-1", "10.20.", "Lab", "c-iot", "x"]), 1..4),
        rows in vec(row(), 1..6),
    ) {
        let rows = Rows::new(rows);
        let filter = Filter { q: Some(words.join(" ")), ..Filter::default() };
        let found = places([&rows].into_iter(), AS_OF, &filter).unwrap().len();
        let has_all = |place: usize| words.iter().all(|word| rows.text(place).contains(&word.to_lowercase()));
        prop_assert_eq!(found, (0..rows.len()).filter(|place| has_all(*place)).count());
    }
}
