//! People, their roles, tokens and sessions.

use netcensus::plan::permission::Role;
use netcensus::plan::store::{By, CredentialKind, Expected, NewToken, StoreError};
use netcensus::wire::SubscriptionId;

use super::Plan;

/// The password of every person whom the tests create.
pub(crate) const PASSWORD: &str = "a long enough password";

impl Plan {
    /// Creates a person with this role, and gives their token.
    pub(crate) async fn person(&self, name: &str, role: Role) -> String {
        self.create_person(name, role == Role::GlobalAdmin).await;
        if role != Role::GlobalAdmin {
            self.bind(name, role).await;
        }
        self.issue_token(name).await
    }

    /// Creates a global admin who has no role on the subscription, and gives their token.
    pub(crate) async fn admin(&self) -> String {
        self.person("admin", Role::GlobalAdmin).await
    }

    /// Creates a person without a role, and gives their token.
    pub(crate) async fn outsider(&self, name: &str) -> String {
        self.create_person(name, false).await;
        self.issue_token(name).await
    }

    pub(crate) async fn create_person(&self, name: &str, global_admin: bool) {
        let (by, now) = (By::operator(), self.now());
        self.store.create_person(name, PASSWORD, global_admin, &by, now).await.unwrap();
    }

    /// A token that has all rights of the person, and lasts as long as such tokens do.
    pub(crate) async fn issue_token(&self, name: &str) -> String {
        self.issue(CredentialKind::Token, Some(name)).await
    }

    pub(crate) async fn issue(&self, kind: CredentialKind, name: Option<&str>) -> String {
        self.store.issue(kind, name, self.now()).await.unwrap().secret
    }

    /// The owner's token is issued again: the test moves the clock further than a token lasts.
    pub(crate) async fn months_later(&mut self, time: &str) {
        self.set_time(time);
        self.token = self.issue_token("owner").await;
    }

    /// Creates a token that may have less rights than the person; gives its id and its secret.
    pub(crate) async fn create_token(&self, name: &str, new: NewToken) -> (String, String) {
        let new = NewToken { name: "t".to_owned(), ..new };
        let made = self.store.create_token(name, &new, None, &By::operator(), self.now()).await.unwrap();
        (made.id, made.secret)
    }

    pub(crate) async fn bind(&self, name: &str, role: Role) {
        let (by, now) = (By::operator(), self.now());
        self.store.bind_role(&self.sid, name, role, &Expected::Any, &by, now).await.unwrap();
    }

    pub(crate) async fn unbind(&self, name: &str) {
        self.try_unbind(name).await.unwrap();
    }

    pub(crate) async fn try_unbind(&self, name: &str) -> Result<(), StoreError> {
        let (by, now) = (By::operator(), self.now());
        self.store.unbind_role(&self.sid, name, &Expected::Any, &by, now).await.map(drop)
    }

    /// Creates another subscription, and gives its id.
    pub(crate) async fn subscription(&self, name: &str, owner: Option<&str>) -> SubscriptionId {
        self.store.create_subscription(name, owner, &By::operator(), self.now()).await.unwrap().id
    }
}
