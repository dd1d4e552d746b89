//! Writes the captures that the whole-process benchmark replays: `capture DIR` makes `office.pcap` and `small.pcap`,
//! 1,000,000 frames each, the same bytes every time.

mod mix;

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use mix::{Capture, Mix};

const FRAMES: u32 = 1_000_000;

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
    let mut capture = Capture::new(BufWriter::with_capacity(1 << 20, File::create(&partial)?))?;
    for _ in 0..FRAMES {
        capture.frame(mix.draw())?;
    }
    capture.into_inner().into_inner()?.sync_all()?;
    std::fs::rename(partial, path)
}
