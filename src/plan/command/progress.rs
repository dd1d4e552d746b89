//! How far a long change is, on a terminal.

use std::future::Future;
use std::io::{self, IsTerminal as _, Write as _};

use crate::plan::app::change_jobs::Progress;

/// Makes a change. If standard error is a terminal, a line there says how far the change is, and goes at the end.
pub(super) async fn showing<T>(change: impl Future<Output = T>) -> T {
    let progress = Progress::default();
    if !io::stderr().is_terminal() {
        return progress.within(change).await;
    }
    let mut stages = progress.stages();
    let shown = tokio::spawn(async move {
        while stages.changed().await.is_ok() {
            let stage = stages.borrow_and_update().title();
            write!(io::stderr(), "\r\x1b[K{stage} …").ok();
        }
    });
    let done = progress.within(change).await;
    shown.abort();
    write!(io::stderr(), "\r\x1b[K").ok();
    done
}
