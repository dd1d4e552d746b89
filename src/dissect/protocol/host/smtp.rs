//! SMTP: the greeting of a server (RFC 5321 sections 3.1 and 4.2).

use super::ftp::greeting;
use crate::census::{Field, VALUE_BYTES};
use crate::dissect::{Malformed, Payload, Words};

/// Dissects the beginning of a segment from TCP 25 or 587; any other reply says nothing. The same number also answers
/// STARTTLS (RFC 3207 section 4), which does not describe the server.
///
/// # Errors
/// None; SMTP shares its form with the other dissectors.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    // What stands behind the longest value is neither said nor searched.
    let text = greeting(payload.bytes).map(|text| text.get(..VALUE_BYTES).unwrap_or(text));
    if let Some(text) = text.filter(|text| !starts_tls(text)) {
        words.say(Field::SmtpBanner, undated(text));
    }
    Ok(())
}

/// A greeting without the date that many servers put at its end, which would make each a new one (RFC 5322 section 3.3).
fn undated(text: &[u8]) -> &[u8] {
    const DAYS: [&[u8; 5]; 7] = [b"Mon, ", b"Tue, ", b"Wed, ", b"Thu, ", b"Fri, ", b"Sat, ", b"Sun, "];
    let date = text.windows(5).position(|w| DAYS.iter().any(|day| w == *day));
    let text = date.and_then(|at| text.get(..at)).unwrap_or(text).trim_ascii_end();
    text.strip_suffix(b";").unwrap_or(text)
}

/// An enhanced status (RFC 2034), or the words that servers have for it.
fn starts_tls(text: &[u8]) -> bool {
    let has = |word: &[u8]| text.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word));
    text.starts_with(b"2.0.0 ") || (!has(b"smtp") && (has(b"tls") || has(b"go ahead")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn a_server_greets() {
        let greeting = b"220 mail.example.org ESMTP Postfix (Debian)\r\n";
        let expected = vec!["smtp.banner=mail.example.org ESMTP Postfix (Debian)".to_owned()];
        assert_eq!(said(|w| dissect(&Payload::new(greeting), w)), (expected, Ok(())));
        survives(greeting, dissect);
        let dated = b"220 mx.example.org ESMTP Sendmail 8.14.4; Mon, 5 Oct 2026 01:05:54 -0500\r\n";
        assert_eq!(
            said(|w| dissect(&Payload::new(dated), w)).0,
            ["smtp.banner=mx.example.org ESMTP Sendmail 8.14.4"]
        );
    }

    #[test]
    fn answers_to_starttls_and_other_replies_say_nothing() {
        for quiet in [
            &b"220 2.0.0 Ready to start TLS\r\n"[..],
            b"220 2.0.0 SMTP server ready\r\n",
            b"220 Ready to start TLS\r\n",
            b"220 Go ahead\r\n",
            b"250 mail.example.org\r\n",
        ] {
            assert_eq!(said(|w| dissect(&Payload::new(quiet), w)), (vec![], Ok(())), "{quiet:?}");
        }
    }
}
