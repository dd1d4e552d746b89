//! Replay: reads capture files into one inventory, as live frames are read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::progress::Progress;
use crate::capture::file::{self, CaptureError, End, Summary};
use crate::census::{Inventory, Limit, MostlyUnread, Prefix, Unread, UnreadEntry, UnreadKind};
use crate::dissect::Frame;
use crate::security::Indicators;
use crate::sensor::pipeline::crew;
use crate::sensor::pipeline::table::Table;
use crate::sensor::pipeline::worker::Counters;
use crate::wire::{CaptureSummary, FrameNumbers};

#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// Capture files that together are one capture; `-` is standard input.
    pub files: Vec<PathBuf>,
    pub zone: String,
    /// Maximum number of couplings.
    pub couplings: usize,
    /// About how many bytes of memory the facts may take.
    pub memory: usize,
    /// Sources of tunnels that are trusted (I13).
    pub tunnels: BTreeSet<Prefix>,
    /// What is known to be malicious.
    pub indicators: Indicators,
    /// Threads that dissect, beside the one that reads; with one, the same thread does both.
    pub threads: usize,
}

#[derive(Debug)]
pub struct Replayed {
    pub inventory: Inventory,
    pub counters: Counters,
    pub frames: FrameNumbers,
    /// Refused sightings of couplings and stations: if not 0, the census is a lower bound.
    pub refused: u64,
    /// The limits that refused them.
    pub limits: Vec<Limit>,
}

/// Why a replay failed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Capture(#[from] CaptureError),
}

/// Reads all files.
///
/// # Errors
/// If a file is not a capture. A truncated or damaged file is read up to that place, with a warning.
pub fn read(options: &ReplayOptions) -> Result<Replayed, ReplayError> {
    let table = Table::with_memory(options.couplings, options.memory);
    table.trust(options.tunnels.clone());
    table.watch_for(options.indicators.clone());
    let (unread, mut counters, frames) =
        crew::numbered(&table, options.threads, |each| read_files(&options.files, &table, each));
    counters.unread.add(&unread?);
    if let Some(mostly) = counters.mostly_unread() {
        tracing::warn!("{mostly}");
    }
    if let Some(n) = counters.anomalies.get(&crate::dissect::Anomaly::NoLinkLayer) {
        tracing::warn!("{n} packets have no MAC address and so show no coupling; capture on Ethernet");
    }
    let (refused, limits) = (table.refused(), table.limit_hits().limits());
    if refused > 0 {
        tracing::warn!("limit reached: {}", table.limit_hits());
    }
    Ok(Replayed {
        inventory: Inventory::of(&options.zone, table.into_zone()),
        counters,
        frames,
        refused,
        limits,
    })
}

