//! How many connections may be open, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;

use super::limits::network;
use crate::census::Prefix;

/// File descriptors that are left for the database and the rest.
const OTHER_FILES: usize = 256;

/// `[connections]`: how many may be open at once.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectionLimits {
    /// In all. Each takes a file descriptor and some tens of KiB.
    pub most: NonZeroUsize,
    /// From one address (of IPv6, one /64) that is not a trusted proxy's. Many sensors may share one address.
    pub of_address: NonZeroUsize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        let of = |n| NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MIN);
        Self { most: of(10_000), of_address: of(6_000) }
    }
}

impl ConnectionLimits {
    /// The limits of a process that may open so many files: connections leave some for the database.
    #[must_use]
    pub fn within(self, files: usize) -> Self {
        let room = files.saturating_sub(OTHER_FILES).max(files / 2);
        let room = NonZeroUsize::new(room).unwrap_or(NonZeroUsize::MIN);
        Self { most: self.most.min(room), ..self }
    }
}

/// The number of files that this process may open, as Linux tells; `None` if it does not.
pub fn open_files() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok())
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ConnectionLimit {
    All,
    Address,
}

impl ConnectionLimit {
    /// Its name in the metrics.
    pub const fn key(self) -> &'static str {
        match self {
            Self::All => "connections",
            Self::Address => "connections-of-address",
        }
    }
}

/// The open connections.
#[derive(Debug)]
pub struct Connections {
    limits: ConnectionLimits,
    /// Their addresses have no limit: each stands for many clients.
    proxies: Vec<Prefix>,
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The place of an open connection, until it is dropped.
#[derive(Debug)]
pub struct Place {
    open: Arc<Mutex<Open>>,
    address: IpAddr,
}

impl Connections {
    /// None is open yet.
    pub fn new(limits: ConnectionLimits, proxies: Vec<Prefix>) -> Self {
        Self { limits, proxies, open: Arc::default() }
    }

    /// A place for a connection from `address`.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn admit(&self, address: IpAddr) -> Result<Place, ConnectionLimit> {
        let is_proxy = self.proxies.iter().any(|prefix| prefix.contains(address.to_canonical()));
        let address = network(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.by_address.get(&address).copied().unwrap_or_default();
        if open.all >= self.limits.most.get() {
            return Err(ConnectionLimit::All);
        }
        if own >= self.limits.of_address.get() && !is_proxy {
            return Err(ConnectionLimit::Address);
        }
        open.all += 1;
        open.by_address.insert(address, own + 1);
        Ok(Place { open: Arc::clone(&self.open), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all -= 1;
        if let Some(own) = open.by_address.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_database() {
        let limits = ConnectionLimits::default();
        let most = |files| limits.within(files).most.get();
        assert_eq!((most(65_536), most(1_024), most(100), most(0)), (10_000, 768, 50, 1));
        assert!(open_files().is_some_and(|files| files > 0));
    }

    #[test]
    fn one_address_does_not_take_the_places_of_all_unless_it_is_a_proxy() {
        let of = |n| NonZeroUsize::new(n).unwrap();
        let limits = ConnectionLimits { most: of(8), of_address: of(3) };
        let connections = Connections::new(limits, vec!["10.0.0.0/8".parse().unwrap()]);
        let take = |address: &str| connections.admit(address.parse().unwrap());
        let held: Vec<_> = (0..3).map(|n| take(&format!("2001:db8::{n}")).unwrap()).collect();
        assert_eq!(take("2001:db8::9").unwrap_err(), ConnectionLimit::Address, "the same /64");
        let others: Vec<_> = (0..5).map(|_| take("::ffff:10.0.0.1").unwrap()).collect();
        assert_eq!(take("192.0.2.1").unwrap_err(), ConnectionLimit::All);
        drop(held);
        assert!(take("2001:db8::9").is_ok() && take("192.0.2.1").is_ok());
        drop(others);
        assert_eq!(connections.open.lock().unwrap().by_address.len(), 0);
    }
}
