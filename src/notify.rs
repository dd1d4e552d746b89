//! What the service manager is told (sd_notify). Without one, nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;

/// The service works.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is read again.
pub fn reloading() {
    let mut state = vec![NotifyState::Reloading];
    state.extend(NotifyState::monotonic_usec_now().ok());
    tell(&state);
}

/// The service ends.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// One line that `systemctl status` shows.
pub fn status(line: &str) {
    tell(&[NotifyState::Status(line)]);
}

/// The watchdog need not bite.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often to call [`alive`]: half the time that the service manager allows.
pub fn watchdog_interval() -> Duration {
    sd_notify::watchdog_enabled().map_or(Duration::from_secs(10), |d| (d / 2).max(Duration::from_millis(100)))
}

/// Tells that the watchdog need not bite, as long as the runtime still runs tasks.
pub async fn keep_alive() {
    let mut often = tokio::time::interval(watchdog_interval());
    loop {
        often.tick().await;
        alive();
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(e) = sd_notify::notify(state) {
        tracing::debug!("the service manager cannot be told: {e}");
    }
}
