//! The forecast on curves whose truth is known, drawn with a fixed seed.

#![expect(clippy::cast_possible_truncation, reason = "days and sizes of made-up networks are small")]

use proptest::prelude::*;

use super::*;

/// SplitMix64: the same curves on every machine.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly between 0 and 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.share()
    }

    /// Nearly normal, with a deviation of 1.
    fn noise(&mut self) -> f64 {
        (0..12).map(|_| self.share()).sum::<f64>() - 6.0
    }
}

/// A network: its true size a day, and what was counted.
struct Curve {
    truth: Vec<f64>,
    counted: Vec<u64>,
}

/// A size that grows from `start` by `growth` a day and by `compound` of itself, counted with noise, a weekly rhythm and
/// days of outage.
fn curve(dice: &mut Dice, start: f64, growth: f64, compound: f64, days: usize) -> Curve {
    let noise = start * dice.between(0.0, 0.008);
    let rhythm = start * dice.between(0.0, 0.012);
    let truth: Vec<f64> =
        (0..days).map(|d| (start + growth * d as f64) * (1.0 + compound).powi(d as i32)).collect();
    let counted = truth
        .iter()
        .enumerate()
        .map(|(d, size)| {
            let weekend = if d % 7 >= 5 { -rhythm } else { 0.0 };
            let outage = if dice.share() < 0.02 { -0.2 * size } else { 0.0 };
            (size + weekend + outage + noise * dice.noise()).round().max(0.0) as u64
        })
        .collect();
    Curve { truth, counted }
}

impl Curve {
    /// The forecast at the end of day `day`, from the counts until then.
    fn forecast(&self, day: usize, committed: u64) -> Forecast {
        let samples: Vec<Sample> = self.counted[..=day]
            .iter()
            .enumerate()
            .map(|(d, n)| Sample { at: start(d as i64), billable: *n })
            .collect();
        Forecast::new(&samples, Some(committed), start(day as i64))
    }
}

#[test]
fn a_passing_is_warned_of_two_weeks_ahead_and_the_range_holds_the_day() {
    let mut dice = Dice(5);
    let (mut warned, mut held, mut known) = (0, 0, 0);
    let runs = 500;
    for _ in 0..runs {
        let start = dice.between(150.0, 3_000.0);
        let growth = start * dice.between(0.001, 0.01);
        let compound = if dice.share() < 0.3 { dice.between(0.0, 0.003) } else { 0.0 };
        let curve = curve(&mut dice, start, growth, compound, 400);
        // A number that is passed between the 60th and the 180th day.
        let passed = dice.between(60.0, 180.0) as usize;
        let committed = curve.truth[passed] as u64;
        let passing = curve.truth.iter().position(|size| *size > committed as f64).unwrap();
        let early = curve.forecast(passing - 14, committed);
        warned += usize::from(early.warning);
        if let (Outlook::WillPass, Some(earliest)) = (early.outlook, early.earliest) {
            known += 1;
            let day = start_of(passing);
            held += usize::from(earliest <= day && early.latest.is_none_or(|latest| day <= latest));
        }
    }
    assert!(warned * 100 >= runs * 90, "warned of {warned} of {runs}");
    assert!(held * 100 >= known * 85, "the range held {held} of {known}");
}

fn start_of(day: usize) -> Timestamp {
    start(day as i64)
}

#[test]
fn a_network_that_does_not_grow_is_seldom_warned_of() {
    let mut dice = Dice(6);
    let (runs, mut warnings, mut bad) = (80, 0, 0);
    for _ in 0..runs {
        let start = dice.between(150.0, 3_000.0);
        let curve = curve(&mut dice, start, 0.0, 0.0, WINDOW as usize + 90);
        let committed = commitment((start * 1.05) as u64);
        let mut before = false;
        let mut of_this = 0;
        for day in (WINDOW as usize..WINDOW as usize + 90).step_by(3) {
            let warning = curve.forecast(day, committed).warning;
            of_this += usize::from(warning && !before);
            before = warning;
        }
        warnings += of_this;
        bad += usize::from(of_this > 1);
    }
    assert!(warnings <= runs, "{warnings} warnings in {runs} quarters");
    assert!(bad * 20 <= runs, "{bad} of {runs} quarters had more than one");
}

#[test]
fn the_recommended_number_holds_for_a_month() {
    let mut dice = Dice(7);
    let (runs, mut kept) = (500, 0);
    for _ in 0..runs {
        let start = dice.between(150.0, 3_000.0);
        let growth = start * dice.between(0.0, 0.01);
        let compound = if dice.share() < 0.3 { dice.between(0.0, 0.003) } else { 0.0 };
        let curve = curve(&mut dice, start, growth, compound, 150);
        let recommended = curve.forecast(100, 100).recommended.unwrap();
        assert_eq!(recommended % 100, 0);
        kept += usize::from(curve.counted[101..=130].iter().all(|n| *n <= recommended));
    }
    assert!(kept * 100 >= runs * 95, "{kept} of {runs}");
}

