//! Seeds: many of them, some of them twice, and those that once found something.

use rayw_sim::{Report, Scenario, World, simulate};

/// Seeds of one test: a few of these run beside each other.
const SEEDS: u64 = 100;

#[track_caller]
fn passes(seed: u64, report: &Report) {
    let wrong = report.wrong.as_deref().unwrap_or_default();
    assert!(wrong.is_empty(), "seed {seed} (`cargo xtask sim --from {seed} --trace`): {wrong}");
}

#[track_caller]
fn seeds_from(from: u64) {
    let mut returned = 0;
    for seed in from..from + SEEDS {
        let report = simulate(seed);
        passes(seed, &report);
        returned += report.returned;
    }
    assert!(returned > 5 * SEEDS, "only {returned} tasks returned: the workload does not work");
}

macro_rules! seeds {
    ($($name:ident $from:literal)*) => {
        $(#[test]
        fn $name() {
            seeds_from($from);
        })*
    };
}

seeds! {
    seeds_0 0
    seeds_1 100
    seeds_2 200
    seeds_3 300
    seeds_4 400
    seeds_5 500
    seeds_6 600
    seeds_7 700
    seeds_8 800
    seeds_9 900
    // Those with floods of small tasks.
    seeds_of_floods_0 1_000_000
    seeds_of_floods_1 1_000_100
    seeds_of_floods_2 1_000_200
}

#[test]
fn a_seed_means_the_same_each_time() {
    for seed in (0..400).step_by(23) {
        let run = || World::new(Scenario::of(seed), true, false).run();
        let (first, second) = (run(), run());
        let differs = first.trace.iter().zip(&second.trace).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!((first.digest, first.events), (second.digest, second.events), "seed {seed}");
    }
}

#[test]
fn every_packet_lost_once_changes_no_result() {
    for seed in [9, 21] {
        let run = |lose| World::new(Scenario::fixed(seed, lose), false, false).run();
        let whole = run(None);
        passes(seed, &whole);
        assert!(whole.returned > 5 && whole.results.values().all(Option::is_some), "{whole:?}");
        for lost in 1..=whole.packets {
            let report = run(Some(lost));
            assert!(report.wrong.is_none(), "seed {seed} without packet {lost}: {:?}", report.wrong);
            assert_eq!(report.results, whole.results, "seed {seed} without packet {lost}");
        }
    }
}

/// Each of these seeds found something once. What it was is beside it.
#[test]
fn what_seeds_found_stays_mended() {
    let found = [
        (79, "references in a value that a worker fetches were not lent to it, so it found them lost"),
        (29, "a worker forgot the tasks of a job that ended, so that their owner never heard of their end"),
        (16, "a constructor's arguments came after the end of their actor's life, and stayed counted for ever"),
        (95, "copies of objects whose owner had died stayed in the store for ever"),
        (136, "the copy of an object whose owner had died stayed when its reference went as a failed one"),
        (109, "a node that died took its word to an owner along, and the owner forgot what another node had"),
        (225, "an owner counted tokens for ever that a node gave which died before they came"),
        (230, "the end of an actor that was asked of a head that was away was never asked again"),
        (241, "a `get` whose values were lost while it waited for others ended as if its time were over"),
        (277, "slots given back before the report of their lease was taken in stayed taken for ever"),
        (957, "who asked the head for an actor before its owner's word had come was told that it was dead"),
        (1058, "an actor that was found by its name before its owner had heard that it exists stayed lent for ever"),
        (1078, "who waited for memory kept free cpus from the child of the blocked task that held the memory"),
        (33, "a value that held an actor before its owner had heard that it exists was not counted"),
        (138, "of two returns with one reference the first went, and with it what the second contained"),
        (1121, "who needed an object again that was put and let go waited for ever while its task ran"),
        (2722, "who needed an object again that was put and let go waited for ever while its task ran"),
        (1676, "a `get` whose value failed while it waited for others ended as if its time were over"),
        (2646, "a `get` whose value failed while it waited for others ended as if its time were over"),
        (108, "who rejoined was never told of the death of a node that it had not been told of before"),
        (2244, "who rejoined was never told of the death of a node that it had not been told of before"),
        (3625, "who rejoined was never told of the death of a node that it had not been told of before"),
        (6082, "who joined after a death waited for ever for what the dead node owned"),
        (35747, "of two lost returns the one that nobody asked for left a copy behind when its task ran again"),
        (45203, "of two lost returns the one that nobody asked for left a copy behind when its task ran again"),
        (53144, "a task that broke down after it was cancelled did not say so"),
        (18963, "a call whose argument was made again was not sent"),
        (38125, "calls on their way to an instance that ended came back in another order"),
        (68329, "who asked for an actor in the middle of its node's report was never told that it lives"),
        (83746, "a dead detached actor stayed whose reference was back before the word that it was lent"),
        (34698, "a word about an actor that had been forgotten was kept for ever"),
        (5820, "a token was given back whose lender had died before it could tell the owner, and was counted"),
        (67101, "a copy that came to a node after somebody had missed it there stayed for ever"),
        (134_875, "who was submitted with a lost argument waited until something else was made again"),
        (140_280, "what a call of an actor made that had ended was waited for for ever"),
        (4032, "a new connection confirmed what was not safe, so the end of a job was lost with the head"),
        (14887, "a new connection confirmed what was not safe, so the end of a job was lost with the head"),
        (333_080, "a handle of an actor that was got by its name before the actor was created was not counted"),
        (58_960, "a handle of an actor that was got by its name before the actor was created was not counted"),
        (240_708, "word of a slot for a blocked task crossed word of its end, and the head counted it for ever"),
        (262_674, "word of a slot for a blocked task crossed word of its end, and the head counted it for ever"),
        (386_695, "word of a slot for a blocked task crossed word of its end, and the head counted it for ever"),
        (69_907, "word of a slot for a blocked task crossed word of its end, and the head counted it for ever"),
        (129_840, "word of a slot for a blocked task crossed word of its end, and the head counted it for ever"),
        (207_572, "a named actor whose creator was stopped before the head had answered waited for ever to be made"),
        (341_809, "a named actor whose creator was stopped before the head had answered waited for ever to be made"),
        (55_534, "a detached actor whose owner died before its arguments were there waited for ever for them"),
        (54_120, "what was submitted for a job that was over was not asked for, as it had been asked for before"),
        (524_679, "a node that was lent something died before its owner was told of it, so it stayed lent"),
        (565_661, "a node that lent something died before who had it was told of it, so the owner had no answer"),
        (636_728, "a placement group that was asked for after the end of its job was created, and stayed"),
        (647_302, "a placement group that was asked for after the end of its job was created, and stayed"),
        (202_323, "the end that an actor was asked for was lost when it broke down, and its calls waited for ever"),
        (1_025_775, "a task whose argument had gone left its slot to another one, and a third was put into it"),
    ];
    for (seed, words) in found {
        let report = simulate(seed);
        assert!(report.wrong.is_none(), "seed {seed}, {words}: {:?}", report.wrong);
    }
}
