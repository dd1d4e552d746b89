//! Workers on several threads: one thread reads frames, and each of the others has those of its shards. So packets of one
//! conversation, their fragments and their copies meet in one worker, and the result is the same for any number of them.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use super::table::Table;
use super::traffic::Traffic;
use super::worker::{Counters, Worker};
use crate::census::Timestamp;
use crate::dissect::{Frame, LinkType, SHARDS, shard};
use crate::wire::FrameNumbers;

/// Bytes and frames that a worker gets at once.
const BYTES: usize = 256 << 10;
const FRAMES: usize = 2_048;
/// Batches that wait for a worker.
const WAITING: usize = 4;

/// Frames, one after the other.
#[derive(Debug, Default)]
struct Batch {
    data: Vec<u8>,
    frames: Vec<Head>,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    at: Timestamp,
    link: LinkType,
    length: u32,
    /// Where its bytes end.
    end: usize,
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
    read: impl FnOnce(&mut dyn FnMut(&Frame<'_>)) -> R,
) -> (R, Counters, FrameNumbers) {
    if workers < 2 {
        let mut worker = Worker::new(table).numbering();
        let read = read(&mut |frame| worker.frame(frame));
        let (counters, numbers) = worker.finish();
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
        let number = mates.len();
        let read = read(&mut |frame| {
            if let Some(mate) = mates.get_mut(shard(frame) % number) {
                mate.add(frame);
            }
        });
        mates.iter_mut().for_each(Mate::send);
        drop(mates);
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
        let mut start = 0;
        for Head { at, link, length, end } in batch.frames.drain(..) {
            let data = batch.data.get(start..end).unwrap_or_default();
            worker.frame(&Frame { at, link, data, length });
            start = end;
        }
        batch.data.clear();
        // At the end nobody takes it any more.
        done.send(batch).ok();
    }
    worker.flush();
    worker.totals()
}

impl Mate {
    #[inline]
    fn add(&mut self, frame: &Frame<'_>) {
        let Batch { data, frames } = &mut self.next;
        data.extend_from_slice(frame.data);
        let Frame { at, link, length, .. } = *frame;
        frames.push(Head { at, link, length, end: data.len() });
        if data.len() >= BYTES || frames.len() >= FRAMES {
            self.send();
        }
    }

    fn send(&mut self) {
        let empty = self.empty.try_recv().unwrap_or_default();
        // A worker ends early only by a panic, which the end of the crew passes on.
        self.full.send(std::mem::replace(&mut self.next, empty)).ok();
    }
}
