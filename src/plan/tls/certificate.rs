//! The certificate: from configured files, or a self-signed one that the service creates at its first start.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;
use crate::census::Timestamp;
use crate::wire::Fingerprint;

/// The life of the service's own certificate: ten years. Sensors pin its fingerprint, and people confirm it once in their
/// browser: a new one each year would protect nobody and cut sensors off.
const YEARS: i16 = 10;
/// The largest file that is read, in bytes.
const FILE_BYTES: u64 = 1 << 20;
/// Names in a certificate.
const NAMES: usize = 16;

/// Where the certificate comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// A certificate that the service creates.
    Own(Own),
    /// Given as files.
    Given(Given),
}

/// A certificate that the service makes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Own {
    /// One file for certificate and key, so that both always exist together.
    pub file: PathBuf,
    /// The names and addresses under which the service is reached.
    pub names: Vec<String>,
    /// The start of the validity, if the certificate must be created.
    pub now: Timestamp,
}

/// A certificate in files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Given {
    /// The chain in PEM form, the service's own certificate first.
    pub certificate: PathBuf,
    /// Its private key in PEM form.
    pub key: PathBuf,
    /// Whether enrolment tokens carry its fingerprint.
    pub pin: bool,
}

/// A certificate with its key.
pub(super) struct Certificate {
    pub(super) path: PathBuf,
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Certificate {
    pub(super) fn fingerprint(&self) -> Result<Fingerprint, TlsError> {
        first(&self.path, &self.chain)
    }
}

impl Source {
    /// Whether sensors verify the service by its fingerprint, and not by an authority.
    pub(super) fn is_pinned(&self) -> bool {
        match self {
            Self::Own(_) => true,
            Self::Given(given) => given.pin,
        }
    }

    /// The fingerprint that enrolment tokens carry. Does not read the key of a given certificate. Creates the service's
    /// own certificate if it is missing.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn pin(&self) -> Result<Option<Fingerprint>, TlsError> {
        match self {
            Self::Own(own) => own.load()?.fingerprint().map(Some),
            Self::Given(given) if given.pin => {
                first(&given.certificate, &chain(&given.certificate)?).map(Some)
            }
            Self::Given(_) => Ok(None),
        }
    }

    pub(super) fn load(&self) -> Result<Certificate, TlsError> {
        match self {
            Self::Own(own) => own.load(),
            Self::Given(given) => Ok(Certificate {
                chain: chain(&given.certificate)?,
                key: private_key(&given.key)?,
                path: given.certificate.clone(),
            }),
        }
    }
}

impl Own {
    fn load(&self) -> Result<Certificate, TlsError> {
        if !self.file.exists() {
            self.make()?;
        }
        let (chain, key) = (chain(&self.file)?, private_key(&self.file)?);
        Ok(Certificate { path: self.file.clone(), chain, key })
    }

    /// Creates it. If another process was faster, keeps the certificate of that process.
    fn make(&self) -> Result<(), TlsError> {
        let pem = self.generate().map_err(|e| TlsError::Making(e.to_string()))?;
        let directory = match self.file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let write = || -> io::Result<()> {
            // A temporary file has mode 0600 from the start.
            let mut file = tempfile::NamedTempFile::new_in(directory)?;
            file.write_all(pem.as_bytes())?;
            // An operator's command may create the file for the service, which must be able to read it.
            let owner = fs::metadata(directory)?;
            if file.as_file().metadata()?.uid() != owner.uid() {
                fchown(file.as_file(), Some(owner.uid()), Some(owner.gid()))?;
            }
            file.as_file().sync_all()?;
            match file.persist_noclobber(&self.file) {
                Ok(_) => fs::File::open(directory)?.sync_all(),
                Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                Err(e) => Err(e.error),
            }
        };
        write().map_err(|error| TlsError::Io { path: self.file.clone(), error })
    }

