//! The census: what was seen, which couplings are one device, and what counts.
//!
//! Pure: no clock, no I/O, no async, no logging. Facts ([`Zone`], [`Coupling`], [`Station`], [`Segment`]) merge as a
//! join: commutative, associative, idempotent. Bindings, devices and verdicts are derived from the merged facts, a
//! [`Policy`], what people decided ([`Decisions`]) and an instant alone ([`Survey::new`]), so that the same frames in any
//! order, any number of times, over any number of workers or sensors give the same inventory to the byte. The rules are
//! those of `docs/rules.md`; their ids (I1 to I16, X-…, C-…) stand beside the code that holds them.

pub mod address;
pub mod time;

mod binding;
mod classification;
mod coupling;
mod decided;
mod decision;
mod evidence;
mod explanation;
mod finding;
mod identity;
mod inventory;
mod mac;
mod managed;
mod policy;
mod quarantine;
mod segment;
mod simulation;
mod station;
mod survey;
mod verdict;

#[cfg(test)]
mod deciding;
#[cfg(test)]
pub(crate) mod laws;
#[cfg(test)]
mod rules;

pub use address::Prefix;
pub use binding::{Binding, Bindings, Bound, Forwards, OnLink};
pub use classification::{Category, Classification, Classifier, Reason, Subject, Unclassified};
pub use coupling::{Coupling, CouplingKey, DAYS, Proof, Sign, Signs, VLANS};
pub use decided::Decided;
pub use decision::{Decision, Decisions, Importance, Mark, Object, Property, Ruling, ZoneDecisions};
pub use evidence::{
    Addition, Evidence, EvidenceSet, Field, UnknownField, VALUE_BYTES, VALUES, VALUES_PER_FIELD, clean,
};
pub use explanation::{LADDER, Outcome, Rung, changes, ladder};
pub use finding::Finding;
pub use identity::{Identities, Join, JoinReason};
pub use inventory::{Inventory, Zone};
pub use mac::{BadMac, MacAddr};
pub use managed::{ManagedKey, ManagedList, ManagedMatch, MatchedBy};
pub use policy::{COUNT_V1, Policy};
pub use segment::Segment;
pub use simulation::{Counting, Difference, Simulated, simulate};
pub use station::Station;
pub use survey::{BadDeviceId, Census, Device, DeviceId, Line, Member, Routed, State, Survey, Unaddressed};
pub use time::Timestamp;
pub use verdict::{Standing, Verdict, commitment, verdict};
