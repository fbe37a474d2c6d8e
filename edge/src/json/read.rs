//! The reader: one pass over the text, straight into the type that is asked for.

use std::borrow::Cow;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};

use super::error::Error;
use super::value::{RAW, Value};

/// How deep lists and objects may lie in one another. Strangers choose it, and each level takes of the stack.
const DEPTH: u8 = 127;

/// Reads a value, and nothing after it.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let mut reader = Reader::new(bytes)?;
    match T::deserialize(&mut reader) {
        Ok(value) => reader.end().map(|()| value),
        Err(error) => Err(reader.at(error)),
    }
}

/// Reads a value of whatever form.
pub(super) fn value(bytes: &[u8]) -> Result<Value, Error> {
    let mut reader = Reader::new(bytes)?;
    match reader.value() {
        Ok(value) => reader.end().map(|()| value),
        Err(error) => Err(reader.at(error)),
    }
}

/// A text, read so far.
struct Reader<'de> {
    text: &'de str,
    at: usize,
    /// The last name that was escaped.
    name: String,
    /// How much deeper it may go.
    depth: u8,
    /// A list or an object was just opened: what follows is its first item.
    is_first: bool,
}

impl<'de> Reader<'de> {
    fn new(bytes: &'de [u8]) -> Result<Reader<'de>, Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Reader { text, at: 0, name: String::new(), depth: DEPTH, is_first: false }),
            Err(error) => Err(Error::new(&"invalid UTF-8").at(&bytes[..error.valid_up_to()])),
        }
    }

    /// Nothing may follow.
    #[inline(never)]
    fn end(&mut self) -> Result<(), Error> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.at(Error::new(&"trailing characters"))),
        }
    }

    /// What went wrong went wrong here: nothing is read after an error.
    #[inline(never)]
    fn at(&self, error: Error) -> Error {
        error.at(&self.text.as_bytes()[..self.at])
    }

    /// The byte at which the next token begins.
    #[inline(never)]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// Takes a token of one byte, if it comes next.
    fn takes(&mut self, token: u8) -> bool {
        // Mostly no blank stands before it.
        let is_next = self.text.as_bytes().get(self.at) == Some(&token) || self.peek() == Some(token);
        self.at += usize::from(is_next);
        is_next
    }

    /// Goes into a list or an object.
    #[inline(never)]
    fn open(&mut self, bracket: u8, expected: &dyn Expected) -> Result<(), Error> {
        if !self.takes(bracket) {
            return Err(self.unlike(expected));
        }
        self.depth = self.depth.checked_sub(1).ok_or_else(|| Error::new(&"too deep"))?;
        self.is_first = true;
        Ok(())
    }

    /// Leaves it.
    #[inline(never)]
    fn close(&mut self, bracket: u8) -> Result<(), Error> {
        if !self.takes(bracket) {
            return Err(Error::new(&format_args!("expected `{}`", char::from(bracket))));
        }
        self.depth += 1;
        self.is_first = false;
        Ok(())
    }

    /// Whether another item comes. Else the bracket that closes is taken.
    #[inline(never)]
    fn has_more(&mut self, bracket: u8) -> Result<bool, Error> {
        let is_first = std::mem::take(&mut self.is_first);
        if !is_first && self.takes(b',') {
            return Ok(true);
        }
        if self.takes(bracket) {
            self.depth += 1;
            return Ok(false);
        }
        if is_first { Ok(true) } else { Err(Error::new(&format_args!("expected `,` or `{}`", char::from(bracket)))) }
    }

    /// The name of the next member, whose value comes then. Else the bracket that closes is taken.
    #[inline(never)]
    fn member(&mut self) -> Result<Option<&str>, Error> {
        if !self.has_more(b'}')? {
            return Ok(None);
        }
        let name = self.string(&"the name of a member")?;
        if !self.takes(b':') {
            return Err(Error::new(&"expected `:`"));
        }
        Ok(Some(self.keep(name)))
    }

    fn keep<'a>(&'a mut self, name: Cow<'a, str>) -> &'a str {
        match name {
            Cow::Borrowed(name) => name,
            Cow::Owned(name) => {
                self.name = name;
                &self.name
            }
        }
    }

    /// A string.
    #[inline(never)]
    fn string(&mut self, expected: &dyn Expected) -> Result<Cow<'de, str>, Error> {
        if !self.takes(b'"') {
            return Err(self.unlike(expected));
        }
        let plain = self.plain();
        if self.text.as_bytes().get(self.at) == Some(&b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        self.escaped(plain.to_owned()).map(Cow::Owned)
    }

    /// The text up to where the string ends, or something has to be done about it.
    fn plain(&mut self) -> &'de str {
        let start = self.at;
        let bytes = self.text.as_bytes();
        loop {
            let Some(eight) = bytes.get(self.at..self.at + 8) else {
                let is_plain = |byte: &&u8| !matches!(byte, b'"' | b'\\' | ..=0x1F);
                self.at += bytes[self.at..].iter().take_while(is_plain).count();
                break;
            };
            let plain = plain_of(eight);
            self.at += plain;
            if plain < 8 {
                break;
            }
        }
        &self.text[start..self.at]
    }

    /// The rest of a string.
    fn escaped(&mut self, mut text: String) -> Result<String, Error> {
        loop {
            match self.next() {
                Some(b'"') => return Ok(text),
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return Err(Error::new(&"control character in a string")),
                None => return Err(Error::new(&"end within a string")),
            }
            text.push_str(self.plain());
        }
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.text.as_bytes().get(self.at).copied();
        self.at += usize::from(byte.is_some());
        byte
    }

    /// What is escaped behind a `\`.
    fn escape(&mut self) -> Result<char, Error> {
        let plain = match self.next() {
            Some(b'b') => b'\x08',
            Some(b'f') => b'\x0C',
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => return self.escaped_units().ok_or_else(|| Error::new(&"no character is escaped so")),
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            _ => return Err(Error::new(&"nothing is escaped so")),
        };
        Ok(char::from(plain))
    }

    /// A character by its one or two units of UTF-16; half a pair is none.
    fn escaped_units(&mut self) -> Option<char> {
        let first = self.unit()?;
        let mut units = [first, 0];
        if (0xD800..0xDC00).contains(&first) {
            if (self.next(), self.next()) != (Some(b'\\'), Some(b'u')) {
                return None;
            }
            units[1] = self.unit()?;
        }
        char::decode_utf16(units).next()?.ok()
    }

    fn unit(&mut self) -> Option<u16> {
        (0..4).try_fold(0, |unit, _| {
            let digit = char::from(self.next()?).to_digit(16)?;
            Some(unit << 4 | u16::try_from(digit).ok()?)
        })
    }

    /// The name of a variant: that of a member, or a string.
    #[inline(never)]
    fn variant(&mut self, has_content: bool) -> Result<&str, Error> {
        if has_content {
            return self.member()?.ok_or_else(|| Error::new(&"expected a member"));
        }
        let name = self.string(&"a string or an object")?;
        Ok(self.keep(name))
    }

    /// A number as it is spelled. A digit or a minus comes next.
    #[inline(never)]
    fn number(&mut self) -> Result<&'de str, Error> {
        let start = self.at;
        self.at += usize::from(self.is_at(b"-"));
        let leads_with_zero = self.is_at(b"0");
        let whole = self.digits();
        let mut is_number = whole == 1 || whole > 1 && !leads_with_zero;
        if self.is_at(b".") {
            self.at += 1;
            is_number &= self.digits() > 0;
        }
        if self.is_at(b"eE") {
            self.at += 1;
            self.at += usize::from(self.is_at(b"+-"));
            is_number &= self.digits() > 0;
        }
        if is_number { Ok(&self.text[start..self.at]) } else { Err(Error::new(&"invalid number")) }
    }

    fn is_at(&self, any: &[u8]) -> bool {
        self.text.as_bytes().get(self.at).is_some_and(|byte| any.contains(byte))
    }

    fn digits(&mut self) -> usize {
        let count = self.text.as_bytes()[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    /// A whole number.
    #[inline(never)]
    fn unsigned(&mut self, expected: &dyn Expected) -> Result<u64, Error> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.unlike(expected));
        }
        // Mostly it is short, and nothing but digits.
        let (bytes, mut at, mut number) = (self.text.as_bytes(), self.at, 0);
        while let Some(digit @ b'0'..=b'9') = bytes.get(at)
            && at - self.at < 19
        {
            number = number * 10 + u64::from(digit - b'0');
            at += 1;
        }
        let goes_on = matches!(bytes.get(at), Some(b'0'..=b'9' | b'.' | b'e' | b'E'));
        if !goes_on && (at == self.at + 1 || bytes[self.at] != b'0') {
            self.at = at;
            return Ok(number);
        }
        let text = self.number()?;
        text.parse().map_err(|_| other("number", text, expected))
    }

    /// One of the three words.
    fn word(&mut self, word: &str) -> Result<(), Error> {
        if !self.text[self.at..].starts_with(word) {
            return Err(Error::new(&"expected a value"));
        }
        self.at += word.len();
        Ok(())
    }

    #[inline(never)]
    fn boolean(&mut self, expected: &dyn Expected) -> Result<bool, Error> {
        match self.peek() {
            Some(b't') => self.word("true").map(|()| true),
            Some(b'f') => self.word("false").map(|()| false),
            _ => Err(self.unlike(expected)),
        }
    }

    /// Whether a `null` was there, and is read.
    #[inline(never)]
    fn null(&mut self) -> Result<bool, Error> {
        let is_next = self.peek() == Some(b'n');
        if is_next {
            self.word("null")?;
        }
        Ok(is_next)
    }

    /// What is wrong with a value that is not of the form that is expected.
    #[inline(never)]
    fn unlike(&mut self, expected: &dyn Expected) -> Error {
        let found = match self.peek() {
            Some(b'[') => return Error::invalid_type(Unexpected::Seq, expected),
            Some(b'{') => return Error::invalid_type(Unexpected::Map, expected),
            _ => self.value(),
        };
        match found {
            Err(error) => error,
            Ok(Value::Text(text)) => Error::invalid_type(Unexpected::Str(&text), expected),
            Ok(Value::Bool(value)) => Error::invalid_type(Unexpected::Bool(value), expected),
            Ok(Value::Number(text)) => other("number", &text, expected),
            Ok(_) => Error::invalid_type(Unexpected::Unit, expected),
        }
    }

    /// A value of whatever form.
    fn value(&mut self) -> Result<Value, Error> {
        let anything = &"a value" as &dyn Expected;
        Ok(match self.peek() {
            Some(b'{') => {
                let mut members = Vec::new();
                self.open(b'{', anything)?;
                while let Some(name) = self.member()? {
                    let name = name.to_owned();
                    members.push((name, self.value()?));
                }
                Value::Object(members)
            }
            Some(b'[') => {
                let mut items = Vec::new();
                self.open(b'[', anything)?;
                while self.has_more(b']')? {
                    items.push(self.value()?);
                }
                Value::List(items)
            }
            Some(b'"') => Value::Text(self.string(anything)?.into_owned()),
            Some(b't' | b'f') => Value::Bool(self.boolean(anything)?),
            Some(b'-' | b'0'..=b'9') => Value::Number(self.number()?.to_owned()),
            Some(_) => self.word("null").map(|()| Value::Null)?,
            None => return Err(Error::new(&"the text ends too soon")),
        })
    }

    /// The text of a value of whatever form.
    fn raw(&mut self) -> Result<&'de str, Error> {
        self.peek();
        let start = self.at;
        self.value()?;
        Ok(&self.text[start..self.at])
    }
}

