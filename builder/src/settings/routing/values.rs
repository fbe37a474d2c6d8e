//! What the texts of `[[route]]` stand for: hosts, countries, tests of values, paths and parameters to ask with.

use std::ops::Range;

use rimward_edge::config::Test;
use rimward_edge::path;
use serde_json::{Value, json};
use toml::de::DeValue;

use crate::settings::findings::{Findings, Located};
use crate::settings::pooling::values::CookieName;
use crate::settings::table::{FromToml, wrong_type};
use crate::settings::values::{FieldName, FromText, HostName, Name, Refusal, refuse};

/// A host name, or `*.` and one: every host below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::settings) struct HostPattern(pub(in crate::settings) String);

impl FromText for HostPattern {
    const EXPECTED: &'static str = "a host name";
    const EXAMPLE: &'static str = "\"api.example.com\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let (below, host) = text.strip_prefix("*.").map_or(("", text), |host| ("*.", host));
        if host.contains('*') {
            return refuse(
                "can hold `*` as its first label alone",
                "for example \"*.example.com\"; leave `hosts` out for any host",
            );
        }
        HostName::parse(host).map(|HostName(host)| HostPattern(format!("{below}{host}")))
    }
}

/// A country, in upper case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::settings) struct Country(pub(in crate::settings) String);

impl FromText for Country {
    const EXPECTED: &'static str = "a country";
    const EXAMPLE: &'static str = "\"DE\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let code = text.to_ascii_uppercase();
        match code.as_str() {
            "UK" => refuse("is not a country: \"UK\"", "write \"GB\" (ISO 3166-1)"),
            "XX" => refuse(
                "is not a country: \"XX\"",
                "a client whose country is unknown fits none: leave it to a later route",
            ),
            // As the platform calls the Tor network.
            "T1" => Ok(Country(code)),
            _ if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()) => Ok(Country(code)),
            _ => refuse(format!("is not a country: {text:?}"), "two letters (ISO 3166-1), for example \"DE\""),
        }
    }
}

/// The name of a parameter of the query, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::settings) struct ParameterName(pub(in crate::settings) String);

impl FromText for ParameterName {
    const EXPECTED: &'static str = "the name of a parameter";
    const EXAMPLE: &'static str = "\"page\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        match text.chars().find(|&c| c.is_control() || "&=#?".contains(c)) {
            _ if text.is_empty() => refuse("cannot hold an empty name", "name a parameter, for example \"page\""),
            Some(odd) => refuse(format!("cannot hold {odd:?}: it is a parameter's name alone"), "for example \"page\""),
            None => Ok(ParameterName(text.to_owned())),
        }
    }
}

/// What a key of a table names.
pub(in crate::settings) trait KeyName: FromText {
    fn text(&self) -> &str;
}

impl KeyName for FieldName {
    fn text(&self) -> &str {
        &self.0
    }
}

impl KeyName for ParameterName {
    fn text(&self) -> &str {
        &self.0
    }
}

impl KeyName for CookieName {
    fn text(&self) -> &str {
        &self.0
    }
}

/// How a value is tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::settings) struct ValueTest(pub(in crate::settings) Test);

impl FromText for ValueTest {
    const EXPECTED: &'static str = "a value";
    const EXAMPLE: &'static str = "\"1\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        if text.strip_suffix('*').unwrap_or(text).contains('*') {
            return refuse(
                "can hold `*` at its end alone",
                "\"beta\" is that value, \"beta*\" any that begins so, \"*\" any at all",
            );
        }
        match text.chars().find(|c| c.is_control()) {
            Some(odd) => refuse(format!("cannot hold {odd:?}"), "values are compared as they are, decoded"),
            None if text.trim() != text => {
                refuse("begins or ends with blanks, which no request has there", format!("write {:?}", text.trim()))
            }
            None => Ok(ValueTest(Test::read(text))),
        }
    }
}

/// A value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::settings) struct ParameterValue(pub(in crate::settings) String);

impl FromText for ParameterValue {
    const EXPECTED: &'static str = "a value";
    const EXAMPLE: &'static str = "\"1\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        match text.chars().find(|c| c.is_control()) {
            Some(odd) => refuse(format!("cannot hold {odd:?}"), "values are encoded as a query needs it"),
            None => Ok(ParameterValue(text.to_owned())),
        }
    }
}

