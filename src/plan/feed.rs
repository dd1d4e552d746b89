//! Feeds of indicators of a subscription, and the set that is compiled of them. **Pure.**
//!
//! A feed is kept as parts: compiled labels in their order ([`crate::security::Labels`]). A set is the union of all feeds. The
//! same feeds give the same bytes, in whatever order they were imported.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::fmt;
use std::io;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::census::Timestamp;
use crate::census::time::rfc3339;
use crate::security::{BadCompiled, COMPILED_BYTES, Compiled, Compiler, Labels, compile};

/// The most feeds of a subscription.
pub const FEEDS: usize = 64;
/// Labels of a part of a feed.
const PART: usize = 20_000;
/// The longest name of a feed.
const NAME: usize = 60;

/// The name of a feed: 1 to 60 letters, digits, '-', '_' and '.'.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String)]
pub struct FeedName(String);

/// A text that cannot name a feed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the name of a feed has 1 to {NAME} letters, digits, '-', '_' or '.', and begins with a letter or a digit"
)]
pub struct BadFeedName;

impl FeedName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FeedName {
    type Err = BadFeedName;

    fn from_str(text: &str) -> Result<Self, BadFeedName> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let begins = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        let is_name = begins && text.len() <= NAME && text.bytes().all(is_plain);
        is_name.then(|| Self(text.to_owned())).ok_or(BadFeedName)
    }
}

impl TryFrom<String> for FeedName {
    type Error = BadFeedName;

    fn try_from(text: String) -> Result<Self, BadFeedName> {
        text.parse()
    }
}

impl From<FeedName> for String {
    fn from(name: FeedName) -> Self {
        name.0
    }
}

impl fmt::Display for FeedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A feed as it was imported last.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Feed {
    pub name: FeedName,
    /// In which form it came, such as `MISP JSON`.
    pub form: String,
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub imported_at: Timestamp,
    /// Who imported it.
    pub by: String,
    /// The bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file, in hex.
    pub digest: String,
    /// Its indicators.
    pub indicators: u64,
    /// Of them, those that another feed holds, too.
    pub overlapping: u64,
    /// Indicators that the file names more than once.
    pub repeated: u64,
    /// Those that are left out because they would hit what is honest.
    pub guarded: u64,
    /// Some of these: at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guarded_some: Vec<String>,
    /// How many things of each kind are not an indicator of an address, a network or a name; at most 33 kinds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub not_understood: BTreeMap<String, u64>,
}

/// A part of a feed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FeedPart {
    /// The first and the last label in it.
    pub first: String,
    pub last: String,
    pub compiled: Compiled,
}

/// Cuts sorted labels into parts.
///
/// # Errors
/// If memory runs out.
pub fn parts(labels: &[Box<str>]) -> io::Result<Vec<FeedPart>> {
    let part = |labels: &[Box<str>]| {
        let end = |label: Option<&Box<str>>| label.map(ToString::to_string).unwrap_or_default();
        let compiled = compile(labels.iter().map(|label| &**label))?;
        Ok(FeedPart { first: end(labels.first()), last: end(labels.last()), compiled })
    };
    labels.chunks(PART).map(part).collect()
}

/// The set of all feeds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Union {
    pub compiled: Compiled,
    /// Of each feed, how many of its indicators another one holds, too.
    pub overlapping: Vec<u64>,
}

/// Why feeds do not become a set.
#[derive(Debug, thiserror::Error)]
pub enum BadUnion {
    #[error(transparent)]
    Compiled(#[from] BadCompiled),
    #[error("the set of all feeds has more than {} MiB", COMPILED_BYTES >> 20)]
    Large,
}

/// The labels of a feed, part after part.
struct Reader<'f> {
    parts: std::slice::Iter<'f, &'f [u8]>,
    labels: Option<Labels<&'f [u8]>>,
}

impl Reader<'_> {
    fn next(&mut self) -> Result<Option<String>, BadCompiled> {
        loop {
            if let Some(label) = self.labels.as_mut().and_then(Iterator::next) {
                return label.map(Some);
            }
            match self.parts.next() {
                Some(part) => self.labels = Some(Labels::of(*part)?),
                None => return Ok(None),
            }
        }
    }
}

/// Compiles the union of feeds, each given by its parts in order.
///
/// # Errors
/// [`BadUnion`].
pub fn unite(feeds: &[Vec<&[u8]>]) -> Result<Union, BadUnion> {
    let mut readers: Vec<Reader<'_>> =
        feeds.iter().map(|parts| Reader { parts: parts.iter(), labels: None }).collect();
    let mut overlapping = vec![0_u64; feeds.len()];
    // The smallest next label of all feeds comes out first.
    let mut next = BinaryHeap::new();
    for (place, reader) in readers.iter_mut().enumerate() {
        next.extend(reader.next()?.map(|label| Reverse((label, place))));
    }
    let mut compiler = Compiler::new().map_err(BadCompiled::from)?;
    let mut holders = Vec::new();
    while let Some(Reverse((label, place))) = next.pop() {
        holders.clear();
        holders.push(place);
        while let Some(Reverse((_, other))) = next.peek().filter(|Reverse((same, _))| *same == label) {
            holders.push(*other);
            next.pop();
        }
        compiler.push(&label).map_err(BadCompiled::from)?;
        for place in &holders {
            if holders.len() > 1
                && let Some(count) = overlapping.get_mut(*place)
            {
                *count += 1;
            }
            if let Some(reader) = readers.get_mut(*place) {
                next.extend(reader.next()?.map(|label| Reverse((label, *place))));
            }
        }
    }
    let compiled = compiler.finish().map_err(BadCompiled::from)?;
    if compiled.bytes.len() as u64 > COMPILED_BYTES {
        return Err(BadUnion::Large);
    }
    Ok(Union { compiled, overlapping })
}

