//! The page of findings: what a person should check, and the next step.

use std::net::IpAddr;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::devices::query_string;
use super::page::{Frame, PageError, Visitor, render};
use super::show;
use crate::census::{Finding, FindingKind, Verdict};
use crate::listing::Filter;
use crate::plan::app::findings::{self, FindingFilter, FindingList};
use crate::plan::app::{App, May};
use crate::plan::permission::View;

/// The most findings on the page.
const FINDINGS: usize = 200;
/// The most subjects of one finding on a page.
const SUBJECTS: usize = 5;

#[derive(Template)]
#[template(path = "findings.html")]
struct Page {
    frame: Frame,
    list: FindingList,
    /// The first [`FINDINGS`].
    findings: Vec<Shown>,
}

/// A finding as pages show it.
pub(super) struct Shown {
    pub(super) finding: Finding,
    pub(super) links: Vec<Link>,
}

/// A link to the devices of a finding.
pub(super) struct Link {
    pub(super) text: String,
    /// Below the subscription's pages.
    pub(super) path: String,
}

impl From<&Finding> for Shown {
    fn from(finding: &Finding) -> Self {
        let page = |text: String| Link { path: format!("/explain?subject={text}"), text };
        let links = if finding.kind == FindingKind::NewcomersHeld {
            let filter = Filter {
                verdict: Some(Verdict::Tentative.id().to_owned()),
                zone: Some(finding.zone.clone()),
                ..Filter::default()
            };
            vec![Link { text: "devices held".to_owned(), path: query_string("/devices", &filter) }]
        } else {
            let addresses = finding.subjects.addresses.iter().map(IpAddr::to_string);
            let macs = finding.subjects.macs.iter().map(ToString::to_string);
            addresses.chain(macs).take(SUBJECTS).map(page).collect()
        };
        Self { finding: finding.clone(), links }
    }
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
) -> Result<Response, PageError> {
    let list = findings::list(&app, &may, &FindingFilter::default(), None).await?;
    let findings = list.findings.iter().take(FINDINGS).map(Shown::from).collect();
    Ok(render(&Page { frame: Frame::new(&may, "findings", "Findings"), list, findings }))
}
