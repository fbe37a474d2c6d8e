//! Objects whose members are in the order of their names, as the builder writes them. A reader that would sort them is several
//! times the size, once for every type of member, in a Worker where every byte is compiled at start-up.

use std::fmt;
use std::marker::PhantomData;

use litemap::LiteMap;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

/// Reads such an object.
pub(crate) fn sorted<'de, K, V, D>(deserializer: D) -> Result<LiteMap<K, V>, D::Error>
where
    K: Deserialize<'de> + Ord,
    V: Deserialize<'de>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_map(Members(PhantomData))
}

struct Members<K, V>(PhantomData<(K, V)>);

impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Visitor<'de> for Members<K, V> {
    type Value = LiteMap<K, V>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object whose members are in order")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<LiteMap<K, V>, M::Error> {
        let mut map = LiteMap::new();
        while let Some((name, value)) = members.next_entry()? {
            if map.try_append(name, value).is_some() {
                return Err(M::Error::custom("the members are not in order"));
            }
        }
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_in_order_and_once() {
        let read = |text: &str| sorted::<String, u8, _>(&mut serde_json::Deserializer::from_slice(text.as_bytes()));
        let map = read(r#"{"a":1,"b":2,"ba":3}"#).unwrap();
        assert_eq!(
            map.iter().map(|(name, value)| (name.as_str(), *value)).collect::<Vec<_>>(),
            [("a", 1), ("b", 2), ("ba", 3)]
        );
        assert!(read("{}").unwrap().is_empty());
        for text in [r#"{"b":1,"a":2}"#, r#"{"a":1,"a":2}"#, "[]", "1"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
