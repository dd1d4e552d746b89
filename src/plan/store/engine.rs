//! The engine: what the store needs of a database. SQL is written once, in the subset that SQLite and PostgreSQL share.
//! Each has a file that implements [`Engine`] and [`Transaction`] for the differences.
//!
//! The common subset: `$1` placeholders, `ON CONFLICT … DO UPDATE`, integers of 64 bits, text and bytes. Instants are
//! nanoseconds, truth values are 0 and 1, structured values are JSON in text.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::StoreError;
use super::news::{News, Turn};
use crate::wire::{SensorId, SubscriptionId};

/// A value that a query carries.
#[derive(Clone, Debug)]
pub enum Value {
    /// A number, an instant, a truth value.
    Int(Option<i64>),
    /// Text.
    Text(Option<String>),
    /// Bytes.
    Blob(Option<Vec<u8>>),
}

macro_rules! values {
    ($($from:ty => $to:ident($make:expr);)*) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                let make: fn($from) -> _ = $make;
                Self::$to(Some(make(value)))
            }
        }
        impl From<Option<$from>> for Value {
            fn from(value: Option<$from>) -> Self {
                let make: fn($from) -> _ = $make;
                Self::$to(value.map(make))
            }
        }
    )*};
}

values! {
    i64 => Int(|n| n);
    String => Text(|text| text);
    &str => Text(str::to_owned);
    &String => Text(String::clone);
    &SubscriptionId => Text(|id| id.as_str().to_owned());
    &SensorId => Text(|id| id.as_str().to_owned());
    Vec<u8> => Blob(|bytes| bytes);
    &[u8] => Blob(<[u8]>::to_vec);
    [u8; 32] => Blob(|bytes| bytes.to_vec());
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(Some(i64::from(value)))
    }
}

/// A statement and its values.
#[derive(Clone, Debug)]
pub struct Query {
    pub(super) text: Cow<'static, str>,
    pub(super) values: Vec<Value>,
}

/// A statement that is written in the code.
pub fn sql(text: &'static str) -> Query {
    Query { text: Cow::Borrowed(text), values: Vec::new() }
}

impl Query {
    /// A statement that the code assembles from its own constants. Values never go into the text.
    pub fn assembled(text: String) -> Self {
        Self { text: Cow::Owned(text), values: Vec::new() }
    }

    /// Adds the next value: the first is `$1`.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }
}

/// A row of an answer.
pub struct Row(pub(super) AnyRow);

/// A row as its driver gives it.
pub(super) enum AnyRow {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

macro_rules! get {
    ($self:ident, $column:ident) => {
        match &$self.0 {
            AnyRow::Sqlite(row) => Ok(row.try_get($column)?),
            AnyRow::Postgres(row) => Ok(row.try_get($column)?),
        }
    };
}

/// Each reads a column by its name.
///
/// # Errors
/// [`StoreError::Database`] if there is no such column, or if it has another type.
impl Row {
    /// A number that is there.
    pub fn int(&self, column: &str) -> Result<i64, StoreError> {
        get!(self, column)
    }

    /// A number that may be missing.
    pub fn opt_int(&self, column: &str) -> Result<Option<i64>, StoreError> {
        get!(self, column)
    }

    /// A truth value.
    pub fn truth(&self, column: &str) -> Result<bool, StoreError> {
        Ok(self.int(column)? != 0)
    }

    /// Text that is there.
    pub fn text(&self, column: &str) -> Result<String, StoreError> {
        get!(self, column)
    }

    /// Text that is there, without a copy.
    pub fn str(&self, column: &str) -> Result<&str, StoreError> {
        get!(self, column)
    }

    /// An id.
    pub fn id<T: FromStr<Err: fmt::Display>>(&self, column: &'static str) -> Result<T, StoreError> {
        let corrupt = |e: T::Err| StoreError::Corrupt { table: column, why: e.to_string() };
        self.str(column)?.parse().map_err(corrupt)
    }

