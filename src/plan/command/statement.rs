//! `statement` and `price`: the charges of each month, line by line, and the prices of a device-month.

use std::io::{self, Write as _};

use clap::Subcommand;

use super::arguments::{Attempt, Target, say};
use super::failure::Failure;
use crate::billing::statement::{
    CorrectionRequest, Currency, Micros, Month, Price, SetPrice, StatementLine, StatementState, arithmetic,
};
use crate::billing::timeline::PlanKind;
use crate::census::Timestamp;
use crate::cli::table;
use crate::cli::terminal;
use crate::cli::terminal::print_json;
use crate::plan::app::statements::{StatementEntry, StatementView, Totals};
use crate::plan::app::{prices, statements};
use crate::plan::store::By;

#[derive(Debug, Subcommand)]
pub(super) enum StatementCommand {
    /// List the statements, the newest first
    List {
        #[command(flatten)]
        target: Target,
        /// Only months before this one, such as 2026-11
        #[arg(long, value_name = "MONTH")]
        before: Option<Month>,
        /// The most statements to list
        #[arg(long, value_name = "N", default_value_t = 24)]
        limit: usize,
    },
    /// Show a statement with the arithmetic of each line
    Show {
        #[command(flatten)]
        target: Target,
        /// The month in UTC, such as 2026-11
        month: Month,
    },
    /// Print a statement as CSV: its lines, then its totals
    #[command(after_help = "Example:
  netcensus-plan statement export 2026-11 > statement-2026-11.csv")]
    Export {
        #[command(flatten)]
        target: Target,
        /// The month in UTC, such as 2026-11
        month: Month,
    },
    /// Correct a line of a closed statement: adds a line to the open statement
    #[command(after_help = "Examples:
  netcensus-plan statement correct 2026-11 --line 1 --committed 1600 --reason '1600 were ordered'
  netcensus-plan statement correct 2026-11 --line 1 --seconds 0 --reason 'onboarded by mistake'")]
    Correct {
        #[command(flatten)]
        target: Target,
        /// The month of the closed statement, such as 2026-11
        month: Month,
        /// The number of the line
        #[arg(long, value_name = "N")]
        line: u32,
        /// The number of devices that should have been charged, a multiple of 100
        #[arg(long, value_name = "N")]
        committed: Option<u64>,
        /// The seconds in effect that should have been charged
        #[arg(long, value_name = "N")]
        seconds: Option<i64>,
        /// The price of a device-month that should have been charged, such as 1.40; needs --currency
        #[arg(long, value_name = "AMOUNT", requires = "currency")]
        price: Option<Micros>,
        /// The currency of --price: three letters (ISO 4217)
        #[arg(long, value_name = "CODE", requires = "price")]
        currency: Option<Currency>,
        #[command(flatten)]
        attempt: Attempt,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum PriceCommand {
    /// Set the price of a device-month from an instant on
    #[command(after_help = "Example:
  netcensus-plan price set EUR 1.40 --from 2027-01-01T00:00:00Z

  netcensus-plan price set EUR 1.20 --kind annual

Without --kind, the price applies to monthly and annual plans. For a price per year, set one twelfth of it. The price of an
annual plan holds from its start, or from an anniversary, to the next anniversary.")]
    Set {
        #[command(flatten)]
        target: Target,
        /// The currency: three letters (ISO 4217)
        currency: Currency,
        /// The price of one device for one month, with at most six decimals
        amount: Micros,
        /// The kind of plan to which the price applies: monthly or annual [default: both]
        #[arg(long, value_name = "KIND")]
        kind: Option<PlanKind>,
        /// The first instant at which the price is valid [default: now]
        #[arg(long, value_name = "RFC3339")]
        from: Option<Timestamp>,
        #[command(flatten)]
        attempt: Attempt,
    },
    /// List the prices
    List {
        #[command(flatten)]
        target: Target,
    },
}

/// Lists, shows and corrects statements.
pub(super) async fn statement(command: StatementCommand) -> Result<(), Failure> {
    match command {
        StatementCommand::List { target, before, limit } => {
            let (app, may) = target.may(By::operator()).await?;
            let list = statements::list(&app, &may, before, limit).await?;
            if target.common.json {
                return print_json(&serde_json::json!({"statements": list.statements}));
            }
            let rows: Vec<_> = list.statements.iter().map(row).collect();
            let header = ["MONTH", "STATE", "CLOSES", ">DEVICE-MONTHS", ">AMOUNT", "SHA-256"];
            Ok(table::print(&mut io::stdout().lock(), &header, &rows)?)
        }
        StatementCommand::Show { target, month } => {
            let (app, may) = target.may(By::operator()).await?;
            let view = statements::show(&app, &may, month).await?;
            if target.common.json {
                return print_json(&view);
            }
            print(&may.subscription.name, &view)
        }
        StatementCommand::Export { target, month } => {
            let (app, may) = target.may(By::operator()).await?;
            Ok(io::stdout().lock().write_all(&statements::csv(&app, &may, month).await?)?)
        }
        StatementCommand::Correct { target, month, line, committed, seconds, price, currency, attempt } => {
            let (app, may) = target.may(attempt.by()?).await?;
            let price = match (price, currency) {
                (Some(amount), Some(currency)) => Some(priced(currency, amount)?),
                _ => None,
            };
            let reason = attempt.reason.clone().unwrap_or_default();
            let asked = CorrectionRequest { line, committed, seconds, price, reason };
            let entry = statements::correct(&app, &may, month, &asked).await?;
            if target.common.json {
                return print_json(&entry);
            }
            say(&format!(
                "{}correction {} of line {line} of {month}, a line of the statement of {}",
                attempt.tried(),
                entry.number,
                entry.appears_in
            ))
        }
    }
}

/// Sets and lists prices.
pub(super) async fn price(command: PriceCommand) -> Result<(), Failure> {
    match command {
        PriceCommand::Set { target, currency, amount, kind, from, attempt } => {
            let (app, may) = target.may(attempt.by()?).await?;
            let set = prices::set(&app, &may, priced(currency, amount)?, kind, from).await?;
            if target.common.json {
                return print_json(&set);
            }
            say(&format!("{}{} a device-month from {} on", attempt.tried(), set.price, set.valid_from))
        }
        PriceCommand::List { target } => {
            let (app, may) = target.may(By::operator()).await?;
            let list = prices::list(&app, &may).await?;
            if target.common.json {
                return print_json(&list);
            }
            for (kind, price) in [(PlanKind::Monthly, list.price), (PlanKind::Annual, list.annual)] {
                say(&price.map_or_else(
                    || format!("{kind} plans have no price now: statements show device-months"),
                    |p| format!("{kind} plans: {p} a device-month now"),
                ))?;
            }
            let row = |p: SetPrice| {
                let set = p.set_at.to_string();
                let kind = p.kind.map_or_else(|| "all".to_owned(), |kind| kind.to_string());
                vec![p.number.to_string(), kind, p.price.to_string(), p.valid_from.to_string(), set]
            };
            let rows: Vec<_> = list.prices.into_iter().map(row).collect();
            Ok(table::print(&mut io::stdout().lock(), &[">NO", "PLANS", ">PRICE", "FROM", "SET"], &rows)?)
        }
    }
}

fn priced(currency: Currency, amount: Micros) -> Result<Price, Failure> {
    let micros = u64::try_from(amount.0);
    let micros = micros.map_err(|_| Failure::usage("a price must be 0 to 1000000"))?;
    Ok(Price { currency, micros })
}

fn row(entry: &StatementEntry) -> Vec<String> {
    vec![
        entry.month.to_string(),
        entry.state.title().to_owned(),
        entry.closes_at.to_string(),
        entry.totals.device_months.to_string(),
        money(&entry.totals),
        entry.sha256.clone().unwrap_or_default(),
    ]
}

/// The money of a row: each currency by itself, and a mark if a part has no price.
fn money(totals: &Totals) -> String {
    let each = totals.invoice.iter().map(|t| format!("{} {}", t.total, t.currency));
    let unpriced = totals.unpriced.as_ref().map(|u| format!("{} without a price", u.device_months));
    each.chain(unpriced).collect::<Vec<_>>().join(" and ")
}

/// The statement as a person checks it on paper.
fn print(name: &str, view: &StatementView) -> Result<(), Failure> {
    let statement = &view.statement;
    let mut out = io::stdout().lock();
    let month = statement.month;
    let standing = match view.state {
        StatementState::Open => {
            format!("open, covers the month so far, closes {}", month.closes_at())
        }
        StatementState::Draft => format!("draft, closes {}", month.closes_at()),
        StatementState::Closed => "closed".to_owned(),
    };
    terminal::line(&mut out, &format!("{name}, {month}: {standing}"))?;
    let (from, to, days) = (statement.from, statement.to, statement.seconds / 86_400);
    writeln!(out, "{from} to {to}: {days} days × 86400 s = {} s", statement.seconds)?;
    let workings = arithmetic(statement).map_err(|e| Failure::failed(e.to_string()))?;
    for (line, steps) in statement.lines.iter().zip(workings) {
        writeln!(out)?;
        terminal::line(&mut out, &heading(line))?;
        for step in steps {
            writeln!(out, "   {step}")?;
        }
    }
    writeln!(out)?;
    write_totals(&mut out, "total", &view.totals)?;
    if let Some(expected) = &view.expected {
        write_totals(&mut out, "at the month's end, if nothing changes", expected)?;
    }
    if let Some(peak) = statement.peak_billable {
        let last = statement.last_billable.map_or_else(String::new, |n| format!(", last {n}"));
        writeln!(out, "devices counted: peak {peak}{last} (never part of the charge, P3)")?;
    }
    if let (Some(hash), Some(at)) = (&view.sha256, statement.closed_at) {
        writeln!(out, "closed {at}, sha256 {hash}")?;
    }
    Ok(())
}

fn heading(line: &StatementLine) -> String {
    let StatementLine { number, plan, kind, from, to, .. } = line;
    match (&line.corrects, line.committed) {
        (Some(c), _) => format!(
            "{number}. correction of line {} of {} (plan {plan}), {from} to {to}; {} by {}: {}",
            c.line, c.statement, c.at, c.by, c.reason
        ),
        (None, Some(n)) => format!("{number}. plan {plan}, {kind}, {n} devices, {from} to {to}"),
        (None, None) => format!("{number}. plan {plan}, {kind}, any number of devices, {from} to {to}"),
    }
}

/// Each currency has a line of its own, because currencies are never added.
fn write_totals(out: &mut impl io::Write, title: &str, totals: &Totals) -> io::Result<()> {
    writeln!(out, "{title}: {} device-months", totals.device_months)?;
    for total in &totals.invoice {
        writeln!(out, "   {total}")?;
    }
    if let Some(unpriced) = &totals.unpriced {
        writeln!(out, "   {unpriced}: no amount contains them; set a price, or correct the line")?;
    }
    Ok(())
}
