//! Every limit, period and default in one place, each with its reason.

use std::time::Duration;

use crate::Amount;

/// Values up to here travel inside messages and live in the owner's tables, while these have room
/// ([`SMALL_BYTES_AT_LEAST`], [`INLINE_TOGETHER_BYTES_MAX`]); larger ones live in a store. Ray's `max_direct_call_object_size`.
pub const INLINE_BYTES_MAX: usize = 100 * 1024;

/// What an instance may have when its task asks for no memory: half of what wasm32 can address, so
/// that ordinary work needs no option and a runaway allocation still ends early.
pub const INSTANCE_MEMORY_BYTES_DEFAULT: u64 = 2 << 30;

/// Values up to this size are with their owner however many there are: the owner's entry for an object in the store
/// takes as much.
pub const ALWAYS_INLINE_BYTES_MAX: u64 = 512;

/// Bytes that small values, arguments of unfinished tasks and references in objects may have on a node at least; with
/// a larger store they may have twice what that may have in memory. Then guests are refused.
pub const SMALL_BYTES_AT_LEAST: u64 = 256 << 20;

/// Bytes of small arguments that one task may bring along, and of small values that it may return with the news of its
/// end; Ray's `task_rpc_inlined_bytes_limit`. What is more goes to the store.
pub const INLINE_TOGETHER_BYTES_MAX: u64 = 10 << 20;

/// Objects that one node may own. Each takes some 200 bytes beside its value, so that these are 2 GB.
pub const OBJECTS_MAX: usize = 10_000_000;

/// The largest value: what wasm32 could hold beside its code with both copies in memory.
pub const VALUE_BYTES_MAX: usize = 1 << 30;

/// References that one value may contain. 100 000 is wasmtime's own default for handles a store.
pub const VALUE_REFS_MAX: usize = 100_000;

/// References in a value from which on a guest that reads it gets one handle for all of them, until it takes them out:
/// below, one for all costs as much as one for each.
pub const CONTENTS_MIN: usize = 64;

/// The largest of many values that a guest gets packed: to copy more than this costs more than a list of its own.
pub const PACKED_VALUE_BYTES_MAX: usize = 4 << 10;

/// The bytes of all values that a guest gets packed: it has them twice while it reads them.
pub const PACKED_BYTES_MAX: usize = 1 << 20;

/// The references in all values that a guest gets packed: they are counted in one turn of the node's lock, which takes
/// a millisecond then.
pub const PACKED_REFS_MAX: usize = 10_000;

/// Returns of one task. Ray's envelope says 3 000 and more.
pub const RETURNS_MAX: u32 = 10_000;

/// Arguments of one task. Ray's envelope says 10 000 and more.
pub const ARGS_MAX: usize = 100_000;

/// Attempts after a failure of the system, Ray's `RAY_TASK_MAX_RETRIES`.
pub const MAX_RETRIES_DEFAULT: u32 = 3;

/// Cpus of a task that asks for none, and of an actor while it is placed; Ray's default.
pub const NUM_CPUS_DEFAULT: Amount = Amount::ONE;

/// An owner gives an idle lease back after this long. Ray keeps a worker for 500 ms too.
pub const LEASE_IDLE: Duration = Duration::from_millis(500);

/// How long a lease may keep its slots while other shapes wait for them. Long enough that a change
/// of hands costs little beside the work, short enough that nobody notices the wait.
pub const LEASE_QUANTUM: Duration = Duration::from_millis(20);

/// How often others may go ahead of a demand that does not fit yet, before those behind it that want
/// the same resources wait. A few times keep a node busy, more would starve large demands.
pub const DEMAND_PASSED_MAX: u32 = 4;

/// Slots of one lease: bounds how much of a cluster one answer of the head gives away, and how many
/// tasks that ask for nothing run at once.
pub const LEASE_SLOTS_MAX: u32 = 512;

/// Instances alive at once on one node: running tasks, blocked ones and actors. Each reserves about
/// 20 GiB of address space (never memory), so this takes 40 TiB of the 128 TiB there are.
pub const INSTANCES_MAX: u32 = 2_000;

/// Tasks that may be unfinished at one owner. At about 1 KiB each this is 2 GiB.
pub const TASKS_MAX: usize = 2_000_000;

