//! `Accept-Encoding` and `Accept` (RFC 9110 §12.5): what the client says about a coding or a type.

use super::list::{members, parameters, value, weight};

/// What a client says about content codings, read once. Weights are thousandths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Codings {
    said: [Option<u16>; 5],
}

const IDENTITY: usize = 3;
const STAR: usize = 4;

impl Codings {
    /// From the field, if there is one.
    pub fn new(field: Option<&str>) -> Codings {
        let mut codings = Codings::default();
        for member in members(field.unwrap_or_default()) {
            if let Some(place) = place(value(member)) {
                codings.said[place].get_or_insert_with(|| weight(member));
            }
        }
        codings
    }

    /// The weight of a coding; 0 where the client refuses it, or does not know it. Without the field a client accepts
    /// any coding by the letter, but many such clients decode none: they get none.
    pub fn weight(&self, coding: &str) -> u16 {
        place(coding).and_then(|place| self.said[place]).or(self.said[STAR]).unwrap_or(0)
    }

    /// The weight of the bytes as they are; `None` where the client says nothing of it, which accepts it as a last resort.
    pub fn identity(&self) -> Option<u16> {
        self.said[IDENTITY].or(self.said[STAR])
    }
}

/// The codings that we know, then identity, then the star for the others. By length, as every request asks.
fn place(name: &str) -> Option<usize> {
    let (known, place) = match name.len() {
        1 => ("*", STAR),
        2 => ("br", 0),
        4 if name.as_bytes()[0] | 0x20 == b'g' => ("gzip", 1),
        4 => ("zstd", 2),
        6 => ("x-gzip", 1),
        8 => ("identity", IDENTITY),
        _ => return None,
    };
    name.eq_ignore_ascii_case(known).then_some(place)
}

/// Whether an `Accept` field names a type itself (not by a wildcard), with a weight above 0.
pub fn names_type(accept: &str, media_type: &str) -> bool {
    members(accept).any(|member| {
        parameters(member).next().is_some_and(|name| name.eq_ignore_ascii_case(media_type)) && weight(member) > 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coding_has_its_own_weight_else_that_of_the_star() {
        for (field, br, gzip, identity) in [
            (None, 0, 0, None),
            (Some(""), 0, 0, None),
            (Some("br"), 1000, 0, None),
            (Some("gzip;q=0.5, br;q=0"), 0, 500, None),
            (Some("*"), 1000, 1000, Some(1000)),
            (Some("*;q=0"), 0, 0, Some(0)),
            (Some("*;q=0, identity;q=0.1, x-gzip"), 0, 1000, Some(100)),
            (Some("BR;Q=0.2, *;q=0.3"), 200, 300, Some(300)),
            (Some("GZIP ; q=0.2,Br ,dcb,g\u{e9}z, Identity"), 1000, 200, Some(1000)),
        ] {
            let codings = Codings::new(field);
            assert_eq!(
                (codings.weight("br"), codings.weight("gzip"), codings.identity()),
                (br, gzip, identity),
                "{field:?}"
            );
        }
    }

    #[test]
    fn a_type_is_named_by_itself_only() {
        assert!(names_type("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "text/html"));
        assert!(!names_type("*/*", "text/html"));
        assert!(!names_type("text/*", "text/html"));
        assert!(!names_type("text/html;q=0, */*", "text/html"));
    }
}
