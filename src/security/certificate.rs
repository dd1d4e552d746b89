//! When the certificates end that devices prove themselves by.

use std::collections::BTreeMap;

use super::derive::View;
use super::posture::Shown;
use super::ruleset::Ruleset;
use crate::census::Timestamp;
use crate::census::conduct::{Deed, DeedKind};
use crate::census::time::DAY;

/// Shows of each device whether the certificates that it shows now are valid.
pub(super) fn judge<'v>(
    view: &View<'v, '_>,
    rules: &Ruleset,
    as_of: Timestamp,
    show: &mut impl FnMut(Option<usize>, &'v str, Shown),
) {
    let soon = rules.number("R-CERT", "days").saturating_mul(DAY);
    // The newest certificate of a port took the place of those before; of two in the same frame's time, the later one.
    let mut newest: BTreeMap<(usize, u16), (Timestamp, &str, &Deed)> = BTreeMap::new();
    for (key, deed) in view.conduct.of(DeedKind::Certifies) {
        let Some(device) = view.doer(key) else { continue };
        let one = (deed.last, key.label.as_str(), deed);
        let known = newest.entry((device, key.port)).or_insert(one);
        if (one.0, one.1) > (known.0, known.1) {
            *known = one;
        }
    }
    for ((device, port), (_, day, deed)) in newest {
        let Some(end) = midnight_after(day) else { continue };
        let (name, what) = if as_of >= end {
            ("certificate_ended", "ended")
        } else if end.since(as_of) <= soon {
            ("certificate_ends_soon", "ends")
        } else {
            ("certificate_valid", "ends")
        };
        let sentence = format!("its certificate on port {port} {what} on {day}");
        show(Some(device), name, Shown { sentence: sentence.into(), ..Shown::of(deed) });
    }
}

/// The end of a day such as `2027-03-01`.
fn midnight_after(day: &str) -> Option<Timestamp> {
    let day: jiff::civil::Date = day.parse().ok()?;
    let midnight = day.tomorrow().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp::from_secs(midnight.timestamp().as_second()))
}