#[test]
fn a_day_of_outage_and_a_burst_do_not_bend_the_line() {
    let samples: Vec<Sample> = (0..42)
        .map(|d| {
            let billable = match d {
                20 => 100,
                33 => 2_500,
                _ => 1_000 + 4 * d,
            };
            Sample { at: start(d as i64), billable }
        })
        .collect();
    let forecast = Forecast::new(&samples, Some(1_300), start(41));
    assert_eq!(forecast.per_day, Some(4.0));
    assert_eq!((forecast.outlook, forecast.warning), (Outlook::WillPass, false));
    // 1164 on day 41; 1304 on day 76.
    assert_eq!(forecast.expected, Some(start(76)));
    assert!(forecast.earliest.unwrap() <= start(76) && forecast.latest.unwrap() >= start(76));
}

#[test]
fn what_cannot_be_said_is_not_said() {
    let at = |n: usize, billable: u64| -> Vec<Sample> {
        (0..n).map(|d| Sample { at: start(d as i64), billable }).collect()
    };
    let few = Forecast::new(&at(6, 500), Some(1_000), start(5));
    assert_eq!((few.outlook, few.days, few.per_day, few.recommended), (Outlook::TooFewDays, 6, None, None));
    assert!(few.says.starts_with("no forecast yet"), "{}", few.says);
    assert_eq!(Forecast::new(&[], Some(1_000), start(5)).billable, None);
    let flat = Forecast::new(&at(30, 500), Some(1_000), start(29));
    assert_eq!((flat.outlook, flat.earliest, flat.recommended), (Outlook::Flat, None, Some(500)));
    let over = Forecast::new(&at(3, 1_001), Some(1_000), start(2));
    assert_eq!((over.outlook, over.warning), (Outlook::Passed, true));
    assert_eq!(over.says, "1001 devices are 1 more than the committed number");
    assert_eq!(Forecast::new(&at(30, 500), None, start(29)).outlook, Outlook::NoCommitment);
    // Counts older than the window, and of the future, are none.
    assert_eq!(Forecast::new(&at(30, 500), Some(1_000), start(90)).days, 0);
    assert_eq!(Forecast::new(&at(30, 500), Some(1_000), start(9)).days, 10);
}

#[test]
fn a_series_is_read_with_or_without_a_header_and_a_bad_line_is_named() {
    let read = |text: &str| read_series(text);
    let samples =
        read("day,billable\n# before the move\n2026-11-21,100\n2026-11-22T09:00:00Z;101\n").unwrap();
    assert_eq!(samples.iter().map(|s| s.billable).collect::<Vec<_>>(), [100, 101]);
    assert_eq!(samples[0].at.to_string(), "2026-11-21T00:00:00Z");
    assert_eq!(read("2026-11-21,100\nyesterday,5\n"), Err(BadSeries::Line(2)));
    assert_eq!(read(&"2026-11-21,1\n".repeat(LINES + 1)), Err(BadSeries::TooLong));
}

#[test]
fn a_day_has_the_count_of_its_newest_sample() {
    let mut samples: Vec<Sample> = (0..10).map(|d| Sample { at: start(d), billable: 100 }).collect();
    samples.insert(3, Sample { at: start(9).plus(DAY / 2), billable: 170 });
    let forecast = Forecast::new(&samples, Some(100), start(10));
    assert_eq!((forecast.days, forecast.billable), (10, Some(170)));
}

proptest! {
    #[test]
    fn neither_order_nor_repetition_of_samples_matters(
        counts in proptest::collection::vec(0..5_000_u64, 0..60),
        committed in proptest::option::of(0..5_000_u64),
        turn in 0..60_usize,
    ) {
        let samples: Vec<Sample> =
            counts.iter().enumerate().map(|(d, n)| Sample { at: start(d as i64), billable: *n }).collect();
        let mut other = samples.clone();
        other.rotate_left(turn.min(samples.len()));
        other.extend(&samples);
        let as_of = start(60);
        prop_assert_eq!(Forecast::new(&samples, committed, as_of), Forecast::new(&other, committed, as_of));
    }

    #[test]
    fn a_straight_line_is_found_exactly_and_dates_are_in_order(
        first in 0..3_000_u64,
        step in 1..20_u64,
        room in 1..2_000_u64,
    ) {
        let samples: Vec<Sample> =
            (0..42).map(|d| Sample { at: start(d as i64), billable: first + step * d }).collect();
        let now = first + step * 41;
        let forecast = Forecast::new(&samples, Some(now + room), start(41));
        prop_assert_eq!(forecast.per_day, Some(step as f64));
        let days = (room / step + 1) as i64;
        let expected = (days <= HORIZON).then(|| start(41 + days));
        prop_assert_eq!((forecast.earliest, forecast.expected, forecast.latest), (expected, expected, expected));
        prop_assert_eq!(forecast.warning, days <= WARNING);
        prop_assert_eq!(forecast.recommended, Some(commitment(now + 30 * step)));
    }
}
