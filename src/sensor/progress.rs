//! How far a replay is, in a line of the terminal.

use std::cell::Cell;
use std::io::Read;
use std::path::PathBuf;

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::pipeline::table::Table;
use crate::dissect::Frame;

/// After how many frames the line tells a new number of them.
const FRAMES: u64 = 16_384;
const SIZED: &str = "{bar:24} {bytes} of {total_bytes}, {msg}, {bytes_per_sec}, {eta} left";
/// If a file has no size, as a pipe.
const UNSIZED: &str = "{spinner} {bytes}, {msg}, {bytes_per_sec}";

/// A line on standard error that goes at the end; none if that is not a terminal.
pub(super) struct Progress {
    bar: ProgressBar,
    frames: Cell<u64>,
}

impl Progress {
    /// The progress through files: of their bytes as they are stored. A command that is quiet shows none.
    pub(super) fn of(files: &[PathBuf]) -> Self {
        let is_quiet = !tracing::enabled!(tracing::Level::WARN);
        let target = if is_quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let size =
            |path: &PathBuf| path.metadata().ok().filter(|known| known.is_file()).map(|known| known.len());
        let total: Option<u64> = files.iter().map(size).sum();
        let template = if total.is_some() { SIZED } else { UNSIZED };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(total, target);
        Self { bar: bar.with_style(style).with_message("0 frames"), frames: Cell::new(0) }
    }

    /// A stream of which each byte that is read counts.
    pub(super) fn of_bytes(&self, input: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
        if self.bar.is_hidden() { input } else { Box::new(self.bar.wrap_read(input)) }
    }

    /// Runs `read` with a counter of frames before `each`.
    pub(super) fn counting<T>(
        &self,
        table: &Table,
        each: &mut dyn FnMut(&Frame<'_>),
        read: impl FnOnce(&mut dyn FnMut(&Frame<'_>)) -> T,
    ) -> T {
        if self.bar.is_hidden() {
            return read(each);
        }
        read(&mut |frame| {
            let frames = self.frames.get() + 1;
            self.frames.set(frames);
            if frames.is_multiple_of(FRAMES) {
                self.bar.set_message(format!(
                    "{} frames, {} couplings",
                    HumanCount(frames),
                    HumanCount(table.len() as u64)
                ));
            }
            each(frame);
        })
    }

    /// Writes messages without the line between them.
    pub(super) fn suspend(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
