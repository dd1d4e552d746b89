//! Messages to the service manager (sd_notify(3)). Without a service manager they do nothing.

use std::time::Duration;

use sd_notify::NotifyState;

/// The service has started, or has finished reloading.
pub fn ready() {
    send(&[NotifyState::Ready]);
}

/// The service reloads its configuration.
pub fn reloading() {
    let mut state = vec![NotifyState::Reloading];
    state.extend(NotifyState::monotonic_usec_now().ok());
    send(&state);
}

/// The service is stopping.
pub fn stopping() {
    send(&[NotifyState::Stopping]);
}

/// Sets the line that `systemctl status` shows.
pub fn status(line: &str) {
    send(&[NotifyState::Status(line)]);
}

/// The service is alive: resets the watchdog.
pub fn alive() {
    send(&[NotifyState::Watchdog]);
}

/// How often to call [`alive`]: half the watchdog's time.
pub fn watchdog_interval() -> Duration {
    sd_notify::watchdog_enabled().map_or(Duration::from_secs(10), |d| (d / 2).max(Duration::from_millis(100)))
}

/// Calls [`alive`] for as long as the runtime runs tasks.
pub async fn keep_alive() {
    let mut often = tokio::time::interval(watchdog_interval());
    loop {
        often.tick().await;
        alive();
    }
}

fn send(state: &[NotifyState<'_>]) {
    if let Err(e) = sd_notify::notify(state) {
        tracing::debug!("cannot notify the service manager: {e}");
    }
}
