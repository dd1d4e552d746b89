//! A file's bytes: plain, or compressed with gzip or zstd, at most [`FILE_BYTES`] of them.

use std::io::{self, BufRead, BufReader, Read};

use super::error::ReadError;
use super::limits::FILE_BYTES;

const BUFFER: usize = 256 << 10;
/// The largest window of a zstd frame, as a power of two: 128 MiB.
const WINDOW: u32 = 27;

/// The bytes of a file, decompressed.
pub(super) fn unpacked<'r>(file: impl Read + 'r) -> Result<Box<dyn BufRead + 'r>, ReadError> {
    let mut file = BufReader::with_capacity(BUFFER, file);
    let magic = peek(&mut file, 4)?;
    let bytes: Box<dyn Read + 'r> = if magic.starts_with(&[0x1f, 0x8b]) {
        Box::new(flate2::bufread::MultiGzDecoder::new(file))
    } else if magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(file)?;
        decoder.window_log_max(WINDOW)?;
        Box::new(decoder)
    } else {
        Box::new(file)
    };
    Ok(Box::new(BufReader::with_capacity(BUFFER, Bounded { bytes, left: FILE_BYTES })))
}

/// The first bytes, without taking them: fewer than `most` only at the end of the file or of the buffer.
fn peek<R: Read>(file: &mut BufReader<R>, most: usize) -> io::Result<Vec<u8>> {
    // A pipe may give one byte at a time, and a buffer that holds any is not filled again.
    let head = file.fill_buf()?;
    Ok(head.iter().take(most).copied().collect())
}

struct Bounded<R> {
    bytes: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(too_large)?;
        Ok(read)
    }
}

fn too_large() -> io::Error {
    io::Error::other(ReadError::TooLarge(FILE_BYTES))
}
