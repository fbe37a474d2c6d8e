//! The origin: what is at its URLs, in which version, with which rules, and everything that it ever answered.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use http::{HeaderMap, HeaderName, HeaderValue};
use rimward_edge::field::date;
use rimward_edge::platform::Outbound;

use super::clockwork::{Event, Millis};
use super::platform::{Stuff, World, clock_of};
use super::rules::{About, RULES, Rule, Tags, Varies, media_type};

/// Where the pool says that the origin is.
pub(super) const ORIGIN: &str = "https://api.internal/v1";

/// What is at a path now.
#[derive(Clone, Copy)]
pub(super) struct State {
    pub(super) version: u64,
    pub(super) since: Millis,
}

/// Something that the origin answered.
pub(super) struct Said {
    pub(super) number: u64,
    /// The request that made the edge ask, and the isolate where it did.
    pub(super) request: u64,
    pub(super) isolate: u64,
    pub(super) url: String,
    pub(super) rule: &'static Rule,
    pub(super) about: About,
    pub(super) version: u64,
    pub(super) status: u16,
    /// When the edge sent the question, and when this was made.
    pub(super) asked_at: Millis,
    pub(super) made_at: Millis,
    /// When its head reached the edge.
    pub(super) landed_at: Cell<Millis>,
    /// Whether it says something of a state without bringing it: 304, or the answer to HEAD.
    pub(super) is_head: bool,
    /// The whole body of that state.
    pub(super) body: Rc<[u8]>,
    pub(super) fields: Vec<(&'static str, String)>,
}

/// What the edge gets.
pub(super) struct Reply {
    number: Option<u64>,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Rc<[u8]>>,
    pub(super) breaks: bool,
}

#[derive(Default)]
pub(super) struct Origin {
    states: RefCell<HashMap<String, State>>,
    said: RefCell<Vec<Rc<Said>>>,
    pub(super) offset: Cell<i64>,
}

/// A URL as all its spellings are one: its parameters sorted, those that nobody asks for left out.
pub(super) fn key_of(path: &str, query: Option<&str>) -> String {
    let mut parameters: Vec<&str> = query.iter().flat_map(|query| query.split('&')).collect();
    parameters.retain(|parameter| !(path.starts_with("/own/") && parameter.starts_with("utm_")));
    parameters.sort_unstable();
    match (query, parameters.is_empty()) {
        (Some(_), false) => format!("https://shop.example{path}?{}", parameters.join("&")),
        _ => format!("https://shop.example{path}"),
    }
}

impl Origin {
    /// What was said under a number.
    pub(super) fn said(&self, number: u64) -> Option<Rc<Said>> {
        self.said.borrow().get(usize::try_from(number).ok()?).cloned()
    }

    /// The head of an answer reached the edge.
    pub(super) fn landed(&self, reply: &Reply, now: Millis) {
        if let Some(said) = reply.number.and_then(|number| self.said(number)) {
            said.landed_at.set(now);
        }
    }

    pub(super) fn state(&self, path: &str, now: Millis) -> State {
        *self.states.borrow_mut().entry(path.to_owned()).or_insert(State { version: 1, since: now - 500_000 })
    }

    /// Something else is at a path now. Dates tell states apart that are seconds apart.
    pub(super) fn change(&self, path: &str, now: Millis) -> bool {
        let State { version, since } = self.state(path, now);
        let may_change = now - since > 2_000;
        if may_change {
            self.states.borrow_mut().insert(path.to_owned(), State { version: version + 1, since: now });
        }
        may_change
    }

