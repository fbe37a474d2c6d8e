//! What is wrong with a text that should be JSON of some form.

use std::fmt;

use serde::de::{Expected, Unexpected};

/// Why a text cannot be read, and how far it could be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Wrong>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Wrong {
    what: String,
    /// Line and column, counted from one; columns in bytes.
    place: Option<(usize, usize)>,
}

impl Error {
    #[inline(never)]
    pub(super) fn new(what: &dyn fmt::Display) -> Error {
        Error(Box::new(Wrong { what: what.to_string(), place: None }))
    }

    /// Of a text that was read up to here.
    pub(super) fn at(mut self, read: &[u8]) -> Error {
        let lines = read.split(|byte| *byte == b'\n');
        let column = 1 + lines.clone().next_back().map_or(0, <[u8]>::len);
        self.0.place = Some((lines.count(), column));
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.what)?;
        match self.0.place {
            Some((line, column)) => write!(out, " at line {line} column {column}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(what: T) -> Error {
        Error::new(&what)
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Error {
        Error::new(&format_args!("invalid type: {}, expected {expected}", Found(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Error {
        Error::new(&format_args!("invalid value: {}, expected {expected}", Found(found)))
    }
}

impl serde::ser::Error for Error {
    fn custom<T: fmt::Display>(what: T) -> Error {
        Error::new(&what)
    }
}

/// Says what serde says, but for numbers that are not whole: nothing here reads one, and printing them takes 19 kB.
struct Found<'a>(Unexpected<'a>);

impl fmt::Display for Found<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Bool(value) => write!(out, "boolean `{value}`"),
            Unexpected::Unsigned(value) => write!(out, "integer `{value}`"),
            Unexpected::Str(text) => write!(out, "string {text:?}"),
            Unexpected::Unit => out.write_str("null"),
            Unexpected::Seq => out.write_str("sequence"),
            Unexpected::Map => out.write_str("map"),
            Unexpected::UnitVariant => out.write_str("unit variant"),
            Unexpected::Other(what) => out.write_str(what),
            _ => out.write_str("another value"),
        }
    }
}
