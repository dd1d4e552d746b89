//! What one row says of one device, whatever list it comes from.

use std::net::IpAddr;

use super::columns::Columns;
use super::overlap::Exclusion;
use super::{ADDRESSES, FileKind};
use crate::census::address::{is_link_local, is_never_sender};
use crate::census::{MacAddr, Timestamp, Verdict, clean};

/// One device as one row tells it. Texts are cleaned: 256 bytes, no control characters.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct ListedDevice {
    /// Its MACs, sorted.
    pub macs: Vec<MacAddr>,
    /// Its addresses that can tell a device from another, sorted.
    pub ips: Vec<IpAddr>,
    /// The list's own id of it.
    pub id: Option<String>,
    /// Ids that tie rows: its own, and of the machine that it was merged into.
    pub ids: Vec<String>,
    /// Name.
    pub name: Option<String>,
    /// What the list calls its type, the closest word first.
    pub kinds: Vec<String>,
    /// Operating system.
    pub os: Option<String>,
    /// Maker.
    pub vendor: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// When it was last active, where the list tells.
    pub last_seen: Option<Timestamp>,
    /// Whether it is managed elsewhere.
    pub managed: bool,
    /// Why this row stands for no device that could count.
    pub excluded: Option<Exclusion>,
    /// What did exclude it, as the list says it.
    pub because: Option<String>,
}

/// One row of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileRow {
    /// Where it stands: the line of a table (the header's is usually 1), the number of a record in JSON, from 1.
    pub number: u64,
    /// What it says, or why it cannot be read.
    pub entry: Result<ListedDevice, String>,
}

/// A file that was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reading {
    /// Its name, cleaned.
    pub name: String,
    /// What it is.
    pub kind: FileKind,
    /// Its rows in order.
    pub rows: Vec<FileRow>,
    /// Which columns were taken for what; `None` for JSON.
    pub columns: Option<Columns>,
    /// What a person should know about the reading.
    pub notes: Vec<String>,
}

/// The last part of a path, cleaned.
pub(super) fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    clean(last.as_bytes()).unwrap_or_else(|| "file".to_owned())
}

/// A text of a row, cleaned; `None` for what stands for nothing.
pub(super) fn text(raw: &str) -> Option<String> {
    let text = clean(raw.as_bytes())?;
    let nothing = [
        "-",
        "--",
        "n/a",
        "na",
        "none",
        "null",
        "nil",
        "unknown",
        "undefined",
        "not available",
        "?",
        "(empty)",
        "#n/a",
        "unbekannt",
        "inconnu",
        "desconocido",
    ];
    (!nothing.contains(&text.to_lowercase().as_str())).then_some(text)
}

/// What the address parts of a row came to.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    pub(super) macs: Vec<MacAddr>,
    pub(super) ips: Vec<IpAddr>,
    group: bool,
    virtual_router: bool,
    /// The first text where a MAC should be that is none.
    bad_mac: Option<String>,
    /// The first text where an address should be that is none.
    bad_ip: Option<String>,
}

impl Addresses {
    /// Takes the MACs of a text; several are set apart by spaces, commas, semicolons or bars.
    pub(super) fn add_macs(&mut self, raw: &str) {
        let Some(cell) = text(raw) else { return };
        let mut found = false;
        for word in words(&cell) {
            let Ok(mac) = word.parse::<MacAddr>() else { continue };
            found = true;
            self.virtual_router |= mac.is_virtual_router();
            self.group |= mac.is_group();
            if mac.is_station() && !mac.is_virtual_router() && self.macs.len() < ADDRESSES {
                self.macs.push(mac);
            }
        }
        if !found && self.bad_mac.is_none() {
            self.bad_mac = Some(cell);
        }
    }

    /// Takes the addresses of a text, as [`Self::add_macs`]; a prefix length is left out.
    pub(super) fn add_ips(&mut self, raw: &str) {
        let Some(cell) = text(raw) else { return };
        let mut found = false;
        for word in words(&cell) {
            let bare = word.split(['/', '%']).next().unwrap_or(word);
            let Ok(ip) = bare.trim_matches(['[', ']']).parse::<IpAddr>() else { continue };
            let ip = ip.to_canonical();
            found = true;
            if is_never_sender(ip) {
                self.group |= !ip.is_loopback() && !ip.is_unspecified();
            } else if !is_link_local(ip) && self.ips.len() < ADDRESSES {
                self.ips.push(ip);
            }
        }
        if !found && self.bad_ip.is_none() {
            self.bad_ip = Some(cell);
        }
    }

    /// Puts them into `entry`; refuses a row whose MAC cannot be read, as its address alone could name another device.
    pub(super) fn into_entry(self, mut entry: ListedDevice) -> Result<ListedDevice, String> {
        let Self { mut macs, mut ips, group, virtual_router, bad_mac, bad_ip } = self;
        macs.sort_unstable();
        macs.dedup();
        ips.sort_unstable();
        ips.dedup();
        if let Some(bad) = bad_mac.filter(|_| macs.is_empty()) {
            return Err(format!("'{bad}' is no MAC address; write it as aa:bb:cc:dd:ee:ff"));
        }
        if let Some(bad) = bad_ip.filter(|_| macs.is_empty() && ips.is_empty()) {
            return Err(format!("'{bad}' is no IP address, and there is no MAC"));
        }
        if macs.is_empty() && entry.excluded.is_none() {
            if virtual_router {
                entry.excluded = Some(Exclusion::Verdict(Verdict::Virtual));
            } else if group && ips.is_empty() {
                entry.excluded = Some(Exclusion::Group);
            }
        }
        (entry.macs, entry.ips) = (macs, ips);
        entry.ids.sort_unstable();
        entry.ids.dedup();
        Ok(entry)
    }
}

