//! Isolates, objects, and messages between them that take their time or never arrive. One queue of events, one seed.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::{Arrivals, Setup, Spread};
use crate::limit::limiter::{self, By, Charge, Limiter, Plan, Question, Reply, Standing};
use crate::limit::partition::{Key, SHARDS};
use crate::limit::shard::{self, Row, Settled, Shard};

/// True time begins here, in milliseconds since 1970.
pub(super) const BEGIN: u64 = 1_700_000_000_000;

/// How long writing takes at most.
const WRITE_MS: u64 = 6;

/// Chance that is the same each time (splitmix64).
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(super) fn below(&mut self, most: u64) -> u64 {
        if most == 0 { 0 } else { self.bits() % most }
    }

    /// From `-most` to `most`.
    pub(super) fn around(&mut self, most: u64) -> i64 {
        i64::try_from(self.below(2 * most + 1)).unwrap() - i64::try_from(most).unwrap()
    }
}

/// What really happened: somebody was let pass.
#[derive(Debug, Clone, Copy)]
pub(super) struct Admission {
    pub(super) policy: usize,
    pub(super) partition: usize,
    /// In true time: when the object decided, or the isolate where it decided.
    pub(super) at: u64,
    pub(super) cost: u64,
    pub(super) by: By,
    pub(super) isolate: u64,
}

/// What was counted from [`Setup::measured_from`] on.
#[derive(Debug, Default, Clone)]
pub(super) struct Counts {
    pub(super) requests: u64,
    pub(super) offered: u64,
    pub(super) calls: u64,
    pub(super) admitted: u64,
    pub(super) steps: u64,
    /// Costs of questions to whom the answer did not come in time or not whole, by policy and partition: what of it was charged is
    /// not known.
    pub(super) uncertain: HashMap<(usize, usize), u64>,
    /// Questions by second, of the whole time.
    pub(super) calls_by_second: Vec<u64>,
}

#[derive(Debug, Clone)]
struct Said {
    clock: u64,
    true_time: u64,
    text: String,
}

enum Event {
    Arrive,
    Ask {
        request: u64,
        hop: usize,
        budget: u64,
        objects: Rc<Vec<(u8, String)>>,
    },
    /// To the isolate.
    Answer {
        request: u64,
        said: Vec<Said>,
    },
    /// To the object before.
    Heard {
        request: u64,
        object: u8,
        said: Vec<Said>,
    },
    Waited {
        request: u64,
        object: u8,
        life: usize,
    },
    Deadline {
        request: u64,
    },
    Undo {
        object: u8,
        taken: u64,
        charges: String,
        settled: String,
    },
    Die,
    Restart(Option<u8>),
    Deploy,
    Outage {
        object: u8,
        down: bool,
    },
}

/// A message from an object leaves it when everything before it is written down: not, if the object ends before.
struct Sent {
    from: Option<(u8, usize, u64)>,
    event: Event,
}

struct Isolate {
    limiter: Limiter,
    id: u64,
    skew: i64,
    place: u64,
}

struct Object {
    shard: Option<Shard>,
    rows: BTreeMap<String, (String, u64)>,
    unwritten: Vec<(u64, Row)>,
    written_at: u64,
    offset: i64,
    place: u64,
    last_at: u64,
    is_down: bool,
    /// When each of its lives ended.
    ended: Vec<u64>,
    held: HashMap<u64, Held>,
}

/// A request whose next object is being asked.
struct Held {
    hop: usize,
    objects: Rc<Vec<(u8, String)>>,
    charges: Vec<shard::Charge>,
    settled: Vec<Settled>,
    said: Said,
}

struct Pending {
    isolate: usize,
    id: u64,
    charges: Vec<Charge>,
    whose: Vec<(usize, usize)>,
    question: Question,
    asked_at: u64,
    asked_in_truth: u64,
    objects: Rc<Vec<(u8, String)>>,
}

