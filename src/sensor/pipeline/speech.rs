//! What one frame said, until it goes to the table as a whole: a lookup and a bound for each set of evidence, not for each
//! word.

use std::net::IpAddr;

use super::tunnels::Tunnels;
use crate::census::{CouplingKey, Field, MacAddr, Timestamp};

/// Whose evidence a word is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Subject {
    Coupling(CouplingKey),
    /// A host that a message of the MAC described (I2).
    Described(CouplingKey),
    Station(MacAddr),
}

impl Subject {
    pub(super) const fn coupling(mac: MacAddr, ip: IpAddr) -> Self {
        Self::Coupling(CouplingKey { mac, ip })
    }

    pub(super) const fn described(mac: MacAddr, ip: IpAddr) -> Self {
        Self::Described(CouplingKey { mac, ip })
    }
}

/// The words of one frame.
#[derive(Debug, Default)]
pub(super) struct Speech {
    words: Vec<Word>,
    /// All values, one after the other.
    text: String,
}

#[derive(Clone, Copy, Debug)]
struct Word {
    /// The number of the tunnel that it came through.
    tunnel: u16,
    of: Subject,
    at: Timestamp,
    field: Field,
    /// Where its value ends in the text.
    end: usize,
}

impl Speech {
    pub(super) fn add(&mut self, tunnel: u16, of: Subject, at: Timestamp, field: Field, value: &str) {
        self.text.push_str(value);
        self.words.push(Word { tunnel, of, at, field, end: self.text.len() });
    }

    /// Passes all on. What is said of one subject one after the other goes together.
    #[inline]
    pub(super) fn merge_into(&mut self, tunnels: &Tunnels<'_>) {
        if !self.words.is_empty() {
            self.merge_words_into(tunnels);
        }
    }

    fn merge_words_into(&mut self, tunnels: &Tunnels<'_>) {
        let mut start = 0;
        for words in self.words.chunk_by(|a, b| (a.tunnel, a.of, a.at) == (b.tunnel, b.of, b.at)) {
            let Some(Word { tunnel, of, at, .. }) = words.first().copied() else { continue };
            let mut said = words.iter().filter_map(|word| {
                let value = self.text.get(start..word.end);
                start = word.end;
                Some((word.field, value?))
            });
            // Without a recorder, there is no room for the tunnel.
            if let Some(rows) = tunnels.recorder(tunnel) {
                match of {
                    Subject::Coupling(key) => rows.coupling_said_all(key, at, &mut said),
                    Subject::Described(key) => rows.coupling_described(key, at, &mut said),
                    Subject::Station(mac) => rows.station_said_all(mac, at, &mut said),
                }
            }
            start = words.last().map_or(start, |word| word.end);
        }
        self.words.clear();
        self.text.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::Field::{DhcpHostname, LldpSysName, MdnsTxt};
    use crate::sensor::pipeline::table::Table;
    use crate::sensor::pipeline::tunnels::LINK;

    #[test]
    fn the_table_is_the_same_as_after_each_word_alone() {
        let (mac, ip) = (MacAddr([2, 0, 0, 0, 0, 1]), IpAddr::from([10, 0, 0, 1]));
        let subjects = [
            Subject::coupling(mac, ip),
            Subject::Station(mac),
            Subject::described(mac, IpAddr::from([10, 0, 0, 2])),
        ];
        let (alone, together, mut speech) = (Table::new(9), Table::new(9), Speech::default());
        for message in 0..5_i64 {
            for n in 0..60_i64 {
                let (of, at) = (subjects[usize::try_from(n / 7 % 3).unwrap()], Timestamp(1_000 - message));
                let field = [DhcpHostname, MdnsTxt, LldpSysName][usize::try_from(n % 3).unwrap()];
                let value = format!("{}", n * 37 % (23 + message));
                speech.add(LINK, of, at, field, &value);
                match of {
                    Subject::Coupling(key) => alone.coupling_said(key, at, field, &value),
                    Subject::Described(key) => {
                        alone.on_link().coupling_described(
                            key,
                            at,
                            &mut std::iter::once((field, value.as_str())),
                        );
                    }
                    Subject::Station(mac) => alone.station_said(mac, at, field, &value),
                }
            }
            speech.merge_into(&Tunnels::alone(&together));
        }
        let (alone, together) = (alone.take_delta(), together.take_delta());
        assert!(alone.couplings.len() == 2 && alone.stations.len() == 1);
        assert_eq!(alone, together);
    }
}
