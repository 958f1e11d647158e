//! Programs: what a guest does, step after step, settled by a seed.
//!
//! The same program runs in two places: in the simulated cluster, and in the oracle, which says what
//! must come out of it. So its steps depend on its seed and on how many references it holds, never on
//! time or on what failed on the way: who gets an error ends with it.

mod action;
mod code;

pub use action::{Action, ActorWish, Answer, Argument, Place, Reference, TaskWish, Val};
pub use code::{Code, Features, Kind};

use crate::random::{Random, mix};

/// What the answer to the last action is for.
#[derive(Debug, Clone)]
enum After<R> {
    Nothing,
    /// References to be held.
    Take,
    /// Values to be counted in.
    Count,
    /// References that nobody may count on: to be dropped.
    Shed,
    /// The object with what an actor keeps.
    Given,
    /// Its value.
    Opened(R),
    /// The values of what was in it.
    Inner,
}

/// A running program.
#[derive(Debug, Clone)]
pub struct Guest<R> {
    code: Code,
    random: Random,
    features: Features,
    returns: u32,
    acc: u64,
    objects: Vec<R>,
    actors: Vec<R>,
    steps: u32,
    after: After<R>,
    /// To be dropped before anything else is done.
    surplus: Vec<R>,
    has_group: bool,
    is_ending: bool,
    /// Small tasks that it submits before anything else.
    flood: u32,
}

impl<R: Reference> Guest<R> {
    /// A program that begins.
    #[must_use]
    pub fn new(code: Code, args: Vec<Val<R>>, returns: u32, features: Features) -> Self {
        let mut random = Random::new(code.seed);
        let steps = match code.kind {
            Kind::Driver => features.steps,
            Kind::Constructor | Kind::Keep | Kind::Give => 0,
            Kind::Method => u32::try_from(random.below(2)).unwrap_or(0),
            Kind::Task | Kind::Holder if code.depth == 0 => u32::try_from(random.below(3)).unwrap_or(0),
            Kind::Task | Kind::Holder => 2 + u32::try_from(random.below(4)).unwrap_or(0),
        };
        let mut guest = Self {
            code,
            random,
            features,
            returns,
            acc: code.seed,
            objects: Vec::new(),
            actors: Vec::new(),
            steps,
            after: After::Nothing,
            surplus: Vec::new(),
            has_group: false,
            is_ending: false,
            flood: 0,
        };
        if features.floods && code.depth > 0 && matches!(code.kind, Kind::Driver | Kind::Task) {
            guest.flood = u32::try_from(guest.random.between(4, 30)).unwrap_or(0);
        }
        for arg in args {
            guest.acc = mix(guest.acc, arg.num);
            guest.hold(arg.refs);
        }
        if !matches!(code.kind, Kind::Driver | Kind::Task | Kind::Keep) {
            guest.surplus.append(&mut guest.objects);
            guest.surplus.append(&mut guest.actors);
        }
        guest
    }

    /// What it does next.
    pub fn next(&mut self, answer: Answer<R>) -> Action<R> {
        match (std::mem::replace(&mut self.after, After::Nothing), answer) {
            (_, Answer::Failed(kind)) => return Action::Fail(Some(kind)),
            (After::Take, Answer::Refs(refs)) => self.hold(refs),
            (After::Count, Answer::Values(values)) => {
                for value in values {
                    self.acc = mix(self.acc, value.num);
                    self.hold(value.refs);
                }
            }
            (After::Shed, Answer::Refs(refs)) => self.surplus.extend(refs),
            (After::Given, Answer::Refs(mut refs)) => {
                if let Some(given) = refs.pop() {
                    self.after = After::Opened(given.clone());
                    return Action::Get(vec![given]);
                }
            }
            (After::Opened(given), Answer::Values(values)) => {
                self.surplus.push(given);
                let inner: Vec<R> = values.into_iter().flat_map(|value| value.refs).collect();
                let objects: Vec<R> = inner.iter().filter(|inner| !inner.is_actor()).cloned().collect();
                self.surplus.extend(inner);
                if !objects.is_empty() {
                    self.after = After::Inner;
                    return Action::Get(objects);
                }
            }
            (After::Inner, Answer::Values(values)) => {
                self.surplus.extend(values.into_iter().flat_map(|value| value.refs));
            }
            _ => {}
        }
        if let Some(surplus) = self.surplus.pop() {
            return Action::Drop(surplus);
        }
        if self.objects.len() > 10 {
            let index = self.random.below(self.objects.len());
            return Action::Drop(self.objects.swap_remove(index));
        }
        if self.flood > 0 {
            self.flood -= 1;
            return self.small();
        }
        if self.steps > 0 {
            self.steps -= 1;
            return self.step();
        }
        self.end()
    }

