//! When the committed number will be passed, and how sure that is.
//!
//! Pure: daily counts and an instant in, dates out. The trend is the Theil–Sen line through the last [`WINDOW`] days: the
//! median of the slopes of all pairs of days, which an outage of a day or a burst of guests does not bend (Sen 1968, with
//! Sen's interval of 90 % for the slope). Around the line lies a band: the 5th to the 95th percentile of the differences
//! between counts and line. The line starts at the median of the last week. The dates are the days on which the upper
//! edge, the line and the lower edge pass the committed number.
//!
//! The forecast does not know plans: a new site that opens next month does not show in the trend.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::census::time::{DAY, rfc3339};
use crate::census::{Timestamp, commitment};

/// The document's schema.
pub(crate) const SCHEMA: &str = "netcensus.forecast/1";
/// The name of the method, for programs.
pub(crate) const METHOD: &str = "theil-sen";
/// Days that the trend looks at: six weeks, so every day of the week weighs the same.
pub(crate) const WINDOW: i64 = 42;
/// The fewest days with a count that a forecast needs.
pub(crate) const DAYS: usize = 7;
/// The farthest date that a forecast gives, in days from now.
pub(crate) const HORIZON: i64 = 365;
/// The forecast warns if the committed number may be passed within this many days.
pub(crate) const WARNING: i64 = 30;
/// For how many days the recommended number should hold.
pub(crate) const LASTS: i64 = 30;

/// The two-sided 90 % point of the normal distribution.
const Z90: f64 = 1.645;

/// What was billable at an instant.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Sample {
    /// The instant.
    pub at: Timestamp,
    /// Billable devices.
    pub billable: u64,
}

/// The most lines of a series.
pub(crate) const LINES: usize = 10_000;

/// Reads a series: lines of `day,count` or `instant,count`, where `#` begins a remark and a first line may be a header.
///
/// # Errors
///
/// [`BadSeries`], with the first line that cannot be read.
pub(crate) fn read_series(text: &str) -> Result<Vec<Sample>, BadSeries> {
    let mut samples = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if number > LINES {
            return Err(BadSeries::TooLong);
        }
        let read = || {
            let (at, billable) = line.split_once([',', ';', '\t'])?;
            let at = at.trim();
            let at = at.parse().or_else(|_| format!("{at}T00:00:00Z").parse::<Timestamp>()).ok()?;
            Some(Sample { at, billable: billable.trim().parse().ok()? })
        };
        match read() {
            Some(sample) => samples.push(sample),
            None if number == 1 => {}
            None => return Err(BadSeries::Line(number)),
        }
    }
    Ok(samples)
}

/// Why a series cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum BadSeries {
    /// A line is not a pair of an instant and a number.
    #[error("line {0}: expected a day and a count, such as 2026-11-22,1679")]
    Line(usize),
    /// More than [`LINES`] lines.
    #[error("a series has at most {LINES} lines; the newest {WINDOW} days are enough")]
    TooLong,
}

/// Whether and when the count passes the committed number.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outlook {
    /// Fewer than [`DAYS`] days have a count.
    TooFewDays,
    /// There is no committed number.
    NoCommitment,
    /// The count is already above the committed number.
    Passed,
    /// The count does not clearly grow.
    Flat,
    /// The count grows, but does not pass the committed number within a year.
    NotWithinAYear,
    /// The count grows and passes the committed number within a year.
    WillPass,
}

/// A forecast.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Forecast {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// [`METHOD`].
    pub method: &'static str,
    /// The instant from which it looks ahead.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// The committed number; null for a trial and without a plan.
    pub committed: Option<u64>,
    /// The newest count; null if there is none.
    pub billable: Option<u64>,
    /// Days with a count among the last [`WINDOW`].
    pub days: usize,
    /// Whether and when the count passes the committed number.
    pub outlook: Outlook,
    /// Growth in devices per day; null if too few days have a count.
    pub per_day: Option<f64>,
    /// Lower end of the 90 % interval of `per_day`.
    pub per_day_low: Option<f64>,
    /// Upper end of the 90 % interval of `per_day`.
    pub per_day_high: Option<f64>,
    /// Start of the first day on which the count may pass the committed number.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub earliest: Option<Timestamp>,
    /// Start of the day on which the trend line passes it.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expected: Option<Timestamp>,
    /// Start of the day on which even the lower edge passes it; null if that is more than a year away.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub latest: Option<Timestamp>,
    /// Whether to act now: the number is passed, or may be within [`WARNING`] days. Nothing is blocked (P3).
    pub warning: bool,
    /// The number to commit to if it should last [`LASTS`] days; null if too few days have a count.
    pub recommended: Option<u64>,
    /// The forecast in one sentence.
    pub says: String,
}

