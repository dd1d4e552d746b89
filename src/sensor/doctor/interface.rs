//! Whether an interface exists, is up, connected and promiscuous.

use super::{CheckOutcome, Finding};
use crate::capture::live::{attribute, exists};

const CHECK: &str = "interface";
/// Flags of netdevice(7).
const IFF_UP: u64 = 0x1;
const IFF_PROMISC: u64 = 0x100;

/// What the system reports about an interface; `None` if it does not report it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Shown {
    pub(crate) exists: bool,
    pub(crate) flags: Option<u64>,
    /// 1 while a cable is connected.
    pub(crate) carrier: Option<u64>,
}

pub(crate) fn look(interface: &str) -> Shown {
    Shown {
        exists: exists(interface),
        flags: attribute(interface, "flags"),
        carrier: attribute(interface, "carrier"),
    }
}

/// `captured`: whether a running sensor captures on it. `promiscuous`: whether it should be promiscuous.
pub(crate) fn judge(interface: &str, shown: Shown, captured: bool, promiscuous: bool) -> Vec<Finding> {
    let other = |outcome, finding: &str, remedy: String| {
        vec![Finding::other(outcome, CHECK, interface, finding, remedy)]
    };
    if !shown.exists {
        let remedy =
            "correct capture.interfaces; 'netcensus-sensor interfaces' lists the interfaces".to_owned();
        return other(CheckOutcome::Problem, "the interface does not exist", remedy);
    }
    let Some(flags) = shown.flags else {
        let remedy = "run doctor in the sensor's network namespace, with its /sys".to_owned();
        return other(CheckOutcome::Unchecked, "the system does not report its state", remedy);
    };
    if flags & IFF_UP == 0 {
        return other(
            CheckOutcome::Problem,
            "the interface is down",
            format!("bring it up: ip link set {interface} up"),
        );
    }
    if shown.carrier == Some(0) {
        let remedy = "check the cable and the switch port".to_owned();
        return other(CheckOutcome::Problem, "the interface is up, but no cable is connected", remedy);
    }
    if captured && promiscuous && flags & IFF_PROMISC == 0 {
        let remedy =
            "restart the sensor; if that does not help, the driver refuses promiscuous mode: use another network card".to_owned();
        return other(
            CheckOutcome::Problem,
            "the interface is not promiscuous, so it receives only this host's frames",
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
