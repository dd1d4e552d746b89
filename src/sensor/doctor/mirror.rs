//! Whether an interface receives frames as a mirror port does: of other machines, in both directions, once.

use std::collections::BTreeSet;

use super::{CheckOutcome, Finding};
use crate::census::MacAddr;

const CHECK: &str = "mirror";
/// Maximum number of pairs of MACs to remember.
const PAIRS: usize = 4_096;
/// Fewer pairs of MACs say nothing about directions.
const FEW: usize = 10;

/// Counts of the received frames.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mirror {
    own: BTreeSet<MacAddr>,
    frames: u64,
    foreign: u64,
    group: u64,
    tagged: u64,
    vlans: BTreeSet<u16>,
    pairs: BTreeSet<(MacAddr, MacAddr)>,
}

impl Mirror {
    /// `own`: the MACs of this host.
    pub(crate) fn new(own: BTreeSet<MacAddr>) -> Self {
        Self { own, ..Self::default() }
    }

    /// Counts an Ethernet frame.
    pub(crate) fn frame(&mut self, data: &[u8]) {
        let Some((to, rest)) = data.split_first_chunk::<6>() else { return };
        let Some((from, mut rest)) = rest.split_first_chunk::<6>() else { return };
        let (to, from) = (MacAddr(*to), MacAddr(*from));
        self.frames += 1;
        let mut tags = 0;
        while let [0x81, 0x00, high, low, inner @ ..] | [0x88, 0xa8, high, low, inner @ ..] = rest {
            self.vlans.insert(u16::from_be_bytes([*high, *low]) & 0xfff);
            rest = inner;
            tags += 1;
        }
        self.tagged += u64::from(tags > 0);
        if to.0[0] & 1 != 0 {
            self.group += 1;
        } else if !self.own.contains(&to) && !self.own.contains(&from) {
            self.foreign += 1;
            if self.pairs.len() < PAIRS {
                self.pairs.insert((from, to));
            }
        }
    }

    /// Judges the frames received on `interface` in `seconds`, of which `duplicates` were copies of others.
    pub(crate) fn judge(&self, interface: &str, seconds: u64, duplicates: u64) -> Vec<Finding> {
        let good = |finding: String| Finding::good(CHECK, interface, finding);
        let other = |outcome, finding: String, remedy: &str| {
            Finding::other(outcome, CHECK, interface, finding, remedy)
        };
        let frames = self.frames;
        if frames == 0 {
            return vec![other(
                CheckOutcome::Problem,
                format!("no frame was received in {seconds} s"),
                "check that the switch mirrors to this port and that capture.filter does not exclude all frames",
            )];
        }
        if self.foreign == 0 {
            return vec![other(
                CheckOutcome::Problem,
                format!("{frames} frames were received in {seconds} s, none of them between other machines"),
                "configure the switch to mirror ports or VLANs to this port; an ordinary port receives only broadcasts",
            )];
        }
        let share = self.foreign * 100 / frames;
        let mut findings = vec![if share < 5 {
            other(
                CheckOutcome::Notice,
                format!("{share} % of {frames} frames in {seconds} s are between other machines"),
                "check that the mirror's sources include the devices' ports or VLANs",
            )
        } else {
            good(format!("{share} % of {frames} frames in {seconds} s are between other machines"))
        }];
        findings.push(self.directions(&good, &other));
        let vlans: Vec<String> = self.vlans.iter().take(16).map(ToString::to_string).collect();
        findings.push(good(if vlans.is_empty() {
            "no frame has a VLAN tag".to_owned()
        } else {
            format!("{} frames have VLAN tags: {}", self.tagged, vlans.join(", "))
        }));
        findings.push(if duplicates * 10 > frames {
            other(
                CheckOutcome::Notice,
                format!("{duplicates} of {frames} frames were received twice"),
                "mirror each link only once (its port or its VLAN, one direction of each port); the count is correct, but the load is doubled",
            )
        } else {
            good(format!("{duplicates} of {frames} frames were received twice"))
        });
        findings
    }

    fn directions(
        &self,
        good: &dyn Fn(String) -> Finding,
        other: &dyn Fn(CheckOutcome, String, &str) -> Finding,
    ) -> Finding {
        let both = self.pairs.iter().filter(|(a, b)| a < b && self.pairs.contains(&(*b, *a))).count();
        let all = self.pairs.len() - both;
        let text = format!("{both} of {all} pairs of machines were seen in both directions");
        if all >= FEW && both * 5 < all {
            other(
                CheckOutcome::Notice,
                text,
                "mirror both directions (SPAN 'both'); with one direction, half of the devices may be missing",
            )
        } else {
            good(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(to: u8, from: u8, tags: &[u16]) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from];
        for tag in tags {
            frame.extend([0x81, 0]);
            frame.extend(tag.to_be_bytes());
        }
        frame.extend([8, 0, 0x45]);
        frame
    }

    fn outcomes(mirror: &Mirror, duplicates: u64) -> Vec<CheckOutcome> {
        mirror.judge("eth1", 5, duplicates).iter().map(|f| f.outcome).collect()
    }

    #[test]
    fn a_good_mirror_shows_others_in_both_directions_once_with_their_tags() {
        let mut mirror = Mirror::new(BTreeSet::new());
        for n in 2..20 {
            mirror.frame(&frame(1, n, &[10]));
            mirror.frame(&frame(n, 1, &[20, 30]));
        }
        assert_eq!(outcomes(&mirror, 1), [CheckOutcome::Good; 4]);
        assert!(mirror.judge("eth1", 5, 0)[2].finding.ends_with("36 frames have VLAN tags: 10, 20, 30"));
    }

    #[test]
    fn an_ordinary_port_is_told_from_a_mirror_port() {
        let mut mirror = Mirror::new(BTreeSet::from([MacAddr([2, 0, 0, 0, 0, 9])]));
        assert_eq!(outcomes(&mirror, 0), [CheckOutcome::Problem]);
        mirror.frame(&[0xff; 60]);
        mirror.frame(&frame(9, 1, &[]));
        mirror.frame(&frame(1, 9, &[]));
        mirror.frame(&[1, 2, 3]);
        assert_eq!(outcomes(&mirror, 0), [CheckOutcome::Problem]);
        assert!(mirror.judge("eth1", 5, 0)[0].finding.starts_with("3 frames"));
    }

    #[test]
    fn one_direction_and_doubled_frames_are_noticed() {
        let mut mirror = Mirror::new(BTreeSet::new());
        for n in 2..20 {
            mirror.frame(&frame(1, n, &[]));
        }
        assert_eq!(
            outcomes(&mirror, 9),
            [CheckOutcome::Good, CheckOutcome::Notice, CheckOutcome::Good, CheckOutcome::Notice]
        );
    }
}
