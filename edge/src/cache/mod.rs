//! Whether a stored response may answer a request, and what is stored of an answer: RFC 9111 for a shared cache, as plain
//! functions over values. Knows nothing of stores, origins or the clock.
//!
//! # The order of the calls
//!
//! [`Asked`] is the request, `policy` the route's. A request that carries something has it read first where
//! [`content::is_keyed`] says so ([`content::read`]). Then:
//!
//! ```text
//! key(asked, policy)                  Err(unkeyed): Fetch::unkeyed(unkeyed) is sent; Status::forwarded(..).detailed(unkeyed.word()).
//!                                     Where is_unsafe(method): invalidates(..), and kept_for_get(..) may give something to keep.
//! rule.common(key.url())              where the path's responses have stated a SearchRule: what stands for all URLs that
//!                                     have one answer. Of another of them: Fetch::of_another_url
//! specs.candidates(key, asked, ..)    the keys of variants to look under, in order; without specs the key itself
//! plan(asked, policy, found, now)     what to do; Found is what the lookup found and what the control log says of it
//! ```
//!
//! - **Hit.** `Plan::Serve(serve)`: [`Stored::head`] (may be kept, prepared) and [`Serve::say`]; [`Status::hit`].
//! - **Miss.** `Plan::Fetch(fetch)` with [`Ask::Whole`]: [`Fetch::apply`] on the client's head, then [`outgoing`], with
//!   [`forwarded_query`]; send; [`settle`]. `Settled::Store(stored)`: `specs.put(&stored, ..)`; the body goes under
//!   `specs.variant(key, &stored.spec, ..)` when all of it came and [`Stored::seal`] agrees; the client gets [`answer`]'s form
//!   and also [`Stored::for_asker`]. `Settled::Pass(pass, _)`: the answer goes on as it came, after [`remove_for_us`],
//!   with `detail=pass.word()`; where [`Pass::lasts`], later requests of the key do not wait for one another for a while. Where
//!   it is known that the whole is not kept, [`Fetch::in_parts`].
//! - **Stale while revalidating.** `Plan::ServeAndRefresh(serve, fetch)`: a hit; behind the answer the fetch is sent and
//!   settled. Only `Store`, `Renewed` and `Pass(_, Kept::Goes)` change what is stored.
//! - **Revalidation.** `Plan::Fetch(fetch)` with [`Ask::IfChanged`]. 304: `Settled::Renewed(stored)`, the stored body under this
//!   head. 200: as on a miss, in the old one's place. 5xx: `Settled::FallBack(serve)` within `stale-if-error`, else `Pass`, and what
//!   is stored stays. No answer at all, or none in time: [`stand_in`]. `Settled::AskAgain`: once more, with [`Fetch::again`], and without what is stored.
//! - **Range.** Of what is stored: `Plan::Serve` with [`Form::Parts`]. On a miss the whole is asked for once, and [`answer`] says
//!   which part of it the client gets.
//! - **Part and completion.** A 206 is kept as [`Held::Part`]. Who wants more: `Plan::Fetch` with [`Ask::Rest`]; 206:
//!   `Settled::Completed(stored, splice)`, whose pieces in order are the body; 200: as on a miss.
//! - **HEAD.** Shares GET's key; a hit without body. On a miss HEAD is sent and nothing is kept. With something stale stored,
//!   a 200 is `Settled::Renewed` where it is of the same state, else `Pass(_, Kept::Goes)`.
//! - **Unsafe method.** See `key` above: it has none.
//! - **Collapsed follower.** While a fetch that [`Fetch::may_be_shared`] is under way, others that plan the same may wait for
//!   it. Then [`share`] says how its answer answers them; `None`: they go alone.

mod admit;
mod asked;
pub mod content;
mod directives;
mod effect;
mod fetch;
mod freshness;
mod head;
mod key;
mod labels;
mod merge;
mod outgoing;
mod part;
mod plan;
mod reference;
mod search;
mod select;
mod selecting;
mod settle;
mod share;
mod specs;
mod status;
mod stored;
mod targeted;
mod vary;

#[cfg(test)]
mod fixture;

pub use self::admit::{Arrival, Pass, remove_for_us};
pub use self::asked::{Asked, Content};
pub use self::effect::{Invalidation, invalidates, is_unsafe, kept_for_get};
pub use self::fetch::{Ask, Fetch, Why};
pub use self::head::HeadKind;
pub use self::key::{Key, Unkeyed, forwarded_query, key, url};
pub use self::outgoing::outgoing;
pub use self::part::{Piece, Splice};
pub use self::plan::{Found, Grounds, Plan, Serve, Standing, plan, stand_in};
pub use self::search::SearchRule;
pub use self::select::Form;
pub use self::settle::{Kept, Settled, answer, settle};
pub use self::share::share;
pub use self::specs::Specs;
pub use self::status::{Outcome, Status};
pub use self::stored::{Basis, Broken, Held, Reuse, Stored};
pub use self::vary::Spec;
