//! Reads a TOML tree into tables whose keys are declared once: the declaration gives the reader, its findings about
//! unknown and wrong keys, and the JSON Schema.

use std::ops::Range;

use serde_json::{Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::findings::{Findings, Located, closest};
use super::values::{FromText as _, Name};

/// What can be read from a TOML value.
pub(super) trait FromToml: Sized {
    /// `None` where the value is wrong; then a finding says so. `what` names the value: `` `base` of `[site]` ``.
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self>;

    /// As JSON Schema.
    fn schema() -> Value;

    /// How one of several is written, where it is a table: `[[route]]`.
    fn title() -> Option<&'static str> {
        None
    }
}

/// A key of a table.
#[derive(Debug, Clone)]
pub(super) enum Field<T> {
    /// The table does not have it.
    Absent,
    /// It is wrong, and a finding says so: nothing further is to be concluded from its absence.
    Wrong,
    /// Its value.
    Given(Located<T>),
}

impl<T> Field<T> {
    pub(super) fn given(&self) -> Option<&Located<T>> {
        match self {
            Field::Given(located) => Some(located),
            Field::Absent | Field::Wrong => None,
        }
    }

    pub(super) fn value(&self) -> Option<&T> {
        self.given().map(|located| &located.value)
    }
}

/// An array whose wrong items are left out.
#[derive(Debug, Clone)]
pub(super) struct List<T> {
    pub(super) items: Vec<Located<T>>,
    /// Whether nothing was left out.
    pub(super) complete: bool,
}

/// A key that a later version brings.
pub(super) struct Later {
    pub(super) key: &'static str,
    /// The value that says what this version does anyway, as TOML has it.
    pub(super) off: Option<&'static str>,
    /// What the key is about.
    pub(super) brings: &'static str,
}

/// A declared table.
pub(super) trait Table {
    /// As the file has it: `[site]`.
    const TITLE: &'static str;
    const KEYS: &'static [&'static str];
    const LATER: &'static [Later];
}

/// Declares a table: its keys with their types, and the keys that a later version brings. A key that cannot name a field is
/// written behind the field: `period as "for"`.
macro_rules! table {
    (
        $(#[doc = $about:literal])*
        $name:ident $title:literal {
            $( $(#[doc = $doc:literal])* $key:ident $(as $written:literal)?: $type:ty, )*
        }
        $(later { $( $later:ident $(or $off:literal)?: $brings:literal, )* })?
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone)]
        pub(super) struct $name {
            $( $(#[doc = $doc])* pub(super) $key: $crate::settings::table::Field<$type>, )*
        }

        impl $crate::settings::table::Table for $name {
            const TITLE: &'static str = $title;
            const KEYS: &'static [&'static str] = &[$([$($written,)? stringify!($key)][0]),*];
            const LATER: &'static [$crate::settings::table::Later] = &[$($(
                $crate::settings::table::Later {
                    key: stringify!($later),
                    off: [$(Some($off),)? None][0],
                    brings: $brings,
                },
            )*)?];
        }

        impl $crate::settings::table::FromToml for $name {
            fn read(
                value: &toml::de::DeValue<'_>,
                span: std::ops::Range<usize>,
                what: &str,
                findings: &mut $crate::settings::findings::Findings<'_>,
            ) -> Option<Self> {
                let table = $crate::settings::table::read_table::<$name>(value, &span, what, findings)?;
                Some($name { $( $key: {
                    let key = [$($written,)? stringify!($key)][0];
                    $crate::settings::table::read_key(table, key, $title, findings)
                }, )* })
            }

            fn title() -> Option<&'static str> {
                Some($title)
            }

            fn schema() -> serde_json::Value {
                let mut properties = serde_json::Map::new();
                $(
                    let about = concat!($($doc,)*).trim();
                    let schema = <$type as $crate::settings::table::FromToml>::schema();
                    let key = [$($written,)? stringify!($key)][0];
                    properties.insert(key.to_owned(), $crate::settings::table::described(schema, about));
                )*
                serde_json::json!({ "type": "object", "additionalProperties": false, "properties": properties })
            }
        }
    };
}
pub(super) use table;

/// A table's entries, its unknown keys reported.
pub(super) fn read_table<'v, 'i, T: Table>(
    value: &'v DeValue<'i>,
    span: &Range<usize>,
    what: &str,
    findings: &mut Findings<'_>,
) -> Option<&'v DeTable<'i>> {
    let Some(table) = value.as_table() else {
        wrong_type(value, span, what, "a table", findings).hint(format!("write it as `{}`", T::TITLE));
        return None;
    };
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        if T::KEYS.contains(&name) {
            continue;
        }
        match T::LATER.iter().find(|later| later.key == name) {
            Some(later) => check_later(later, T::TITLE, &key.span(), value.get_ref(), findings),
            None => unknown_key::<T>(name, &key.span(), findings),
        }
    }
    Some(table)
}

fn check_later(later: &Later, title: &str, span: &Range<usize>, value: &DeValue<'_>, findings: &mut Findings<'_>) {
    let written = match value {
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Integer(value) => Some(value.to_string()),
        _ => None,
    };
    if later.off.is_some() && written.as_deref() == later.off {
        return;
    }
    findings
        .error("not-yet", span, format!("`{}` of `{title}` is not supported yet", later.key))
        .hint(format!("remove it: a later version brings {}", later.brings));
}