/// How many labels of a feed are new, and how many went, against what it held before.
///
/// # Errors
/// [`BadCompiled`].
pub fn difference(before: &[&[u8]], after: &[&[u8]]) -> Result<(u64, u64), BadCompiled> {
    let mut old = Reader { parts: before.iter(), labels: None };
    let mut new = Reader { parts: after.iter(), labels: None };
    let (mut added, mut removed) = (0, 0);
    let (mut was, mut is) = (old.next()?, new.next()?);
    loop {
        match (&was, &is) {
            (None, None) => return Ok((added, removed)),
            (Some(a), Some(b)) if a == b => (was, is) = (old.next()?, new.next()?),
            (Some(a), b) if b.as_ref().is_none_or(|b| a < b) => {
                removed += 1;
                was = old.next()?;
            }
            _ => {
                added += 1;
                is = new.next()?;
            }
        }
    }
}

/// Which of some labels a part holds.
///
/// # Errors
/// [`BadCompiled`].
pub fn held<'w>(part: &[u8], wanted: &'w BTreeSet<String>) -> Result<Vec<&'w String>, BadCompiled> {
    let mut found = Vec::new();
    for label in Labels::of(part)? {
        found.extend(wanted.get(&label?));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::Indicators;

    fn feed(words: &str) -> Vec<Vec<u8>> {
        let mut set = Indicators::default();
        set.add(words);
        parts(&set.into_labels()).unwrap().into_iter().map(|part| part.compiled.bytes).collect()
    }

    fn slices(feed: &[Vec<u8>]) -> Vec<&[u8]> {
        feed.iter().map(Vec::as_slice).collect()
    }

    fn united(feeds: &[&Vec<Vec<u8>>]) -> Union {
        let feeds: Vec<Vec<&[u8]>> = feeds.iter().map(|feed| slices(feed)).collect();
        unite(&feeds).unwrap()
    }

    fn labels(compiled: &Compiled) -> Vec<String> {
        Labels::of(compiled.bytes.as_slice()).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn a_set_is_the_union_of_its_feeds_whatever_their_order() {
        let a = feed("203.0.113.7\nevil.example\n");
        let b = feed("198.51.100.0/24\nevil.example\nbad.example\n");
        let ab = united(&[&a, &b]);
        assert_eq!(
            labels(&ab.compiled),
            ["ip:203.0.113.7", "name:bad.example", "name:evil.example", "net:198.51.100.0/24"]
        );
        assert_eq!(ab.overlapping, [1, 1]);
        assert_eq!(united(&[&b, &a]).compiled, ab.compiled);
        assert_eq!(united(&[&a, &a, &Vec::new()]).overlapping, [2, 2, 0]);
        assert_eq!(labels(&united(&[]).compiled), Vec::<String>::new());
    }

    #[test]
    fn feeds_of_several_parts_are_united_and_looked_up() {
        let ip = |n: u32| format!("{}\n", std::net::Ipv4Addr::from(0x5000_0000 + n));
        let large = feed(&(0..50_000).map(ip).collect::<String>());
        assert_eq!(large.len(), 3);
        let small = feed("80.0.0.1\n9.1.1.1\n");
        let union = united(&[&large, &small]);
        assert_eq!((union.compiled.indicators, union.overlapping), (50_001, vec![1, 1]));
        let wanted: BTreeSet<String> = ["ip:80.0.0.1".to_owned(), "ip:1.1.1.1".to_owned()].into();
        let found: Vec<&String> = large.iter().flat_map(|part| held(part, &wanted).unwrap()).collect();
        assert_eq!(found, ["ip:80.0.0.1"]);
        assert_eq!(difference(&slices(&large), &slices(&small)).unwrap(), (1, 49_999));
    }

    #[test]
    fn what_an_import_adds_and_removes_is_counted() {
        let a = feed("203.0.113.7\nevil.example\n");
        let b = feed("198.51.100.0/24\nevil.example\nbad.example\n");
        let of = |a: &[Vec<u8>], b: &[Vec<u8>]| difference(&slices(a), &slices(b)).unwrap();
        assert_eq!((of(&a, &b), of(&b, &a)), ((2, 1), (1, 2)));
        assert_eq!((of(&[], &a), of(&a, &a), of(&a, &[])), ((2, 0), (0, 0), (0, 2)));
    }

    #[test]
    fn a_feed_has_a_plain_name() {
        for good in ["drop", "misp-2026.csv", "a", &"x".repeat(60)] {
            assert!(good.parse::<FeedName>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "-x", "a b", "a/b", "é", "a\n", &"x".repeat(61)] {
            assert_eq!(bad.parse::<FeedName>(), Err(BadFeedName), "{bad}");
        }
    }
}
