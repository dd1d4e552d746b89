//! Lists of devices: which ones, in what order, a page at a time or all of them as a file.
//!
//! Pure functions of the devices of a view. A cursor holds the sort key of the last device of a page, so devices that come
//! and go between two pages neither repeat nor hide others.

mod column;
mod cursor;
mod error;
mod export;
mod facets;
mod filter;
pub(crate) mod map;
mod page;
mod query;
mod rows;

pub(crate) use column::{Column, Sort};
pub(crate) use cursor::BadCursor;
pub(crate) use error::BadList;
pub(crate) use export::{CHUNK, Csv, Ndjson, columns, csv_rows, harmless};
pub(crate) use facets::{Facet, Facets};
pub(crate) use filter::Filter;
pub(crate) use page::{DevicePage, Neighbours, Tabs, count, places};
pub use query::check_query;
pub(crate) use query::{BadQuery, Field, Query};
pub(crate) use rows::Rows;