    fn generate(&self) -> Result<String, rcgen::Error> {
        let names: Vec<String> = self.names.iter().take(NAMES).cloned().collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "netcensus plan service");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let (year, month, day) = date(self.now);
        // The first of the month: a browser whose clock is late must also accept it.
        params.not_before = date_time_ymd(year.into(), month, 1);
        // In ten years there may be no 29 February.
        params.not_after = date_time_ymd((year + YEARS).into(), month, day.min(28));
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok(format!("{}{}", certificate.pem(), key.serialize_pem()))
    }
}

/// The date in UTC.
fn date(now: Timestamp) -> (i16, u8, u8) {
    let date = jiff::Timestamp::from_nanosecond(now.0.into())
        .unwrap_or_default()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    let number = |n: i8| u8::try_from(n).unwrap_or(1);
    (date.year().clamp(1970, 9_000), number(date.month()), number(date.day()))
}

fn first(path: &Path, chain: &[CertificateDer<'static>]) -> Result<Fingerprint, TlsError> {
    chain
        .first()
        .map(|c| Fingerprint::of(c))
        .ok_or_else(|| missing(path, "certificate", "the file contains none"))
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|e| missing(path, "certificate", e))?;
    first(path, &chain)?;
    Ok(chain)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let io = |error| TlsError::Io { path: path.to_owned(), error };
    // A group may read it, as with Debian's ssl-cert, but nobody else.
    if fs::metadata(path).map_err(io)?.permissions().mode() & 0o007 != 0 {
        return Err(TlsError::Open { path: path.to_owned() });
    }
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|e| missing(path, "private key", e))
}

fn missing(path: &Path, what: &'static str, why: impl ToString) -> TlsError {
    TlsError::Pem { path: path.to_owned(), what, why: why.to_string() }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let io = |error| TlsError::Io { path: path.to_owned(), error };
    if fs::metadata(path).map_err(io)?.len() > FILE_BYTES {
        return Err(missing(path, "certificate", "the file is too large for a chain of certificates"));
    }
    fs::read(path).map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tls::Tls;

    fn own(directory: &Path) -> Source {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let now = "2028-02-29T12:00:00Z".parse().unwrap();
        Source::Own(Own { file: directory.join("tls.pem"), names, now })
    }

    #[test]
    fn the_own_certificate_is_made_once_for_its_owner_alone_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let first = Tls::new(own(dir.path())).unwrap();
        let mode = fs::metadata(dir.path().join("tls.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = Tls::new(own(dir.path())).unwrap();
        assert_eq!((again.pin(), own(dir.path()).pin().unwrap()), (first.pin(), first.pin()));
        assert_eq!(first.pin(), Some(first.fingerprint()));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let elsewhere = tempfile::tempdir().unwrap();
        assert_ne!(Tls::new(own(elsewhere.path())).unwrap().pin(), first.pin());
    }

    #[test]
    fn a_given_one_is_read_anew_and_a_bad_one_leaves_the_old_in_place() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let mut made = Vec::new();
        for n in 0..2 {
            let made_in = tempfile::tempdir().unwrap();
            let pin = own(made_in.path()).pin().unwrap();
            fs::copy(made_in.path().join("tls.pem"), at(&n.to_string())).unwrap();
            made.push(pin);
        }
        let given = |pin| Source::Given(Given { certificate: at("chain"), key: at("key"), pin });
        let put = |from: &str| ["chain", "key"].map(|to| fs::copy(at(from), at(to)).unwrap());
        assert!(matches!(Tls::new(given(false)), Err(TlsError::Io { .. })));
        put("0");
        let tls = Tls::new(given(true)).unwrap();
        assert_eq!((tls.pin(), Tls::new(given(false)).unwrap().pin()), (made[0], None));
        put("1");
        assert_eq!(Some(tls.reload().unwrap()), made[1]);
        fs::copy(at("0"), at("key")).unwrap();
        assert!(matches!(tls.reload(), Err(TlsError::Unusable { .. })), "another certificate's key");
        fs::write(at("chain"), "nothing").unwrap();
        assert!(matches!(tls.reload(), Err(TlsError::Pem { what: "certificate", .. })));
        put("0");
        fs::set_permissions(at("key"), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(tls.reload(), Err(TlsError::Open { .. })));
        assert_eq!(tls.pin(), made[1], "the old one is shown all the while");
    }
}
