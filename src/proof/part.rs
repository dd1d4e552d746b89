//! Leaves as they are stored: compressed in parts of some thousands, so a million lines are never held at once.

use std::io::Read as _;

use super::leaf::Leaf;

/// Leaves in one part.
pub(crate) const LEAVES: usize = 10_000;
/// The largest part in bytes, decompressed; a leaf has some 250.
pub(crate) const BYTES: usize = 64 << 20;
const LEVEL: i32 = 3;

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Part {
    /// The id of its first leaf.
    pub first: String,
    pub leaves: usize,
    /// Their lines, compressed with zstd.
    pub body: Vec<u8>,
}

/// Packs leaves into parts.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    parts: Vec<Part>,
    first: String,
    leaves: usize,
    text: String,
}

impl Packer {
    /// Adds the next leaf; its line is `line`.
    ///
    /// # Errors
    /// The compressor's.
    pub(crate) fn push(&mut self, leaf: &Leaf, line: &str) -> std::io::Result<()> {
        if self.leaves == 0 {
            self.first.clone_from(&leaf.id);
        }
        self.text.push_str(line);
        self.text.push('\n');
        self.leaves += 1;
        if self.leaves >= LEAVES { self.pack() } else { Ok(()) }
    }

    /// The parts.
    ///
    /// # Errors
    /// The compressor's.
    pub(crate) fn finish(mut self) -> std::io::Result<Vec<Part>> {
        if self.leaves > 0 {
            self.pack()?;
        }
        Ok(self.parts)
    }

    fn pack(&mut self) -> std::io::Result<()> {
        let body = zstd::bulk::compress(self.text.as_bytes(), LEVEL)?;
        self.parts.push(Part { first: std::mem::take(&mut self.first), leaves: self.leaves, body });
        self.leaves = 0;
        self.text.clear();
        Ok(())
    }
}

/// The lines of a part, each with its line feed.
///
/// # Errors
/// If the body does not decompress into text of at most [`BYTES`].
#[expect(clippy::disallowed_methods, reason = "the output is bounded below")]
pub(crate) fn unpack(body: &[u8]) -> std::io::Result<String> {
    let mut text = String::new();
    zstd::stream::read::Decoder::new(body)?.take(BYTES as u64 + 1).read_to_string(&mut text)?;
    if text.len() > BYTES {
        return Err(std::io::Error::other("the part exceeds the limit of 64 MiB"));
    }
    Ok(text)
}
