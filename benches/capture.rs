//! Writes the captures that the whole-process benchmark replays. `capture DIR` writes the same bytes each time:
//! `office.pcap` and `small.pcap` with 1,000,000 frames each, `million.pcap` with a million couplings and their typical
//! evidence, and `flood.pcap` with ten minutes of random ARP at 10,000 frames a second on top of the LAN of `small.pcap`.

mod mix;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use mix::{Capture, Mix};

const FRAMES: usize = 1_000_000;
const POISONED: usize = 6_000_000;
/// The flood has a frame of the calm LAN before every 11th frame.
const CALM: usize = 11;

type Out = BufWriter<File>;

fn main() -> io::Result<()> {
    // Cargo adds `--bench`, so the directory is the first argument that is not an option.
    let Some(directory) = std::env::args().skip(1).find(|a| !a.starts_with("--")) else {
        return Err(io::Error::other("usage: capture DIR"));
    };
    let directory = Path::new(&directory);
    std::fs::create_dir_all(directory)?;
    let mix =
        |mut mix: Mix| move |out: &mut Capture<Out>| (0..FRAMES).try_for_each(|_| out.frame(mix.draw()));
    write(&directory.join("office.pcap"), mix(Mix::office()))?;
    write(&directory.join("small.pcap"), mix(Mix::small()))?;
    write(&directory.join("million.pcap"), |out| {
        mix::newcomers(1_000_000).try_for_each(|frame| out.frame(&frame))
    })?;
    write(&directory.join("flood.pcap"), |out| {
        let mut calm = Mix::small();
        (0..FRAMES / 10).try_for_each(|_| out.frame(calm.draw()))?;
        out.pause(700);
        mix::poison().take(POISONED).enumerate().try_for_each(|(n, frame)| {
            if n % CALM == 0 {
                out.frame(calm.draw())?;
            }
            out.frame(&frame)
        })
    })
}

fn write(path: &Path, fill: impl FnOnce(&mut Capture<Out>) -> io::Result<()>) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let partial = path.with_extension("partial");
    let mut capture = Capture::new(BufWriter::with_capacity(1 << 20, File::create(&partial)?))?;
    fill(&mut capture)?;
    let mut out = capture.into_inner();
    out.flush()?;
    out.get_ref().sync_all()?;
    std::fs::rename(partial, path)
}
