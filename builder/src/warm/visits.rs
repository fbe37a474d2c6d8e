//! One URL as the browsers that will come would ask for it: by encoding, and by every value that the cache of its route
//! tells variants apart by.

use std::collections::BTreeMap;

use http::Method;
use litemap::LiteMap;
use rimward_edge::config::Settings;
use rimward_edge::path;
use rimward_edge::route::{Routes, condition::Facts};
use url::Url;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// Of the site.
    pub url: Url,
    /// Beside the client's own: names in lower case.
    pub fields: Vec<(String, String)>,
}

/// What a visit accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Encoding {
    /// As browsers over https.
    Br,
    /// As old clients, and browsers over http.
    Gzip,
    /// As programs that unpack nothing.
    Identity,
}

impl Encoding {
    /// The value that such clients send: caches that tell values apart must meet the very one.
    fn accepted(self) -> &'static str {
        match self {
            Encoding::Br => "gzip, deflate, br, zstd",
            Encoding::Gzip => "gzip, deflate",
            Encoding::Identity => "identity",
        }
    }
}

/// What asks for a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedAs {
    /// A person who goes there, unless it is a route's: then a script.
    Page,
    /// A page that needs it.
    Part,
}

/// A URL to be warmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Of the site.
    pub url: Url,
    /// By whom.
    pub asked_as: AskedAs,
}

/// Most requests of one run: more is a mistake in a list, or a variant too many.
pub const VISIT_LIMIT: usize = 1_000_000;

/// Every request that the URLs make; `None` where they are more than [`VISIT_LIMIT`].
pub fn visits(wanted: &[Wanted], settings: &Settings, encodings: &[Encoding]) -> Option<Vec<Visit>> {
    let routes = Routes::new(settings.routes.clone());
    let mut visits = Vec::new();
    for Wanted { url, asked_as } in wanted {
        let path = path::canonical(url.path()).ok();
        // As somebody who says nothing of himself, and of whom nothing is known.
        let (host, nothing, nowhere) = (url.host_str().unwrap_or_default(), |_: &str| None, || None);
        let route = path.as_ref().and_then(|path| {
            routes.choose(&Facts::new(&Method::GET, host, (&path.path, url.query()), &nothing, &nowhere))
        });
        let cache = route.as_ref().and_then(|chosen| settings.caches.get(chosen.route.cache.as_ref()?));
        let varied = cache.map(|cache| &cache.vary);
        let combinations = varied.map_or(1, combinations);
        if combinations.checked_mul(encodings.len()).is_none_or(|count| visits.len() + count > VISIT_LIMIT) {
            return None;
        }
        let base = match (asked_as, &route) {
            (AskedAs::Page, None) => NAVIGATION,
            (AskedAs::Page, Some(_)) | (AskedAs::Part, _) => FETCH,
        };
        for variant in 0..combinations {
            for encoding in encodings {
                let mut fields: BTreeMap<&str, &str> = base.iter().copied().collect();
                fields.insert("accept-encoding", encoding.accepted());
                fields.extend(varied.into_iter().flat_map(|fields| chosen(fields, variant)));
                let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                visits.push(Visit { url: url.clone(), fields });
            }
        }
    }
    // A field that is varied may be the encoding itself: then requests repeat.
    visits.dedup();
    Some(visits)
}

