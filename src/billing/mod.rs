//! What a subscription is charged: plans over time (P1 to P10), prices, and the statement of a month (P9). Pure.

pub mod amount;
pub mod forecast;
#[cfg(test)]
mod laws;
pub mod month;
pub mod price;
pub mod statement;
pub mod timeline;
