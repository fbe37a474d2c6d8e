use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

/// Every form that a type of ours has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Form {
    flag: bool,
    small: u8,
    number: u64,
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    perhaps: Option<u32>,
    nothing: Option<bool>,
    list: Vec<Choice>,
    pair: (String, u16),
    map: BTreeMap<String, Choice>,
    time: Duration,
    range: std::ops::Range<u64>,
    nested: Option<Box<Form>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Choice {
    Plain,
    Text(String),
    Pair(u8, Option<u8>),
    Fields { one: u8, two: bool },
}

fn choice() -> impl Strategy<Value = Choice> {
    prop_oneof![
        Just(Choice::Plain),
        any::<String>().prop_map(Choice::Text),
        any::<(u8, Option<u8>)>().prop_map(|(one, two)| Choice::Pair(one, two)),
        any::<(u8, bool)>().prop_map(|(one, two)| Choice::Fields { one, two }),
    ]
}

fn form() -> impl Strategy<Value = Form> {
    let plain = any::<(bool, u8, u64, String, Option<u32>, Option<bool>)>();
    let lists = (
        prop::collection::vec(choice(), 0..4),
        any::<(String, u16)>(),
        prop::collection::btree_map(any::<String>(), choice(), 0..4),
        any::<(u64, Duration)>(),
    );
    let one = (plain, lists).prop_map(|(plain, lists)| {
        let (flag, small, number, text, perhaps, nothing) = plain;
        let (list, pair, map, (end, time)) = lists;
        Form { flag, small, number, text, perhaps, nothing, list, pair, map, time, range: 3..end, nested: None }
    });
    prop::collection::vec(one, 1..3).prop_map(|forms| {
        let nest = |inner: Option<Form>, form: Form| Some(Form { nested: inner.map(Box::new), ..form });
        forms.into_iter().fold(None, nest).expect("at least one")
    })
}

/// JSON as a stranger may write it.
fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

/// A text that is nearly JSON.
fn nearly() -> impl Strategy<Value = String> {
    let morsels = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\\",
        "\\u",
        "d834",
        "\\ud834\\udd1e",
        "\\n",
        "\\x",
        "0",
        "1",
        "9",
        "-",
        "+",
        ".",
        "e",
        "E",
        " ",
        "\n",
        "\t",
        "\u{b}",
        "\u{1f}",
        "\u{7f}",
        "true",
        "false",
        "null",
        "nul",
        "NaN",
        "ü",
        "\u{2028}",
        "18446744073709551616",
        "1e400",
        "/",
        "//",
        "'",
    ];
    prop::collection::vec(prop::sample::select(morsels.to_vec()), 0..12).prop_map(|parts| parts.concat())
}

/// The same tree, but for numbers: they are compared as the other reader understands them.
fn same(ours: &Value, theirs: &serde_json::Value) -> bool {
    match (ours, theirs) {
        (Value::Null, serde_json::Value::Null) => true,
        (Value::Bool(one), serde_json::Value::Bool(other)) => one == other,
        (Value::Number(text), serde_json::Value::Number(number)) => {
            serde_json::from_str(text).ok().as_ref() == Some(number)
        }
        (Value::Text(one), serde_json::Value::String(other)) => one == other,
        (Value::List(ours), serde_json::Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(one, other)| same(one, other))
        }
        (Value::Object(ours), serde_json::Value::Object(theirs)) => {
            // Of two members of one name the other reader keeps the last.
            let last: BTreeMap<_, _> = ours.iter().map(|(name, value)| (name, value)).collect();
            last.len() == theirs.len()
                && last.iter().all(|(name, value)| theirs.get(name.as_str()).is_some_and(|other| same(value, other)))
        }
        _ => false,
    }
}

/// Both readers take it, as the same, or neither does.
#[track_caller]
fn agree(text: &str) {
    let ours = Value::parse(text.as_bytes());
    match (&ours, serde_json::from_str::<serde_json::Value>(text)) {
        (Ok(ours), Ok(theirs)) => assert!(same(ours, &theirs), "{text}: {ours:?}"),
        (Err(_), Err(_)) => {}
        // No number is too large to be kept as it is spelled.
        (Ok(_), Err(error)) if error.to_string().starts_with("number out of range") => {}
        (_, theirs) => panic!("{text}: {ours:?}, {theirs:?}"),
    }
}

