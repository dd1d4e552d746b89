//! The example of P9, and statements drawn by hand.

use super::document::sum;
use super::*;
use crate::billing::timeline::{History, Onboarding, Plan, PlanKind};
use crate::census::Timestamp;
use crate::census::time::DAY;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

fn eur(micros: u64) -> Price {
    Price { currency: "EUR".parse().unwrap(), micros }
}

fn price(number: i64, price: Price, from: &str) -> SetPrice {
    SetPrice { number, price, kind: None, valid_from: at(from), set_at: at(from) }
}

fn plan(number: i64, kind: PlanKind, committed: Option<u64>, from: &str, cancelled: Option<&str>) -> Plan {
    Plan {
        number,
        kind,
        committed,
        accepted_terms_at: at(from),
        from: at(from),
        cancel_requested_at: cancelled.map(at),
        withdrawn_at: None,
        changed_at: at(from),
    }
}

/// 1700 devices until 22 November 11:00, then 2100.
fn golden_plans() -> Vec<Plan> {
    vec![
        plan(1, PlanKind::Monthly, Some(1700), "2026-11-01T00:00:00Z", Some("2026-11-22T10:00:00Z")),
        plan(2, PlanKind::Monthly, Some(2100), "2026-11-22T11:00:00Z", None),
    ]
}

fn drawn(text: &str, plans: &[Plan], prices: &[SetPrice], corrections: &[Correction]) -> Statement {
    let month = month(text);
    let statement = draw("s1", month, Records { plans, prices, corrections }, month.to()).unwrap();
    check(&statement).unwrap();
    statement
}

fn amounts(statement: &Statement) -> Vec<String> {
    statement.lines.iter().map(|l| l.amount.map_or_else(|| "-".to_owned(), |a| a.to_string())).collect()
}

fn device_months(statement: &Statement) -> Vec<String> {
    statement.lines.iter().map(|l| l.device_months.to_string()).collect()
}

#[test]
fn the_golden_vector_is_met_to_the_digit() {
    let plans = golden_plans();
    let bare = drawn("2026-11", &plans, &[], &[]);
    assert_eq!(device_months(&bare), ["1215.972222", "597.916667"]);
    assert_eq!((bare.device_months.to_string().as_str(), bare.amounts.len()), ("1813.888889", 0));
    assert_eq!(bare.lines.iter().map(|l| l.seconds).collect::<Vec<_>>(), [1_854_000, 738_000]);
    let priced = drawn("2026-11", &plans, &[price(1, eur(1_000_000), "2026-01-01T00:00:00Z")], &[]);
    assert_eq!(amounts(&priced), ["1215.972222", "597.916667"]);
    assert_eq!(priced.amounts[0].amount.to_string(), "1813.888889");
}

