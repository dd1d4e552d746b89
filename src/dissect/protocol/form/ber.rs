//! The elements of BER and DER that Kerberos, LDAP, MMS and GOOSE are made of (X.690 section 8.1).
//!
//! A parser that takes a message whole or not at all is of no use here: a directory's answer or a ticket spans several
//! segments, and what identifies the sender stands in the first. So an element may be cut, and says so.

use crate::dissect::Reader;

/// Elements that are looked at beside each other; a Kerberos message has some twelve.
const SIBLINGS: usize = 64;

/// One element: its identifier byte and its contents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    /// Class, form and number in one byte, `0x30` for a sequence.
    pub(crate) tag: u8,
    /// The contents, or their beginning if the segment ends in them.
    pub(crate) body: &'a [u8],
    /// Whether all the contents are there.
    pub(crate) whole: bool,
}

/// The next element; `None` at the end, for a number that takes several bytes, and for an indefinite length.
pub(crate) fn element<'a>(r: &mut Reader<'a>) -> Option<Element<'a>> {
    let tag = r.u8()?;
    if tag & 0x1f == 0x1f {
        return None;
    }
    let bytes = match r.u8()? {
        short @ ..0x80 => return body(tag, short.into(), r),
        long => usize::from(long & 0x7f),
    };
    if !(1..=4).contains(&bytes) {
        return None;
    }
    let length = r.take(bytes)?.iter().fold(0, |n: u32, b| n << 8 | u32::from(*b));
    body(tag, usize::try_from(length).ok()?, r)
}

/// The next element, where all of it is there: its tag and its contents.
pub(crate) fn whole<'a>(r: &mut Reader<'a>) -> Option<(u8, &'a [u8])> {
    let mut ahead = *r;
    let found = element(&mut ahead).filter(|e| e.whole)?;
    *r = ahead;
    Some((found.tag, found.body))
}

/// The contents of the next element, which must be whole and have that tag.
pub(crate) fn tagged<'a>(r: &mut Reader<'a>, tag: u8) -> Option<&'a [u8]> {
    whole(r).filter(|(found, _)| *found == tag).map(|(_, content)| content)
}

/// The elements of `bytes`, one after the other.
pub(crate) fn elements(bytes: &[u8]) -> impl Iterator<Item = Element<'_>> {
    let mut r = Reader::new(bytes);
    std::iter::from_fn(move || element(&mut r)).take(SIBLINGS)
}

/// The contents of the first element of `bytes` with that tag.
pub(crate) fn find(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    elements(bytes).find(|e| e.tag == tag).map(|e| e.body)
}

/// The contents of the element that `path` leads to, a tag a level.
pub(crate) fn descend<'a>(bytes: &'a [u8], path: &[u8]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |inner, tag| find(inner, *tag))
}

/// A number of one to four bytes from the contents of an INTEGER or ENUMERATED.
pub(crate) fn number(body: &[u8]) -> Option<u32> {
    let fits = (1..=4).contains(&body.len()) && body.first().is_some_and(|b| b & 0x80 == 0);
    fits.then(|| body.iter().fold(0, |n, b| n << 8 | u32::from(*b)))
}

fn body<'a>(tag: u8, length: usize, r: &mut Reader<'a>) -> Option<Element<'a>> {
    let rest = r.rest();
    Some(match r.take(length) {
        Some(body) => Element { tag, body, whole: true },
        None => Element { tag, body: r.take(rest.len())?, whole: false },
    })
}

#[cfg(test)]
pub(crate) mod testing {
    /// An element with a length of two bytes, so that a test reads as the standard's tree.
    pub(crate) fn ber(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[tag, 0x82][..], &length, &body].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::ber;
    use super::*;

    #[test]
    fn lengths_of_every_form_are_read() {
        for head in [&[4, 3][..], &[4, 0x81, 3], &[4, 0x82, 0, 3], &[4, 0x84, 0, 0, 0, 3]] {
            let bytes = [head, b"abcd"].concat();
            let found = element(&mut Reader::new(&bytes)).unwrap();
            assert_eq!((found.tag, found.body, found.whole), (4, &b"abc"[..], true));
        }
    }

    #[test]
    fn a_whole_element_is_not_cut_and_has_the_tag_that_is_asked_for() {
        assert_eq!(tagged(&mut Reader::new(&[2, 1, 9]), 2), Some(&[9][..]));
        assert_eq!(tagged(&mut Reader::new(&[2, 1, 9]), 4), None);
        let mut cut = Reader::new(&[2, 2, 9]);
        assert_eq!((whole(&mut cut), cut.rest().len()), (None, 3));
    }

    #[test]
    fn an_element_that_is_cut_shows_its_beginning() {
        let found = element(&mut Reader::new(&[4, 0x84, 0xff, 0xff, 0xff, 0xff, 1])).unwrap();
        assert_eq!((found.body, found.whole), (&[1][..], false));
        let tree = ber(0x30, &[&ber(0xa1, &[&[2, 1, 5]]), &ber(0xa2, &[b"rest"])]);
        assert_eq!(descend(&tree[..15], &[0x30, 0xa1, 2]), Some(&[5][..]));
        assert_eq!(descend(&tree, &[0x30, 0xa3]), None);
    }

    #[test]
    fn forms_that_the_protocols_lack_end_the_reading() {
        for bad in [&[0x1f, 1, 0][..], &[0x30, 0x80, 0, 0], &[0x30, 0x85, 0, 0, 0, 0, 0], &[0x30], &[]] {
            assert!(element(&mut Reader::new(bad)).is_none(), "{bad:?}");
        }
        assert_eq!([number(&[1, 0]), number(&[0x80]), number(&[])], [Some(256), None, None]);
        assert_eq!(elements(&[5, 0].repeat(500)).count(), SIBLINGS);
    }
}
