//! The heads of a release's answers, before header rules change them.

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY_REPORT_ONLY, CONTENT_TYPE,
    ETAG, HeaderName, LINK, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue};

use super::file::{File, Form, HeadKind, Place, Role};
use crate::answer::keep_out_of_the_front;

/// Its name is its digest: it is never asked for again.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The head of an answer with a form of a file. `cache_control` is that of documents.
pub fn of_form(file: &File, form: &Form, kind: HeadKind, place: Place, cache_control: &str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(16);
    if kind != HeadKind::NotModified {
        set(&mut headers, CONTENT_TYPE, &file.media_type);
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if let Some(coding) = form.coding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
        }
    }
    if kind == HeadKind::Whole {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(form.size));
    }
    set(&mut headers, ETAG, &form.etag);
    set(&mut headers, CACHE_CONTROL, if file.role == Role::Asset { FOR_EVER } else { cache_control });
    vary(&mut headers, file, place);
    // The bytes are those that the build put here: a hit that needed no origin.
    headers.insert("cache-status", HeaderValue::from_static("rimward; hit; detail=release"));
    keep_out_of_the_front(&mut headers);
    secure(&mut headers, &file.role);
    headers
}

/// The head of a page that answers with an error: nothing of it is kept, or asked for in parts.
pub fn of_error_page(file: &File, form: &Form) -> HeaderMap {
    let mut headers = of_form(file, form, HeadKind::Whole, Place::Navigation, "no-store");
    for name in [ETAG, ACCEPT_RANGES, LINK] {
        headers.remove(name);
    }
    headers.insert("cache-status", HeaderValue::from_static("rimward; detail=not-found"));
    headers
}

fn vary(headers: &mut HeaderMap, file: &File, place: Place) {
    let fields = match (file.varies(), place) {
        (true, Place::Navigation) => "accept-encoding, accept, sec-fetch-mode",
        (false, Place::Navigation) => "accept, sec-fetch-mode",
        (true, _) => "accept-encoding",
        (false, _) => return,
    };
    headers.insert(VARY, HeaderValue::from_static(fields));
}

/// What protects people by default; header rules change it.
fn secure(headers: &mut HeaderMap, role: &Role) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let Role::Page { links, script_hashes } = role else { return };
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    set(headers, CONTENT_SECURITY_POLICY_REPORT_ONLY, &policy(script_hashes));
    if let Some(links) = links {
        set(headers, LINK, links);
    }
}

/// What stops injected scripts, and no more: a policy over everything that an app loads would be guessed, and a report
/// for each wrong guess hides the one that matters.
fn policy(script_hashes: &[String]) -> String {
    let mut sources = String::from("'self' 'wasm-unsafe-eval'");
    for hash in script_hashes {
        sources.push_str(&[" '", hash, "'"].concat());
    }
    format!("script-src {sources}; object-src 'none'; base-uri 'self'")
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