    /// Text that may be missing.
    pub fn opt_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        get!(self, column)
    }

    /// Bytes that are there.
    pub fn blob(&self, column: &str) -> Result<Vec<u8>, StoreError> {
        get!(self, column)
    }

    /// Bytes that may be missing.
    pub fn opt_blob(&self, column: &str) -> Result<Option<Vec<u8>>, StoreError> {
        get!(self, column)
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Row")
    }
}

/// What a transaction may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access<'a> {
    /// Read one state of the database.
    Read,
    /// Read and write; nobody else writes under this name until the transaction ends.
    Write(&'a str),
}

/// What is called for every row of an answer.
pub type Each<'a> = &'a mut (dyn FnMut(&Row) -> Result<(), StoreError> + Send);

/// A database.
#[async_trait]
pub trait Engine: fmt::Debug + Send + Sync {
    /// Its name for people.
    fn name(&self) -> &'static str;

    /// Whether several services may work on the database.
    fn is_shared(&self) -> bool;

    /// Reads outside a transaction.
    async fn rows(&self, query: Query) -> Result<Vec<Row>, StoreError>;

    /// Begins a transaction.
    async fn begin(&self, access: Access<'_>) -> Result<Box<dyn Transaction>, StoreError>;

    /// What other services write; `None` if only one can work on the database.
    async fn news(&self) -> Result<Option<News>, StoreError>;

    /// The turn at work of that name; `None` if another service has it.
    async fn turn(&self, work: &str) -> Result<Option<Turn>, StoreError>;

    /// Brings the schema up to date.
    async fn migrate(&self) -> Result<(), StoreError>;

    /// The migrations that the schema lacks, in order.
    async fn pending(&self) -> Result<Vec<String>, StoreError>;

    /// Writes a copy of the database as it is now into a new file, beside running services.
    async fn backup(&self, file: &Path) -> Result<(), StoreError>;

    /// Ends all work.
    async fn close(&self);
}

/// A transaction. If it is dropped without [`Transaction::commit`], it is rolled back.
#[async_trait]
pub trait Transaction: Send {
    /// The rows that a query answers.
    async fn rows(&mut self, query: Query) -> Result<Vec<Row>, StoreError>;

    /// Calls `each` for every row, without holding them all.
    async fn each(&mut self, query: Query, each: Each<'_>) -> Result<(), StoreError>;

    /// Executes a statement; returns how many rows it touched.
    async fn execute(&mut self, query: Query) -> Result<u64, StoreError>;

    /// Inserts many rows into one table. If a row with the same key exists, replaces its last column. See [`Bulk`].
    async fn upsert(&mut self, bulk: Bulk<'_>) -> Result<(), StoreError>;

    /// Makes it durable.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

/// Many rows of one table.
#[derive(Debug)]
pub struct Bulk<'a> {
    /// The table.
    pub table: &'static str,
    /// Columns that are the same in every row, with their text.
    pub fixed: &'a [(&'static str, &'a str)],
    /// The other columns. All columns but the last, including the fixed ones, are the key.
    pub columns: &'static [&'static str],
    /// The values, column by column.
    pub values: Vec<Vec<String>>,
}

impl Bulk<'_> {
    /// How many rows.
    pub fn rows(&self) -> usize {
        self.values.first().map_or(0, Vec::len)
    }

    /// The names of all columns, and of those in the key.
    pub(super) fn names(&self) -> (String, String) {
        let all: Vec<&str> = self.fixed.iter().map(|(c, _)| *c).chain(self.columns.iter().copied()).collect();
        let key = all.get(..all.len().saturating_sub(1)).unwrap_or_default();
        (all.join(", "), key.join(", "))
    }

    /// The column that is replaced.
    pub(super) fn replaced(&self) -> &'static str {
        self.columns.last().copied().unwrap_or_default()
    }
}
