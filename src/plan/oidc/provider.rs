//! Requests to the provider: discovery, keys, exchange of the code; and the verification of the identity token.

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreJwsSigningAlgorithm, CoreProviderMetadata,
};
use openidconnect::{
    AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse,
    IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, SignatureVerificationError, TokenResponse as _,
};
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::claims::{BadClaims, Identity};
use super::settings::{MissingGroups, OidcSettings};
use super::times::{BadTime, LEEWAY};
use crate::census::Timestamp;
use crate::plan::store::PendingSignIn;

/// Where the provider sends people back to, under the service's URL.
const CALLBACK: &str = "/login/oidc/callback";
/// The timeout of a request to the provider.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer of the provider, in bytes.
const ANSWER_BYTES: usize = 1 << 20;
/// The longest age of its description, and the shortest time between two requests for it, in nanoseconds.
const FRESH: i64 = 3_600_000_000_000;
const PAUSE: i64 = 5_000_000_000;
/// The accepted algorithms for identity tokens: with keys that only the provider has, never a shared secret or none.
const SIGNATURES: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// The identity provider.
pub struct Provider {
    settings: OidcSettings,
    secret: Option<ClientSecret>,
    redirect: String,
    http: reqwest::Client,
    known: Mutex<Option<Known>>,
}

/// The provider's description and keys, as of an instant.
#[derive(Clone)]
struct Known {
    metadata: CoreProviderMetadata,
    at: Timestamp,
}

/// A sign-in that begins.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Where to send the browser.
    pub url: String,
    /// The state, which the browser and the provider send back.
    pub state: String,
    /// The secrets that the service keeps until then.
    pub pending: PendingSignIn,
}

/// Why a sign-in fails.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The provider does not answer, or its answer is not usable.
    #[error("cannot reach the identity provider {issuer}: {why}; check 'issuer' in [oidc] and the network")]
    Unavailable {
        /// Which.
        issuer: String,
        /// What went wrong.
        why: String,
    },
    /// The settings cannot be used.
    #[error("the settings of the identity provider are not valid: {0}; correct [oidc] in the configuration")]
    Settings(String),
    /// The provider refuses the code.
    #[error(
        "the identity provider does not accept the code, which works once and for a short time; sign in again"
    )]
    Code(String),
    /// The identity token is not accepted.
    #[error("the identity token is not accepted: {0}; sign in again")]
    Token(String),
    /// The identity token is not valid now, or the clocks differ.
    #[error("the identity token is not accepted: {0}")]
    Time(BadTime),
    /// The claims are not sufficient for an identity.
    #[error(transparent)]
    Claims(#[from] BadClaims),
}

/// A request to the provider that failed.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    #[error("the answer is larger than {ANSWER_BYTES} bytes")]
    TooLarge,
    #[error("{0}")]
    Form(#[from] axum::http::Error),
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("issuer", &self.settings.issuer).finish_non_exhaustive()
    }
}

impl Provider {
    /// The provider of those settings, for the service at `public_url`. Sends no request: the service must start without it.
    ///
    /// # Errors
    /// [`ProviderError::Settings`].
    pub fn new(settings: OidcSettings, public_url: &str) -> Result<Self, ProviderError> {
        let file = &settings.client_secret_file;
        let secret = if file.as_os_str().is_empty() {
            None
        } else {
            let text = std::fs::read_to_string(file)
                .map_err(|e| ProviderError::Settings(format!("{}: {e}", file.display())))?;
            Some(ClientSecret::new(text.trim().to_owned()))
        };
        // A redirect must not make the service send requests to other hosts.
        let http = crate::tls::client()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .map_err(|e| ProviderError::Settings(e.to_string()))?;
        Ok(Self {
            secret,
            redirect: format!("{public_url}{CALLBACK}"),
            http,
            known: Mutex::new(None),
            settings,
        })
    }

    /// Its settings.
    pub fn settings(&self) -> &OidcSettings {
        &self.settings
    }

