//! How many further tries a pool may have: so many of its requests, so that tries never become the outage (a retry budget, as in
//! Finagle and linkerd). Of one isolate.

use crate::config::Retry;

/// Tries that are always free: who sends few requests has no share to spend.
pub const FREE: u64 = 10;

/// What is left, in thousandths of a try. In any span of time there are at most [`FREE`] further tries, and the budget's share of
/// the requests of that span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget(u64);

impl Default for Budget {
    fn default() -> Budget {
        Budget(FREE * 1000)
    }
}

impl Budget {
    /// Notes a request.
    pub fn requested(&mut self, retry: &Retry) {
        self.0 = (self.0 + u64::from(retry.budget_permille)).min(FREE * 1000);
    }

    /// Whether there may be one more try, which is spent.
    pub fn spend(&mut self) -> bool {
        let rest = self.0.checked_sub(1000);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn in_no_span_of_time_are_there_more_tries_than_its_share(
            steps in prop::collection::vec(any::<bool>(), 0..400),
            budget_permille in 0_u16..=1000,
            from in 0_usize..400,
        ) {
            let retry = Retry { budget_permille, ..Retry::default() };
            let mut budget = Budget::default();
            let mut spent = 0;
            let mut requests = 0;
            for (place, is_request) in steps.iter().enumerate() {
                let counts = u64::from(place >= from);
                if *is_request {
                    budget.requested(&retry);
                    requests += counts;
                } else if budget.spend() {
                    spent += counts;
                }
            }
            prop_assert!(spent * 1000 <= FREE * 1000 + requests * u64::from(budget_permille));
        }
    }

    #[test]
    fn a_few_are_free_and_then_every_so_many_requests_allow_one() {
        let retry = Retry { budget_permille: 250, ..Retry::default() };
        let mut budget = Budget::default();
        assert_eq!((0..20).filter(|_| budget.spend()).count(), 10);
        for _ in 0..3 {
            budget.requested(&retry);
            assert!(!budget.spend());
        }
        budget.requested(&retry);
        assert!(budget.spend());
    }
}
