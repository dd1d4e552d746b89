//! DICOM: what a medical device asks for or accepts when it opens an association (PS3.8, section 9.3; PS3.7, annex D.3.3;
//! names of abstract syntaxes from PS3.6, annex A).
//!
//! An association is unmistakable, so it is found on any port.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// The application context that every association names, as an item.
const CONTEXT: &[u8] = b"\x10\0\0\x151.2.840.10008.3.1.1.1";
/// Items, and items within one, that are read.
const ITEMS: usize = 160;
/// What begins all abstract syntaxes that have a name here.
const PREFIX: &[u8] = b"1.2.840.10008.";

/// Dissects what begins a segment: an A-ASSOCIATE-RQ or -AC; anything else says nothing. A request may go on in further
/// segments, which are not read.
///
/// # Errors
/// If items break before the message's end.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let (Some([kind @ (1 | 2), 0]), Some(length), Some(version)) = (r.array(), r.u32(), r.u16()) else {
        return Ok(());
    };
    let (Some([0, 0]), Some(called), Some(calling), Some(_reserved)) =
        (r.array(), r.take(16), r.take(16), r.take(32))
    else {
        return Ok(());
    };
    if version & 1 == 0 || !r.rest().starts_with(CONTEXT) {
        return Ok(());
    }
    // An acceptance repeats the names of the request: the sender is the called one.
    words.say(Field::DicomAet, if kind == 1 { calling } else { called });
    words.label(Field::DicomRole, if kind == 1 { "scu" } else { "scp" });
    let whole = usize::try_from(length).is_ok_and(|n| n.saturating_add(6) <= payload.bytes.len());
    match items(r, words) {
        None if whole => Err(Malformed::new("dicom", "broken association")),
        _ => Ok(()),
    }
}

/// Presentation contexts of a request, and what the sender says of its implementation.
fn items(mut r: Reader<'_>, words: &mut Words<'_>) -> Option<()> {
    for _ in 0..ITEMS {
        if r.is_empty() {
            break;
        }
        let (kind, content) = sub_item(&mut r)?;
        let mut item = Reader::new(content);
        match kind {
            0x20 => {
                let _context = item.take(4)?;
                if let (0x30, syntax) = sub_item(&mut item)?
                    && let Some(name) = name(syntax)
                {
                    words.say(Field::DicomRole, &[b"scu:", name.as_bytes()].concat());
                }
            }
            0x50 => {
                for _ in 0..ITEMS {
                    if item.is_empty() {
                        break;
                    }
                    if let (0x55, version) = sub_item(&mut item)? {
                        words.say(Field::DicomImplementation, version);
                    }
                }
            }
            _ => {}
        }
    }
    Some(())
}

/// An item or sub-item: type, a reserved byte, length, content.
fn sub_item<'a>(r: &mut Reader<'a>) -> Option<(u8, &'a [u8])> {
    let ([kind, _], length) = (r.array()?, r.u16()?);
    Some((kind, r.take(length.into())?))
}