#[test]
fn a_statement_is_checked_on_paper_line_by_line() {
    let plans = golden_plans();
    let priced = drawn("2026-11", &plans, &[price(1, eur(1_400_000), "2026-01-01T00:00:00Z")], &[]);
    insta::assert_json_snapshot!(arithmetic(&priced).unwrap(), @r#"
    [
      [
        "1700 × 1854000 s / 2592000 s = 1215.972222222222… device-months",
        "so far 1215.972222222222…, rounded 1215.972222; less 0.000000 before: 1215.972222",
        "1700 × 1854000 s / 2592000 s × 1.400000 EUR = 1702.361111111111… EUR",
        "so far 1702.361111111111…, rounded 1702.361111; less 0.000000 before: 1702.361111"
      ],
      [
        "2100 × 738000 s / 2592000 s = 597.916666666666… device-months",
        "so far 1813.888888888888…, rounded 1813.888889; less 1215.972222 before: 597.916667",
        "2100 × 738000 s / 2592000 s × 1.400000 EUR = 837.083333333333… EUR",
        "so far 2539.444444444444…, rounded 2539.444444; less 1702.361111 before: 837.083333"
      ]
    ]
    "#);
}

#[test]
fn the_canonical_form_and_its_digest_are_fixed() {
    let plans = golden_plans();
    let mut statement = drawn("2026-11", &plans, &[price(1, eur(1_000_000), "2026-01-01T00:00:00Z")], &[]);
    statement.lines.truncate(1);
    sum(&mut statement).unwrap();
    statement.closed_at = Some(month("2026-11").closes_at());
    let canonical = statement.canonical().unwrap();
    insta::assert_snapshot!(canonical, @r#"{"schema":"netcensus.statement/1","subscription":"s1","month":"2026-11","from":"2026-11-01T00:00:00Z","to":"2026-12-01T00:00:00Z","seconds":2592000,"closed_at":"2026-12-04T00:00:00Z","previous":null,"lines":[{"number":1,"plan":1,"kind":"monthly","committed":1700,"from":"2026-11-01T00:00:00Z","to":"2026-11-22T11:00:00Z","seconds":1854000,"seconds_in_month":2592000,"price":{"currency":"EUR","micros":1000000},"device_months":"1215.972222","amount":"1215.972222","corrects":null}],"device_months":"1215.972222","amounts":[{"currency":"EUR","amount":"1215.972222"}],"peak_billable":null,"last_billable":null}"#);
    assert_eq!(read(&canonical), Ok(statement));
    for (other, refused) in [
        (canonical.replacen(':', ": ", 1), Discrepancy::Form),
        (canonical.replacen("1215.972222", "1215.97222200", 1), Discrepancy::Unreadable(String::new())),
        (canonical.replacen("1854000", "1.854e6", 1), Discrepancy::Unreadable(String::new())),
        (canonical.replacen("{\"", "{\"x\":1,\"", 1), Discrepancy::Unreadable(String::new())),
    ] {
        let same = |d: Discrepancy| std::mem::discriminant(&d) == std::mem::discriminant(&refused);
        assert!(read(&other).is_err_and(same), "{other}");
    }
    // What sha256sum says of these bytes.
    insta::assert_snapshot!(digest(&canonical), @"8c19ef99bba181c804bff128524b2cfe13d84fadba1521c29cdc6eeac73136fe");
}

#[test]
fn a_trial_is_a_line_of_zero_charge() {
    let plans = [plan(1, PlanKind::Trial, None, "2026-11-10T00:00:00Z", None)];
    let prices =
        [price(1, eur(1_000_000), "2026-01-01T00:00:00Z"), price(2, eur(2_000_000), "2026-11-20T00:00:00Z")];
    let november = drawn("2026-11", &plans, &prices, &[]);
    assert_eq!(
        (device_months(&november), amounts(&november)),
        (vec!["0.000000".into()], vec!["0.000000".into()])
    );
    assert_eq!(november.lines[0].seconds, 21 * 86_400);
    let december = drawn("2026-12", &plans, &[], &[]);
    assert_eq!((december.lines[0].seconds, amounts(&december)), (9 * 86_400, vec!["-".into()]));
    assert!(drawn("2027-01", &plans, &[], &[]).lines.is_empty());
}

#[test]
fn a_price_that_changes_within_the_month_splits_the_line_and_another_currency_has_its_own_sum() {
    let plans = [plan(1, PlanKind::Monthly, Some(100), "2026-11-01T00:00:00Z", None)];
    let yen = Price { currency: "JPY".parse().unwrap(), micros: 200_000_000 };
    let prices = [
        price(1, eur(1_000_000), "2026-11-07T00:00:00Z"),
        price(2, eur(1_000_000), "2026-11-10T00:00:00Z"),
        price(3, yen, "2026-11-16T00:00:00Z"),
    ];
    let statement = drawn("2026-11", &plans, &prices, &[]);
    assert_eq!(device_months(&statement), ["20.000000", "30.000000", "50.000000"]);
    assert_eq!(amounts(&statement), ["-", "30.000000", "10000.000000"]);
    let totals: Vec<String> =
        statement.amounts.iter().map(|a| format!("{} {}", a.amount, a.currency)).collect();
    assert_eq!(totals, ["30.000000 EUR", "10000.000000 JPY"]);
}

#[test]
fn an_open_statement_says_what_has_been_in_effect_so_far() {
    let plans = golden_plans();
    let records = Records { plans: &plans, prices: &[], corrections: &[] };
    let so_far = |until| {
        let statement = draw("s1", month("2026-11"), records, at(until)).unwrap();
        check(&statement).unwrap();
        device_months(&statement)
    };
    assert_eq!(so_far("2026-11-16T00:00:00.9Z"), ["850.000000"]);
    assert_eq!(so_far("2026-11-22T11:00:00Z"), ["1215.972222"]);
    assert_eq!(so_far("2026-11-01T00:00:00Z"), [""; 0]);
}

#[test]
fn a_statement_is_open_then_a_draft_for_72_hours_then_closed() {
    let november = month("2026-11");
    let states = [
        ("2026-11-30T23:59:59.999999999Z", StatementState::Open),
        ("2026-12-01T00:00:00Z", StatementState::Draft),
        ("2026-12-03T23:59:59.999999999Z", StatementState::Draft),
        ("2026-12-04T00:00:00Z", StatementState::Closed),
    ];
    for (now, state) in states {
        assert_eq!(StatementState::at(november, at(now)), state, "{now}");
    }
}

#[test]
fn a_plan_that_was_never_in_effect_has_no_line() {
    let mut plans = golden_plans();
    plans[1].withdrawn_at = Some(at("2026-11-22T10:30:00Z"));
    plans[0].cancel_requested_at = None;
    assert_eq!(device_months(&drawn("2026-11", &plans, &[], &[])), ["1700.000000"]);
    assert_eq!(first_month(&plans), Some(month("2026-11")));
    assert_eq!(first_month(&plans[1..]), None);
}

fn asked(line: u32) -> CorrectionRequest {
    CorrectionRequest { line, reason: "1600 were meant".to_owned(), ..CorrectionRequest::default() }
}

#[test]
fn a_correction_is_a_line_of_the_month_in_which_it_is_made_with_the_period_that_it_corrects() {
    let (plans, made) = (golden_plans(), at("2026-12-05T09:00:00Z"));
    let prices = [price(1, eur(1_000_000), "2026-01-01T00:00:00Z")];
    let november = drawn("2026-11", &plans, &prices, &[]);
    let fewer = CorrectionRequest { committed: Some(1600), ..asked(1) };
    let first = correct(&november, &[], &fewer, "grace", made).unwrap();
    let mut all = vec![first];
    let december = drawn("2026-12", &plans, &prices, &all);
    let line = &december.lines[1];
    assert_eq!((line.from, line.to), (november.lines[0].from, november.lines[0].to));
    assert_eq!(device_months(&december), ["2100.000000", "-71.527778"]);
    assert_eq!(amounts(&december), ["2100.000000", "-71.527778"]);
    let corrected = line.corrects.clone().unwrap();
    assert_eq!((corrected.statement, corrected.line, corrected.by.as_str()), (month("2026-11"), 1, "grace"));
    assert_eq!(drawn("2026-11", &plans, &prices, &all), november, "what is closed stays as it is");

    // A second one starts where the first one left it: together they come to what should have been charged.
    let cheaper = CorrectionRequest { price: Some(eur(500_000)), ..asked(1) };
    all.push(correct(&november, &all, &cheaper, "grace", made).unwrap());
    let december = drawn("2026-12", &plans, &prices, &all);
    assert_eq!(amounts(&december), ["2100.000000", "-71.527778", "-572.222222"]);
    assert_eq!(
        arithmetic(&december).unwrap()[1][0],
        "1600 × 1854000 s / 2592000 s − 1700 × 1854000 s / 2592000 s = -71.527777777777… device-months"
    );
    let nothing = correct(&november, &all, &fewer, "grace", made);
    assert_eq!(nothing, Err(StatementRefusal::Nothing(1)));
}

#[test]
fn each_correction_that_makes_no_sense_is_refused_by_its_own_refusal() {
    let mut plans = golden_plans();
    plans.push(plan(3, PlanKind::Trial, None, "2027-01-01T00:00:00Z", None));
    plans[1].cancel_requested_at = Some(at("2026-12-31T23:00:00Z"));
    let prices = [price(1, eur(1_000_000), "2026-01-01T00:00:00Z")];
    let made = at("2027-02-05T09:00:00Z");
    let closed = drawn("2026-11", &plans, &prices, &[]);
    let refused = |request: CorrectionRequest| correct(&closed, &[], &request, "grace", made).unwrap_err();
    let base = CorrectionRequest { seconds: Some(0), ..asked(1) };
    for reason in ["", " \n ", "a\u{7}b", &"x".repeat(201)] {
        assert_eq!(
            refused(CorrectionRequest { reason: reason.into(), ..base.clone() }),
            StatementRefusal::Reason
        );
    }
    assert_eq!(refused(asked(9)), StatementRefusal::NoLine { month: month("2026-11"), line: 9 });
    assert_eq!(refused(asked(1)), StatementRefusal::Nothing(1));
    let number = refused(CorrectionRequest { committed: Some(1650), ..asked(1) });
    assert!(number.to_string().contains("commit 1700"), "{number}");
    let long = CorrectionRequest { seconds: Some(1_854_001), ..asked(1) };
    assert_eq!(refused(long), StatementRefusal::Seconds { asked: 1_854_001, most: 1_854_000 });
    let yen = Price { currency: "JPY".parse().unwrap(), micros: 1 };
    let other = CorrectionRequest { price: Some(yen), ..asked(1) };
    assert_eq!(refused(other), StatementRefusal::OtherCurrency("EUR".parse().unwrap()));
    let dear = CorrectionRequest { price: Some(eur(HIGHEST + 1)), ..asked(1) };
    assert_eq!(refused(dear), StatementRefusal::PriceTooHigh(HIGHEST + 1));

    let trial = drawn("2027-01", &plans, &prices, &[]);
    let refused = correct(&trial, &[], &base, "grace", made).unwrap_err();
    assert_eq!(refused, StatementRefusal::OfTrial(1));

    let first = correct(&closed, &[], &base, "grace", at("2026-12-05T09:00:00Z")).unwrap();
    let december = drawn("2026-12", &plans, &prices, std::slice::from_ref(&first));
    let again = correct(&december, std::slice::from_ref(&first), &asked(2), "grace", made).unwrap_err();
    let (of_month, of_line) = (month("2026-11"), 1);
    assert_eq!(again, StatementRefusal::OfCorrection { month: month("2026-12"), line: 2, of_month, of_line });

    let many: Vec<Correction> = (0..CORRECTIONS).map(|_| Correction { at: made, ..first.clone() }).collect();
    let more = CorrectionRequest { committed: Some(100), ..base };
    let full = correct(&closed, &many, &more, "grace", made);
    assert_eq!(full, Err(StatementRefusal::Full(month("2027-02"))));
}

#[test]
fn every_figure_of_a_statement_that_is_changed_is_found() {
    let plans = golden_plans();
    let prices = [price(1, eur(1_000_000), "2026-01-01T00:00:00Z")];
    let november = drawn("2026-11", &plans, &prices, &[]);
    let fewer = CorrectionRequest { committed: Some(1600), ..asked(1) };
    let fix = correct(&november, &[], &fewer, "grace", at("2026-12-05T09:00:00Z")).unwrap();
    let december = drawn("2026-12", &plans, &prices, &[fix]);
    let text = december.canonical().unwrap();
    // Each digit in turn, but those of what arithmetic cannot know: names, the plan's number, when within the month it
    // was corrected, which line, and whether that ended later.
    let free = [
        "\"plan\":",
        "\"at\":\"2026-12-05T09:00:00Z",
        "\"subscription\":\"s1",
        "\"line\":",
        "\"reason\":\"1600",
        "\"to\":\"2026-11-22T11:00:00Z",
    ];
    let is_free =
        |i: usize| free.iter().any(|f| text.match_indices(f).any(|(s, _)| (s..s + f.len() + 1).contains(&i)));
    let mut tried = 0;
    for (i, digit) in text.char_indices().filter(|(i, c)| c.is_ascii_digit() && !is_free(*i)) {
        let other = if digit == '9' { '8' } else { char::from(digit as u8 + 1) };
        let mut changed = text.clone();
        changed.replace_range(i..=i, &other.to_string());
        let read = serde_json::from_str::<Statement>(&changed);
        assert!(read.is_err() || check(&read.unwrap()).is_err(), "at {i}: {changed}");
        tried += 1;
    }
    assert!(tried > 200, "{tried}");
}

#[test]
fn a_plan_in_parts_comes_to_what_it_comes_to_whole() {
    // Replaced by its like every day, it is thirty lines, and not a millionth more or less.
    let asked = Onboarding { kind: PlanKind::Monthly, devices: Some(1700), accept_terms: true };
    let mut plans = History::new(vec![], None, at("2026-11-01T00:00:00Z")).onboard(&asked).unwrap().added;
    let mut rows = vec![plans.take().unwrap()];
    for day in 0..28 {
        let now = at("2026-11-02T00:13:07Z").plus(day * DAY);
        let change = History::new(rows.clone(), None, now).replace(&asked).unwrap();
        *rows.last_mut().unwrap() = change.updated[0].clone();
        rows.extend(change.added);
    }
    let prices = [price(1, eur(999_983), "2026-01-01T00:00:00Z")];
    let parts = drawn("2026-11", &rows, &prices, &[]);
    assert_eq!((parts.lines.len(), parts.device_months.to_string()), (29, "1700.000000".to_owned()));
    assert_eq!(parts.amounts[0].amount, Micros(1700 * 999_983));
    let sum: i128 = parts.lines.iter().filter_map(|l| l.amount).map(|a| a.0).sum();
    assert_eq!(sum, 1700 * 999_983);
}
