//! Known browsers: a sign-in leaves a marker in the browser, so that strangers who guess passwords do not hold its person
//! back; see [`super::attempts`].
//!
//! The marker opens nothing. It names an account by a digest, and the service signs it, so nobody makes one for an account
//! that they cannot sign in to.

use sha2::{Digest as _, Sha256};

use super::{App, Refusal};
use crate::census::time::{DAY, SECOND};
use crate::plan::secret;
use crate::proof::Signature;

/// How long a browser is known after a sign-in, in nanoseconds.
const LIFE: i64 = 180 * DAY;
/// What the signed form begins with: the signature is not taken for another one of the same key.
const SCHEMA: &str = "netcensus.browser/1";

/// How long a browser keeps its marker, in seconds.
pub const SECONDS: i64 = LIFE / SECOND;

/// A new marker for a browser in which `name` signed in.
///
/// # Errors
/// The store's.
pub async fn mark(app: &App, name: &str) -> Result<String, Refusal> {
    let now = app.now();
    let expires = now.plus(LIFE).0;
    let id = hex::encode(secret::generate_id_bits().map_err(crate::plan::store::StoreError::from)?);
    let signature = app.store.signing_key(now).await?.sign(signed_form(expires, &id, name).as_bytes());
    Ok(format!("{expires}.{id}.{signature}"))
}

/// The id of the browser, if `marker` says that `name` signed in there before.
///
/// # Errors
/// The store's.
pub(super) async fn known<'m>(
    app: &App,
    name: &str,
    marker: Option<&'m str>,
) -> Result<Option<&'m str>, Refusal> {
    let now = app.now();
    let Some((expires, id, signature)) = marker.and_then(read).filter(|(expires, ..)| *expires > now.0)
    else {
        return Ok(None);
    };
    let key = app.store.signing_key(now).await?.public();
    Ok(key.signed(signed_form(expires, id, name).as_bytes(), &signature).then_some(id))
}

fn read(marker: &str) -> Option<(i64, &str, Signature)> {
    let (expires, rest) = marker.split_once('.')?;
    let (id, signature) = rest.split_once('.')?;
    Some((expires.parse().ok()?, id, signature.parse().ok()?))
}

fn signed_form(expires: i64, id: &str, name: &str) -> String {
    format!("{SCHEMA} {expires} {id} {}", hex::encode(Sha256::digest(name.as_bytes())))
}
