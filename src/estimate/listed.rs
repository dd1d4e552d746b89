//! What one row says of one device, whatever list it comes from.

use std::net::IpAddr;

use super::cell::text;
use super::exclusion::Exclusion;
use super::limits::ADDRESSES;
use crate::census::address::{is_link_local, is_never_sender};
use crate::census::{MacAddr, Timestamp, Verdict};

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
    pub(super) fn into_device(self, mut listed: ListedDevice) -> Result<ListedDevice, String> {
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

/// Which MAC and address a row is shown with.
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
    fn what_can_be_no_device_is_told_from_what_cannot_be_read() {
        assert_eq!(device("01:00:5e:00:00:fb", "").unwrap().excluded, Some(Exclusion::Group));
        assert_eq!(device("", "224.0.0.251").unwrap().excluded, Some(Exclusion::Group));
        assert_eq!(
            device("00:00:5e:00:01:0a", "10.0.0.1").unwrap().excluded,
            Some(Exclusion::Verdict(Verdict::Virtual))
        );
        assert!(device("1.23E+11", "10.0.0.1").unwrap_err().contains("no MAC address"));
        assert!(device("", "dynamic").unwrap_err().contains("no IP address"));
        assert!(device("00:40:8c:00:00:01", "dynamic").is_ok());
    }
}
