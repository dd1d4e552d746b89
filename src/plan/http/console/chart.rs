//! The chart of the count by day, drawn as SVG: what counted, what was committed, and where the trend leads.
//!
//! The picture has attributes only, because pages have no inline styles. Its numbers stand in a table beside it.

use std::fmt::Write as _;

use super::show;
use crate::plan::app::history::CountHistory;
use crate::plan::store::DayCount;
use crate::proof::Day;

/// The size of the picture, in its own units.
pub(super) const WIDTH: u32 = 960;
pub(super) const HEIGHT: u32 = 280;
/// Where the plot lies in it.
const LEFT: f64 = 56.0;
const RIGHT: f64 = 948.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 252.0;
/// The fewest days before the newest one, so that few bars do not become wide.
const FEWEST: i64 = 29;

/// A chart: paths and texts in units of the picture.
#[derive(Debug, Default)]
pub(super) struct Chart {
    pub(super) network: String,
    pub(super) iot: String,
    /// Devices that do not count.
    pub(super) excluded: String,
    pub(super) committed: String,
    pub(super) band: String,
    pub(super) expected: String,
    /// Lines across, each with its number.
    pub(super) levels: Vec<(String, String)>,
    /// Dates below: place and text.
    pub(super) dates: Vec<(String, String)>,
    /// Days to click on.
    pub(super) days: Vec<Slot>,
    /// Where a plan begins: place, and the plan in a sentence.
    pub(super) marks: Vec<Mark>,
    /// The chart in a sentence.
    pub(super) says: String,
}

/// A day in the chart.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) x: String,
    pub(super) width: String,
    /// Its end, for `as_of`; `None` for the day of the page.
    pub(super) end: Option<String>,
    pub(super) title: String,
}

/// The beginning of a plan.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) x: String,
    pub(super) day: String,
    pub(super) text: String,
}

impl Chart {
    /// The chart of a history.
    pub(super) fn new(history: &CountHistory) -> Self {
        let newest = history.newest.day;
        let oldest = history.days.first().map_or(newest, |s| s.day).min(newest.plus(-FEWEST));
        let last = newest.plus(i64::try_from(history.ahead.len()).unwrap_or_default());
        let plot = Plot::new(history, oldest, last);
        let all: Vec<&DayCount> = history.days.iter().chain([&history.newest]).collect();
        let mut chart = Self { says: says(history, &all), ..Self::default() };
        for s in &all {
            let x = plot.x(s.day);
            let (network, iot) = (plot.y(whole(s.network)), plot.y(whole(s.network + s.iot)));
            let bar = |out: &mut String, from: f64, to: f64| {
                // Writing to a string cannot fail.
                write!(out, "M{x} {from:.1}h{:.1}V{to:.1}h-{:.1}z", plot.bar(), plot.bar()).ok();
            };
            bar(&mut chart.network, BOTTOM, network);
            bar(&mut chart.iot, network, iot);
            let is_newest = s.day == newest;
            chart.days.push(Slot {
                x,
                width: format!("{:.1}", plot.step),
                end: (!is_newest).then(|| s.day.end().to_string()),
                title: title(s),
            });
        }
        chart.excluded = line(&plot, all.iter().map(|s| (s.day, whole(excluded(s)))), true);
        chart.committed = committed(history, &plot, oldest, last);
        chart.ahead(history, &plot);
        chart.levels = plot.levels();
        chart.dates = plot.dates(oldest, last);
        chart.marks = history
            .plans(oldest.start(), last.end())
            .iter()
            .map(|plan| {
                let day = Day::of(plan.from);
                Mark { x: plot.x(day), day: day.to_string(), text: show::sentence(plan) }
            })
            .collect();
        chart
    }

    fn ahead(&mut self, history: &CountHistory, plot: &Plot) {
        let ahead = &history.ahead;
        if ahead.is_empty() {
            return;
        }
        let (from, now) = (history.newest.day, whole(history.newest.billable));
        let day = |a: &crate::billing::forecast::Ahead| Day::of(a.at);
        let start = [(from, now)];
        self.expected =
            line(plot, start.into_iter().chain(ahead.iter().map(|a| (day(a), a.expected))), false);
        let there = ahead.iter().map(|a| (day(a), a.high));
        let back = ahead.iter().rev().map(|a| (day(a), a.low));
        self.band = line(plot, start.into_iter().chain(there).chain(back), false) + "z";
    }
}

/// Devices that do not count.
pub(super) fn excluded(s: &DayCount) -> u64 {
    s.devices.saturating_sub(s.billable)
}

fn title(s: &DayCount) -> String {
    format!(
        "{}: {} network + {} IoT = {} billable, {} not counted",
        s.day,
        show::number(s.network),
        show::number(s.iot),
        show::number(s.billable),
        show::number(excluded(s))
    )
}

fn says(history: &CountHistory, all: &[&DayCount]) -> String {
    let newest = &history.newest;
    let numbers = || all.iter().map(|s| s.billable);
    let (least, most) = (numbers().min().unwrap_or_default(), numbers().max().unwrap_or_default());
    format!(
        "Billable devices by day, from {} to {}: between {} and {}, {} on the newest day. The table below has the numbers.",
        all.first().map_or(newest.day, |s| s.day),
        newest.day,
        show::number(least),
        show::number(most),
        show::number(newest.billable)
    )
}

