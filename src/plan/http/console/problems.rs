//! The pages behind the types of problem, so that a type's address explains itself, also without the Internet.

use crate::plan::app::Refusal;
use askama::Template;
use axum::http::Uri;
use axum::response::Response;

use super::page::{Frame, PageError, render};
use crate::plan::http::extract::Path;
use crate::plan::http::problem::ProblemType;

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    frame: Frame,
    kind: ProblemType,
}

#[derive(Template)]
#[template(path = "problems.html")]
struct ProblemsPage {
    frame: Frame,
    kinds: &'static [ProblemType],
}

/// All types.
pub(super) async fn list() -> Response {
    render(&ProblemsPage { frame: Frame::plain("Problems", ""), kinds: ProblemType::ALL })
}

/// One type.
pub(super) async fn show(Path(slug): Path<String>) -> Result<Response, PageError> {
    let kind = ProblemType::ALL.iter().copied().find(|k| k.slug() == slug);
    let kind = kind.ok_or_else(|| Refusal::hidden("problem type", &slug))?;
    Ok(render(&ProblemPage { frame: Frame::plain(kind.title(), ""), kind }))
}

/// No page at this address.
pub(super) async fn not_found(uri: Uri) -> PageError {
    Refusal::hidden("page", uri.path()).into()
}
