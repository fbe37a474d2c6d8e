//! Sorting, once. The library's sort is several kilobytes for every type that is sorted, in a Worker where every byte is compiled at
//! start-up; this one sorts places, of which there is one type.

use std::cmp::Ordering;

/// Sorts; what is equal keeps its order. At most `n log n` comparisons, whatever comes.
pub fn sort<T>(items: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    if items.len() < 2 {
        return;
    }
    let places = sorted(items.len(), &|one, other| compare(&items[one], &items[other]));
    let mut taken: Vec<Option<T>> = items.drain(..).map(Some).collect();
    items.extend(places.into_iter().filter_map(|place| taken[place].take()));
}

/// The places of so many items in their order: merged from runs that double in length.
fn sorted(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    let mut merged = Vec::with_capacity(count);
    let mut length = 1;
    while length < count {
        merged.clear();
        let mut begin = 0;
        while begin < count {
            let middle = (begin + length).min(count);
            let end = (middle + length).min(count);
            let (mut left, mut right) = (begin, middle);
            while left < middle || right < end {
                let takes_left =
                    right == end || left < middle && compare(places[left], places[right]) != Ordering::Greater;
                let next = if takes_left { &mut left } else { &mut right };
                merged.push(places[*next]);
                *next += 1;
            }
            begin = end;
        }
        std::mem::swap(&mut places, &mut merged);
        length *= 2;
    }
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_librarys_order(items in prop::collection::vec((0..6_u8, any::<u16>()), 0..70)) {
            let mut expected = items.clone();
            expected.sort_by_key(|(key, _)| *key);
            let mut sorted = items;
            sort(&mut sorted, |(one, _), (other, _)| one.cmp(other));
            prop_assert_eq!(sorted, expected);
        }
    }
}
