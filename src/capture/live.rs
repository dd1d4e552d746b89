//! Frames from a live interface through libpcap.
//!
//! A blocking read of libpcap never wakes on a quiet link, and its immediate mode costs ten times the processor time.
//! So the handle is non-blocking, and [`Live::poll`] waits on its descriptor. It belongs on a plain thread. Nothing is
//! ever sent: the handle is only read from.
//!
//! Linux takes the 802.1Q tag out of a received frame and keeps it beside the frame; libpcap puts it back for
//! Ethernet (`PACKET_AUXDATA`), so frames arrive here as they were on the wire. Times have nanoseconds, which packet
//! sockets of Linux always provide.

use std::io;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use pcap::{Active, Capture, Precision, Stat};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketType};

use super::fanout::Group;
use crate::census::Timestamp;
use crate::dissect::{Frame, LinkType};

/// `IFF_UP` of netdevice(7).
const IFF_UP: u16 = 1;

/// Frames after which [`Live::poll`] comes back.
const FRAMES: usize = 1_024;
/// Time after which [`Live::poll`] comes back, beside its wait.
const TIME: Duration = Duration::from_millis(100);
/// Frames between two looks at the clock.
const BATCH: usize = 64;

/// What to open, and how.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    pub interface: String,
    /// A filter in the language of tcpdump; empty for all frames.
    pub filter: String,
    /// The kernel's ring in MiB.
    pub ring_mib: u32,
    /// Bytes of each frame that are captured.
    pub snap_length: u32,
    /// Whether frames for other machines are received.
    pub promiscuous: bool,
    /// The rings among which the kernel shares the frames; each has its part of the MiB.
    pub rings: usize,
}

/// Totals of one handle since it was opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Statistics {
    /// Frames that the kernel saw and the filter passed, dropped ones included.
    pub received: u64,
    /// Frames that were dropped because the ring was full.
    pub dropped_ring: u64,
    /// Frames that the interface or its driver dropped.
    pub dropped_interface: u64,
}

/// Why an interface delivers no frames.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LiveError {
    /// The process may not capture.
    #[error(
        "{interface}: capturing is not permitted; run as root, by the systemd unit, or after 'setcap cap_net_raw+ep' on the binary"
    )]
    NotPermitted { interface: String },
    /// The interface does not exist or is down.
    #[error("{interface}: {reason}; 'netcensus-sensor interfaces' lists the interfaces")]
    Away {
        interface: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Its link type is unsupported.
    #[error(
        "{interface}: the link type {number} ({name}) is not read; capture on Ethernet (1), Linux cooked (113, 276) or raw IP (12, 101)"
    )]
    LinkType { interface: String, number: i32, name: String },
    /// The kernel does not share the frames among several rings.
    #[error("{interface}: its frames cannot be shared among threads: {reason}; set capture.threads to 1")]
    Rings { interface: String, reason: String },
    /// The filter is invalid.
    #[error("invalid capture filter '{filter}': {reason}; correct capture.filter")]
    Filter { filter: String, reason: String },
}

impl LiveError {
    /// Whether a later attempt may succeed without a change by a person.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Away { .. })
    }
}

/// An open capture on one interface.
pub struct Live {
    handle: Capture<Active>,
    interface: String,
    link: LinkType,
    known: Stat,
    totals: Statistics,
}

