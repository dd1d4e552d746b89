//! Frames from a live interface, a file or standard input.