    /// Begins a sign-in.
    ///
    /// # Errors
    /// [`ProviderError::Unavailable`] or [`ProviderError::Settings`].
    pub async fn begin(&self, now: Timestamp) -> Result<Begun, ProviderError> {
        let metadata = self.metadata(now, FRESH).await?;
        let client = CoreClient::from_provider_metadata(
            metadata,
            ClientId::new(self.settings.client_id.clone()),
            self.secret.clone(),
        )
        .set_redirect_uri(self.redirect()?);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state, nonce) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scopes(self.settings.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge)
            .url();
        let pending = PendingSignIn { nonce: nonce.secret().clone(), verifier: verifier.into_secret() };
        Ok(Begun { url: url.to_string(), state: state.into_secret(), pending })
    }

    /// Exchanges the code for the person whom the provider vouches for.
    ///
    /// # Errors
    /// [`ProviderError`]; only a token that passes every check is read.
    pub async fn finish(
        &self,
        code: &str,
        pending: PendingSignIn,
        now: Timestamp,
    ) -> Result<Identity, ProviderError> {
        let metadata = self.metadata(now, FRESH).await?;
        let client = CoreClient::from_provider_metadata(
            metadata.clone(),
            ClientId::new(self.settings.client_id.clone()),
            self.secret.clone(),
        )
        .set_redirect_uri(self.redirect()?);
        let http = |request: HttpRequest| ask(self.http.clone(), request);
        let tokens = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|e| ProviderError::Settings(e.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(pending.verifier))
            .request_async(&http)
            .await
            .map_err(|e| match e {
                RequestTokenError::Request(e) => self.unavailable(&e),
                RequestTokenError::Parse(e, _) => {
                    ProviderError::Token(format!("the provider's answer cannot be read at {}", e.path()))
                }
                // The provider's text may contain secrets of the request: only the log gets it.
                other => ProviderError::Code(other.to_string()),
            })?;
        let token =
            tokens.id_token().ok_or_else(|| ProviderError::Token("the provider sent none".to_owned()))?;
        let nonce = Nonce::new(pending.nonce);
        let subject = match self.verify(&metadata, token, &nonce, now) {
            // Providers change their keys: an unknown key may be new.
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey | SignatureVerificationError::CryptoError(_),
            )) => self.verify(&self.metadata(now, PAUSE).await?, token, &nonce, now),
            other => other,
        };
        // The signature is checked before the times, so both errors of time mean a token of the provider's.
        if let Ok(_) | Err(ClaimsVerificationError::Expired(_)) = &subject
            && let Some(bad) = BadTime::of(&payload(token)?, now)
        {
            return Err(ProviderError::Time(bad));
        }
        let subject = subject.map_err(|e| ProviderError::Token(reason(&e)))?;
        let mut claims = payload(token)?;
        let mut settings = self.settings.clone();
        if let Some(url) = metadata.userinfo_endpoint() {
            let access = tokens.access_token().secret();
            match self.user_info(url.as_str(), access, &subject).await? {
                Some(told) => claims.extend(told),
                // What is missing may be in the answer that did not come.
                None => settings.missing_groups = MissingGroups::Unknown,
            }
        }
        Ok(Identity::new(&self.settings.issuer, &subject, &claims, &settings)?)
    }

    /// The subject of a token that passes every check: signature, issuer, audience, time, nonce.
    fn verify(
        &self,
        metadata: &CoreProviderMetadata,
        token: &CoreIdToken,
        nonce: &Nonce,
        now: Timestamp,
    ) -> Result<String, ClaimsVerificationError> {
        let client = CoreClient::from_provider_metadata(
            metadata.clone(),
            ClientId::new(self.settings.client_id.clone()),
            self.secret.clone(),
        );
        let instant = now.0.saturating_sub(LEEWAY.saturating_mul(1_000_000_000));
        let instant =
            SystemTime::UNIX_EPOCH + Duration::from_nanos(u64::try_from(instant).unwrap_or_default());
        let verifier =
            client.id_token_verifier().set_allowed_algs(SIGNATURES).set_time_fn(move || instant.into());
        Ok(token.claims(&verifier, nonce)?.subject().to_string())
    }

    /// The provider's user info, which must be about the same person as the token; `None` if the provider fails to give it.
    async fn user_info(
        &self,
        url: &str,
        access: &str,
        subject: &str,
    ) -> Result<Option<Map<String, Value>>, ProviderError> {
        let request = axum::http::Request::get(url)
            .header("authorization", format!("Bearer {access}"))
            .header("accept", "application/json")
            .body(Vec::new());
        let answer = match request {
            Ok(request) => ask(self.http.clone(), request).await.map_err(|e| self.unavailable(&e))?,
            Err(e) => return Err(self.unavailable(&e)),
        };
        // The service does not ask for a signed answer (JWT). If a provider sends only those, the token's claims suffice.
        if !answer.status().is_success() {
            tracing::warn!(status = %answer.status(), "the identity provider gave no user info; only the token's claims are used");
            return Ok(None);
        }
        let Ok(Value::Object(claims)) = serde_json::from_slice(answer.body()) else {
            return Ok(Some(Map::new()));
        };
        if claims.get("sub").and_then(Value::as_str) != Some(subject) {
            return Err(ProviderError::Token("the provider's user info is about another person".to_owned()));
        }
        Ok(Some(claims))
    }

    /// The provider's description and keys. Fetches them again if they are older than `most` nanoseconds.
    async fn metadata(&self, now: Timestamp, most: i64) -> Result<CoreProviderMetadata, ProviderError> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref()
            && (0..most).contains(&now.since(known.at))
        {
            return Ok(known.metadata.clone());
        }
        let issuer = IssuerUrl::new(self.settings.issuer.clone())
            .map_err(|e| ProviderError::Settings(format!("issuer: {e}")))?;
        let http = |request: HttpRequest| ask(self.http.clone(), request);
        let metadata =
            CoreProviderMetadata::discover_async(issuer, &http).await.map_err(|e| self.unavailable(&e))?;
        *known = Some(Known { metadata: metadata.clone(), at: now });
        Ok(metadata)
    }

    fn redirect(&self) -> Result<RedirectUrl, ProviderError> {
        RedirectUrl::new(self.redirect.clone())
            .map_err(|e| ProviderError::Settings(format!("public_url: {e}")))
    }

    fn unavailable(&self, error: &dyn std::error::Error) -> ProviderError {
        let mut why = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            why.push_str(&format!(": {error}"));
            cause = error.source();
        }
        ProviderError::Unavailable { issuer: self.settings.issuer.clone(), why }
    }
}

