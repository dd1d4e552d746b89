//! What the tests of dissectors share.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::panic::Location;
use std::path::{Path, PathBuf};

use crate::census::{VALUE_BYTES, clean};
use crate::dissect::testing::said;
use crate::dissect::{Malformed, Payload, Words};

/// Runs `dissect` on every beginning of `bytes` and on copies with one byte changed. It must not panic, and what it says
/// must be clean and short.
#[track_caller]
pub(super) fn survives<D>(bytes: &[u8], mut dissect: D)
where
    D: FnMut(&Payload<'_>, &mut Words<'_>) -> Result<(), Malformed>,
{
    keep_seed(bytes, Location::caller().file());
    let mut hear = |field, value: &str| {
        assert!(value.len() <= VALUE_BYTES, "{field} is too long: {value}");
        assert_eq!(clean(value.as_bytes()).as_deref(), Some(value), "{field} is not clean");
    };
    let mut words = Words::new(&mut hear);
    let mut run = |bytes: &[u8]| {
        words.begin_message();
        dissect(&Payload::new(bytes), &mut words).is_ok()
    };
    for end in 0..=bytes.len() {
        run(&bytes[..end]);
    }
    let mut copy = bytes.to_vec();
    for i in 0..copy.len() {
        for value in [0, 0x7f, 0xc0, 0xff, bytes[i] ^ 1] {
            copy[i] = value;
            run(&copy);
        }
        copy[i] = bytes[i];
    }
}

/// As [`survives`], through the dispatch of datagrams between those ports.
#[track_caller]
pub(super) fn survives_datagram(bytes: &[u8], from: u16, to: u16) {
    survives(bytes, |p, w| super::datagram(p.between(from, to), w));
}

/// What a datagram between those ports says.
pub(super) fn heard(bytes: &[u8], from: u16, to: u16) -> Vec<String> {
    said(|w| super::datagram(Payload::new(bytes).between(from, to), w)).0
}

/// If the fuzzer asks for seeds (see `fuzz/run`), writes `bytes` to the folder of the target of the dissector whose tests
/// are in `file`.
fn keep_seed(bytes: &[u8], file: &str) {
    let Some(folder) = std::env::var_os("NETCENSUS_SEEDS").map(PathBuf::from) else { return };
    let folder = folder.join(Path::new(file).file_stem().unwrap());
    std::fs::create_dir_all(&folder).unwrap();
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    std::fs::write(folder.join(format!("test-{:016x}", hasher.finish())), bytes).unwrap();
}
