//! A browser: it signs in, keeps the session's cookie, reads pages and sends forms.

use netcensus::plan::store::CredentialKind;
use reqwest::{RequestBuilder, StatusCode, header};

use super::Plan;

/// The type of a form without files.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// A page as a browser gets it.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: header::HeaderMap,
    pub(crate) html: String,
}

impl Page {
    pub(crate) async fn read(request: RequestBuilder) -> Self {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        Self { status, headers, html: answer.text().await.unwrap() }
    }

    pub(crate) fn header(&self, name: header::HeaderName) -> &str {
        self.headers[&name].to_str().unwrap()
    }

    /// The name and value of the session's cookie.
    #[track_caller]
    pub(crate) fn cookie(&self) -> String {
        let cookie = self.header(header::SET_COOKIE);
        assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
        cookie.split(';').next().unwrap().to_owned()
    }

    /// Asserts the status, and that the page has this part in it.
    #[track_caller]
    pub(crate) fn assert(&self, status: u16, part: &str) {
        assert!(self.status == status && self.html.contains(part), "{part}: {} {}", self.status, self.html);
    }
}

/// The owner's browser, which signed in by a one-time link.
pub(crate) struct Browser<'a> {
    plan: &'a Plan,
    pub(crate) cookie: String,
}

impl<'a> Browser<'a> {
    pub(crate) async fn sign_in(plan: &'a Plan) -> Self {
        let link = plan.issue(CredentialKind::Login, Some("owner")).await;
        let page = Page::read(plan.client.get(format!("{}/login/{link}", plan.url))).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER);
        Self { plan, cookie: page.cookie() }
    }

    /// The URL of a page of the subscription.
    pub(crate) fn page(&self, path: &str) -> String {
        format!("{}/subscriptions/{}{path}", self.plan.url, self.plan.sid)
    }

    pub(crate) async fn get(&self, url: &str) -> Page {
        Page::read(self.plan.client.get(url).header(header::COOKIE, &self.cookie)).await
    }

    /// The page of the subscription at this path.
    pub(crate) async fn show(&self, path: &str) -> Page {
        self.get(&self.page(path)).await
    }

    /// Sends a form of a page of this service.
    pub(crate) async fn post(&self, path: &str, form: &str) -> Page {
        Page::read(self.form(path, form).header(header::ORIGIN, &self.plan.url)).await
    }

    /// A form without the headers that tell from which page it comes.
    pub(crate) fn form(&self, path: &str, form: &str) -> RequestBuilder {
        let request = self.plan.client.post(self.page(path)).header(header::COOKIE, &self.cookie);
        request.header(header::CONTENT_TYPE, FORM).body(form.to_owned())
    }
}
