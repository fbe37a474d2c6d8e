//! The site as this isolate knows it: read once, checked, made ready to be asked; read again where someone works on it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::apart;
use super::limited::{self, Ready};
use super::visit::Visit;
use crate::config::{ClientAddress, Settings};
use crate::platform::{AssetError, Platform, Request, WholeFile};
use crate::release::file::File;
use crate::release::manifest::{RELEASES_PATH, Retained, manifest_path, settings_path};
use crate::release::table::Release;
use crate::release::verify::{self, Fault};
use crate::rewrite::HeaderRules;
use crate::route::redirect::Redirects;
use crate::route::{Routes, spelled};
use crate::time::Timestamp;

/// How old a watched site gets before it is looked at again.
const WATCH: Duration = Duration::from_secs(1);
/// Earlier releases whose assets stay reachable.
const EARLIER_LIMIT: usize = 32;

/// What a request is answered from.
#[derive(Debug)]
pub(super) struct Site {
    /// But for its routes.
    pub(super) settings: Settings,
    pub(super) routes: Routes,
    pub(super) client_address: ClientAddress,
    pub(super) release: Release,
    /// For answers of the release: the source's rules, then those of the settings.
    pub(super) rules: HeaderRules,
    /// For answers of origins: those of the settings.
    pub(super) rules_of_routes: HeaderRules,
    pub(super) redirects: Redirects,
    /// `[limit.*]`.
    limits: Vec<Ready>,
    /// Unlike that of every other site that this isolate has read.
    pub(super) number: u32,
    earlier: Vec<Earlier>,
    /// The digest of the list of releases that this was read from.
    read_from: String,
    /// When the list was looked at, where someone works on the site.
    watched: Option<Cell<Timestamp>>,
}

/// An earlier release, read when something of it is asked for first.
#[derive(Debug)]
struct Earlier {
    retained: Retained,
    release: RefCell<Option<Rc<Release>>>,
}

/// Why the site, or a part of it, cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unready {
    #[error(transparent)]
    Asset(#[from] AssetError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Site {
    /// The page that answers navigations to unknown paths.
    pub(super) fn fallback(&self) -> Option<&File> {
        self.settings.document.fallback.as_deref().and_then(|path| self.release.document(path))
    }

    /// The page that answers navigations for which a pool has no answer, or a failure.
    pub(super) fn error_page(&self) -> Option<&File> {
        self.settings.document.error.as_deref().and_then(|path| self.release.document(path))
    }

    /// The policy of limits of that name.
    pub(super) fn limit(&self, name: &str) -> Option<&Ready> {
        self.limits.iter().find(|ready| ready.policy.name == name)
    }

    /// How many earlier releases there are.
    pub(super) fn earlier_count(&self) -> usize {
        self.earlier.len()
    }
}

/// The site. Requests that arrive while it is read each read it, and the last one is kept: none waits for another.
pub(super) async fn current<P, R>(visit: &Visit<'_, P, R>) -> Result<Rc<Site>, Unready>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let known = visit.isolate.site.borrow().clone();
    let known = match known {
        Some(site) if !is_due(&site, visit.started) => return Ok(site),
        known => known,
    };
    let number = visit.isolate.sites_read.get().wrapping_add(1);
    visit.isolate.sites_read.set(number);
    let loading = apart(load(visit.platform.as_ref(), known.as_ref(), number, visit.started));
    match (visit.timed("load", loading).await, known) {
        (Ok(site), _) => {
            visit.isolate.site.replace(Some(Rc::clone(&site)));
            Ok(site)
        }
        (Err(unready), Some(known)) => {
            visit.log(&format!("the site as it was goes on answering: {unready}"));
            Ok(known)
        }
        (Err(unready), None) => Err(unready),
    }
}

/// An earlier release, by its place.
pub(super) async fn earlier<P, R>(visit: &Visit<'_, P, R>, site: &Site, place: usize) -> Result<Rc<Release>, Unready>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let earlier = &site.earlier[place];
    let kept = earlier.release.borrow().clone();
    if let Some(release) = kept {
        return Ok(release);
    }
    let bytes = visit.timed("load", read(visit.platform.as_ref(), &manifest_path(&earlier.retained.id))).await?;
    let manifest = verify::manifest(&bytes, &earlier.retained)?;
    let release = Rc::new(Release::earlier(&earlier.retained.id, &manifest));
    earlier.release.replace(Some(Rc::clone(&release)));
    Ok(release)
}

/// Whether a watched site is to be looked at again: by this request, the others go on meanwhile.
fn is_due(site: &Site, now: Timestamp) -> bool {
    let Some(looked_at) = &site.watched else { return false };
    let due = now.since(looked_at.get()) >= WATCH;
    if due {
        looked_at.set(now);
    }
    due
}

async fn load<P: Platform>(
    platform: &P,
    known: Option<&Rc<Site>>,
    number: u32,
    now: Timestamp,
) -> Result<Rc<Site>, Unready> {
    let list = read(platform, RELEASES_PATH).await?;
    if let Some(known) = known.filter(|known| known.read_from == list.sha256) {
        return Ok(Rc::clone(known));
    }
    let releases = verify::releases(&list.bytes)?;
    let settings = read(platform, &settings_path(&releases.settings_sha256)).await?;
    let mut settings = verify::settings(&settings, &releases, platform.variable("RIMWARD_ENV").as_deref())?;
    let is_current = |retained: &Retained| retained.id == releases.current;
    let current = releases.releases.iter().find(|retained| is_current(retained)).cloned();
    let current = current.ok_or_else(|| Fault::Absent(releases.current.clone()))?;
    let manifest = read(platform, &manifest_path(&current.id)).await?;
    let manifest = verify::manifest(&manifest, &current)?;
    let earlier = releases.releases.iter().filter(|retained| !is_current(retained)).take(EARLIER_LIMIT);
    Ok(Rc::new(Site {
        release: Release::current(&current.id, &manifest),
        rules: HeaderRules::new(manifest.headers.iter().chain(&settings.headers), &spelled),
        rules_of_routes: HeaderRules::new(settings.headers.iter(), &spelled),
        redirects: Redirects::new(settings.redirects.iter().chain(&manifest.redirects)),
        earlier: earlier.map(|retained| Earlier { retained: retained.clone(), release: RefCell::default() }).collect(),
        limits: limited::ready(&settings),
        routes: Routes::new(std::mem::take(&mut settings.routes)),
        number,
        read_from: list.sha256,
        watched: platform.variable("RIMWARD_WATCH").map(|_| Cell::new(now)),
        client_address: client_address(platform, settings.site.client_address.as_ref()),
        settings,
    }))
}

/// Where the settings do not say who clients are, the place where the Worker runs does: a bare runtime has no
/// `CF-Connecting-IP` but the client's own.
fn client_address<P: Platform>(platform: &P, stated: Option<&ClientAddress>) -> ClientAddress {
    match (stated, platform.variable("RIMWARD_CLIENT_ADDRESS").as_deref()) {
        (Some(stated), _) => stated.clone(),
        (None, Some("socket")) => ClientAddress::Socket,
        (None, _) => ClientAddress::Cloudflare,
    }
}

async fn read<P: Platform>(platform: &P, path: &str) -> Result<WholeFile, Unready> {
    platform.read(path).await?.ok_or_else(|| Fault::Absent(path.to_owned()).into())
}
