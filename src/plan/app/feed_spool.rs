//! Files of feeds on their way: each is kept on disk until it is whole. Only then it takes the turn to import, so who sends
//! slowly keeps nobody waiting.
//!
//! The files have no name: the system removes them with the request or the process that holds them.

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::sync::Arc;

use tokio::io::AsyncWriteExt as _;

use super::shares::{Most, Share, Shares};
use super::{App, Refusal};
use crate::security::{BadFeed, FEED_BYTES};
use crate::wire::SubscriptionId;

/// Files that are on their way, or wait for the turn: in all and of one subscription.
const FILES: Most = Most { all: 64, of_one: 2 };
/// What disk is counted by, in bytes.
const BLOCK: u64 = 1 << 20;
/// Blocks of all these files.
const BLOCKS: Most = Most { all: 1_024, of_one: 512 };
/// Seconds after which somebody who is refused may try again.
const AGAIN: u64 = 5;

type Held = Share<SubscriptionId>;

/// What files of feeds take.
#[derive(Debug)]
pub(super) struct FeedSpools {
    files: Shares<SubscriptionId>,
    blocks: Arc<Shares<SubscriptionId>>,
}

impl Default for FeedSpools {
    fn default() -> Self {
        Self { files: Shares::new(FILES), blocks: Arc::new(Shares::new(BLOCKS)) }
    }
}

impl FeedSpools {
    /// An empty file of a subscription, in the service's own folder.
    pub(super) fn open(&self, app: &App, of: &SubscriptionId) -> Result<FeedSpool, Refusal> {
        let busy =
            Refusal::Busy { what: "other feeds of the subscription are being imported", seconds: AGAIN };
        let held = vec![self.files.take(of, 1).ok_or(busy)?];
        let folder = app.settings.advisories.as_deref().and_then(std::path::Path::parent);
        let file = match folder.filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        };
        let file = tokio::fs::File::from_std(file.map_err(BadFeed::Read)?);
        Ok(FeedSpool { file, bytes: 0, held, blocks: Arc::clone(&self.blocks), of: of.clone() })
    }
}

/// A file of a feed that is on its way.
#[derive(Debug)]
pub struct FeedSpool {
    file: tokio::fs::File,
    bytes: u64,
    held: Vec<Held>,
    blocks: Arc<Shares<SubscriptionId>>,
    of: SubscriptionId,
}

impl FeedSpool {
    /// Adds a piece.
    ///
    /// # Errors
    /// The feed is too large, or there is no room.
    pub async fn put(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        let bytes = self.bytes.saturating_add(piece.len() as u64);
        if bytes > FEED_BYTES {
            return Err(BadFeed::Large.into());
        }
        for _ in self.bytes.div_ceil(BLOCK)..bytes.div_ceil(BLOCK) {
            let busy = Refusal::Busy { what: "the feeds that wait take too much disk", seconds: AGAIN };
            self.held.push(self.blocks.take(&self.of, 1).ok_or(busy)?);
        }
        self.file.write_all(piece).await.map_err(BadFeed::Read)?;
        self.bytes = bytes;
        Ok(())
    }

    /// The whole file, to be read from its start.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn finish(mut self) -> Result<SpooledFeed, Refusal> {
        self.file.flush().await.map_err(BadFeed::Read)?;
        let mut file = self.file.into_std().await;
        file.rewind().map_err(BadFeed::Read)?;
        Ok(SpooledFeed { file, _held: self.held })
    }
}

/// A file of a feed that has come as a whole.
#[derive(Debug)]
pub struct SpooledFeed {
    file: File,
    _held: Vec<Held>,
}

impl Read for SpooledFeed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spools(all: usize, of_one: usize) -> FeedSpools {
        FeedSpools { files: Shares::new(FILES), blocks: Arc::new(Shares::new(Most { all, of_one })) }
    }

    fn open(spools: &FeedSpools, of: u8) -> Result<FeedSpool, Refusal> {
        let id = SubscriptionId::from_bits([of; 8]);
        let held = vec![spools.files.take(&id, 1).ok_or(Refusal::Busy { what: "", seconds: 1 })?];
        let file = tokio::fs::File::from_std(tempfile::tempfile().unwrap());
        Ok(FeedSpool { file, bytes: 0, held, blocks: Arc::clone(&spools.blocks), of: id })
    }

    #[tokio::test]
    async fn a_file_is_read_as_it_came() {
        let spools = FeedSpools::default();
        let mut spool = open(&spools, 1).unwrap();
        for piece in ["one ", "", "two"] {
            spool.put(piece.as_bytes()).await.unwrap();
        }
        assert_eq!(io::read_to_string(spool.finish().await.unwrap()).unwrap(), "one two");
    }

    #[tokio::test]
    async fn files_and_disk_are_bounded_for_each_and_for_all_and_free_again_when_they_go() {
        let spools = spools(5, 3);
        let mebibyte = vec![0; 1 << 20];
        let (mut first, second) = (open(&spools, 1).unwrap(), open(&spools, 1).unwrap());
        assert!(open(&spools, 1).is_err(), "a subscription has two at once");
        for _ in 0..3 {
            first.put(&mebibyte).await.unwrap();
        }
        assert!(matches!(first.put(b"x").await, Err(Refusal::Busy { .. })), "its share of the disk");
        let mut other = open(&spools, 2).unwrap();
        other.put(&mebibyte).await.unwrap();
        other.put(&mebibyte).await.unwrap();
        assert!(matches!(other.put(b"x").await, Err(Refusal::Busy { .. })), "that of all");
        let whole = first.finish().await.unwrap();
        assert!(other.put(b"x").await.is_err(), "a file that waits for its turn takes disk, too");
        drop((whole, second));
        other.put(b"x").await.unwrap();
        assert!(open(&spools, 1).is_ok());
    }

    #[tokio::test]
    async fn a_feed_that_is_too_large_is_refused_as_soon_as_it_is() {
        let spools = FeedSpools::default();
        let mut spool = open(&spools, 1).unwrap();
        spool.bytes = FEED_BYTES - 2;
        spool.put(b"ab").await.unwrap();
        assert!(matches!(spool.put(b"c").await, Err(Refusal::Feed(BadFeed::Large))));
    }
}