impl Live {
    /// Opens a ring of an interface, one of those of the group.
    ///
    /// # Errors
    /// See [`LiveError`].
    pub(crate) fn open(settings: &Settings, group: &Group) -> Result<Self, LiveError> {
        let interface = settings.interface.clone();
        if !is_there(&interface) {
            return Err(LiveError::Away { interface, reason: "there is no such interface".to_owned() });
        }
        let inactive = Capture::from_device(interface.as_str()).map_err(|e| why(&interface, &e))?;
        let bytes = u64::from(settings.ring_mib) * (1 << 20) / settings.rings.max(1) as u64;
        let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
        let mut handle = inactive
            .promisc(settings.promiscuous)
            .snaplen(i32::try_from(settings.snap_length).unwrap_or(i32::MAX))
            .buffer_size(bytes)
            // How long the kernel may collect frames before it hands over a block that is not full.
            .timeout(100)
            .precision(Precision::Nano)
            .open()
            .and_then(Capture::setnonblock)
            .map_err(|e| why(&interface, &e))?;
        if !settings.filter.is_empty() {
            handle
                .filter(&settings.filter, true)
                .map_err(|e| LiveError::Filter { filter: settings.filter.clone(), reason: text(&e) })?;
        }
        let found = handle.get_datalink();
        let Some(link) = LinkType::from_number(found.0) else {
            let name = found.get_name().unwrap_or_else(|_| "unnamed".to_owned());
            return Err(LiveError::LinkType { interface, number: found.0, name });
        };
        if settings.rings > 1 {
            let refused =
                |e: io::Error| LiveError::Rings { interface: interface.clone(), reason: e.to_string() };
            group.join(handle.as_fd()).map_err(refused)?;
        }
        let known = Stat { received: 0, dropped: 0, if_dropped: 0 };
        Ok(Self { handle, interface, link, known, totals: Statistics::default() })
    }

