//! A statement's arithmetic, step by step, as a person would check it on paper.

use std::collections::BTreeMap;

use super::document::{Charge, Statement, StatementLine};
use crate::billing::amount::{Exact, Micros, Sum, TooLarge};
use crate::billing::price::Currency;

/// For each line, the steps that lead to its device-months and its money. Exact figures are cut after twelve decimals.
///
/// # Errors
/// [`TooLarge`], if the statement holds a number that is out of range.
pub fn arithmetic(statement: &Statement) -> Result<Vec<Vec<String>>, TooLarge> {
    let mut months = Sum::default();
    let mut money: BTreeMap<Currency, Sum> = BTreeMap::new();
    statement.lines.iter().map(|line| steps(line, &mut months, &mut money)).collect()
}

fn steps(
    line: &StatementLine,
    months: &mut Sum,
    money: &mut BTreeMap<Currency, Sum>,
) -> Result<Vec<String>, TooLarge> {
    let (part, amount) = line.exact()?;
    let Some(charge) = line.charge() else {
        months.add(part)?;
        return Ok(vec!["a trial is not charged".to_owned()]);
    };
    let of = line.seconds_in_month;
    let share = |c: &Charge| format!("{} × {} s / {of} s", c.committed, c.seconds);
    let difference = |new: String, old: Option<String>| match old {
        Some(old) => format!("{new} − {old}"),
        None => new,
    };
    let was = line.corrects.as_ref().map(|c| c.was);
    let mut out = vec![format!(
        "{} = {} device-months",
        difference(share(&charge), was.as_ref().map(share)),
        part.digits()
    )];
    out.push(rounding(months, part)?);
    if let Some(price) = line.price {
        let priced = |c: &Charge| match c.price {
            Some(p) => format!("{} × {}", share(c), Micros(p.micros.into())),
            None => "0".to_owned(),
        };
        let (currency, sum) = (price.currency, money.entry(price.currency).or_default());
        let written = difference(priced(&charge), was.as_ref().map(priced));
        out.push(format!("{written} {currency} = {} {currency}", amount.digits()));
        out.push(rounding(sum, amount)?);
    }
    Ok(out)
}

fn rounding(sum: &mut Sum, part: Exact) -> Result<String, TooLarge> {
    let before = sum.total();
    let grown = sum.add(part)?;
    Ok(format!("so far {}, rounded {}; less {before} before: {grown}", sum.exact().digits(), sum.total()))
}
