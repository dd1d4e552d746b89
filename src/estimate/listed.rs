//! One device as one row of a list describes it.

use std::net::IpAddr;

use super::cell::text;
use super::exclusion::Exclusion;
use super::limits::ADDRESSES;
use crate::census::address::{is_link_local, is_never_sender};
use crate::census::{MacAddr, Timestamp, Verdict};

/// One device as one row describes it. Texts are cleaned: at most 256 bytes, no control characters.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct ListedDevice {
    /// Its MACs, sorted.
    pub macs: Vec<MacAddr>,
    /// Its addresses that can identify a device, sorted.
    pub ips: Vec<IpAddr>,
    /// Its id in the list.
    pub id: Option<String>,
    /// Ids that tie rows: its own, and that of the machine into which it was merged.
    pub ids: Vec<String>,
    pub name: Option<String>,
    /// The list's words for its type, the most specific first.
    pub kinds: Vec<String>,
    pub os: Option<String>,
    pub vendor: Option<String>,
    pub model: Option<String>,
    /// When it was last active, if the list says so.
    pub last_seen: Option<Timestamp>,
    /// Whether another system manages it.
    pub managed: bool,
    /// Why this row cannot stand for a device that counts.
    pub excluded: Option<Exclusion>,
    /// The list's words for that reason.
    pub because: Option<String>,
}

/// The addresses of a row.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    pub(super) macs: Vec<MacAddr>,
    pub(super) ips: Vec<IpAddr>,
    group: bool,
    virtual_router: bool,
    /// The first text in a place for MACs that is not a MAC.
    bad_mac: Option<String>,
    /// The first text in a place for addresses that is not an address.
    bad_ip: Option<String>,
}

impl Addresses {
    /// Adds the MACs of a text, separated by spaces, commas, semicolons or bars.
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

    /// Adds the addresses of a text, as [`Self::add_macs`] does; a prefix length is ignored.
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

    /// Adds the addresses to `listed`. Refuses a row whose MAC cannot be read: its address alone could belong to another
    /// device.
    pub(super) fn into_device(self, mut listed: ListedDevice) -> Result<ListedDevice, String> {
        let Self { mut macs, mut ips, group, virtual_router, bad_mac, bad_ip } = self;
        macs.sort_unstable();
        macs.dedup();
        ips.sort_unstable();
        ips.dedup();
        if let Some(bad) = bad_mac.filter(|_| macs.is_empty()) {
            return Err(format!("'{bad}' is no MAC address; write it as aa:bb:cc:dd:ee:ff")); // english: ok, as reports show it
        }
        if let Some(bad) = bad_ip.filter(|_| macs.is_empty() && ips.is_empty()) {
            return Err(format!("'{bad}' is not an IP address, and the row has no MAC"));
        }
        if macs.is_empty() && listed.excluded.is_none() {
            if virtual_router {
                listed.excluded = Some(Exclusion::Verdict(Verdict::Virtual));
            } else if group && ips.is_empty() {
                listed.excluded = Some(Exclusion::Group);
            }
        }
        (listed.macs, listed.ips) = (macs, ips);
        listed.ids.sort_unstable();
        listed.ids.dedup();
        Ok(listed)
    }
}

fn words(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '|' | '(' | ')'))
        .filter(|w| !w.is_empty())
}

/// The MAC and address that the report shows for a row.
pub(super) fn shown(listed: &ListedDevice) -> (Option<MacAddr>, Option<IpAddr>) {
    (listed.macs.first().copied(), listed.ips.first().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(macs: &str, ips: &str) -> Result<ListedDevice, String> {
        let mut addresses = Addresses::default();
        addresses.add_macs(macs);
        addresses.add_ips(ips);
        addresses.into_device(ListedDevice::default())
    }

    #[test]
    fn several_macs_and_addresses_of_a_cell_are_read_in_every_usual_form() {
        let e = device("00-40-8C-00-00-01; 0040.8c00.0002", "10.0.0.5/24, fe80::1%eth0 2001:db8::1").unwrap();
        assert_eq!(e.macs.len(), 2);
        assert_eq!(e.ips, ["10.0.0.5".parse::<IpAddr>().unwrap(), "2001:db8::1".parse().unwrap()]);
        assert_eq!(device("00:00:00:00:00:00", "n/a").unwrap(), ListedDevice::default());
        assert_eq!(device("", "::ffff:10.0.0.5").unwrap().ips, ["10.0.0.5".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn addresses_that_are_not_a_device_s_exclude_a_row_and_garbage_makes_it_unreadable() {
        assert_eq!(device("01:00:5e:00:00:fb", "").unwrap().excluded, Some(Exclusion::Group));
        assert_eq!(device("", "224.0.0.251").unwrap().excluded, Some(Exclusion::Group));
        assert_eq!(
            device("00:00:5e:00:01:0a", "10.0.0.1").unwrap().excluded,
            Some(Exclusion::Verdict(Verdict::Virtual))
        );
        assert!(device("1.23E+11", "10.0.0.1").unwrap_err().contains("no MAC address"));
        assert!(device("", "dynamic").unwrap_err().contains("not an IP address"));
        assert!(device("00:40:8c:00:00:01", "dynamic").is_ok());
    }
}