/// A path to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::settings) struct RewrittenPath(pub(in crate::settings) String);

impl FromText for RewrittenPath {
    const EXPECTED: &'static str = "a path";
    const EXAMPLE: &'static str = "\"/v2/:splat\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        if let Some(odd) = text.chars().find(|&c| !c.is_ascii_graphic() || c == '#') {
            return refuse(format!("cannot hold {odd:?}"), "write it percent-encoded");
        }
        if text.contains('?') {
            return refuse(
                "cannot hold `?`: it is the path alone",
                "parameters are set by `query`: query = { set = { page = \"1\" } }",
            );
        }
        if text.contains("://") {
            return refuse(
                "must be a path: the host that is asked is the origin's",
                "name another pool, or write `redirect`",
            );
        }
        if text.contains('*') {
            return refuse("cannot hold `*`", "what `*` of the route's path catches is written `:splat`");
        }
        if !text.starts_with('/') {
            return refuse("must begin with `/`", format!("write {:?}", format!("/{text}")));
        }
        match path::canonical(text) {
            Ok(_) => Ok(RewrittenPath(text.to_owned())),
            Err(bad) => refuse(format!("holds {bad}"), "for example \"/v2/:splat\""),
        }
    }
}

/// A table of values by name; wrong ones are left out.
#[derive(Debug, Clone)]
pub(in crate::settings) struct ByName<K, V> {
    /// In the order of the text.
    pub(in crate::settings) entries: Vec<(Located<K>, Located<V>)>,
    /// Whether nothing was left out.
    pub(in crate::settings) complete: bool,
}

impl<K: KeyName, V: FromText> FromToml for ByName<K, V> {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        let example = format!("for example {{ {} = {} }}", K::EXAMPLE.trim_matches('"'), V::EXAMPLE);
        let Some(table) = value.as_table() else {
            wrong_type(value, &span, what, "a table", findings).hint(example);
            return None;
        };
        let mut entries: Vec<(Located<K>, Located<V>)> = Vec::new();
        let mut complete = true;
        for (key, value) in table {
            let name = match K::parse(key.get_ref()) {
                Ok(name) => Some(Located { value: name, span: key.span() }),
                Err(refusal) => {
                    let message = format!("a key of {what} {}", refusal.message);
                    findings.error("wrong-value", &key.span(), message).maybe_hint(refusal.hint);
                    None
                }
            };
            let what = format!("`{}` in {what}", key.get_ref());
            let read = V::read(value.get_ref(), value.span(), &what, findings);
            let read = read.map(|read| Located { value: read, span: value.span() });
            complete &= name.is_some() && read.is_some();
            entries.extend(name.zip(read));
        }
        entries.sort_by_key(|(name, _)| name.span.start);
        for at in 1..entries.len() {
            let (earlier, later) = (&entries[..at], &entries[at].0);
            if earlier.iter().any(|(name, _)| name.value.text() == later.value.text()) {
                findings
                    .error("duplicate", &later.span, format!("{what} has `{}` twice", later.value.text()))
                    .hint("keep one: names of header fields ignore case");
                complete = false;
            }
        }
        Some(ByName { entries, complete })
    }

    fn schema() -> Value {
        json!({ "type": "object", "additionalProperties": { "type": "string" } })
    }
}

/// `[route.split]`: weights of pools; wrong ones are left out.
#[derive(Debug, Clone)]
pub(in crate::settings) struct Shares {
    /// In the order of the text.
    pub(in crate::settings) entries: Vec<(Located<Name>, Located<u32>)>,
    /// Whether nothing was left out.
    pub(in crate::settings) complete: bool,
}

/// Of one pool.
const WEIGHT_LIMIT: u32 = 10_000;