/// Finished tasks that stay listed, less up to 500. Ray's `RAY_task_events_max_num_task_in_gcs`.
pub const FINISHED_TASKS_KEPT: usize = 100_000;

/// Bytes of the error of a finished task that are listed: there may be [`FINISHED_TASKS_KEPT`] of them.
pub const ERROR_LISTED_BYTES_MAX: usize = 1 << 10;

/// Bytes of an error that the head and its journal keep of a dead actor or a job that is over: all of a usual one, a
/// backtrace included, and there may be a hundred thousand.
pub const ERROR_KEPT_BYTES_MAX: usize = 8 << 10;

/// Messages that the head's inbox keeps room for when it is empty, so that not each batch of actors asks for memory
/// anew, and the room of a flood does not stay. About 0.5 MiB.
pub const INBOX_KEPT: usize = 4_096;

/// Dead actors that stay listed, as in Ray's `maximum_gcs_destroyed_actor_cached_count`.
pub const DEAD_ACTORS_KEPT: usize = 100_000;

/// Rows of one answer of `rayw list`, and the default. Ray's 10 000 and 100.
pub const LIST_ROWS_MAX: usize = 10_000;
/// Rows when nobody says how many.
pub const LIST_ROWS_DEFAULT: usize = 100;

/// Part of the machine's memory that the object store may take; Ray's 30 %.
pub const STORE_MEMORY_PERCENT: u64 = 30;

/// Part of the store above which objects go to disk; Ray's `object_spilling_threshold`.
pub const STORE_SPILL_PERCENT: u64 = 80;

/// Part of a disk that spilled objects may fill; Ray's `local_fs_capacity_threshold`.
pub const STORE_DISK_PERCENT_MAX: u64 = 95;

/// Orders that are sent ahead for one slot of another node, behind the task that runs in it. With each of
/// them a word from there has more time to come before the slot is idle; what waits there is out of the hands
/// of its owner, which could have a slot elsewhere first.
pub const AHEAD_MAX: usize = 3;

/// When as many tasks of a lease as it has slots end within so many milliseconds, they are short enough that what
/// is sent ahead has its slot soon.
pub const AHEAD_PAUSE_MAX_MS: u64 = 10;

/// The same for a slot of this node, whose worker goes from one order to the next without the node's lock: several times
/// as many as it says at once of what it did. When its line is empty it has to wait for the lock, which others have much
/// of the time: with 32 that was a twelfth of a worker's time, spent asleep and being woken.
pub const AHEAD_HERE_MAX: usize = 8 * BACKLOG_EVENTS_MAX;

/// The same as [`AHEAD_PAUSE_MAX_MS`] for slots of this node, where less is won: all that waits for one slot is
/// done in less than a tick then.
pub const AHEAD_HERE_PAUSE_MAX_MS: u64 = 1;

/// Slots of a lease above which nothing is sent ahead: who looks for one of them looks at all, and with so many
/// there is always one that becomes free.
pub const AHEAD_SLOTS_MAX: u32 = 64;

/// How often a file of a spilled object is written or read before the disk's error counts. With the pauses
/// in between it has a third of a second to come round, in which only those wait who need this object.
pub const SPILL_TRIES: u32 = 6;

/// How long a disk has to come round the first time; twice as long each time after.
pub const SPILL_PAUSE: Duration = Duration::from_millis(10);

/// How often one who stores an object waits for others that make room, before the object goes to disk
/// itself. Each time somebody else got the room that was made.
pub const STORE_WAITS_MAX: u32 = 16;

/// Part of the machine's memory that tasks may reserve; Ray's 70 % of what is available.
pub const NODE_MEMORY_PERCENT: u64 = 70;

/// How often the epoch advances: a runaway guest gives way after at most two of these.
pub const EPOCH_PERIOD: Duration = Duration::from_millis(10);

/// Jobs that a node remembers to be over, so that what their guests did last is cancelled when it is heard of,
/// at most a tick later.
pub const ENDED_JOBS_REMEMBERED: usize = 1024;

/// Events that a guest causes before it tries to have its node take them in: enough that the node's lock is
/// taken seldom, few enough that who comes meanwhile need not sleep until it is free again.
pub const BACKLOG_EVENTS_MAX: usize = 16;