/// A line with its band.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Trend {
    /// On the last day of the window.
    level: f64,
    slope: f64,
    slope_low: f64,
    slope_high: f64,
    below: f64,
    above: f64,
    /// How far the highest count lay above the line.
    most: f64,
    /// The slope if growth keeps accelerating as it did within the window.
    slope_rush: f64,
}

impl Trend {
    fn expected(&self, days: f64) -> f64 {
        self.level + self.slope * days
    }

    fn high(&self, days: f64) -> f64 {
        self.level + self.above + self.slope_high * days
    }

    fn low(&self, days: f64) -> f64 {
        self.level + self.below + self.slope_low * days
    }
}

impl Forecast {
    /// The forecast at `as_of`. Samples may come in any order. The newest sample of each day counts; those after `as_of`
    /// are ignored.
    pub fn new(samples: &[Sample], committed: Option<u64>, as_of: Timestamp) -> Self {
        let today = day(as_of);
        let newest = newest_of_days(samples, as_of);
        let billable = newest.values().next_back().map(|s| s.billable);
        let days = newest.len();
        let trend = trend_of(&newest, today);
        let mut forecast = Self {
            schema: SCHEMA,
            method: METHOD,
            as_of,
            committed,
            billable,
            days,
            outlook: Outlook::TooFewDays,
            per_day: trend.map(|t| round(t.slope)),
            per_day_low: trend.map(|t| round(t.slope_low)),
            per_day_high: trend.map(|t| round(t.slope_high)),
            earliest: None,
            expected: None,
            latest: None,
            warning: false,
            recommended: None,
            says: String::new(),
        };
        if let (Some(trend), Some(billable)) = (trend, billable) {
            forecast.look(trend, billable, today);
        } else if let (Some(committed), Some(billable)) = (committed, billable)
            && billable > committed
        {
            forecast.outlook = Outlook::Passed;
            forecast.warning = true;
        }
        forecast.says = forecast.sentence();
        forecast
    }

    fn look(&mut self, trend: Trend, billable: u64, today: i64) {
        let most = |days: f64| trend.level + trend.most + trend.slope_rush * days;
        let ahead = most(whole(LASTS)).max(most(0.0)).max(billable as f64);
        self.recommended = Some(commitment(ceil(ahead)));
        let Some(committed) = self.committed else {
            self.outlook = Outlook::NoCommitment;
            return;
        };
        if billable > committed {
            (self.outlook, self.warning) = (Outlook::Passed, true);
            return;
        }
        if trend.slope_low <= 0.0 {
            self.outlook = Outlook::Flat;
            return;
        }
        let first = |edge: &dyn Fn(f64) -> f64| {
            (1..=HORIZON).find(|days| edge(whole(*days)) > committed as f64).map(|d| (d, start(today + d)))
        };
        let earliest = first(&|d| trend.high(d));
        let Some((days, at)) = earliest else {
            self.outlook = Outlook::NotWithinAYear;
            return;
        };
        self.outlook = Outlook::WillPass;
        self.warning = days <= WARNING;
        self.earliest = Some(at);
        self.expected = first(&|d| trend.expected(d)).map(|(_, at)| at);
        self.latest = first(&|d| trend.low(d)).map(|(_, at)| at);
    }

    fn sentence(&self) -> String {
        let date = |at: Option<Timestamp>| at.map(|t| t.to_string().chars().take(10).collect::<String>());
        let slope = self.per_day.unwrap_or_default();
        match self.outlook {
            Outlook::TooFewDays => {
                format!(
                    "no forecast yet: {} of the last {WINDOW} days have a count, and at least {DAYS} are needed",
                    self.days
                )
            }
            Outlook::NoCommitment => {
                format!("no committed number; the count changes by {slope:+} per day")
            }
            Outlook::Passed => {
                let (billable, committed) =
                    (self.billable.unwrap_or_default(), self.committed.unwrap_or_default());
                format!(
                    "{billable} devices are {} more than the committed number",
                    billable.saturating_sub(committed)
                )
            }
            Outlook::Flat => {
                format!("no clear growth ({slope:+} per day), so no date is given")
            }
            Outlook::NotWithinAYear => {
                format!("grows by {slope:+} per day and does not pass the committed number within a year")
            }
            Outlook::WillPass => {
                let earliest = date(self.earliest).unwrap_or_default();
                let expected =
                    date(self.expected).map_or_else(String::new, |d| format!(", most likely on {d}"));
                let range = date(self.latest).map_or_else(
                    || format!("on {earliest} at the earliest"),
                    |latest| format!("between {earliest} and {latest}"),
                );
                format!("grows by {slope:+} per day and passes the committed number {range}{expected}")
            }
        }
    }
}

/// Where the count of a day to come lies if the trend goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ahead {
    /// The start of the day.
    pub at: Timestamp,
    /// The lower edge of the band.
    pub low: f64,
    /// The line.
    pub expected: f64,
    /// The upper edge of the band.
    pub high: f64,
}

