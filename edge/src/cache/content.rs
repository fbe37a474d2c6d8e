//! What a request carries, as part of its key: the content of QUERY (RFC 10008 §2.7), and GraphQL queries.
//!
//! A GraphQL operation is told from its document. One that is no query, or that cannot be told, has no key.

use std::borrow::Cow;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

use super::asked::Content;
use super::key::is_query;
use crate::config::CachePolicy;
use crate::json::Value;
use crate::order;

/// Longer content is not read for its key.
pub const LIMIT_BYTES: usize = 64 * 1024;

/// Whether a request's content has to be read, up to [`LIMIT_BYTES`], to know its key.
pub fn is_keyed(method: &Method, headers: &HeaderMap, policy: &CachePolicy) -> bool {
    is_query(method) || is_graphql_post(method, headers, policy)
}

/// What content means for the key. `bytes` are all of it.
pub fn read(method: &Method, headers: &HeaderMap, policy: &CachePolicy, bytes: &[u8]) -> Content {
    if bytes.len() > LIMIT_BYTES {
        return Content::Unkeyed;
    }
    if is_query(method) {
        // What the bytes mean depends on these two.
        let mut digest = Sha256::new();
        for name in [CONTENT_TYPE, CONTENT_ENCODING] {
            part(&mut digest, headers.get(name).map_or(&[][..], |value| value.as_bytes()));
        }
        part(&mut digest, bytes);
        return Content::Keyed(digest.finalize().into());
    }
    if is_graphql_post(method, headers, policy) { graphql(bytes) } else { Content::Unkeyed }
}

/// Whether a query of a URL holds a GraphQL operation that is no query.
pub(super) fn holds_operation(query: &str) -> bool {
    let documents = query.split('&').filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        (decoded(name) == "query").then(|| decoded(value))
    });
    documents.into_iter().any(|document| !is_query_document(&document))
}

fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned())
}

fn is_graphql_post(method: &Method, headers: &HeaderMap, policy: &CachePolicy) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    policy.graphql
        && *method == Method::POST
        && essence.eq_ignore_ascii_case("application/json")
        && !headers.contains_key(CONTENT_ENCODING)
}

/// A GraphQL request as JSON. The order of members and blanks between them say nothing.
fn graphql(bytes: &[u8]) -> Content {
    // Without a document the operation is known to the origin alone: by POST it may change something.
    let Ok(request @ Value::Object(_)) = Value::parse(bytes) else { return Content::Operation };
    let is_query = request.get("query").and_then(Value::as_str).is_some_and(is_query_document);
    if !is_query {
        return Content::Operation;
    }
    let mut digest = Sha256::new();
    if canonical(&mut digest, &request) { Content::Keyed(digest.finalize().into()) } else { Content::Operation }
}

/// A value in a form that equal values share and no others: members are sorted, each part has its length before it. `false` where an
/// object has two members of one name: readers differ in which of them counts, and so what is kept for one may be another's.
fn canonical(digest: &mut Sha256, value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            order::sort(&mut members, |one, other| one.0.cmp(&other.0));
            part(digest, format!("object {}", members.len()).as_bytes());
            members.windows(2).all(|pair| pair[0].0 != pair[1].0)
                && members.into_iter().all(|(name, value)| {
                    part(digest, name.as_bytes());
                    canonical(digest, value)
                })
        }
        Value::List(items) => {
            part(digest, format!("array {}", items.len()).as_bytes());
            items.iter().all(|item| canonical(digest, item))
        }
        Value::Text(text) => {
            part(digest, format!("text {text}").as_bytes());
            true
        }
        plain => {
            part(digest, plain.to_string().as_bytes());
            true
        }
    }
}

fn part(digest: &mut Sha256, bytes: &[u8]) {
    digest.update((bytes.len() as u64).to_be_bytes());
    digest.update(bytes);
}

/// Whether every operation of a GraphQL document is a query. In doubt it is not: any name `mutation` or `subscription`
/// outside of selections and arguments counts, and so does a document that does not end where it should.
fn is_query_document(document: &str) -> bool {
    let mut rest = document;
    let mut depth = 0_usize;
    let mut has_selection = false;
    while let Some(c) = rest.chars().next() {
        match c {
            '#' => rest = rest.find(['\n', '\r']).map_or("", |end| &rest[end..]),
            '"' => match after_string(rest) {
                Some(after) => rest = after,
                None => return false,
            },
            '{' | '(' | '[' => {
                has_selection |= c == '{' && depth == 0;
                depth += 1;
                rest = &rest[1..];
            }
            '}' | ')' | ']' => {
                let Some(outer) = depth.checked_sub(1) else { return false };
                depth = outer;
                rest = &rest[1..];
            }
            c if c.is_ascii_alphanumeric() || c == '_' => {
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
                if depth == 0 && matches!(&rest[..end], "mutation" | "subscription") {
                    return false;
                }
                rest = &rest[end..];
            }
            c => rest = &rest[c.len_utf8()..],
        }
    }
    depth == 0 && has_selection
}

