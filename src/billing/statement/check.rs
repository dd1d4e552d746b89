//! Checks a statement by itself: its periods, and every amount computed anew.

use super::correction::{Charge, checked_price};
use super::{Month, SCHEMA, Statement, StatementLine, sum};
use crate::billing::amount::TooLarge;
use crate::billing::timeline::{PlanKind, SECOND, committable};

/// What is wrong with a statement.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Discrepancy {
    /// It cannot be read.
    #[error("it is no statement: {0}")]
    Unreadable(String),
    /// It says what it says in other bytes.
    #[error("it is not in the canonical form, whose bytes are hashed")]
    Form,
    /// Another schema.
    #[error("the schema is '{0}', not netcensus.statement/1; check it with the version that wrote it")]
    Schema(String),
    /// The period is not the month's.
    #[error("{0} has another first instant, end or length than the statement says")]
    Month(Month),
    /// A line breaks a rule.
    #[error("line {line}: {rule}")]
    Line {
        /// Its place, from 1.
        line: usize,
        /// What does not hold.
        rule: &'static str,
    },
    /// A line's amounts are others.
    #[error("line {line} says {stated}, and comes to {computed}")]
    Amounts {
        /// Its number.
        line: u32,
        /// What it says.
        stated: String,
        /// What its figures give.
        computed: String,
    },
    /// The totals are not the sums of the lines.
    #[error("the totals are not the sums of the lines")]
    Totals,
    /// A number is beyond what is summed.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// Checks that a statement's periods are consistent, that its plans do not overlap, and that all amounts follow from
/// its figures. What it cannot know is whether the plans were so: that is in the timeline.
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

/// Reads a canonical form, and checks what it says by [`check`]. Other bytes that say the same are refused.
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
    holds(period > 0 && period % SECOND == 0, "the service period is no whole number of seconds")?;
    holds(line.from.0 % SECOND == 0, "the service period starts within a second")?;
    holds(line.seconds_in_month == month.seconds(), "the month of service has another length")?;
    holds(
        (line.kind == PlanKind::Trial) == line.committed.is_none(),
        "a trial has no number, other plans do",
    )?;
    match &line.corrects {
        None => {
            holds(line.seconds == period / SECOND, "the seconds are not those of the service period")?;
            let follows = before.is_none_or(|b| b.corrects.is_none() && b.to <= line.from);
            holds(follows, "it does not follow the line before it")?;
        }
        Some(c) => {
            holds(c.statement < statement.month, "it corrects a statement that was not closed")?;
            holds(Month::of(c.at) == statement.month, "the correction was made in another month")?;
            holds(line.charge() != Some(c.was), "it corrects nothing")?;
            let currency = |charge: &Charge| charge.price.map(|p| p.currency);
            let same = c.was.price.is_none() || currency(&c.was) == line.price.map(|p| p.currency);
            holds(same, "it is in another currency than what it corrects")?;
            charge(&c.was, period)?;
        }
    }
    line.charge().map_or(Ok(()), |c| charge(&c, period))
}

fn charge(charge: &Charge, period: i64) -> Result<(), &'static str> {
    if committable(charge.committed).is_err() {
        return Err("the committed number is no positive multiple of 100 within its range");
    }
    if !(0..=period / SECOND).contains(&charge.seconds) {
        return Err("more seconds are charged than the service period has");
    }
    match charge.price.map(checked_price) {
        Some(Err(_)) => Err("the price is out of range"),
        _ => Ok(()),
    }
}
