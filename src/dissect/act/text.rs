//! Looking into messages of text without reading all of them.

/// The most bytes of a message that are looked at.
pub(super) const HEAD: usize = 2_048;

/// The first line, without its end.
pub(super) fn line(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().take(512).position(|b| matches!(b, b'\r' | b'\n'));
    bytes.get(..end.unwrap_or_else(|| bytes.len().min(512))).unwrap_or_default()
}

/// Whether `bytes` hold `word`, which is in lower case, in any case.
pub(super) fn has(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word))
}

/// The value of a header, whose name with the colon is `name` in lower case, within the head of a message.
pub(super) fn header<'a>(message: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let head = message.get(..HEAD).unwrap_or(message);
    let mut lines = head.split(|b| *b == b'\n');
    lines.next();
    let of = |line: &'a [u8]| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (start, value) = line.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
    };
    lines.take_while(|line| !line.trim_ascii().is_empty()).find_map(of)
}
