//! Compiled indicators: their labels, one a line, each once and sorted by their bytes, compressed with zstd.
//!
//! ```text
//! ip:203.0.113.7
//! name:evil.example
//! net:198.51.100.0/24
//! ```
//!
//! The same indicators give the same bytes, so a digest names a set. A reader takes only what [`Compiler`] would have written:
//! labels in their one form, in their order. What it reads is bounded before it is decompressed and while it is. **Pure.**

use std::io::{self, BufRead, BufReader, Read, Write};

use super::indicator::{INDICATORS, is_label};
use crate::census::conduct::LABEL_BYTES;

/// The most bytes of a compiled set.
pub const COMPILED_BYTES: u64 = 128 << 20;
/// How hard the compressor works.
const LEVEL: i32 = 3;
/// The window that a reader accepts is 8 MiB. That of [`LEVEL`] is 2 MiB.
const WINDOW_LOG: u32 = 23;

/// Compiled indicators.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Compiled {
    pub bytes: Vec<u8>,
    /// How many there are.
    pub indicators: u64,
}

/// Compiled indicators cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BadCompiled {
    #[error("the set of indicators cannot be decompressed: {0}")]
    Read(#[from] io::Error),
    #[error("line {0} of the set of indicators is not an indicator")]
    Label(u64),
    #[error("line {0} of the set of indicators is not in its order")]
    Order(u64),
    #[error("the set has more than {INDICATORS} indicators")]
    Many,
}

/// Compiles labels that come in their order.
pub struct Compiler {
    out: zstd::stream::write::Encoder<'static, Vec<u8>>,
    last: String,
    indicators: u64,
}

impl Compiler {
    /// A compiler that has no label yet.
    ///
    /// # Errors
    /// If memory runs out.
    pub fn new() -> io::Result<Self> {
        let mut out = zstd::stream::write::Encoder::new(Vec::new(), LEVEL)?;
        out.include_checksum(true)?;
        Ok(Self { out, last: String::new(), indicators: 0 })
    }

    /// Adds a label. One that was added last is left out.
    ///
    /// # Errors
    /// If memory runs out, or if the label comes before the last one.
    pub fn push(&mut self, label: &str) -> io::Result<()> {
        if label == self.last {
            return Ok(());
        }
        if label < self.last.as_str() {
            return Err(io::Error::other("labels must be sorted"));
        }
        self.out.write_all(label.as_bytes())?;
        self.out.write_all(b"\n")?;
        self.last.clear();
        self.last.push_str(label);
        self.indicators += 1;
        Ok(())
    }

    /// The labels that were added, compiled.
    ///
    /// # Errors
    /// If memory runs out.
    pub fn finish(self) -> io::Result<Compiled> {
        Ok(Compiled { bytes: self.out.finish()?, indicators: self.indicators })
    }
}

/// The labels of compiled indicators, in their order.
pub struct Labels<R: BufRead> {
    source: Option<BufReader<zstd::stream::read::Decoder<'static, R>>>,
    last: String,
    lines: u64,
}

impl<R: BufRead> std::fmt::Debug for Labels<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Labels").field("lines", &self.lines).finish_non_exhaustive()
    }
}

impl<R: BufRead> Labels<R> {
    /// Reads compiled indicators.
    ///
    /// # Errors
    /// [`BadCompiled::Read`].
    pub fn of(source: R) -> Result<Self, BadCompiled> {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(source)?;
        decoder.window_log_max(WINDOW_LOG)?;
        Ok(Self { source: Some(BufReader::new(decoder)), last: String::new(), lines: 0 })
    }

