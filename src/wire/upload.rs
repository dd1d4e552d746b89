//! The upload: the changes of one zone, numbered by its sensor. JSON, compressed with zstd.

use std::io::Read;

use serde::{Deserialize, Serialize};

use super::document::DropSpan;
use crate::census::{MostlyUnread, Zone};

pub const UPLOAD_SCHEMA: &str = "netcensus.upload/1";
/// The most bytes of a compressed body.
pub const COMPRESSED_BYTES: usize = 4 << 20;
/// The most bytes that a sensor sends in one request, so that a slow link delivers them before the request times out.
pub const CHUNK_BYTES: usize = 256 << 10;
/// The most bytes of a body after decompression.
pub const DECOMPRESSED_BYTES: usize = 64 << 20;
const LEVEL: i32 = 3;

/// One upload, identified by `(sensor, epoch, sequence)`. Sending it again changes nothing.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// [`UPLOAD_SCHEMA`].
    pub schema: String,
    /// Identifies the sensor's spool: a random number in hex, made with the spool. At most 64 bytes.
    pub epoch: String,
    /// Counts from 1 within the epoch.
    pub sequence: u64,
    /// The zone's name, 1 to 64 bytes.
    pub zone: String,
    pub delta: Zone,
    pub health: Health,
}

/// The health of a sensor: totals since it started. They do not affect the count.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Health {
    /// The sensor's version.
    pub version: String,
    /// Captured frames.
    pub frames: u64,
    /// Captured bytes, as on the wire.
    pub bytes: u64,
    /// Frames that a dissector found malformed.
    pub malformed: u64,
    /// Frames that the mirror port copied twice.
    pub duplicates: u64,
    /// Frames that the kernel or the interface dropped.
    pub dropped: u64,
    /// When frames were dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drops: Option<DropSpan>,
    /// Couplings that were refused at the limit. If it is not 0, the census is a lower bound.
    pub refused: u64,
    /// How often the spool was full, so that changes waited in memory.
    pub spool_refused: u64,
    /// Uploads that were dropped undelivered because they were too old. Their facts are lost.
    pub spool_dropped: u64,
    /// Uploads that were set aside, because they were damaged or the service refused them permanently.
    pub put_aside: u64,
    /// Seconds by which the plan service's clock was ahead of the sensor's at the last request; negative if it was behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_skew: Option<i64>,
    /// Set by the plan service: seconds by which the newest time in the upload was ahead of the service's clock, if it was
    /// more than ten minutes. The service took those times as ten minutes ahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_ahead: Option<u64>,
    /// The judgement on what was captured, if most of it was not understood (I13).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mostly_unread: Option<MostlyUnread>,
    /// The number of the newest receipt that the sensor has, added when the upload is sent. If the service has given a
    /// newer one, two appliances use the identity, or the sensor was restored from a backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<u64>,
    /// The digest of the service's set of indicators that is in force, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub indicators: Option<String>,
    /// Why a newer set of indicators is not in force, if one is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub indicators_problem: Option<String>,
}

/// By how many seconds a sensor's clock may differ from the plan service's before that is a problem: first and last sightings
/// are wrong by as much.
pub const CLOCK_LIMIT: u64 = 300;

impl Health {
    /// By how much the sensor's clock is wrong, such as "clock 40 d behind", if it is more than [`CLOCK_LIMIT`].
    pub fn clock_problem(&self) -> Option<String> {
        // What the service saw itself comes before what the sensor says.
        let (seconds, side) = match (self.clock_ahead, self.clock_skew.unwrap_or_default()) {
            (Some(ahead), _) => (ahead, "ahead"),
            (None, skew) => (skew.unsigned_abs(), if skew > 0 { "behind" } else { "ahead" }),
        };
        if seconds <= CLOCK_LIMIT {
            return None;
        }
        let shown = match seconds {
            0..7_200 => format!("{} min", seconds / 60),
            7_200..172_800 => format!("{} h", seconds / 3_600),
            _ => format!("{} d", seconds / 86_400),
        };
        Some(format!("clock {shown} {side}"))
    }
}

/// The answer to an upload, sent once the upload is stored durably.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct UploadReceipt {
    /// That of the upload.
    pub sequence: u64,
    /// Whether the upload had been stored before.
    pub duplicate: bool,
    /// The receipt's number. It increases with each stored upload of the sensor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Whether the upload showed that two appliances use the identity; see `receipt` in the upload's health.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forked: bool,
    /// Whether the service was restored from a backup and lost uploads of the sensor. The sensor then uploads all its
    /// facts again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// The digest of the subscription's set of indicators, in hex; left out if it never had one. The sensor fetches a set that
    /// it does not have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub indicators: Option<String>,
}

impl Upload {
    /// The compressed body. It ends with zstd's checksum, so that a damaged body is never read as other facts.
    ///
    /// # Errors
    /// If memory runs out or the compressor fails.
    pub fn encode(&self) -> std::io::Result<Vec<u8>> {
        let json = serde_json::to_vec(self)?;
        let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
        compressor.include_checksum(true)?;
        compressor.compress(&json)
    }

    /// Reads a compressed body, within [`COMPRESSED_BYTES`] and [`DECOMPRESSED_BYTES`], and restores the invariants of its
    /// facts.
    ///
    /// # Errors
    /// [`BadUpload`].
    pub fn decode(body: &[u8]) -> Result<Self, BadUpload> {
        Ok(Self::decode_counted(body)?.0)
    }

