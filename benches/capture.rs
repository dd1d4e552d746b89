//! Writes the captures that the whole-process benchmark replays: `capture DIR` makes `office.pcap` and `small.pcap`,
//! 1,000,000 frames each, the same bytes every time.

mod mix;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use mix::Mix;

const FRAMES: u32 = 1_000_000;
/// 2026-11-22T08:00:00Z.
const START: u32 = 1_795_334_400;

fn main() -> io::Result<()> {
    // Cargo adds `--bench`; a directory is what does not look like an option.
    let Some(directory) = std::env::args().skip(1).find(|a| !a.starts_with("--")) else {
        return Err(io::Error::other("usage: capture DIR"));
    };
    let directory = Path::new(&directory);
    std::fs::create_dir_all(directory)?;
    write(&directory.join("office.pcap"), Mix::office())?;
    write(&directory.join("small.pcap"), Mix::small())
}

fn write(path: &Path, mut mix: Mix) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let partial = path.with_extension("partial");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&partial)?);
    out.write_all(&0xa1b2_c3d4_u32.to_le_bytes())?; // microseconds
    out.write_all(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?; // version 2.4
    out.write_all(&65_535_u32.to_le_bytes())?;
    out.write_all(&1_u32.to_le_bytes())?; // Ethernet
    for n in 0..FRAMES {
        let frame = mix.draw();
        let length = u32::try_from(frame.len()).map_err(io::Error::other)?.to_le_bytes();
        out.write_all(&(START + n / 20_000).to_le_bytes())?;
        out.write_all(&(n % 20_000 * 50).to_le_bytes())?;
        out.write_all(&length)?;
        out.write_all(&length)?;
        out.write_all(frame)?;
    }
    out.into_inner()?.sync_all()?;
    std::fs::rename(partial, path)
}
