//! Capture files: pcap (both byte orders, micro- and nanoseconds), pcapng with several interfaces, each also
//! compressed with gzip or zstd, from a path or standard input. Read as a stream in constant memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use pcap_parser::traits::PcapNGPacketBlock as _;
use pcap_parser::{Block, InterfaceDescriptionBlock, PcapBlockOwned, PcapError, create_reader};

use crate::census::Timestamp;
use crate::dissect::{Frame, LinkType};

/// The buffer that a stream starts with, and the largest one: a frame that exceeds it ends the file.
const BUFFER: usize = 1 << 20;
const MAX_BUFFER: usize = 64 << 20;
const INPUT_BUFFER: usize = 128 << 10;

/// How a file ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum End {
    /// At its end.
    Complete,
    /// In the middle of a frame, at this offset of the uncompressed data. What came before was read.
    Truncated {
        /// Offset in bytes.
        offset: u64,
    },
    /// At a record that makes no sense, at this offset. What came before was read.
    Corrupt {
        /// Offset in bytes.
        offset: u64,
    },
}

/// What was read of one file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Summary {
    /// How it ended.
    pub end: End,
    /// Frames of interfaces whose link type is not read.
    pub skipped: u64,
    /// Link types that were skipped, each once.
    pub skipped_links: Vec<i32>,
}

/// Why a file could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// It cannot be opened.
    #[error("{}: cannot be opened: {error}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Reading or decompressing it failed.
    #[error("{}: cannot be read: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is no capture.
    #[error("{}: this is no capture file; pcap and pcapng are read, also compressed with gzip or zstd", path.display())]
    NoCapture {
        /// The file.
        path: PathBuf,
    },
    /// Its link type is not read.
    #[error(
        "{}: the link type {link} is not read; capture on Ethernet (1), Linux cooked (113, 276) or raw IP (101)",
        path.display()
    )]
    LinkType {
        /// The file.
        path: PathBuf,
        /// The LINKTYPE_ number.
        link: i32,
    },
}

/// Reads all frames of a file, or of standard input for `-`.
///
/// # Errors
/// Only where the file is no capture at all, or of a link type that is not read: see [`CaptureError`]. A file that
/// ends early is no error.
pub fn read(path: &Path, each: &mut dyn FnMut(&Frame<'_>)) -> Result<Summary, CaptureError> {
    let opened: Box<dyn Read + Send> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(|error| CaptureError::Open { path: path.to_owned(), error })?)
    };
    read_from(path, opened, each)
}

/// Reads all frames of an open stream; `path` names it in messages.
///
/// # Errors
/// As [`read`].
pub fn read_from(
    path: &Path,
    input: Box<dyn Read + Send>,
    each: &mut dyn FnMut(&Frame<'_>),
) -> Result<Summary, CaptureError> {
    let fail = |error| CaptureError::Read { path: path.to_owned(), error };
    let input = decompressed(input).map_err(fail)?;
    read_stream(path, input, each)
}

/// Takes off a compression, recognised by its magic number.
#[expect(clippy::disallowed_methods, reason = "the stream is read in pieces, never as a whole")]
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
    let mut reader = create_reader(BUFFER, Full { input, error: None }).map_err(|_| no_capture())?;
    let mut links = Links::default();
    let mut summary = Summary { end: End::Complete, skipped: 0, skipped_links: Vec::new() };
    let mut size = BUFFER;
    let mut frames: u64 = 0;
    loop {
        let offset = reader.consumed() as u64;
        match reader.next() {
            Ok((length, block)) => {
                if let Some(frame) = links.frame(&block) {
                    match frame {
                        Ok(frame) => {
                            frames += 1;
                            each(&frame);
                        }
                        Err(link) => {
                            summary.skipped += 1;
                            if !summary.skipped_links.contains(&link) && summary.skipped_links.len() < 16 {
                                summary.skipped_links.push(link);
                            }
                        }
                    }
                }
                reader.consume(length);
            }
            Err(PcapError::Eof) => break,
            Err(PcapError::Incomplete(_) | PcapError::BufferTooSmall) => {
                let before = reader.data().len();
                let failed = reader.refill().is_err();
                if failed || (reader.data().len() == before && reader.reader_exhausted()) {
                    summary.end = End::Truncated { offset };
                    break;
                }
                if reader.data().len() == before {
                    size *= 2;
                    if size > MAX_BUFFER || !reader.grow(size) {
                        summary.end = End::Corrupt { offset };
                        break;
                    }
                }
            }
            Err(PcapError::UnexpectedEof) => {
                summary.end = End::Truncated { offset };
                break;
            }
            Err(_) => {
                summary.end = End::Corrupt { offset };
                break;
            }
        }
    }
    match summary.skipped_links.first().or(links.unread.as_ref()) {
        Some(link) if frames == 0 => Err(CaptureError::LinkType { path: path.to_owned(), link: *link }),
        _ => Ok(summary),
    }
}

