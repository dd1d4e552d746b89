//! Commands to industrial devices, and firmware on its way.

use super::alert::{Proof, Severity};
use super::derive::{Found, View, proof_of};
use crate::census::conduct::{Deed, DeedKey, DeedKind};

/// Adds what is found in a zone.
pub(super) fn find(view: &View<'_, '_>, out: &mut Vec<Found>) {
    for (key, deed) in view.conduct.of(DeedKind::Commands) {
        if let (Some(device), Some(ruled)) = (view.doer(key), ruling(view, key, deed)) {
            out.push(told(device, key, deed, ruled));
        }
    }
    for (key, deed) in view.conduct.of(DeedKind::MovesFirmware) {
        // Devices read their firmware at each start.
        if let Some(device) = view.doer(key).filter(|_| key.label != "tftp_read") {
            out.push(told(device, key, deed, ("A-FW", None, "It sent firmware")));
        }
    }
    for (key, deed, reached) in view.reached(DeedKind::OpensControl) {
        if let Some(device) = view.doer(key).filter(|_| view.is_settled(reached.first().max(deed.first))) {
            let n = DeedKind::OpensControl.enough();
            let sentence = format!("it opened ports of industrial protocols of {n} or more hosts");
            out.push(Found {
                rule: "A-SCAN-OT",
                device,
                doer: key.doer,
                object: String::new(),
                sentence: "It looks for industrial devices".to_owned(),
                proof: proof_of(deed, reached, sentence),
                severity: None,
            });
        }
    }
}

type Ruling = (&'static str, Option<Severity>, &'static str);

/// Which alert a command is, how bad, and the sentence; `None` if it is none.
fn ruling(view: &View<'_, '_>, key: &DeedKey, deed: &Deed) -> Option<Ruling> {
    // Who commands on so many days is known to.
    let is_known = |rule| i64::from(deed.days()) >= view.number(rule, "days");
    let medium = |rule| is_known(rule).then_some(Severity::Medium);
    let is_new = || view.is_settled(deed.first);
    match key.label.as_str() {
        "s7_stop" | "cip_stop" => Some(("A-S7-STOP", medium("A-S7-STOP"), "It stopped a PLC")),
        "s7_start" | "cip_start" => Some(("A-S7-STOP", medium("A-S7-STOP"), "It started a PLC")),
        "s7_download" | "s7_delete" => {
            Some(("A-PLC-PROG", medium("A-PLC-PROG"), "It changed the program of a PLC"))
        }
        "s7_upload" => Some(("A-PLC-PROG", Some(Severity::Medium), "It read the program of a PLC")),
        "modbus_write" => is_new().then_some(("A-MODBUS-W", None, "It wrote to a Modbus server")),
        "dnp3_control" | "dnp3_write" | "iec104_control" | "bacnet_write" | "cip_write" => {
            is_new().then_some(("A-OT-CTL", None, "It controlled an industrial device"))
        }
        "dnp3_restart" | "dnp3_stop" | "iec104_restart" | "bacnet_restart" | "bacnet_silence"
        | "cip_reset" | "modbus_restart" => {
            Some(("A-OT-RESTART", None, "It restarted or stopped an industrial device"))
        }
        "cip_firmware" => Some(("A-FW", None, "It sent firmware")),
        _ => None,
    }
}

fn told(device: usize, key: &DeedKey, deed: &Deed, (rule, severity, sentence): Ruling) -> Found {
    let to = key.peer.map_or_else(String::new, |ip| ip.to_string());
    let command = key.label.replace('_', " ");
    let proof = Proof {
        sentence: format!("it sent '{command}' to {to}"),
        first: deed.first,
        last: deed.last,
        sample: Vec::new(),
    };
    Found {
        rule,
        device,
        doer: key.doer,
        object: format!("{command} to {to}"),
        sentence: sentence.to_owned(),
        proof,
        severity,
    }
}
