//! Bytes to text: UTF-8 with or without a byte order mark, UTF-16 with one.

use std::borrow::Cow;

#[derive(Debug)]
pub(super) struct Text<'a> {
    pub(super) text: Cow<'a, str>,
    /// A remark on the encoding.
    pub(super) note: Option<String>,
}

/// Decodes a file; `None` if it is not text.
///
/// Bytes that are not UTF-8 are read as Windows-1252, which spreadsheets write, and a note says so. This can only affect
/// names, never a MAC or an address.
pub(super) fn decode(bytes: &[u8]) -> Option<Text<'_>> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => utf8(bytes),
    }
}

fn utf8(bytes: &[u8]) -> Option<Text<'_>> {
    if bytes.contains(&0) {
        return None;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(Text { text: text.into(), note: None }),
        Err(_) => {
            let text: String = bytes.iter().map(|b| windows_1252(*b)).collect();
            let note = Some("is not UTF-8; read as Windows-1252".to_owned());
            Some(Text { text: text.into(), note })
        }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<Text<'static>> {
    let (units, rest) = bytes.as_chunks::<2>();
    let decoded = char::decode_utf16(units.iter().map(|u| unit(*u)));
    let text: String = decoded.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    let broken = !rest.is_empty() || text.contains(char::REPLACEMENT_CHARACTER);
    let note = if broken { "is UTF-16, and broken in places" } else { "is UTF-16" };
    (!text.contains('\0')).then(|| Text { text: text.into(), note: Some(note.to_owned()) })
}

/// The character of a byte: Latin-1, plus the letters of European names among 0x80 to 0x9f.
fn windows_1252(byte: u8) -> char {
    match byte {
        0x80 => '€',
        0x8a => 'Š',
        0x8c => 'Œ',
        0x8e => 'Ž',
        0x91 | 0x92 => '\'',
        0x93 | 0x94 => '"',
        0x96 | 0x97 => '-',
        0x9a => 'š',
        0x9c => 'œ',
        0x9e => 'ž',
        0x9f => 'Ÿ',
        0x81..=0x89 | 0x8b | 0x8d | 0x8f | 0x90 | 0x95 | 0x98 | 0x99 | 0x9b | 0x9d => {
            char::REPLACEMENT_CHARACTER
        }
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Option<String> {
        decode(bytes).map(|t| t.text.into_owned())
    }

    #[test]
    fn a_byte_order_mark_is_removed_in_every_encoding() {
        assert_eq!(text(b"\xef\xbb\xbfmac").as_deref(), Some("mac"));
        assert_eq!(text(b"\xff\xfem\0a\0c\0").as_deref(), Some("mac"));
        assert_eq!(text(b"\xfe\xff\0m\0a\0c").as_deref(), Some("mac"));
        assert_eq!(text(b"mac").as_deref(), Some("mac"));
    }

    #[test]
    fn a_spreadsheet_s_encoding_is_read_and_binary_files_are_not() {
        assert_eq!(text(b"K\xfcche;\x80").as_deref(), Some("Küche;€"));
        assert!(decode(b"K\xfcche").unwrap().note.unwrap().contains("Windows-1252"));
        assert_eq!(text(b"PK\x03\x04\0\0"), None);
        assert_eq!(text(b"\xff\xfe\0\0"), None);
        assert_eq!(text(b"\xff\xfea\0\x00").as_deref(), Some("a"));
    }
}
