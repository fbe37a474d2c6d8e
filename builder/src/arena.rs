//! Memory for syntax trees: each thread keeps what the last tree took for the next one. Fresh pages of memory cost more
//! than what parsers write into them.

use std::cell::Cell;

use oxc::allocator::Allocator;

/// So many bytes for each of a script's that its tree, and what a minifier makes of it, fit but for rare ones, which get
/// more. What is not written to costs nothing.
const SCALE: usize = 32;

/// Memory past this is given back, and grows only as it is needed.
const LARGEST_BYTES: usize = 64 << 20;

thread_local! {
    static KEPT: Cell<Option<Allocator>> = const { Cell::new(None) };
}

/// Does `work` with empty memory that a script of this many bytes probably fits into.
pub(crate) fn with<R>(text_bytes: usize, work: impl FnOnce(&mut Allocator) -> R) -> R {
    // What an allocator gets is rounded up to a page.
    let wanted = text_bytes.saturating_mul(SCALE).min(LARGEST_BYTES - (1 << 12));
    let kept = KEPT.take().filter(|kept| kept.capacity() >= wanted);
    let mut allocator = kept.unwrap_or_else(|| Allocator::with_capacity(wanted));
    let result = work(&mut allocator);
    allocator.reset();
    if allocator.capacity() <= LARGEST_BYTES {
        KEPT.set(Some(allocator));
    }
    result
}

/// Gives this thread's memory back.
pub(crate) fn forget() {
    KEPT.take();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_kept_for_the_next_and_comes_back_empty() {
        let first = with(1 << 10, |allocator| {
            allocator.alloc_str(&"a".repeat(1 << 10));
            allocator.capacity()
        });
        let (used, second) = with(1 << 8, |allocator| (allocator.used_bytes(), allocator.capacity()));
        assert_eq!((used, second), (0, first));
        assert!(with(1 << 16, |allocator| allocator.capacity()) >= SCALE << 16, "a larger one gets more");
    }

    #[test]
    fn memory_that_grew_past_all_measure_is_given_back() {
        with(1, |allocator| {
            allocator.alloc_str(&"a".repeat(LARGEST_BYTES + 1));
        });
        assert!(with(1, |allocator| allocator.capacity()) <= LARGEST_BYTES);
    }

    #[test]
    fn memory_of_the_largest_is_kept_until_it_is_given_back() {
        with(LARGEST_BYTES, |_| ());
        assert!(with(1, |allocator| allocator.capacity()) >= LARGEST_BYTES / 2);
        forget();
        assert!(with(1, |allocator| allocator.capacity()) < LARGEST_BYTES / 2);
    }

    #[test]
    fn one_inside_another_has_memory_of_its_own() {
        with(1, |outer| {
            let text = outer.alloc_str("outer");
            with(1, |inner| inner.alloc_str("inner").len());
            assert_eq!(text, "outer");
        });
    }
}