    fn hold(&mut self, refs: Vec<R>) {
        for held in refs {
            if held.is_actor() { self.actors.push(held) } else { self.objects.push(held) }
        }
    }

    fn step(&mut self) -> Action<R> {
        let is_own_only = !matches!(self.code.kind, Kind::Driver | Kind::Task);
        let may = self.features;
        for _ in 0..8 {
            match self.random.below(16) {
                0..=4 if self.code.depth > 0 => return self.submit(),
                5 => {
                    self.after = After::Take;
                    return Action::Put(self.value(is_own_only));
                }
                6..=7 if !self.objects.is_empty() => {
                    let wanted = 1 + self.random.below(3);
                    self.after = After::Count;
                    return Action::Get(self.some_objects(wanted));
                }
                8 if !self.objects.is_empty() => {
                    let mut of = self.objects.clone();
                    of.truncate(4);
                    let ready = u32::try_from(1 + self.random.below(of.len())).unwrap_or(1);
                    let timeout = may.timeouts && self.random.chance(40);
                    let timeout = timeout.then(|| self.random.between(0, 30));
                    return Action::Wait(of, ready, timeout);
                }
                9 => return Action::Compute(self.random.between(0, 20_000)),
                10 if may.actors && !is_own_only && self.actors.len() < 3 => return self.create(),
                11..=13 if may.actors && !is_own_only && !self.actors.is_empty() => return self.call(),
                14 if may.cancels && !is_own_only && !self.objects.is_empty() && self.random.chance(40) => {
                    let index = self.random.below(self.objects.len());
                    return Action::Cancel(self.objects.swap_remove(index), self.random.chance(50));
                }
                15 if may.kills && !is_own_only && !self.actors.is_empty() && self.random.chance(40) => {
                    let index = self.random.below(self.actors.len());
                    let actor = self.actors.swap_remove(index);
                    if self.random.chance(30) {
                        return Action::Terminate(actor);
                    }
                    return Action::Kill(actor, self.random.chance(60));
                }
                14 if may.groups && self.code.kind == Kind::Driver => {
                    if self.has_group {
                        if self.random.chance(20) {
                            self.has_group = false;
                            return Action::Unreserve;
                        }
                        continue;
                    }
                    self.has_group = true;
                    self.after = After::Take;
                    let bundles = 1 + self.random.below(3);
                    return Action::Reserve(self.random.below(4), u32::try_from(bundles).unwrap_or(1));
                }
                _ => {}
            }
        }
        Action::Compute(self.random.between(0, 3_000))
    }

    /// A task of which many may wait for a slot, whichever it is.
    fn small(&mut self) -> Action<R> {
        let code = Code { kind: Kind::Task, seed: self.random.draw(), depth: 0 };
        let args = self.args(false);
        let wish = TaskWish {
            cpu: 10_000,
            memory: 0,
            gpu: false,
            place: Place::Default,
            retries: *self.random.pick(&[0, 3, 3, 3, 3, 3, 3, 3]),
            retry_exceptions: self.random.chance(20),
            returns: 1,
        };
        self.after = After::Take;
        Action::Submit(code, args, wish)
    }

    fn submit(&mut self) -> Action<R> {
        let is_holder =
            self.features.holders && matches!(self.code.kind, Kind::Driver | Kind::Task) && self.random.chance(25);
        let kind = if is_holder { Kind::Holder } else { Kind::Task };
        // Below one that holds something nobody is to wait for the same: all of it may be held that way.
        let depth = if self.code.kind == Kind::Holder { 0 } else { self.code.depth - 1 };
        let code = Code { kind, seed: self.random.draw(), depth };
        let args = self.args(!matches!(self.code.kind, Kind::Driver | Kind::Task));
        let wish = TaskWish {
            cpu: *self.random.pick(&[10_000, 10_000, 10_000, 20_000, 5_000, 0]),
            memory: if is_holder { *self.random.pick(&[0, 100, 200]) } else { 0 },
            gpu: is_holder && self.random.chance(50),
            place: self.place(),
            retries: *self.random.pick(&[0, 1, 3, 3]),
            retry_exceptions: self.random.chance(20),
            returns: *self.random.pick(&[1, 1, 1, 2]),
        };
        self.after = After::Take;
        let wish = match wish.place {
            Place::Group(_) => TaskWish { cpu: 2_500, memory: 0, gpu: false, ..wish },
            Place::On(..) | Place::Zone(_) => TaskWish { cpu: wish.cpu.min(10_000), gpu: false, ..wish },
            Place::Default | Place::Spread => wish,
        };
        Action::Submit(code, args, wish)
    }

