//! Sensors: enrolment, signatures, uploads.

use ed25519_dalek::{Signer as _, SigningKey};
use netcensus::census::Timestamp;
use netcensus::plan::secret;
use netcensus::plan::store::{By, Enrolling, Store};
use netcensus::wire::signature::{self, PublicKey, Purpose, SignatureInput};
use netcensus::wire::{EnrolResponse, EnrolmentToken, Upload};
use netcensus::wire::{SensorId, SubscriptionId};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{Answer, Plan, send};

/// An enrolled sensor.
#[derive(Clone)]
pub(crate) struct TestSensor {
    pub(crate) id: SensorId,
    pub(crate) key: String,
    pub(crate) signing: SigningKey,
}

impl TestSensor {
    /// Enrols a sensor in the store itself.
    pub(crate) async fn enrol_in(store: &Store, secret: &str, now: Timestamp) -> Self {
        let signing = signing_key();
        let asked = Enrolling { secret, name: "edge", public_key: public_key(&signing), replaces: None };
        let enrolled = store.enrol(&asked, &By::service(), now).await.unwrap();
        Self { id: enrolled.sensor.parse().unwrap(), key: enrolled.key, signing }
    }

    /// The request with the body, the sensor's key and its signature.
    pub(crate) fn upload(&self, request: RequestBuilder, body: Vec<u8>) -> RequestBuilder {
        self.sign(request.bearer_auth(&self.key), body, Purpose::Upload)
    }

    /// The request with the body and the signature.
    pub(crate) fn sign(&self, request: RequestBuilder, body: Vec<u8>, purpose: Purpose) -> RequestBuilder {
        let built = request.try_clone().unwrap().build().unwrap();
        let nonce = hex::encode(secret::generate_id_bits().unwrap());
        let input = SignatureInput { created: 0, key: public_key(&self.signing), nonce, purpose };
        let digest = signature::content_digest(&body);
        let base = input.base(built.method().as_str(), built.url().path(), &digest);
        let signed = self.signing.sign(base.as_bytes()).to_bytes();
        request
            .header(signature::CONTENT_DIGEST, digest)
            .header(signature::SIGNATURE_INPUT, input.header())
            .header(signature::SIGNATURE, signature::signature_header(&signed))
            .body(body)
    }
}

/// A new key pair.
pub(crate) fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&secret::hash(&secret::generate("").unwrap()))
}

pub(crate) fn public_key(signing: &SigningKey) -> PublicKey {
    PublicKey(signing.verifying_key().to_bytes())
}

/// A new public key, as an enrolment sends it.
pub(crate) fn new_public_key() -> String {
    public_key(&signing_key()).to_string()
}

/// A sensor's key that the service does not know.
pub(crate) fn stranger() -> String {
    secret::generate("ncs_").unwrap()
}

impl Plan {
    /// Onboards a trial and enrols a sensor.
    pub(crate) async fn ready(&self) -> TestSensor {
        self.onboard_trial().await;
        self.enrol().await
    }

    /// Enrols a sensor with a token that the owner creates.
    pub(crate) async fn enrol(&self) -> TestSensor {
        let token = self.enrolment_token().await;
        assert_eq!(token.url, self.url);
        self.enrol_by(&token.secret).await
    }

    /// Enrols a sensor with the secret of a token.
    pub(crate) async fn enrol_by(&self, secret: &str) -> TestSensor {
        let signing = signing_key();
        let body = self.enrol_with(secret, &public_key(&signing).to_string()).await.succeeds(201);
        let enrolled: EnrolResponse = serde_json::from_value(body).unwrap();
        assert_eq!(enrolled.subscription, self.sid.as_str());
        TestSensor { id: enrolled.sensor.parse().unwrap(), key: enrolled.key, signing }
    }

    /// The enrolment token that the owner creates.
    pub(crate) async fn enrolment_token(&self) -> EnrolmentToken {
        let body = self.post("/sensors/tokens", json!({})).await.succeeds(201);
        body.get("token").and_then(Value::as_str).unwrap().parse().unwrap()
    }

    /// The secret of an enrolment token for the subscription, created in the store itself.
    pub(crate) async fn enrolment_secret(&self, sid: &SubscriptionId) -> String {
        self.store.create_enrolment(sid, &By::operator(), self.now()).await.unwrap().0
    }

    pub(crate) async fn enrol_with(&self, secret: &str, public_key: &str) -> Answer {
        let body = json!({"secret": secret, "name": "edge-1", "public_key": public_key});
        send(self.client.post(format!("{}/api/v1/enrol", self.url)).json(&body)).await
    }

    pub(crate) async fn revoke(&self, sensor: &TestSensor) -> Answer {
        self.post(&format!("/sensors/{}/revoke", sensor.id), Value::Null).await
    }

    pub(crate) async fn upload(&self, sensor: &TestSensor, upload: &Upload) -> Answer {
        self.upload_bytes(sensor, upload.encode().unwrap()).await
    }

    pub(crate) async fn upload_bytes(&self, sensor: &TestSensor, body: Vec<u8>) -> Answer {
        let url = self.of(&format!("/sensors/{}/uploads", sensor.id));
        send(sensor.upload(self.client.request(Method::POST, url), body)).await
    }
}
