//! A capture file being written: pcap, microseconds, Ethernet, 20,000 frames a second.

use std::io::{self, Write};

/// 2026-11-22T08:00:00Z.
const START: u32 = 1_795_334_400;
const RATE: u32 = 20_000;

pub(crate) struct Capture<W> {
    out: W,
    frames: u32,
    paused: u32,
}

impl<W: Write> Capture<W> {
    pub(crate) fn new(mut out: W) -> io::Result<Self> {
        out.write_all(&0xa1b2_c3d4_u32.to_le_bytes())?;
        out.write_all(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?; // version 2.4
        out.write_all(&65_535_u32.to_le_bytes())?;
        out.write_all(&1_u32.to_le_bytes())?; // Ethernet
        Ok(Self { out, frames: 0, paused: 0 })
    }

    pub(crate) fn frame(&mut self, frame: &[u8]) -> io::Result<()> {
        let length = u32::try_from(frame.len()).map_err(io::Error::other)?.to_le_bytes();
        self.out.write_all(&(START + self.paused + self.frames / RATE).to_le_bytes())?;
        self.out.write_all(&(self.frames % RATE * (1_000_000 / RATE)).to_le_bytes())?;
        self.out.write_all(&length)?;
        self.out.write_all(&length)?;
        self.frames += 1;
        self.out.write_all(frame)
    }

    /// Lets seconds pass without a frame.
    pub(crate) fn pause(&mut self, seconds: u32) {
        self.paused += seconds;
    }

    pub(crate) fn into_inner(self) -> W {
        self.out
    }
}