    fn place(&mut self) -> Place {
        if self.has_group && self.random.chance(50) {
            let bundle = self.random.chance(50).then_some(0);
            return Place::Group(bundle);
        }
        if !self.features.places || self.random.chance(50) {
            return Place::Default;
        }
        match self.random.below(4) {
            0 => Place::On(self.random.below(self.features.machines), self.random.chance(70)),
            1 => Place::Zone(self.random.below(2)),
            _ => Place::Spread,
        }
    }

    fn create(&mut self) -> Action<R> {
        let named = self.features.names && self.random.chance(30);
        let wish = ActorWish {
            restarts: *self.random.pick(&[0, 0, 1, 3]),
            task_retries: *self.random.pick(&[0, 0, 2]),
            name: named.then(|| self.random.below(2)),
            detached: self.features.names && self.random.chance(20),
            holds: self.features.holders && self.random.chance(30),
            out_of_order: self.random.chance(20),
            place: self.place(),
        };
        let code = Code { kind: Kind::Constructor, seed: self.random.draw(), depth: 0 };
        self.after = After::Take;
        let mut args = self.args(true);
        if wish.name.is_some() {
            // Who finds it by its name may wait for it, and its constructor must not wait for those in turn.
            args.retain(|arg| matches!(arg, Argument::Value(_)));
        }
        Action::Create(code, args, wish)
    }

    fn call(&mut self) -> Action<R> {
        let actor = self.actors[self.random.below(self.actors.len())].clone();
        let kind = match self.random.below(6) {
            0 | 1 => Kind::Keep,
            2 if self.code.kind == Kind::Driver => Kind::Give,
            _ => Kind::Method,
        };
        let code = Code { kind, seed: self.random.draw(), depth: u32::from(kind == Kind::Method) };
        self.after = match kind {
            Kind::Give => After::Given,
            _ if code.crashes(&self.features) > 0 => After::Shed,
            _ => After::Take,
        };
        let args = if kind == Kind::Give { Vec::new() } else { self.args(false) };
        Action::Call(actor, code, args)
    }

    fn args(&mut self, no_actors: bool) -> Vec<Argument<R>> {
        let mut args = Vec::new();
        for _ in 0..self.random.below(3) {
            if !self.objects.is_empty() && self.random.chance(50) {
                let index = self.random.below(self.objects.len());
                args.push(Argument::Object(self.objects[index].clone()));
            } else {
                args.push(Argument::Value(self.value(no_actors)));
            }
        }
        args
    }

    fn value(&mut self, no_actors: bool) -> Val<R> {
        let mut refs = Vec::new();
        for _ in 0..self.random.below(3) {
            if !self.objects.is_empty() {
                refs.push(self.objects[self.random.below(self.objects.len())].clone());
            }
        }
        if !no_actors && !self.actors.is_empty() && self.random.chance(30) {
            refs.push(self.actors[self.random.below(self.actors.len())].clone());
        }
        Val { num: self.random.draw(), refs, is_large: self.random.chance(30) }
    }

    fn some_objects(&mut self, wanted: usize) -> Vec<R> {
        let start = self.random.below(self.objects.len());
        self.objects.iter().cycle().skip(start).take(wanted.min(self.objects.len())).cloned().collect()
    }

    fn end(&mut self) -> Action<R> {
        if self.code.kind == Kind::Driver && !self.is_ending {
            self.is_ending = true;
            if !self.objects.is_empty() {
                self.after = After::Count;
                return Action::Get(self.objects.clone());
            }
        }
        if self.code.kind == Kind::Driver && std::mem::take(&mut self.has_group) {
            return Action::Unreserve;
        }
        let may_fail = matches!(self.code.kind, Kind::Task | Kind::Holder | Kind::Method);
        if may_fail && self.features.failures && self.random.chance(3) {
            return Action::Fail(None);
        }
        let is_bare = !matches!(self.code.kind, Kind::Driver | Kind::Task);
        let mut values = Vec::new();
        for _ in 0..self.returns {
            let mut value = if self.code.kind == Kind::Keep {
                Val { num: self.random.draw(), refs: Vec::new(), is_large: false }
            } else {
                self.value(is_bare)
            };
            value.num = mix(self.acc, value.num);
            values.push(value);
        }
        Action::Return(values)
    }

    /// The references in the arguments of a `Keep`.
    #[must_use]
    pub fn held(&self) -> Vec<R> {
        self.objects.iter().chain(&self.actors).cloned().collect()
    }
}
