//! Answers that are made while they are sent, however long they are.

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use crate::plan::app::{Refusal, aside};

/// A file that is made while it is sent.
pub(super) fn streamed<F>(kind: &'static str, file: F) -> Response
where
    F: Iterator<Item = Vec<u8>> + Send + 'static,
{
    let body = async_stream::stream! {
        let mut rest = Some(file);
        while let Some(mut file) = rest.take() {
            // A part at a time, so that a slow reader holds no thread.
            let part = aside(move || file.next().map(|part| (part, file))).await;
            match part.transpose() {
                Some(Ok((part, file))) => {
                    rest = Some(file);
                    yield Ok::<Vec<u8>, Refusal>(part);
                }
                Some(Err(error)) => yield Err(error),
                None => {}
            }
        }
    };
    ([(header::CONTENT_TYPE, kind)], Body::from_stream(body)).into_response()
}
