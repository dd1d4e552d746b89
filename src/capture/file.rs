//! Capture files: pcap (both byte orders, micro- and nanoseconds), pcapng with several interfaces, each also
//! compressed with gzip or zstd, from a path or standard input. Read as a stream in constant memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{PcapError, create_reader};

use super::section::{NotRead, Section};
use crate::census::{NotUnderstood, Unread};
use crate::dissect::Frame;

/// The buffer that a stream starts with, and the largest one: a frame that exceeds it ends the file.
const BUFFER: usize = 256 << 10;
const MAX_BUFFER: usize = 64 << 20;
/// The type of the block that starts a pcapng file.
const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// Type and length before a block's body, the length again after it.
const BLOCK_FRAME: u8 = 12;
const INPUT_BUFFER: usize = 128 << 10;

/// How a file ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum End {
    /// At its end.
    Complete,
    /// In the middle of a frame, at this offset of the uncompressed data. The frames before it were read.
    Truncated { offset: u64 },
    /// At a malformed record at this offset. The frames before it were read.
    Corrupt { offset: u64 },
}

/// What was read of one file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Summary {
    /// How it ended.
    pub end: End,
    /// Frames that were read.
    pub frames: u64,
    /// Blocks of pcapng that were not understood, and frames of unsupported link types.
    pub unread: Unread,
}

/// Why a file could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// It cannot be opened.
    #[error("{}: cannot be opened: {error}", path.display())]
    Open { path: PathBuf, error: io::Error },
    /// Reading or decompressing it failed.
    #[error("{}: cannot be read: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    /// The file is not a capture.
    #[error("{}: not a capture file; netcensus reads pcap and pcapng, also compressed with gzip or zstd", path.display())]
    NoCapture { path: PathBuf },
    /// Its link type is unsupported.
    #[error(
        "{}: the link type {} is not read; capture on Ethernet (1), Linux cooked (113, 276) or raw IP (101)",
        path.display(),
        link_name(*link)
    )]
    LinkType { path: PathBuf, link: i32 },
}

/// Opens a file, or standard input for `-`.
///
/// # Errors
/// [`CaptureError::Open`].
pub fn open(path: &Path) -> Result<Box<dyn Read + Send>, CaptureError> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    let opened = File::open(path).map_err(|error| CaptureError::Open { path: path.to_owned(), error })?;
    Ok(Box::new(opened))
}

