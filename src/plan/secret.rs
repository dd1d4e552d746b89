//! Secrets: random ones for machines and links, stored as SHA-256; passwords of people, stored as argon2id.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// The shortest password in characters.
pub const PASSWORD_MIN: usize = 12;
/// The longest password in bytes: it bounds the cost of hashing.
pub const PASSWORD_MAX: usize = 256;
const RANDOM_BYTES: usize = 32;

/// SHA-256 of a secret, as it is stored.
pub type Hash = [u8; 32];

/// The system gives no random numbers.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system returned no random numbers; check that /dev/urandom is readable")]
pub struct NoRandomness;

/// A new secret of 256 random bits behind `prefix`, as one word that is safe in URLs and headers.
///
/// # Errors
/// [`NoRandomness`].
pub fn generate(prefix: &str) -> Result<String, NoRandomness> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// The 64 random bits of a new id.
///
/// # Errors
/// [`NoRandomness`].
pub fn generate_id_bits() -> Result<[u8; 8], NoRandomness> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// The stored form of a random secret. A fast hash is enough: nobody can guess 256 random bits.
pub fn hash(secret: &str) -> Hash {
    Sha256::digest(secret.as_bytes()).into()
}

/// Why a password is not accepted.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum BadPassword {
    /// Too short or too long.
    #[error("a password must have at least {PASSWORD_MIN} characters and at most {PASSWORD_MAX} bytes")]
    Length,
    /// It could not be hashed.
    #[error("cannot hash the password; check that 19 MiB of memory are free")]
    Hashing,
}

/// The stored form of a password (argon2id with a random salt). Takes tens of milliseconds and 19 MiB.
///
/// # Errors
/// [`BadPassword`].
pub fn hash_password(password: &str) -> Result<String, BadPassword> {
    if password.chars().count() < PASSWORD_MIN || password.len() > PASSWORD_MAX {
        return Err(BadPassword::Length);
    }
    let hash = Argon2::default().hash_password(password.as_bytes()).map_err(|_| BadPassword::Hashing)?;
    Ok(hash.to_string())
}

/// Whether `password` is the one that was stored as `stored`. As slow as hashing.
pub fn verify_password(password: &str, stored: &str) -> bool {
    password.len() <= PASSWORD_MAX
        && PasswordHash::new(stored)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_passwords_verify() {
        assert_ne!(generate("a_").unwrap(), generate("a_").unwrap());
        let stored = hash_password("correct horse battery").unwrap();
        assert!(stored.starts_with("$argon2id$"));
        assert!(verify_password("correct horse battery", &stored));
        assert!(!verify_password("correct horse batterz", &stored));
        assert!(matches!(hash_password("short"), Err(BadPassword::Length)));
    }
}
