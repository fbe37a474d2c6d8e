//! JSON of whatever form, as a tree, and what is kept of it as it was written.

use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::Error;
use super::read;
use super::write::quote;

/// JSON of whatever form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// As it is spelled: no two numbers are taken for one.
    Number(String),
    /// A string.
    Text(String),
    /// In order.
    List(Vec<Value>),
    /// In the order in which they are written, also where two have one name.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// Reads a value, and nothing after it.
    pub fn parse(bytes: &[u8]) -> Result<Value, Error> {
        read::value(bytes)
    }

    /// An object of these members.
    pub fn object(members: Vec<(&str, Value)>) -> Value {
        Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// The members of an object; of anything else there are none.
    pub fn members(&self) -> &[(String, Value)] {
        if let Value::Object(members) = self { members } else { &[] }
    }

    /// The first member of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members().iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// A whole number from zero on.
    pub fn as_u64(&self) -> Option<u64> {
        if let Value::Number(text) = self { text.parse().ok() } else { None }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(text) } else { None }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Value {
        text.map_or(Value::Null, Value::from)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        Value::Number(number.to_string())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lead = "";
        match self {
            Value::Null => out.write_str("null"),
            Value::Bool(value) => value.fmt(out),
            Value::Number(text) => out.write_str(text),
            Value::Text(text) => quote(out, text),
            Value::List(items) => {
                out.write_str("[")?;
                for item in items {
                    write!(out, "{lead}{item}")?;
                    lead = ",";
                }
                out.write_str("]")
            }
            Value::Object(members) => {
                out.write_str("{")?;
                for (name, value) in members {
                    out.write_str(lead)?;
                    quote(out, name)?;
                    write!(out, ":{value}")?;
                    lead = ",";
                }
                out.write_str("}")
            }
        }
    }
}

/// The name by which reader and writer of this module know [`Raw`].
pub(super) const RAW: &str = "rimward::json::Raw";

/// A value as it was written: a member that a later version gave a meaning is handed on untouched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw(String);

impl Raw {
    /// The value.
    pub fn value(&self) -> Option<Value> {
        Value::parse(self.0.as_bytes()).ok()
    }
}

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(RAW, &self.0)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Raw, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Raw;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("the text of a value")
            }

            fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
                Ok(Raw(text.to_owned()))
            }
        }

        deserializer.deserialize_newtype_struct(RAW, Text)
    }
}
