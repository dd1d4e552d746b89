//! The console: pages for people, rendered here, live by server-sent events. No page needs a script to be read.
//!
//! Whatever comes from the network passes the templates' HTML escaping; pages load nothing but their own files.

mod account;
mod alert_desk;
mod alerts;
mod assets;
mod audit;
mod bulk;
mod changes;
mod chart;
mod device_list;
mod device_views;
mod devices;
mod differences;
mod estimate;
mod events;
mod explain;
mod feeds;
mod findings;
mod jobs;
mod list_query;
mod managed;
mod map;
mod notices;
mod overview;
mod page;
mod people;
mod plan;
mod problems;
mod provider;
mod roles;
mod rules;
mod sensor;
mod sensor_chart;
mod sensors;
mod session;
mod show;
mod snapshots;
mod statements;
mod subscriptions;
mod terms;
mod travel;
mod vulnerabilities;
mod zones;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};

use self::page::PageError;
use super::limit;
use crate::plan::app::App;

/// All pages.
pub fn router(service: &App) -> Router<App> {
    let tenant = Router::new()
        .route("/", get(overview::show))
        .route("/devices", get(device_list::list))
        .route("/devices/bulk", get(bulk::back).post(bulk::change))
        .route("/devices/undo", get(bulk::back).post(bulk::undo))
        .route("/devices/table", get(bulk::back).post(device_list::table))
        .route("/devices/views", get(bulk::back).post(device_views::save))
        .route("/devices/views/share", get(bulk::back).post(device_views::share))
        .route("/devices/views/delete", get(bulk::back).post(device_views::delete))
        .route("/devices/views/unshare", get(bulk::back).post(device_views::unshare))
        .route("/devices/{id}", get(devices::why))
        .route("/devices/{id}/edit", get(devices::back).post(devices::edit))
        .route("/devices/{id}/delete", get(devices::back).post(devices::delete))
        .route("/audit", get(audit::show))
        .route("/audit/verify", get(audit::back).post(audit::verify))
        .route("/changes", get(changes::list))
        .route("/changes/{number}", get(changes::show))
        .route("/changes/{number}/undo", get(changes::back).post(changes::undo))
        .route("/differences", get(differences::show))
        .route("/devices/{id}/split", get(devices::back).post(devices::split))
        .route("/explain", get(explain::show))
        .route("/alerts", get(alerts::show))
        .route("/alerts/{id}/state", get(alerts::back).post(alerts::decide))
        .route("/alerts/{id}/history", get(alerts::history))
        .route("/alerts/ledger", get(alerts::ledger))
        .route("/alerts/change", get(alert_desk::back).post(alert_desk::change))
        .route("/alerts/changes", get(alert_desk::changes))
        .route("/alerts/changes/{number}/undo", get(alert_desk::back_to_changes).post(alert_desk::undo))
        .route("/mutes", get(alert_desk::mute_rules).post(alert_desk::mute))
        .route("/mutes/{number}/end", get(alert_desk::back_to_mutes).post(alert_desk::unmute))
        .route("/feeds", get(feeds::show).merge(feeds::upload()))
        .route("/feeds/delete", get(feeds::back).post(feeds::delete))
        .route("/recommendations", get(alerts::recommendations))
        .route("/findings", get(findings::show))
        .route("/findings/{id}/close", get(findings::back).post(findings::close))
        .route("/findings/{id}/reopen", get(findings::back).post(findings::reopen))
        .route("/estimate", get(estimate::show).merge(estimate::upload()))
        .route("/jobs/{id}", get(jobs::show))
        .route("/estimate/rows", get(estimate::back).merge(estimate::rows()))
        .route("/managed", get(managed::show).merge(managed::upload()))
        .route("/map", get(map::show))
        .route("/notices", get(notices::show))
        .route("/notices/read", get(notices::back).post(notices::read))
        .route("/plan", get(plan::show).post(plan::onboard))
        .route("/plan/cancel", get(plan::back).post(plan::cancel))
        .route("/plan/replace", get(plan::back).post(plan::replace))
        .route("/plan/withdraw", get(plan::back).post(plan::withdraw))
        .route("/plan/price", get(plan::back).post(plan::set_price))
        .route("/managed/forget", get(managed::back).post(managed::forget))
        .route("/rename", post(subscriptions::rename))
        .route("/roles", get(roles::show).post(roles::bind))
        .route("/roles/unbind", post(roles::unbind))
        .route("/roles/seen", post(roles::seen))
        .route("/sensors", get(sensors::show).post(sensors::create_token))
        .route("/sensors/{sensor}", get(sensor::show))
        .route("/sensors/{sensor}/rename", get(sensors::back).post(sensors::rename))
        .route("/sensors/{sensor}/revoke", get(sensors::back).post(sensors::revoke))
        .route("/snapshots", get(snapshots::list))
        .route("/snapshots/{day}", get(snapshots::show))
        .route("/snapshots/{day}/verify", get(snapshots::back).post(snapshots::verify))
        .route("/snapshots/{day}/seal", get(snapshots::back).post(snapshots::seal))
        .route("/statements", get(statements::list))
        .route("/statements/{month}", get(statements::show))
        .route("/terms", get(terms::show))
        .route("/vulnerabilities", get(vulnerabilities::list))
        .route("/vulnerabilities/coverage", get(vulnerabilities::coverage))
        .route("/vulnerabilities/{cve}", get(vulnerabilities::show))
        .route("/zones", get(zones::show).post(zones::change))
        .route("/zones/undo", get(zones::back).post(zones::undo))
        .route("/events", get(events::stream));
    Router::new()
        .route("/", get(subscriptions::start))
        .route("/subscriptions", get(subscriptions::show).post(subscriptions::create))
        .nest("/subscriptions/{sid}", tenant)
        .route("/login", get(session::form).post(session::sign_in))
        .route("/audit", get(audit::show_here))
        .route("/audit/verify", get(audit::back_here).post(audit::verify_here))
        .route("/people", get(people::show).post(people::invite))
        .route("/people/{person}/invitation", post(people::invite_again))
        .route("/people/{person}/relink", post(people::relink))
        .route("/people/{person}/disable", post(people::disable))
        .route("/people/{person}/enable", post(people::enable))
        .route("/account", get(account::show))
        .route("/account/notices", get(notices::settings).post(notices::choose))
        .route("/account/notices/confirm", post(notices::confirm))
        .route("/account/password", post(account::password))
        .route("/account/sessions/{id}/end", post(account::end_session))
        .route("/account/tokens", post(account::create_token))
        .route("/account/tokens/{id}/revoke", post(account::revoke_token))
        .route("/login/oidc", get(provider::begin))
        .route("/login/oidc/callback", get(provider::callback))
        .route("/login/{link}", get(session::redeem))
        .route("/logout", post(session::sign_out))
        .route("/invitation/{link}", get(session::invitation_form).post(session::accept_invitation))
        .route("/setup/{link}", get(session::setup_form).post(session::set_up))
        .route("/problems", get(problems::list))
        .route("/problems/{slug}", get(problems::show))
        .route("/rules", get(rules::list))
        .route("/rules/{id}", get(rules::show))
        .route("/assets/{file}", get(assets::file))
        .route("/favicon.ico", get(assets::favicon))
        .fallback(problems::not_found)
        .layer(from_fn_with_state(service.clone(), limited))
}

/// Refuses a request that is over a limit, by an error page.
async fn limited(State(app): State<App>, request: Request, next: Next) -> Result<Response, PageError> {
    limit::check(&app, &request)?;
    Ok(next.run(request).await)
}
