//! Elements of ASN.1 in basic encoding (ITU-T X.690), as MMS and GOOSE have them: tags of one byte, definite lengths.

use crate::dissect::Reader;

/// Reads an element: its tag and its content.
pub(super) fn element<'a>(r: &mut Reader<'a>) -> Option<(u8, &'a [u8])> {
    let mut ahead = *r;
    let (tag, short) = (ahead.u8()?, ahead.u8()?);
    let length = match short {
        0..=0x7f => usize::from(short),
        0x81 => ahead.u8()?.into(),
        0x82 => ahead.u16()?.into(),
        _ => return None,
    };
    let content = ahead.take(length)?;
    *r = ahead;
    Some((tag, content))
}

/// The content of the next element, which must have that tag.
pub(super) fn tagged<'a>(r: &mut Reader<'a>, tag: u8) -> Option<&'a [u8]> {
    element(r).filter(|(found, _)| *found == tag).map(|(_, content)| content)
}

/// An element with that tag; for tests.
#[cfg(test)]
pub(super) fn encode(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
    [&head[..], content].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_one_to_three_bytes_are_read_and_others_refused() {
        let long = [&[4, 0x82, 1, 0][..], &[7; 256]].concat();
        assert_eq!(element(&mut Reader::new(&long)), Some((4, &[7; 256][..])));
        assert_eq!(element(&mut Reader::new(&encode(4, &[1; 200]))), Some((4, &[1; 200][..])));
        assert_eq!(tagged(&mut Reader::new(&[2, 1, 9]), 2), Some(&[9][..]));
        for bad in [&[2, 2, 9][..], &[2], &[4, 0x80, 0, 0], &[4, 0x84, 0, 0, 0, 1, 9]] {
            assert_eq!(element(&mut Reader::new(bad)), None);
        }
        assert_eq!(tagged(&mut Reader::new(&[2, 1, 9]), 4), None);
    }
}
