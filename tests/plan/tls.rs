//! HTTPS: the service's own certificate, and who is taken for the service.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use netcensus::clock::SystemClock;
use netcensus::plan::app::{App, Settings, classifier};
use netcensus::plan::server;
use netcensus::plan::store::{Location, Store};
use netcensus::plan::tls::{Own, Source, Tls, TlsListener};
use netcensus::wire::EnrolmentToken;
use reqwest::{Certificate, Client};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::program::Process;
use crate::support::{PATIENCE, at};

/// A service that speaks TLS with a certificate that it makes itself.
struct Secure {
    url: String,
    service: App,
    tls: Tls,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
    dir: tempfile::TempDir,
}

/// The service's own certificate, in `directory`.
fn own(directory: &Path) -> Source {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    Source::Own(Own { file: directory.join("tls.pem"), names, now: at("2026-11-22T00:00:00Z") })
}

/// A client that trusts the certificate in the file as it trusts an authority.
fn client_that_trusts(file: &Path) -> Client {
    let certificate = Certificate::from_pem(&std::fs::read(file).unwrap()).unwrap();
    netcensus::tls::client().no_proxy().tls_certs_only([certificate]).build().unwrap()
}

impl Secure {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tls = Tls::new(own(dir.path())).unwrap();
        let store = Store::open(&Location::File(dir.path().join("plan.sqlite"))).await.unwrap();
        let tcp = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("https://{}", tcp.local_addr().unwrap());
        let settings = Settings { public_url: url.clone(), tls: Some(tls.clone()), ..Settings::default() };
        let service = App::new(store, Arc::new(SystemClock), classifier(None).unwrap(), settings);
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async move {
            stopped.await.ok();
        };
        let listener = TlsListener::new(tcp, tls.clone());
        let server = tokio::spawn(server::serve(listener, service.clone(), until));
        Self { url, service, tls, stop, server, dir }
    }

    fn client(&self) -> Client {
        client_that_trusts(&self.dir.path().join("tls.pem"))
    }

    async fn is_ready(&self, client: &Client) -> bool {
        let answer = client.get(format!("{}/readyz", self.url)).send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    }
}

#[tokio::test]
async fn the_service_speaks_tls_to_clients_that_trust_its_certificate() {
    let secure = Secure::start().await;
    let client = secure.client();
    let answer = client.get(format!("{}/readyz", secure.url)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-security-policy"], server::CSP);
    assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
    let plain = client.get(format!("{}/readyz", secure.url.replace("https", "http"))).send().await.unwrap();
    assert_eq!(plain.status(), 426, "plain HTTP gets nothing but the advice to use HTTPS");
    let stranger = netcensus::tls::client().no_proxy().build().unwrap();
    assert!(!secure.is_ready(&stranger).await, "no authority vouches for it");
}

#[tokio::test]
async fn a_connection_that_sends_nothing_delays_neither_others_nor_the_stop() {
    let secure = Secure::start().await;
    let silent = TcpStream::connect(secure.url.strip_prefix("https://").unwrap()).await.unwrap();
    assert!(secure.is_ready(&secure.client()).await);
    secure.stop.send(()).unwrap();
    tokio::time::timeout(PATIENCE, secure.server).await.unwrap().unwrap().unwrap();
    drop(silent);
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_named_by_new_tokens() {
    let secure = Secure::start().await;
    let before = secure.tls.fingerprint();
    std::fs::remove_file(secure.dir.path().join("tls.pem")).unwrap();
    let after = secure.tls.reload().unwrap();
    assert_ne!(before, after);
    assert_eq!(secure.service.enrolment_token("s".into()).fingerprint, Some(after));
    assert!(secure.is_ready(&secure.client()).await);
}

/// The program with these arguments and the configuration `plan.toml`.
fn program(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netcensus-plan"));
    command.args(arguments).args(["--config", "plan.toml"]).current_dir(dir);
    command.env_remove("NETCENSUS_PLAN_DATABASE").env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

fn configure(dir: &Path, text: &str) {
    std::fs::write(dir.join("plan.toml"), text).unwrap();
}

#[test]
fn the_program_does_not_serve_plain_http_beyond_this_machine() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), "listen = \"0.0.0.0:0\"\npublic_url = \"http://plan.example\"\n");
    let refused = program(dir.path(), &["serve"]).output().unwrap();
    let message = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(78) && message.contains("https://plan.example"), "{message}");
}

