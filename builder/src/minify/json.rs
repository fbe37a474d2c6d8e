//! JSON without white space between its tokens. Nothing is parsed and printed again: numbers, escapes, the order of keys
//! and keys that occur twice stay as they are.

use serde::de::IgnoredAny;

use crate::syntax::json::string_end;

/// The text without white space; `None` where it is not JSON.
pub(super) fn shrink(text: &str) -> Option<String> {
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut smaller = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.as_bytes().get(at) {
        let end = match byte {
            b'"' => string_end(text, at),
            b' ' | b'\n' | b'\r' | b'\t' => {
                at += 1;
                continue;
            }
            _ => at + 1,
        };
        smaller.push_str(&text[at..end]);
        at = end;
    }
    Some(smaller)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_white_space_between_tokens_goes() {
        let source = "\n{ \"a b\" : [ 1.0e+5 , -0, 1.10 ],\r\n\t\"a b\":\"\\u0041 \\\" \" , \"ü\":null }\n";
        let expected = r#"{"a b":[1.0e+5,-0,1.10],"a b":"\u0041 \" ","ü":null}"#;
        assert_eq!(shrink(source).as_deref(), Some(expected));
        assert_eq!(shrink(expected).as_deref(), Some(expected));
    }

    #[test]
    fn what_is_not_json_is_left_alone() {
        for source in ["", "{,}", "// comment\n{}", "\u{FEFF}{}", "{'a':1}", &"[".repeat(100_000)] {
            assert_eq!(shrink(source), None);
        }
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Into::into),
            any::<bool>().prop_map(Into::into),
            ".{0,6}".prop_map(Into::into),
            Just(serde_json::Value::Null)
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                proptest::collection::btree_map(".{0,3}", inner, 0..4)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_meaning_stays(value in value()) {
            let pretty = serde_json::to_string_pretty(&value).expect("a value has a text");
            let smaller = shrink(&pretty).expect("json");
            prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&smaller).expect("json"), &value);
            prop_assert_eq!(smaller, serde_json::to_string(&value).expect("a value has a text"));
        }
    }
}
