//! Workers on several threads: one thread reads frames, and each of the others has those of its shards. So packets of one
//! conversation, their fragments and their copies meet in one worker, and the result is the same for any number of them.
//!
//! Blocks of a pcap file are shared: a worker reads frames where the kernel put them. Frames of other files are copied.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use super::table::Table;
use super::traffic::Traffic;
use super::worker::{Counters, Worker};
use crate::capture::blocks;
use crate::census::Timestamp;
use crate::dissect::{Frame, LinkType, SHARDS, shard};
use crate::wire::FrameNumbers;

/// Bytes and frames of batches that are copied.
const BYTES: usize = 256 << 10;
const FRAMES: usize = 2_048;
/// Batches that wait for a worker.
const WAITING: usize = 4;

/// Frames of a worker: in a block that it shares with others, or copied one after the other.
#[derive(Debug, Default)]
struct Batch {
    block: Option<Arc<Vec<u8>>>,
    copied: Vec<u8>,
    frames: Vec<Head>,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    at: Timestamp,
    link: LinkType,
    length: u32,
    /// Where its bytes lie.
    start: u32,
    end: u32,
}

/// What a thread of the crew is given.
#[derive(Debug)]
struct Mate {
    next: Batch,
    full: SyncSender<Batch>,
    empty: Receiver<Batch>,
}

/// Passes what `read` reads to so many workers, which number the frames. Returns what `read` returned, and the totals.
pub(crate) fn numbered<R>(
    table: &Table,
    workers: usize,
    read: impl FnOnce(&mut dyn blocks::Receiver) -> R,
) -> (R, Counters, FrameNumbers) {
    if workers < 2 {
        let mut alone = Alone(Worker::new(table).numbering());
        let read = read(&mut alone);
        let (counters, numbers) = alone.0.finish();
        return (read, counters, numbers.unwrap_or_default());
    }
    thread::scope(|scope| {
        let mut traffic = None;
        let (mut mates, mut threads) = (Vec::new(), Vec::new());
        for share in Traffic::of(workers.min(SHARDS)) {
            traffic = Some(share.clone());
            let (full, batches) = sync_channel(WAITING);
            let (done, empty) = channel();
            let worker = Worker::of(table, share).numbering();
            threads.push(scope.spawn(move || work(worker, &batches, &done)));
            mates.push(Mate { next: Batch::default(), full, empty });
        }
        let mut crew = Crew(mates);
        let read = read(&mut crew);
        crew.0.iter_mut().for_each(|mate| mate.send(None));
        drop(crew);
        let (mut counters, mut numbers) = (Counters::default(), Vec::new());
        for thread in threads {
            match thread.join() {
                Ok((own, numbered)) => {
                    counters.add(&own);
                    numbers.extend(numbered);
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        if let Some(traffic) = traffic {
            traffic.end();
        }
        (read, counters, FrameNumbers::joined(numbers))
    })
}

fn work(
    mut worker: Worker<'_>,
    batches: &Receiver<Batch>,
    done: &Sender<Batch>,
) -> (Counters, Option<FrameNumbers>) {
    for mut batch in batches {
        let bytes = batch.block.as_deref().unwrap_or(&batch.copied);
        for Head { at, link, length, start, end } in batch.frames.drain(..) {
            let data = bytes.get(start as usize..end as usize).unwrap_or_default();
            worker.frame(&Frame { at, link, data, length });
        }
        batch.block = None;
        batch.copied.clear();
        // At the end nobody takes it any more.
        done.send(batch).ok();
    }
    worker.flush();
    worker.totals()
}

/// A worker that has all frames.
struct Alone<'t>(Worker<'t>);

impl blocks::Receiver for Alone<'_> {
    #[inline]
    fn frame(&mut self, frame: &Frame<'_>) {
        self.0.frame(frame);
    }
}

struct Crew(Vec<Mate>);

impl Crew {
    #[inline]
    fn mate(&mut self, frame: &Frame<'_>) -> Option<&mut Mate> {
        let number = self.0.len();
        self.0.get_mut(shard(frame) % number)
    }
}

impl blocks::Receiver for Crew {
    fn frame(&mut self, frame: &Frame<'_>) {
        if let Some(mate) = self.mate(frame) {
            mate.copy(frame);
        }
    }

    #[inline]
    fn within(&mut self, frame: &Frame<'_>, place: usize) {
        if let Some(mate) = self.mate(frame) {
            // Those of another file before this one.
            if !mate.next.copied.is_empty() {
                mate.send(None);
            }
            mate.add(frame, place);
        }
    }

    fn end_of_block(&mut self, block: &Arc<Vec<u8>>) {
        self.0.iter_mut().for_each(|mate| mate.send(Some(block)));
    }
}

impl Mate {
    /// Adds a frame whose bytes lie at that place of what its batch refers to.
    #[inline]
    fn add(&mut self, frame: &Frame<'_>, place: usize) {
        let Frame { at, link, length, .. } = *frame;
        // Neither blocks nor copies have as many bytes as 32 bits count.
        let number = |n| u32::try_from(n).unwrap_or(u32::MAX);
        let (start, end) = (number(place), number(place + frame.data.len()));
        self.next.frames.push(Head { at, link, length, start, end });
    }

    /// Adds a copy of a frame.
    fn copy(&mut self, frame: &Frame<'_>) {
        let place = self.next.copied.len();
        self.next.copied.extend_from_slice(frame.data);
        self.add(frame, place);
        if self.next.copied.len() >= BYTES || self.next.frames.len() >= FRAMES {
            self.send(None);
        }
    }

    /// Sends the batch, whose frames lie in that block if they are not copies.
    fn send(&mut self, block: Option<&Arc<Vec<u8>>>) {
        if self.next.frames.is_empty() {
            return;
        }
        self.next.block = block.cloned();
        let empty = self.empty.try_recv().unwrap_or_default();
        // A worker ends early only by a panic, which the end of the crew passes on.
        self.full.send(std::mem::replace(&mut self.next, empty)).ok();
    }
}
