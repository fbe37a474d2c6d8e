//! One seed: isolates that come, idle and go, clients that ask through them, and everything that happens meanwhile. At the
//! end the weather clears up, and everything must work again.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use rimward_edge::control::ledger::Beginning;
use rimward_edge::serve::{Isolate, serve};
use serde_json::{Value, json};

use super::client::{Asking, Seen};
use super::clockwork::{Clockwork, Event, Millis};
use super::oracle::{Oracle, SKEW};
use super::origin::{ORIGIN, Origin, Said};
use super::platform::{DataCentre, Edge, Log, Place, World};
use super::random::Random;
use super::rules::{POLICIES, Policy, RULES, Varies};
use super::weather::Weather;
use crate::world::{Folder, settings, site};

/// After an answer the platform goes on with what was deferred for so long.
const AFTERWARDS: Millis = 30_000;
/// Requests under way at once.
const CLIENTS: usize = 60;
/// From this seed on bodies take long, clients go before they end, and nothing happens for a while: what requests leave
/// behind matters.
pub(super) const FIRST_SLOW: u64 = 1_000_000;
const SLOW_BODIES: Millis = 45_000;
/// Requests, many at once, changes, purges, isolates, weather, clients that go, two lengths of silence, losses.
const STORMY: [u64; 10] = [800, 40, 70, 25, 15, 25, 10, 3, 1, 2];
const SLOW: [u64; 10] = [500, 40, 20, 5, 3, 15, 60, 40, 0, 1];
/// A request takes no longer while everything works: nothing that it waits for does.
const AT_ONCE: Millis = 200;
/// For so long after an answer that could not be shared, requests of its key go alone.
const ALONE: Millis = 121_000;

/// What one seed came to.
#[derive(Default)]
pub(super) struct Lived {
    pub(super) steps: u64,
    pub(super) requests: u64,
    pub(super) hits: u64,
    pub(super) by_detail: BTreeMap<String, u64>,
    pub(super) wrong: Option<String>,
    pub(super) trace: Vec<String>,
}

/// The isolates, and who waits for an answer.
struct Life {
    world: Rc<World>,
    places: RefCell<Vec<Rc<Place>>>,
    paths: Vec<String>,
    /// By request: its isolate, and its task.
    waiting: RefCell<HashMap<u64, (u64, u64)>>,
    requests: Cell<u64>,
    isolates: Cell<u64>,
    is_calm: Cell<bool>,
    /// How often each kind of thing happens.
    weights: [u64; 10],
}

/// Lives one seed for so many steps, and then until everything works again.
pub(super) fn live(seed: u64, steps: u64, is_traced: bool) -> Lived {
    let life = Life::begin(seed, is_traced);
    let world = &life.world;
    let nobody = Rc::clone(&world.nobody);
    world.clock.spawn(&nobody, Rc::clone(world).copy_log());
    world.clock.spawn(&nobody, Rc::clone(&life).happen());
    let wrong = RefCell::new(None);
    let fine = || {
        wrong.replace(world.oracle.take_wrong());
        wrong.borrow().is_none()
    };
    world.clock.run(|| fine() && world.clock.steps() < steps);
    if wrong.borrow().is_none() {
        life.is_calm.set(true);
        let is_over = Rc::<Cell<bool>>::default();
        let (calm, over) = (Rc::clone(&life), Rc::clone(&is_over));
        world.clock.spawn(&nobody, async move {
            calm.recover().await;
            over.set(true);
        });
        world.clock.run(|| fine() && !is_over.get());
    }
    let by_detail = world.oracle.by_detail.borrow().iter().map(|(word, count)| (word.clone(), *count)).collect();
    let lived = Lived {
        steps: world.clock.steps(),
        requests: life.requests.get(),
        hits: world.oracle.hits.get(),
        by_detail,
        wrong: wrong.take(),
        trace: world.traced.as_ref().map(RefCell::take).unwrap_or_default(),
    };
    world.clock.clear();
    lived
}

