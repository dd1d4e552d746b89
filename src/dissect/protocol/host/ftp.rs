//! FTP: the greeting of a server (RFC 959 section 4.2).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Words};

/// Bytes and lines of a greeting that are looked at.
const BYTES: usize = 2048;
const LINES: usize = 8;

/// Dissects the beginning of a segment from TCP 21; any other reply says nothing.
///
/// # Errors
/// None; FTP shares its form with the other dissectors.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if let Some(text) = greeting(payload.bytes) {
        words.say(Field::FtpBanner, text);
    }
    Ok(())
}

/// The first line with letters in it of a reply 220, as FTP and SMTP greet. A line that is cut does not count.
pub(super) fn greeting(payload: &[u8]) -> Option<&[u8]> {
    let rest = payload.strip_prefix(b"220")?;
    if !matches!(rest.first(), Some(b' ' | b'-')) {
        return None;
    }
    let window = payload.get(..BYTES).unwrap_or(payload);
    let lines = window.split_inclusive(|b| *b == b'\n').filter(|l| l.ends_with(b"\n")).take(LINES);
    let texts = lines.map(|line| {
        let text = line.strip_prefix(b"220").unwrap_or(line);
        text.strip_prefix(b"-").unwrap_or(text).trim_ascii()
    });
    texts.into_iter().find(|text| text.iter().any(u8::is_ascii_alphabetic))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn a_server_greets_in_one_line_or_in_several() {
        for greeting in [
            &b"220 NAS-1 FTP server ready.\r\n"[..],
            b"220-NAS-1 FTP server ready.\r\n220-Be kind.\r\n220 \r\n",
            b"220-\r\n220-*****\r\n220-NAS-1 FTP server ready.\r\n220 End\r\n",
            b"220---------\r\n    NAS-1 FTP server ready.\r\n220 End\r\n",
        ] {
            let expected = vec!["ftp.banner=NAS-1 FTP server ready.".to_owned()];
            assert_eq!(said(|w| dissect(&Payload::new(greeting), w)), (expected, Ok(())));
            survives(greeting, dissect);
        }
    }

    #[test]
    fn other_replies_and_cut_lines_say_nothing() {
        for quiet in
            [&b"230 Login successful.\r\n"[..], b"220 NAS-1 FTP ser", b"2200 x\r\n", b"220 \r\n", b""]
        {
            assert_eq!(said(|w| dissect(&Payload::new(quiet), w)), (vec![], Ok(())), "{quiet:?}");
        }
    }
}