    /// Waits for frames for at most `wait`, passes some on, and returns their number. It comes back after `FRAMES` frames
    /// or `TIME`, however many there are.
    ///
    /// # Errors
    /// [`LiveError::Away`] if the interface disappeared: open it again.
    pub fn poll(&mut self, wait: Duration, each: &mut dyn FnMut(&Frame<'_>)) -> Result<usize, LiveError> {
        let timeout = Timespec::try_from(wait).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        let events = {
            let mut descriptors = [PollFd::from_borrowed_fd(self.handle.as_fd(), PollFlags::IN)];
            match poll(&mut descriptors, Some(&timeout)) {
                Ok(_) => descriptors.first().map_or(PollFlags::empty(), PollFd::revents),
                // A signal that interrupts the wait is as good as its end.
                Err(_) => PollFlags::empty(),
            }
        };
        match self.dispatch(each) {
            Ok(0) if events.intersects(PollFlags::ERR | PollFlags::HUP) => {
                // The interface is down but may come back on the same handle; the descriptor stays readable.
                std::thread::sleep(wait);
                Ok(0)
            }
            Ok(frames) => Ok(frames),
            Err(pcap::Error::TimeoutExpired) => Ok(0),
            Err(e) => Err(LiveError::Away { interface: self.interface.clone(), reason: text(&e) }),
        }
    }

    /// Passes on what the ring holds, up to the bounds. (libpcap reads on as long as the ring has frames, and looks whether
    /// it should stop only after each block, so it is asked for few at once.)
    fn dispatch(&mut self, each: &mut dyn FnMut(&Frame<'_>)) -> Result<usize, pcap::Error> {
        let (link, start, mut frames) = (self.link, Instant::now(), 0);
        loop {
            let outcome = self.handle.dispatch(Some(BATCH), |packet| {
                let at = Timestamp::from_parts(packet.header.ts.tv_sec, packet.header.ts.tv_usec);
                each(&Frame { at, link, data: packet.data, length: packet.header.len });
            });
            match outcome {
                Ok(read) => frames += read,
                // What was read before counts; an error that stays comes again.
                Err(_) if frames > 0 => return Ok(frames),
                Err(e) => return Err(e),
            }
            if !matches!(outcome, Ok(BATCH..)) || frames >= FRAMES || start.elapsed() >= TIME {
                return Ok(frames);
            }
        }
    }

    /// Totals since the handle was opened.
    pub fn statistics(&mut self) -> Statistics {
        if let Ok(now) = self.handle.stats() {
            advance(&mut self.totals, &self.known, &now);
            self.known = now;
        }
        self.totals
    }

    /// The link type of its frames.
    pub fn link(&self) -> LinkType {
        self.link
    }
}

/// Whether the kernel has an interface of that name in this network namespace. (The files under `/sys/class/net` may
/// be those of another one.)
pub fn exists(interface: &str) -> bool {
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::DGRAM, None);
    socket.is_ok_and(|s| rustix::net::netdevice::name_to_index(s, interface).is_ok())
}

/// Whether an interface can be opened as far as its name goes: `any` stands for all.
pub fn is_there(interface: &str) -> bool {
    interface == "any" || exists(interface)
}

/// Whether an interface is there and up; needs no privilege. If the system does not show its state, it counts
/// as up.
pub fn is_up(interface: &str) -> bool {
    exists(interface) && attribute(interface, "flags").is_none_or(|flags| flags & u64::from(IFF_UP) != 0)
}

/// A number that the system shows of an interface (`/sys/class/net`), in decimal or hex.
pub fn attribute(interface: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/sys/class/net/{interface}/{name}")).ok()?;
    let text = text.trim();
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Checks a filter without a privilege, as it is read for Ethernet.
///
/// # Errors
/// [`LiveError::Filter`] if it is invalid.
pub fn check_filter(filter: &str) -> Result<(), LiveError> {
    let compiled = Capture::dead(pcap::Linktype::ETHERNET).and_then(|dead| dead.compile(filter, true));
    match compiled {
        Ok(_) => Ok(()),
        Err(e) => Err(LiveError::Filter { filter: filter.to_owned(), reason: text(&e) }),
    }
}

/// Adds the difference of two readings of 32-bit counters, which wrap.
fn advance(totals: &mut Statistics, before: &Stat, now: &Stat) {
    totals.received += u64::from(now.received.wrapping_sub(before.received));
    totals.dropped_ring += u64::from(now.dropped.wrapping_sub(before.dropped));
    totals.dropped_interface += u64::from(now.if_dropped.wrapping_sub(before.if_dropped));
}

fn why(interface: &str, error: &pcap::Error) -> LiveError {
    let reason = text(error);
    let interface = interface.to_owned();
    let lower = reason.to_lowercase();
    if lower.contains("cap_net_raw") || lower.contains("permi") {
        LiveError::NotPermitted { interface }
    } else {
        LiveError::Away { interface, reason }
    }
}

/// The message of libpcap alone.
fn text(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(text) if text.is_empty() => "the interface cannot be opened".to_owned(),
        pcap::Error::PcapError(text) => text.trim_end_matches('.').to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_that_wrap_are_added_up() {
        let mut totals = Statistics::default();
        let a = Stat { received: u32::MAX - 1, dropped: 0, if_dropped: 5 };
        advance(&mut totals, &Stat { received: 0, dropped: 0, if_dropped: 0 }, &a);
        advance(&mut totals, &a, &Stat { received: 3, dropped: 2, if_dropped: 5 });
        let expected =
            Statistics { received: u64::from(u32::MAX) + 4, dropped_ring: 2, dropped_interface: 5 };
        assert_eq!(totals, expected);
    }

    #[test]
    fn a_filter_is_checked_without_an_interface() {
        assert!(check_filter("not port 22").is_ok() && check_filter("").is_ok());
        assert!(check_filter("not port").unwrap_err().to_string().contains("capture.filter"));
        assert!(!is_up("nc-none0"));
    }

    #[test]
    fn an_interface_that_is_not_there_may_come() {
        let settings = Settings {
            interface: "nc-none0".into(),
            filter: String::new(),
            ring_mib: 1,
            snap_length: 2_048,
            promiscuous: true,
            rings: 1,
        };
        let error = Live::open(&settings, &Group::default()).err().unwrap();
        assert!(error.may_pass());
        assert!(error.to_string().contains("nc-none0") && error.to_string().contains("interfaces"));
    }
}
