//! A request's body for a reader on a thread for long work, a piece at a time.

use std::io::{self, Read};

use axum::body::{Body, Bytes};
use axum::extract::multipart::{Field, MultipartError};
use futures_core::Stream as _;
use tokio::sync::mpsc;

/// Pieces that wait for the reader.
const PIECES: usize = 8;

/// Reads the pieces that a [`Feeder`] gives. Its end without [`Feeder::end`] is an error: the body broke off.
#[derive(Debug)]
pub(super) struct BodyReader {
    pieces: mpsc::Receiver<Option<Bytes>>,
    piece: Bytes,
    is_over: bool,
}

/// Gives pieces to a [`BodyReader`].
#[derive(Debug)]
pub(super) struct Feeder(mpsc::Sender<Option<Bytes>>);

/// A feeder and its reader.
pub(super) fn pipe() -> (Feeder, BodyReader) {
    let (sender, pieces) = mpsc::channel(PIECES);
    (Feeder(sender), BodyReader { pieces, piece: Bytes::new(), is_over: false })
}

impl Feeder {
    /// Gives a piece. Returns whether the reader wants more.
    async fn give(&self, piece: Bytes) -> bool {
        self.0.send(Some(piece)).await.is_ok()
    }

    async fn end(self) {
        self.0.send(None).await.ok();
    }

    /// Gives a whole body, as far as the reader wants it.
    pub(super) async fn body(self, body: Body) {
        let mut pieces = std::pin::pin!(body.into_data_stream());
        loop {
            match std::future::poll_fn(|context| pieces.as_mut().poll_next(context)).await {
                Some(Ok(piece)) => {
                    if !self.give(piece).await {
                        return;
                    }
                }
                Some(Err(_)) => return,
                None => return self.end().await,
            }
        }
    }

    /// Gives a file of a form, and skips what the reader does not want.
    pub(super) async fn field(self, field: &mut Field<'_>) -> Result<(), MultipartError> {
        while let Some(piece) = field.chunk().await? {
            self.give(piece).await;
        }
        self.end().await;
        Ok(())
    }
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && !self.is_over {
            match self.pieces.blocking_recv() {
                Some(Some(piece)) => self.piece = piece,
                Some(None) => self.is_over = true,
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file broke off")),
            }
        }
        let n = self.piece.len().min(buffer.len());
        let piece = self.piece.split_to(n);
        if let Some(room) = buffer.get_mut(..n) {
            room.copy_from_slice(&piece);
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut reader: BodyReader) -> io::Result<String> {
        tokio::task::spawn_blocking(move || io::read_to_string(&mut reader)).await.unwrap()
    }

    #[tokio::test]
    async fn a_body_is_read_as_it_comes_and_one_that_breaks_off_is_an_error() {
        let (feeder, reader) = pipe();
        let reading = tokio::spawn(read(reader));
        feeder.body(Body::from("one two")).await;
        assert_eq!(reading.await.unwrap().unwrap(), "one two");
        let (feeder, reader) = pipe();
        let reading = tokio::spawn(read(reader));
        assert!(feeder.give(Bytes::from_static(b"half")).await);
        drop(feeder);
        assert_eq!(reading.await.unwrap().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