/// The band of the `count` days after `as_of`; empty if too few days have a count. No edge is below 0.
pub(crate) fn ahead(samples: &[Sample], as_of: Timestamp, count: i64) -> Vec<Ahead> {
    let today = day(as_of);
    let Some(trend) = trend_of(&newest_of_days(samples, as_of), today) else { return Vec::new() };
    let of_day = |days: i64| {
        let n = whole(days);
        Ahead {
            at: start(today + days),
            low: trend.low(n).max(0.0),
            expected: trend.expected(n).max(0.0),
            high: trend.high(n).max(0.0),
        }
    };
    (1..=count).map(of_day).collect()
}

/// The newest sample of each day of the window that ends at `as_of`.
fn newest_of_days(samples: &[Sample], as_of: Timestamp) -> BTreeMap<i64, Sample> {
    let today = day(as_of);
    let mut newest: BTreeMap<i64, Sample> = BTreeMap::new();
    for sample in samples.iter().filter(|s| s.at <= as_of && today - day(s.at) < WINDOW) {
        let known = newest.entry(day(sample.at)).or_insert(*sample);
        *known = (*known).max(*sample);
    }
    newest
}

/// The trend of the days; `None` if they are too few.
fn trend_of(newest: &BTreeMap<i64, Sample>, today: i64) -> Option<Trend> {
    let points: Vec<(f64, f64)> =
        newest.iter().map(|(day, s)| (whole(*day - today), s.billable as f64)).collect();
    (points.len() >= DAYS).then(|| trend(&points)).flatten()
}

/// The line through points sorted by day, of which the last is nearest to 0. `None` for fewer than two points.
fn trend(points: &[(f64, f64)]) -> Option<Trend> {
    let slopes = slopes(points);
    let slope = part(&slopes, 0.5)?;
    // Sen's interval: the slopes whose ranks lie z·σ/2 of Kendall's statistic from the middle.
    let (n, pairs) = (points.len() as f64, slopes.len() as f64);
    let spread = Z90 * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt() / pairs / 2.0;
    // Accelerating growth shows in the newer half before it bends the whole trend.
    let newer = points.get(points.len() / 2..).unwrap_or_default();
    let newer = if newer.len() < DAYS { slope } else { part(&self::slopes(newer), 0.5)? };
    let slope_low = part(&slopes, 0.5 - spread)?;
    let slope_high = part(&slopes, 0.5 + spread)?.max(newer + (newer - slope) / 2.0);
    // The middles of the newer half and of the whole window are a quarter of it apart; a month ahead is twice as far.
    let slope_rush = slope_high.max(newer + 2.0 * (newer - slope));
    let sorted = |mut values: Vec<f64>| {
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let offset = part(&sorted(points.iter().map(|(x, y)| y - slope * x).collect()), 0.5)?;
    let residuals: Vec<f64> = points.iter().map(|(x, y)| y - offset - slope * x).collect();
    let week: Vec<f64> = residuals.iter().rev().take(7).copied().collect();
    let level = offset + part(&sorted(week), 0.5)?;
    let residuals = sorted(residuals);
    let share = |share| part(&residuals, share);
    let (below, above, most) = (share(0.05)?.min(0.0), share(0.95)?.max(0.0), share(1.0)?.max(0.0));
    Some(Trend { level, slope, slope_low, slope_high, below, above, most, slope_rush })
}

/// The slopes of all pairs of points, sorted.
fn slopes(points: &[(f64, f64)]) -> Vec<f64> {
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    for (i, (x, y)) in points.iter().enumerate() {
        slopes.extend(points.iter().skip(i + 1).map(|(later, z)| (z - y) / (later - x)));
    }
    slopes.sort_unstable_by(f64::total_cmp);
    slopes
}

/// The value below which that share of the sorted values lies, interpolated between neighbours.
fn part(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share.clamp(0.0, 1.0) * last as f64;
    let low = index(place.floor());
    let (a, b) = (*sorted.get(low)?, *sorted.get((low + 1).min(last))?);
    Some(a + (b - a) * (place - place.floor()))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place within a list, not negative"
)]
fn index(place: f64) -> usize {
    place as usize
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is not negative")]
fn ceil(number: f64) -> u64 {
    number.max(0.0).ceil() as u64
}

#[expect(clippy::cast_precision_loss, reason = "days of a few years")]
fn whole(days: i64) -> f64 {
    days as f64
}

/// Rounds to a hundredth.
fn round(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

fn day(at: Timestamp) -> i64 {
    at.0.div_euclid(DAY)
}

fn start(day: i64) -> Timestamp {
    Timestamp(day.saturating_mul(DAY))
}

#[cfg(test)]
mod tests;