/// How many of eight bytes come before one that ends a string or has to be looked at. All are tested at once: most of a text is
/// names and digests.
fn plain_of(eight: &[u8]) -> usize {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let bytes = eight.try_into().map_or(0, u64::from_le_bytes);
    // The highest bit of each byte that is below `limit`: exact up to the first, which is all that counts.
    let below = |bytes: u64, limit: u8| bytes.wrapping_sub(EACH * u64::from(limit)) & !bytes;
    let is = |byte: u8| below(bytes ^ (EACH * u64::from(byte)), 1);
    let found = (below(bytes, 0x20) | is(b'"') | is(b'\\')) & (EACH << 7);
    found.trailing_zeros() as usize / 8
}

fn other(kind: &str, text: &str, expected: &dyn Expected) -> Error {
    Error::new(&format_args!("invalid type: {kind} `{text}`, expected {expected}"))
}

/// A form that no type of ours has.
fn never(expected: &dyn Expected) -> Error {
    Error::new(&format_args!("JSON is not read as {expected}"))
}

/// Methods of a trait that all do the same thing.
macro_rules! each {
    ($($method:ident)*, $self:ident, $visitor:ident => $body:expr) => {
        $(fn $method<V: Visitor<'de>>($self, $visitor: V) -> Result<V::Value, Error> {
            $body
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Error;

    each!(deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64, self, visitor => {
        let number = self.unsigned(&visitor)?;
        visitor.visit_u64(number)
    });

    each!(deserialize_bool, self, visitor => {
        let value = self.boolean(&visitor)?;
        visitor.visit_bool(value)
    });

    each!(deserialize_str deserialize_string, self, visitor => {
        let text = self.string(&visitor)?.into_owned();
        visitor.visit_string(text)
    });

    each!(deserialize_option, self, visitor => {
        if self.null()? { visitor.visit_none() } else { visitor.visit_some(self) }
    });

    // Who reads a list or an object reads all of it: its end is taken with the last item.
    each!(deserialize_seq, self, visitor => {
        self.open(b'[', &visitor)?;
        visitor.visit_seq(self)
    });

    each!(deserialize_map, self, visitor => {
        self.open(b'{', &visitor)?;
        visitor.visit_map(self)
    });

    each!(deserialize_ignored_any, self, visitor => {
        self.value()?;
        visitor.visit_unit()
    });

    each!(
        deserialize_any deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_f32 deserialize_f64
        deserialize_char deserialize_bytes deserialize_byte_buf deserialize_unit deserialize_identifier,
        self, visitor => Err(never(&visitor))
    );

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        Err(never(&visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        if name == RAW { visitor.visit_borrowed_str(self.raw()?) } else { visitor.visit_newtype_struct(self) }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.open(b'[', &visitor)?;
        let value = visitor.visit_seq(&mut *self)?;
        self.close(b']')?;
        Ok(value)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    /// A string, or an object of one member.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let has_content = self.peek() == Some(b'{');
        if has_content {
            self.open(b'{', &visitor)?;
        }
        let value = visitor.visit_enum(Variant { reader: self, has_content })?;
        if has_content {
            self.close(b'}')?;
        }
        Ok(value)
    }
}

impl<'de> SeqAccess<'de> for &mut Reader<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if self.has_more(b']')? { seed.deserialize(&mut **self).map(Some) } else { Ok(None) }
    }
}

impl<'de> MapAccess<'de> for &mut Reader<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        match self.member()? {
            Some(name) => seed.deserialize(StrDeserializer::new(name)).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(&mut **self)
    }
}

struct Variant<'a, 'de> {
    reader: &'a mut Reader<'de>,
    has_content: bool,
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name = self.reader.variant(self.has_content)?;
        Ok((seed.deserialize(StrDeserializer::new(name))?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        if !self.has_content || self.reader.null()? { Ok(()) } else { Err(self.reader.unlike(&"nothing")) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.content()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        self.content()?.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.content()?.deserialize_map(visitor)
    }
}

impl<'a, 'de> Variant<'a, 'de> {
    fn content(self) -> Result<&'a mut Reader<'de>, Error> {
        if self.has_content {
            Ok(self.reader)
        } else {
            Err(Error::invalid_type(Unexpected::UnitVariant, &"a variant with content"))
        }
    }
}
