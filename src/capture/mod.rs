//! Frames from a file or standard input ([`file`]), or from a live interface.

pub mod file;