impl FromToml for Shares {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        let Some(table) = value.as_table() else {
            wrong_type(value, &span, what, "a table", findings).hint("for example { api = 95, api-canary = 5 }");
            return None;
        };
        let mut entries = Vec::new();
        let mut complete = true;
        for (key, value) in table {
            let name = Name::parse(key.get_ref());
            if let Err(refusal) = &name {
                let message = format!("a key of {what} {}", refusal.message);
                findings.error("wrong-value", &key.span(), message).hint("each key is the name of a [[pool]]");
            }
            let what = format!("`{}` in {what}", key.get_ref());
            let weight = u32::read(value.get_ref(), value.span(), &what, findings);
            if weight.is_some_and(|weight| weight > WEIGHT_LIMIT) {
                findings
                    .error("wrong-value", &value.span(), format!("{what} is more than {WEIGHT_LIMIT}"))
                    .hint("weights are shares of their sum: 95 and 5 are as good as 9500 and 500");
            }
            let weight = weight.filter(|weight| *weight <= WEIGHT_LIMIT);
            complete &= name.is_ok() && weight.is_some();
            let located = |name| Located { value: name, span: key.span() };
            entries
                .extend(name.ok().map(located).zip(weight.map(|weight| Located { value: weight, span: value.span() })));
        }
        entries.sort_by_key(|(name, _): &(Located<Name>, _)| name.span.start);
        Some(Shares { entries, complete })
    }

    fn schema() -> Value {
        json!({
            "type": "object",
            "additionalProperties": { "type": "integer", "minimum": 0, "maximum": WEIGHT_LIMIT },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: FromText + std::fmt::Debug>(text: &str, expected: Result<(), &str>) {
        match (T::parse(text), expected) {
            (Ok(_), Ok(())) => {}
            (Err(refusal), Err(message)) => assert!(refusal.message.contains(message), "{text}: {}", refusal.message),
            (found, _) => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn hosts_may_be_all_below_one() {
        for (text, expected) in [
            ("api.example.com", Ok(())),
            ("*.example.com", Ok(())),
            ("*", Err("as its first label alone")),
            ("a.*.example.com", Err("as its first label alone")),
            ("*.*.com", Err("as its first label alone")),
            ("https://x.example", Err("not a URL")),
            ("x.example:8080", Err("a host name alone")),
        ] {
            check::<HostPattern>(text, expected);
        }
        assert_eq!(HostPattern::parse("*.Example.com"), Ok(HostPattern("*.example.com".to_owned())));
    }

    #[test]
    fn countries_are_two_letters() {
        assert_eq!(Country::parse("de"), Ok(Country("DE".to_owned())));
        for (text, expected) in
            [("T1", Ok(())), ("DEU", Err("")), ("D", Err("")), ("UK", Err("")), ("XX", Err("")), ("1A", Err(""))]
        {
            check::<Country>(text, expected);
        }
    }

    #[test]
    fn names_and_tests_are_what_requests_can_hold() {
        for (text, expected) in [
            ("1", Ok(())),
            ("", Ok(())),
            ("*", Ok(())),
            ("a b*", Ok(())),
            ("*a", Err("`*`")),
            ("a**", Err("`*`")),
            (" a", Err("blanks")),
            ("a\n", Err("'\\n'")),
        ] {
            check::<ValueTest>(text, expected);
        }
        for (text, expected) in [("page", Ok(())), ("a b[]", Ok(())), ("", Err("empty")), ("a=b", Err("'='"))] {
            check::<ParameterName>(text, expected);
        }
        for (text, expected) in [("__Host-x", Ok(())), ("", Err("empty")), ("a b", Err("' '")), ("a;", Err("';'"))] {
            check::<CookieName>(text, expected);
        }
    }

    #[test]
    fn a_path_to_ask_for_is_a_path_alone() {
        for (text, expected) in [
            ("/v2/:splat", Ok(())),
            ("/a%20b/:id", Ok(())),
            ("v2", Err("begin with")),
            ("/a?b", Err("`?`")),
            ("/a#b", Err("'#'")),
            ("/a b", Err("' '")),
            ("/é", Err("'é'")),
            ("/v2/*", Err("`*`")),
            ("https://x.example/", Err("the origin's")),
            ("/../x", Err("dots")),
            ("/%zz", Err("hexadecimal")),
        ] {
            check::<RewrittenPath>(text, expected);
        }
    }
}
