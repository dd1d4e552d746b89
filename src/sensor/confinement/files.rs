//! Landlock: which files may be read and written, and that nothing listens or connects where no network is needed.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, RestrictionStatus, Ruleset, RulesetAttr as _,
    RulesetCreated, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use super::Needs;

/// The newest version of the interface whose rights are asked for; an older kernel gives those that it knows.
const NEWEST: ABI = ABI::V6;

/// What resolving names, trust in certificates and the C library's loader read.
const NETWORK: &[&str] =
    &["/etc", "/usr", "/lib", "/lib64", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager"];
/// Where the state of interfaces is read.
const INTERFACES: &[&str] = &["/sys/class/net", "/sys/devices"];
/// What libpcap reads to open an interface.
const REOPENS: &[&str] = &["/proc/net", "/proc/self", "/proc/sys/net"];

/// Restricts this thread. Tells what is left.
pub(super) fn restrict(needs: &Needs) -> Result<String, String> {
    let status = build(needs).and_then(RulesetCreated::restrict_self).map_err(|e| e.to_string())?;
    judge(&status)
}

fn build(needs: &Needs) -> Result<RulesetCreated, RulesetError> {
    let mut ruleset = Ruleset::default().handle_access(AccessFs::from_all(NEWEST))?;
    // The port of a plan service may change with a new enrolment, so connecting stays free where it is needed at all.
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
        RulesetStatus::FullyEnforced => Ok("only the state and spool folders can be written".to_owned()),
        RulesetStatus::PartiallyEnforced => {
            Err("only the state and spool folders can be written, but the kernel is older than 6.12 and leaves some ways open".to_owned())
        }
        RulesetStatus::NotEnforced => Err("the kernel has no Landlock, or it is off".to_owned()),
    }
}
