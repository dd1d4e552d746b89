//! Signing in by an identity provider: OpenID Connect, authorization code with PKCE, state and nonce.
//!
//! ```text
//! /login/oidc ─► state, nonce, verifier kept ─► provider's page ─► /login/oidc/callback ─► code → identity token
//!                                                                     │ signature, issuer, audience, time, nonce
//!                                                                     └─► (issuer, subject) is who it is; groups → roles
//! ```
//!
//! The identity is the pair of issuer and subject. A name or an e-mail alone gets nobody in.

mod claims;
mod provider;
mod settings;

pub use claims::Identity;
pub use provider::{Begun, Provider, ProviderError};
pub use settings::{GroupSetting, OidcSettings};