/// The fingerprint in a line that names it.
fn fingerprint(line: &str) -> String {
    line.split(" SHA-256 is ").nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn beyond_this_machine_the_program_serves_https_and_its_tokens_name_its_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    configure(dir, "listen = \"0.0.0.0:0\"\n");
    let mut service = Process::start(program(dir, &["serve"]));
    let shown = fingerprint(&service.line_with(" SHA-256 is "));
    assert!(service.url.starts_with("https://"), "{}", service.url);
    let url = format!("https://localhost:{}/readyz", service.url.rsplit(':').next().unwrap());
    let file = dir.join("netcensus-plan.sqlite.tls.pem");
    assert_eq!(client_that_trusts(&file).get(&url).send().await.unwrap().status(), 200);
    assert!(program(dir, &["subscription", "create", "Contoso"]).status().unwrap().success());
    let token = String::from_utf8(program(dir, &["sensor", "token"]).output().unwrap().stdout).unwrap();
    let token: EnrolmentToken = token.parse().unwrap();
    assert_eq!(token.fingerprint.map(|f| f.to_string()), Some(shown.clone()));
    assert!(token.url.starts_with("https://"), "{}", token.url);

    // SIGHUP makes the service read its certificate again; here it makes a new one.
    std::fs::remove_file(&file).unwrap();
    service.signal("-HUP");
    assert_ne!(fingerprint(&service.log_with(" SHA-256 is ")), shown);
    assert_eq!(client_that_trusts(&file).get(&url).send().await.unwrap().status(), 200);
    // Who speaks HTTP there is told.
    let plain = url.replace("https://", "http://");
    let told = netcensus::tls::client().no_proxy().build().unwrap().get(plain).send().await.unwrap();
    assert_eq!(told.status(), 426);
    let told: serde_json::Value = told.json().await.unwrap();
    assert_eq!(told["type"], "/problems/https-only");
    assert!(told["detail"].as_str().unwrap().contains("write https://"), "{told}");
    service.signal("-TERM");
    assert_eq!(service.ended().code(), Some(0));
}

#[cfg(feature = "sensor")]
mod with_the_sensor {
    use netcensus::billing::timeline::{Onboarding, PlanKind};
    use netcensus::census::Timestamp;
    use netcensus::plan::store::By;
    use netcensus::sensor::upload::client::{self, UploadError, Uploader};
    use netcensus::sensor::upload::identity::Identity;
    use netcensus::sensor::upload::route::Route;
    use netcensus::wire::{Fingerprint, UploadReceipt};
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::server::{ClientHello, ResolvesServerCert};
    use rustls::sign::CertifiedKey;

    use super::*;
    use crate::support::{START, upload};

    const NOW: Timestamp = Timestamp(0);

    async fn enrol(
        token: &EnrolmentToken,
        name: &str,
        previous: Option<&Identity>,
        now: Timestamp,
    ) -> Result<Identity, UploadError> {
        client::enrol(token, name, previous, &Route::default(), now).await
    }

    async fn send(identity: &Identity, body: Vec<u8>, now: Timestamp) -> Result<UploadReceipt, UploadError> {
        let uploader = Uploader::new(identity, PATIENCE, &Route::default()).unwrap();
        uploader.send(body, now).await.result
    }

    async fn token(secure: &Secure) -> EnrolmentToken {
        let now = secure.service.now();
        let store = &secure.service.store;
        let sid = store.create_subscription("Contoso", None, &By::operator(), now).await.unwrap().id;
        let trial = Onboarding { kind: PlanKind::Trial, devices: None, accept_terms: true };
        store.onboard(&sid, &trial, None, &By::operator(), now).await.unwrap();
        secure.service.enrolment_token(store.create_enrolment(&sid, &By::operator(), now).await.unwrap().0)
    }

