//! Whether an interface is there, up, connected and promiscuous.

use super::{CheckOutcome, Finding};
use crate::capture::live::{attribute, exists};

const CHECK: &str = "interface";
/// Flags of netdevice(7).
const IFF_UP: u64 = 0x1;
const IFF_PROMISC: u64 = 0x100;

/// What the system shows of an interface. `None` where it does not show it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Shown {
    /// Whether there is one of that name.
    pub exists: bool,
    /// Its flags.
    pub flags: Option<u64>,
    /// 1 while it is connected.
    pub carrier: Option<u64>,
}

/// Looks at an interface.
pub fn look(interface: &str) -> Shown {
    Shown {
        exists: exists(interface),
        flags: attribute(interface, "flags"),
        carrier: attribute(interface, "carrier"),
    }
}

/// Judges it. `captured` is whether a running sensor captures on it, and `promiscuous` whether it should be.
pub fn judge(interface: &str, shown: Shown, captured: bool, promiscuous: bool) -> Vec<Finding> {
    let other = |outcome, finding: &str, remedy: String| {
        vec![Finding::other(outcome, CHECK, interface, finding, remedy)]
    };
    if !shown.exists {
        let remedy = "set capture.interfaces to what 'netcensus-sensor interfaces' lists".to_owned();
        return other(CheckOutcome::Problem, "there is no such interface", remedy);
    }
    let Some(flags) = shown.flags else {
        let remedy = "run doctor where /sys is that of the sensor's network".to_owned();
        return other(CheckOutcome::Unchecked, "the system does not show its state", remedy);
    };
    if flags & IFF_UP == 0 {
        return other(
            CheckOutcome::Problem,
            "it is down",
            format!("bring it up: ip link set {interface} up"),
        );
    }
    if shown.carrier == Some(0) {
        let remedy = "check the cable and the switch's port".to_owned();
        return other(CheckOutcome::Problem, "it is up, but nothing is connected", remedy);
    }
    if captured && promiscuous && flags & IFF_PROMISC == 0 {
        let remedy =
            "restart the sensor; a driver that refuses promiscuous mode needs another card".to_owned();
        return other(
            CheckOutcome::Problem,
            "it is not promiscuous, so it shows this host's frames alone",
            remedy,
        );
    }
    let promiscuous = if flags & IFF_PROMISC == 0 { "" } else { ", promiscuous" };
    vec![Finding::good(CHECK, interface, format!("up and connected{promiscuous}"))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_of_an_interface_has_its_outcome() {
        let up = Shown { exists: true, flags: Some(IFF_UP | IFF_PROMISC), carrier: Some(1) };
        let outcome = |shown, captured| judge("eth1", shown, captured, true)[0].outcome;
        assert_eq!(outcome(up, true), CheckOutcome::Good);
        assert_eq!(outcome(Shown { flags: Some(IFF_UP), ..up }, false), CheckOutcome::Good);
        assert_eq!(outcome(Shown { flags: Some(IFF_UP), ..up }, true), CheckOutcome::Problem);
        assert_eq!(outcome(Shown { carrier: Some(0), ..up }, true), CheckOutcome::Problem);
        assert_eq!(outcome(Shown { flags: Some(0), ..up }, true), CheckOutcome::Problem);
        assert_eq!(outcome(Shown { flags: None, ..up }, true), CheckOutcome::Unchecked);
        assert_eq!(outcome(Shown::default(), true), CheckOutcome::Problem);
    }
}