/// The link types and clocks of a file's interfaces.
#[derive(Default)]
struct Links {
    interfaces: Vec<Interface>,
    /// A link type that is not read, of a file that may have no frames.
    unread: Option<i32>,
    /// The newest time of the file, for packets that carry none.
    last: Timestamp,
}

#[derive(Clone, Copy)]
struct Interface {
    number: i32,
    link: Option<LinkType>,
    clock: Clock,
}

/// How an interface's time stamps count.
#[derive(Clone, Copy)]
enum Clock {
    /// 10^-n seconds, from an offset in seconds.
    Decimal(u32, i64),
    /// 2^-n seconds, from an offset in seconds.
    Binary(u32, i64),
}

impl Links {
    /// The frame of a block, if it is one; the link type's number where that is not read.
    fn frame<'a>(&mut self, block: &'a PcapBlockOwned<'a>) -> Option<Result<Frame<'a>, i32>> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                let digits = if header.is_nanosecond_precision() { 9 } else { 6 };
                self.add(header.network.0 & 0x0fff_ffff, Clock::Decimal(digits, 0));
                None
            }
            PcapBlockOwned::Legacy(packet) => {
                let interface = self.interfaces.first()?;
                let nanos = match interface.clock {
                    Clock::Decimal(9, _) => i64::from(packet.ts_usec),
                    _ => i64::from(packet.ts_usec) * 1_000,
                };
                let at = Timestamp::from_parts(i64::from(packet.ts_sec), nanos);
                Some(interface.frame(at, packet.data, packet.origlen))
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                self.interfaces.clear();
                None
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(described)) => {
                self.add(described.linktype.0, Clock::of(described));
                None
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let interface = self.interfaces.get(usize::try_from(packet.if_id).ok()?)?;
                let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                self.last = interface.clock.at(ticks);
                Some(interface.frame(self.last, packet.packet_data(), packet.origlen))
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                let interface = self.interfaces.first()?;
                Some(interface.frame(self.last, packet.packet_data(), packet.origlen))
            }
            PcapBlockOwned::NG(_) => None,
        }
    }

    fn add(&mut self, number: i32, clock: Clock) {
        let link = LinkType::from_number(number);
        if link.is_none() {
            self.unread = Some(number);
        }
        self.interfaces.push(Interface { number, link, clock });
    }
}

impl Interface {
    fn frame<'a>(&self, at: Timestamp, data: &'a [u8], length: u32) -> Result<Frame<'a>, i32> {
        self.link.map(|link| Frame { at, link, data, length }).ok_or(self.number)
    }
}

impl Clock {
    fn of(described: &InterfaceDescriptionBlock<'_>) -> Self {
        let (resolution, offset) = (described.if_tsresol, described.if_tsoffset);
        if resolution & 0x80 == 0 {
            Self::Decimal(u32::from(resolution).min(19), offset)
        } else {
            Self::Binary(u32::from(resolution & 0x7f).min(63), offset)
        }
    }

    fn at(self, ticks: u64) -> Timestamp {
        let (per_second, offset) = match self {
            Self::Decimal(digits, offset) => (10u128.pow(digits), offset),
            Self::Binary(bits, offset) => (1u128 << bits, offset),
        };
        let nanos = u128::from(ticks) * 1_000_000_000 / per_second;
        Timestamp::from_secs(offset).plus(i64::try_from(nanos).unwrap_or(i64::MAX))
    }
}

/// Fills every read to the brim, as the parser takes a short first read for a short file. Interrupted decompression
/// counts as the end, so that what came before is kept.
struct Full<R> {
    input: R,
    error: Option<io::Error>,
}

impl<R: Read> Read for Full<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while self.error.is_none()
            && let Some(space) = buffer.get_mut(filled..).filter(|s| !s.is_empty())
        {
            match self.input.read(space) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => self.error = Some(e),
            }
        }
        Ok(filled)
    }
}
