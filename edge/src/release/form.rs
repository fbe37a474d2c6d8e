//! In which form a file answers: negotiation, preconditions and ranges in the order of RFC 9110 §13.2.2.
//!
//! A release knows no modification times: `If-Modified-Since`, `If-Unmodified-Since` and dates in `If-Range` are left
//! aside, as the standard wants it (§13.1.3 to §13.1.5).

use std::ops::Range;

use super::file::{File, Form};
use super::negotiate;
use crate::field::accept::Codings;
use crate::field::etag;
use crate::field::range::{self, Ranges};

/// How a file answers.
#[derive(Debug)]
pub enum Decision<'file> {
    /// 200 with all of a form.
    Whole(&'file Form),
    /// 304: the client has this form.
    NotModified(&'file Form),
    /// 206 with ranges of the bytes as they are: at least one, ascending, apart.
    Parts(&'file Form, Vec<Range<u64>>),
    /// 412: the client means another form or state than there is.
    PreconditionFailed,
    /// 416: the file has no such bytes; its size.
    Unsatisfiable(u64),
    /// 406: the client refuses every form.
    NotAcceptable,
}

/// What a decision asks of the request, when it needs it.
pub struct Asked<'request> {
    /// The client's `Accept-Encoding`.
    pub accept_encoding: Option<&'request str>,
    /// Reads one field.
    pub field: &'request dyn Fn(&str) -> Option<String>,
    /// Ranges are for `GET` alone (RFC 9110 §14.2).
    pub is_get: bool,
}

/// Decides how a file answers.
pub fn decide<'file>(file: &'file File, asked: &Asked<'_>) -> Decision<'file> {
    let codings = Codings::new(asked.accept_encoding);
    let Some(place) = negotiate::choose(codings, &file.offers) else { return Decision::NotAcceptable };
    let negotiated = &file.forms[place];
    let if_none_match = (asked.field)("if-none-match");
    let ranges = ranges(file, asked, codings);
    // Ranges are of the bytes as they are: parts of an encoded form are of no use to whoever has parts of another.
    let selected = if ranges == Ranges::Ignore { negotiated } else { file.identity() };
    if (asked.field)("if-match").is_some_and(|tags| !etag::any_strongly(&tags, &selected.etag)) {
        return Decision::PreconditionFailed;
    }
    if if_none_match.is_some_and(|tags| etag::any_weakly(&tags, &selected.etag)) {
        return Decision::NotModified(selected);
    }
    let if_range = if ranges == Ranges::Ignore { None } else { (asked.field)("if-range") };
    match ranges {
        _ if if_range.is_some_and(|tag| !etag::same_strongly(tag.trim(), &selected.etag)) => {
            Decision::Whole(negotiated)
        }
        Ranges::Ignore => Decision::Whole(negotiated),
        Ranges::Unsatisfiable => Decision::Unsatisfiable(file.identity().size),
        Ranges::Parts(parts) => Decision::Parts(file.identity(), parts),
    }
}

fn ranges(file: &File, asked: &Asked<'_>, codings: Codings) -> Ranges {
    match asked.is_get.then(|| (asked.field)("range")).flatten() {
        Some(field) if negotiate::accepts_identity(codings) => range::parse(&field, file.identity().size),
        _ => Ranges::Ignore,
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::Role;
    use super::*;

    fn file(role: Role) -> File {
        let content = serde_json::json!({
            "type": "text/css", "size": 1000, "sha256": "1d".repeat(32),
            "encodings": { "br": { "size": 300, "sha256": "b7".repeat(32) } },
        });
        File::new("/a".to_owned(), role, "a", &serde_json::from_value(content).unwrap())
    }

    fn identity() -> String {
        format!("\"{}\"", "1d".repeat(16))
    }

    fn br() -> String {
        format!("\"{}\"", "b7".repeat(16))
    }

    #[track_caller]
    fn check(role: Role, accept_encoding: &str, fields: &[(&str, &str)], expected: &str) {
        let file = file(role);
        let field = |name: &str| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let asked = Asked { accept_encoding: Some(accept_encoding), field: &field, is_get: true };
        let coding = |form: &Form| form.coding.map_or("identity", super::super::manifest::Coding::token);
        let found = match decide(&file, &asked) {
            Decision::Whole(form) => format!("200 {}", coding(form)),
            Decision::NotModified(form) => format!("304 {}", coding(form)),
            Decision::Parts(form, parts) => format!("206 {} {parts:?}", coding(form)),
            Decision::PreconditionFailed => "412".to_owned(),
            Decision::Unsatisfiable(size) => format!("416 {size}"),
            Decision::NotAcceptable => "406".to_owned(),
        };
        assert_eq!(found, expected, "{accept_encoding} {fields:?}");
    }

    #[test]
    fn a_client_that_has_the_form_is_told_so() {
        check(Role::Document, "br", &[], "200 br");
        check(Role::Document, "br", &[("if-none-match", &br())], "304 br");
        check(Role::Document, "br", &[("if-none-match", &format!("W/{}", br()))], "304 br");
        check(Role::Document, "br", &[("if-none-match", "*")], "304 br");
        check(Role::Document, "br", &[("if-none-match", &identity())], "200 br");
        check(Role::Document, "gzip", &[("if-none-match", &format!("\"x\", {}", identity()))], "304 identity");
        // If-None-Match beats If-Modified-Since; without it there is no date to compare with.
        let since = ("if-modified-since", "Fri, 20 Nov 2099 00:00:00 GMT");
        check(Role::Document, "br", &[("if-none-match", "\"old\""), since], "200 br");
        check(Role::Document, "br", &[since], "200 br");
    }

    #[test]
    fn a_client_that_means_another_state_is_refused() {
        check(Role::Document, "br", &[("if-match", &br())], "200 br");
        check(Role::Document, "br", &[("if-match", "*")], "200 br");
        check(Role::Document, "br", &[("if-match", &format!("W/{}", br()))], "412");
        check(Role::Document, "br", &[("if-match", "\"x\""), ("if-none-match", &br())], "412");
        check(Role::Asset, "br", &[("if-match", "\"x\"")], "412");
        check(Role::Asset, "br", &[("if-match", &format!("{}, {}", identity(), br()))], "200 br");
        check(Role::Asset, "br", &[("if-match", &identity())], "412");
        check(Role::Asset, "br", &[("if-match", "\"x\""), ("range", "bytes=0-1")], "412");
        check(Role::Asset, "br", &[("if-match", &identity()), ("range", "bytes=0-1")], "206 identity [0..2]");
        // There is no date to compare with: a recipient must ignore it then (RFC 9110 §13.1.4).
        let since = ("if-unmodified-since", "Fri, 20 Nov 1999 00:00:00 GMT");
        check(Role::Asset, "br", &[since], "200 br");
        check(Role::Document, "br", &[since, ("if-match", &br())], "200 br");
    }

    #[test]
    fn ranges_are_of_the_bytes_as_they_are() {
        check(Role::Asset, "br", &[("range", "bytes=0-9")], "206 identity [0..10]");
        check(Role::Asset, "br", &[("range", "bytes=0-9,500-")], "206 identity [0..10, 500..1000]");
        check(Role::Asset, "br", &[("range", "bytes=1000-")], "416 1000");
        check(Role::Asset, "br", &[("range", "lines=1-2")], "200 br");
        check(Role::Asset, "br, identity;q=0", &[("range", "bytes=0-9")], "200 br");
        check(Role::Asset, "br", &[("range", "bytes=0-9"), ("if-none-match", &identity())], "304 identity");
    }

    #[test]
    fn a_range_of_another_state_is_the_whole() {
        let range = ("range", "bytes=0-9");
        check(Role::Asset, "br", &[range, ("if-range", &identity())], "206 identity [0..10]");
        check(Role::Asset, "br", &[range, ("if-range", &br())], "200 br");
        check(Role::Asset, "br", &[range, ("if-range", &format!("W/{}", identity()))], "200 br");
        check(Role::Asset, "br", &[range, ("if-range", "Fri, 20 Nov 2099 00:00:00 GMT")], "200 br");
        check(Role::Asset, "br", &[("range", "bytes=1000-"), ("if-range", "\"x\"")], "200 br");
    }

    #[test]
    fn a_client_that_refuses_every_form_is_told_so() {
        check(Role::Asset, "identity;q=0, gzip", &[], "406");
        check(Role::Asset, "*;q=0", &[("range", "bytes=0-9")], "406");
    }
}
