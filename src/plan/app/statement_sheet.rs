//! A statement as CSV (RFC 4180, UTF-8): its lines, then its totals, each with its kind in the first column.

use super::statements::StatementView;
use crate::billing::statement::{Micros, StatementLine};
use crate::listing::harmless;

/// The columns.
const HEADER: [&str; 19] = [
    "record",
    "month",
    "state",
    "line",
    "plan",
    "kind",
    "corrects",
    "reason",
    "by",
    "committed",
    "from",
    "to",
    "seconds",
    "seconds_in_month",
    "price",
    "currency",
    "device_months",
    "amount",
    "invoice_total",
];

#[derive(Default)]
struct Row {
    record: &'static str,
    line: String,
    plan: String,
    kind: String,
    corrects: String,
    reason: String,
    by: String,
    committed: String,
    from: String,
    to: String,
    seconds: String,
    seconds_in_month: String,
    price: String,
    currency: String,
    device_months: String,
    amount: String,
    invoice_total: String,
}

fn optional(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

impl Row {
    fn line(line: &StatementLine) -> Self {
        let corrects = line.corrects.as_ref();
        Self {
            record: if corrects.is_some() { "correction" } else { "line" },
            line: line.number.to_string(),
            plan: line.plan.to_string(),
            kind: line.kind.to_string(),
            corrects: optional(corrects.map(|c| format!("{} line {}", c.statement, c.line))),
            reason: optional(corrects.map(|c| harmless(&c.reason).into_owned())),
            by: optional(corrects.map(|c| harmless(&c.by).into_owned())),
            committed: optional(line.committed),
            from: line.from.to_string(),
            to: line.to.to_string(),
            seconds: line.seconds.to_string(),
            seconds_in_month: line.seconds_in_month.to_string(),
            price: optional(line.price.map(|p| Micros(p.micros.into()))),
            currency: optional(line.price.map(|p| p.currency)),
            device_months: line.device_months.to_string(),
            amount: optional(line.amount),
            invoice_total: String::new(),
        }
    }

    fn cells(self, month: &str, state: &str) -> [String; 19] {
        [
            self.record.to_owned(),
            month.to_owned(),
            state.to_owned(),
            self.line,
            self.plan,
            self.kind,
            self.corrects,
            self.reason,
            self.by,
            self.committed,
            self.from,
            self.to,
            self.seconds,
            self.seconds_in_month,
            self.price,
            self.currency,
            self.device_months,
            self.amount,
            self.invoice_total,
        ]
    }
}

/// The file. A currency has a `total` of its own; `unpriced` is what no total contains.
pub(super) fn csv(view: &StatementView) -> Vec<u8> {
    let mut rows: Vec<Row> = view.statement.lines.iter().map(Row::line).collect();
    let device_months = view.totals.device_months.to_string();
    rows.push(Row { record: "device_months", device_months, ..Row::default() });
    rows.extend(view.totals.invoice.iter().map(|total| Row {
        record: "total",
        currency: total.currency.to_string(),
        amount: total.amount.to_string(),
        invoice_total: total.total.to_string(),
        ..Row::default()
    }));
    rows.extend(view.totals.unpriced.iter().map(|unpriced| Row {
        record: "unpriced",
        line: unpriced.lines.iter().map(u32::to_string).collect::<Vec<_>>().join(" "),
        device_months: unpriced.device_months.to_string(),
        ..Row::default()
    }));
    let (month, state) = (view.statement.month.to_string(), view.state.title());
    let mut out = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let header = out.write_record(HEADER);
    let written = rows.into_iter().try_for_each(|row| out.write_record(row.cells(&month, state)));
    // Writing to memory does not fail, and all rows have the same length.
    if let Err(error) = header.and(written) {
        tracing::error!(%error, "a row of a statement could not be written");
    }
    out.into_inner().unwrap_or_default()
}
