//! Landlock: limits which files the process may read and write, and whether it may listen or connect.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, RestrictionStatus, Ruleset, RulesetAttr as _,
    RulesetCreated, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use super::Needs;

/// The newest Landlock version to ask for; an older kernel enforces the rights that it knows.
const NEWEST: ABI = ABI::V6;

/// Read for name resolution, trusted certificates and the C library's loader.
const NETWORK: &[&str] =
    &["/etc", "/usr", "/lib", "/lib64", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager"];
/// Read for the state of interfaces.
const INTERFACES: &[&str] = &["/sys/class/net", "/sys/devices"];
/// Read by libpcap to open an interface.
const REOPENS: &[&str] = &["/proc/net", "/proc/self", "/proc/sys/net"];

/// Restricts this thread. Returns what is left, in words.
pub(super) fn restrict(needs: &Needs) -> Result<String, String> {
    let status = build(needs).and_then(RulesetCreated::restrict_self).map_err(|e| e.to_string())?;
    judge(&status)
}

fn build(needs: &Needs) -> Result<RulesetCreated, RulesetError> {
    let mut ruleset = Ruleset::default().handle_access(AccessFs::from_all(NEWEST))?;
    // A new enrolment may change the plan service's port, so any port may be connected to if the network is needed.
    ruleset = ruleset.handle_access(AccessNet::BindTcp)?;
    if !needs.network {
        ruleset = ruleset.handle_access(AccessNet::ConnectTcp)?;
    }
    let mut scopes = BitFlags::from(Scope::Signal);
    let abstract_socket =
        std::env::var_os("NOTIFY_SOCKET").is_some_and(|s| s.as_encoded_bytes().starts_with(b"@"));
    if !abstract_socket {
        scopes |= Scope::AbstractUnixSocket;
    }
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = AccessFs::from_all(NEWEST)
        & !(AccessFs::Execute
            | AccessFs::MakeBlock
            | AccessFs::MakeChar
            | AccessFs::MakeFifo
            | AccessFs::MakeSym
            | AccessFs::IoctlDev);
    let fixed = |yes: bool, paths: &'static [&'static str]| paths.iter().filter(move |_| yes).map(Path::new);
    let readable = needs.readable.iter().map(AsRef::as_ref);
    let readable = readable
        .chain(fixed(true, INTERFACES))
        .chain(fixed(needs.network, NETWORK))
        .chain(fixed(needs.reopens, REOPENS));
    ruleset
        .scope(scopes)?
        .create()?
        .add_rules(path_beneath_rules(readable, read))?
        .add_rules(path_beneath_rules(&needs.writable, write))
}

fn judge(status: &RestrictionStatus) -> Result<String, String> {
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok("the process can write only to the state and spool folders".to_owned()),
        RulesetStatus::PartiallyEnforced => {
            Err("the process can write only to the state and spool folders, but kernels before 6.12 do not enforce all restrictions".to_owned())
        }
        RulesetStatus::NotEnforced => Err("the kernel lacks Landlock, or Landlock is disabled".to_owned()),
    }
}