/// The name of an abstract syntax that tells what a device is for.
fn name(syntax: &[u8]) -> Option<&'static str> {
    let syntax = syntax.trim_ascii_end();
    let end = syntax.iter().position(|b| *b == 0).unwrap_or(syntax.len());
    Some(match syntax.get(..end)?.strip_prefix(PREFIX)? {
        b"1.1" => "Verification",
        b"1.20.1" => "StorageCommitmentPushModel",
        b"3.1.2.3.3" => "ModalityPerformedProcedureStep",
        b"5.1.1.9" => "BasicGrayscalePrintManagementMeta",
        b"5.1.1.18" => "BasicColorPrintManagementMeta",
        b"5.1.4.31" => "ModalityWorklistInformationModelFind",
        b"5.1.4.1.2.1.1" => "PatientRootQueryRetrieveInformationModelFind",
        b"5.1.4.1.2.1.2" => "PatientRootQueryRetrieveInformationModelMove",
        b"5.1.4.1.2.2.1" => "StudyRootQueryRetrieveInformationModelFind",
        b"5.1.4.1.2.2.2" => "StudyRootQueryRetrieveInformationModelMove",
        storage => match storage.strip_prefix(b"5.1.4.1.1.")? {
            b"1" => "ComputedRadiographyImageStorage",
            b"1.1" | b"1.1.1" => "DigitalXRayImageStorage",
            b"1.2" | b"1.2.1" => "DigitalMammographyXRayImageStorage",
            b"1.3" | b"1.3.1" => "DigitalIntraOralXRayImageStorage",
            b"2" => "CTImageStorage",
            b"2.1" => "EnhancedCTImageStorage",
            b"3.1" => "UltrasoundMultiFrameImageStorage",
            b"4" => "MRImageStorage",
            b"4.1" => "EnhancedMRImageStorage",
            b"6.1" => "UltrasoundImageStorage",
            b"6.2" => "EnhancedUSVolumeStorage",
            b"7" => "SecondaryCaptureImageStorage",
            b"9.1.1" => "TwelveLeadECGWaveformStorage",
            b"9.1.2" => "GeneralECGWaveformStorage",
            b"11.1" => "GrayscaleSoftcopyPresentationStateStorage",
            b"12.1" => "XRayAngiographicImageStorage",
            b"12.2" => "XRayRadiofluoroscopicImageStorage",
            b"13.1.3" => "BreastTomosynthesisImageStorage",
            b"20" => "NuclearMedicineImageStorage",
            b"77.1.1" => "VLEndoscopicImageStorage",
            b"77.1.2" => "VLMicroscopicImageStorage",
            b"77.1.4" => "VLPhotographicImageStorage",
            b"77.1.5.1" => "OphthalmicPhotography8BitImageStorage",
            b"77.1.5.4" => "OphthalmicTomographyImageStorage",
            b"77.1.6" => "VLWholeSlideMicroscopyImageStorage",
            b"88.67" => "XRayRadiationDoseSRStorage",
            b"104.1" => "EncapsulatedPDFStorage",
            b"128" => "PositronEmissionTomographyImageStorage",
            b"481.1" => "RTImageStorage",
            b"481.2" => "RTDoseStorage",
            b"481.5" => "RTPlanStorage",
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn item_of(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[kind, 0], &length[..], content].concat()
    }

    fn association(kind: u8, items: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![0, 1, 0, 0];
        body.extend(b"ARCHIVE         CT_ROOM_1       ");
        body.extend([0; 32]);
        body.extend(CONTEXT);
        body.extend(items.concat());
        [&[kind, 0], &u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
    }

    fn context(syntax: &[u8]) -> Vec<u8> {
        let content =
            [&[1, 0, 0, 0], &item_of(0x30, syntax)[..], &item_of(0x40, b"1.2.840.10008.1.2")].concat();
        item_of(0x20, &content)
    }

    fn user(version: &[u8]) -> Vec<u8> {
        item_of(
            0x50,
            &[item_of(0x51, &[0, 0, 64, 0]), item_of(0x52, b"1.2.3"), item_of(0x55, version)].concat(),
        )
    }

    #[test]
    fn a_modality_tells_what_it_sends() {
        let contexts =
            [context(b"1.2.840.10008.5.1.4.1.1.2\0"), context(b"1.2.840.10008.1.1"), context(b"1.2.3")];
        let request = association(1, &[&contexts[..], &[user(b"EXAMPLE_CT_2")]].concat());
        let (out, result) = said(|w| dissect(&Payload::new(&request), w));
        assert_eq!(
            out,
            [
                "dicom.aet=CT_ROOM_1",
                "dicom.role=scu",
                "dicom.role=scu:CTImageStorage",
                "dicom.role=scu:Verification",
                "dicom.implementation=EXAMPLE_CT_2"
            ]
        );
        assert_eq!(result, Ok(()));
        survives(&request, dissect);
        // What a segment cuts off is not broken.
        assert_eq!(said(|w| dissect(&Payload::new(&request[..150]), w)).1, Ok(()));
    }

    #[test]
    fn an_archive_accepts_under_the_name_it_was_called() {
        let accept = association(2, &[item_of(0x21, &[1, 0, 0, 0]), user(b"EXAMPLE_PACS")]);
        assert_eq!(
            said(|w| dissect(&Payload::new(&accept), w)).0,
            ["dicom.aet=ARCHIVE", "dicom.role=scp", "dicom.implementation=EXAMPLE_PACS"]
        );
        let mut other = accept;
        other[80] ^= 1;
        assert!(said(|w| dissect(&Payload::new(&other), w)).0.is_empty());
        let mut broken = association(1, &[context(b"1.2.840.10008.1.1")]);
        let end = broken.len() - 1;
        broken[end - 20] = 0xff;
        broken[end - 17] = 0xff;
        assert!(said(|w| dissect(&Payload::new(&broken), w)).0.contains(&"dicom.role=scu".to_owned()));
    }
}
