//! A listener whose connections speak TLS. Handshakes run in parallel, so a slow one does not delay others.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use axum::serve::Listener;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Tls;
use crate::plan::connections::{ConnectionLimits, Connections};
use crate::plan::http::problem::ProblemType;

/// Handshakes that run at once; further connections wait in the system's queue.
const HANDSHAKES: usize = 512;
/// Handshakes of one address (of IPv6, one /64) that run at once; further connections are closed.
const HANDSHAKES_OF_ADDRESS: usize = 128;
/// The bytes that are read of a request in plain HTTP.
const HEAD: usize = 16 << 10;
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Accepts connections, and gives those that completed their handshake.
#[derive(Debug)]
pub struct TlsListener {
    tcp: TcpListener,
    tls: Tls,
    places: Connections,
    handshakes: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl TlsListener {
    /// TLS on the connections of `tcp`, with the present certificate of `tls`.
    pub fn new(tcp: TcpListener, tls: Tls) -> Self {
        let of = |n| NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MIN);
        let limits = ConnectionLimits { most: of(HANDSHAKES), of_address: of(HANDSHAKES_OF_ADDRESS) };
        Self { tcp, tls, places: Connections::new(limits, Vec::new()), handshakes: JoinSet::new() }
    }

    fn begin(&mut self, stream: TcpStream, address: SocketAddr) {
        let Ok(place) = self.places.admit(address.ip()) else {
            tracing::debug!("no TLS with {address}: too many handshakes of this address");
            return;
        };
        let acceptor = TlsAcceptor::from(self.tls.config());
        self.handshakes.spawn(async move {
            let _place = place;
            let handshake = async {
                let mut first = [0];
                // A handshake begins with the byte 22, a request with the letter of its method.
                if stream.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase() {
                    refuse_plain(stream).await;
                    return Err(io::Error::other("it speaks HTTP"));
                }
                acceptor.accept(stream).await
            };
            match tokio::time::timeout(HANDSHAKE, handshake).await {
                Ok(Ok(stream)) => Some((stream, address)),
                Ok(Err(error)) => {
                    tracing::debug!("no TLS with {address}: {error}");
                    None
                }
                Err(_) => {
                    tracing::debug!("no TLS with {address}: the handshake took too long");
                    None
                }
            }
        });
    }
}

/// Answers a client that speaks plain HTTP. It would not understand TLS's alert.
async fn refuse_plain(mut stream: TcpStream) {
    // What is left unread would reset the connection before the answer arrives.
    let mut head = vec![0; HEAD];
    let Ok(1..) = stream.read(&mut head).await else { return };
    let kind = ProblemType::HttpsOnly;
    let body = json!({
        "type": format!("/problems/{}", kind.slug()),
        "title": kind.title(),
        "status": kind.status(),
        "detail": "the service speaks HTTPS at this address; write https:// instead of http://",
    })
    .to_string();
    let answer = format!(
        "HTTP/1.1 426 Upgrade Required\r\nupgrade: TLS/1.3, HTTP/1.1\r\nconnection: upgrade, close\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    // It is closed anyhow.
    stream.write_all(answer.as_bytes()).await.ok();
    stream.shutdown().await.ok();
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    // Safe to cancel: connections wait in the set.
    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let room = self.handshakes.len() < HANDSHAKES;
            tokio::select! {
                Some(done) = self.handshakes.join_next() => {
                    if let Ok(Some(connection)) = done {
                        return connection;
                    }
                }
                (stream, address) = Listener::accept(&mut self.tcp), if room => self.begin(stream, address),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}
