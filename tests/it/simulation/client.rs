//! What clients ask, and what they see.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use rimward_edge::answer::{Answer, Body};
use rimward_edge::platform::Request;

use super::clockwork::Millis;
use super::platform::{Stuff, World};
use super::random::Random;
use super::rules::About;

pub(super) const SECRET: &str = "correct-horse-battery-staple";

/// A request of a client.
pub(super) struct Asking {
    pub(super) number: u64,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Option<&'static str>,
    url: String,
    pub(super) about: About,
    pub(super) headers: HeaderMap,
    body: RefCell<Option<Stuff>>,
    pub(super) began_at: Millis,
}

/// Spellings of two queries.
const QUERIES: [Option<&str>; 5] = [None, Some("a=1&b=2"), Some("b=2&a=1"), Some("a=1&utm_x=2&b=2"), Some("utm_x=9")];
const LANGUAGES: [&str; 5] = ["en", "de", "de, en;q=0.5", "en,de;q=0.2", "fr"];
const WISHES: [&str; 8] = [
    "no-cache",
    "max-age=0",
    "max-age=2",
    "no-store",
    "only-if-cached",
    "max-stale=3",
    "min-fresh=2",
    "stale-if-error=5",
];
const RANGES: [&str; 6] = ["bytes=0-9", "bytes=5-", "bytes=-7", "bytes=100000-", "bytes=0-3,10-12", "bytes=20-30"];

impl Asking {
    pub(super) fn new(number: u64, method: &str, path: &str, began_at: Millis) -> Asking {
        let mut asking = Asking {
            number,
            method: method.parse().expect("a method"),
            path: path.to_owned(),
            query: None,
            url: format!("https://shop.example{path}"),
            about: About::default(),
            headers: HeaderMap::new(),
            body: RefCell::default(),
            began_at,
        };
        asking.say("x-request", &number.to_string());
        asking
    }

    /// As all kinds of clients ask; `tag` is one that somebody has seen there.
    pub(super) fn any(number: u64, path: &str, random: &Random, tag: Option<&str>, began_at: Millis) -> Asking {
        let method = ["GET", "HEAD", "POST", "DELETE"][random.weighed(&[900, 40, 40, 20])];
        let mut asking = Asking::new(number, method, path, began_at);
        if random.chance(300) {
            asking.query = random.choose(&QUERIES);
            asking.url.extend(asking.query.iter().flat_map(|query| ["?", query]));
        }
        asking.say_who(random);
        if random.chance(500) {
            asking.say("accept-language", random.choose(&LANGUAGES));
        }
        if random.chance(600) {
            asking.say("x-flavour", random.choose(&["a", "b", ""]));
        }
        let meant = tag.filter(|_| random.chance(400));
        if let Some(tag) = meant.filter(|_| random.chance(500)) {
            asking.say("if-none-match", tag);
        }
        if random.chance(80) {
            asking.say("range", random.choose(&RANGES));
            if let Some(tag) = meant {
                asking.say("if-range", tag);
            }
        }
        if random.chance(60) {
            asking.say("cache-control", random.choose(&WISHES));
        }
        asking.about = About::read(&asking.headers);
        asking
    }

    fn say_who(&mut self, random: &Random) {
        let user = random.choose(&['A', 'B', 'C']);
        let tracked = if random.chance(200) { "_ga=1" } else { "" };
        match random.weighed(&[60, 25, 15]) {
            0 if tracked.is_empty() => {}
            0 => self.say("cookie", tracked),
            1 if tracked.is_empty() => self.say("cookie", &format!("session={user}")),
            1 => self.say("cookie", &format!("{tracked}; session={user}")),
            _ => self.say("authorization", &format!("Bearer {user}")),
        }
    }

    /// A purge, as whoever holds the secret asks for it.
    pub(super) fn purge(number: u64, body: &serde_json::Value, began_at: Millis) -> Asking {
        let mut asking = Asking::new(number, "POST", "/.rimward/purge", began_at);
        asking.say("authorization", &format!("Bearer {SECRET}"));
        asking.say("content-type", "application/json");
        asking.body.replace(Some(Stuff::of(body.to_string().into_bytes())));
        asking
    }

    fn say(&mut self, name: &'static str, value: &str) {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"));
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn wants(&self, directive: &str) -> bool {
        self.field("cache-control") == Some(directive)
    }
}

impl Request for Asking {
    type Body = Stuff;

    fn method(&self) -> &Method {
        &self.method
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn header(&self, name: &str) -> Option<String> {
        self.field(name).map(str::to_owned)
    }

    fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    fn client_accept_encoding(&self) -> Option<String> {
        self.header("accept-encoding")
    }

    fn country(&self) -> Option<String> {
        None
    }

    fn coordinates(&self) -> Option<(i16, i16)> {
        None
    }

    fn peer_address(&self) -> Option<String> {
        Some("203.0.113.9".to_owned())
    }

    fn take_body(&self) -> Option<Stuff> {
        self.body.take()
    }
}

/// What a client sees: the head first.
pub(super) struct Seen {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    body: Body<Stuff>,
    /// When the head was there.
    pub(super) at: Millis,
}

impl Seen {
    pub(super) fn of(answer: Answer<Stuff>, at: Millis) -> Seen {
        let Answer { status, prepared, headers, body } = answer;
        let headers = match &prepared {
            Some(prepared) => prepared.with(headers),
            None => headers,
        };
        Seen { status: status.as_u16(), headers, body, at }
    }

    pub(super) fn field(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.field(name).parse().ok()
    }

    /// Our member of `Cache-Status`.
    pub(super) fn cache_status(&self) -> &str {
        self.headers
            .get_all("cache-status")
            .iter()
            .next_back()
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body as it comes, and whether it ends well.
    pub(super) async fn body(&mut self, world: &World) -> (Vec<u8>, bool) {
        match std::mem::replace(&mut self.body, Body::Empty) {
            Body::Empty => (Vec::new(), true),
            Body::Text(text) => (text.into_bytes(), true),
            Body::Whole(body) | Body::Upgrade(body) => {
                let (bytes, is_whole) = world.drain(body).await;
                (bytes.to_vec(), is_whole)
            }
            Body::Slice(body, range) => {
                let (bytes, is_whole) = world.drain(body).await;
                cut(world, &bytes, &range, is_whole).map_or((Vec::new(), false), |cut| (cut, is_whole))
            }
            Body::Slices(body, parts, end) => {
                let (bytes, is_whole) = world.drain(body).await;
                let mut all = Vec::new();
                for (head, range) in parts {
                    let Some(part) = cut(world, &bytes, &range, is_whole) else { return (all, false) };
                    all.extend(head.into_bytes());
                    all.extend(part);
                }
                all.extend(end.into_bytes());
                (all, is_whole)
            }
        }
    }
}

/// A stream that ends before a range does breaks off; what is all there has the part that its head says.
fn cut(world: &World, bytes: &Rc<[u8]>, range: &Range<u64>, is_whole: bool) -> Option<Vec<u8>> {
    let place = usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?;
    let part = bytes.get(place);
    if part.is_none() && is_whole {
        world.oracle.wrong(format!("{range:?} of {} bytes", bytes.len()));
    }
    Some(part?.to_vec())
}