/// What a guest may have done at most before its node takes it in, while others keep the node's account: to go
/// on is cheaper than to sleep until they are done, and 512 tasks are half a millisecond of the account.
pub const BACKLOG_HELD_MAX: usize = 512;

/// Calls that follow one another at most in one entry into an instance before others have its thread: of short calls
/// these take a millisecond or two, and what takes longer gives way with the clock's tick.
pub const CALLS_IN_ENTRY_MAX: u32 = 1024;

/// Calls in an actor's line from which on whoever submits more gives its cpu way after each turn. Cpus are few, and
/// several callers at once would have them until the clock ticks, while the actor, for which all wait, has none. With
/// so many, it does not run out of work meanwhile.
pub const ACTOR_LINE_LONG: usize = 4 * BACKLOG_EVENTS_MAX;

/// Events of others after which a guest that has the account takes in no further backlog before it goes on itself:
/// as many as actors offer in the time in which it has a turn's events of its own.
pub const OFFERED_EVENTS_MAX: usize = 4 * BACKLOG_EVENTS_MAX;

/// Events of a caller for which an actor that has nothing else to do takes them in: fewer are not worth a turn of the
/// account, and come by themselves.
pub const BACKLOG_FETCHED_MIN: usize = 4;

/// What a guest gathers before it tries to have it taken in itself, while an actor that it calls does so: it is best for
/// the account to stay with one cpu.
pub const BACKLOG_LEFT_MAX: usize = 256;

/// How long after the last time it leaves that to the actor: as long as the actor may need for what it took in then.
pub const BACKLOG_LEFT_AGE: Duration = Duration::from_micros(200);

/// Callers that an actor here remembers, the latest ones: more than can be at work on a machine of usual size, and few
/// enough to be looked through each time that it has nothing to do.
pub const CALLERS_REMEMBERED_MAX: usize = 8;

/// How soon after the last time a node takes in what a guest did next, if nothing else makes it and the account is
/// free, or becomes so in a moment: the first of many calls goes out at once, and those that follow within this time
/// go together.
pub const BACKLOG_AGE: Duration = Duration::from_micros(50);

/// How long who wants the node's account looks whether it is free before it sleeps: what most turns of it take, and
/// what it costs to be woken.
pub const LOCK_PATIENCE: Duration = Duration::from_micros(100);

/// The longest line of a guest's output that is kept whole.
pub const LOG_LINE_BYTES_MAX: usize = 16 * 1024;

/// Bytes of output that one task may write before the rest is dropped with a word.
pub const LOG_BYTES_PER_TASK_MAX: u64 = 16 << 20;

/// Bytes on their way to the head above which printed lines wait here: what a link may hold is for the work
/// itself, which ends when that is full.
pub const LOG_UNCONFIRMED_BYTES_MAX: usize = 64 << 20;

/// Bytes of lines that wait to be sent to the head: they go all at once, in messages of [`LINK_BATCH_BYTES`] each, and
/// must fit into the link beside what [`LOG_UNCONFIRMED_BYTES_MAX`] allows there.
pub const LOG_QUEUE_BYTES_MAX: usize = 64 << 20;

/// Bytes of a name that a guest gives: of an actor, a group, a namespace, a task, a resource, a label. Names
/// are kept with all that bears them, and shown.
pub const NAME_BYTES_MAX: usize = 1_024;

/// Lines that wait for the terminal or the log file; above it the oldest sender loses lines, and says so.
pub const LOG_QUEUE_LINES_MAX: usize = 100_000;

/// Bytes of a component file.
pub const COMPONENT_BYTES_MAX: usize = 256 << 20;

/// Bytes of all that a component says of its functions and classes: eighty for each of a hundred thousand names. Each
/// node keeps them with the component, and people read them.
pub const DESCRIPTION_BYTES_MAX: usize = 8 << 20;

/// Kinds of custom resources that one task, actor or bundle may ask for, and all bundles of a group together: the head
/// compares each with each of a node's, for every look at what waits.
pub const CUSTOM_RESOURCES_MAX: usize = 64;

/// Labels that one selector may name; each is looked for at every node.
pub const SELECTOR_LABELS_MAX: usize = 64;

/// How long a graceful end may take before what is left is dropped.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// How long a node that goes waits for the head to confirm that it heard so: a few round trips of a slow
/// network. A head that did not hear it finds out as it does when a node dies.
pub const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// How often an owner looks for idle leases.
pub const TICK: Duration = Duration::from_millis(100);

