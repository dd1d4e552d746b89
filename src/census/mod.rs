//! The census: what was seen, which couplings are one device, and what counts.
//!
//! Pure: no clock, no I/O, no async, no logging. Facts ([`Zone`], [`Coupling`], [`Station`], [`Segment`]) merge as a
//! join: commutative, associative and idempotent. [`Survey::new`] derives bindings, devices and verdicts from the merged
//! facts, a [`Policy`], the [`Decisions`] of people and an instant, and from nothing else. So the same frames, in any
//! order, any number of times and over any number of workers and sensors, give the same inventory to the byte.
//!
//! The ids I1 to I16, X-… and C-… name the rules of `docs/rules.md`. They are cited at the code that applies them.

pub mod address;
pub mod spelling;
pub mod time;
pub mod windows;

mod alike;
mod binding;
mod cards;
mod clamp;
mod classification;
mod compact;
pub mod conduct;
mod coupling;
mod decision;
mod decisions;
mod device;
mod device_decisions;
mod evidence;
mod evidence_set;
mod exchange;
mod explanation;
mod finding;
mod firm;
mod graph;
mod id;
mod identity;
mod inventory;
mod join;
mod ledger;
mod mac;
mod managed;
mod member;
mod on_link;
mod policy;
mod quarantine;
mod repeat;
mod segment;
mod shared_address;
#[cfg(feature = "sensor")]
mod sighting;
mod sign;
mod simulation;
mod station;
mod stretches;
mod survey;
mod taught;
mod ties;
mod trust;
mod tunnel;
mod unread;
mod verdict;
mod zone_names;
mod zone_survey;

#[cfg(test)]
pub(crate) mod decision_laws;
#[cfg(test)]
pub(crate) mod laws;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod rules_revised;
#[cfg(test)]
mod tunnel_laws;
#[cfg(test)]
mod zone_name_laws;

pub use address::Prefix;
pub use binding::{Binding, Forwards};
pub use classification::{
    CardMark, Category, Classification, Classifier, ClassifierInput, Reason, Said, Unclassified,
};
pub use coupling::{Coupling, CouplingKey, DAYS, Proof};
pub use decision::{Decision, Importance, ManagedKey, Mark, Object, Property, Ruling};
pub use decisions::{Decisions, ZoneDecisions};
pub use device::{BadDeviceId, Device, DeviceId};
pub use device_decisions::DeviceDecisions;
pub use evidence::{Evidence, Family, Field, UnknownField, VALUE_BYTES, clean, cleaned, is_format};
pub use evidence_set::{EvidenceSet, VALUES_PER_FIELD};
pub use exchange::Exchange;
pub use explanation::{Rung, RungOutcome, ladder, verdict_changes};
#[cfg(feature = "plan")]
pub(crate) use finding::LISTED as LISTED_FINDINGS;
pub use finding::{
    BadFindingId, Finding, FindingId, FindingKind, Findings, Limit, Subjects, UnlistedFindings,
};
pub use inventory::{Inventory, Undated, Zone};
pub use join::{Join, JoinReason};
pub use ledger::Census;
pub use mac::{BadMac, MacAddr};
pub use managed::{ManagedList, ManagedMatch, MatchedBy};
pub use member::{CouplingState, Member, Part};
pub use policy::Policy;
pub use segment::Segment;
#[cfg(feature = "sensor")]
pub use sighting::{Event, Tie, ties as ties_of};
pub use sign::{Sign, Signs};
pub use simulation::{Counting, Difference, Simulated, simulate};
pub use station::Station;
pub use stretches::{Clock, Stretches};
pub use survey::{CouplingLine, Routed, Survey, Unaddressed};
pub use taught::Taught;
pub use time::Timestamp;
pub use tunnel::{TUNNEL_DEPTH, Tunnel, TunnelKey, TunnelKind, TunnelKinds, TunnelMarks};
pub use unread::{MostlyUnread, NotUnderstood, Unread, UnreadEntry, UnreadKind};
pub use verdict::{Standing, Verdict, commitment, verdict};
pub use zone_names::{Origins, ZoneNames};
pub use zone_survey::ZoneSurvey;