impl Life {
    fn begin(seed: u64, is_traced: bool) -> Rc<Life> {
        let random = Random::new(seed);
        let weather = Weather::default();
        let is_slow = seed >= FIRST_SLOW;
        if is_slow {
            weather.bodies_slow_when_clear.set(SLOW_BODIES);
        }
        weather.clear_up();
        // Either clocks agree, or the data centre's cache keeps its times: a snapshot of the log is trusted by one of them.
        weather.stores_keep_too_long.set(random.chance(300));
        let centres = 1 + random.below(3);
        let origin = Origin::default();
        origin.offset.set(offset(&random));
        let log = Log::new(offset(&random), Beginning::default());
        let gone = Rc::default();
        let world = Rc::new(World {
            clock: Clockwork::new(seed),
            weather,
            origin,
            oracle: Oracle::default(),
            centres: (0..centres).map(|_| DataCentre::default()).collect(),
            log: RefCell::new(log),
            everywhere: RefCell::default(),
            files: files(),
            nobody: Rc::new(Event::new(0, 0, &gone)),
            traced: is_traced.then(RefCell::default),
            random,
        });
        let random = &world.random;
        let mut paths = Vec::new();
        for _ in 0..3 + random.below(5) {
            paths.push(format!("/{}/{}", random.pick(POLICIES).name, random.pick(RULES).name));
        }
        let life = Life {
            paths,
            places: RefCell::default(),
            waiting: RefCell::default(),
            requests: Cell::new(0),
            isolates: Cell::new(0),
            is_calm: Cell::new(false),
            weights: if is_slow { SLOW } else { STORMY },
            world: Rc::clone(&world),
        };
        let neighbours = if random.chance(400) { 1 } else { 2 + random.below(2) };
        for centre in 0..world.centres.len() {
            for _ in 0..neighbours {
                let place = life.place(centre);
                life.places.borrow_mut().push(place);
            }
        }
        Rc::new(life)
    }

    /// An isolate that has just begun.
    fn place(&self, centre: usize) -> Rc<Place> {
        self.isolates.set(self.isolates.get() + 1);
        let agree = self.world.weather.stores_keep_too_long.get();
        let offset = if agree { 0 } else { offset(&self.world.random) };
        Rc::new(Place {
            number: self.isolates.get(),
            centre,
            offset,
            gone: Rc::default(),
            isolate: Rc::new(Isolate::default()),
        })
    }

    /// One thing after the other, for ever.
    async fn happen(self: Rc<Self>) {
        let World { clock, random, .. } = &*self.world;
        loop {
            let gap = random.choose(&[0, 0, 1, 5, 30, 150, 400]);
            clock.pause(random.below(gap + 1)).await;
            if self.is_calm.get() {
                return;
            }
            match random.weighed(&self.weights) {
                0 => self.request(),
                1 => {
                    for _ in 0..random.below(12) {
                        self.request_for(&self.paths[0]);
                    }
                }
                2 => {
                    let path: &String = random.pick(&self.paths);
                    self.world.origin.change(path, clock.now());
                }
                3 => self.purge(),
                4 => self.replace_isolate(),
                5 => {
                    self.world.weather.change(random, self.world.centres.len() as u64);
                    self.world.trace(|| "the weather changes".to_owned());
                }
                6 => self.leave(),
                7 => clock.pause(random.below(40_000)).await,
                8 => clock.pause(random.below(3_000_000)).await,
                _ => self.lose(),
            }
        }
    }

    fn request(self: &Rc<Self>) {
        let path = self.world.random.pick(&self.paths).clone();
        self.request_for(&path);
    }

    fn request_for(self: &Rc<Self>, path: &str) {
        let random = &self.world.random;
        if self.waiting.borrow().len() >= CLIENTS {
            return;
        }
        let place = Rc::clone(random.pick(&self.places.borrow()));
        let tag = self.world.oracle.tag(path);
        let asking = Asking::any(self.next(), path, random, tag.as_deref(), self.world.clock.now());
        self.ask(&place, asking);
    }

    fn next(&self) -> u64 {
        self.requests.set(self.requests.get() + 1);
        self.requests.get()
    }

    /// A client asks, reads what comes, and judges it.
    fn ask(self: &Rc<Self>, place: &Rc<Place>, asking: Asking) {
        let event = Rc::new(Event::new(asking.number, place.number, &place.gone));
        let (number, isolate) = (asking.number, place.number);
        let (life, place, of) = (Rc::clone(self), Rc::clone(place), Rc::clone(&event));
        self.world.trace(|| format!("request {number} at isolate {isolate}: {} {}", asking.method, asking.path));
        let task = self.world.clock.spawn(&event, async move {
            life.visit(&place, &of, &asking).await;
            of.ends_at.set(life.world.clock.now() + AFTERWARDS);
            life.waiting.borrow_mut().remove(&number);
        });
        self.waiting.borrow_mut().insert(number, (isolate, task));
    }