/// Reads all frames of a file.
///
/// # Errors
/// As [`open`] and [`read_from`].
pub fn read(path: &Path, each: &mut dyn FnMut(&Frame<'_>)) -> Result<Summary, CaptureError> {
    read_from(path, open(path)?, each)
}

/// Reads all frames of an open stream; `path` names it in messages.
///
/// # Errors
/// If the file is not a capture, or has an unsupported link type: see [`CaptureError`]. A file that
/// ends early is not an error.
pub fn read_from(
    path: &Path,
    input: Box<dyn Read + Send>,
    each: &mut dyn FnMut(&Frame<'_>),
) -> Result<Summary, CaptureError> {
    let fail = |error| CaptureError::Read { path: path.to_owned(), error };
    let input = decompressed(input).map_err(fail)?;
    read_stream(path, input, each)
}

/// A link type's number with libpcap's name for it, if it has one.
pub fn link_name(number: i32) -> String {
    match pcap::Linktype(number).get_name() {
        Ok(name) => format!("{number} ({name})"),
        Err(_) => number.to_string(),
    }
}

/// Removes the compression, which its magic number shows.
fn decompressed(input: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut input = BufReader::with_capacity(INPUT_BUFFER, input);
    let head = input.fill_buf()?;
    Ok(match head {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::stream::read::Decoder::with_buffer(input)?),
        _ => Box::new(input),
    })
}

fn read_stream(
    path: &Path,
    input: Box<dyn Read + Send>,
    each: &mut dyn FnMut(&Frame<'_>),
) -> Result<Summary, CaptureError> {
    let no_capture = || CaptureError::NoCapture { path: path.to_owned() };
    let failure = Arc::new(OnceLock::new());
    let input = Full { input, failure: Arc::clone(&failure) };
    let Ok(mut reader) = create_reader(BUFFER, input) else {
        return Err(broken(path, &failure).unwrap_or_else(no_capture));
    };
    let blocks = reader.data().starts_with(&SECTION);
    let mut section = Section::default();
    let mut summary = Summary { end: End::Complete, frames: 0, unread: Unread::default() };
    let mut size = BUFFER;
    loop {
        let offset = reader.consumed() as u64;
        if blocks && is_short(reader.data()) {
            summary.end = End::Corrupt { offset };
            break;
        }
        let mut pass = |read: Result<Option<Frame<'_>>, NotRead>| match read {
            Ok(Some(frame)) => {
                summary.frames += 1;
                each(&frame);
            }
            Ok(None) => {}
            Err((what, bytes)) => summary.unread.count(what, bytes.into()),
        };
        let whole = section.records(reader.data(), &mut pass);
        if whole > 0 {
            reader.consume(whole);
            continue;
        }
        match reader.next() {
            Ok((length, block)) => {
                pass(section.frame(&block));
                reader.consume(length);
            }
            Err(PcapError::Eof) => break,
            Err(error) => {
                let starved = matches!(error, PcapError::Incomplete(_) | PcapError::BufferTooSmall);
                let exhausted = matches!(error, PcapError::UnexpectedEof);
                if blocks && let Some((kind, length)) = whole_block(reader.data(), section.is_big_endian()) {
                    summary.unread.count(NotUnderstood::block(kind), length as u64);
                    reader.consume(length);
                    continue;
                }
                if !starved {
                    let truncated =
                        if exhausted { End::Truncated { offset } } else { End::Corrupt { offset } };
                    summary.end = if reader.data().is_empty() { End::Complete } else { truncated };
                    break;
                }
                if let Err(end) = read_more(&mut *reader, &mut size, offset) {
                    summary.end = end;
                    break;
                }
            }
        }
    }
    if failure.get().is_some() {
        if summary.frames == 0 {
            return Err(broken(path, &failure).unwrap_or_else(no_capture));
        }
        summary.end = End::Truncated { offset: reader.consumed() as u64 };
    }
    match section.unread_link() {
        Some(link) if summary.frames == 0 => Err(CaptureError::LinkType { path: path.to_owned(), link }),
        _ => Ok(summary),
    }
}

/// Reads more of the stream for a block that is not whole yet, into a larger buffer if it must be.
///
/// # Errors
/// How the file ends, if it does.
fn read_more(reader: &mut dyn PcapReaderIterator, size: &mut usize, offset: u64) -> Result<(), End> {
    let before = reader.data().len();
    let failed = reader.refill().is_err();
    let grown = reader.data().len() > before;
    if failed || !grown && reader.reader_exhausted() {
        return Err(if before > 0 { End::Truncated { offset } } else { End::Complete });
    }
    if !grown {
        *size *= 2;
        if *size > MAX_BUFFER || !reader.grow(*size) {
            return Err(End::Corrupt { offset });
        }
    }
    Ok(())
}

/// Type and length of a block that the parser refuses although the length behind it repeats the one before it, so that
/// the next block's place is certain.
fn whole_block(data: &[u8], big: bool) -> Option<(u32, usize)> {
    let number = |at: usize| {
        let bytes = data.get(at..at.checked_add(4)?)?.first_chunk::<4>()?;
        Some(if big { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) })
    };
    let (kind, length) = (number(0)?, number(4)?);
    let whole = usize::try_from(length).ok().filter(|n| *n >= usize::from(BLOCK_FRAME) && n % 4 == 0)?;
    (number(whole - 4)? == length).then_some((kind, whole))
}

/// Whether a block of pcapng claims to be shorter than its own frame, which the parser subtracts unseen. In the other
/// byte order such a length is beyond [`MAX_BUFFER`], so that neither order can be meant.
fn is_short(block: &[u8]) -> bool {
    matches!(block, [_, _, _, _, 0..BLOCK_FRAME, 0, 0, 0, ..] | [_, _, _, _, 0, 0, 0, 0..BLOCK_FRAME, ..])
}

/// The error that ended the stream, if one did.
fn broken(path: &Path, failure: &OnceLock<io::Error>) -> Option<CaptureError> {
    let error = failure.get()?;
    let error = io::Error::new(error.kind(), error.to_string());
    Some(CaptureError::Read { path: path.to_owned(), error })
}

/// Fills every read completely, because the parser takes a short first read for a short file. An error ends the stream and
/// is kept, so that the frames before it count.
struct Full<R> {
    input: R,
    failure: Arc<OnceLock<io::Error>>,
}

