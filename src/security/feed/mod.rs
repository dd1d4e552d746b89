//! Feeds of indicators: plain lists, hosts files, Spamhaus DROP (text and JSON), MISP (CSV and JSON), STIX 2.1 bundles, and
//! the envelopes of TAXII 2.1, which hold the same objects.
//!
//! The form is known by the first bytes. A feed is read as a stream, and a feed with a fault changes nothing. What is not an
//! indicator of an address, a network or a name is counted under its name, so that an operator sees what a feed holds beside.

mod json;
mod lines;
mod pattern;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};

use serde::Serialize;

use super::indicator::{Indicators, Put};
use crate::census::Timestamp;

/// The largest feed, in bytes.
pub const FEED_BYTES: u64 = 256 << 20;
/// Kinds of things that a report names; the others are counted together.
const KINDS: usize = 32;
/// Guarded indicators that a report lists.
const GUARDED: usize = 20;
/// Characters of a name in a report.
const NAME: usize = 60;

/// What a feed held.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct FeedReport {
    /// In which form the feed is, for people.
    pub form: &'static str,
    /// Indicators that are new.
    pub added: usize,
    /// Indicators that were in the set already.
    pub known: usize,
    /// Indicators that are left out because they would hit what is honest: private addresses, public resolvers, and networks
    /// shorter than /16 (IPv6: /32).
    pub guarded: usize,
    /// Some of these: at most 20.
    pub guarded_some: Vec<String>,
    /// Indicators for which the set has no room.
    pub full: usize,
    /// How many things of each kind are not an indicator of an address, a network or a name; at most 32 kinds.
    pub unread: BTreeMap<String, usize>,
}

impl FeedReport {
    /// How many things were left out.
    pub fn left_out(&self) -> usize {
        self.guarded + self.full + self.unread.values().sum::<usize>()
    }

    /// What was left out in words for people; empty if nothing was.
    pub fn leavings(&self) -> String {
        let guarded = (self.guarded > 0).then(|| format!("guarded {}", self.guarded));
        let full = (self.full > 0).then(|| format!("without room {}", self.full));
        let unread = self.unread.iter().map(|(kind, n)| format!("{kind} {n}"));
        guarded.into_iter().chain(full).chain(unread).collect::<Vec<_>>().join(", ")
    }
}

/// A feed cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BadFeed {
    #[error(transparent)]
    Read(#[from] io::Error),
    #[error("the JSON has a fault: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the feed has more than {FEED_BYTES} bytes")]
    Large,
    /// For those who replace a feed by another: a file of something else must not empty it.
    #[error("it holds no address, network or name that is an indicator")]
    Empty,
}

/// Takes what a feed says.
struct Sink {
    set: Indicators,
    report: FeedReport,
    now: Timestamp,
}

impl Sink {
    /// Takes an indicator. Says whether the text is one.
    fn take(&mut self, text: &str) -> bool {
        let text = text.trim();
        match self.set.put(text) {
            Put::Added => self.report.added += 1,
            Put::Known => self.report.known += 1,
            Put::Full => self.report.full += 1,
            Put::Guarded => {
                self.report.guarded += 1;
                if self.report.guarded_some.len() < GUARDED {
                    self.report.guarded_some.push(text.chars().take(NAME).collect());
                }
            }
            Put::Unread => return false,
        }
        true
    }

    /// Takes an indicator, or counts what the text is instead.
    fn take_or_name(&mut self, text: &str) {
        if !self.take(text) {
            self.name(kind_of(text));
        }
    }

    /// Counts something that is not understood.
    fn name(&mut self, kind: &str) {
        let kind: String = kind.chars().filter(|c| !c.is_control()).take(NAME).collect();
        let is_room = self.report.unread.len() < KINDS || self.report.unread.contains_key(&kind);
        *self.report.unread.entry(if is_room { kind } else { "other".to_owned() }).or_default() += 1;
    }
}

/// What a text is that is not an indicator.
fn kind_of(text: &str) -> &'static str {
    let is_hash = matches!(text.len(), 32 | 40 | 64 | 128) && text.bytes().all(|b| b.is_ascii_hexdigit());
    match text {
        _ if text.contains("://") => "URL",
        _ if is_hash => "hash",
        _ if text.contains('@') => "e-mail address",
        _ => "other text",
    }
}

impl Indicators {
    /// Adds what a feed says. `now` tells which of its indicators have expired. A feed with a fault adds nothing.
    ///
    /// # Errors
    /// [`BadFeed`].
    pub fn read_feed(&mut self, source: impl Read, now: Timestamp) -> Result<FeedReport, BadFeed> {
        self.read_bounded(source, now, FEED_BYTES)
    }

    fn read_bounded(&mut self, source: impl Read, now: Timestamp, most: u64) -> Result<FeedReport, BadFeed> {
        let bounded = Counted { source, left: most, is_over: false };
        let mut source = BufReader::with_capacity(1 << 16, bounded);
        let mut sink = Sink { set: Self::default(), report: FeedReport::default(), now };
        let first = first_byte(&mut source)?;
        let read = match first {
            Some(b'{' | b'[') => json::read(&mut source, &mut sink).map_err(BadFeed::from),
            _ => lines::read(&mut source, &mut sink).map_err(BadFeed::from),
        };
        if source.get_ref().is_over {
            return Err(BadFeed::Large);
        }
        read?;
        let Sink { set, mut report, .. } = sink;
        let overlap = self.join(set);
        report.added -= overlap.known + overlap.full;
        report.known += overlap.known;
        report.full += overlap.full;
        self.left_out += report.left_out();
        Ok(report)
    }
}

/// Skips a byte order mark and white space; the next byte, if there is one.
fn first_byte(source: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let buffer = source.fill_buf()?;
        let Some(&byte) = buffer.first() else { return Ok(None) };
        // The bytes of a mark (EF BB BF) begin no feed.
        if !byte.is_ascii_whitespace() && !matches!(byte, 0xef | 0xbb | 0xbf) {
            return Ok(Some(byte));
        }
        source.consume(1);
    }
}

/// A source that ends at a bound, and tells if there was more.
struct Counted<R> {
    source: R,
    left: u64,
    is_over: bool,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(buffer)?;
        let read = n as u64;
        if read > self.left {
            self.is_over = true;
            return Ok(0);
        }
        self.left -= read;
        Ok(n)
    }
}
