//! Parameters of a URL's query, as an origin reads them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The name of a parameter, decoded once: `%75tm_x` is `utm_x` to an origin.
pub fn name(parameter: &str) -> Cow<'_, str> {
    decoded(parameter.split_once('=').map_or(parameter, |(name, _)| name))
}

/// Its value, decoded once; empty where it has none.
pub fn value(parameter: &str) -> Cow<'_, str> {
    decoded(parameter.split_once('=').map_or("", |(_, value)| value))
}

fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_once() {
        for (parameter, expected) in [
            ("a=1", ("a", "1")),
            ("a", ("a", "")),
            ("a=", ("a", "")),
            ("=b", ("", "b")),
            ("a=b=c", ("a", "b=c")),
            ("%75tm%5Fx=%2561+b", ("utm_x", "%61 b")),
            ("%ff=%zz", ("\u{fffd}", "%zz")),
        ] {
            assert_eq!((name(parameter).as_ref(), value(parameter).as_ref()), expected, "{parameter}");
        }
    }
}