fn committed(history: &CountHistory, plot: &Plot, oldest: Day, last: Day) -> String {
    let mut out = String::new();
    let mut former = None;
    let mut day = oldest;
    while day <= last {
        let now = match day == history.newest.day {
            true => history.newest.committed,
            false => history.committed(day.end().plus(-1)),
        };
        if let Some(number) = now {
            let y = plot.y(whole(number));
            let from = plot.left(day);
            match former {
                None => write!(out, "M{from:.1} {y:.1}H{:.1}", from + plot.step),
                Some(_) => write!(out, "V{y:.1}H{:.1}", from + plot.step),
            }
            .ok();
        }
        former = now;
        day = day.plus(1);
    }
    out
}

/// A line through the middles of days; if `broken`, with a gap for days that are missing.
fn line(plot: &Plot, points: impl Iterator<Item = (Day, f64)>, broken: bool) -> String {
    let mut out = String::new();
    let mut next = None;
    for (day, value) in points {
        let goes_on = if broken { next == Some(day) } else { next.is_some() };
        let mark = if goes_on { 'L' } else { 'M' };
        write!(out, "{mark}{:.1} {:.1}", plot.middle(day), plot.y(value)).ok();
        if !goes_on && broken {
            // A day between two gaps is a point.
            out.push_str("h0.1");
        }
        next = Some(day.plus(1));
    }
    out
}

/// How days and numbers become places.
struct Plot {
    oldest: i64,
    step: f64,
    most: f64,
    level: f64,
}

impl Plot {
    fn new(history: &CountHistory, oldest: Day, last: Day) -> Self {
        let mut most: f64 = 1.0;
        for s in history.days.iter().chain([&history.newest]) {
            let committed = history.committed(s.day.end().plus(-1)).unwrap_or_default();
            most = most.max(whole(s.billable.max(excluded(s)).max(committed)));
        }
        most = most.max(whole(history.newest.committed.unwrap_or_default()));
        most = most.max(whole(history.committed(last.start()).unwrap_or_default()));
        // A band that opens widely must not flatten the past.
        let high = history.ahead.iter().map(|a| a.high).fold(0.0, f64::max);
        most = most.max(high.min(most * 2.0)) * 1.04;
        let level = step(most / 4.0);
        let days = number_of(last) - number_of(oldest) + 1;
        #[expect(clippy::cast_precision_loss, reason = "a few hundred days")]
        let step = (RIGHT - LEFT) / days.max(1) as f64;
        Self { oldest: number_of(oldest), step, most, level }
    }

    #[expect(clippy::cast_precision_loss, reason = "a few hundred days")]
    fn left(&self, day: Day) -> f64 {
        LEFT + (number_of(day) - self.oldest) as f64 * self.step
    }

    fn x(&self, day: Day) -> String {
        format!("{:.1}", self.left(day))
    }

    fn middle(&self, day: Day) -> f64 {
        self.left(day) + self.bar() / 2.0
    }

    /// The width of a bar, with a gap behind it.
    fn bar(&self) -> f64 {
        (self.step - 1.0).max(self.step * 0.8)
    }

    fn y(&self, value: f64) -> f64 {
        BOTTOM - (value / self.most).min(1.0) * (BOTTOM - TOP)
    }

    fn levels(&self) -> Vec<(String, String)> {
        let mut out = Vec::new();
        let mut value = 0.0;
        while value <= self.most {
            out.push((format!("{:.1}", self.y(value)), short(value)));
            value += self.level;
        }
        out
    }

    /// About six dates, at least some days apart.
    fn dates(&self, oldest: Day, last: Day) -> Vec<(String, String)> {
        let days = number_of(last) - self.oldest;
        let every = (days / 6).max(1);
        let of = |n: i64| {
            let day = oldest.plus(n * every);
            (format!("{:.1}", self.middle(day)), day.to_string().get(5..).unwrap_or_default().to_owned())
        };
        (0..=days / every).map(of).filter(|(x, _)| x.parse::<f64>().is_ok_and(|x| x < RIGHT - 10.0)).collect()
    }
}

/// The number of a day since 1970.
fn number_of(day: Day) -> i64 {
    day.start().0.div_euclid(crate::census::time::DAY)
}

/// The next of 1, 2, 5, 10, … that is not smaller.
fn step(least: f64) -> f64 {
    let power = 10_f64.powf(least.max(1.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|n| *n >= least).unwrap_or(power * 10.0)
}

/// A number of an axis: `1,500`, `12k`.
fn short(value: f64) -> String {
    if value >= 10_000.0 { format!("{}k", value / 1000.0) } else { show::number(rounded(value)) }
}

/// A forecast's number as a whole one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is not negative")]
pub(super) fn rounded(value: f64) -> u64 {
    value.max(0.0).round() as u64
}

#[expect(clippy::cast_precision_loss, reason = "pixels")]
fn whole(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_round_numbers() {
        for (least, expected) in [(0.2, 1.0), (1.0, 1.0), (3.0, 5.0), (130.0, 200.0), (501.0, 1000.0)] {
            assert!((step(least) - expected).abs() < 1e-9, "{least}");
        }
        assert_eq!([short(500.0), short(2_500.0), short(12_500.0)], ["500", "2,500", "12.5k"]);
    }
}
