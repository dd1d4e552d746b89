//! Lists of devices: which ones, in what order, a page at a time or all of them as a file.
//!
//! Pure functions of the devices of a view. A page is found by a cursor that names the last device of the page before it by what the
//! list is sorted by, so that devices that come and go meanwhile neither repeat nor hide others.

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
