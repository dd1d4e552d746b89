//! Deeds: what a station did, each proved by one frame of its own.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::crowd::{self, Crowd, Thing};
use crate::census::clamp::Clamp;
use crate::census::coupling::CouplingKey;
use crate::census::time::{HOUR, Timestamp};

/// A deed remembers on which of the 32 days before its newest frame it was done.
const DAYS: u32 = 32;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $kind:ident $key:literal $enough:literal),* $(,)?) => {
        /// The kinds of deeds. The number of a kind says how many distinct things in two neighbouring windows of five minutes
        /// are many; 0 if nothing adds up.
        #[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        pub enum DeedKind {
            $($(#[doc = $doc])* #[serde(rename = $key)] $kind,)*
        }

        impl DeedKind {
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// The name on the wire and in documents.
            pub const fn key(self) -> &'static str {
                match self { $(Self::$kind => $key,)* }
            }

            /// How many distinct things are many; 0 if nothing adds up.
            pub const fn enough(self) -> usize {
                match self { $(Self::$kind => $enough,)* }
            }
        }
    };
}

kinds! {
    /// It opened TCP connections to hosts of the local network; the things are ports.
    OpensPorts "opens_ports" 24,
    /// It opened TCP connections to this port; the things are hosts of the local network.
    OpensHosts "opens_hosts" 20,
    /// It opened TCP connections to ports that worms use; the things are hosts of the Internet.
    OpensPublic "opens_public" 10,
    /// It opened TCP connections to ports of industrial protocols; the things are hosts.
    OpensControl "opens_control" 8,
    /// It told the peer that nothing listens there; the things are ports.
    Closes "closes" 16,
    /// It asked by ARP; the things are addresses.
    AsksArp "asks_arp" 64,
    /// It refused the peer's log-in by this protocol; the things are attempts.
    Refuses "refuses" 20,
    /// It challenged or refused the peer's registration by SIP, as it does once for each honest one; the things are attempts.
    Challenges "challenges" 40,
    /// It admitted the peer's log-in by this protocol.
    Admits "admits" 0,
    /// It greeted the peer on a new session of this protocol; the things are the peer's ports.
    Greets "greets" 8,
    /// It answered for names by this protocol; the things are names.
    AnswersNames "answers_names" 3,
    /// It asked for names under this domain; the things are names.
    AsksNames "asks_names" 32,
    /// It asked the peer for names too long for people; the things are names.
    AsksLong "asks_long" 32,
    /// It offered leases with this router and these resolvers; the things are clients.
    Offers "offers" 128,
    /// It advertised itself as a router with this prefix.
    Advertises "advertises" 0,
    /// It commanded the peer, an industrial device.
    Commands "commands" 0,
    /// It showed this posture: a secure or an insecure way to administer it.
    Shows "shows" 0,
    /// It used an entry of the list of default credentials with the peer; the things are attempts.
    TriesDefault "tries_default" 3,
    /// It sent passwords in clear to the peer by this protocol; the things are twelve bits of the digest of each, which tell
    /// different ones apart and do not tell which they were.
    Presents "presents" 12,
    /// It opened a connection to this indicator.
    Contacts "contacts" 0,
    /// The indicator answered it.
    Hears "hears" 0,
    /// It asked for this indicator.
    Asks "asks" 0,
    /// It asked a router to let the Internet in to this port.
    Maps "maps" 0,
    /// It spoke a protocol for mining.
    Mines "mines" 0,
    /// It accepted connections on this port; the things are hosts of the Internet.
    Accepts "accepts" 5,
    /// It moved firmware.
    MovesFirmware "moves_firmware" 0,
    /// It opened connections to this port of this host of the Internet; the things are those of its own ports of which the
    /// worker takes one in sixteen.
    Floods "floods" 60,
    /// A resolver told it that names do not exist; the things are the domains under which they would be registered.
    Misses "misses" 20,
    /// It opened connections to the Internet by this port, which few services have.
    Reaches "reaches" 0,
    /// Its card asked for a lease as this program, under this host name.
    Leases "leases" 0,
    /// It proved itself on this port by a certificate that ends on this day.
    Certifies "certifies" 0,
    /// It asked the peer, a host of the Internet, to look names up for it.
    Resolves "resolves" 0,
    /// It handed out the peer as a resolver.
    NamesResolver "names_resolver" 0,
    /// It opened connections to this port of this host of the Internet, which few services have; the things are three bits of its
    /// own ports, hashed.
    Returns "returns" 5,
}