proptest! {
    #[test]
    fn a_tree_is_what_another_reader_makes_of_it(value in value()) {
        agree(&value.to_string());
        agree(&serde_json::to_string_pretty(&value).unwrap());
    }

    #[test]
    fn whatever_is_no_json_is_refused(text in nearly(), other in any::<String>(), value in value(), cut in 0_usize..200) {
        agree(&text);
        agree(&other);
        agree(&format!("[{text}]"));
        agree(&format!("{{\"a\":{text}}}"));
        agree(&format!("\"{text}\""));
        let whole = value.to_string();
        let cut = whole.char_indices().map(|(at, _)| at).nth(cut).unwrap_or(whole.len());
        agree(&whole[..cut]);
        agree(&format!("{}{text}{}", &whole[..cut], &whole[cut..]));
    }

    #[test]
    fn bytes_of_any_kind_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let theirs = serde_json::from_slice::<serde_json::Value>(&bytes).is_ok();
        prop_assert_eq!(Value::parse(&bytes).is_ok(), theirs);
        let _ = read::<Form>(&bytes);
    }

    #[test]
    fn a_tree_is_written_as_it_was_read(value in value()) {
        let tree = Value::parse(value.to_string().as_bytes()).unwrap();
        prop_assert_eq!(Value::parse(tree.to_string().as_bytes()), Ok(tree.clone()));
        prop_assert!(same(&tree, &serde_json::from_str(&tree.to_string()).unwrap()));
    }

    #[test]
    fn types_are_written_and_read_as_another_library_does(form in form()) {
        let text = write(&form).unwrap();
        prop_assert_eq!(&text, &serde_json::to_string(&form).unwrap());
        prop_assert_eq!(read::<Form>(text.as_bytes()), Ok(form.clone()));
        let spread = serde_json::to_string_pretty(&form).unwrap();
        prop_assert_eq!(read::<Form>(spread.as_bytes()), Ok(form));
    }

    #[test]
    fn what_another_library_refuses_is_refused(form in form(), at in any::<prop::sample::Index>(), with in nearly(), drop in 0_usize..4) {
        let mut bytes = write(&form).unwrap().into_bytes();
        let at = at.index(bytes.len());
        let end = (at + drop).min(bytes.len());
        bytes.splice(at..end, with.bytes());
        let (ours, theirs) = (read::<Form>(&bytes), serde_json::from_slice::<Form>(&bytes));
        prop_assert_eq!(ours.as_ref().ok(), theirs.as_ref().ok(), "{:?} {:?}", ours, theirs);
    }
}

#[derive(Debug, Deserialize)]
struct Known {
    #[serde(default)]
    #[allow(dead_code, reason = "it is there to be read")]
    known: u8,
}

#[test]
fn depth_is_bounded() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        agree(&nested(127));
        agree(&nested(128));
        assert!(Value::parse(nested(127).as_bytes()).is_ok());
        for depth in [128, 100_000] {
            let error = Value::parse(nested(depth).as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("too deep at line 1"), "{error}");
            // Also where nobody asked for it.
            let unknown = format!("{{\"unknown\":{}}}", nested(depth));
            assert!(read::<Known>(unknown.as_bytes()).unwrap_err().to_string().starts_with("too deep"));
        }
        let beside = format!("[{}]", vec![nested(126); 3].join(","));
        assert!(Value::parse(beside.as_bytes()).is_ok(), "what is closed is deep no more");
    }
}

