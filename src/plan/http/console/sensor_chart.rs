//! The charts of a sensor: frames, drops and uptime of each hour of the last eight days, drawn as SVG.
//!
//! The pictures have attributes only, because pages have no inline styles. Their numbers stand in a table beside them.

use std::fmt::Write as _;

use super::show;
use crate::census::Timestamp;
use crate::census::time::{DAY, HOUR};
use crate::plan::store::{HOURS, SensorHour};

/// The size of a picture, in its own units.
pub(super) const WIDTH: u32 = 960;
pub(super) const HEIGHT: u32 = 104;
/// Where the plot lies in it.
const LEFT: f64 = 66.0;
const RIGHT: f64 = 948.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 82.0;
/// The parts of an hour in which an upload is expected.
const PARTS: u64 = 12;

/// What a chart shows: title, class of its bars, a value an hour, and the value at the top; `None` for the largest one.
type Kind = (&'static str, &'static str, fn(&SensorHour) -> u64, Option<u64>);

const KINDS: [Kind; 3] = [
    ("Frames an hour", "s-network", |hour| hour.frames, None),
    ("Dropped frames an hour", "s-dropped", |hour| hour.dropped, None),
    ("Uptime: parts of five minutes with an upload", "s-iot", |hour| u64::from(hour.heard), Some(PARTS)),
];

/// A chart: paths and texts in units of the picture.
#[derive(Debug)]
pub(super) struct HourChart {
    pub(super) title: &'static str,
    /// The class of the bars.
    pub(super) class: &'static str,
    pub(super) bars: String,
    /// The value at the top.
    pub(super) most: String,
    /// Days below: place and text.
    pub(super) days: Vec<(String, String)>,
    /// The chart in a sentence.
    pub(super) says: String,
}

/// The charts of a sensor at `now`.
pub(super) fn all(told: &[SensorHour], now: Timestamp) -> Vec<HourChart> {
    KINDS.iter().map(|kind| chart(kind, told, now)).collect()
}

fn chart(&(title, class, value, top): &Kind, told: &[SensorHour], now: Timestamp) -> HourChart {
    let first = now.0.div_euclid(HOUR) - HOURS + 1;
    let place = |hour: i64| x(hour - first);
    let largest = told.iter().map(value).max().unwrap_or_default();
    let most = top.unwrap_or(largest).max(1);
    let mut bars = String::new();
    for hour in told.iter().filter(|hour| value(hour) > 0) {
        let (left, high) = (place(hour.from.0.div_euclid(HOUR)), height(value(hour), most));
        // Writing to a string cannot fail.
        write!(bars, "M{left:.1} {BOTTOM}h{:.1}v-{high:.1}h-{:.1}z", step(), step()).ok();
    }
    let midnights = (first..first + HOURS).filter(|hour| (hour * HOUR).rem_euclid(DAY) == 0);
    let day = |hour: i64| {
        let text = Timestamp(hour.saturating_mul(HOUR)).to_string();
        (format!("{:.1}", place(hour)), text.get(5..10).unwrap_or_default().to_owned())
    };
    HourChart {
        title,
        class,
        bars,
        most: show::number(most),
        days: midnights.map(day).filter(|(x, _)| x.parse::<f64>().is_ok_and(|x| x < RIGHT - 30.0)).collect(),
        says: format!(
            "{title} in the last eight days: at most {}, {} in the newest hour with an upload. The table below has the numbers.",
            show::number(largest),
            show::number(told.last().map_or(0, value)),
        ),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred hours")]
fn step() -> f64 {
    (RIGHT - LEFT) / HOURS as f64
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred hours")]
fn x(hours: i64) -> f64 {
    LEFT + hours as f64 * step()
}

/// A single frame shows, too.
#[expect(clippy::cast_precision_loss, reason = "pixels")]
fn height(value: u64, most: u64) -> f64 {
    ((BOTTOM - TOP) * value.min(most) as f64 / most as f64).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(n: i64, frames: u64, dropped: u64) -> SensorHour {
        SensorHour { from: Timestamp(n * HOUR), frames, dropped, starts: 0, heard: 12 }
    }

    #[test]
    fn the_newest_hour_stands_at_the_right_and_the_largest_value_at_the_top() {
        let now = Timestamp(1_000 * HOUR + 5);
        let charts = all(&[hour(809, 500, 0), hour(1_000, 1_000, 1)], now);
        assert_eq!(charts[0].bars, "M66.0 82h4.6v-36.0h-4.6zM943.4 82h4.6v-72.0h-4.6z");
        assert_eq!((&*charts[0].most, charts[1].bars.matches('M').count()), ("1,000", 1));
        assert_eq!((&*charts[2].most, charts[0].days.len()), ("12", 8));
        assert!(charts[1].says.starts_with("Dropped frames an hour in the last eight days: at most 1, 1 in"));
    }
}