/// Bundles of one placement group. Ray's envelope says 1 000 and more.
pub const BUNDLES_MAX: usize = 10_000;

/// Bundles of all placement groups that one job has. Each takes some 200 bytes of the head and of its journal.
pub const BUNDLES_OF_JOB_MAX: usize = 100_000;

/// Detached actors that one job has made and that live: each takes some 2 KB of the head and of its journal, also when
/// the job is over.
pub const DETACHED_OF_JOB_MAX: usize = 100_000;

/// Objects of one owner that wait for placement groups. Each is a map entry and an object, some 200 bytes, so
/// this is 20 MB; who waits for more has forgotten to keep the reference that it got.
pub const GROUP_WAITERS_MAX: usize = 100_000;

/// How often a node tells the head that it is there, and how long the head waits for it before it
/// declares the node dead: a few lost messages are no death, and 3 s is soon enough to start again.
pub const HEARTBEAT_PERIOD: Duration = Duration::from_millis(500);
/// See [`HEARTBEAT_PERIOD`].
pub const NODE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long what a dead node had borrowed is kept for those that it passed it on to: until they have
/// heard of its death too and have told the owner, with much to spare.
pub const TOKEN_GRACE: Duration = Duration::from_secs(5);

/// How long a restarted head waits for the nodes that its journal knows before it takes them for dead.
pub const NODE_REJOIN_GRACE: Duration = Duration::from_secs(10);

/// What an owner may keep of finished tasks to be able to run them again, in bytes; Ray's `max_lineage_bytes`.
pub const LINEAGE_BYTES_MAX: u64 = 1 << 30;

/// Bytes of one piece of an object on its way between two stores. Ray's 5 MiB, rounded to a power of two.
pub const CHUNK_BYTES: usize = 4 << 20;

/// Transfers of one object that a node serves at once: who comes later is sent to those who have it by
/// then, so that a broadcast grows like a tree.
pub const SERVED_AT_ONCE_MAX: usize = 2;

/// Bytes of spilled objects that a node reads at once for other nodes, beside what its store has in memory: as much as
/// the largest value takes, which is enough to keep disk and network busy with smaller ones.
pub const SERVED_FROM_DISK_BYTES_MAX: u64 = VALUE_BYTES_MAX as u64;

/// Bytes from which on a value that is put, passed, fetched or read from a file is large: its memory is a mapping of its
/// own, in huge pages, and kept for the next when it is gone. Those below are the allocator's, which keeps what it needs
/// for them by itself.
pub const LARGE_VALUE_BYTES_MIN: usize = 4 << 20;

/// Large values that may have mappings of their own; those beyond have the allocator's memory. Linux gives a process 65 530
/// mappings, most of them are for sandboxes, and each of these counts twice where its last page is not a huge one.
pub const BUFFERS_MAX: usize = 8_192;

/// How long memory is kept that large values left: a program that makes one after another is back for it in less, and
/// a machine that does something else has it back soon.
pub const BUFFERS_KEPT_FOR: Duration = Duration::from_secs(10);

/// For each of so many bytes that are copied one more thread may copy: to start it costs what copying a quarter of a MiB does.
pub const COPY_BYTES_OF_THREAD_MIN: usize = 4 << 20;

/// Threads beside the one that copies. Four cpus get what the memory of most machines gives.
pub const COPY_THREADS_MAX: usize = 3;

/// What a thread copies at a time when several do.
pub const COPY_PIECE_BYTES: usize = 1 << 20;

/// Bytes of objects that are dropped by whoever lets go of them; giving back more takes milliseconds, and is
/// left to a thread of its own.
pub const DROPPED_AT_ONCE_BYTES_MAX: u64 = 4 << 20;

/// Objects that a process keeps the digests of because it sent them: 8 bytes for each MiB of theirs.
pub const DIGESTED_OBJECTS_MAX: usize = 1_024;

/// Bytes that a node fetches at once for all who wait; more wait their turn.
pub const FETCH_BYTES_MAX: u64 = 2 << 30;

/// Objects that are brought at once from nodes that leave: enough to keep a network busy, few enough
/// that fetches somebody waits for are not held up.
pub const MOVES_AT_ONCE_MAX: usize = 4;

