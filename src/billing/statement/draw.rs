//! Draws a statement from the rows of plans, prices and corrections.

use super::correction::Correction;
use super::document::{Corrected, SCHEMA, Statement, StatementLine, sum};
use crate::billing::amount::{Micros, TooLarge};
use crate::billing::month::Month;
use crate::billing::price::{SetPrice, cut, price_of};
use crate::billing::timeline::{Plan, whole_second};
use crate::census::Timestamp;
use crate::census::time::SECOND;

/// The rows that a statement is drawn from.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    /// All plans of the subscription.
    pub plans: &'a [Plan],
    /// All its prices.
    pub prices: &'a [SetPrice],
    /// All its corrections.
    pub corrections: &'a [Correction],
}

/// The first month that has a statement: that of the first plan ever in effect.
pub fn first_month(plans: &[Plan]) -> Option<Month> {
    plans.iter().filter(|p| p.to() != Some(p.from)).map(|p| p.from).min().map(Month::of)
}

/// The statement of `month`, for the time before `until`. A plan without an end is charged up to `until`.
///
/// # Errors
/// [`TooLarge`], if a row holds a number that is out of range.
pub fn draw(
    subscription: &str,
    month: Month,
    records: Records<'_>,
    until: Timestamp,
) -> Result<Statement, TooLarge> {
    let mut lines = plan_lines(month, records, whole_second(until));
    let here = records.corrections.iter().filter(|c| Month::of(c.at) == month);
    let mut corrections: Vec<&Correction> = here.collect();
    corrections.sort_by_key(|c| c.number);
    lines.extend(corrections.into_iter().map(correction_line));
    let mut statement = Statement {
        schema: SCHEMA.to_owned(),
        subscription: subscription.to_owned(),
        month,
        from: month.from(),
        to: month.to(),
        seconds: month.seconds(),
        closed_at: None,
        previous: None,
        lines,
        device_months: Micros::default(),
        amounts: Vec::new(),
        peak_billable: None,
        last_billable: None,
    };
    sum(&mut statement)?;
    Ok(statement)
}

fn plan_lines(month: Month, records: Records<'_>, until: Timestamp) -> Vec<StatementLine> {
    let mut plans: Vec<&Plan> = records.plans.iter().collect();
    plans.sort_by_key(|p| (p.from, p.number));
    let mut lines = Vec::new();
    for plan in plans {
        let from = plan.from.max(month.from());
        let to = plan.to().unwrap_or(until).min(month.to()).min(until);
        if to <= from {
            continue;
        }
        // A trial is not charged, so a change of price does not split its line.
        let cuts = match plan.committed {
            Some(_) => cut(records.prices, plan, from, to),
            None => vec![(from, to, price_of(records.prices, plan, from))],
        };
        lines.extend(cuts.into_iter().map(|(from, to, price)| StatementLine {
            number: 0,
            plan: plan.number,
            kind: plan.kind,
            committed: plan.committed,
            from,
            to,
            seconds: to.since(from) / SECOND,
            seconds_in_month: month.seconds(),
            price,
            device_months: Micros::default(),
            amount: None,
            corrects: None,
        }));
    }
    lines
}

fn correction_line(c: &Correction) -> StatementLine {
    StatementLine {
        number: 0,
        plan: c.plan,
        kind: c.kind,
        committed: Some(c.charge.committed),
        from: c.from,
        to: c.to,
        seconds: c.charge.seconds,
        seconds_in_month: c.seconds_in_month,
        price: c.charge.price,
        device_months: Micros::default(),
        amount: None,
        corrects: Some(Corrected {
            statement: c.statement,
            line: c.line,
            was: c.was,
            reason: c.reason.clone(),
            by: c.by.clone(),
            at: c.at,
        }),
    }
}
