//! The plan service and its commands.
