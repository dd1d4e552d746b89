//! Alerts and recommendations of small zones.
