//! Devices as files: all that match, however many, a chunk at a time.

use super::devices::{Matching, matching};
use super::{App, May, Refusal};
use crate::listing::{BadList, CHUNK, Csv, Filter, Ndjson, columns};
use crate::plan::permission::Export;

/// The form of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// RFC 4180, with a header.
    Csv,
    /// A JSON object a line.
    Ndjson,
}

enum Writer {
    Csv(Csv),
    Ndjson(Ndjson),
}

/// A file of devices. It iterates over its bytes, which it makes when it is asked for them.
pub struct DeviceFile {
    devices: Matching,
    writer: Writer,
    has_begun: bool,
    written: usize,
}

/// The devices that match a filter, with the columns that are named: their keys, separated by commas; all if `None`.
pub(crate) async fn file(
    app: &App,
    may: &May<Export>,
    filter: &Filter,
    named: Option<&str>,
    format: Format,
) -> Result<DeviceFile, Refusal> {
    let columns = columns(named).map_err(BadList::from)?;
    let devices = matching(app, &may.view(), filter).await?;
    let (as_of, policy) = (devices.as_of(), devices.policy());
    let writer = match format {
        Format::Csv => Writer::Csv(Csv::new(columns, as_of, policy)),
        Format::Ndjson => Writer::Ndjson(Ndjson::new(columns, as_of, policy)),
    };
    Ok(DeviceFile { devices, writer, has_begun: false, written: 0 })
}

impl Iterator for DeviceFile {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if !std::mem::replace(&mut self.has_begun, true)
            && let Writer::Csv(csv) = &self.writer
        {
            return Some(csv.header());
        }
        if self.written >= self.devices.len() {
            return None;
        }
        let devices = self.devices.devices(self.written, CHUNK);
        let bytes = match &self.writer {
            Writer::Csv(csv) => csv.rows(devices),
            Writer::Ndjson(ndjson) => ndjson.lines(devices),
        };
        self.written += CHUNK;
        Some(bytes)
    }
}
