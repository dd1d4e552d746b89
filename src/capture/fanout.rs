//! Several rings for one interface: the kernel gives each frame to one of them (`PACKET_FANOUT`, packet(7)). All packets between
//! two addresses go to one ring, as [`shard`](crate::dissect::shard) has it for files.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};

use libc::{
    BPF_A, BPF_ABS, BPF_ALU, BPF_H, BPF_JA, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_MISC, BPF_MUL, BPF_RET,
    BPF_RSH, BPF_TAX, BPF_W, BPF_X, BPF_XOR, PACKET_FANOUT, PACKET_FANOUT_CBPF, PACKET_FANOUT_DATA,
    PACKET_FANOUT_FLAG_UNIQUEID, sock_filter,
};

/// The upper 16 bits are the mode and its flags.
const MODE: u32 = 16;
/// What the program finds there is counted from the start of the frame.
const LINK: u32 = libc::SKF_LL_OFF.cast_unsigned();

/// The group of the rings of an interface. Each ring has a copy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group(Arc<Mutex<Option<u16>>>);

impl Group {
    /// Adds an open packet socket.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(super) fn join(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let mut number = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = *number
            && set(socket, PACKET_FANOUT, &(PACKET_FANOUT_CBPF << MODE | u32::from(known))).is_ok()
        {
            return Ok(());
        }
        // The first one, or the interface was away and its group is gone: the kernel draws a number that no other group has.
        set(socket, PACKET_FANOUT, &((PACKET_FANOUT_CBPF | PACKET_FANOUT_FLAG_UNIQUEID) << MODE))?;
        let program = program();
        // Its length is a constant.
        let length = u16::try_from(program.len()).unwrap_or_default();
        set(
            socket,
            PACKET_FANOUT_DATA,
            &libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() },
        )?;
        // The upper bits repeat the mode.
        *number = u16::try_from(get(socket, PACKET_FANOUT)? & 0xffff).ok();
        Ok(())
    }
}

/// A classic BPF program that returns a number which depends on the two addresses of a packet, or of a question or an answer of
/// ARP, and otherwise on the cards. The kernel takes its remainder by the number of rings. If a frame is cut, it is 0.
#[expect(clippy::cast_possible_truncation, reason = "codes have 16 bits")]
fn program() -> [sock_filter; 23] {
    let step = |code: u32, k| sock_filter { code: code as u16, jt: 0, jf: 0, k };
    // A jump counts the steps that it leaves out.
    let to = |jt, k| sock_filter { code: (BPF_JMP | BPF_JEQ | BPF_K) as u16, jt, jf: 0, k };
    let load = |size, offset: u32| step(BPF_LD | size | BPF_ABS, LINK.wrapping_add(offset));
    let word = |offset| load(BPF_W, offset);
    let (keep, go) = (step(BPF_MISC | BPF_TAX, 0), |k| step(BPF_JMP | BPF_JA, k));
    [
        load(BPF_H, 12),
        to(6, 0x0800),
        to(9, 0x0806),
        to(12, 0x86dd),
        // Cards.
        word(2),
        keep,
        word(8),
        go(11),
        // IPv4.
        word(26),
        keep,
        word(30),
        go(7),
        // ARP.
        word(28),
        keep,
        word(38),
        go(3),
        // IPv6: the last words of both addresses.
        word(34),
        keep,
        word(50),
        step(BPF_ALU | BPF_XOR | BPF_X, 0),
        step(BPF_ALU | BPF_MUL | BPF_K, 0x9e37_79b9),
        step(BPF_ALU | BPF_RSH | BPF_K, 16),
        step(BPF_RET | BPF_A, 0),
    ]
}

#[expect(unsafe_code, reason = "no library has a call for these options")]
fn set<T>(socket: BorrowedFd<'_>, option: libc::c_int, value: &T) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
    let value = std::ptr::from_ref(value).cast();
    // SAFETY: the kernel reads `length` bytes of `value`, and of a program its steps, all of which outlive the call.
    let done = unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, option, value, length) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[expect(unsafe_code, reason = "no library has a call for these options")]
fn get(socket: BorrowedFd<'_>, option: libc::c_int) -> io::Result<u32> {
    let (mut value, mut length) = (0_u32, 4);
    let place = std::ptr::from_mut(&mut value).cast();
    // SAFETY: the kernel writes at most `length` bytes, of which `value` has as many.
    let done =
        unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_PACKET, option, place, &raw mut length) };
    if done == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}
