//! The console: pages for people, rendered here, live by server-sent events. No page needs a script to be read.
//!
//! Whatever comes from the network passes the templates' HTML escaping; pages load nothing but their own files.

mod account;
mod assets;
mod bulk;
mod device_list;
mod device_views;
mod devices;
mod estimate;
mod events;
mod explain;
mod findings;
mod list_query;
mod managed;
mod overview;
mod page;
mod people;
mod plan;
mod problems;
mod provider;
mod roles;
mod rules;
mod sensors;
mod session;
mod show;
mod statements;
mod subscriptions;

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
        .route("/devices/{id}/split", get(devices::back).post(devices::split))
        .route("/explain", get(explain::show))
        .route("/findings", get(findings::show))
        .route("/findings/{id}/close", get(findings::back).post(findings::close))
        .route("/findings/{id}/reopen", get(findings::back).post(findings::reopen))
        .route("/estimate", get(estimate::show).merge(estimate::upload()))
        .route("/managed", get(managed::show).merge(managed::upload()))
        .route("/plan", get(plan::show).post(plan::onboard))
        .route("/plan/cancel", get(plan::back).post(plan::cancel))
        .route("/plan/replace", get(plan::back).post(plan::replace))
        .route("/plan/withdraw", get(plan::back).post(plan::withdraw))
        .route("/roles", get(roles::show).post(roles::bind))
        .route("/roles/unbind", post(roles::unbind))
        .route("/roles/seen", post(roles::seen))
        .route("/sensors", get(sensors::show).post(sensors::create_token))
        .route("/sensors/{sensor}/revoke", post(sensors::revoke))
        .route("/statements", get(statements::list))
        .route("/statements/{month}", get(statements::show))
        .route("/events", get(events::stream));
    Router::new()
        .route("/", get(subscriptions::start))
        .route("/subscriptions", get(subscriptions::show).post(subscriptions::create))
        .nest("/subscriptions/{sid}", tenant)
        .route("/login", get(session::form).post(session::sign_in))
        .route("/people", get(people::show).post(people::invite))
        .route("/people/{person}/invitation", post(people::invite_again))
        .route("/people/{person}/relink", post(people::relink))
        .route("/people/{person}/disable", post(people::disable))
        .route("/people/{person}/enable", post(people::enable))
        .route("/account", get(account::show))
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
