//! Capabilities: all are given up, but `CAP_NET_RAW` where interfaces are opened again.

use rustix::io;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities,
};

/// Keeps nothing, or `CAP_NET_RAW` alone where the thread has it. Tells what is left.
pub(super) fn keep(net_raw: bool) -> Result<String, String> {
    let wanted = if net_raw { CapabilitySet::NET_RAW } else { CapabilitySet::empty() };
    reduce(wanted).map_err(|e| format!("capabilities cannot be given up: {e}"))?;
    let left = capabilities(None).map_err(|e| format!("capabilities cannot be read: {e}"))?;
    let all = left.effective | left.permitted | left.inheritable;
    if !wanted.contains(all) {
        return Err(format!("more than wanted is left: {all:?}"));
    }
    Ok(if all.is_empty() {
        "none is left".to_owned()
    } else {
        "CAP_NET_RAW is left to the capture threads, which open interfaces that come again".to_owned()
    })
}

fn reduce(wanted: CapabilitySet) -> io::Result<()> {
    // Removing from the bounding set needs CAP_SETPCAP; who lacks it can gain nothing by another program anyway, as
    // no_new_privileges holds.
    for bit in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        if wanted.contains(one) {
            continue;
        }
        match capability_is_in_bounding_set(one) {
            Ok(true) => match remove_capability_from_bounding_set(one) {
                Ok(()) | Err(io::Errno::PERM) => {}
                Err(e) => return Err(e),
            },
            Ok(false) => {}
            // The kernel knows no more.
            Err(_) => break,
        }
    }
    match clear_ambient_capability_set() {
        // A kernel before 4.3 has no such set.
        Ok(()) | Err(io::Errno::INVAL) => {}
        Err(e) => return Err(e),
    }
    let now = capabilities(None)?;
    if wanted.contains(now.effective | now.permitted | now.inheritable) {
        return Ok(());
    }
    let permitted = now.permitted & wanted;
    set_capabilities(
        None,
        CapabilitySets { effective: permitted, permitted, inheritable: CapabilitySet::empty() },
    )
}