/// How long a source lets somebody wait who asks for an object that it serves to others, before they ask
/// the owner who has it by now. Short beside a transfer that is worth waiting for, long enough that a
/// thousand who wait do not keep their owner from its work.
pub const BUSY_WAIT_MAX: Duration = Duration::from_millis(50);

/// How long an object may take to come before those who wait get an error; Ray's `fetch_fail_timeout`.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(600);

/// How long one node may take to tell its tasks or objects to somebody who lists those of all nodes.
pub const STATE_OF_NODE_TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes of messages to one process that it has not confirmed yet. At 200 MB/s this is what comes
/// together until a silent node is declared dead; beyond it the other side is taken for lost.
pub const LINK_BYTES_MAX: usize = 512 << 20;

/// Bytes on their way to the head above which guests wait, or are refused, that cancel tasks or end actors and groups: a
/// guest can say so in a loop, and what a link may hold is for the work itself. As much as lines may take of it.
pub const GUESTS_UNCONFIRMED_BYTES_MAX: usize = LINK_BYTES_MAX / 4;

/// Bytes on their way to another node above which it gets small values that it asks for later: a quarter of what the link
/// holds, which leaves room for what is said to it unasked.
pub const PEER_UNCONFIRMED_BYTES_MAX: usize = LINK_BYTES_MAX / 4;

/// Bytes of arguments of calls that one actor on another node has and that have not ended: enough that it never waits
/// for the next one, and little beside [`LINK_BYTES_MAX`]. Beyond it, calls wait where they were submitted.
pub const CALLS_AWAY_BYTES_MAX: u64 = 4 << 20;

/// Bytes of messages in one packet: enough that a packet's own cost does not show, little enough that
/// the first message in it does not wait for the last.
pub const LINK_BATCH_BYTES: usize = 1 << 20;

/// Packets that may wait for the network beside the ones it carries.
pub const LINK_PACKETS_QUEUED: usize = 4;

/// How long a node waits with the confirmation of messages, so that it confirms many together. At 200 MB/s
/// a sender keeps 1 MB the longer for it.
pub const LINK_CONFIRM_AFTER: Duration = Duration::from_millis(5);

/// How long a link waits before it dials again: the first time, and at most. The first is below what a
/// person notices, the last keeps a cluster that waits for its head from hammering it.
pub const LINK_RETRY_MIN: Duration = Duration::from_millis(10);
/// See [`LINK_RETRY_MIN`].
pub const LINK_RETRY_MAX: Duration = Duration::from_millis(500);

/// How long dialling another process and its greeting may take each. Half of what a node has before it
/// is declared dead, so that one lost packet costs a second try and not the node.
pub const LINK_CONNECT_TIMEOUT: Duration = Duration::from_millis(1500);

/// How often an idle connection is tried, and how long the answer may take: a cable that was pulled
/// breaks a connection within the time that declares a node dead.
pub const LINK_KEEPALIVE: Duration = Duration::from_secs(1);
/// See [`LINK_KEEPALIVE`].
pub const LINK_KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Nodes that one node may send to before it knows their addresses, and dead ones that it remembers.
pub const PEERS_MAX: usize = 10_000;

/// Connections that one process accepts at once: a link from each of a thousand nodes and as many
/// transfers, below the usual limit of open files.
pub const CONNECTIONS_MAX: usize = 4_096;

/// How long a transfer of an object may stand still before it is given up.
pub const FETCH_STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Dead nodes that stay listed: enough to see what happened, few enough to read.
pub const DEAD_NODES_LISTED: usize = 100;

/// Ids of dead nodes that are remembered, so that none comes back to life. At 16 bytes each 1.6 MB.
pub const DEAD_NODES_KEPT: usize = 100_000;

/// Jobs that are over and stay listed, with their specifications.
pub const ENDED_JOBS_KEPT: usize = 10_000;

/// Bytes of a component or packed working directory at the head; Ray's limit for working directories.
pub const BLOB_BYTES_MAX: usize = 500 << 20;

/// How long a sandbox that is made ahead may take: it takes some microseconds, unless the component's own
/// start function does not end.
pub const READY_START_MAX: Duration = Duration::from_secs(1);

/// How long the head keeps a component or working directory of no job it knows: whoever was told that it is
/// there has so long to submit a job with it.
pub const BLOB_KEPT: Duration = Duration::from_secs(600);

