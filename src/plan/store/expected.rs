//! The state that a caller has seen before they change something, for example the API's `If-Match`.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::StoreError;

/// The state that a caller has seen before they change something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Expected {
    /// Any state: the caller is a person at the console or the command line.
    Any,
    /// Missing, although the caller must name a state.
    Unsaid,
    /// The entity tags that the caller has seen, as in `If-Match`: separated by commas, `*` for any.
    Tags(String),
}

impl Expected {
    /// Compares with `current`, read under the lock that the change holds.
    ///
    /// # Errors
    /// [`StoreError::Unconditional`] or [`StoreError::Stale`].
    pub fn check(&self, current: &impl Serialize) -> Result<(), StoreError> {
        let seen = match self {
            Self::Any => return Ok(()),
            Self::Unsaid => return Err(StoreError::Unconditional),
            Self::Tags(seen) => seen,
        };
        let current = tag(current);
        if seen.split(',').map(str::trim).any(|tag| tag == "*" || tag == current) {
            return Ok(());
        }
        Err(StoreError::Stale { current })
    }
}

/// The strong entity tag of something that is shown as JSON: the first 12 bytes of its SHA-256, in hex and quotes.
pub fn tag(value: &impl Serialize) -> String {
    let json = serde_json::to_vec(value).unwrap_or_default();
    let hex: String = hex::encode(Sha256::digest(&json)).chars().take(24).collect();
    format!("\"{hex}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_takes_the_tag_of_the_current_state() {
        let current = tag(&"a");
        assert_ne!(current, tag(&"b"));
        let tags = |text: &str| Expected::Tags(text.to_owned()).check(&"a");
        assert!(tags(&current).is_ok() && tags("*").is_ok() && Expected::Any.check(&"a").is_ok());
        assert!(tags(&format!("\"x\", {current}")).is_ok());
        assert!(matches!(tags("\"x\""), Err(StoreError::Stale { current: now }) if now == current));
        assert!(matches!(Expected::Unsaid.check(&"a"), Err(StoreError::Unconditional)));
    }
}