    /// Answers a request of the edge.
    pub(super) fn answer(
        &self,
        world: &World,
        outbound: &Outbound<Stuff>,
        asked_at: Millis,
        event: &Rc<Event>,
    ) -> Reply {
        let now = world.clock.now();
        let rest = outbound.url.strip_prefix(ORIGIN).expect("requests go to the origin");
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        let is_read = matches!(outbound.method.as_str(), "GET" | "HEAD");
        let (weather, random) = (&world.weather, &world.random);
        if random.chance(weather.origin_fails.get()) {
            let status = random.choose(&[500, 502, 503, 504]);
            return Origin::failure(status);
        }
        if !is_read {
            self.change(path, now);
        }
        let state = self.state(path, now);
        let about = About::read(&outbound.headers);
        let rule = Rule::of(path, state.version, &about);
        let said = self.say(world, &about, rule, path, query, state, |said| {
            said.asked_at = asked_at;
            said.isolate = event.isolate;
            said.is_head = outbound.method == "HEAD";
        });
        world.trace(|| format!("  origin: {} {} -> {}", outbound.method, said.url, said.number));
        let mut reply = self.reply(world, &said, state, path);
        if !is_read {
            return Origin::changed(world, outbound, reply, path, &said);
        }
        let is_plain =
            ["if-none-match", "if-modified-since", "range"].iter().all(|name| !outbound.headers.contains_key(*name));
        if is_plain && random.chance(weather.origin_senseless.get()) {
            self.headless(&said);
            reply.headers.remove("x-body");
            reply.headers.remove("content-length");
            reply.status = random.choose(&[206, 304]);
            reply.body = reply.body.filter(|_| reply.status == 206);
            return reply;
        }
        if Origin::is_not_modified(&outbound.headers, &said) {
            self.headless(&said);
            reply.headers.remove("x-body");
            reply.headers.remove("content-length");
            return Reply { status: 304, body: None, breaks: false, ..reply };
        }
        if outbound.method == "HEAD" {
            reply.headers.remove("x-body");
            return Reply { body: None, breaks: false, ..reply };
        }
        Origin::in_part(&outbound.headers, &said, &mut reply);
        let breaks =
            random.chance(weather.bodies_break.get()) && reply.body.as_ref().is_some_and(|body| body.len() > 3);
        if breaks {
            if random.chance(500) {
                reply.headers.remove("content-length");
            }
            let end = |body: &Rc<[u8]>| usize::try_from(random.below(body.len() as u64)).expect("an index");
            reply.body = reply.body.map(|body| body[..end(&body)].into());
        } else if random.chance(200) {
            // Its length is not told.
            reply.headers.remove("content-length");
        }
        Reply { breaks, ..reply }
    }

    fn failure(status: u16) -> Reply {
        let mut headers = HeaderMap::new();
        headers.insert("x-answer", HeaderValue::from_static("failure"));
        Reply { number: None, status, headers, body: Some(b"failure"[..].into()), breaks: false }
    }

    #[allow(clippy::too_many_arguments, reason = "what an answer is made of")]
    fn say(
        &self,
        world: &World,
        about: &About,
        rule: &'static Rule,
        path: &str,
        query: Option<&str>,
        state: State,
        more: impl FnOnce(&mut Said),
    ) -> Rc<Said> {
        let number = self.said.borrow().len() as u64;
        let variant = rule.variant(about);
        let user = if rule.is_personal() { about.user.map_or("-".to_owned(), String::from) } else { "any".to_owned() };
        let tag = format!("v{}-{}-{user}", state.version, variant.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
        let url = key_of(path, query);
        let mut body =
            format!("url={url};version={};since={};variant={variant};user={user};", state.version, state.since);
        if rule.tags != Tags::Strong {
            body.extend(["said=", &number.to_string(), ";"]);
        }
        let filler = usize::try_from(state.version * 37 % 200).expect("a length");
        body.extend("0123456789".chars().cycle().take(filler));
        let mut fields = vec![("content-type", media_type(state.version).to_owned())];
        match rule.tags {
            Tags::Strong => fields.push(("etag", format!("\"{tag}\""))),
            Tags::Weak => fields.push(("etag", format!("W/\"{tag}\""))),
            Tags::None => {}
        }
        if rule.has_date {
            fields.push(("last-modified", date::format(clock_of(state.since, 0))));
        }
        if rule.varies == Varies::Language {
            fields.push(("content-language", variant.clone()));
        }
        let mut said = Said {
            number,
            request: about.request,
            isolate: 0,
            url,
            rule,
            about: about.clone(),
            version: state.version,
            status: rule.status(state.version),
            asked_at: 0,
            made_at: world.clock.now(),
            landed_at: Cell::new(Millis::MAX),
            is_head: false,
            body: body.into_bytes().into(),
            fields,
        };
        more(&mut said);
        let said = Rc::new(said);
        self.said.borrow_mut().push(Rc::clone(&said));
        said
    }

    /// The answer is about a state, and does not bring it.
    fn headless(&self, said: &Said) {
        let place = usize::try_from(said.number).expect("an index");
        let all = &mut *self.said.borrow_mut();
        let said = &all[place];
        let headless = Said {
            url: said.url.clone(),
            about: said.about.clone(),
            body: Rc::clone(&said.body),
            fields: said.fields.clone(),
            landed_at: said.landed_at.clone(),
            is_head: true,
            ..**said
        };
        all[place] = Rc::new(headless);
    }

    fn reply(&self, world: &World, said: &Said, state: State, path: &str) -> Reply {
        let mut headers = HeaderMap::new();
        let mut say = |name: &str, value: &str| {
            headers.append(name.parse::<HeaderName>().expect("a name"), HeaderValue::from_str(value).expect("a value"));
        };
        for (name, value) in &said.fields {
            say(name, value);
        }
        for (name, value) in said.rule.headers {
            say(name, value);
        }
        let now = clock_of(world.clock.now(), self.offset.get());
        say("date", &date::format(now));
        if let Some(seconds) = said.rule.expires {
            say("expires", &date::format(now.plus(std::time::Duration::from_secs(seconds))));
        }
        if said.rule.sets_cookie {
            say("set-cookie", &format!("mine={}", said.request));
        }
        let kind = Rule::name_in(path);
        say("cache-tag", &format!("tag-{kind}, tag-all"));
        say("cache-groups", &format!("\"group-{kind}\""));
        say("x-answer", &said.number.to_string());
        say("x-body", &said.number.to_string());
        say("x-version", &state.version.to_string());
        say("content-length", &said.body.len().to_string());
        Reply {
            number: Some(said.number),
            status: said.status,
            headers,
            body: Some(Rc::clone(&said.body)),
            breaks: false,
        }
    }

    fn is_not_modified(asked: &HeaderMap, said: &Said) -> bool {
        if said.status != 200 {
            return false;
        }
        let field = |name: &str| said.fields.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str());
        if let Some(tags) = asked.get("if-none-match").and_then(|tags| tags.to_str().ok()) {
            let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
            return field("etag").is_some_and(|tag| tags.split(',').any(|other| bare(other) == bare(tag)));
        }
        let since = asked.get("if-modified-since").and_then(|since| since.to_str().ok());
        since.is_some() && since == field("last-modified")
    }

