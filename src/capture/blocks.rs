//! The records of a pcap file, read in blocks that others may keep: a thread that dissects reads a frame where the kernel
//! put it.

use std::io::Read;
use std::sync::Arc;

use super::file::{End, MAX_BUFFER};
use super::section::{NotRead, Section};
use crate::dissect::Frame;

/// Bytes that are read at once.
const BLOCK: usize = 256 << 10;

/// Takes the frames of a file.
pub trait Receiver {
    /// Takes a frame whose bytes are gone afterwards.
    fn frame(&mut self, frame: &Frame<'_>);

    /// Takes a frame whose bytes begin at `place` of a block. Who keeps the block lets the reader take another one.
    #[inline]
    fn within(&mut self, frame: &Frame<'_>, _place: usize) {
        self.frame(frame);
    }

    /// Gets the block of the frames since the last call, which has no more.
    fn end_of_block(&mut self, _block: &Arc<Vec<u8>>) {}
}

/// Passes frames to a function.
pub(super) struct Each<'e>(pub(super) &'e mut dyn FnMut(&Frame<'_>));

impl Receiver for Each<'_> {
    #[inline]
    fn frame(&mut self, frame: &Frame<'_>) {
        (self.0)(frame);
    }
}

/// Reads the records behind the header of a pcap file; returns how the file ends, and at which byte. `offset` is where they
/// begin. A failure of `input` looks like its end.
pub(super) fn read(
    section: &Section,
    input: &mut impl Read,
    mut offset: u64,
    receiver: &mut dyn Receiver,
    not_read: &mut dyn FnMut(NotRead),
    frames: &mut u64,
) -> (End, u64) {
    let mut blocks = Blocks::default();
    let mut filled = 0;
    let mut block = blocks.take(BLOCK);
    loop {
        let space = Arc::get_mut(&mut block).and_then(|bytes| bytes.get_mut(filled..)).unwrap_or_default();
        let read = input.read(space).unwrap_or_default();
        filled += read;
        let whole = section.records(block.get(..filled).unwrap_or_default(), |read, place| match read {
            Ok(Some(frame)) => {
                *frames += 1;
                receiver.within(&frame, place);
            }
            Ok(None) => {}
            Err(what) => not_read(what),
        });
        receiver.end_of_block(&block);
        offset += whole as u64;
        if read == 0 {
            let end = if whole == filled { End::Complete } else { End::Truncated { offset } };
            return (end, offset);
        }
        // A record that needs a longer block gets one, and those after it the usual ones.
        let size =
            if whole == 0 && filled == block.len() { filled * 2 } else { BLOCK.max(filled - whole + 1) };
        if size > MAX_BUFFER {
            return (End::Corrupt { offset }, offset);
        }
        // The rest is the beginning of a record.
        if let Some(bytes) = Arc::get_mut(&mut block).filter(|bytes| bytes.len() >= size) {
            bytes.copy_within(whole..filled, 0);
        } else {
            let mut next = blocks.take(size);
            let rest = block.get(whole..filled).unwrap_or_default();
            if let Some(start) = Arc::get_mut(&mut next).and_then(|bytes| bytes.get_mut(..rest.len())) {
                start.copy_from_slice(rest);
            }
            blocks.0.push(std::mem::replace(&mut block, next));
        }
        filled -= whole;
    }
}

/// Blocks that were read. One that nobody keeps is read into again.
#[derive(Default)]
struct Blocks(Vec<Arc<Vec<u8>>>);

impl Blocks {
    fn take(&mut self, size: usize) -> Arc<Vec<u8>> {
        let free = self.0.iter_mut().position(|block| Arc::get_mut(block).is_some_and(|b| b.len() >= size));
        free.map_or_else(|| Arc::new(vec![0; size]), |place| self.0.swap_remove(place))
    }
}
