//! Change sets: every change that people make to an inventory, as one thing with before and after that can be undone.
//!
//! Pure. A [`ChangeDrafter`] makes a [`Draft`] from a survey and the decisions in force. The store keeps drafts unchanged,
//! so undoing one restores exactly what was in force before.

mod change_set;
mod document;
mod drafter;
mod limits;
mod list;
mod patch;
mod refusal;
mod request;
mod sheet;
mod undo;

#[cfg(test)]
mod laws;

pub use change_set::{Alteration, ChangeKind, ChangeSet, CountDelta, Draft};
pub use document::{AlterationEntry, DecisionEntry, ObjectEntry};
pub use drafter::ChangeDrafter;
pub use limits::{ALTERATIONS, DECISIONS, DEVICES, ENTRIES};
pub use list::{ListReport, UnreadableRow};
pub use patch::{Patch, TAG, TAGS, TEXT};
pub use refusal::ChangeRefusal;
pub use request::{ChangeRequest, ManagedEndpoint};
pub use undo::ensure_undoable;
