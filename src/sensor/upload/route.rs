//! How to reach the plan service: directly or through a proxy, whose credential is in a separate file.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;

use reqwest::{NoProxy, Proxy, Url};

/// Maximum length of the credential file.
const CREDENTIAL_BYTES: u64 = 4 << 10;
/// Value of `upload.proxy` for no proxy, regardless of the environment.
const NONE: &str = "none";

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Route {
    /// The proxy's URL; `none` for no proxy; empty to use `HTTPS_PROXY` and `NO_PROXY`.
    pub proxy: String,
    /// A file with `user:password` for the proxy; empty if the proxy needs none.
    pub credential: PathBuf,
}

/// Why the proxy cannot be used. The message omits its URL, which may contain a password.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadProxy {
    #[error(
        "invalid proxy URL; write upload.proxy (or HTTPS_PROXY) as http://proxy.example:3128 or https://..."
    )]
    Address,
    #[error("{}: {reason}; upload.proxy_credential must name a file with one line, user:password", path.display())]
    Credential { path: PathBuf, reason: String },
}

impl Route {
    /// The proxy for HTTPS, if any.
    pub(crate) fn proxy(&self) -> Result<Option<Proxy>, BadProxy> {
        self.proxy_by(&|name| std::env::var(name).ok())
    }

    /// As [`Self::proxy`], with the environment as a parameter.
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
            .ok_or_else(|| bad("it contains no colon".to_owned()))?;
        if text.trim_end().contains(char::is_control) {
            return Err(bad("it has more than one line".to_owned()));
        }
        Ok(Some((user.to_owned(), password.to_owned())))
    }
}

/// Whether `upload.proxy` may have this value.
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