    #[tokio::test]
    async fn a_token_is_all_a_sensor_needs_and_its_clock_does_not_matter() {
        let secure = Secure::start().await;
        let token = token(&secure).await;
        assert!(token.fingerprint.is_some());
        let text: EnrolmentToken = token.to_string().parse().unwrap();
        let first = enrol(&text, "edge", None, NOW).await.unwrap();
        let body = upload(1, "hq", &[("02:00:00:00:00:01", "10.0.0.1", "iot-1", START)]).encode().unwrap();
        assert!(!send(&first, body.clone(), NOW).await.unwrap().duplicate);
        assert!(send(&first, body.clone(), Timestamp(i64::MAX)).await.unwrap().duplicate);
        // A token works once. With another one the appliance enrols as a new sensor.
        assert!(matches!(enrol(&text, "edge", Some(&first), NOW).await, Err(UploadError::Token { .. })));
        let sid = &first.subscription.parse().unwrap();
        let secret = secure
            .service
            .store
            .create_enrolment(sid, &By::operator(), secure.service.now())
            .await
            .unwrap()
            .0;
        let next = EnrolmentToken { secret, ..text };
        let second = enrol(&next, "edge", Some(&first), NOW).await.unwrap();
        assert_ne!(second.sensor, first.sensor);
        assert!(matches!(
            send(&first, body.clone(), NOW).await,
            Err(UploadError::Unauthorized { status: 401, .. })
        ));
        assert!(send(&second, body, NOW).await.is_ok());
    }

    #[tokio::test]
    async fn a_service_with_another_certificate_gets_nothing_and_the_sensor_says_why() {
        let secure = Secure::start().await;
        let mut token = token(&secure).await;
        let identity = enrol(&token, "edge", None, NOW).await.unwrap();
        let known = token.fingerprint.unwrap();
        std::fs::remove_file(secure.dir.path().join("tls.pem")).unwrap();
        let shown = secure.tls.reload().unwrap();
        let refused = send(&identity, Vec::new(), NOW).await.unwrap_err();
        let UploadError::Certificate { .. } = &refused else { unreachable!("{refused}") };
        let said = refused.to_string();
        for words in [&*known.to_string(), &*shown.to_string(), "enrol again", "suspect an interception"] {
            assert!(said.contains(words), "{said}");
        }
        token.fingerprint = Some(Fingerprint::of(b"another"));
        assert!(matches!(enrol(&token, "edge", None, NOW).await, Err(UploadError::Certificate { .. })));
        // If the token has no fingerprint, an authority must vouch for the service.
        token.fingerprint = None;
        let refused = enrol(&token, "edge", None, NOW).await.unwrap_err();
        let UploadError::Certificate { reason, .. } = &refused else { unreachable!("{refused}") };
        assert!(reason.contains("no authority"), "{reason}");
    }

    /// Shows one certificate and signs with another's key.
    #[derive(Debug)]
    struct Impostor(Arc<CertifiedKey>);

    impl ResolvesServerCert for Impostor {
        fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
            Some(Arc::clone(&self.0))
        }
    }

    #[tokio::test]
    async fn a_server_that_shows_the_certificate_but_lacks_its_key_is_not_taken_for_the_service() {
        let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let fingerprint = own(theirs.path()).pin().unwrap();
        own(ours.path()).pin().unwrap();
        let read = |dir: &tempfile::TempDir| std::fs::read(dir.path().join("tls.pem")).unwrap();
        let shown = CertificateDer::from_pem_slice(&read(&theirs)).unwrap();
        let key = PrivateKeyDer::from_pem_slice(&read(&ours)).unwrap();
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let provider = netcensus::tls::provider();
            let signing = provider.key_provider.load_private_key(key.clone_key()).unwrap();
            let impostor = Impostor(Arc::new(CertifiedKey::new(vec![shown.clone()], signing)));
            let config = rustls::ServerConfig::builder_with_provider(provider)
                .with_protocol_versions(&[version])
                .unwrap()
                .with_no_client_auth()
                .with_cert_resolver(Arc::new(impostor));
            let tcp = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let url = format!("https://{}", tcp.local_addr().unwrap());
            let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
            let server = tokio::spawn(async move {
                let (stream, _) = tcp.accept().await.unwrap();
                acceptor.accept(stream).await.is_ok()
            });
            let token = EnrolmentToken { url, secret: "s".into(), fingerprint };
            let refused = enrol(&token, "edge", None, NOW).await.unwrap_err();
            assert!(matches!(refused, UploadError::Certificate { .. }), "{refused}");
            assert!(!server.await.unwrap(), "no handshake, so no secret was sent");
        }
    }
}
