//! Sensors whose clock is ahead: their times are taken down when the upload comes, before it is merged.
//!
//! Facts never lose a time, so a device of the year 2040 would never fall silent. Past times are not touched: old captures
//! are replayed, and uploads come late.

use crate::census::Timestamp;
use crate::census::time::{MINUTE, SECOND};
use crate::wire::Upload;

/// How far ahead of the service's clock a sensor's may be, in nanoseconds. Times beyond count as this far ahead.
const AHEAD: i64 = 10 * MINUTE;

/// Takes the times of an upload down that came at `now` by the service's clock, or at the newest time that this has shown, and notes in its health by how much its clock is ahead. Returns
/// whether anything was taken down.
pub(super) fn take_down(upload: &mut Upload, now: Timestamp) -> bool {
    let newest = upload.delta.clamp(now.plus(AHEAD));
    let ahead = newest.map(|newest| newest.since(now) / SECOND);
    upload.health.clock_ahead = ahead.and_then(|seconds| u64::try_from(seconds).ok());
    newest.is_some()
}
