//! The audit trail, as tests read it.

use netcensus::plan::store::audit::AuditEntry;
use netcensus::plan::store::engine::sql;
use netcensus::plan::store::trail::TrailFilter;
use netcensus::wire::SubscriptionId;

use super::Plan;

impl Plan {
    /// All entries of the subscription's trail, the newest first.
    pub(crate) async fn trail(&self) -> Vec<AuditEntry> {
        self.store.audit_trail(Some(&self.sid), None, 1_000).await.unwrap()
    }

    /// The entries of the subscription's trail about this action, the newest first.
    pub(crate) async fn trail_of(&self, action: &str) -> Vec<AuditEntry> {
        self.filtered(Some(&self.sid), action).await
    }

    /// The entries of the installation's trail about this action, the newest first.
    pub(crate) async fn installation_trail_of(&self, action: &str) -> Vec<AuditEntry> {
        self.filtered(None, action).await
    }

    async fn filtered(&self, trail: Option<&SubscriptionId>, action: &str) -> Vec<AuditEntry> {
        let filter = TrailFilter { action: Some(action.to_owned()), ..TrailFilter::default() };
        self.store.trail(trail, &filter, 100).await.unwrap()
    }

    /// How many rows all trails have.
    pub(crate) async fn audit_rows(&self) -> i64 {
        let rows = self.store.row(sql("SELECT count(*) AS n FROM audit")).await.unwrap();
        rows.unwrap().int("n").unwrap()
    }
}
