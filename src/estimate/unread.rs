//! What a list says and nobody understood.

use serde::Serialize;
use utoipa::ToSchema;

/// A text that was not understood, and what that does to the number.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
pub struct Unread {
    /// The column, or the member in JSON.
    pub column: String,
    /// The text as the list has it, at most 60 characters.
    pub text: String,
    /// Rows that have it.
    pub rows: u64,
    /// Why it was not understood.
    pub why: String,
    /// What its devices count as.
    pub effect: String,
}

impl Unread {
    /// All of it, for people.
    pub fn sentence(&self) -> String {
        let Self { column, text, rows, why, effect } = self;
        let rows = if *rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") };
        format!("{column}: '{text}' ({rows}) {why}: {effect}")
    }
}
