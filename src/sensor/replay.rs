//! Replay: capture files through the same path as live frames, to one inventory.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::capture::file::{self, CaptureError, End};
use crate::census::{Classifier, Decisions, Inventory, Policy, Survey, Timestamp};
use crate::wire::{CaptureSummary, Document, FrameNumbers};

use super::table::Table;
use super::worker::{Counters, Worker};

/// What to replay, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Capture files; `-` is standard input. Together they are one capture.
    pub files: Vec<PathBuf>,
    /// The zone that the frames belong to.
    pub zone: String,
    /// The most couplings to hold.
    pub couplings: usize,
}

/// What a replay found.
#[derive(Debug)]
pub struct Replayed {
    /// The facts, in one zone.
    pub inventory: Inventory,
    /// What was counted on the way.
    pub counters: Counters,
    /// The numbers of the frames.
    pub frames: FrameNumbers,
    /// Couplings and stations that were refused at the bound: the census is a lower bound where it is not 0.
    pub refused: u64,
}

/// Why a replay failed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A file could not be read at all.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The result could not be written.
    #[error("the result cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// Reads all files.
///
/// # Errors
/// Where one of them is no capture. One that ends early is read up to there, with a warning.
pub fn read(options: &Options) -> Result<Replayed, ReplayError> {
    let table = Table::new(options.couplings);
    let mut worker = Worker::new(&table).numbering();
    for path in &options.files {
        let summary = file::read(path, &mut |frame| worker.frame(frame))?;
        let path = path.display();
        match summary.end {
            End::Complete => {}
            End::Truncated { offset } => {
                tracing::warn!(
                    "{path}: ends in the middle of a frame at byte {offset}; what came before counts"
                );
            }
            End::Corrupt { offset } => {
                tracing::warn!("{path}: damaged at byte {offset}; what came before counts");
            }
        }
        if summary.skipped > 0 {
            tracing::warn!(
                "{path}: {} frames of link types {:?} were skipped: these are not read",
                summary.skipped,
                summary.skipped_links
            );
        }
    }
    let (counters, frames) = worker.finish();
    if let Some(n) = counters.anomalies.get(&crate::dissect::Anomaly::NoLinkLayer) {
        tracing::warn!("{n} packets have no MAC address, so they show no coupling; capture on Ethernet");
    }
    let refused = table.refused();
    if refused > 0 {
        tracing::warn!(
            "the bound of {} couplings was hit {refused} times: the census is a lower bound; raise limits.couplings",
            options.couplings
        );
    }
    Ok(Replayed {
        inventory: Inventory::of(&options.zone, table.into_zone()),
        counters,
        frames: frames.unwrap_or_default(),
        refused,
    })
}

impl Replayed {
    /// The inventory document at `as_of`, or at the newest frame.
    pub fn document(
        &self,
        policy: &Policy,
        classifier: &dyn Classifier,
        as_of: Option<Timestamp>,
    ) -> Document {
        let as_of = as_of.or(self.counters.last);
        let survey = Survey::new(
            &self.inventory,
            policy,
            &Decisions::default(),
            classifier,
            as_of.unwrap_or_default(),
        );
        let mut document = Document::new(&survey, self.capture(), Some(&self.frames));
        document.as_of = as_of;
        document
    }

    /// Totals of the capture.
    pub fn capture(&self) -> CaptureSummary {
        let c = &self.counters;
        CaptureSummary {
            frames: c.frames,
            bytes: c.bytes,
            malformed: c.malformed_frames,
            duplicates: c.duplicates,
            dropped: 0,
            first: c.first,
            last: c.last,
        }
    }
}

/// Writes a document as one line of JSON.
///
/// # Errors
/// Where `out` fails.
pub fn write_json(document: &Document, out: &mut dyn Write) -> Result<(), ReplayError> {
    let mut out = io::BufWriter::new(out);
    serde_json::to_writer(&mut out, document).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(out.flush()?)
}