#[test]
fn an_error_says_what_is_wrong_and_where() {
    #[track_caller]
    fn check<T: serde::de::DeserializeOwned + std::fmt::Debug>(text: &str, expected: &str) {
        assert_eq!(read::<T>(text.as_bytes()).unwrap_err().to_string(), expected);
    }
    check::<Duration>("{\"secs\":1}", "missing field `nanos` at line 1 column 11");
    check::<Duration>("{\n \"secs\": \"1\"}", "invalid type: string \"1\", expected u64 at line 2 column 13");
    check::<Vec<u8>>("[1, 256]", "invalid value: integer `256`, expected u8 at line 1 column 8");
    check::<Vec<u8>>("[1, -1]", "invalid type: number `-1`, expected u8 at line 1 column 7");
    check::<Vec<u8>>("[1, 1.5]", "invalid type: number `1.5`, expected u8 at line 1 column 8");
    check::<Vec<u8>>("[1, true]", "invalid type: boolean `true`, expected u8 at line 1 column 9");
    check::<Vec<u8>>("[null]", "invalid type: null, expected u8 at line 1 column 6");
    check::<Vec<u8>>("{}", "invalid type: map, expected a sequence at line 1 column 1");
    check::<Vec<u8>>("[1,]", "expected a value at line 1 column 4");
    check::<Vec<u8>>("[1 2]", "expected `,` or `]` at line 1 column 4");
    check::<Vec<u8>>("[1", "expected `,` or `]` at line 1 column 3");
    check::<Vec<u8>>("[1]]", "trailing characters at line 1 column 4");
    check::<Vec<u8>>("", "the text ends too soon at line 1 column 1");
    check::<Vec<Choice>>(
        "[\"other\"]",
        "unknown variant `other`, expected one of `plain`, `text`, `pair`, `fields` at line 1 column 9",
    );
    check::<Vec<Choice>>(
        "[\"text\"]",
        "invalid type: unit variant, expected a variant with content at line 1 column 8",
    );
    check::<Vec<Choice>>("[{\"text\":\"a\",\"plain\":null}]", "expected `}` at line 1 column 13");
    check::<String>("\"a\\x\"", "nothing is escaped so at line 1 column 5");
    check::<String>("\"\\ud800\"", "no character is escaped so at line 1 column 9");
    check::<String>("\"a\nb\"", "control character in a string at line 2 column 1");
    let invalid = read::<String>(b"\"\xff\"").unwrap_err();
    assert_eq!(invalid.to_string(), "invalid UTF-8 at line 1 column 2");
}

#[test]
fn what_is_kept_as_it_was_written_is_written_so() {
    let text = r#"[1e400,"\u00e4",{"a":1,"a":[ ]}]"#;
    let kept: Vec<Raw> = read(text.as_bytes()).unwrap();
    assert_eq!(kept[1].value(), Some("ä".into()));
    assert_eq!(write(&kept).unwrap(), text);
    assert!(read::<Vec<Raw>>(b"[01]").is_err());
}

#[test]
fn whole_numbers_are_read_up_to_the_largest() {
    for text in [
        "0",
        "7",
        "00",
        "01",
        "-0",
        "-1",
        "1.0",
        "0.5",
        "1e2",
        "0e0",
        "1.",
        "1e",
        "9999999999999999999",
        "09999999999999999999",
        "10000000000000000000",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999",
        " 12 ",
        "1 2",
        "12x",
    ] {
        assert_eq!(read::<u64>(text.as_bytes()).ok(), serde_json::from_str::<u64>(text).ok(), "{text}");
        assert_eq!(read::<u16>(text.as_bytes()).ok(), serde_json::from_str::<u16>(text).ok(), "{text}");
    }
}

#[test]
fn a_string_ends_at_its_quote_wherever_that_is() {
    for length in 0..40 {
        for odd in ["", "\"", "\\", "\u{1f}", "\u{80}", "\u{a2}", " ", "!", "#", "[", "]", "\u{7f}"] {
            let text = format!("{}{odd}{}", "a".repeat(length), "b".repeat(length % 9));
            let written = serde_json::to_string(&text).unwrap();
            assert_eq!(write(&text).as_ref(), Ok(&written));
            assert_eq!(read::<String>(written.as_bytes()), Ok(text.clone()));
            agree(&format!("\"{text}\""));
        }
    }
}

#[test]
fn no_two_numbers_are_one() {
    let large = |last: char| Value::parse(format!("12345678901234567890123456789{last}").as_bytes()).unwrap();
    assert_ne!(large('0'), large('1'));
    assert_eq!((Value::from(7).as_u64(), large('0').as_u64(), Value::from("7").as_u64()), (Some(7), None, None));
}

#[test]
fn what_json_has_no_form_for_is_not_written() {
    let keyed: BTreeMap<u8, u8> = [(1, 1)].into();
    assert!(write(&keyed).is_err());
    assert!(write(&1.5_f64).is_err());
    assert!(read::<f64>(b"1.5").is_err());
}

#[test]
fn objects_have_their_members_in_the_order_given() {
    let value = Value::object(vec![
        ("b", true.into()),
        ("a\"", 7.into()),
        ("c", None.into()),
        ("d", Value::List(vec!["\u{1}\n".into()])),
    ]);
    assert_eq!(value.to_string(), r#"{"b":true,"a\"":7,"c":null,"d":["\u0001\n"]}"#);
    assert_eq!((value.get("b"), value.get("x"), value.members().len()), (Some(&Value::Bool(true)), None, 4));
}
