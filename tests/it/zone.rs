//! A stand-in for Cloudflare's zone API, from its documentation: it takes nothing that the documentation does not name.
//!
//! `POST /zones/{zone_id}/purge_cache` and `/zones/{zone_id}/invalidate_cache` with a bearer token and a JSON object of
//! exactly one of `files`, `tags`, `hosts`, `prefixes` (each at most 100 texts) and `purge_everything`; the answer is the
//! API's envelope: `success`, `errors`, `messages`, `result`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use crate::origin::{Exchange, Origin};
use crate::runtime::PATIENCE;

pub(crate) const ID: &str = "023e105f4ecef8ad9ca31a8372d0c353";
pub(crate) const TOKEN: &str = "Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY";

/// The documented limit of every plan.
const ITEMS: usize = 100;

/// The stand-in. It ends with the tests' process.
pub(crate) struct Zone {
    origin: Origin,
    calls: Mutex<Receiver<Call>>,
}

/// A request that the documentation allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// `purge_cache` or `invalidate_cache`.
    pub(crate) endpoint: String,
    pub(crate) body: Value,
}

impl Call {
    /// The items that it names, of this kind.
    #[track_caller]
    pub(crate) fn items(&self, kind: &str) -> Vec<String> {
        let items = self.body[kind].as_array().unwrap_or_else(|| panic!("no `{kind}` in {self:?}"));
        items.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
    }
}

/// What is answered: the head without its last line's end, and the body.
pub(crate) type Said = (String, String);

pub(crate) fn accepted() -> Said {
    let body = json!({ "success": true, "errors": [], "messages": [], "result": { "id": ID } });
    ("200 OK\r\nContent-Type: application/json".into(), body.to_string())
}

pub(crate) fn busy(retry_after: u32) -> Said {
    let head = format!("429 Too Many Requests\r\nContent-Type: application/json\r\nRetry-After: {retry_after}");
    (head, failure(971, "Please wait and consider throttling your request speed"))
}

pub(crate) fn broken() -> Said {
    ("502 Bad Gateway\r\nContent-Type: text/html".into(), "<html>bad gateway".into())
}

pub(crate) fn refused() -> Said {
    ("403 Forbidden\r\nContent-Type: application/json".into(), failure(10000, "Authentication error"))
}

fn failure(code: u32, message: &str) -> String {
    let errors = json!([{ "code": code, "message": message }]);
    json!({ "success": false, "errors": errors, "messages": [], "result": null }).to_string()
}

impl Zone {
    /// Starts one that says `script(n)` to the n-th call that it takes.
    pub(crate) fn start(script: impl Fn(usize) -> Said + Send + Sync + 'static) -> Zone {
        let (sender, calls) = channel();
        let sender = Mutex::new(sender);
        let count = AtomicUsize::new(0);
        let origin = Origin::start(move |exchange| match read(exchange) {
            Ok(call) => {
                let (head, body) = script(count.fetch_add(1, Ordering::SeqCst));
                sender.lock().unwrap().send(call).unwrap();
                exchange.answer(&head, body);
            }
            Err(why) => exchange.answer("400 Bad Request\r\nContent-Type: application/json", failure(1000, &why)),
        });
        Zone { origin, calls: Mutex::new(calls) }
    }

    /// The base of the API.
    pub(crate) fn api(&self) -> String {
        self.origin.url("/client/v4")
    }

    /// The next call that it took.
    #[track_caller]
    pub(crate) fn call(&self) -> Call {
        self.calls.lock().unwrap().recv_timeout(PATIENCE).expect("a call arrives at the zone's API")
    }
}

fn read(exchange: &mut Exchange) -> Result<Call, String> {
    let field = |name: &str| exchange.request.field(name).unwrap_or_default().to_owned();
    let (line, path) = (exchange.request.line.clone(), exchange.request.path().to_owned());
    let length: usize = field("content-length").parse().map_err(|_| "no length".to_owned())?;
    let (authorization, media_type) = (field("authorization"), field("content-type"));
    let mut body = Vec::new();
    while body.len() < length {
        let more = exchange.read();
        if more.is_empty() {
            return Err("the body broke off".into());
        }
        body.extend(more);
    }
    if !line.starts_with("POST ") {
        return Err(format!("not a POST: {line}"));
    }
    if authorization != format!("Bearer {TOKEN}") || media_type != "application/json" {
        return Err(format!("{authorization}, {media_type}"));
    }
    let endpoint = path.strip_prefix(&format!("/client/v4/zones/{ID}/")).unwrap_or_default();
    if !matches!(endpoint, "purge_cache" | "invalidate_cache") {
        return Err(format!("no such endpoint: {path}"));
    }
    let body: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    let members = body.as_object().filter(|members| members.len() == 1).ok_or("not one member")?;
    let (kind, value) = members.iter().next().expect("one");
    let list = || value.as_array().filter(|list| (1..=ITEMS).contains(&list.len())).ok_or("not 1 to 100 items");
    let all = |fits: &dyn Fn(&str) -> bool| -> Result<bool, &str> {
        Ok(list()?.iter().all(|item| item.as_str().is_some_and(fits)))
    };
    let fits = match kind.as_str() {
        "files" => all(&|url| url.starts_with("https://") || url.starts_with("http://"))?,
        "tags" => all(&|tag| !tag.is_empty() && tag.len() <= 1024)?,
        "hosts" => all(&|host| !host.is_empty() && !host.contains(['/', ':']))?,
        // Neither a scheme nor a query.
        "prefixes" => all(&|prefix| !prefix.is_empty() && !prefix.contains("://") && !prefix.contains('?'))?,
        "purge_everything" => *value == Value::Bool(true),
        _ => false,
    };
    if !fits {
        return Err(format!("not as documented: {body}"));
    }
    Ok(Call { endpoint: endpoint.to_owned(), body: body.clone() })
}
