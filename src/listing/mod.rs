//! Lists of devices: which ones, in what order, a page at a time or all of them as a file.
//!
//! Pure functions of the devices of a view. A cursor holds the sort key of the last device of a page, so devices that come
//! and go between two pages neither repeat nor hide others.

mod column;
mod cursor;
mod error;
mod export;
mod filter;
mod page;

pub use column::{BadColumn, Column, Sort};
pub use cursor::{BadCursor, Cursor};
pub use error::{BadFilter, BadList};
pub use export::{CHUNK, Csv, Ndjson, columns};
pub use filter::Filter;
pub use page::{DevicePage, PAGE, PAGE_MAX, Tabs, places};
