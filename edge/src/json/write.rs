//! The writer: without blanks, members in the order of their fields.

use std::fmt::{self, Write};

use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::error::Error;
use super::value::RAW;

/// Writes a value: of numbers only whole ones, and of maps only those whose keys are texts.
pub fn write<T: Serialize + ?Sized>(value: &T) -> Result<String, Error> {
    let mut writer = Writer::default();
    value.serialize(&mut writer)?;
    Ok(writer.text)
}

/// What a member of an object holds.
#[derive(Debug, Clone, Copy)]
pub enum Member<'t> {
    /// A string.
    Text(&'t str),
    /// A number.
    Number(u64),
    /// A list of strings.
    Texts(&'t [&'t str]),
}

/// Writes an object member by member, without a tree: refusals are to be cheap.
pub fn object(members: &[(&str, Member<'_>)]) -> String {
    let mut text = String::with_capacity(400);
    for (place, (name, member)) in members.iter().enumerate() {
        text.push(if place == 0 { '{' } else { ',' });
        string(&mut text, name);
        text.push(':');
        match member {
            Member::Text(member) => string(&mut text, member),
            Member::Number(number) => text.push_str(itoa::Buffer::new().format(*number)),
            Member::Texts(list) => {
                text.push('[');
                for (place, member) in list.iter().enumerate() {
                    if place > 0 {
                        text.push(',');
                    }
                    string(&mut text, member);
                }
                text.push(']');
            }
        }
    }
    text.push('}');
    text
}

fn string(into: &mut String, text: &str) {
    quote(into, text).expect("a string takes whatever is written");
}

/// Writes a string.
pub(super) fn quote(out: &mut dyn Write, text: &str) -> fmt::Result {
    out.write_str("\"")?;
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | ..=0x1F)) {
        out.write_str(&rest[..at])?;
        match rest.as_bytes()[at] {
            b'"' => out.write_str("\\\""),
            b'\\' => out.write_str("\\\\"),
            b'\n' => out.write_str("\\n"),
            b'\r' => out.write_str("\\r"),
            b'\t' => out.write_str("\\t"),
            byte => write!(out, "\\u{byte:04x}"),
        }?;
        rest = &rest[at + 1..];
    }
    out.write_str(rest)?;
    out.write_str("\"")
}

#[derive(Default)]
struct Writer {
    text: String,
    /// The next text is a value as it was written.
    is_raw: bool,
}

impl Writer {
    #[inline(never)]
    fn string(&mut self, text: &str) {
        if std::mem::take(&mut self.is_raw) {
            self.text.push_str(text);
        } else {
            string(&mut self.text, text);
        }
    }

    #[inline(never)]
    fn number(&mut self, number: u64) {
        write!(self.text, "{number}").expect("a string takes whatever is written");
    }

    fn open(&mut self, bracket: char) -> &mut Writer {
        self.text.push(bracket);
        self
    }

    /// What stands before an item.
    #[inline(never)]
    fn item(&mut self) -> &mut Writer {
        if !self.text.ends_with(['[', '{']) {
            self.text.push(',');
        }
        self
    }

    #[inline(never)]
    fn name(&mut self, name: &str) -> &mut Writer {
        self.item().string(name);
        self.text.push(':');
        self
    }

    /// An object of one member, which is named after a variant.
    fn variant(&mut self, variant: &str) -> &mut Writer {
        self.open('{').name(variant)
    }

    #[inline(never)]
    fn close(&mut self, brackets: &str) {
        self.text.push_str(brackets);
    }
}

/// A form that no type of ours has.
fn never() -> Error {
    Error::custom("JSON is not written of this form")
}

/// Methods of a trait that write one kind of value.
macro_rules! each {
    ($($method:ident: $type:ty),*; $self:ident, $value:pat => $body:expr) => {
        $(fn $method($self, $value: $type) -> Result<(), Error> {
            $body
        })*
    };
}

impl Serializer for &mut Writer {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    each!(serialize_u8: u8, serialize_u16: u16, serialize_u32: u32; self, number => self.serialize_u64(number.into()));

    each!(serialize_u64: u64; self, number => {
        self.number(number);
        Ok(())
    });

    each!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64; self, _ => Err(never()));
    each!(serialize_f32: f32, serialize_f64: f64, serialize_char: char, serialize_bytes: &[u8]; self, _ => Err(never()));

    each!(serialize_bool: bool; self, value => {
        self.text.push_str(if value { "true" } else { "false" });
        Ok(())
    });

    each!(serialize_str: &str; self, text => {
        self.string(text);
        Ok(())
    });

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.text.push_str("null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<(), Error> {
        self.is_raw = name == RAW;
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self.variant(variant))?;
        self.close("}");
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, Error> {
        Ok(self.open('['))
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Error> {
        Ok(self.open('['))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Error> {
        Ok(self.open('['))
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result<Self, Error> {
        Ok(self.variant(variant).open('['))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, Error> {
        Ok(self.open('{'))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Error> {
        Ok(self.open('{'))
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result<Self, Error> {
        Ok(self.variant(variant).open('{'))
    }
}

/// Lists, under the names by which serde tells them apart, and what closes them.
macro_rules! lists {
    ($($list:ident $method:ident $brackets:literal),*) => {
        $(impl $list for &mut Writer {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                value.serialize(self.item())
            }

            fn end(self) -> Result<(), Error> {
                self.close($brackets);
                Ok(())
            }
        })*
    };
}

lists!(
    SerializeSeq serialize_element "]",
    SerializeTuple serialize_element "]",
    SerializeTupleStruct serialize_field "]",
    SerializeTupleVariant serialize_field "]}"
);

/// Objects whose members are fields, and what closes them.
macro_rules! objects {
    ($($object:ident $brackets:literal),*) => {
        $(impl $object for &mut Writer {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
                value.serialize(self.name(name))
            }

            fn end(self) -> Result<(), Error> {
                self.close($brackets);
                Ok(())
            }
        })*
    };
}

objects!(SerializeStruct "}", SerializeStructVariant "}}");

impl SerializeMap for &mut Writer {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        let start = self.item().text.len();
        key.serialize(&mut **self)?;
        if self.text.as_bytes().get(start) == Some(&b'"') { Ok(()) } else { Err(never()) }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.text.push(':');
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Error> {
        self.close("}");
        Ok(())
    }
}
