//! What a subscription is charged: plans over time (P1 to P10), prices, and the statement of a month (P9). Pure.

pub(crate) mod amount;
pub(crate) mod forecast;
#[cfg(test)]
mod laws;
pub(crate) mod month;
pub(crate) mod price;
pub mod statement;
pub mod timeline;
