//! The sensor daemon and its commands.