pub(super) struct World<'s> {
    setup: &'s Setup,
    chance: Chance,
    now: u64,
    queue: BTreeMap<(u64, u64), Sent>,
    number: u64,
    next_arrival_us: u64,
    isolates: Vec<Isolate>,
    weights: Vec<u64>,
    objects: Vec<Object>,
    pending: HashMap<u64, Pending>,
    pub(super) log: Vec<Admission>,
    pub(super) counts: Counts,
    /// Steps forward of objects' clocks, by object.
    pub(super) steps: Vec<Vec<(u64, u64)>>,
    pub(super) restarts: u64,
}

impl<'s> World<'s> {
    pub(super) fn new(setup: &'s Setup, seed: u64) -> World<'s> {
        let mut chance = Chance::new(seed);
        let objects = (0..SHARDS).map(|_| Object::new(&mut chance, setup)).collect();
        let mut total = 0;
        let weights = (0..setup.isolates as u64)
            .map(|number| {
                total += match setup.spread {
                    Spread::Skewed => 1_000_000 / (number + 1),
                    Spread::Hot if number == 0 => setup.isolates as u64 - 1,
                    Spread::Even | Spread::Hot => 1,
                };
                total
            })
            .collect();
        let mut world = World {
            setup,
            chance,
            now: 0,
            queue: BTreeMap::new(),
            number: 0,
            next_arrival_us: 0,
            isolates: Vec::new(),
            weights,
            objects,
            pending: HashMap::new(),
            log: Vec::new(),
            counts: Counts::default(),
            steps: vec![Vec::new(); SHARDS.into()],
            restarts: 0,
        };
        for _ in 0..setup.isolates {
            let isolate = world.born();
            world.isolates.push(isolate);
        }
        world.at(0, Event::Arrive);
        world.later(setup.lives_ms / setup.isolates.max(1) as u64, Event::Die);
        world.later(setup.restarts_ms, Event::Restart(None));
        world.later(setup.deploys_ms, Event::Deploy);
        for (object, from, until) in &setup.outages {
            world.at(*from, Event::Outage { object: *object, down: true });
            world.at(*until, Event::Outage { object: *object, down: false });
        }
        world
    }

    pub(super) fn run(mut self) -> World<'s> {
        while let Some(((at, _), sent)) = self.queue.pop_first() {
            self.now = at;
            let was_lost = sent.from.is_some_and(|(object, life, leaves_at)| {
                self.objects[usize::from(object)].ended.get(life).is_some_and(|ended| *ended < leaves_at)
            });
            if !was_lost {
                self.counts.steps += 1;
                self.happen(sent.event);
            }
        }
        self.log.sort_by_key(|admission| admission.at);
        self
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive => self.arrive(),
            Event::Ask { request, hop, budget, objects } => self.asked(request, hop, budget, &objects),
            Event::Answer { request, said } => self.answered(request, Some(said)),
            Event::Heard { request, object, said } => self.go_on(object, request, said),
            Event::Waited { request, object, life } => {
                if self.objects[usize::from(object)].ended.len() == life {
                    self.go_on(object, request, Vec::new());
                }
            }
            Event::Deadline { request } => self.answered(request, None),
            Event::Undo { object, taken, charges, settled } => {
                if let Some(clock) = self.wake(object) {
                    let charges = shard::read_charges(&charges).unwrap().into_iter();
                    let pairs: Vec<(shard::Charge, Settled)> =
                        charges.zip(shard::read_settled(&settled).unwrap()).collect();
                    let shard = self.objects[usize::from(object)].shard.as_mut().unwrap();
                    shard.undo(&pairs, taken, clock);
                    self.write_rows(object);
                }
            }
            Event::Die => {
                let place = usize::try_from(self.chance.below(self.isolates.len() as u64)).unwrap();
                self.isolates[place] = self.born();
                self.later(self.setup.lives_ms / self.isolates.len() as u64, Event::Die);
            }
            Event::Restart(which) => {
                let object = which.unwrap_or_else(|| self.used_object());
                self.restart(object);
                if which.is_none() {
                    self.later(self.setup.restarts_ms, Event::Restart(None));
                }
            }
            Event::Deploy => {
                for place in 0..self.isolates.len() {
                    self.isolates[place] = self.born();
                }
                (0..SHARDS).for_each(|object| self.restart(object));
                self.later(self.setup.deploys_ms, Event::Deploy);
            }
            Event::Outage { object, down } => {
                self.restart(object);
                self.objects[usize::from(object)].is_down = down;
            }
        }
    }

    /// Somewhere between half of that time and one and a half of it from now; never, where it is zero.
    fn later(&mut self, about_ms: u64, event: Event) {
        let at = self.now + about_ms / 2 + self.chance.below(about_ms + 1);
        if about_ms > 0 && at < self.setup.lasts_ms {
            self.at(at, event);
        }
    }

    fn at(&mut self, at: u64, event: Event) {
        self.put(at, Sent { from: None, event });
    }

    fn put(&mut self, at: u64, sent: Sent) {
        self.number += 1;
        self.queue.insert((at, self.number), sent);
    }

    /// A message that takes its time, or is lost.
    fn send(&mut self, from: Option<(u8, usize, u64)>, places: (u64, u64), event: Event) {
        let leaves_at = from.map_or(self.now, |(_, _, leaves_at)| leaves_at);
        let takes = 1 + places.0.abs_diff(places.1) + self.chance.below(self.setup.jitter_ms + 1);
        if self.chance.below(1000) >= self.setup.lost_per_mille {
            self.put(leaves_at + takes, Sent { from, event });
        }
    }

    fn born(&mut self) -> Isolate {
        let id = self.chance.bits();
        let location = self.chance.below(30);
        let skew = self.chance.around(self.setup.isolate_skew_ms);
        Isolate { limiter: Limiter::new(id), id, skew, place: location * self.setup.widest_ms / 29 }
    }

    fn used_object(&mut self) -> u8 {
        let policies = &self.setup.policies;
        let policy = &policies[usize::try_from(self.chance.below(policies.len() as u64)).unwrap()];
        policy.shards[usize::try_from(self.chance.below(policy.shards.len() as u64)).unwrap()]
    }

    fn arrive(&mut self) {
        let is_measured = self.now >= self.setup.measured_from;
        let whose = self.pick();
        let cost = match self.chance.below(4) {
            0 => 1 + self.chance.below(self.setup.most_cost),
            _ => 1,
        };
        let charges: Vec<Charge> =
            whose.iter().map(|(policy, partition)| self.charge(*policy, *partition, cost)).collect();
        let drawn = self.chance.below(*self.weights.last().unwrap());
        let place = self.weights.partition_point(|up_to| *up_to <= drawn);
        let isolate = &mut self.isolates[place];
        let (id, clock) = (isolate.id, clock(self.now, isolate.skew));
        if is_measured {
            self.counts.requests += 1;
            self.counts.offered += charges[0].cost;
        }
        match isolate.limiter.plan(&charges, clock) {
            Plan::Decided(known) => {
                let times = vec![self.now; charges.len()];
                self.done(&charges, &whose, &known, id, &times);
            }
            Plan::Ask(question) => {
                let objects = Rc::new(question.objects.clone());
                let request = self.number;
                let second = usize::try_from(self.now / 1000).unwrap();
                self.counts.calls_by_second.resize(self.counts.calls_by_second.len().max(second + 1), 0);
                self.counts.calls_by_second[second] += 1;
                self.counts.calls += u64::from(is_measured);
                let places = (isolate.place, self.objects[usize::from(objects[0].0)].place);
                let budget = self.setup.deadline_ms / 2;
                self.send(None, places, Event::Ask { request, hop: 0, budget, objects: Rc::clone(&objects) });
                self.at(self.now + self.setup.deadline_ms, Event::Deadline { request });
                let asked_in_truth = self.now;
                let pending =
                    Pending { isolate: place, id, charges, whose, question, asked_at: clock, asked_in_truth, objects };
                self.pending.insert(request, pending);
            }
        }
        if let Some(at) = self.next_arrival() {
            self.at(at, Event::Arrive);
        }
    }

    /// Policies and partitions.
    fn pick(&mut self) -> Vec<(usize, usize)> {
        let setup = self.setup;
        let kind = &setup.kinds[usize::try_from(self.chance.below(setup.kinds.len() as u64)).unwrap()];
        let mut partition =
            |policy: usize| usize::try_from(self.chance.below(setup.policies[policy].shards.len() as u64)).unwrap();
        kind.iter().map(|policy| (*policy, partition(*policy))).collect()
    }

    fn charge(&self, policy: usize, partition: usize, cost: u64) -> Charge {
        let held = &self.setup.policies[policy];
        let quota = held.quota();
        Charge {
            key: key(policy, partition, held.shards[partition]),
            quota,
            cost: cost.min(quota.most_at_once()),
            precision: held.precision,
            when_unreachable: held.when_unreachable,
            deadline_ms: self.setup.deadline_ms,
            later_ms: 0,
            shadow: held.shadow,
        }
    }

    fn next_arrival(&mut self) -> Option<u64> {
        let now = self.next_arrival_us / 1000;
        let (rate, on_ms, off_ms) = match self.setup.arrivals {
            Arrivals::Steady { per_second } => (per_second, 1, 0),
            Arrivals::Surge { from, then_per_second, .. } if now >= from => (then_per_second, 1, 0),
            Arrivals::Bursts { per_second, on_ms, off_ms } | Arrivals::Surge { per_second, on_ms, off_ms, .. } => {
                (per_second, on_ms, off_ms)
            }
        };
        self.next_arrival_us += 1_000_000 / rate;
        if off_ms > 0 && self.next_arrival_us / 1000 % (on_ms + off_ms) >= on_ms {
            self.next_arrival_us = (self.next_arrival_us / 1000 / (on_ms + off_ms) + 1) * (on_ms + off_ms) * 1000;
        }
        Some(self.next_arrival_us / 1000).filter(|at| *at < self.setup.lasts_ms)
    }

    /// The object's clock; `None`: it does not answer. It forgets what it knew after a while of idleness.
    fn wake(&mut self, number: u8) -> Option<u64> {
        let now = self.now;
        if now.saturating_sub(self.objects[usize::from(number)].last_at) >= self.setup.idle_ms {
            self.restart(number);
        }
        let object = &mut self.objects[usize::from(number)];
        object.last_at = now;
        let clock = clock(now, object.offset);
        object.write(now);
        object.shard.get_or_insert_with(|| {
            object.rows.retain(|_, (_, until)| *until > clock);
            let rows = object.rows.iter().map(|(key, (text, _))| (key.as_str(), text.as_str()));
            let (shard, unread) = Shard::open(rows);
            assert_eq!(unread, 0);
            shard
        });
        (!object.is_down).then_some(clock)
    }

    fn restart(&mut self, number: u8) {
        let step = self.chance.around(self.setup.object_step_ms);
        let object = &mut self.objects[usize::from(number)];
        object.write(self.now);
        object.unwritten.clear();
        object.held.clear();
        object.shard = None;
        object.ended.push(self.now);
        object.offset += step;
        object.written_at = 0;
        if step > 0 {
            self.steps[usize::from(number)].push((self.now, step.unsigned_abs()));
        }
        self.restarts += 1;
    }

    fn asked(&mut self, request: u64, hop: usize, budget: u64, objects: &Rc<Vec<(u8, String)>>) {
        let (number, text) = &objects[hop];
        let Some(clock) = self.wake(*number) else { return };
        let charges = shard::read_charges(text).unwrap();
        let object = &mut self.objects[usize::from(*number)];
        let shard = object.shard.as_mut().unwrap();
        let settled = shard.take(&charges, clock);
        self.write_rows(*number);
        let object = &mut self.objects[usize::from(*number)];
        let said = Said { clock, true_time: self.now, text: shard::write_settled(&settled) };
        let leaves_at = object.written_at.max(self.now);
        let (life, from) = (object.ended.len(), (*number, object.ended.len(), leaves_at));
        let is_last = hop + 1 == objects.len() || shard::refuses(&charges, &settled);
        if is_last {
            let place = object.place;
            return self.reply(request, hop, objects, from, place, vec![said]);
        }
        object.held.insert(request, Held { hop, objects: Rc::clone(objects), charges, settled, said });
        let places = (object.place, self.objects[usize::from(objects[hop + 1].0)].place);
        let event = Event::Ask { request, hop: hop + 1, budget: budget / 2, objects: Rc::clone(objects) };
        self.send(Some(from), places, event);
        self.at(self.now + budget, Event::Waited { request, object: *number, life });
    }

    /// Begins to write what the object wants written, one row after another.
    fn write_rows(&mut self, number: u8) {
        let object = &mut self.objects[usize::from(number)];
        for row in object.shard.as_mut().unwrap().take_rows() {
            let writes = 1 + self.chance.below(WRITE_MS);
            object.written_at = object.written_at.max(self.now + writes);
            object.unwritten.push((object.written_at, row));
        }
    }

    fn reply(
        &mut self,
        request: u64,
        hop: usize,
        objects: &[(u8, String)],
        from: (u8, usize, u64),
        place: u64,
        said: Vec<Said>,
    ) {
        if let Some((before, _)) = hop.checked_sub(1).map(|before| &objects[before]) {
            let to = self.objects[usize::from(*before)].place;
            self.send(Some(from), (place, to), Event::Heard { request, object: *before, said });
        } else if let Some(pending) = self.pending.get(&request) {
            let to = self.isolates[pending.isolate].place;
            self.send(Some(from), (place, to), Event::Answer { request, said });
        }
    }

    /// An object hears what the next one says, or that it says nothing.
    fn go_on(&mut self, number: u8, request: u64, mut said: Vec<Said>) {
        let object = &mut self.objects[usize::from(number)];
        let Some(held) = object.held.remove(&request) else { return };
        let refuses = |((_, charges), said): (&(u8, String), &Said)| {
            shard::refuses(&shard::read_charges(charges).unwrap(), &shard::read_settled(&said.text).unwrap())
        };
        if held.objects[held.hop + 1..].iter().zip(&said).any(refuses) {
            let clock = clock(self.now, object.offset);
            let pairs: Vec<(shard::Charge, Settled)> = held.charges.into_iter().zip(held.settled).collect();
            object.shard.as_mut().unwrap().undo(&pairs, held.said.clock, clock);
            self.write_rows(number);
        }
        said.insert(0, held.said);
        let object = &self.objects[usize::from(number)];
        let from = (number, object.ended.len(), object.written_at.max(self.now));
        let place = object.place;
        self.reply(request, held.hop, &held.objects, from, place, said);
    }

    /// An isolate hears what the objects say, or that they say nothing.
    fn answered(&mut self, request: u64, said: Option<Vec<Said>>) {
        let Some(pending) = self.pending.remove(&request) else { return };
        let Pending { isolate: place, id, charges, whose, question, asked_at, asked_in_truth, objects } = pending;
        let said = said.unwrap_or_default();
        let is_whole = said.len() == objects.len();
        let reply = (!said.is_empty())
            .then(|| Reply { objects: said.iter().map(|said| (said.clock, said.text.clone())).collect() });
        let chance = self.chance.bits();
        let isolate = &mut self.isolates[place];
        if isolate.id != id {
            // It died meanwhile.
            self.note_uncertain(&charges, &whose);
            return;
        }
        let (from, now) = (isolate.place, clock(self.now, isolate.skew));
        let (known, undos) = isolate.limiter.settle(&charges, question, reply.as_ref(), asked_at, now, chance);
        let is_refused_there = said.iter().zip(objects.iter()).any(|(said, (_, charges))| {
            shard::refuses(&shard::read_charges(charges).unwrap(), &shard::read_settled(&said.text).unwrap())
        });
        if (!is_whole && !is_refused_there) || !undos.is_empty() {
            self.note_uncertain(&charges, &whose);
        }
        for (object, taken, charges, settled) in undos {
            let places = (from, self.objects[usize::from(object)].place);
            self.send(None, places, Event::Undo { object, taken, charges, settled });
        }
        // When each was decided: by an object, or here, before or after the objects were asked.
        let decided_at = |charge: &Charge, by: Option<By>| {
            let asks = |text: &String| shard::read_charges(text).unwrap().iter().any(|asked| asked.key == charge.key);
            let Some(hop) = objects.iter().position(|(_, text)| asks(text)) else { return asked_in_truth };
            said.get(hop).filter(|_| by == Some(By::Object)).map_or(self.now, |said| said.true_time)
        };
        let by = known.iter().map(|standing| standing.map(|standing| standing.by));
        let times: Vec<u64> = charges.iter().zip(by).map(|(charge, by)| decided_at(charge, by)).collect();
        self.done(&charges, &whose, &known, id, &times);
    }

    fn note_uncertain(&mut self, charges: &[Charge], whose: &[(usize, usize)]) {
        for (charge, whose) in charges.iter().zip(whose) {
            *self.counts.uncertain.entry(*whose).or_default() += charge.cost;
        }
    }

    fn done(
        &mut self,
        charges: &[Charge],
        whose: &[(usize, usize)],
        known: &[Option<Standing>],
        isolate: u64,
        times: &[u64],
    ) {
        if limiter::refuses(charges, known) {
            return;
        }
        if self.now >= self.setup.measured_from {
            self.counts.admitted += charges[0].cost;
        }
        for (number, (policy, partition)) in whose.iter().enumerate() {
            let standing = known[number].expect("whoever passes stands somewhere under each policy");
            if standing.admitted {
                let (policy, partition, by, cost) = (*policy, *partition, standing.by, charges[number].cost);
                self.log.push(Admission { policy, partition, at: times[number], cost, by, isolate });
            }
        }
    }

    /// What is left of a counter, by its object's word.
    pub(super) fn left(&mut self, policy: usize, partition: usize) -> u64 {
        let Charge { key, quota, .. } = self.charge(policy, partition, 1);
        let clock = self.wake(key.shard()).expect("it is there in the end");
        let charge = shard::Charge { key, quota, cost: 1, want: None, isolate: 0, shadow: false, unsure_ms: 0 };
        let shard = self.objects[usize::from(key.shard())].shard.as_mut().unwrap();
        let settled = shard.take(&[charge], clock)[0];
        settled.left + u64::from(settled.admitted)
    }

    /// By how much an object's clock is ahead of true time; only where it takes no steps.
    pub(super) fn offset(&self, object: u8) -> i64 {
        self.objects[usize::from(object)].offset
    }
}

impl Object {
    fn new(chance: &mut Chance, setup: &Setup) -> Object {
        Object {
            shard: None,
            rows: BTreeMap::new(),
            unwritten: Vec::new(),
            written_at: 0,
            offset: chance.around(200),
            place: chance.below(setup.widest_ms + 1),
            last_at: 0,
            is_down: false,
            ended: Vec::new(),
            held: HashMap::new(),
        }
    }

    /// What is written by now is there for good.
    fn write(&mut self, now: u64) {
        let done = self.unwritten.partition_point(|(written_at, _)| *written_at <= now);
        for (_, row) in self.unwritten.drain(..done) {
            self.rows.insert(row.key, (row.text, row.until));
        }
    }
}

pub(super) fn key(policy: usize, partition: usize, shard: u8) -> Key {
    Key { policy: policy as u64 + 1, partition: u128::from(shard) << 120 | partition as u128 }
}

fn clock(now: u64, skew: i64) -> u64 {
    (BEGIN + now).saturating_add_signed(skew)
}