/// Reads the files one after the other; returns what was not understood of them. A terminal shows how far it is.
fn read_files(
    files: &[PathBuf],
    table: &Table,
    each: &mut dyn FnMut(&Frame<'_>),
) -> Result<Unread, ReplayError> {
    let progress = Progress::of(files);
    let mut unread = Unread::default();
    for path in files {
        let input = progress.of_bytes(file::open(path)?);
        let summary = progress.counting(table, each, |each| file::read_from(path, input, each))?;
        progress.suspend(|| warn(path, &summary));
        unread.add(&summary.unread);
    }
    Ok(unread)
}

/// Says what of a file was not read.
fn warn(path: &Path, summary: &Summary) {
    let path = path.display();
    match summary.end {
        End::Complete => {}
        End::Truncated { offset } => {
            tracing::warn!(
                "{path}: ends in the middle of a frame at byte {offset}; using the frames before it"
            );
        }
        End::Corrupt { offset } => {
            tracing::warn!("{path}: damaged at byte {offset}; using the frames before it");
        }
    }
    if summary.frames == 0 {
        tracing::warn!("{path}: holds no frame");
    }
    for skipped in summary.unread.entries().iter().filter(|e| !is_custom(e)) {
        tracing::warn!("{path}: skipped what is not understood: {skipped}");
    }
}

/// Whether an entry counts custom blocks of pcapng, which programs may add to any file.
fn is_custom(entry: &UnreadEntry) -> bool {
    entry.kind == UnreadKind::Block && matches!(entry.value.as_str(), "0x00000bad" | "0x40000bad")
}

impl Replayed {
    /// The judgement on the capture, if most of it was not understood.
    pub fn mostly_unread(&self) -> Option<MostlyUnread> {
        self.counters.mostly_unread()
    }

    /// Totals in the form of the inventory document.
    pub fn capture(&self) -> CaptureSummary {
        CaptureSummary::from(&self.counters)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::census::{Decisions, Policy, Survey, Timestamp, Unclassified, ZoneSurvey};
    use crate::classify::Rules;
    use crate::dissect::{Frame, LinkType};
    use crate::sensor::pipeline::worker::Worker;
    use crate::wire::Document;

    /// The demo's office: real frames of many protocols.
    const OFFICE: &[u8] = include_bytes!("../../assets/demo.pcap.zst");

    fn office() -> Vec<(Timestamp, Vec<u8>)> {
        let mut frames = Vec::new();
        let mut each = |f: &Frame<'_>| frames.push((f.at, f.data.to_vec()));
        file::read_from(Path::new("demo"), Box::new(OFFICE), &mut each).unwrap();
        frames
    }

    /// The document of frames that `workers` tables took turns with, their zones merged from the last to the first.
    fn document(frames: &[&(Timestamp, Vec<u8>)], workers: usize) -> String {
        let tables: Vec<Table> = (0..workers).map(|_| Table::new(100_000)).collect();
        let mut counters = Counters::default();
        for (w, table) in tables.iter().enumerate() {
            let mut worker = Worker::new(table);
            for (at, data) in frames.iter().skip(w).step_by(workers) {
                let length = u32::try_from(data.len()).unwrap();
                worker.frame(&Frame { at: *at, link: LinkType::Ethernet, data, length });
            }
            counters.add(&worker.finish().0);
        }
        let mut inventory = Inventory::default();
        for table in tables.into_iter().rev() {
            inventory.merge_zone("default", &table.into_zone());
        }
        let mut numbers = FrameNumbers::default();
        for (at, data) in frames {
            numbers.record(*at, u32::try_from(data.len()).unwrap());
        }
        numbers.seal();
        let (policy, as_of) =
            (Policy::default(), inventory.believed_end().or(counters.last).unwrap_or_default());
        let survey = Survey::new(&inventory, &policy, &Decisions::default(), &Unclassified, as_of);
        serde_json::to_string(&Document::streamed(&survey, CaptureSummary::default(), Some(&numbers)))
            .unwrap()
    }

    #[test]
    fn the_demo_office_holds_its_126_devices_and_one_router_before_the_internet() {
        let frames = office();
        let frames: Vec<_> = frames.iter().collect();
        let document: Document = serde_json::from_str(&document(&frames, 1)).unwrap();
        assert_eq!(document.devices.len(), 126);
        assert_eq!(document.routed.len(), 1);
        assert_eq!(document.census.excluded["X-UNCL"], 126);
    }

    #[test]
    fn any_number_of_threads_gives_the_same_document_and_the_same_totals() {
        let of = |threads| {
            let table = Table::new(100_000);
            // Twice, so that there are copies, and frames that come late.
            let (read, counters, numbers) = crew::numbered(&table, threads, |each| {
                (0..2).try_for_each(|_| file::read_from(Path::new("demo"), Box::new(OFFICE), each).map(drop))
            });
            read.unwrap();
            let inventory = Inventory::of("default", table.into_zone());
            let (policy, rules) = (Policy::default(), Rules::builtin().unwrap());
            let as_of = counters.last.unwrap();
            let survey = Survey::new(&inventory, &policy, &Decisions::default(), &rules, as_of);
            let capture = CaptureSummary::from(&counters);
            serde_json::to_string(&Document::streamed(&survey, capture, Some(&numbers))).unwrap()
        };
        let one = of(1);
        assert!(one.contains("\"frame\":"));
        for threads in [2, 3, 7] {
            assert_eq!(of(threads), one, "{threads}");
        }
    }

    #[test]
    fn a_streamed_document_is_the_one_that_is_held_whole() {
        let table = Table::new(100_000);
        let mut worker = Worker::new(&table).numbering();
        for (at, data) in office() {
            let length = u32::try_from(data.len()).unwrap();
            worker.frame(&Frame { at, link: LinkType::Ethernet, data: &data, length });
        }
        let (counters, numbers) = worker.finish();
        let inventory = Inventory::of("default", table.into_zone());
        let (policy, decisions, rules) = (Policy::default(), Decisions::default(), Rules::builtin().unwrap());
        let as_of = counters.last.unwrap();
        let survey = Survey::new(&inventory, &policy, &decisions, &rules, as_of);
        let capture = CaptureSummary::from(&counters);
        let streamed =
            serde_json::to_string(&Document::streamed(&survey, capture.clone(), numbers.as_ref())).unwrap();
        let whole = Document::new(&survey, capture, numbers.as_ref());
        assert!(whole.devices.iter().flat_map(|d| &d.evidence).any(|e| e.frame.is_some()));
        assert_eq!(serde_json::to_string(&whole).unwrap(), streamed);
        // What devices that are alike share gives the same.
        let zone = inventory.zones.get("default").unwrap();
        let alike = ZoneSurvey::keeping(0, "default", zone, &policy, &decisions, &rules, as_of);
        for (own, shared) in survey.devices.iter().zip(&alike.devices) {
            assert_eq!(own.classification(), shared.classification());
            assert_eq!((own.id, own.verdict), (shared.id, shared.verdict));
        }
        assert_eq!(survey.devices.len(), alike.devices.len());
    }

    /// A pcapng file of those frames; every third one has no time.
    fn blocks(frames: &[&(Timestamp, Vec<u8>)]) -> Vec<u8> {
        let block = |kind: u32, body: &[u8]| {
            let padded = body.len().next_multiple_of(4);
            let length = u32::try_from(padded + 12).unwrap().to_le_bytes();
            [&kind.to_le_bytes()[..], &length, body, &vec![0; padded - body.len()], &length].concat()
        };
        let section = [&0x1a2b_3c4du32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
        let mut out = [block(0x0a0d_0d0a, &section), block(1, &[1, 0, 0, 0, 0, 0, 0, 0])].concat();
        for (at, data) in frames {
            let length = u32::try_from(data.len()).unwrap().to_le_bytes();
            if data.last().is_some_and(|byte| byte % 3 == 0) {
                out.extend(block(3, &[&length[..], data].concat()));
            } else {
                let micros = (at.0 / 1_000).cast_unsigned().to_le_bytes();
                let head = [&[0; 4][..], &micros[4..], &micros[..4], &length, &length].concat();
                out.extend(block(6, &[&head, &data[..]].concat()));
            }
        }
        out
    }

    /// The frames of a file as they are read.
    fn read_back(file: Vec<u8>) -> Vec<(Timestamp, Vec<u8>)> {
        let mut frames = Vec::new();
        let mut each = |f: &Frame<'_>| frames.push((f.at, f.data.to_vec()));
        file::read_from(Path::new("blocks"), Box::new(std::io::Cursor::new(file)), &mut each).unwrap();
        frames
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

        #[test]
        fn packets_without_a_time_count_alike_wherever_they_stand_in_a_file(
            order in Just((0..office().len()).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let frames = office();
            let of = |frames: &[&(Timestamp, Vec<u8>)]| {
                let read = read_back(blocks(frames));
                document(&read.iter().collect::<Vec<_>>(), 1)
            };
            let shuffled: Vec<_> = order.iter().map(|i| &frames[*i]).collect();
            prop_assert_eq!(of(&shuffled), of(&frames.iter().collect::<Vec<_>>()));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn any_order_duplication_and_partition_of_a_capture_gives_the_same_bytes(
            order in Just((0..office().len()).collect::<Vec<_>>()).prop_shuffle(),
            repeated in prop::collection::vec(any::<prop::sample::Index>(), 0..200),
            workers in 1..5usize,
        ) {
            let frames = office();
            let straight = document(&frames.iter().collect::<Vec<_>>(), 1);
            let mut other: Vec<_> = order.iter().map(|i| &frames[*i]).collect();
            other.extend(repeated.iter().map(|i| i.get(&frames)));
            prop_assert_eq!(document(&other, workers), straight);
        }
    }
}
