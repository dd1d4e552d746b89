//! One connection: speaks HTTP/1.1 on it, and ends it if its client keeps the service waiting.

use std::convert::Infallible;
use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, Request};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

/// How long the head of a request may take, from its first byte or from the beginning of the connection.
const HEAD: Duration = Duration::from_secs(10);
/// How long a connection may stay open between two requests. Sensors send every half minute.
const IDLE: Duration = Duration::from_secs(75);
/// How long a client may take no byte of an answer.
const STALLED: Duration = Duration::from_secs(30);
/// The most bytes of a head that are held.
const HEAD_BYTES: usize = 64 << 10;

/// Serves the requests of a connection until it ends, or `stopping` becomes true and the running request is answered.
pub(super) async fn serve(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) {
    let turn = Arc::new(Turn::default());
    let io = TokioIo::new(Watched::new(io, Arc::clone(&turn)));
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let running = Running::new(&turn);
        let answer = TowerToHyperService::new(router.clone()).call(request);
        async move {
            let answer = answer.await?;
            Ok::<_, Infallible>(answer.map(|body| HeldBody { body, _running: running }))
        }
    });
    // `Watched` has the times; the server's own timer would also end connections that wait between two requests.
    let server = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(io, service);
    let mut connection = pin!(server);
    let stop = async { stopping.wait_for(|stopping| *stopping).await.is_ok() };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stop => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("the connection of {peer} ended: {error}");
    }
}

/// Whose turn it is: the service's while a request runs, else the client's.
#[derive(Debug, Default)]
struct Turn {
    running: AtomicUsize,
    begun: AtomicU64,
    /// Who waits for bytes of the client while a request runs: the client's time begins when the request ends.
    reader: Mutex<Option<Waker>>,
}

/// A request that runs, until its answer is sent.
struct Running(Arc<Turn>);

impl Running {
    fn new(turn: &Arc<Turn>) -> Self {
        turn.running.fetch_add(1, Ordering::SeqCst);
        turn.begun.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(turn))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        if let Some(reader) = self.0.reader.lock().unwrap_or_else(PoisonError::into_inner).take() {
            reader.wake();
        }
    }
}

/// The body of an answer, during which the request still runs.
struct HeldBody {
    body: Body,
    _running: Running,
}

impl HttpBody for HeldBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection whose reads and writes fail once its client has kept the service waiting for too long.
struct Watched<I> {
    io: I,
    turn: Arc<Turn>,
    /// The requests that had begun at the last read.
    begun: u64,
    /// Whether a part of a head has come; at the beginning, a head is due.
    is_head: bool,
    reading: Option<Pin<Box<Sleep>>>,
    writing: Option<Pin<Box<Sleep>>>,
}

impl<I> Watched<I> {
    fn new(io: I, turn: Arc<Turn>) -> Self {
        let reading = Some(Box::pin(sleep(HEAD)));
        Self { io, turn, begun: 0, is_head: true, reading, writing: None }
    }

    /// The outcome of a write: fails if the client has taken nothing for too long.
    fn written<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            if self.writing.take().is_some() {
                // The client's time to send begins.
                cx.waker().wake_by_ref();
            }
            return outcome;
        }
        let timer = self.writing.get_or_insert_with(|| Box::pin(sleep(STALLED)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let outcome = Pin::new(&mut this.io).poll_read(cx, buf);
        let begun = this.turn.begun.load(Ordering::SeqCst);
        if begun != this.begun {
            (this.begun, this.is_head, this.reading) = (begun, false, None);
        }
        // First who is to be woken, then whose turn it is: else the turn could change in between.
        *this.turn.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        if this.turn.running.load(Ordering::SeqCst) > 0 || this.writing.is_some() {
            // The service's turn. A time-out of its own bounds how long a request runs, its body included.
            this.reading = None;
            return outcome;
        }
        match outcome {
            Poll::Ready(Ok(())) if buf.filled().len() > before => {
                if !this.is_head {
                    this.is_head = true;
                    this.reading = Some(Box::pin(sleep(HEAD)));
                }
                outcome
            }
            Poll::Pending => {
                let patience = if this.is_head { HEAD } else { IDLE };
                let timer = this.reading.get_or_insert_with(|| Box::pin(sleep(patience)));
                ready!(timer.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            other => other,
        }
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.io).poll_write(cx, buf);
        this.written(cx, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.io).poll_write_vectored(cx, bufs);
        this.written(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.io).poll_flush(cx);
        this.written(cx, outcome)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.io).poll_shutdown(cx);
        this.written(cx, outcome)
    }
}
