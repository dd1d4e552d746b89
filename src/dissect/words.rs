//! What a dissector says, and of whom: of the sender, or of a host that the message names by its addresses (I2).

use std::net::{IpAddr, Ipv6Addr};

use super::Budget;
use crate::census::address::is_never_sender;
use crate::census::{Field, MacAddr, Sign, cleaned};

/// Addresses of one described host that are kept.
const ADDRESSES: usize = 8;
/// A word about a host that did not send it makes a row, so it costs as much as one that is longer by that many bytes.
const DESCRIBED: usize = 240;
/// An address makes a coupling, so it costs as much as a word of that many bytes.
const ADDRESS: usize = 200;

/// Receives what one packet says. A dissector says what it understood, passes over the parts that are broken, and returns
/// the first break.
pub struct Words<'a> {
    listener: Listener<'a>,
    reach: Option<&'a mut dyn FnMut(IpAddr, Sign)>,
    /// The addresses of the host that the words describe; empty for the sender.
    subject: Vec<IpAddr>,
    taken: bool,
    budget: Purse<'a>,
}

/// Whose budget the words spend.
enum Purse<'a> {
    Own(Budget),
    /// That of the words of which these are a part.
    Whole(&'a mut Budget),
}

impl Purse<'_> {
    const fn get(&mut self) -> &mut Budget {
        match self {
            Purse::Own(budget) => budget,
            Purse::Whole(budget) => budget,
        }
    }
}

/// Who receives the words.
enum Listener<'a> {
    /// Somebody who takes all words for the sender's.
    All(&'a mut dyn FnMut(Field, &str)),
    /// Somebody who gets the address of the host if it is not the sender.
    Sorted(Sender, &'a mut dyn FnMut(Option<IpAddr>, Field, &str)),
}

/// The source of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender {
    pub(super) mac: MacAddr,
    pub(super) ip: IpAddr,
}

impl Sender {
    /// Whether the address is the packet's source, or shows by its interface identifier that it is of the same card.
    fn has(self, ip: IpAddr) -> bool {
        let IpAddr::V6(v6) = ip else { return ip == self.ip };
        let interface = |ip: Ipv6Addr| {
            let [.., a, b, c, d, e, f, g, h] = ip.octets();
            [a, b, c, d, e, f, g, h]
        };
        // RFC 4291 appendix A.
        let [a, b, c, d, e, f] = self.mac.0;
        interface(v6) == [a ^ 2, b, c, 0xff, 0xfe, d, e, f]
            || matches!(self.ip, IpAddr::V6(own) if own == v6
                || (own.is_unicast_link_local() || v6.is_unicast_link_local())
                    && interface(own) == interface(v6))
    }
}

impl<'a> Words<'a> {
    /// Words that `hear` receives, each cleaned and at most [`VALUE_BYTES`](crate::census::VALUE_BYTES) long. All count as
    /// the sender's.
    pub fn new(hear: &'a mut dyn FnMut(Field, &str)) -> Self {
        Self::to(Listener::All(hear))
    }

    /// Words in a packet of `sender`. If they describe another host, `hear` receives its address.
    pub(super) fn of(sender: Sender, hear: &'a mut dyn FnMut(Option<IpAddr>, Field, &str)) -> Self {
        Self::to(Listener::Sorted(sender, hear))
    }

    fn to(listener: Listener<'a>) -> Self {
        let budget = Purse::Own(Budget::default());
        Self { listener, reach: None, subject: Vec::new(), taken: false, budget }
    }

    /// What is left for the message.
    pub(super) const fn budget(&mut self) -> &mut Budget {
        self.budget.get()
    }

    /// Begins another message, with a budget of its own.
    pub fn begin_message(&mut self) {
        *self.budget() = Budget::default();
    }

    /// The same, with the sender's addresses for `reach`.
    pub(super) fn with_addresses(self, reach: &'a mut dyn FnMut(IpAddr, Sign)) -> Self {
        Self { reach: Some(reach), ..self }
    }

