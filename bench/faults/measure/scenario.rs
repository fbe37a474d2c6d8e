//! Bad days: which origin has which fault, and what share of the requests ought to be answered well all the same.

use super::fault::Fault;

/// One bad day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scenario {
    /// What is wrong.
    pub(crate) fault: Fault,
    /// Whether it is wrong with both origins, or with one of the two.
    pub(crate) both: bool,
}

/// The least share of good answers that is aimed at, of 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Goals {
    pub(crate) cached: Option<f64>,
    pub(crate) dynamic: Option<f64>,
}

impl Scenario {
    /// All that a table shows, in its order.
    pub(crate) fn all() -> Vec<Scenario> {
        let of = |both: bool| {
            Fault::ALL.into_iter().filter(|fault| *fault != Fault::None).map(move |fault| Scenario { fault, both })
        };
        let well = Scenario { fault: Fault::None, both: true };
        std::iter::once(well).chain(of(false)).chain(of(true)).collect()
    }

    /// What the two origins have.
    pub(crate) fn faults(self) -> [Fault; 2] {
        if self.both { [self.fault; 2] } else { [self.fault, Fault::None] }
    }

    /// For people.
    pub(crate) fn says(self) -> String {
        let whose = match (self.fault, self.both) {
            (Fault::None, _) => return "all is well".to_owned(),
            (_, true) => "each",
            (_, false) => "one",
        };
        format!("{whose} {}", self.fault.says())
    }

    /// Nothing is asked of who has nobody left to ask, but of caches.
    pub(crate) fn goals(self) -> Goals {
        let dynamic = match (self.fault, self.both) {
            (Fault::None, _) => Some(0.999),
            (Fault::SomeErrors, true) => Some(0.98),
            (Fault::Latency | Fault::Drip, false) => Some(0.95),
            (
                Fault::Refuse
                | Fault::ResetBeforeHead
                | Fault::ResetAmidHead
                | Fault::ResetMidBody
                | Fault::Hang
                | Fault::Status(_)
                | Fault::SomeErrors
                | Fault::Flap,
                false,
            ) => Some(0.995),
            _ => None,
        };
        Goals { cached: (!self.fault.is_oversize_or_loop()).then_some(0.999), dynamic }
    }
}
