//! The way to the plan service: directly, or through a proxy, with a credential that lies in a file of its own.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;

use reqwest::{NoProxy, Proxy, Url};

/// The longest credential.
const CREDENTIAL_BYTES: u64 = 4 << 10;
/// In place of a proxy: none, whatever the environment says.
const NONE: &str = "none";

/// How the plan service is reached.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Route {
    /// The proxy's URL; `none` for none; empty for what `HTTPS_PROXY` and `NO_PROXY` say.
    pub proxy: String,
    /// A file with `user:password` for the proxy; empty for none.
    pub credential: PathBuf,
}

/// A proxy that cannot be used. Its URL is not repeated, as it may hold a password.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadProxy {
    /// The URL is none.
    #[error(
        "the proxy's URL is none that is used; write upload.proxy (or HTTPS_PROXY) as http://proxy.example:3128 or https://..."
    )]
    Address,
    /// The credential cannot be read.
    #[error("{}: {reason}; upload.proxy_credential names a file with one line, user:password", path.display())]
    Credential {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl Route {
    /// The proxy for HTTPS, where there is one.
    pub(crate) fn proxy(&self) -> Result<Option<Proxy>, BadProxy> {
        self.proxy_by(&|name| std::env::var(name).ok())
    }

    /// What [`Self::proxy`] is in an environment.
    fn proxy_by(&self, environment: &dyn Fn(&str) -> Option<String>) -> Result<Option<Proxy>, BadProxy> {
        let (text, no_proxy) = match self.proxy.as_str() {
            NONE => return Ok(None),
            "" => {
                let found = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
                    .into_iter()
                    .find_map(environment);
                let except = ["NO_PROXY", "no_proxy"].into_iter().find_map(environment).unwrap_or_default();
                (found.unwrap_or_default(), NoProxy::from_string(&except))
            }
            text => (text.to_owned(), None),
        };
        if text.is_empty() {
            return Ok(None);
        }
        let mut proxy = Proxy::https(address(&text)?).map_err(|_| BadProxy::Address)?.no_proxy(no_proxy);
        if let Some((user, password)) = self.credential()? {
            proxy = proxy.basic_auth(&user, &password);
        }
        Ok(Some(proxy))
    }

    fn credential(&self) -> Result<Option<(String, String)>, BadProxy> {
        if self.credential.as_os_str().is_empty() {
            return Ok(None);
        }
        let bad = |reason: String| BadProxy::Credential { path: self.credential.clone(), reason };
        let file = fs::File::open(&self.credential).map_err(|e| bad(e.to_string()))?;
        let mut text = String::new();
        file.take(CREDENTIAL_BYTES).read_to_string(&mut text).map_err(|e| bad(e.to_string()))?;
        let (user, password) = text
            .trim_end_matches(['\r', '\n'])
            .split_once(':')
            .ok_or_else(|| bad("there is no colon in it".to_owned()))?;
        if text.trim_end().contains(char::is_control) {
            return Err(bad("it has more than one line".to_owned()));
        }
        Ok(Some((user.to_owned(), password.to_owned())))
    }
}

/// Whether a text can be the configuration's proxy.
pub(crate) fn is_proxy(text: &str) -> bool {
    matches!(text, "" | NONE) || address(text).is_ok()
}

fn address(text: &str) -> Result<Url, BadProxy> {
    let url = Url::parse(text).map_err(|_| BadProxy::Address)?;
    let used = matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|h| !h.is_empty());
    if used { Ok(url) } else { Err(BadProxy::Address) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(route: &Route, environment: &[(&str, &str)]) -> bool {
        let of = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        route.proxy_by(&of).unwrap().is_some()
    }

    #[test]
    fn the_configuration_is_before_the_environment_and_none_is_none() {
        let (route, environment) = (
            |proxy: &str| Route { proxy: proxy.into(), ..Route::default() },
            &[("HTTPS_PROXY", "http://p:3128")],
        );
        assert!(
            !found(&route(""), &[]) && found(&route(""), environment) && !found(&route("none"), environment)
        );
        assert!(found(&route("https://proxy.example"), &[]));
        for bad in ["p:3128", "socks5://p:1", "http://", "ftp://p"] {
            assert_eq!(route(bad).proxy().unwrap_err(), BadProxy::Address, "{bad}");
            assert!(!is_proxy(bad));
        }
    }

    #[test]
    fn a_credential_that_cannot_be_used_is_named_and_not_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let credential = dir.path().join("proxy");
        let route = Route { proxy: "http://p:1".into(), credential: credential.clone() };
        assert!(route.proxy().unwrap_err().to_string().contains("upload.proxy_credential"));
        for bad in ["secret", "user:secret\nmore"] {
            fs::write(&credential, bad).unwrap();
            let complaint = route.proxy().unwrap_err().to_string();
            assert!(
                complaint.contains("one line, user:password") && !complaint.contains("secret"),
                "{complaint}"
            );
        }
        fs::write(&credential, "user:se:cret\n").unwrap();
        assert_eq!(route.credential().unwrap(), Some(("user".into(), "se:cret".into())));
        assert!(route.proxy().unwrap().is_some());
    }
}
