//! The formats between sensor and plan service, and the documents that commands and the API print.

mod basis;
mod decisions;
mod document;
mod enrolment;
mod evidence;
mod explanation;
mod fingerprint;
mod frames;
mod ids;
mod indicators;
mod row;
pub mod signature;
mod upload;

pub use basis::Basis;
pub use decisions::{DecisionsEntry, DeletedEntry, ManagedMatchEntry, SetEntry, SplitEntry};
pub use document::{
    CaptureSummary, CouplingEntry, DeviceEntries, DeviceEntry, Document, DropSpan, SCHEMA, UnaddressedEntry,
};
pub use enrolment::{BadToken, EnrolRequest, EnrolResponse, EnrolmentToken, Replaced};
pub use evidence::EvidenceEntry;
pub use explanation::{
    BadSubject, CouplingAnswer, DeviceAnswer, Explanation, JoinAnswer, LineAnswer, ProofAnswer, ReasonAnswer,
    Subject, TieAnswer, UnaddressedAnswer,
};
pub use fingerprint::{BadFingerprint, Fingerprint};
pub use frames::FrameNumbers;
pub use ids::{BadId, SensorId, SubscriptionId};
pub use indicators::{BadSetHead, HEAD_BYTES, SET_SCHEMA, SetHead};
pub use row::{CouplingRow, DeviceRow, Shown};
pub use upload::{
    BadUpload, CHUNK_BYTES, CLOCK_LIMIT, COMPRESSED_BYTES, DECOMPRESSED_BYTES, Health, UPLOAD_SCHEMA, Upload,
    UploadReceipt,
};