/// Why a token is refused, without its contents.
fn reason(error: &ClaimsVerificationError) -> String {
    match error {
        ClaimsVerificationError::Expired(_) => "it has expired".to_owned(),
        ClaimsVerificationError::InvalidAudience(_) => "it is for another service".to_owned(),
        ClaimsVerificationError::InvalidIssuer(_) => "it is from another provider".to_owned(),
        ClaimsVerificationError::InvalidNonce(_) => "it belongs to another sign-in".to_owned(),
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
            "the provider lists no key of that name".to_owned()
        }
        ClaimsVerificationError::SignatureVerification(_) => "its signature is not the provider's".to_owned(),
        _ => "it cannot be verified".to_owned(),
    }
}

/// The claims of a token whose signature was verified.
fn payload(token: &CoreIdToken) -> Result<Map<String, Value>, ProviderError> {
    let text = token.to_string();
    let payload = text.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    payload
        .and_then(|json| serde_json::from_slice(&json).ok())
        .ok_or_else(|| ProviderError::Token("its claims cannot be read".to_owned()))
}

/// Sends a request to the provider, with limits of time and size.
async fn ask(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, AskError> {
    let mut answer = http.execute(reqwest::Request::try_from(request)?).await?;
    let mut out = axum::http::Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        out = out.header(name, value);
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len().saturating_add(chunk.len()) > ANSWER_BYTES {
            return Err(AskError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(out.body(body)?)
}