fn unknown_key<T: Table>(name: &str, span: &Range<usize>, findings: &mut Findings<'_>) {
    let here = T::KEYS.iter().copied().chain(T::LATER.iter().map(|later| later.key));
    let hint = match (closest(name, here), super::raw::table_with(name)) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, Some(title)) => format!("`{name}` belongs to `{title}`"),
        (None, None) => format!("known keys are {}", quoted_list(T::KEYS)),
    };
    findings.error("unknown-key", span, format!("unknown key `{name}` in `{}`", T::TITLE)).hint(hint);
}

/// `` `a`, `b` and `c` ``.
pub(super) fn quoted_list(words: &[&str]) -> String {
    match words {
        [] => "none".to_owned(),
        [word] => format!("`{word}`"),
        [most @ .., last] => {
            let most: Vec<String> = most.iter().map(|word| format!("`{word}`")).collect();
            format!("{} and `{last}`", most.join(", "))
        }
    }
}

pub(super) fn read_key<T: FromToml>(
    table: &DeTable<'_>,
    key: &str,
    title: &str,
    findings: &mut Findings<'_>,
) -> Field<T> {
    let Some(value) = table.get(key) else { return Field::Absent };
    let what = format!("`{key}` of `{title}`");
    match T::read(value.get_ref(), value.span(), &what, findings) {
        Some(read) => Field::Given(Located { value: read, span: value.span() }),
        None => Field::Wrong,
    }
}

pub(super) fn wrong_type<'f>(
    value: &DeValue<'_>,
    span: &Range<usize>,
    what: &str,
    expected: &str,
    findings: &'f mut Findings<'_>,
) -> super::findings::Finding<'f> {
    let found = match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "`true` or `false`",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    findings.error("wrong-type", span, format!("{what} must be {expected}, not {found}"))
}

pub(super) fn described(mut schema: Value, about: &str) -> Value {
    if let Value::Object(schema) = &mut schema
        && !about.is_empty()
    {
        schema.insert("description".to_owned(), json!(about));
    }
    schema
}

impl<T: FromToml> FromToml for List<T> {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        let Some(array) = value.as_array() else {
            wrong_type(value, &span, what, "a list", findings).maybe_hint(list_hint::<T>(value));
            return None;
        };
        let read = |item: &Spanned<DeValue<'_>>, findings: &mut Findings<'_>| {
            let value = T::read(item.get_ref(), item.span(), what, findings)?;
            Some(Located { value, span: item.span() })
        };
        let items: Vec<_> = array.iter().filter_map(|item| read(item, findings)).collect();
        Some(List { complete: items.len() == array.len(), items })
    }

    fn schema() -> Value {
        json!({ "type": "array", "items": T::schema() })
    }
}

/// Tables by name, as in `[cache.api]`.
#[derive(Debug, Clone)]
pub(super) struct Named<T> {
    /// In the order of the text; `None` for what could not be read.
    pub(super) entries: Vec<(Located<Name>, Option<Located<T>>)>,
    /// Whether every name could be read.
    pub(super) complete: bool,
}

impl<T: FromToml + Table> FromToml for Named<T> {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        let title = T::TITLE;
        let Some(table) = value.as_table() else {
            let hint = format!("write it as `{}`", title.replace('*', "api"));
            wrong_type(value, &span, what, "tables by name", findings).hint(hint);
            return None;
        };
        let mut named = Named { entries: Vec::new(), complete: true };
        for (key, value) in table {
            if T::KEYS.contains(&key.get_ref().as_ref()) && !value.get_ref().is_table() {
                findings
                    .error("unknown-key", &key.span(), format!("`{}` stands outside of any `{title}`", key.get_ref()))
                    .hint(format!("give the table a name: `{}`", title.replace('*', "api")));
                named.complete = false;
                continue;
            }
            let name = match Name::parse(key.get_ref()) {
                Ok(name) => Located { value: name, span: key.span() },
                Err(refusal) => {
                    let message = format!("the name of a `{title}` {}", refusal.message);
                    findings.error("wrong-value", &key.span(), message).maybe_hint(refusal.hint);
                    named.complete = false;
                    continue;
                }
            };
            let what = format!("`{}`", title.replace('*', key.get_ref()));
            let read = T::read(value.get_ref(), value.span(), &what, findings);
            named.entries.push((name, read.map(|read| Located { value: read, span: value.span() })));
        }
        named.entries.sort_by_key(|(name, _)| name.span.start);
        Some(named)
    }

    fn schema() -> Value {
        json!({ "type": "object", "additionalProperties": T::schema() })
    }
}

fn list_hint<T: FromToml>(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(format!("write [{text:?}]")),
        DeValue::Table(_) => T::title().map(|title| format!("write `{title}`, once for each")),
        _ => None,
    }
}

impl FromToml for bool {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        let read = value.as_bool();
        if read.is_none() {
            let hint = match value.as_str() {
                Some(word @ ("true" | "false")) => format!("write {word}, without quotes"),
                _ => "write true or false".to_owned(),
            };
            wrong_type(value, &span, what, "`true` or `false`", findings).hint(hint);
        }
        read
    }

    fn schema() -> Value {
        json!({ "type": "boolean" })
    }
}

impl FromToml for u32 {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        let Some(integer) = value.as_integer() else {
            let hint = match value.as_str() {
                Some(digits) if digits.parse::<u32>().is_ok() => format!("write {digits}, without quotes"),
                _ => "for example 5".to_owned(),
            };
            wrong_type(value, &span, what, "a whole number", findings).hint(hint);
            return None;
        };
        let read = u32::from_str_radix(integer.as_str(), integer.radix()).ok();
        if read.is_none() {
            findings
                .error("wrong-value", &span, format!("{what} cannot be {integer}"))
                .hint(format!("it is at least 0 and at most {}", u32::MAX));
        }
        read
    }

    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX })
    }
}
