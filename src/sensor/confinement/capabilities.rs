//! Drops all capabilities, except `CAP_NET_RAW` if interfaces must be reopened.

use rustix::io;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities,
};

/// Drops all capabilities; with `net_raw`, all except `CAP_NET_RAW`. Returns what is left, in words.
pub(super) fn keep(net_raw: bool) -> Result<String, String> {
    let wanted = if net_raw { CapabilitySet::NET_RAW } else { CapabilitySet::empty() };
    reduce(wanted).map_err(|e| format!("cannot drop capabilities: {e}"))?;
    let left = capabilities(None).map_err(|e| format!("cannot read capabilities: {e}"))?;
    let all = left.effective | left.permitted | left.inheritable;
    if !wanted.contains(all) {
        return Err(format!("more capabilities are left than intended: {all:?}"));
    }
    Ok(if all.is_empty() {
        "no capabilities are left".to_owned()
    } else {
        "only CAP_NET_RAW is left, for capture threads to reopen interfaces".to_owned()
    })
}

fn reduce(wanted: CapabilitySet) -> io::Result<()> {
    // Removing from the bounding set needs CAP_SETPCAP. Without it, no_new_privs still stops the process from gaining
    // capabilities by starting a program.
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
            // The kernel has no further capabilities.
            Err(_) => break,
        }
    }
    match clear_ambient_capability_set() {
        // Kernels before 4.3 have no ambient set.
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
