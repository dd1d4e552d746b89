//! The upload: a change of one zone, numbered by its sensor. JSON, compressed with zstd.

use std::io::Read;

use serde::{Deserialize, Serialize};

use crate::census::Zone;

/// The schema that this version writes and reads.
pub const UPLOAD_SCHEMA: &str = "netcensus.upload/1";
/// The largest compressed body.
pub const COMPRESSED_BYTES: usize = 4 << 20;
/// What a sensor sends at once: so much passes even a slow link before a request times out.
pub const CHUNK_BYTES: usize = 256 << 10;
/// The largest body after decompression.
pub const DECOMPRESSED_BYTES: usize = 64 << 20;
const LEVEL: i32 = 3;

/// One upload. `(sensor, epoch, sequence)` names it: the same name twice changes nothing.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// [`UPLOAD_SCHEMA`].
    pub schema: String,
    /// The life of the sensor's spool: a random number in hex, made with the spool.
    pub epoch: String,
    /// Counts from 1 within the epoch.
    pub sequence: u64,
    /// The zone's name, at most 64 bytes.
    pub zone: String,
    /// What changed.
    pub delta: Zone,
    /// How the sensor fares.
    pub health: Health,
}

/// How a sensor fares: totals since it started. Shown, never counted.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Health {
    /// The sensor's version.
    pub version: String,
    /// Frames captured.
    pub frames: u64,
    /// Bytes captured, as on the wire.
    pub bytes: u64,
    /// Frames that some dissector found malformed.
    pub malformed: u64,
    /// Frames that the mirror copied twice.
    pub duplicates: u64,
    /// Frames that the kernel or the interface dropped.
    pub dropped: u64,
    /// Couplings that were refused at the bound: the census is a lower bound where it is not 0.
    pub refused: u64,
    /// Times that the spool had no room, so that a change waited in memory.
    pub spool_refused: u64,
    /// Uploads that were dropped undelivered because they were too old: what they said is lost.
    pub spool_dropped: u64,
    /// Uploads that were set aside as damaged or refused for good.
    pub put_aside: u64,
    /// By how many seconds the plan service's clock was ahead of the sensor's when both last spoke; negative where it
    /// was behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_skew: Option<i64>,
    /// The number of the newest receipt that the sensor holds, put in when the upload is sent. Where the service has
    /// given a newer one to the same identity, two appliances use it, or one came back from a backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<u64>,
}

/// Answer to an upload, given only after it is stored durably.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct UploadReceipt {
    /// The sequence number that is stored.
    pub sequence: u64,
    /// Whether it had been stored before.
    pub duplicate: bool,
    /// The receipt's number: it grows with every upload of this sensor that is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Whether the upload showed that two appliances use the identity, see [`Health::receipt`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forked: bool,
    /// Whether the service has lost what it gave the sensor's newest receipt for, as it came back from a backup: the
    /// sensor says everything again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}

impl Upload {
    /// The compressed body. It ends with a checksum (zstd's own), so that damage never reads as other facts.
    ///
    /// # Errors
    /// Only where memory runs out or the compressor fails.
    pub fn encode(&self) -> std::io::Result<Vec<u8>> {
        let json = serde_json::to_vec(self)?;
        let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
        compressor.include_checksum(true)?;
        compressor.compress(&json)
    }

    /// Reads a compressed body of at most [`COMPRESSED_BYTES`], which may grow to [`DECOMPRESSED_BYTES`], and
    /// restores the invariants of its facts.
    ///
    /// # Errors
    /// [`BadUpload`] says which bound or format the body breaks.
    #[expect(clippy::disallowed_methods, reason = "what comes out is bounded below")]
    pub fn decode(body: &[u8]) -> Result<Self, BadUpload> {
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
        if upload.zone.is_empty() || upload.zone.len() > 64 || upload.epoch.len() > 64 {
            return Err(BadUpload::Format("zone and epoch must have 1 to 64 bytes".into()));
        }
        upload.delta.normalise();
        Ok(upload)
    }
}

/// Why a body is no upload.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadUpload {
    /// It does not decompress.
    #[error("the body is not zstd: {0}")]
    Compression(String),
    /// It is no JSON of the schema.
    #[error("the body is no upload: {0}")]
    Format(String),
    /// It has another schema.
    #[error("the upload has the schema '{0}', this service reads {UPLOAD_SCHEMA}; update the older side")]
    Schema(String),
    /// It is larger than the bounds.
    #[error(
        "the upload is larger than {COMPRESSED_BYTES} bytes compressed or {DECOMPRESSED_BYTES} bytes in all; send it in parts"
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
    fn damage_is_found_wherever_it_is_and_never_reads_as_other_facts() {
        let (upload, body) = (upload(), upload().encode().unwrap());
        for at in 0..body.len() {
            for bit in [1, 0x10, 0x80] {
                let mut damaged = body.clone();
                damaged[at] ^= bit;
                // A bit of the frame's head may say how to decompress, and change nothing of what comes out.
                assert!(
                    Upload::decode(&damaged).is_ok_and(|u| u == upload) || Upload::decode(&damaged).is_err()
                );
            }
            assert!(Upload::decode(&body[..at]).is_err(), "cut at {at}");
        }
        assert_eq!(Upload::decode(&body), Ok(upload));
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
