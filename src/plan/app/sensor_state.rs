//! How a sensor does, in words: whether it uploads, and what is wrong with it.

use crate::census::Timestamp;
use crate::census::time::{HOUR, MINUTE};
use crate::plan::store::Sensor;

/// A sensor uploads every five minutes even if nothing changes. After so long without an upload it is late.
pub const LATE: i64 = 7 * MINUTE;
/// After so long without an upload it does not run, or cannot reach the service.
pub const SILENT: i64 = HOUR;

/// Whether a sensor uploads.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum SensorState {
    /// Its uploads come.
    Live,
    /// It enrolled, and has not uploaded yet.
    Waiting,
    /// Its newest upload is older than [`LATE`].
    Late,
    /// Its newest upload is older than [`SILENT`].
    Silent,
    /// Its key was revoked.
    Revoked,
}

impl SensorState {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Live, Self::Waiting, Self::Late, Self::Silent, Self::Revoked];

    /// The state of a sensor.
    pub fn of(sensor: &Sensor, now: Timestamp) -> Self {
        match (sensor.revoked_at, sensor.uploaded_at) {
            (Some(_), _) => Self::Revoked,
            (None, None) => Self::Waiting,
            (None, Some(at)) if now.since(at) > SILENT => Self::Silent,
            (None, Some(at)) if now.since(at) > LATE => Self::Late,
            (None, Some(_)) => Self::Live,
        }
    }

    /// The word that people read.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Waiting => "no upload yet",
            Self::Late => "late",
            Self::Silent => "silent",
            Self::Revoked => "revoked",
        }
    }

    /// The class of its colour.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Live => "good",
            Self::Waiting | Self::Late => "warn",
            Self::Silent => "bad",
            Self::Revoked => "other",
        }
    }
}

/// Something that is wrong with a sensor.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trouble {
    /// A few words.
    pub title: String,
    /// What it means, and the next step.
    pub help: String,
}

/// What is wrong with a sensor, besides that it does not upload. A revoked sensor has no troubles.
pub fn troubles(sensor: &Sensor) -> Vec<Trouble> {
    if sensor.revoked_at.is_some() {
        return Vec::new();
    }
    let health = &sensor.health;
    let mut out = Vec::new();
    let mut add = |title: String, help: &str| out.push(Trouble { title, help: help.to_owned() });
    if let Some(at) = sensor.forked_at {
        add(
            "identity used twice".to_owned(),
            &format!(
                "Two appliances used this identity, or one came back from a backup; last seen {at}. Enrol each appliance with a token of its own, and revoke this sensor."
            ),
        );
    }
    if let Some(clock) = health.clock_problem() {
        add(
            clock,
            "First and last sightings are wrong by as much. Times more than ten minutes ahead count as ten minutes ahead. Set up time synchronisation on the appliance.",
        );
    }
    if health.dropped > 0 {
        let of = health.dropped as f64 / (health.frames.saturating_add(health.dropped)).max(1) as f64;
        add(
            format!("{} dropped ({:.2} %)", counted(health.dropped, "frame"), of * 100.0),
            "Devices that only these frames show are missing, so the count is a lower bound. 'netcensus-sensor doctor' on the appliance names the cause.",
        );
    }
    if health.refused > 0 {
        add(
            format!("{} refused", counted(health.refused, "coupling")),
            "The sensor was full, so the count is a lower bound. Raise limits.couplings in its configuration.",
        );
    }
    if health.spool_dropped > 0 {
        add(
            format!("{} dropped", counted(health.spool_dropped, "upload")),
            "They were too old before they could be sent, and their facts are lost.",
        );
    }
    if health.mostly_unread.is_some() {
        add(
            "most frames not understood".to_owned(),
            "Most of what was captured could not be read (I13). 'netcensus-sensor doctor' on the appliance says what it was.",
        );
    }
    out
}

fn counted(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// Sensors by state, in words: "2 live, 1 silent". Revoked sensors are left out.
pub fn summary(sensors: &[Sensor], now: Timestamp) -> String {
    let number = |state| sensors.iter().filter(|s| SensorState::of(s, now) == state).count();
    let states = SensorState::ALL.into_iter().filter(|s| *s != SensorState::Revoked);
    let parts: Vec<String> = states
        .map(|state| (state, number(state)))
        .filter(|(_, n)| *n > 0)
        .map(|(state, n)| format!("{n} {}", state.title()))
        .collect();
    if parts.is_empty() { "no sensor".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Health, SensorId};

    const NOW: Timestamp = Timestamp(1_000 * HOUR);

    fn sensor(uploaded: Option<i64>) -> Sensor {
        Sensor {
            id: SensorId::from_bits([1; 8]),
            name: "edge".into(),
            enrolled_at: Timestamp(0),
            revoked_at: None,
            uploaded_at: uploaded.map(|ago| NOW.plus(-ago)),
            zone: None,
            forked_at: None,
            health: Health::default(),
        }
    }

    #[test]
    fn a_sensor_is_live_then_late_then_silent() {
        let state = |ago| SensorState::of(&sensor(ago), NOW);
        assert_eq!(state(None), SensorState::Waiting);
        assert_eq!((state(Some(0)), state(Some(LATE))), (SensorState::Live, SensorState::Live));
        assert_eq!((state(Some(LATE + 1)), state(Some(SILENT))), (SensorState::Late, SensorState::Late));
        assert_eq!(state(Some(SILENT + 1)), SensorState::Silent);
        let revoked = Sensor { revoked_at: Some(NOW), ..sensor(Some(0)) };
        assert_eq!(SensorState::of(&revoked, NOW), SensorState::Revoked);
    }

    #[test]
    fn a_summary_counts_sensors_by_state() {
        let all = [sensor(Some(0)), sensor(Some(1)), sensor(Some(2 * HOUR)), sensor(None)];
        assert_eq!(summary(&all, NOW), "2 live, 1 no upload yet, 1 silent");
        assert_eq!(summary(&[], NOW), "no sensor");
    }

    #[test]
    fn troubles_are_told_in_words_and_only_of_sensors_that_still_work() {
        let health =
            Health { frames: 99, dropped: 1, clock_skew: Some(-3_600), refused: 2, ..Health::default() };
        let ill = Sensor { forked_at: Some(NOW), health, ..sensor(Some(0)) };
        let titles = |s: &Sensor| troubles(s).into_iter().map(|t| t.title).collect::<Vec<_>>();
        assert_eq!(
            titles(&ill),
            ["identity used twice", "clock 60 min ahead", "1 frame dropped (1.00 %)", "2 couplings refused"]
        );
        assert!(titles(&Sensor { revoked_at: Some(NOW), ..ill }).is_empty());
    }
}
