//! The plan's timeline (P1 to P10): pure functions of a subscription's plan rows and an instant.
//!
//! Instants are whole seconds in UTC, as statements charge by the second; ranges are half-open. No function here
//! reads a clock, so a stopped scheduler can delay a notice, but never a state. [`History`] says what may be done to a
//! timeline, and what happens if the clock goes back.

mod history;
mod plan;
mod refusal;

pub(crate) use self::history::committable;
pub use self::history::{HISTORY, History, Onboarding, PlanChange};
pub use self::plan::{
    LARGEST, NOTICE, Plan, PlanKind, PlanStatus, STEP, TRIAL, Term, UnknownPlanKind, in_effect, present,
    was_in_effect, whole_second,
};
pub use self::refusal::PlanRefusal;
