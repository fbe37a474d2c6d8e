//! The threads that stages work on: results come in the order of the input, whatever the number of threads.

use std::sync::Mutex;

use rayon::iter::{ParallelBridge, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// Parsers recurse: 64 MB hold what `minify::bounds` lets through, several times over.
pub const STACK_BYTES: usize = 64 << 20;

/// A pool of `jobs` threads; 0 means one for each processor.
pub fn pool(jobs: usize) -> Result<ThreadPool, ThreadPoolBuildError> {
    let name = |index| format!("worker-{index}");
    ThreadPoolBuilder::new().num_threads(jobs).stack_size(STACK_BYTES).thread_name(name).build()
}

/// Does `work` for every item, the heaviest first so that no thread is left with a large one at the end.
pub fn work_on<T: Sync, R: Send>(
    pool: &ThreadPool,
    items: &[T],
    weight: impl Fn(&T) -> usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|&index| (std::cmp::Reverse(weight(&items[index])), index));
    let done = Mutex::new(Vec::with_capacity(items.len()));
    pool.install(|| {
        order.into_iter().par_bridge().for_each(|index| {
            let result = work(&items[index]);
            done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((index, result));
        });
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_the_items() {
        let items: Vec<usize> = (0..100).collect();
        for jobs in [1, 2, 7] {
            let pool = super::pool(jobs).expect("threads");
            assert_eq!(
                work_on(&pool, &items, |item| item % 13, |item| item * 2),
                items.iter().map(|item| item * 2).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn the_heaviest_item_is_begun_first() {
        let begun = Mutex::new(Vec::new());
        work_on(
            &pool(1).expect("a thread"),
            &[3, 9, 1, 9],
            |item| *item,
            |item| begun.lock().expect("no panic").push(*item),
        );
        assert_eq!(begun.into_inner().expect("no panic"), [9, 9, 3, 1]);
    }
}
