//! Which of the origins that may answer does: round robin, weighted, the fewer requests of two, or a hash.
//!
//! Who may answer at all, and in which order of preference, [`super::pool`] has decided before: the candidates here are equals.

/// An origin that may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Its place in the pool.
    pub place: usize,
    /// Its share beside the others', above 0.
    pub weight: u64,
    /// Requests under way to it.
    pub under_way: u32,
}

/// How far each origin is in a smooth weighted round robin, as nginx has it: whoever is furthest is next, and goes back by what all
/// went ahead. Of equal weights it is a plain round robin.
pub fn in_turn(candidates: &[Candidate], turns: &mut [i64]) -> Option<usize> {
    let mut sum = 0;
    for candidate in candidates {
        let weight = candidate.weight.cast_signed();
        sum += weight;
        turns[candidate.place] += weight;
    }
    // Of equals the first: ties are broken the same way each time.
    let next = candidates.iter().rev().max_by_key(|candidate| turns[candidate.place])?;
    // Who was away meanwhile comes back with what he had: nobody makes up for the time that he was away.
    let bound = 2 * sum;
    let turn = &mut turns[next.place];
    *turn = (*turn - sum).clamp(-bound, bound);
    Some(next.place)
}

/// One at random, by weights.
pub fn at_random(candidates: &[Candidate], random: u64) -> Option<usize> {
    draw(candidates, sum(candidates), random, None).map(|drawn| candidates[drawn].place)
}

/// Two at random, by weights; of those the one that has less to do for its weight (the power of two choices: Mitzenmacher 2001).
pub fn less_busy(candidates: &[Candidate], random: u64) -> Option<usize> {
    let sum = sum(candidates);
    let drawn = draw(candidates, sum, random, None)?;
    let first = candidates[drawn];
    let Some(second) = draw(candidates, sum - first.weight, mix(random), Some(drawn)) else { return Some(first.place) };
    let second = candidates[second];
    let is_less = u64::from(second.under_way) * first.weight < u64::from(first.under_way) * second.weight;
    Some(if is_less { second.place } else { first.place })
}

/// The one that a key belongs to: rendezvous hashing by weights (Thaler and Ravishankar 1998), so that those of one that leaves spread
/// over the others and no other key moves. One that has a quarter more under way than its share is passed over (Mirrokni et al. 2016:
/// consistent hashing with bounded loads).
pub fn of_key(candidates: &[Candidate], key: u64, name: impl Fn(usize) -> u64) -> Option<usize> {
    let (mut weights, mut under_way) = (0, 0);
    for candidate in candidates {
        weights += candidate.weight;
        under_way += u64::from(candidate.under_way);
    }
    // Below five quarters of its share of all there would be with this one, rounded up.
    let has_room =
        |candidate: &Candidate| u64::from(candidate.under_way) * weights * 4 < (under_way + 1) * candidate.weight * 5;
    let nearest = |all: bool| {
        let (mut nearest, mut least) = (None, f64::NEG_INFINITY);
        for candidate in candidates {
            if let Some(score) = nearer(key, name(candidate.place), candidate.weight, least)
                && (all || has_room(candidate))
            {
                (nearest, least) = (Some(candidate.place), score);
            }
        }
        nearest
    };
    nearest(false).or_else(|| nearest(true))
}

/// How near a key is to an origin, where that is more than `least`: `-weight / ln(u)`, with `u` evenly spread, gives each its share by
/// weight.
#[allow(clippy::cast_precision_loss, reason = "52 bits of chance are enough, and a half more fits")]
fn nearer(key: u64, name: u64, weight: u64, least: f64) -> Option<f64> {
    let even = ((mix(key ^ name) >> 12) as f64 + 0.5) / (1_u64 << 52) as f64;
    let weight = weight as f64;
    // A logarithm costs more than all the rest, and few need it: `-ln(u)` is never less than `1 - u`.
    if least * (1.0 - even) > weight {
        return None;
    }
    Some(-weight / even.ln()).filter(|score| *score > least)
}

fn sum(candidates: &[Candidate]) -> u64 {
    candidates.iter().map(|candidate| candidate.weight).sum()
}

/// One by weights, of `sum` together, but for `without`: which of the candidates.
fn draw(candidates: &[Candidate], sum: u64, random: u64, without: Option<usize>) -> Option<usize> {
    let mut at = random.checked_rem(sum)?;
    candidates.iter().enumerate().position(|(number, candidate)| {
        if without == Some(number) {
            return false;
        }
        let is_it = at < candidate.weight;
        at = at.saturating_sub(candidate.weight);
        is_it
    })
}

