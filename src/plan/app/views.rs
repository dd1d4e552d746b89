//! Saved views: lists of devices with a name, each with the number of its devices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{App, May, Refusal, aside};
use crate::listing::{Filter, count};
use crate::plan::permission::{EditDevices, View};
use crate::plan::store::{By, DeviceView, ViewOwner};

/// Characters of the parameters of a view.
const PARAMETERS: usize = 4_000;

/// A list to save.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewView {
    /// Which devices, in what order: parameters of the list of devices, such as `q=vendor%3Aaxis&sort=name`. The place of a
    /// page is left out.
    pub filter: String,
    /// How the console's table looks: `columns` and `density`, as in the address of its page.
    pub look: String,
}

/// A saved view with its number of devices.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CountedView {
    #[serde(flatten)]
    pub view: DeviceView,
    /// Devices that match now; null if the view cannot be read any more.
    pub devices: Option<u64>,
}

/// The views of the caller and the shared ones.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Views {
    /// By name.
    pub views: Vec<CountedView>,
}

/// The views of the caller and the shared ones.
pub async fn list(app: &App, may: &May<View>) -> Result<Views, Refusal> {
    let views = app.store.device_views(may.id(), may.by.person_name()).await?;
    if views.is_empty() {
        return Ok(Views { views: Vec::new() });
    }
    let inventory = app.view(may.id(), None).await?;
    let counted = move || {
        let number = |view: &DeviceView| {
            let filter: Filter = serde_urlencoded::from_str(&view.filter).ok()?;
            count(inventory.by_zone(), inventory.as_of, &filter).ok().map(|number| number as u64)
        };
        views.into_iter().map(|view| CountedView { devices: number(&view), view }).collect()
    };
    Ok(Views { views: aside(counted).await? })
}

/// What a view says: of the caller's own views, else of the shared ones.
///
/// # Errors
/// [`Refusal::Hidden`] if there is no such view, or the store's.
pub(crate) async fn filter_of(app: &App, may: &May<View>, name: &str) -> Result<Filter, Refusal> {
    let views = app.store.device_views(may.id(), may.by.person_name()).await?;
    let named = || views.iter().filter(|view| view.name == name);
    let found = named().find(|view| !view.shared).or_else(|| named().next());
    let view = found.ok_or_else(|| Refusal::hidden("view", name))?;
    serde_urlencoded::from_str(&view.filter).map_err(|e| Refusal::invalid(e.to_string()))
}

/// Saves a view of the caller's own. One of that name is replaced.
pub async fn save_own(app: &App, may: &May<View>, name: String, new: NewView) -> Result<DeviceView, Refusal> {
    let view = new.view(name, false, &may.by, app)?;
    let owner = ViewOwner::Person(own_name(&may.by)?);
    Ok(app.store.save_view(may.id(), owner, view, &may.by, app.now()).await?)
}

/// Saves a view for everybody who sees the subscription. One of that name is replaced.
pub async fn save_shared(
    app: &App,
    may: &May<EditDevices>,
    name: String,
    new: NewView,
) -> Result<DeviceView, Refusal> {
    let view = new.view(name, true, &may.by, app)?;
    Ok(app.store.save_view(may.id(), ViewOwner::Everybody, view, &may.by, app.now()).await?)
}

/// Deletes a view of the caller's own.
pub async fn delete_own(app: &App, may: &May<View>, name: &str) -> Result<(), Refusal> {
    let owner = ViewOwner::Person(own_name(&may.by)?);
    Ok(app.store.delete_view(may.id(), owner, name, &may.by, app.now()).await?)
}

/// Deletes a shared view.
pub async fn delete_shared(app: &App, may: &May<EditDevices>, name: &str) -> Result<(), Refusal> {
    Ok(app.store.delete_view(may.id(), ViewOwner::Everybody, name, &may.by, app.now()).await?)
}

/// The person whose own view it is. An operator at the command line is not a person of the service.
fn own_name(by: &By) -> Result<&str, Refusal> {
    let name = by.person_name();
    if name.is_empty() {
        Err(Refusal::invalid("only a person has views of their own; share it"))
    } else {
        Ok(name)
    }
}

/// Who saves, as changes name people.
fn made_by(by: &By) -> String {
    match by.person_name() {
        "" => by.actor.to_string(),
        name => name.to_owned(),
    }
}

impl NewView {
    fn view(self, name: String, shared: bool, by: &By, app: &App) -> Result<DeviceView, Refusal> {
        let Self { filter, look } = self;
        if filter.len().max(look.len()) > PARAMETERS {
            return Err(Refusal::invalid(format!(
                "the parameters of a view have at most {PARAMETERS} bytes"
            )));
        }
        let asked: Filter =
            serde_urlencoded::from_str(&filter).map_err(|e| Refusal::invalid(e.to_string()))?;
        let asked = asked.whole();
        asked.check()?;
        let filter = serde_urlencoded::to_string(&asked).map_err(|e| Refusal::invalid(e.to_string()))?;
        Ok(DeviceView { name, shared, filter, look, by: made_by(by), at: app.now() })
    }
}
