//! Several rings for one interface: the kernel gives each frame to one of them (`PACKET_FANOUT`, packet(7)). All packets between
//! two addresses go to one ring, as [`shard`](crate::dissect::shard) has it for files.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};

/// `PACKET_FANOUT`, `PACKET_FANOUT_DATA`, and its mode in which a program decides; linux/if_packet.h.
const FANOUT: libc::c_int = 18;
const FANOUT_DATA: libc::c_int = 22;
const BY_PROGRAM: u32 = 6;
/// The kernel draws a number that no other group has.
const UNIQUE: u32 = 0x2000;
/// The upper 16 bits are the mode and its flags.
const MODE: u32 = 16;
/// What the program finds there is counted from the start of the frame; linux/filter.h.
const LINK: u32 = (-0x20_0000_i32).cast_unsigned();

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
            && set(socket, FANOUT, &(BY_PROGRAM << MODE | u32::from(known))).is_ok()
        {
            return Ok(());
        }
        // The first one, or the interface was away and its group is gone.
        set(socket, FANOUT, &((BY_PROGRAM | UNIQUE) << MODE))?;
        let program = program();
        // Its length is a constant.
        let length = u16::try_from(program.len()).unwrap_or_default();
        set(socket, FANOUT_DATA, &libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() })?;
        // The upper bits repeat the mode.
        *number = u16::try_from(get(socket, FANOUT)? & 0xffff).ok();
        Ok(())
    }
}

/// A classic BPF program that returns a number which depends on the two addresses of a packet, or of a question or an answer of
/// ARP, and otherwise on the cards. The kernel takes its remainder by the number of rings. If a frame is cut, it is 0.
fn program() -> [libc::sock_filter; 23] {
    const LOAD_HALF: u16 = 0x28;
    const LOAD: u16 = 0x20;
    const TO_X: u16 = 0x07;
    const IF_EQUAL: u16 = 0x15;
    const GO: u16 = 0x05;
    const XOR_X: u16 = 0xac;
    const MULTIPLY: u16 = 0x24;
    const SHIFT: u16 = 0x74;
    const RETURN: u16 = 0x16;
    let step = |code, k| libc::sock_filter { code, jt: 0, jf: 0, k };
    // A jump counts the steps that it leaves out.
    let to = |jt, k| libc::sock_filter { code: IF_EQUAL, jt, jf: 0, k };
    let load = |offset: u32| step(LOAD, LINK.wrapping_add(offset));
    [
        step(LOAD_HALF, LINK.wrapping_add(12)),
        to(6, 0x0800),
        to(9, 0x0806),
        to(12, 0x86dd),
        // Cards.
        load(2),
        step(TO_X, 0),
        load(8),
        step(GO, 11),
        // IPv4.
        load(26),
        step(TO_X, 0),
        load(30),
        step(GO, 7),
        // ARP.
        load(28),
        step(TO_X, 0),
        load(38),
        step(GO, 3),
        // IPv6: the last words of both addresses.
        load(34),
        step(TO_X, 0),
        load(50),
        step(XOR_X, 0),
        step(MULTIPLY, 0x9e37_79b9),
        step(SHIFT, 16),
        step(RETURN, 0),
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
