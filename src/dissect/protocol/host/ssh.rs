//! SSH: the identification line (RFC 4253 section 4.2). Client and server both send one; the caller knows who is which.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Words};

const PORT: u16 = 22;
/// The longest identification line, its end of line counted.
const LINE: usize = 255;

/// Dissects the beginning of a segment from a server; anything else says nothing.
///
/// # Errors
/// If the line does not end within 255 bytes.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if !payload.bytes.starts_with(b"SSH-") {
        return Ok(());
    }
    let window = payload.bytes.get(..LINE).unwrap_or(payload.bytes);
    let end = window.iter().position(|b| *b == b'\n').ok_or(Malformed::new("ssh", "endless line"))?;
    words.say(Field::SshBanner, window.get(..end).unwrap_or_default());
    Ok(())
}

/// Whether the sender is the server: it has the known port, or else the lower one.
pub(crate) const fn is_server(payload: &Payload<'_>) -> bool {
    payload.source_port == PORT
        || (payload.destination_port != PORT && payload.source_port < payload.destination_port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn the_line_is_said_once_it_is_whole() {
        let line = b"SSH-2.0-OpenSSH_9.6 Debian\r\nrest";
        assert_eq!(said(|w| dissect(&Payload::new(line), w)).0, ["ssh.banner=SSH-2.0-OpenSSH_9.6 Debian"]);
        for bad in [&b"SSH-2.0-cut"[..], &[b"SSH-", &[b'x'; 300][..], b"\n"].concat()] {
            let (out, result) = said(|w| dissect(&Payload::new(bad), w));
            assert!(out.is_empty() && result.is_err());
        }
        survives(line, dissect);
    }
}