    async fn visit(&self, place: &Rc<Place>, event: &Rc<Event>, asking: &Asking) -> (Seen, Vec<u8>, bool) {
        let World { clock, oracle, .. } = &*self.world;
        let (world, event) = (Rc::clone(&self.world), Rc::clone(event));
        let edge = Rc::new(Edge { world, event, centre: place.centre, offset: place.offset });
        let answer = serve(&edge, &place.isolate, asking).await;
        let mut seen = Seen::of(answer, clock.now());
        let number = asking.number;
        self.world.trace(|| {
            format!("  request {number}: {} said {} `{}`", seen.status, seen.field("x-answer"), seen.cache_status())
        });
        oracle.judge(&self.world, asking, &seen, place);
        oracle.changed_here(&self.world, asking, &seen, place);
        let (body, is_whole) = seen.body(&self.world).await;
        if is_whole {
            oracle.judge_body(&self.world, asking, &seen, &body);
        }
        (seen, body, is_whole)
    }

    /// A client goes before it has its answer.
    fn leave(&self) {
        let World { clock, random, .. } = &*self.world;
        let mut waiting: Vec<(u64, (u64, u64))> =
            self.waiting.borrow().iter().map(|(key, value)| (*key, *value)).collect();
        waiting.sort_unstable();
        if waiting.is_empty() {
            return;
        }
        let (number, (_, task)) = random.choose(&waiting);
        self.world.trace(|| format!("the client of request {number} goes"));
        self.waiting.borrow_mut().remove(&number);
        if let Some(event) = clock.event_of(task) {
            event.ends_at.set(clock.now() + AFTERWARDS);
        }
        clock.abandon(task);
    }

    fn purge(self: &Rc<Self>) {
        let World { clock, random, .. } = &*self.world;
        let path = random.pick(&self.paths);
        let kind = path.rsplit('/').next().unwrap_or_default();
        let policy = Policy::of(path).name;
        let item = match random.below(9) {
            0 => json!({ "url": path }),
            1 => json!({ "url": format!("{path}?b=2&a=1") }),
            2 => json!({ "prefix": format!("/{policy}/") }),
            3 => json!({ "prefix": path }),
            4 => json!({ "tag": format!("tag-{kind}") }),
            5 => json!({ "tag": format!("policy-{policy}") }),
            6 | 7 => json!({ "group": format!("group-{kind}") }),
            _ => json!({ "all": true }),
        };
        let mut items = vec![item];
        if random.chance(20) {
            items.extend((0..450).map(|number| json!({ "tag": format!("other-{}-{number}", self.requests.get()) })));
        }
        let body = json!({ "purges": items, "soft": random.chance(400) });
        let place = Rc::clone(random.pick(&self.places.borrow()));
        let asking = Asking::purge(self.next(), &body, clock.now());
        self.ask(&place, asking);
    }

    /// An isolate goes, and another one comes: the first is thrown away, or finishes what it has begun.
    fn replace_isolate(&self) {
        let random = &self.world.random;
        let at = usize::try_from(random.below(self.places.borrow().len() as u64)).expect("an index");
        let old = Rc::clone(&self.places.borrow()[at]);
        let new = self.place(old.centre);
        self.world.trace(|| format!("isolate {} takes the place of {}", new.number, old.number));
        self.places.borrow_mut()[at] = new;
        if random.chance(600) {
            old.gone.set(true);
            self.waiting.borrow_mut().retain(|_, (isolate, _)| *isolate != old.number);
        }
    }

    /// Something that was kept is lost.
    fn lose(&self) {
        let World { random, centres, log, .. } = &*self.world;
        match random.below(8) {
            0..3 => random.pick(centres).cache.borrow_mut().clear(),
            3..6 => log.borrow_mut().restart(),
            6 => self.world.lose_log(offset(random)),
            _ => self.world.everywhere.borrow_mut().clear(),
        }
        self.world.trace(|| "something is lost".to_owned());
    }