    /// Words about the host with these addresses: the sender's own if one of them is the sender's, or if none can be a
    /// host's.
    pub(super) fn about(&mut self, addresses: &[IpAddr]) -> Words<'_> {
        let mut subject = Vec::new();
        if !self.is_about_sender(addresses) {
            for ip in addresses.iter().filter(|ip| !is_never_sender(**ip)) {
                if subject.len() < ADDRESSES && !subject.contains(ip) {
                    subject.push(*ip);
                }
            }
        }
        let listener = match &mut self.listener {
            Listener::All(hear) => Listener::All(*hear),
            Listener::Sorted(sender, hear) => Listener::Sorted(*sender, *hear),
        };
        Words { listener, reach: None, subject, taken: false, budget: Purse::Whole(self.budget.get()) }
    }

    /// Whether a host with these addresses is the sender. It is if the sender is unknown.
    pub(super) fn is_about_sender(&self, addresses: &[IpAddr]) -> bool {
        match &self.listener {
            Listener::All(_) => true,
            Listener::Sorted(sender, _) => {
                addresses.iter().any(|ip| sender.has(*ip)) || addresses.iter().all(|ip| is_never_sender(*ip))
            }
        }
    }

    /// Notes that dispatch found a dissector.
    pub(super) const fn mark_taken(&mut self) {
        self.taken = true;
    }

    /// Whether dispatch found a dissector.
    pub(super) const fn is_taken(&self) -> bool {
        self.taken
    }

    /// Says a string from the network after cleaning it (see [`clean`](crate::census::clean)). Says nothing if nothing is left.
    pub fn say(&mut self, field: Field, bytes: &[u8]) {
        // What may not be said need not be cleaned.
        if !self.budget().is_silent()
            && let Some(text) = cleaned(bytes)
        {
            self.tell(field, &text);
        }
    }

    /// Says a constant of this program, which needs no cleaning.
    pub fn label(&mut self, field: Field, word: &'static str) {
        self.tell(field, word);
    }

    /// Says a number in decimal.
    pub fn number(&mut self, field: Field, n: u64) {
        self.tell(field, itoa::Buffer::new().format(n));
    }

    /// Says the first 64 bytes as lower-case hex.
    pub fn hex(&mut self, field: Field, bytes: &[u8]) {
        let text = hex::encode(bytes.get(..64).unwrap_or(bytes));
        if !text.is_empty() {
            self.tell(field, &text);
        }
    }

    /// Says an address at which the sender is managed, and what kind of proof that is (I4). Only announcements of the link
    /// layer prove addresses; other packets' are dropped.
    pub(super) fn address(&mut self, ip: IpAddr, proof: Sign) {
        if let Some(reach) = &mut self.reach
            && self.budget.get().word(ADDRESS)
        {
            reach(ip, proof);
        }
    }

    fn tell(&mut self, field: Field, value: &str) {
        let budget = self.budget.get();
        match &mut self.listener {
            Listener::All(hear) if budget.word(value.len()) => hear(field, value),
            Listener::Sorted(_, hear) if self.subject.is_empty() => {
                if budget.word(value.len()) {
                    hear(None, field, value);
                }
            }
            Listener::Sorted(_, hear) => {
                for ip in self.subject.iter().take_while(|_| budget.word(value.len() + DESCRIBED)) {
                    hear(Some(*ip), field, value);
                }
            }
            Listener::All(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::testing::described;

    const MAC: MacAddr = MacAddr([0x00, 0x1b, 0x54, 1, 2, 3]);

    fn of(sender: &str, addresses: &[&str]) -> Vec<String> {
        let addresses: Vec<IpAddr> = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
        described(MAC, sender, |words| {
            words.about(&addresses).label(Field::MdnsHostname, "x");
            Ok(())
        })
        .0
    }

    #[test]
    fn words_about_an_address_of_the_sender_are_the_senders() {
        let own = ["mdns.hostname=x"];
        assert_eq!(of("192.0.2.1", &["192.0.2.9", "192.0.2.1"]), own);
        assert_eq!(of("192.0.2.1", &[]), own);
        assert_eq!(of("192.0.2.1", &["127.0.0.1", "0.0.0.0", "::1"]), own);
        assert_eq!(of("192.0.2.1", &["fe80::21b:54ff:fe01:203"]), own, "made of the MAC");
        assert_eq!(of("fe80::9:8:7:6", &["2001:db8::9:8:7:6"]), own, "the same interface identifier");
    }

    #[test]
    fn words_about_other_addresses_describe_their_hosts() {
        assert_eq!(
            of("192.0.2.1", &["192.0.2.9", "127.0.0.1", "192.0.2.9", "2001:db8::1"]),
            ["192.0.2.9 mdns.hostname=x", "2001:db8::1 mdns.hostname=x"]
        );
        assert_eq!(of("2001:db8:1::1", &["2001:db8:2::1"]).len(), 1);
        let many: Vec<String> = (1..=40).map(|n| format!("192.0.2.{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(of("198.51.100.1", &many).len(), ADDRESSES);
    }
}
