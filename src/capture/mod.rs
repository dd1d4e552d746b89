//! Frames from a file or standard input ([`mod@file`]), or from a live interface ([`live`]).

pub(crate) mod fanout;
pub mod file;
pub mod live;
mod section;