impl DeedKind {
    /// The most deeds of this kind of one station: those with the smallest keys stay, in whatever order they come. So who
    /// tries all ports, or a server with many clients, leaves room for what else it does.
    pub const fn most(self) -> usize {
        match self {
            Self::Resolves | Self::NamesResolver | Self::Returns => 16,
            Self::OpensHosts
            | Self::Accepts
            | Self::Shows
            | Self::Floods
            | Self::Reaches
            | Self::Leases
            | Self::Certifies => 32,
            _ => 256,
        }
    }

    /// How many distinct things are many over ten hours, however few of them one window has; 0 if that says nothing.
    pub const fn many(self) -> usize {
        match self {
            Self::OpensHosts => 32,
            _ => 0,
        }
    }

    /// In how many of 72 windows, which are six hours, something is steady, however few things one window has; 0 if that says
    /// nothing.
    pub const fn steady(self) -> u32 {
        match self {
            Self::Returns => 65,
            _ => 0,
        }
    }

    /// How many distinct things of one window make a deed worth a place in the table.
    pub const fn worth(self) -> usize {
        match self {
            Self::Floods => 8,
            _ => 1,
        }
    }
}

/// Names a deed within its zone.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct DeedKey {
    /// The station whose frames proved it.
    #[serde(rename = "d")]
    pub doer: CouplingKey,
    #[serde(rename = "k")]
    pub kind: DeedKind,
    /// To whom.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<IpAddr>,
    /// By which port; 0 if that says nothing.
    #[serde(rename = "p", default, skip_serializing_if = "is_no_port")]
    pub port: u16,
    /// What the kind says: a protocol, a command, a posture, a domain. At most [`LABEL_BYTES`].
    #[serde(rename = "l", default, skip_serializing_if = "SmolStr::is_empty")]
    pub label: SmolStr,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_no_port(port: &u16) -> bool {
    *port == 0
}

/// The most bytes of a label: the longest name of DNS, and what it stands for.
pub const LABEL_BYTES: usize = 264;

/// When a deed was done, and how many things it was done to. Merging is a join.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Deed {
    #[serde(rename = "a")]
    pub first: Timestamp,
    #[serde(rename = "z")]
    pub last: Timestamp,
    /// The UTC days: bit `i` stands for the day `i` before that of `last`.
    #[serde(rename = "y", default = "today")]
    days: u32,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    crowd: Option<Box<Crowd>>,
}

const fn today() -> u32 {
    1
}

impl Deed {
    /// A deed that frames from `first` to `last`, of one window, showed; `thing` if its kind adds up.
    pub fn new(first: Timestamp, last: Timestamp, kind: DeedKind, thing: Option<Thing>) -> Self {
        let crowd = thing.filter(|_| kind.enough() > 0).map(|thing| {
            let mut crowd = Crowd::of(thing.clone(), first, kind);
            if !crowd::is_same_window(first, last) {
                crowd.add(&thing, last, kind);
            }
            Box::new(crowd)
        });
        let mut new = Self { first, last: first, days: 1, crowd };
        new.done(last, 1);
        new
    }

