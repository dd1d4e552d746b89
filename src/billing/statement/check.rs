//! Checks a statement by itself: its periods, and every amount recomputed.

use super::document::{Charge, SCHEMA, Statement, StatementLine, sum};
use super::refusal::checked_price;
use crate::billing::amount::TooLarge;
use crate::billing::month::Month;
use crate::billing::timeline::{PlanKind, committable};
use crate::census::time::SECOND;

/// What is wrong with a statement.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Discrepancy {
    /// It cannot be read.
    #[error("it is not a statement: {0}")]
    Unreadable(String),
    /// The bytes differ from the canonical form.
    #[error("it is not in the canonical form, of which the digest is made")]
    Form,
    #[error("the schema is '{0}', not netcensus.statement/1; check it with the version that wrote it")]
    Schema(String),
    /// The period is not the month's.
    #[error("the statement's start, end or length is not that of {0}")]
    Month(Month),
    /// A line breaks a rule.
    #[error("line {line}: {rule}")]
    Line {
        /// Its place, from 1.
        line: usize,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// A line's amounts do not follow from its figures.
    #[error("line {line} states {stated}, but its figures give {computed}")]
    Amounts {
        line: u32,
        stated: String,
        /// What its figures give.
        computed: String,
    },
    /// The totals are not the sums of the lines.
    #[error("the totals are not the sums of the lines")]
    Totals,
    /// A number is too large to be added.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// Checks that a statement's periods are consistent, that its plans do not overlap, and that all amounts follow from
/// its figures. It cannot check whether these plans existed: only the timeline shows that.
///
/// # Errors
/// [`Discrepancy`], for the first thing that is wrong.
pub fn check(statement: &Statement) -> Result<(), Discrepancy> {
    let month = statement.month;
    if statement.schema != SCHEMA {
        return Err(Discrepancy::Schema(statement.schema.chars().take(40).collect()));
    }
    if (statement.from, statement.to, statement.seconds) != (month.from(), month.to(), month.seconds()) {
        return Err(Discrepancy::Month(month));
    }
    let mut before: Option<&StatementLine> = None;
    for (line, place) in statement.lines.iter().zip(1..) {
        rules(statement, line, before).map_err(|rule| Discrepancy::Line { line: place, rule })?;
        before = Some(line);
    }
    let mut computed = statement.clone();
    sum(&mut computed)?;
    for (stated, computed) in statement.lines.iter().zip(&computed.lines) {
        if stated != computed {
            let (line, stated, computed) = (computed.number, amounts(stated), amounts(computed));
            return Err(Discrepancy::Amounts { line, stated, computed });
        }
    }
    if *statement == computed { Ok(()) } else { Err(Discrepancy::Totals) }
}

/// Reads a canonical form and checks the statement by [`check`]. Any other form of the same statement is refused.
///
/// # Errors
/// [`Discrepancy`], for the first thing that is wrong.
pub fn read(text: &str) -> Result<Statement, Discrepancy> {
    let unreadable = |e: serde_json::Error| Discrepancy::Unreadable(e.to_string());
    let statement: Statement = serde_json::from_str(text).map_err(unreadable)?;
    if statement.canonical().map_err(unreadable)? != text {
        return Err(Discrepancy::Form);
    }
    check(&statement)?;
    Ok(statement)
}

fn amounts(line: &StatementLine) -> String {
    let money = line.amount.map_or_else(String::new, |a| format!(" and {a}"));
    format!("number {}, {} device-months{money}", line.number, line.device_months)
}

fn rules(
    statement: &Statement,
    line: &StatementLine,
    before: Option<&StatementLine>,
) -> Result<(), &'static str> {
    let holds = |condition: bool, rule: &'static str| if condition { Ok(()) } else { Err(rule) };
    let month = line.corrects.as_ref().map_or(statement.month, |c| c.statement);
    let period = line.to.since(line.from);
    holds(month.from() <= line.from && line.to <= month.to(), "the service period lies outside its month")?;
    holds(period > 0 && period % SECOND == 0, "the service period is not a whole number of seconds")?;
    holds(line.from.0 % SECOND == 0, "the service period does not start at a whole second")?;
    holds(line.seconds_in_month == month.seconds(), "the length of the month of service is wrong")?;
    holds(
        (line.kind == PlanKind::Trial) == line.committed.is_none(),
        "only a trial has no committed number",
    )?;
    match &line.corrects {
        None => {
            holds(
                line.seconds == period / SECOND,
                "the seconds differ from the length of the service period",
            )?;
            let follows = before.is_none_or(|b| b.corrects.is_none() && b.to <= line.from);
            holds(follows, "it does not follow the line before it")?;
        }
        Some(c) => {
            holds(c.statement < statement.month, "it corrects a statement that was not closed")?;
            holds(Month::of(c.at) == statement.month, "the correction was made in another month")?;
            holds(line.charge() != Some(c.was), "it does not change what was charged")?;
            let currency = |charge: &Charge| charge.price.map(|p| p.currency);
            let same = c.was.price.is_none() || currency(&c.was) == line.price.map(|p| p.currency);
            holds(same, "its currency differs from that of the corrected line")?;
            charge(&c.was, period)?;
        }
    }
    line.charge().map_or(Ok(()), |c| charge(&c, period))
}

fn charge(charge: &Charge, period: i64) -> Result<(), &'static str> {
    if committable(charge.committed).is_err() {
        return Err("the committed number is not a positive multiple of 100 within its range");
    }
    if !(0..=period / SECOND).contains(&charge.seconds) {
        return Err("more seconds are charged than the service period has");
    }
    match charge.price.map(checked_price) {
        Some(Err(_)) => Err("the price is out of range"),
        _ => Ok(()),
    }
}
