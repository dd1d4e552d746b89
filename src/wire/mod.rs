//! What crosses the network between sensor and plan service, and the documents that commands print.

mod decided;
mod document;
mod enrolment;
mod explanation;
mod fingerprint;
mod ids;
pub mod signature;
mod upload;

pub use decided::{DecidedEntry, DeletedEntry, ManagedMatchEntry, SetEntry, SplitEntry};
pub use document::{
    CaptureSummary, CouplingEntry, DeviceEntry, Document, Entries, EvidenceEntry, FrameNumbers, SCHEMA,
    UnaddressedEntry,
};
pub use enrolment::{BadToken, EnrolRequest, EnrolResponse, EnrolmentToken, Replaced};
pub use explanation::{
    BadSubject, CouplingAnswer, Detail, DeviceAnswer, Explanation, JoinAnswer, LineAnswer, ProofAnswer,
    ReasonAnswer, Subject, TieAnswer, UnaddressedAnswer,
};
pub use fingerprint::{BadFingerprint, Fingerprint};
pub use ids::{BadId, SensorId, SubscriptionId};
pub use upload::{
    BadUpload, CHUNK_BYTES, COMPRESSED_BYTES, DECOMPRESSED_BYTES, Health, UPLOAD_SCHEMA, Upload,
    UploadReceipt,
};