impl<R: Read> Read for Full<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while self.failure.get().is_none()
            && let Some(space) = buffer.get_mut(filled..).filter(|s| !s.is_empty())
        {
            match self.input.read(space) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.failure.get_or_init(|| e);
                }
            }
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::census::{Timestamp, UnreadEntry};
    use crate::dissect::LinkType;

    /// A frame of `n` bytes after a broadcast header.
    fn body(n: usize) -> Vec<u8> {
        [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1, 0x88, 0xb5], &vec![0; n]].concat()
    }

    struct Order {
        big: bool,
    }

    impl Order {
        fn u16(&self, n: u16) -> [u8; 2] {
            if self.big { n.to_be_bytes() } else { n.to_le_bytes() }
        }

        fn u32(&self, n: u32) -> [u8; 4] {
            if self.big { n.to_be_bytes() } else { n.to_le_bytes() }
        }

        fn pcap(&self, magic: u32, link: u32, frames: &[(u32, u32, Vec<u8>)]) -> Vec<u8> {
            let mut out = self.u32(magic).to_vec();
            out.extend(self.u16(2));
            out.extend(self.u16(4));
            for n in [0, 0, 65_535, link] {
                out.extend(self.u32(n));
            }
            for (secs, fraction, data) in frames {
                let length = u32::try_from(data.len()).unwrap();
                for n in [*secs, *fraction, length, length + 7] {
                    out.extend(self.u32(n));
                }
                out.extend(data);
            }
            out
        }

        fn block(&self, kind: u32, body: &[u8]) -> Vec<u8> {
            let padded = body.len().next_multiple_of(4);
            let length = self.u32(u32::try_from(padded + 12).unwrap());
            [&self.u32(kind)[..], &length, body, &vec![0; padded - body.len()], &length].concat()
        }

        fn section(&self) -> Vec<u8> {
            self.block(
                0x0a0d_0d0a,
                &[&self.u32(0x1a2b_3c4d)[..], &self.u16(1), &self.u16(0), &[0xff; 8]].concat(),
            )
        }

        /// An interface with a time resolution (option 9).
        fn interface(&self, link: u16, resolution: u8) -> Vec<u8> {
            self.described(link, 0, &[(9, &[resolution])])
        }

        fn described(&self, link: u16, snap: u32, options: &[(u16, &[u8])]) -> Vec<u8> {
            let head = [&self.u16(link)[..], &self.u16(0), &self.u32(snap)].concat();
            self.block(1, &[head, self.options(options)].concat())
        }

        fn options(&self, options: &[(u16, &[u8])]) -> Vec<u8> {
            let mut out = Vec::new();
            for (code, value) in options.iter().chain([&(0, &[][..])]) {
                out.extend([self.u16(*code), self.u16(u16::try_from(value.len()).unwrap())].concat());
                out.extend([*value, &vec![0; value.len().next_multiple_of(4) - value.len()]].concat());
            }
            out
        }

        /// A packet without a time.
        fn simple(&self, length: u32, data: &[u8]) -> Vec<u8> {
            self.block(3, &[&self.u32(length)[..], data].concat())
        }

        fn obsolete(&self, interface: u16, ticks: u32, data: &[u8]) -> Vec<u8> {
            let length = u32::try_from(data.len()).unwrap();
            let words = [0, ticks, length, length].map(|n| self.u32(n)).concat();
            self.block(2, &[&self.u16(interface)[..], &[0xff; 2], &words, data].concat())
        }

        fn packet(&self, interface: u32, ticks: u64, data: &[u8]) -> Vec<u8> {
            let length = u32::try_from(data.len()).unwrap();
            let high = u32::try_from(ticks >> 32).unwrap();
            let low = u32::try_from(ticks & 0xffff_ffff).unwrap();
            let head = [interface, high, low, length, length].map(|n| self.u32(n)).concat();
            self.block(6, &[&head, data].concat())
        }
    }

    /// What was not understood, in words.
    fn unread(summary: &Summary) -> Vec<String> {
        summary.unread.entries().iter().map(UnreadEntry::to_string).collect()
    }

    type Read = (Timestamp, LinkType, usize, u32);

    fn frames(bytes: Vec<u8>) -> (Result<Summary, CaptureError>, Vec<Read>) {
        let mut out = Vec::new();
        let summary = read_from(Path::new("test"), Box::new(io::Cursor::new(bytes)), &mut |f| {
            out.push((f.at, f.link, f.data.len(), f.length));
        });
        (summary, out)
    }

    #[test]
    fn pcap_is_read_in_both_byte_orders_and_both_resolutions() {
        for big in [false, true] {
            for (magic, nanos) in [(0xa1b2_c3d4, 5_000), (0xa1b2_3c4d, 5)] {
                let file = Order { big }.pcap(magic, 1, &[(100, 5, body(46)), (101, 0, body(50))]);
                let (summary, found) = frames(file);
                assert_eq!(summary.unwrap().end, End::Complete);
                let expected = [
                    (Timestamp::from_parts(100, nanos), LinkType::Ethernet, 60, 67),
                    (Timestamp::from_secs(101), LinkType::Ethernet, 64, 71),
                ];
                assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn pcapng_keeps_each_interface_its_own_link_type_and_clock() {
        for big in [false, true] {
            let o = Order { big };
            let file = [
                o.section(),
                o.interface(1, 6),
                o.interface(113, 9),
                o.interface(127, 6),
                o.interface(276, 0x80 | 1),
                o.packet(0, 7_000_001, &body(46)),
                o.packet(1, 7_000_000_002, &body(3)),
                o.packet(2, 0, &body(3)),
                o.packet(3, 15, &body(46)),
                o.section(),
                o.interface(1, 3),
                o.packet(0, 9_500, &body(46)),
                o.packet(5, 1, &body(46)),
            ];
            let (summary, found) = frames(file.concat());
            let summary = summary.unwrap();
            // The second packet of the last section names an interface that the section does not have.
            let skipped = ["pcapng block type 0x00000006: 1 blocks", "link type 127: 1 frames"];
            assert_eq!(
                (summary.end.clone(), unread(&summary)),
                (End::Complete, skipped.map(str::to_owned).to_vec())
            );
            let expected = [
                (Timestamp(7_000_001_000), LinkType::Ethernet, 60, 60),
                (Timestamp(7_000_000_002), LinkType::LinuxSll, 17, 17),
                (Timestamp(7_500_000_000), LinkType::LinuxSll2, 60, 60),
                (Timestamp(9_500_000_000), LinkType::Ethernet, 60, 60),
            ];
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_block_shorter_than_its_own_frame_ends_the_file() {
        for big in [false, true] {
            let o = Order { big };
            let sound = [o.section(), o.interface(1, 6), o.packet(0, 7, &body(46))].concat();
            for length in [0, 8, 11] {
                let broken = [o.u32(0x8000_0001), o.u32(length), o.u32(0), o.u32(length)].concat();
                let (summary, found) = frames([&sound[..], &broken].concat());
                let offset = sound.len() as u64;
                assert_eq!((summary.unwrap().end, found.len()), (End::Corrupt { offset }, 1), "{length}");
            }
        }
    }

    #[test]
    fn every_kind_of_packet_block_is_read_in_any_order_and_both_byte_orders() {
        for big in [false, true] {
            let o = Order { big };
            let file = [
                o.section(),
                o.described(1, 61, &[(9, &[9])]),
                o.simple(46, &body(32)),
                o.packet(0, 7, &body(46)),
                // Padded to 64 bytes, of which 61 are the frame's.
                o.simple(300, &body(47)),
                o.obsolete(0, 9, &body(46)),
                o.simple(60, &body(46)),
            ];
            let (summary, found) = frames(file.concat());
            assert_eq!(unread(&summary.unwrap()), Vec::<String>::new());
            let read: Vec<_> = found.iter().map(|f| (f.0.0, f.2, f.3)).collect();
            assert_eq!(read, [(0, 46, 46), (7, 60, 60), (0, 61, 300), (9, 60, 60), (0, 60, 60)]);
        }
    }

    #[test]
    fn an_offset_of_time_stamps_counts_in_both_byte_orders() {
        for big in [false, true] {
            let o = Order { big };
            for offset in [1_700_000_000i64, -5] {
                let bytes = if big { offset.to_be_bytes() } else { offset.to_le_bytes() };
                let described = o.described(1, 0, &[(9, &[9]), (14, &bytes)]);
                let file = [o.section(), described, o.packet(0, 6_000_000_001, &body(46))].concat();
                let at = frames(file).1[0].0;
                assert_eq!(at, Timestamp((offset + 6) * 1_000_000_000 + 1), "{big} {offset}");
            }
        }
    }

    #[test]
    fn a_check_sequence_that_the_file_tells_of_is_taken_off() {
        let o = Order { big: true };
        let mut checked = body(46);
        checked.extend([0xfc; 4]);
        let read = |file: Vec<u8>| frames(file).1.iter().map(|f| (f.2, f.3)).collect::<Vec<_>>();
        // Two words of 16 bits; a writer that means bytes writes 4. Frames of `pcap` are 7 bytes longer on the wire.
        for link in [0x2400_0001, 0x4400_0001] {
            assert_eq!(read(o.pcap(0xa1b2_c3d4, link, &[(1, 1, checked.clone())])), [(64, 67)]);
        }
        // Bits without the one that says that they count.
        assert_eq!(read(o.pcap(0xa1b2_c3d4, 0x2000_0001, &[(1, 1, checked.clone())])), [(64, 71)]);
        // The option of an interface counts in bits, or in bytes by some writers.
        for (option, left) in [(32, 60), (4, 60), (16, 62), (0, 64)] {
            let file = [o.section(), o.described(1, 0, &[(13, &[option])]), o.packet(0, 1, &checked)];
            assert_eq!(read(file.concat()), [(left, u32::try_from(left).unwrap())]);
        }
        // A packet's own flags win.
        let head = [0, 0, 1, 64, 64].map(|n| o.u32(n)).concat();
        let flagged = [head, checked, o.options(&[(2, &o.u32(4 << 5))])].concat();
        assert_eq!(read([o.section(), o.interface(1, 6), o.block(6, &flagged)].concat()), [(60, 60)]);
    }

    #[test]
    fn blocks_that_are_not_understood_are_counted_by_type() {
        for big in [false, true] {
            let o = Order { big };
            // An enhanced packet block whose packet is longer than the block.
            let broken = [0, 0, 7, 4_000, 4_000].map(|n| o.u32(n)).concat();
            let file = [
                o.section(),
                o.simple(60, &body(46)),
                o.block(0x0bad, &o.u32(32_473)),
                o.block(0x204, &[7; 24]),
                o.block(4, &[0; 4]),
                o.interface(1, 6),
                o.block(6, &broken),
                o.packet(0, 7, &body(46)),
            ];
            let (summary, found) = frames(file.concat());
            let summary = summary.unwrap();
            let counted = ["0x00000003: 1", "0x00000006: 1", "0x00000204: 1", "0x00000bad: 1"];
            let counted: Vec<_> = counted.iter().map(|c| format!("pcapng block type {c} blocks")).collect();
            assert_eq!((unread(&summary), summary.end, found.len()), (counted, End::Complete, 1));
        }
    }

    #[test]
    fn gzip_and_zstd_are_taken_off() {
        let plain = Order { big: false }.pcap(0xa1b2_c3d4, 1, &[(100, 5, body(46)), (101, 0, body(50))]);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        for packed in [gzip.finish().unwrap(), zstd::bulk::compress(&plain, 1).unwrap()] {
            let (summary, found) = frames(packed.clone());
            assert_eq!((summary.unwrap().end, found.len()), (End::Complete, 2));
            // A truncated file ends early if some of it could be read, and is an error otherwise.
            let (summary, found) = frames(packed[..packed.len() - 9].to_vec());
            match summary {
                Ok(summary) => assert!(matches!(summary.end, End::Truncated { .. }) && !found.is_empty()),
                Err(error) => assert!(matches!(error, CaptureError::Read { .. }), "{error}"),
            }
        }
    }

    #[test]
    fn a_file_that_ends_within_a_frame_keeps_what_came_before() {
        let file = Order { big: false }.pcap(0xa1b2_c3d4, 1, &[(100, 5, body(46)), (101, 0, body(50))]);
        for cut in 25..file.len() {
            let (summary, found) = frames(file[..cut].to_vec());
            let whole = usize::from(cut >= 100);
            let end = summary.unwrap().end;
            assert_eq!(found.len(), whole, "cut at {cut}");
            let offset = if whole == 1 { 100 } else { 24 };
            assert!(
                end == End::Truncated { offset } || cut == 100 && end == End::Complete,
                "cut at {cut}: {end:?}"
            );
        }
    }

    #[test]
    fn a_record_that_claims_gigabytes_ends_the_file_without_taking_them() {
        let mut file = Order { big: false }.pcap(0xa1b2_c3d4, 1, &[(100, 5, body(46))]);
        file.extend([0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0]);
        file.extend([0; 4_000]);
        let (summary, found) = frames(file);
        assert_ne!(summary.unwrap().end, End::Complete);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn what_is_no_capture_or_of_an_unread_link_type_is_refused_with_its_name() {
        for junk in [&b""[..], b"hello, this is a text file", &[0xa1; 3]] {
            assert!(matches!(frames(junk.to_vec()).0, Err(CaptureError::NoCapture { .. })));
        }
        let radio = Order { big: false }.pcap(0xa1b2_c3d4, 127, &[(1, 1, body(46))]);
        let error = frames(radio).0.unwrap_err().to_string();
        assert!(error.contains("127 (IEEE802_11_RADIO)"), "{error}");
        assert!(matches!(read(Path::new("/no/such/file"), &mut |_| {}), Err(CaptureError::Open { .. })));
    }
}
