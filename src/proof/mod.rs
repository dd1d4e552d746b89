//! Snapshots that prove the count: a subscription's devices at the end of a UTC day, sealed so that every later change
//! shows.
//!
//! ```text
//! facts ─► Inventory::until(end of day) ─► Survey ─► leaves, one a device ─► Merkle root ─┐
//!                                             └─► census, policy, plan ───────────────────┴─► header ─► signature
//!                                                                      header of the one before ─► hash ─┘
//! ```
//!
//! A leaf is one line of JSON with the category and the verdict of one device; excluded devices have one too. The
//! [`Header`] holds the numbers, the root of the Merkle tree (`tree`) over the leaves, and the hash of the previous header.
//! It also holds the heads of the audit trails, so that rows which were written before it was sealed cannot be lost unseen.
//! It is signed (`key`). Anybody with a bundle can recount it without the service. Anybody with one device's
//! proof (`inclusion`) can check that the device is among those counted.
//!
//! A snapshot proves what was counted, by which rule, and that it was not changed later. It does not prove that the
//! sensors saw everything or told the truth.
//!
//! Pure: no clock, no database. The plan service decides when to seal, and stores what it sealed.

pub(crate) mod bundle;
pub(crate) mod day;
pub(crate) mod digest;
pub(crate) mod fault;
pub(crate) mod header;
pub(crate) mod inclusion;
pub(crate) mod key;
pub(crate) mod leaf;
pub(crate) mod part;
pub(crate) mod signer;
pub(crate) mod tally;
pub(crate) mod tree;
pub mod verify;

#[cfg(test)]
mod laws;

pub use day::{Day, Due, Sealed, Span, due};
pub use digest::Digest;
pub use header::{Header, PlanInEffect, SNAPSHOT_SCHEMA, TrailHead, TrailHeads};
pub use inclusion::Inclusion;
pub use key::{PublicKey, Signature, SigningKey};
pub use leaf::Leaf;
pub use tally::{Tally, Untrue};