fn words(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '|' | '(' | ')'))
        .filter(|w| !w.is_empty())
}

/// Whether a text says yes.
pub(super) fn is_yes(raw: &str) -> bool {
    matches!(
        raw.trim().to_lowercase().as_str(),
        "1" | "true"
            | "yes"
            | "y"
            | "x"
            | "onboarded"
            | "managed"
            | "enrolled"
            | "active"
            | "ja"
            | "oui"
            | "si"
            | "sí"
    )
}

/// An instant as lists write it: RFC 3339, seconds or milliseconds since 1970, a date with or without a time (then UTC),
/// and `31.12.2026`. A date with slashes is read only where it can be but one day, as halves of the world swap day and
/// month.
pub(super) fn instant(raw: &str) -> Option<Timestamp> {
    use jiff::civil::{Date, DateTime};

    let raw = raw.trim();
    if let Ok(number) = raw.parse::<i64>() {
        // Up to the year 2286 in seconds; milliseconds from 1970-04-26 on.
        return match number {
            0 => None,
            1..=9_999_999_999 => Some(Timestamp::from_secs(number)),
            10_000_000_000..=9_999_999_999_999 => Some(Timestamp(number.checked_mul(1_000_000)?)),
            _ => None,
        };
    }
    if let Ok(at) = raw.parse::<Timestamp>() {
        return Some(at);
    }
    let utc = |at: DateTime| {
        let at = at.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        i64::try_from(at.timestamp().as_nanosecond()).ok().map(Timestamp)
    };
    let raw = raw.trim_end_matches(" UTC");
    if let Ok(at) = raw.parse::<DateTime>() {
        return utc(at);
    }
    let (date, time) = raw.split_once([' ', 'T']).unwrap_or((raw, ""));
    let sign = if date.contains('.') { '.' } else { '/' };
    let parts: Vec<&str> = date.split(sign).collect();
    let [a, b, year] = parts.as_slice() else { return None };
    let (a, b, year): (i8, i8, i16) = (a.parse().ok()?, b.parse().ok()?, year.parse().ok()?);
    let (day, month) = match sign {
        '.' => (a, b),
        _ if a > 12 || a == b => (a, b),
        _ if b > 12 => (b, a),
        _ => return None,
    };
    let date = Date::new(year, month, day).ok()?;
    let time = time.trim().parse::<jiff::civil::Time>().unwrap_or_else(|_| jiff::civil::Time::midnight());
    utc(date.to_datetime(time))
}

/// Which MAC and address a row is shown with.
pub(super) fn shown(entry: &ListedDevice) -> (Option<MacAddr>, Option<IpAddr>) {
    (entry.macs.first().copied(), entry.ips.first().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(macs: &str, ips: &str) -> Result<ListedDevice, String> {
        let mut addresses = Addresses::default();
        addresses.add_macs(macs);
        addresses.add_ips(ips);
        addresses.into_entry(ListedDevice::default())
    }

    #[test]
    fn several_macs_and_addresses_of_a_cell_are_read_in_every_usual_form() {
        let e = entry("00-40-8C-00-00-01; 0040.8c00.0002", "10.0.0.5/24, fe80::1%eth0 2001:db8::1").unwrap();
        assert_eq!(e.macs.len(), 2);
        assert_eq!(e.ips, ["10.0.0.5".parse::<IpAddr>().unwrap(), "2001:db8::1".parse().unwrap()]);
        assert_eq!(entry("00:00:00:00:00:00", "n/a").unwrap(), ListedDevice::default());
        assert_eq!(entry("", "::ffff:10.0.0.5").unwrap().ips, ["10.0.0.5".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn what_can_be_no_device_is_told_from_what_cannot_be_read() {
        assert_eq!(entry("01:00:5e:00:00:fb", "").unwrap().excluded, Some(Exclusion::Group));
        assert_eq!(entry("", "224.0.0.251").unwrap().excluded, Some(Exclusion::Group));
        assert_eq!(
            entry("00:00:5e:00:01:0a", "10.0.0.1").unwrap().excluded,
            Some(Exclusion::Verdict(Verdict::Virtual))
        );
        assert!(entry("1.23E+11", "10.0.0.1").unwrap_err().contains("no MAC address"));
        assert!(entry("", "dynamic").unwrap_err().contains("no IP address"));
        assert!(entry("00:40:8c:00:00:01", "dynamic").is_ok());
    }

    #[test]
    fn instants_are_read_as_lists_write_them_and_doubtful_ones_are_not() {
        let at = |text: &str| instant(text).map(|t| t.to_string());
        let day = Some("2026-11-20T00:00:00Z".to_owned());
        for text in ["2026-11-20", "20.11.2026", "20/11/2026", "11/20/2026", "1795132800", "1795132800000"] {
            assert_eq!(at(text), day, "{text}");
        }
        assert_eq!(at("2026-11-20 08:15:00").as_deref(), Some("2026-11-20T08:15:00Z"));
        assert_eq!(at("20.11.2026 08:15").as_deref(), Some("2026-11-20T08:15:00Z"));
        assert_eq!(at("2026-11-20T08:15:00.1234567Z").as_deref(), Some("2026-11-20T08:15:00.1234567Z"));
        for text in ["", "0", "04/05/2026", "yesterday", "99.99.2026", "-5", "1.2.3.4"] {
            assert_eq!(at(text), None, "{text}");
        }
        assert_eq!(at("05/05/2026").as_deref(), Some("2026-05-05T00:00:00Z"));
    }
}
