//! What crosses the network between sensor and plan service, and the document that commands print.

mod document;
mod enrolment;
mod upload;

pub use document::{
    CaptureSummary, CouplingEntry, DeviceEntry, Document, EvidenceEntry, FrameNumbers, SCHEMA,
    UnaddressedEntry,
};
pub use enrolment::{BadToken, EnrolRequest, EnrolResponse, EnrolmentToken};
pub use upload::{
    BadUpload, COMPRESSED_BYTES, DECOMPRESSED_BYTES, Health, UPLOAD_SCHEMA, Upload, UploadReceipt,
};