/// How often the head looks for those.
pub const BLOB_SWEEP: Duration = Duration::from_secs(60);

/// How often a node looks for jobs that it met after their end and that nobody here works for any more. To get one anew
/// takes milliseconds.
pub const JOBS_LOOKED_AT_PERIOD: Duration = Duration::from_secs(60);

/// Unpacked working directories that a node keeps of jobs that are over, for the next ones that bring the same.
pub const WORKING_DIRS_KEPT: usize = 16;

/// Bytes of components and packed working directories that a node keeps of those that it got from the
/// head: a few of the largest, or some thousand of the usual size.
pub const NODE_BLOBS_BYTES_MAX: u64 = 4 << 30;

/// Loaded components that a node keeps though no job or actor there uses them: the next job that brings one of them
/// starts at once. Some MiB each.
pub const PROGRAMS_KEPT_MAX: usize = 64;

/// Bytes of compiled components in the folder of a user, for all processes of rayw: some thousand of the usual size.
/// Beyond it those go that were loaded longest ago.
pub const COMPILED_BYTES_MAX: u64 = 4 << 30;

/// How old a half-written file of compiled code is when its writer is taken to have been killed.
pub const COMPILED_UNFINISHED_KEPT: Duration = Duration::from_secs(3_600);

/// Bytes that the head keeps of what one job printed; what comes after it is dropped with a word.
pub const JOB_LOG_BYTES_MAX: u64 = 1 << 30;

/// Removed placement groups that stay listed.
pub const REMOVED_GROUPS_KEPT: usize = 1_000;

/// Messages that a restarted head keeps until what they speak of is reported; more are taken as they
/// are. Reports of some ten thousand actors and leases fit many times.
pub const EARLY_REPORTS_MAX: usize = 1_000_000;

/// How often a component or working directory is asked for at a head that is there: one that was killed in
/// the middle of its answer is there again soon.
pub const BLOB_TRIES_MAX: u32 = 3;

/// How long a command waits for a head that went away while it followed a job; as long as Ray's nodes do
/// (`gcs_rpc_server_reconnect_timeout_s`).
pub const HEAD_RECONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// Label selectors whose nodes the head keeps an index of, those used last: about 300 bytes for each
/// node that one chooses. Programs use a few; one more costs a walk over the nodes to make its index again.
pub const SELECTORS_INDEXED_MAX: usize = 32;

/// How often the head looks again why something waits: soon enough for a person who watches, seldom
/// enough that a busy cluster's changing numbers are not told to thousands of owners.
pub const EXPLAIN_PERIOD: Duration = Duration::from_secs(1);

/// Leases that are looked at to make room for one demand, the largest first; the next look goes on
/// behind them.
pub const RECLAIM_LOOKS_MAX: usize = 64;

/// Demands of one kind that ask for room at once. They want the same, so room for one is room for the
/// first of them; the others are asked about because their owners may hold less.
pub const RECLAIM_ASKERS_MAX: usize = 8;

/// How long an actor that can be written down keeps its sandbox while nobody calls it. Writing it down
/// and bringing it back cost some tens of microseconds, so this only has to be longer than the pauses
/// between the calls of somebody who works with it.
pub const ACTOR_IDLE: Duration = Duration::from_secs(5);

/// The longest pause before an idle actor whose state could not be written down is asked again. The first pause is
/// [`ACTOR_IDLE`] twice, and each is twice the one before, because each time costs a call and a warning in the log.
/// When somebody has called it, it begins anew: that may have changed what was in the way.
pub const ACTOR_IDLE_MAX: Duration = Duration::from_secs(300);

/// How long an actor may take to be written down, or to read its state again: a state of a gigabyte takes seconds,
/// and whoever calls an actor that never ends with it hears of that instead of waiting for ever.
pub const ACTOR_STATE_TIME_MAX: Duration = Duration::from_secs(30);

/// Idle actors that are not to be asked again yet, which are passed over at once when sandboxes are short: somebody
/// waits for the node's lock meanwhile.
pub const ACTORS_PASSED_OVER_MAX: usize = 256;

/// Actors that are told at once to give their sandboxes back, when these are short.
pub const ACTORS_PUT_AWAY_AT_ONCE: usize = 64;
