//! Which form of a file a client gets (RFC 9110 §12.5.3).

use crate::field::accept::Codings;
use crate::release::manifest::Coding;

/// A form on offer: its coding (`None`: the bytes as they are) and its size.
pub type Offer = (Option<Coding>, u64);

/// The place of the form that the client likes best, the smallest of those that it likes equally.
///
/// `None` where it refuses all of them: it has said `identity;q=0` and accepts no coding on offer. That is a 406: the
/// standard allows to send the bytes as they are nonetheless only where identity was not refused.
pub fn choose(codings: Codings, offers: &[Offer]) -> Option<usize> {
    let rank = |&(place, &(coding, size)): &(usize, &Offer)| {
        Some((weight(codings, coding)?, std::cmp::Reverse((size, place))))
    };
    let ranked = offers.iter().enumerate().filter_map(|offer| Some((rank(&offer)?, offer.0)));
    ranked.max_by_key(|&(rank, _)| rank).map(|(_, place)| place)
}

/// Whether the client takes the bytes as they are.
pub fn accepts_identity(codings: Codings) -> bool {
    codings.identity() != Some(0)
}

/// `None`: refused. Identity that nobody spoke of is the last resort.
fn weight(codings: Codings, coding: Option<Coding>) -> Option<u16> {
    match coding {
        Some(coding) => Some(codings.weight(coding.token())).filter(|&weight| weight > 0),
        None => match codings.identity() {
            Some(0) => None,
            said => Some(said.unwrap_or(0)),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OFFERS: [Offer; 3] = [(None, 1000), (Some(Coding::Br), 300), (Some(Coding::Gzip), 350)];

    #[track_caller]
    fn check(field: Option<&str>, expected: Option<&str>) {
        let found = choose(Codings::new(field), &OFFERS).map(|place| OFFERS[place].0.map_or("identity", Coding::token));
        assert_eq!(found, expected, "{field:?}");
    }

    #[test]
    fn the_best_liked_form_wins_and_the_smallest_of_equals() {
        check(Some("gzip, deflate, br, zstd"), Some("br"));
        check(Some("gzip"), Some("gzip"));
        check(Some("br;q=0.5, gzip;q=0.8"), Some("gzip"));
        check(Some("*"), Some("br"));
        check(Some("*;q=0.1, br;q=0"), Some("gzip"));
        check(Some("identity, br;q=0.5"), Some("identity"));
        check(Some("gzip, identity"), Some("gzip"));
        check(Some("zstd, deflate"), Some("identity"));
        check(Some(""), Some("identity"));
        check(None, Some("identity"));
    }

    #[test]
    fn what_is_refused_is_not_sent() {
        check(Some("identity;q=0"), None);
        check(Some("*;q=0"), None);
        check(Some("*;q=0, gzip"), Some("gzip"));
        check(Some("br;q=0, gzip;q=0"), Some("identity"));
        check(Some("identity;q=0, zstd"), None);
        check(Some("identity;q=0, br;q=0.001"), Some("br"));
    }

    #[test]
    fn a_larger_encoded_form_does_not_beat_a_smaller_one_of_the_same_weight() {
        let offers = [(None, 1000), (Some(Coding::Br), 350), (Some(Coding::Gzip), 300)];
        assert_eq!(choose(Codings::new(Some("br, gzip")), &offers), Some(2));
    }

    proptest! {
        #[test]
        fn nothing_that_the_client_refuses_is_chosen(
            members in prop::collection::vec(
                (prop::sample::select(vec!["br", "gzip", "zstd", "identity", "*", "deflate"]), 0u16..=4), 0..6),
        ) {
            let text: Vec<_> = members.iter().map(|(name, quarters)| format!("{name};q={}", f32::from(*quarters) / 4.0)).collect();
            let field = text.join(", ");
            let said = |coding: &str| members.iter().find(|(name, _)| *name == coding).map(|(_, quarters)| *quarters);
            let refuses = |coding: &str| {
                let silent = u16::from(coding == "identity");
                said(coding).or_else(|| said("*")).unwrap_or(silent) == 0
            };
            match choose(Codings::new(Some(&field)), &OFFERS) {
                Some(place) => prop_assert!(!refuses(OFFERS[place].0.map_or("identity", Coding::token)), "{}", field),
                None => prop_assert!(["br", "gzip", "identity"].iter().all(|coding| refuses(coding)), "{}", field),
            }
        }
    }
}