/// The same number for the same text, everywhere and in every version: FNV-1a.
pub fn hash(text: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    text.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Spreads the bits of a number: the end of `SplitMix64` (Steele, Lea and Flood 2014).
pub fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidates(weights: &[u64]) -> Vec<Candidate> {
        weights.iter().enumerate().map(|(place, weight)| Candidate { place, weight: *weight, under_way: 0 }).collect()
    }

    fn name(place: usize) -> u64 {
        hash(format!("https://origin-{place}.example").as_bytes())
    }

    proptest! {
        #[test]
        fn in_turn_everyone_gets_exactly_his_share_of_a_round(weights in prop::collection::vec(1_u64..20, 1..12)) {
            let all = candidates(&weights);
            let mut turns = vec![0; weights.len()];
            let mut counts = vec![0; weights.len()];
            for _ in 0..weights.iter().sum::<u64>() {
                counts[in_turn(&all, &mut turns).unwrap()] += 1;
            }
            prop_assert_eq!(counts, weights);
            prop_assert!(turns.iter().all(|turn| *turn == 0), "the next round begins as the first");
        }

        #[test]
        fn whoever_was_away_does_not_make_up_for_it(away in 1_usize..500) {
            let all = candidates(&[1, 1, 1]);
            let mut turns = vec![0; 3];
            for _ in 0..away {
                in_turn(&all[1..], &mut turns);
            }
            let next: Vec<usize> = (0..6).map(|_| in_turn(&all, &mut turns).unwrap()).collect();
            let of_first = next.iter().filter(|place| **place == 0).count();
            prop_assert!((1..=3).contains(&of_first), "{:?}", next);
        }

        #[test]
        fn of_two_the_busier_one_is_never_taken(random: u64, busy in 1_u32..100, idle in 0_u32..100) {
            prop_assume!(idle < busy);
            let mut all = candidates(&[1, 1]);
            all[0].under_way = busy;
            all[1].under_way = idle;
            prop_assert_eq!(less_busy(&all, random), Some(1));
        }

        #[test]
        fn when_one_leaves_no_key_moves_but_its_own(weights in prop::collection::vec(1_u64..10, 2..12), leaves: prop::sample::Index, keys: [u64; 32]) {
            let all = candidates(&weights);
            let leaves = leaves.index(all.len());
            let rest: Vec<Candidate> = all.iter().copied().filter(|candidate| candidate.place != leaves).collect();
            for key in keys {
                let before = of_key(&all, key, name).unwrap();
                let after = of_key(&rest, key, name).unwrap();
                prop_assert!(before == after || before == leaves);
            }
        }

        #[test]
        fn by_hash_nobody_has_more_than_five_quarters_of_his_share(keys in prop::collection::vec(0_u64..5, 1..300), count in 1_usize..10) {
            // All stay under way, and most keys are the same few.
            let mut all = candidates(&vec![1; count]);
            for (before, key) in keys.iter().enumerate() {
                let place = of_key(&all, *key, name).unwrap();
                let bound = ((before + 1) * 5).div_ceil(count * 4);
                all[place].under_way += 1;
                prop_assert!(all[place].under_way as usize <= bound, "{:?}", all);
            }
        }
    }

    /// How many of 10,000 each gets.
    fn shares(count: usize, choose: impl Fn(u64) -> Option<usize>) -> Vec<u64> {
        let mut counts = vec![0; count];
        for number in 0..10_000 {
            counts[choose(mix(number)).unwrap()] += 1;
        }
        counts
    }

    #[track_caller]
    fn check_shares(shares: &[u64], weights: &[u64]) {
        let sum: u64 = weights.iter().sum();
        for (share, weight) in shares.iter().zip(weights) {
            let expected = 10_000 * weight / sum;
            assert!(share.abs_diff(expected) <= 10 + expected / 8, "{shares:?} of {weights:?}");
        }
    }

    #[test]
    fn chance_and_hashes_keep_to_the_weights() {
        for weights in [&[1, 1][..], &[1, 3], &[5, 1, 1, 3], &[1; 20]] {
            let all = candidates(weights);
            check_shares(&shares(weights.len(), |random| at_random(&all, random)), weights);
            check_shares(&shares(weights.len(), |random| less_busy(&all, random)), weights);
            check_shares(&shares(weights.len(), |key| of_key(&all, key, name)), weights);
        }
    }

    #[test]
    fn equals_take_turns() {
        let all = candidates(&[1, 1, 1]);
        let mut turns = vec![0; 3];
        let order: Vec<usize> = (0..6).map(|_| in_turn(&all, &mut turns).unwrap()).collect();
        assert_eq!(order, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn of_nobody_nobody_is_chosen() {
        assert_eq!(in_turn(&[], &mut []), None);
        assert_eq!((at_random(&[], 1), less_busy(&[], 1), of_key(&[], 1, name)), (None, None, None));
    }
}
