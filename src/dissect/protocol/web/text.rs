//! Segments that begin as a text message does: the start line tells whether it is HTTP, SIP or RTSP.

use super::http;
use crate::dissect::protocol::form::head::Head;
use crate::dissect::protocol::gear::unifi;
use crate::dissect::protocol::media::{rtsp, sip};
use crate::dissect::{Malformed, Payload, Words};

/// Dissects the beginning of a segment; what does not start a message of the three says nothing.
///
/// # Errors
/// As the dissector of the protocol.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if payload.destination_port == unifi::INFORM && payload.bytes.starts_with(b"POST") {
        unifi::dissect(payload, words)?;
    }
    let Some(head) = Head::read(payload.bytes) else { return Ok(()) };
    match head.version {
        b"SIP/2.0" => sip::say(&head, words),
        b"RTSP/1.0" | b"RTSP/2.0" => rtsp::say(&head, words),
        _ => http::say(&head, words),
    }
}
