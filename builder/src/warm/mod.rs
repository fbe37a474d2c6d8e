//! Asks a running edge for what visitors will ask for, so that the first of them is not the one who waits.
//!
//! One direction: [`Sources`] (a release, sitemaps, lists) -> URLs of the site -> [`visits`] (each as browsers would ask
//! for it) -> [`run`] (so many at once, so many a second) -> [`Summary`].

mod pace;
mod run;
mod sitemap;
mod sources;
mod summary;
mod visits;

pub use pace::{Clock, Pace};
pub use run::{Answered, Outcome, Wall, run};
pub use sitemap::{SITEMAP_LIMIT_BYTES, Sitemap, SitemapError, parse_sitemap, unpack};
pub use sources::Sources;
pub use summary::{Failure, Summary, Times};
pub use visits::{AskedAs, Encoding, VISIT_LIMIT, Visit, Wanted, visits};