/// What follows the string or block string that a text begins with.
fn after_string(text: &str) -> Option<&str> {
    if let Some(block) = text.strip_prefix("\"\"\"") {
        let mut rest = block;
        loop {
            let end = rest.find("\"\"\"")?;
            if !rest[..end].ends_with('\\') {
                return Some(&rest[end + 3..]);
            }
            rest = &rest[end + 3..];
        }
    }
    let mut escaped = false;
    for (place, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(&text[place + 1..]),
            b'\n' | b'\r' => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::fixture::{headers, policy};

    fn post(body: &str) -> Content {
        let mut policy = policy();
        policy.graphql = true;
        let headers = headers(&[("content-type", "application/json; charset=utf-8")]);
        assert!(is_keyed(&Method::POST, &headers, &policy));
        read(&Method::POST, &headers, &policy, body.as_bytes())
    }

    #[test]
    fn a_graphql_query_that_says_something_twice_has_no_key() {
        for twice in [
            r#"{"query":"{ a }","query":"{ b }"}"#,
            r#"{"query":"{ b }","variables":{"x":1},"query":"{ b }"}"#,
            r#"{"query":"{ a }","variables":{"x":[{"y":1,"z":2,"\u0079":1}]}}"#,
        ] {
            assert_eq!(post(twice), Content::Operation, "{twice}");
        }
    }

    #[test]
    fn numbers_that_differ_have_keys_that_differ() {
        let number = |digits: &str| post(&format!(r#"{{"query":"{{ a }}","variables":{{"x":{digits}}}}}"#));
        assert!(matches!(number("1e400"), Content::Keyed(_)));
        assert_ne!(number("12345678901234567890123"), number("12345678901234567890124"));
        assert_ne!(number("0.1"), number("0.10000000000000000001"));
    }

    #[test]
    fn a_graphql_query_is_keyed_whatever_the_order_of_its_members() {
        let one = post(r#"{"query":"{ a }","variables":{"x":1,"y":[1,2]},"operationName":null}"#);
        let other = post(r#"{ "operationName": null, "variables": {"y":[1,2], "x":1}, "query": "{ a }" }"#);
        assert!(matches!(one, Content::Keyed(_)));
        assert_eq!(one, other);
        for different in [
            r#"{"query":"{ b }","variables":{"x":1,"y":[1,2]},"operationName":null}"#,
            r#"{"query":"{ a }","variables":{"x":1,"y":[2,1]},"operationName":null}"#,
            r#"{"query":"{ a }","variables":{"x":"1","y":[1,2]},"operationName":null}"#,
            r#"{"query":"{ a }","variables":{"x":1,"y":[1,2]},"operationName":"null"}"#,
            r#"{"query":"{ a }","variables":{"x":1},"y":[1,2],"operationName":null}"#,
            r#"{"query":"{ a }"}"#,
        ] {
            assert!(matches!(post(different), Content::Keyed(_)), "{different}");
            assert_ne!(one, post(different), "{different}");
        }
    }

    #[test]
    fn what_is_not_known_to_be_a_query_has_no_key() {
        for body in [
            r#"{"query":"mutation { a }"}"#,
            r#"{"query":"query A { a } mutation B { b }","operationName":"A"}"#,
            r#"{"query":"subscription{a}"}"#,
            r#"{"query":"fragment F on T { a } mutation { ...F }"}"#,
            r#"{"query":"{ a"}"#,
            r#"{"query":"a }"}"#,
            r#"{"query":"{ a(x: \"open) }"}"#,
            r#"{"query":""}"#,
            r#"{"query":7}"#,
            r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}"#,
            r#"[{"query":"{ a }"}]"#,
            "{ a }",
            "",
        ] {
            assert_eq!(post(body), Content::Operation, "{body}");
        }
    }

    #[test]
    fn words_inside_of_selections_strings_and_comments_are_no_operations() {
        for document in [
            "{ mutation subscription }",
            "query Q($mutation: Int = 1) { a(mutation: $mutation) }",
            "# mutation\n{ a }",
            "{ a(x: \"} mutation {\") }",
            "{ a(x: \"\\\" } mutation {\") }",
            "{ a(x: \"\"\" \\\"\"\" } mutation { \"\"\") }",
            "query { é }",
        ] {
            assert!(is_query_document(document), "{document}");
        }
    }

    #[test]
    fn a_mutation_in_a_url_is_seen_in_every_spelling() {
        for (query, expected) in [
            ("query={a}", false),
            ("query=%7Ba%7D&variables={}", false),
            ("extensions=%7B%22persistedQuery%22%3A1%7D", false),
            ("query=mutation{a}", true),
            ("query=%6dutation+%7Ba%7D", true),
            ("%71uery=mutation%7Ba%7D", true),
            ("query={a}&query=mutation{a}", true),
            ("x=1", false),
        ] {
            assert_eq!(holds_operation(query), expected, "{query}");
        }
    }

    #[test]
    fn the_content_of_query_counts_with_its_type() {
        let method = Method::from_bytes(b"QUERY").unwrap();
        let read = |media_type: &'static str, body: &[u8]| {
            read(&method, &headers(&[("content-type", media_type)]), &policy(), body)
        };
        let one = read("application/sql", b"select 1");
        assert!(matches!(one, Content::Keyed(_)));
        assert_eq!(one, read("application/sql", b"select 1"));
        assert_ne!(one, read("application/sql", b"select 2"));
        assert_ne!(one, read("text/plain", b"select 1"));
        assert_eq!(read("a/b", &vec![0; LIMIT_BYTES + 1]), Content::Unkeyed);
    }

    #[test]
    fn posts_are_left_alone_unless_the_policy_says_graphql() {
        let headers = headers(&[("content-type", "application/json")]);
        assert!(!is_keyed(&Method::POST, &headers, &policy()));
        assert_eq!(read(&Method::POST, &headers, &policy(), b"{\"query\":\"{a}\"}"), Content::Unkeyed);
    }
}
