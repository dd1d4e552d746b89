//! Change sets: every change that people make to an inventory, as one thing with before and after that can be undone.
//!
//! Pure. A [`ChangeDrafter`] makes a [`Draft`] from a survey and the decisions in force. The store keeps drafts unchanged,
//! so undoing one restores exactly what was in force before.

mod change_set;
mod document;
mod doubt;
mod drafter;
mod limits;
mod list;
mod patch;
mod refusal;
mod request;
mod sheet;
mod undo;
mod zones;

#[cfg(test)]
mod laws;

pub(crate) use change_set::{Alteration, ChangeKind, ChangeSet, CountDelta, Draft};
pub(crate) use document::{AlterationEntry, DecisionEntry};
pub(crate) use doubt::{ListDoubt, Replacement, doubts};
pub(crate) use drafter::ChangeDrafter;
pub(crate) use limits::{DEVICES, ENTRIES};
pub(crate) use list::ListReport;
pub(crate) use patch::Patch;
pub(crate) use refusal::ChangeRefusal;
pub(crate) use request::{ChangeRequest, ManagedEndpoint, ZoneRequest};
pub(crate) use undo::ensure_undoable;
