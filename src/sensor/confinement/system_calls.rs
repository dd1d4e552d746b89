//! seccomp: limits the system calls of the process.
//!
//! Three filters, of which the strictest result applies:
//!
//! 1. Calls that only an intruder makes (to start a program, trace, mount, load code into the kernel) kill the process.
//! 2. Other calls that the sensor does not make fail with `ENOSYS`, as on an older kernel. A newer C library then falls
//!    back to an older call; `EPERM` or killing would end the sensor after an update of the library.
//! 3. Sockets of families that the sensor does not need fail with `EAFNOSUPPORT`.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

use super::Needs;

/// Calls that kill the process.
const DEADLY: &[i64] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_delete_module,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_open_by_handle_at,
    libc::SYS_perf_event_open,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_swapon,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];

/// Calls that the sensor makes: those of a run under `strace`, and the variants that another C library may use.
const ALLOWED: &[i64] = &[
    // files
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fallocate,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fcntl,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_ioctl,
    libc::SYS_lseek,
    libc::SYS_memfd_create,
    libc::SYS_mkdirat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_pipe2,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_umask,
    libc::SYS_unlinkat,
    libc::SYS_utimensat,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_newfstatat,
    // memory
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mlock,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munlock,
    libc::SYS_munmap,
    // threads and signals
    libc::SYS_capget,
    libc::SYS_capset,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_get_robust_list,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_prctl,
    libc::SYS_prlimit64,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_sigaltstack,
    libc::SYS_sysinfo,
    libc::SYS_tgkill,
    libc::SYS_uname,
    // time
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    // waiting
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    // sockets
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_recvfrom,
    libc::SYS_recvmmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_socket,
    libc::SYS_socketpair,
];

/// Older variants, which newer architectures lack.
#[cfg(target_arch = "x86_64")]
const OLDER: &[i64] = &[
    libc::SYS_access,
    libc::SYS_arch_prctl,
    libc::SYS_chmod,
    libc::SYS_dup2,
    libc::SYS_epoll_wait,
    libc::SYS_getrlimit,
    libc::SYS_lstat,
    libc::SYS_mkdir,
    libc::SYS_open,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_rmdir,
    libc::SYS_select,
    libc::SYS_stat,
    libc::SYS_time,
    libc::SYS_unlink,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[i64] = &[];

/// Restricts this thread. Returns what is left, in words.
pub(super) fn restrict(needs: &Needs) -> Result<String, String> {
    for filter in filters(needs).map_err(|e| e.to_string())? {
        apply_filter(&filter).map_err(|e| format!("the kernel does not support seccomp filters: {e}"))?;
    }
    Ok(format!(
        "{} system calls are allowed; starting a program kills the process",
        ALLOWED.len() + OLDER.len()
    ))
}

fn filters(needs: &Needs) -> Result<[BpfProgram; 3], BackendError> {
    let number = |errno: i32| SeccompAction::Errno(errno.unsigned_abs());
    let always = |calls: &[i64]| calls.iter().map(|call| (*call, Vec::new())).collect::<BTreeMap<_, _>>();
    let mut allowed = always(ALLOWED);
    allowed.append(&mut always(OLDER));
    let other_family = families(needs)
        .iter()
        .map(|family| {
            let family = u64::from(family.unsigned_abs());
            SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, family)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let sockets = [libc::SYS_socket, libc::SYS_socketpair];
    let rule = SeccompRule::new(other_family)?;
    let sockets = sockets.into_iter().map(|call| (call, vec![rule.clone()])).collect();
    let compile = |calls, otherwise, then| -> Result<BpfProgram, BackendError> {
        SeccompFilter::new(calls, otherwise, then, std::env::consts::ARCH.try_into()?)?.try_into()
    };
    Ok([
        compile(always(DEADLY), SeccompAction::Allow, SeccompAction::KillProcess)?,
        compile(sockets, SeccompAction::Allow, number(libc::EAFNOSUPPORT))?,
        // Must be last: it forbids adding another filter.
        compile(allowed, number(libc::ENOSYS), SeccompAction::Allow)?,
    ])
}

/// The socket families that the process needs. Name resolution asks the kernel for this host's addresses by netlink.
fn families(needs: &Needs) -> Vec<i32> {
    let mut families = vec![libc::AF_UNIX];
    if needs.network {
        families.extend([libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK]);
    }
    if needs.reopens {
        families.extend([libc::AF_PACKET, libc::AF_NETLINK, libc::AF_INET]);
    }
    families.sort_unstable();
    families.dedup();
    families
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_both_allowed_and_deadly_and_all_filters_compile() {
        assert!(ALLOWED.iter().chain(OLDER).all(|call| !DEADLY.contains(call)));
        for (reopens, network) in [(false, false), (false, true), (true, false), (true, true)] {
            assert!(filters(&Needs { reopens, network, ..Needs::default() }).is_ok());
        }
    }

    #[test]
    fn each_half_has_the_sockets_that_it_needs_and_no_others() {
        let of = |reopens, network| families(&Needs { reopens, network, ..Needs::default() });
        assert_eq!(of(false, false), [libc::AF_UNIX]);
        assert!(!of(false, true).contains(&libc::AF_PACKET));
        assert!(of(true, true).contains(&libc::AF_PACKET));
    }
}