    /// The next line; `None` at the end.
    fn line(&mut self) -> Result<Option<String>, BadCompiled> {
        let Some(source) = &mut self.source else { return Ok(None) };
        let mut line = Vec::new();
        source.by_ref().take(LABEL_BYTES as u64 + 1).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        self.lines += 1;
        if self.lines > INDICATORS as u64 {
            return Err(BadCompiled::Many);
        }
        let bad = || BadCompiled::Label(self.lines);
        // A line without its end was cut off, or is too long.
        let label = line.strip_suffix(b"\n").and_then(|label| std::str::from_utf8(label).ok());
        let label = label.filter(|label| is_label(label)).ok_or_else(bad)?;
        if label <= self.last.as_str() {
            return Err(BadCompiled::Order(self.lines));
        }
        self.last.clear();
        self.last.push_str(label);
        Ok(Some(label.to_owned()))
    }
}

impl<R: BufRead> Iterator for Labels<R> {
    type Item = Result<String, BadCompiled>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.line().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.source = None;
        }
        next
    }
}

/// Compiles labels that are sorted.
///
/// # Errors
/// If memory runs out, or if they are not sorted.
pub fn compile<'l>(labels: impl IntoIterator<Item = &'l str>) -> io::Result<Compiled> {
    let mut compiler = Compiler::new()?;
    for label in labels {
        compiler.push(label)?;
    }
    compiler.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::security::Indicators;

    fn read(bytes: &[u8]) -> Result<Vec<String>, BadCompiled> {
        Labels::of(bytes)?.collect()
    }

    fn compressed(text: &str) -> Vec<u8> {
        zstd::bulk::compress(text.as_bytes(), LEVEL).unwrap()
    }

    proptest! {
        #[test]
        fn what_was_compiled_is_read_the_same_whatever_order_it_came_in(
            v4 in prop::collection::vec(any::<u32>(), 0..40),
            v6 in prop::collection::vec(any::<u128>(), 0..40),
            nets in prop::collection::vec((any::<u32>(), 16_u8..=32), 0..20),
            names in prop::collection::vec("[a-z0-9_-]{1,20}(\\.[a-z]{2,8}){1,3}", 0..40),
        ) {
            let mut all: Vec<String> = Vec::new();
            all.extend(v4.iter().map(|ip| std::net::Ipv4Addr::from_bits(*ip).to_string()));
            all.extend(v6.iter().map(|ip| std::net::Ipv6Addr::from_bits(*ip).to_string()));
            all.extend(nets.iter().map(|(ip, n)| format!("{}/{n}", std::net::Ipv4Addr::from_bits(*ip))));
            all.extend(names);
            let set = |words: &[String]| {
                let mut set = Indicators::default();
                set.add(&words.join("\n"));
                set.into_labels()
            };
            let labels = set(&all);
            let compiled = compile(labels.iter().map(|label| &**label)).unwrap();
            prop_assert_eq!(read(&compiled.bytes).unwrap(), labels.iter().map(ToString::to_string).collect::<Vec<_>>());
            prop_assert_eq!(compiled.indicators, labels.len() as u64);
            all.reverse();
            let again = set(&all);
            prop_assert_eq!(compile(again.iter().map(|label| &**label)).unwrap(), compiled);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,60}") {
            read(&bytes).ok();
            read(&compressed(&text)).ok();
        }
    }

    #[test]
    fn a_set_that_the_compiler_would_not_have_written_is_refused() {
        let refused = |text: &str| read(&compressed(text)).unwrap_err().to_string();
        assert_eq!(read(&compressed("")).unwrap(), Vec::<String>::new());
        assert!(refused("ip:203.0.113.7").contains("line 1"), "its end is missing");
        assert!(refused("ip:203.0.113.7\nip:203.0.113.7\n").contains("line 2"), "twice");
        assert!(refused("ip:203.0.113.8\nip:203.0.113.7\n").contains("not in its order"));
        assert!(refused("ip:203.0.113.007\n").contains("not an indicator"));
        assert!(refused("evil.example\n").contains("not an indicator"));
        assert!(refused(&format!("name:{}.example\n", "a".repeat(300))).contains("not an indicator"));
        let whole = compressed("ip:203.0.113.7\n");
        assert!(read(&whole[..whole.len() - 1]).is_err(), "it breaks off");
        assert!(Compiler::new().and_then(|mut c| c.push("b").and_then(|()| c.push("a"))).is_err());
    }
}