    /// One range of what is asked for in its present state.
    fn in_part(asked: &HeaderMap, said: &Said, reply: &mut Reply) {
        let text = |name: &str| asked.get(name).and_then(|value| value.to_str().ok());
        let Some(range) = text("range").and_then(|range| range.strip_prefix("bytes=")) else { return };
        let tag = said.fields.iter().find(|(name, _)| *name == "etag").map(|(_, tag)| tag.as_str());
        let is_meant = text("if-range").is_none_or(|meant| Some(meant) == tag && meant.starts_with('"'));
        let Some((first, last)) = range.split_once('-').filter(|_| is_meant && !range.contains(',')) else { return };
        let length = said.body.len();
        let (Ok(first), last) = (first.parse::<usize>(), last.parse::<usize>().unwrap_or(length - 1)) else { return };
        let last = last.min(length - 1);
        if reply.status != 200 || first > last {
            return;
        }
        let part = &said.body[first..=last];
        reply.status = 206;
        reply.headers.insert("content-length", HeaderValue::from(part.len()));
        let range = format!("bytes {first}-{last}/{length}");
        reply.headers.insert("content-range", HeaderValue::from_str(&range).expect("a value"));
        reply.body = Some(part.into());
    }

    /// The answer to what changes something.
    fn changed(world: &World, outbound: &Outbound<Stuff>, mut reply: Reply, path: &str, said: &Said) -> Reply {
        match world.random.below(4) {
            0 if outbound.method == "POST" && said.status == 200 => {
                // It is what is there now.
                reply.headers.insert("content-location", HeaderValue::from_str(path).expect("a path"));
                return reply;
            }
            1 => {
                let group = format!("\"group-{}\"", Rule::name_in(path));
                let group = HeaderValue::from_str(&group).expect("a value");
                reply.headers.insert("cache-group-invalidation", group);
            }
            2 => {
                let other = RULES[usize::try_from(world.random.below(RULES.len() as u64)).expect("an index")].name;
                let other = format!("/grace/{other}");
                world.origin.change(&other, world.clock.now());
                reply.headers.insert("location", HeaderValue::from_str(&other).expect("a path"));
            }
            _ => {}
        }
        world.origin.headless(said);
        reply.headers.remove("x-body");
        reply.headers.remove("content-length");
        Reply { status: 204, body: None, breaks: false, ..reply }
    }
}