/// As browsers go to a page.
const NAVIGATION: &[(&str, &str)] =
    &[("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), ("sec-fetch-mode", "navigate")];
/// As scripts and pages fetch what they need.
const FETCH: &[(&str, &str)] = &[("accept", "*/*")];

/// How many requests tell all values of all fields apart; saturates.
fn combinations(fields: &LiteMap<String, Vec<String>>) -> usize {
    fields.values().map(|values| values.len().max(1)).fold(1, usize::saturating_mul)
}

/// The values of one combination: its number written in the numeral system whose digits are the fields' values.
fn chosen(fields: &LiteMap<String, Vec<String>>, mut number: usize) -> Vec<(&str, &str)> {
    let mut chosen = Vec::new();
    for (name, values) in fields.iter().filter(|(_, values)| !values.is_empty()) {
        chosen.push((name.as_str(), values[number % values.len()].as_str()));
        number /= values.len();
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        let (compiled, findings) = crate::settings::compile(text, "rimward.toml", None);
        compiled.unwrap_or_else(|| panic!("{findings:?}")).file.settings
    }

    const SHOP: &str = r#"
        [[pool]]
        name = "api"
        origin = [{ url = "https://api.example.com" }]
        [[route]]
        path = "/api/café/*"
        pool = "api"
        [[route]]
        path = "/api/*"
        pool = "api"
        cache = "api"
        [cache.api.vary]
        accept-language = ["en", "de"]
        sec-ch-ua-mobile = ["?0", "?1", "x"]
    "#;

    fn asked(url: &str, asked_as: AskedAs, encodings: &[Encoding]) -> Vec<Vec<(String, String)>> {
        let wanted = Wanted { url: Url::parse(&format!("https://e.example{url}")).unwrap(), asked_as };
        let visits = visits(&[wanted], &settings(SHOP), encodings).unwrap();
        visits.into_iter().map(|visit| visit.fields).collect()
    }

    fn field<'v>(visit: &'v [(String, String)], name: &str) -> Option<&'v str> {
        visit.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn a_cached_route_is_asked_once_for_each_variant_and_encoding() {
        let visits = asked("/api/products?a=1", AskedAs::Page, &[Encoding::Br, Encoding::Identity]);
        assert_eq!(visits.len(), 2 * 3 * 2);
        let mut variants: Vec<_> = visits
            .iter()
            .map(|visit| {
                ["accept-language", "sec-ch-ua-mobile", "accept-encoding"].map(|name| field(visit, name).unwrap())
            })
            .collect();
        variants.sort_unstable();
        variants.dedup();
        assert_eq!(variants.len(), 12);
        assert_eq!(variants[0], ["de", "?0", "gzip, deflate, br, zstd"]);
        assert!(visits.iter().all(|visit| field(visit, "accept") == Some("*/*")));
    }

    #[test]
    fn a_route_is_known_in_every_spelling_of_its_path() {
        assert_eq!(asked("/%61pi/x", AskedAs::Page, &[Encoding::Br]).len(), 6);
        assert_eq!(asked("/api/caf%c3%a9/x", AskedAs::Page, &[Encoding::Br]).len(), 1);
    }

    #[test]
    fn a_page_is_asked_for_as_by_a_person() {
        let visits = asked("/about", AskedAs::Page, &[Encoding::Gzip]);
        assert_eq!(visits.len(), 1);
        assert_eq!(field(&visits[0], "sec-fetch-mode"), Some("navigate"));
        let is_navigation = |name: &str| field(&visits[0], name).map(str::to_owned);
        assert!(rimward_edge::release::navigation::is_navigation(&is_navigation));
        let parts = asked("/assets/app.js", AskedAs::Part, &[Encoding::Gzip]);
        assert_eq!((field(&parts[0], "sec-fetch-mode"), field(&parts[0], "accept")), (None, Some("*/*")));
    }

    #[test]
    fn too_many_variants_are_refused_before_they_are_made() {
        let values: Vec<String> = (0..101).map(|value| format!("\"v{value}\"")).collect();
        let fields: Vec<String> = (0..10).map(|field| format!("x-{field} = [{}]\n", values.join(","))).collect();
        let text = SHOP.replace("accept-language", &format!("{}accept-language", fields.concat()));
        let wanted = Wanted { url: Url::parse("https://e.example/api/x").unwrap(), asked_as: AskedAs::Page };
        assert_eq!(visits(&[wanted], &settings(&text), &[Encoding::Br]), None);
    }
}
