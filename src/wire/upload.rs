//! The upload: a change of one zone, numbered by its sensor. JSON, compressed with zstd.

use std::io::Read;

use serde::{Deserialize, Serialize};

use crate::census::Zone;

/// The schema that this version writes and reads.
pub const UPLOAD_SCHEMA: &str = "netcensus.upload/1";
/// The largest compressed body.
pub const COMPRESSED_BYTES: usize = 4 << 20;
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
}

/// Answer to an upload, given only after it is stored durably.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct UploadReceipt {
    /// The sequence number that is stored.
    pub sequence: u64,
    /// Whether it had been stored before.
    pub duplicate: bool,
}

impl Upload {
    /// The compressed body.
    ///
    /// # Errors
    /// Only where memory runs out or the compressor fails.
    pub fn encode(&self) -> std::io::Result<Vec<u8>> {
        let json = serde_json::to_vec(self)?;
        zstd::bulk::compress(&json, LEVEL)
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
