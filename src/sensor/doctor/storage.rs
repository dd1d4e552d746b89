//! The spool, its disk, and the identity.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{CheckOutcome, Finding};
use crate::census::Timestamp;
use crate::sensor::config::Config;
use crate::sensor::upload::identity::{Identity, IdentityError};
use crate::sensor::upload::spool::{SpoolError, SpoolReader};

const MIB: u64 = 1 << 20;
/// Age of the oldest upload, in nanoseconds, from which on it is a notice: a service may be away for a while.
const LONG: i64 = 3_600 * 1_000_000_000;
/// Free disk space, in bytes, below which a sensor stops within hours.
const LITTLE: u64 = 64 * MIB;

/// The content of the spool, and the room for more.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Waiting {
    pub(crate) uploads: u64,
    pub(crate) bytes: u64,
    /// The limit in bytes.
    pub(crate) bound: u64,
    /// When the oldest upload was put in.
    pub(crate) oldest: Option<Timestamp>,
    /// Bytes of the disk available to this user; `None` if unknown.
    pub(crate) free: Option<u64>,
}

pub(crate) fn look(config: &Config) -> Result<Waiting, Finding> {
    let directory = config.spool_directory();
    let reader = SpoolReader::new(&directory);
    let unreadable = |e: SpoolError| {
        Finding::other(
            CheckOutcome::Unchecked,
            "spool",
            directory.display().to_string(),
            e.to_string(),
            "run doctor as root",
        )
    };
    let (uploads, bytes) = reader.backlog().map_err(unreadable)?;
    let oldest = reader.oldest().map_err(unreadable)?;
    let oldest = oldest.and_then(|item| modified(&item.path));
    let there = directory.ancestors().find(|p| p.exists()).unwrap_or_else(|| Path::new("/"));
    let free = rustix::fs::statvfs(there).ok().map(|s| s.f_bavail.saturating_mul(s.f_frsize));
    Ok(Waiting { uploads, bytes, bound: config.spool.max_mib * MIB, oldest, free })
}

fn modified(path: &Path) -> Option<Timestamp> {
    let since = fs::metadata(path).ok()?.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_nanos()).ok().map(Timestamp)
}

pub(crate) fn judge(spool: &Waiting, now: Timestamp) -> Vec<Finding> {
    let Waiting { uploads, bytes, bound, oldest, free } = *spool;
    let age = oldest.map_or(0, |t| now.since(t).max(0));
    let hours = age / LONG;
    let size = format!("{uploads} uploads waiting, {} of {} MiB", bytes.div_ceil(MIB), bound / MIB);
    let remedy = "see the findings about the plan service below; no facts are lost while there is room";
    let mut findings = vec![if bytes.saturating_mul(5) > bound.saturating_mul(4) {
        let finding = format!("{size}: nearly full");
        Finding::other(
            CheckOutcome::Problem,
            "spool",
            "",
            finding,
            "restore delivery, or raise spool.max_mib",
        )
    } else if age > LONG {
        Finding::other(
            CheckOutcome::Notice,
            "spool",
            "",
            format!("{size}, the oldest since {hours} h"),
            remedy,
        )
    } else {
        Finding::good("spool", "", size)
    }];
    findings.push(match free {
        None => Finding::other(
            CheckOutcome::Unchecked,
            "disk",
            "",
            "cannot determine the free disk space",
            "run doctor as root",
        ),
        Some(free) => {
            let finding = format!("{} MiB free on the spool's disk", free / MIB);
            if free < LITTLE {
                Finding::other(
                    CheckOutcome::Problem,
                    "disk",
                    "",
                    finding,
                    "free disk space, or move spool.directory to another disk",
                )
            } else if free < bound.saturating_sub(bytes) {
                let remedy = "free disk space, or lower spool.max_mib to what the disk can hold";
                Finding::other(
                    CheckOutcome::Notice,
                    "disk",
                    "",
                    format!("{finding}, less than the spool may grow"),
                    remedy,
                )
            } else {
                Finding::good("disk", "", finding)
            }
        }
    });
    findings
}

pub(crate) fn identity(path: &Path) -> (Finding, Option<Identity>) {
    let subject = path.display().to_string();
    match Identity::load(path) {
        Ok(identity) => {
            let mode = fs::metadata(path).map_or(0, |m| m.permissions().mode() & 0o777);
            let finding = if mode & 0o077 == 0 {
                let finding = format!("sensor {} of subscription {}", identity.sensor, identity.subscription);
                Finding::good("identity", subject, finding)
            } else {
                let finding = format!("not only its owner may open it (mode {mode:o})");
                let remedy = format!("chmod 600 {}; if others may have read it, enrol again", path.display());
                Finding::other(CheckOutcome::Problem, "identity", subject, finding, remedy)
            };
            (finding, Some(identity))
        }
        Err(e) => {
            let (outcome, remedy) = match &e {
                IdentityError::Io { .. } => (CheckOutcome::Unchecked, "run doctor as root"),
                _ => (
                    CheckOutcome::Problem,
                    "run 'netcensus-sensor enrol TOKEN' with a token from the plan service",
                ),
            };
            (Finding::other(outcome, "identity", subject, e.to_string(), remedy), None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_is_judged_by_its_size_its_age_and_the_room_on_the_disk() {
        let now = Timestamp::from_secs(1_000_000);
        let well = Waiting {
            uploads: 2,
            bytes: MIB,
            bound: 100 * MIB,
            oldest: Some(Timestamp::from_secs(999_990)),
            free: Some(500 * MIB),
        };
        let outcomes = |w: &Waiting| judge(w, now).iter().map(|f| f.outcome).collect::<Vec<_>>();
        assert_eq!(outcomes(&well), [CheckOutcome::Good, CheckOutcome::Good]);
        let old = Waiting { oldest: Some(Timestamp::from_secs(900_000)), ..well };
        assert_eq!(outcomes(&old), [CheckOutcome::Notice, CheckOutcome::Good]);
        let full = Waiting { bytes: 81 * MIB, free: Some(10 * MIB), ..well };
        assert_eq!(outcomes(&full), [CheckOutcome::Problem, CheckOutcome::Problem]);
        assert_eq!(
            outcomes(&Waiting { free: Some(80 * MIB), ..well }),
            [CheckOutcome::Good, CheckOutcome::Notice]
        );
        assert_eq!(outcomes(&Waiting { free: None, ..well }), [CheckOutcome::Good, CheckOutcome::Unchecked]);
    }

    #[test]
    fn an_identity_that_others_can_read_is_a_problem() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.json");
        assert_eq!(identity(&path).0.outcome, CheckOutcome::Problem);
        let me = Identity {
            url: "https://plan.example".into(),
            sensor: "s".into(),
            subscription: "t".into(),
            key: "k".into(),
            signing_key: crate::sensor::upload::signing::SigningKey::generate().unwrap(),
            fingerprint: None,
        };
        me.store(&path).unwrap();
        assert_eq!(identity(&path).0.outcome, CheckOutcome::Good);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(identity(&path).0.outcome, CheckOutcome::Problem);
    }
}
