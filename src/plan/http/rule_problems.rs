//! What the rules of plans, statements and changes refuse, as problems.

use super::problem::{Problem, ProblemType};
use crate::billing::statement;
use crate::billing::timeline::PlanRefusal;
use crate::change;

impl From<&PlanRefusal> for Problem {
    fn from(refusal: &PlanRefusal) -> Self {
        let kind = match refusal {
            PlanRefusal::TermsNotAccepted => ProblemType::TermsNotAccepted,
            PlanRefusal::NumberForTrial => ProblemType::NumberForTrial,
            PlanRefusal::NumberMissing(_) => ProblemType::NumberMissing,
            PlanRefusal::NotMultiple { .. } => ProblemType::NumberNotMultiple,
            PlanRefusal::TooMany(_) => ProblemType::NumberTooLarge,
            PlanRefusal::AlreadyActive { .. } => ProblemType::PlanActive,
            PlanRefusal::NoPlan => ProblemType::NoPlan,
            PlanRefusal::AlreadyCancelled(_) => ProblemType::PlanCancelled,
            PlanRefusal::NotCancelled => ProblemType::PlanNotCancelled,
            PlanRefusal::SuccessorBooked { .. } => ProblemType::PlanBooked,
            PlanRefusal::HistoryFull => ProblemType::PlanHistoryFull,
        };
        let problem = Self::new(kind, refusal.to_string());
        match refusal {
            PlanRefusal::NotMultiple { next, .. } => problem.with("next", *next),
            PlanRefusal::AlreadyCancelled(to) => problem.with("to", to.to_string()),
            PlanRefusal::AlreadyActive { to: Some(to), .. } => problem.with("to", to.to_string()),
            PlanRefusal::SuccessorBooked { from, .. } => problem.with("from", from.to_string()),
            _ => problem,
        }
    }
}

impl From<&statement::StatementRefusal> for Problem {
    fn from(refusal: &statement::StatementRefusal) -> Self {
        use statement::StatementRefusal as R;
        let kind = match refusal {
            R::NotClosed(_) => ProblemType::StatementNotClosed,
            R::NoLine { .. } => ProblemType::StatementLineUnknown,
            R::OfCorrection { .. } => ProblemType::CorrectionOfCorrection,
            R::OfTrial(_) => ProblemType::CorrectionOfTrial,
            R::Nothing(_) => ProblemType::CorrectionChangesNothing,
            R::Seconds { .. } => ProblemType::CorrectionSeconds,
            R::OtherCurrency(_) => ProblemType::CorrectionCurrency,
            R::Reason => ProblemType::CorrectionReason,
            R::Full(_) => ProblemType::CorrectionsFull,
            R::PriceTooHigh(_) => ProblemType::PriceTooHigh,
            R::PriceInClosed { .. } => ProblemType::PriceInClosed,
            R::PricesFull => ProblemType::PricesFull,
            R::Number(refusal) => return Self::from(refusal),
            R::TooLarge(_) => {
                tracing::error!(%refusal, "a statement cannot be summed");
                return Self::new(ProblemType::Internal, "the service failed; its log tells why");
            }
        };
        let problem = Self::new(kind, refusal.to_string());
        match refusal {
            R::PriceInClosed { from, .. } => problem.with("from", from.to_string()),
            _ => problem,
        }
    }
}

impl From<&change::ChangeRefusal> for Problem {
    fn from(refusal: &change::ChangeRefusal) -> Self {
        use change::ChangeRefusal as R;
        let kind = match refusal {
            R::UnknownDevice(_) => ProblemType::UnknownDevice,
            R::NoDevices | R::OneDevice => ProblemType::TooFewDevices,
            R::TooManyDevices(_) | R::TooManyAlterations(_) => ProblemType::TooManyDevices,
            R::UnknownType(_) => ProblemType::UnknownType,
            R::BadValue { .. } => ProblemType::InvalidProperty,
            R::CrossZone(..) => ProblemType::MergeCrossZone,
            R::Deleted(_) => ProblemType::DeviceDeleted,
            R::NotOfDevice(_) | R::NotASplit => ProblemType::InvalidSplit,
            R::Indivisible { .. } => ProblemType::SplitRefused,
            R::BadEntry { .. } => ProblemType::InvalidEntry,
            R::TooManyEntries(_) => ProblemType::ManagedListTooLong,
            R::UnknownSource(_) | R::UnknownZone(_) => ProblemType::NotFound,
            R::ZoneExists(_) | R::ZoneLabel { .. } => ProblemType::ZoneNameTaken,
            R::SameZone | R::BadZone => ProblemType::InvalidName,
            R::Full(_) => ProblemType::DecisionsFull,
            R::Touched { .. } | R::ZoneChain(_) => ProblemType::ChangeTouched,
            R::Undone { .. } | R::BroughtBack { .. } => ProblemType::ChangeUndone,
            R::Busy => ProblemType::ChangeBusy,
        };
        let problem = Self::new(kind, refusal.to_string());
        match refusal {
            R::UnknownDevice(id) | R::Deleted(id) => problem.with("device", id.as_str()),
            R::BadEntry { row, .. } => problem.with("row", *row),
            R::BadValue { property, .. } => problem.with("property", *property),
            R::Touched { later, .. } => problem.with("later", *later),
            R::Undone { by, .. } | R::BroughtBack { by, .. } => problem.with("by", *by),
            _ => problem,
        }
    }
}