    /// Joins what frames from `first` to `last`, of one window, showed; returns whether more changed than the
    /// minute of `last`.
    pub fn add(&mut self, first: Timestamp, last: Timestamp, kind: DeedKind, thing: Option<&Thing>) -> bool {
        let state = |d: &Self| (d.first, d.days, d.last.0.div_euclid(HOUR));
        let before = state(self);
        self.first = self.first.min(first);
        self.done(first, 1);
        self.done(last, 1);
        let mut changed = before != state(self);
        if let (Some(thing), 1..) = (thing, kind.enough()) {
            changed |= match &mut self.crowd {
                Some(crowd) => {
                    let early = crowd.add(thing, first, kind);
                    // A thing that was met in a window is not met there again.
                    (!crowd::is_same_window(first, last) && crowd.add(thing, last, kind)) || early
                }
                None => {
                    self.crowd = Self::new(first, last, kind, Some(thing.clone())).crowd;
                    true
                }
            };
        }
        changed
    }

    fn done(&mut self, at: Timestamp, days: u32) {
        let newest = self.last.max(at);
        let back = |t: Timestamp, days: u32| {
            u32::try_from(newest.day() - t.day()).ok().and_then(|n| days.checked_shl(n)).unwrap_or(0)
        };
        self.days = back(self.last, self.days) | back(at, days);
        self.last = newest;
    }

    /// On how many of the newest 32 days it was done.
    pub const fn days(&self) -> u32 {
        self.days.count_ones()
    }

    /// On how many UTC days both were done, of the newest 32 of each.
    pub fn common_days(&self, other: &Self) -> u32 {
        let (newer, older) = if self.last >= other.last { (self, other) } else { (other, self) };
        let back = u32::try_from(newer.last.day() - older.last.day()).unwrap_or(DAYS);
        (newer.days & older.days.checked_shl(back).unwrap_or(0)).count_ones()
    }

    /// Its things, if its kind adds up.
    pub fn crowd(&self) -> Option<&Crowd> {
        self.crowd.as_deref()
    }

    /// Joins `other`; returns whether anything changed.
    pub fn merge(&mut self, other: &Self, kind: DeedKind) -> bool {
        let before = (self.first, self.last, self.days);
        self.first = self.first.min(other.first);
        self.done(other.last, other.days);
        let changed = before != (self.first, self.last, self.days);
        match (&mut self.crowd, &other.crowd) {
            (Some(crowd), Some(more)) => crowd.merge(more, kind) || changed,
            (None, Some(more)) => {
                self.crowd = Some(more.clone());
                true
            }
            _ => changed,
        }
    }

    /// What frames before `as_of` showed; `None` if all came later.
    #[must_use]
    pub(super) fn until(&self, as_of: Timestamp) -> Option<Self> {
        if self.first >= as_of {
            return None;
        }
        let mut out = self.clone();
        if out.last >= as_of {
            let last = as_of.plus(-1);
            let back = u32::try_from(out.last.day() - last.day()).unwrap_or(DAYS);
            out.days = out.days.checked_shr(back).unwrap_or(0) | 1;
            out.last = last;
            out.crowd = out.crowd.map(|crowd| Box::new(crowd.until(as_of)));
        }
        Some(out)
    }

    /// Takes times later than the latest instant as that instant.
    pub(super) fn clamp(&mut self, clamp: &mut Clamp, kind: DeedKind) {
        let (first, last) = (clamp.at(self.first), clamp.at(self.last));
        let back = u32::try_from(self.last.day() - last.day()).unwrap_or(DAYS);
        if last < self.last {
            self.days = self.days.checked_shr(back).unwrap_or(0) | 1;
        }
        (self.first, self.last) = (first, last);
        if let Some(crowd) = &mut self.crowd {
            crowd.clamp(clamp.latest(), kind);
        }
    }

    /// Restores what facts from outside may lack.
    pub(crate) fn normalise(&mut self, kind: DeedKind) {
        match (kind.enough(), &mut self.crowd) {
            (0, crowd) => *crowd = None,
            (_, Some(crowd)) => crowd.normalise(kind),
            _ => {}
        }
        self.days |= 1;
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        size_of::<(DeedKey, Self)>() + self.crowd.as_ref().map_or(0, |c| size_of::<Crowd>() + c.len() * 64)
    }
}