    /// Everything works again, some time after the weather did.
    async fn recover(self: Rc<Self>) {
        let World { clock, weather, oracle, origin, .. } = &*self.world;
        weather.bodies_slow_when_clear.set(0);
        weather.clear_up();
        self.world.trace(|| "the weather clears up for good".to_owned());
        clock.pause(2 * ALONE).await;
        if let Some((number, _)) = self.waiting.borrow().iter().next() {
            oracle.wrong(format!("request {number} was never answered"));
        }
        let places = self.places.borrow().clone();
        let body = json!({ "purges": [{ "all": true }] });
        let purge = Asking::purge(self.next(), &body, clock.now());
        let (purged, ..) = self.alone(&places[0], purge).await;
        if purged.status != 200 {
            oracle.wrong(format!("{} for a purge while everything works", purged.status));
        }
        let purged_at = clock.now();
        clock.pause(2 * SKEW + 1).await;
        // What an isolate has certainly kept of each path, and what the cache of a data centre has.
        let mut in_memory: HashMap<(u64, &str), Rc<Said>> = HashMap::new();
        let mut in_cache: HashMap<(usize, &str), Option<Rc<Said>>> = HashMap::new();
        let new = (0..self.world.centres.len()).map(|centre| self.place(centre));
        let places = places.into_iter().map(|place| (place, false)).chain(new.map(|place| (place, true)));
        for (place, is_new) in places {
            // What is fetched while little is known of the log seems older than it is: that costs one more fetch.
            let mut knows_the_log = false;
            for path in self.paths.iter().flat_map(|path| [path.as_str(); 3]) {
                let began_at = clock.now();
                let asking = Asking::new(self.next(), "GET", path, began_at);
                let number = asking.number;
                let (seen, _, is_whole) = self.alone(&place, asking).await;
                let said = seen.number("x-answer").and_then(|number| origin.said(number));
                let Some(said) = said.filter(|said| is_whole && said.asked_at >= purged_at) else {
                    oracle.wrong(format!("request {number}: {} while everything works", seen.status));
                    return;
                };
                let waited = seen.at - began_at;
                if waited > AT_ONCE {
                    oracle.wrong(format!("request {number} waited {waited} ms while everything works"));
                }
                let is_hit = seen.cache_status().starts_with("rimward; hit");
                let (by_isolate, by_centre) = ((place.number, path), (place.centre, path));
                let cached = in_cache.get(&by_centre).and_then(Option::as_ref).filter(|_| is_new);
                let kept = in_memory.get(&by_isolate).or(cached);
                if !is_hit && kept.is_some_and(|said| said.is_reusable(Policy::of(path), seen.at)) {
                    oracle.wrong(format!("request {number}: `{}` of what was just kept", seen.cache_status()));
                }
                if !is_hit {
                    // A list of variants that an isolate knows already it does not write again.
                    let is_found = knows_the_log && said.rule.varies == Varies::Not;
                    in_cache.insert(by_centre, is_found.then(|| Rc::clone(&said)));
                }
                // Of several variants that would do, memory may have another one than the cache.
                if !is_hit && knows_the_log || is_hit && said.rule.varies == Varies::Not {
                    in_memory.insert(by_isolate, said);
                }
                knows_the_log = true;
                clock.pause(100).await;
            }
        }
    }

    /// A request in an event of its own, while nothing goes wrong.
    async fn alone(&self, place: &Rc<Place>, asking: Asking) -> (Seen, Vec<u8>, bool) {
        let event = Rc::new(Event::new(asking.number, place.number, &place.gone));
        self.world.trace(|| format!("request {} at isolate {}: {}", asking.number, place.number, asking.path));
        self.visit(place, &event, &asking).await
    }
}

/// How far a clock is off: two are never further apart than is allowed.
fn offset(random: &Random) -> i64 {
    i64::try_from(random.below(SKEW)).expect("a second") - i64::try_from(SKEW / 2).expect("half a second")
}

/// A site with all policies.
fn files() -> BTreeMap<String, Vec<u8>> {
    let (caches, routes) = Policy::settings();
    let timeout = json!({ "answer_ms": 2_000, "idle_ms": 30_000, "total_ms": 40_000 });
    let pools: Value = json!({ "api": { "origins": [{ "url": ORIGIN }], "timeout": timeout } });
    let settings = settings(json!({ "caches": caches, "routes": routes, "pools": pools }));
    site(&settings, &Folder::new("r1", "/")).world.files.take()
}
