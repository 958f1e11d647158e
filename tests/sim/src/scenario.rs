//! What a seed means: how many machines, what programs may do, and what befalls them when.

use rayw_core::{Amount, Labels, Resources};

use crate::guest::Features;
use crate::random::Random;

/// A second, in microseconds.
pub const SECOND: u64 = 1_000_000;

/// A thousandth of it.
pub const MILLI: u64 = 1_000;

/// The first seed whose programs may submit many small tasks at once.
pub const FLOODS_FROM: u64 = 1_000_000;

/// Something that befalls a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A machine's process is killed, and another one starts there after this time.
    Kill(usize, u64),
    /// Two machines do not hear each other for so long; `None` is the head.
    Cut(usize, Option<usize>, u64),
    /// The head's process is killed, and another one starts after this time.
    Head(u64),
    /// A machine is to be drained, with so much time.
    Drain(usize, u64),
    /// The job of that number is stopped.
    Stop(usize),
}

/// A simulation's settings.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What settles all else.
    pub seed: u64,
    /// What programs may do.
    pub features: Features,
    /// What each machine has.
    pub machines: Vec<(Resources, Labels)>,
    /// When jobs are submitted.
    pub jobs: Vec<u64>,
    /// Packets of a hundred that are lost.
    pub lost: u64,
    /// Packets of a hundred that come twice.
    pub doubled: u64,
    /// How long a packet takes at most, in microseconds.
    pub delay: u64,
    /// Packets of a hundred that take up to ten times as long.
    pub slow: u64,
    /// What befalls it, and when.
    pub faults: Vec<(u64, Fault)>,
    /// Whether the head runs in the process of machine 0, and dies with it.
    pub has_head_node: bool,
    /// The packet of that number is lost, beside the others.
    pub lose: Option<u64>,
}

impl Scenario {
    /// The scenario of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let count = 3 + random.below(3);
        let mut machines: Vec<(Resources, Labels)> =
            (0..count).map(|machine| machine_of(machine, &mut random)).collect();
        // Wherever work may be bound to, there is a machine for it.
        machines[1].0 = machines[1].0.clone().with_custom("gpu", Amount(20_000));
        let features = Features {
            actors: random.chance(70),
            names: random.chance(25),
            kills: random.chance(25),
            cancels: random.chance(25),
            failures: random.chance(40),
            crashes: random.chance(30),
            actor_crashes: random.chance(20),
            groups: random.chance(35),
            places: random.chance(60),
            holders: random.chance(60),
            timeouts: random.chance(50),
            steps: u32::try_from(random.between(4, 14)).unwrap_or(4),
            machines: count,
            floods: false,
        };
        let jobs = (0..1 + random.below(2)).map(|_| random.between(0, 300) * MILLI).collect();
        let is_rough = random.chance(60);
        let mut scenario = Self {
            seed,
            features,
            machines,
            jobs,
            lost: if is_rough { random.between(0, 8) } else { 0 },
            doubled: if is_rough { random.between(0, 8) } else { 0 },
            delay: *random.pick(&[300, 1_000, 5_000]),
            slow: if is_rough { random.between(0, 5) } else { 0 },
            faults: Vec::new(),
            has_head_node: false,
            lose: None,
        };
        scenario.draw_faults(&mut random);
        scenario.has_head_node = random.chance(40);
        // The seeds below were found before there were floods, and stay what they are.
        scenario.features.floods = seed >= FLOODS_FROM && random.chance(60);
        scenario
    }

    /// A fixed scenario with most of what programs can do and nothing that befalls them, for one lost packet.
    #[must_use]
    pub fn fixed(seed: u64, lose: Option<u64>) -> Self {
        let mut scenario = Self::of(seed);
        scenario.features = Features {
            actors: true,
            places: true,
            holders: true,
            steps: 7,
            machines: scenario.machines.len(),
            ..Features::default()
        };
        scenario.faults.clear();
        scenario.jobs.truncate(1);
        (scenario.lost, scenario.doubled, scenario.slow, scenario.lose) = (0, 0, 0, lose);
        scenario
    }

    fn draw_faults(&mut self, random: &mut Random) {
        let count = self.machines.len();
        let when = |random: &mut Random| random.between(5, 1_500) * MILLI;
        match random.below(10) {
            0..=2 => {}
            3..=5 => {
                for _ in 0..1 + random.below(3) {
                    let fault = Fault::Kill(random.below(count), random.between(20, 2_000) * MILLI);
                    self.faults.push((when(random), fault));
                }
            }
            6 | 7 => {
                for _ in 0..1 + random.below(3) {
                    let other = random.chance(60).then(|| random.below(count));
                    let long = random.between(50, 6_000) * MILLI;
                    self.faults.push((when(random), Fault::Cut(random.below(count), other, long)));
                }
            }
            8 => {
                for _ in 0..1 + random.below(2) {
                    self.faults.push((when(random), Fault::Head(random.between(20, 1_500) * MILLI)));
                }
            }
            _ => {
                let fault = Fault::Drain(random.below(count), random.between(100, 3_000));
                self.faults.push((when(random), fault));
            }
        }
        if random.chance(10) {
            self.faults.push((when(random), Fault::Stop(0)));
        }
    }

    /// Whether a fault of that kind is among them.
    #[must_use]
    pub fn has(&self, is: impl Fn(&Fault) -> bool) -> bool {
        self.faults.iter().any(|(_, fault)| is(fault))
    }
}

fn machine_of(machine: usize, random: &mut Random) -> (Resources, Labels) {
    let cpus = random.between(4, 6);
    let total = Resources::cpus(Amount(cpus * 10_000)).with_memory(400).with_custom("seat", Amount(10_000_000));
    let total = if random.chance(30) { total.with_custom("gpu", Amount(10_000)) } else { total };
    let labels = Labels::from([("zone".to_owned(), format!("z{}", machine % 2))]);
    (total, labels)
}