    /// As [`Upload::decode`], with the number of bytes after decompression.
    ///
    /// # Errors
    /// [`BadUpload`].
    #[expect(clippy::disallowed_methods, reason = "the output is limited below")]
    pub fn decode_counted(body: &[u8]) -> Result<(Self, usize), BadUpload> {
        if body.len() > COMPRESSED_BYTES {
            return Err(BadUpload::TooLarge);
        }
        let decoder =
            zstd::stream::read::Decoder::new(body).map_err(|e| BadUpload::Compression(e.to_string()))?;
        let mut json = Vec::new();
        decoder
            .take(DECOMPRESSED_BYTES as u64 + 1)
            .read_to_end(&mut json)
            .map_err(|e| BadUpload::Compression(e.to_string()))?;
        if json.len() > DECOMPRESSED_BYTES {
            return Err(BadUpload::TooLarge);
        }
        let mut upload: Self = serde_json::from_slice(&json).map_err(|e| BadUpload::Format(e.to_string()))?;
        if upload.schema != UPLOAD_SCHEMA {
            return Err(BadUpload::Schema(upload.schema.chars().take(40).collect()));
        }
        let named = |name: &str| (1..=64).contains(&name.len()) && !name.contains(char::is_control);
        if !named(&upload.zone) || upload.epoch.len() > 64 {
            return Err(BadUpload::Format(
                "zone and epoch must have 1 to 64 bytes, and the zone no control characters".into(),
            ));
        }
        upload.delta.normalise();
        Ok((upload, json.len()))
    }
}

/// Why a body is not a valid upload.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadUpload {
    #[error("the body is not valid zstd: {0}")]
    Compression(String),
    #[error("the body is not a valid upload: {0}")]
    Format(String),
    #[error(
        "the upload has the schema '{0}', but this service reads {UPLOAD_SCHEMA}; update the older program"
    )]
    Schema(String),
    #[error(
        "the upload exceeds {COMPRESSED_BYTES} bytes compressed or {DECOMPRESSED_BYTES} bytes decompressed; send it in parts"
    )]
    TooLarge,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::{Coupling, CouplingKey, Field, MacAddr, Sign, Timestamp};

    fn upload() -> Upload {
        let mut delta = Zone::default();
        for n in 0..8 {
            let mut coupling = Coupling::new(Timestamp(5), Sign::ArpAsked.into());
            coupling.evidence.add(Field::HttpServer, &format!("server {n}"), Timestamp(6));
            let key = CouplingKey { mac: MacAddr([2, 0, 0, 0, 0, n]), ip: [10, 0, 0, n + 1].into() };
            delta.couplings.insert(key, coupling);
        }
        let health = Health::default();
        Upload {
            schema: UPLOAD_SCHEMA.into(),
            epoch: "e".into(),
            sequence: 7,
            zone: "z".into(),
            delta,
            health,
        }
    }

    #[test]
    fn a_damaged_body_is_never_read_as_other_facts() {
        let (upload, body) = (upload(), upload().encode().unwrap());
        for at in 0..body.len() {
            for bit in [1, 0x10, 0x80] {
                let mut damaged = body.clone();
                damaged[at] ^= bit;
                // Some bits of the header do not affect the output.
                assert!(
                    Upload::decode(&damaged).is_ok_and(|u| u == upload) || Upload::decode(&damaged).is_err()
                );
            }
            assert!(Upload::decode(&body[..at]).is_err(), "cut at {at}");
        }
        assert_eq!(Upload::decode(&body), Ok(upload));
    }

    #[test]
    fn a_clock_that_differs_by_more_than_five_minutes_is_a_problem() {
        let of =
            |clock_skew, clock_ahead| Health { clock_skew, clock_ahead, ..Health::default() }.clock_problem();
        assert_eq!(of(None, None), None);
        assert_eq!((of(Some(300), None), of(Some(-300), None)), (None, None));
        assert_eq!(of(Some(301), None).as_deref(), Some("clock 5 min behind"));
        assert_eq!(of(Some(-10_000), None).as_deref(), Some("clock 2 h ahead"));
        assert_eq!(of(Some(40 * 86_400), None).as_deref(), Some("clock 40 d behind"));
        assert_eq!(of(Some(0), Some(700)).as_deref(), Some("clock 11 min ahead"));
    }

    #[test]
    fn a_small_body_that_would_grow_without_end_is_refused() {
        let bomb = zstd::bulk::compress(&vec![b' '; DECOMPRESSED_BYTES + 1], 19).unwrap();
        assert!(bomb.len() < 10_000);
        assert_eq!(Upload::decode(&bomb), Err(BadUpload::TooLarge));
    }

    #[test]
    fn an_upload_and_a_receipt_of_an_older_version_are_read() {
        let old = "{\"schema\":\"netcensus.upload/1\",\"epoch\":\"e\",\"sequence\":1,\"zone\":\"z\",\"delta\":{},\"health\":{\"frames\":3}}";
        let upload = Upload::decode(&zstd::bulk::compress(old.as_bytes(), 1).unwrap()).unwrap();
        assert_eq!((upload.health.frames, upload.health.receipt), (3, None));
        let receipt: UploadReceipt = serde_json::from_str("{\"sequence\":1,\"duplicate\":false}").unwrap();
        assert_eq!((receipt.number, receipt.forked), (None, false));
    }
}
