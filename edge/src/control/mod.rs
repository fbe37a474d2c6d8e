//! The control log: what every location must know, as numbered records: purges, bans, and which origins are left alone.
//!
//! In reading order: [`record`] is what the log holds, [`index`] answers whether a stored response is still valid,
//! [`view`] is how much of the log an isolate knows and when it must ask again, [`ledger`] is the log itself, which one
//! object owns, [`message`] what the two say to each other. [`ban`] is who is refused, [`notice`] which origins are sick or drained, [`request`] a purge as it is asked for,
//! [`changed`] one that unsafe methods make, [`zone`] what is told to the platform's own cache. Nothing here waits, stores or sends.
//!
//! # A log that is lost
//!
//! Its object may lose its storage, and its key-value copy may be lost with it. The log that is begun anew may have a clock
//! that is behind, and give places that the one before gave already. So each log is an [`record::Incarnation`] of its own, and
//! this is the law:
//!
//! 1. A place means something in its own log alone. Wherever one goes, its log goes along: in what the log answers, in the
//!    view of an isolate, in what a data centre shares, in the copy, and in each stored response.
//! 2. What was fetched while another log was known is purged, hard, whatever it is: nobody knows what a log that is gone
//!    would have said of it, nor which of its purges were the last. A view that knows nothing says nothing.
//! 3. A view passes from one log to another as a whole, never by a part of the news, and its lease then counts from when those
//!    news were asked for, whatever it was before: at that moment the other log was there, and all it said was known. News
//!    that were asked for before the moment of which all is known change nothing. So no purge is missed for longer than
//!    a lease, in whichever order answers arrive.
//! 4. The copy, of which nobody knows when it was made, brings a view to another log only where that was begun later, by the
//!    places that the two were begun at; and it ends the lease.
//! 5. A log that is begun anew goes on above the place that the copy has, and takes over its bans, its notices of origins and
//!    what a later version wrote there. Its purges it need not: rule 2 covers them.
//!
//! 6. What the outside was still to be told ([`zone`]) is lost with the log: its rows are nowhere else, and the copy, made
//!    seldom, would never have the last of them. No answer of the edge depends on them, and a log that is begun anew has no
//!    call to repeat; whoever needs the zone's cache to be empty purges everything.
//!
//! What is without an incarnation was written before there were any: all of that is of one log, [`record::Incarnation::UNTOLD`].

pub mod ban;
pub mod changed;
pub mod index;
pub mod ledger;
pub mod message;
pub mod notice;
pub mod record;
pub mod request;
pub mod view;
pub mod zone;
