//! Long lists of references in values that were read.
//!
//! The host gives one handle for all of them, [`Contents`], which keeps all the objects alive and the value
//! that has them, and a reference takes a handle of its own when it is first used. An object that nobody refers to
//! must not live on because its neighbours in a list do: once something of a list was dropped, [`settle`] takes the
//! rest out and gives that one handle back. It is called before rayw is asked for anything that
//! may take its time. What is left at the end of a call is in the state of an actor, maybe for long, and is taken
//! out ([`end_call`]). A list that is dropped as a whole by then costs nothing more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use crate::object::Shared;
use crate::runtime::types::Contents;

/// Handles that are taken at once when one is needed, at most: as many as were taken before, because who uses
/// one after the other will use the next ones too.
const TAKEN_AT_ONCE_MAX: usize = 256;

/// Lists among which those that are gone are looked for, at least: seldom enough to cost nothing for each.
const LISTS_LOOKED_THROUGH_MIN: usize = 32;

/// The lists that were read and may still have contents.
static LISTS: Mutex<Lists> = Mutex::new(Lists { all: Vec::new(), full: LISTS_LOOKED_THROUGH_MIN });

/// Whether something was dropped from a list since the last [`settle`].
static SOMETHING_DROPPED: AtomicBool = AtomicBool::new(false);

struct Lists {
    all: Vec<Weak<List>>,
    /// How many there are when it is time to look for those that are gone.
    full: usize,
}

impl Lists {
    fn add(&mut self, list: &Arc<List>) {
        if self.all.len() >= self.full {
            self.all.retain(|list| list.strong_count() > 0);
            self.full = LISTS_LOOKED_THROUGH_MIN.max(self.all.len() * 2);
        }
        self.all.push(Arc::downgrade(list));
    }

    /// All that are still there, which are looked after elsewhere from now on.
    fn take(&mut self) -> Vec<Arc<List>> {
        self.full = LISTS_LOOKED_THROUGH_MIN;
        self.all.drain(..).filter_map(|list| list.upgrade()).collect()
    }
}

fn lists() -> MutexGuard<'static, Lists> {
    LISTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets go of what was dropped from lists that are not dropped as a whole.
pub(crate) fn settle() {
    if !SOMETHING_DROPPED.swap(false, Ordering::Relaxed) {
        return;
    }
    let all = lists().take();
    for list in all {
        if list.is_whole() {
            lists().add(&list);
        } else {
            list.take_rest();
        }
    }
}

/// Leaves no list with contents behind: whoever has references now may keep them for long, and has no use for the
/// value that they came with.
pub(crate) fn end_call() {
    let all = lists().take();
    all.iter().for_each(|list| list.take_rest());
}

/// The references in one value.
pub(crate) struct List {
    state: Mutex<State>,
}

struct State {
    /// Keeps all the objects alive; `None` when no reference needs it any more.
    contents: Option<Contents>,
    entries: Vec<Entry>,
    /// Entries that nobody refers to.
    dropped: usize,
    /// Entries that somebody refers to and that have no handle of their own.
    untaken: usize,
    taken: usize,
    /// The value is being read: what nobody refers to may yet be named by its bytes.
    is_read: bool,
}

#[derive(Clone, Default)]
struct Entry {
    members: u32,
    own: Option<Arc<Shared>>,
}

/// A reference to one object of a list.
pub(crate) struct Member {
    list: Arc<List>,
    index: usize,
    own: OnceLock<Arc<Shared>>,
}

impl List {
    /// The list of a value that is about to be read.
    pub(crate) fn new(contents: Contents) -> Arc<Self> {
        let len = contents.len() as usize;
        let entries = vec![Entry::default(); len];
        let state = State { contents: Some(contents), entries, dropped: len, untaken: 0, taken: 0, is_read: true };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// A reference to the object at that index, if there is one. Only while the value is read.
    pub(crate) fn member(self: &Arc<Self>, index: usize) -> Option<Member> {
        self.lock().add_member(index)?;
        Some(Member { list: Arc::clone(self), index, own: OnceLock::new() })
    }

    /// The value was read: what it did not name is dropped.
    pub(crate) fn has_been_read(self: &Arc<Self>) {
        let mut state = self.lock();
        state.is_read = false;
        state.let_go_if_done();
        if state.contents.is_some() {
            // Known before it says that something was dropped: who hears of it looks for it.
            drop(state);
            lists().add(self);
            self.lock().tell_if_dropped();
        }
    }

    /// Whether every object is referred to, or none needs the contents.
    fn is_whole(&self) -> bool {
        let state = self.lock();
        state.dropped == 0 || state.contents.is_none()
    }

    /// The handle of the entry, taken from the host if it is the first time.
    fn own(&self, index: usize) -> Arc<Shared> {
        let mut state = self.lock();
        if state.entries[index].own.is_none() {
            let end = state.entries.len().min(index + state.taken.clamp(1, TAKEN_AT_ONCE_MAX));
            state.take(index..end);
        }
        match &state.entries[index].own {
            Some(own) => Arc::clone(own),
            None => unreachable!("an entry that is referred to has a handle or can take one"),
        }
    }

    fn take_rest(&self) {
        let mut state = self.lock();
        let all = 0..state.entries.len();
        state.take(all);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add_member(&mut self, index: usize) -> Option<()> {
        let entry = self.entries.get_mut(index)?;
        if entry.members == 0 {
            self.untaken += 1;
            self.dropped -= 1;
        }
        entry.members += 1;
        Some(())
    }

    /// Takes the handles of those in a range that need one and have none.
    fn take(&mut self, range: std::ops::Range<usize>) {
        let Some(contents) = &self.contents else { return };
        let needs = |index: &usize| self.entries[*index].members > 0 && self.entries[*index].own.is_none();
        let indices: Vec<u32> = range.filter(needs).map(|index| index as u32).collect();
        let handles = contents.take(&indices);
        for (index, handle) in indices.iter().zip(handles) {
            self.entries[*index as usize].own = Some(Arc::new(Shared::live(handle)));
        }
        self.taken += indices.len();
        self.untaken -= indices.len();
        self.let_go_if_done();
    }

    fn let_go_if_done(&mut self) {
        if self.untaken == 0 && !self.is_read {
            self.contents = None;
        }
    }

    /// Says so when the contents keep something alive that nobody refers to.
    fn tell_if_dropped(&self) {
        if self.dropped > 0 && self.contents.is_some() && !self.is_read {
            SOMETHING_DROPPED.store(true, Ordering::Relaxed);
        }
    }
}

impl Member {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        self.own.get_or_init(|| self.list.own(self.index))
    }

    /// Whether both refer to the same entry of one list.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.list, &other.list) && self.index == other.index
    }
}

impl Clone for Member {
    fn clone(&self) -> Self {
        self.list.lock().entries[self.index].members += 1;
        Self { list: Arc::clone(&self.list), index: self.index, own: self.own.clone() }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut state = self.list.lock();
        let entry = &mut state.entries[self.index];
        entry.members -= 1;
        if entry.members > 0 {
            return;
        }
        let own = entry.own.take();
        state.dropped += 1;
        if own.is_none() {
            state.untaken -= 1;
            state.let_go_if_done();
        }
        state.tell_if_dropped();
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;
    use crate::local::objects;
    use crate::runtime::types::{Codec, ObjectRef, Value};

    /// Lists are settled for the whole process: one test at a time, where tests share one.
    fn alone() -> MutexGuard<'static, ()> {
        static ALONE: Mutex<()> = Mutex::new(());
        ALONE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Objects, and a list of a value with all of them.
    fn list(len: usize) -> (Vec<ObjectRef>, Arc<List>) {
        let value = || Value { codec: Codec::Raw, data: Vec::new(), handles: Vec::new() };
        let objects: Vec<_> = (0..len).map(|_| objects::put(value()).expect("one process has room")).collect();
        let list = List::new(Contents { objects: objects.clone() });
        (objects, list)
    }

    fn members(list: &Arc<List>, indices: impl IntoIterator<Item = usize>) -> Vec<Member> {
        let members = indices.into_iter().map(|index| list.member(index).expect("the list has it")).collect();
        list.has_been_read();
        members
    }

    /// How often each object is referred to beside the test's own reference.
    fn references(objects: &[ObjectRef]) -> Vec<usize> {
        objects.iter().map(|object| object.holders() - 1).collect()
    }

    #[test]
    fn a_list_that_is_dropped_as_a_whole_takes_nothing() {
        let _alone = alone();
        let (objects, list) = list(3);
        let read = members(&list, 0..3);
        assert_eq!(references(&objects), [1, 1, 1], "the contents keep them");
        drop(read);
        assert_eq!(references(&objects), [0, 0, 0]);
        assert_eq!(list.lock().taken, 0);
    }

    #[test]
    fn what_is_dropped_goes_while_its_neighbours_stay() {
        let _alone = alone();
        let (objects, list) = list(4);
        let mut read = members(&list, 0..4);
        let _ = read[1].shared();
        drop(read.drain(0..2));
        assert_eq!(references(&objects), [1, 1, 1, 1], "until rayw is asked for something");
        settle();
        assert_eq!(references(&objects), [0, 0, 1, 1]);
        drop(read);
        assert_eq!(references(&objects), [0, 0, 0, 0]);
    }

    #[test]
    fn a_copy_counts() {
        let _alone = alone();
        let (objects, list) = list(2);
        let read = members(&list, 0..2);
        let copy = read[1].clone();
        assert!(copy.is_same(&read[1]) && !copy.is_same(&read[0]));
        drop(read);
        settle();
        assert_eq!(references(&objects), [0, 1]);
        drop(copy);
        assert_eq!(references(&objects), [0, 0]);
    }

    #[test]
    fn what_the_bytes_do_not_name_goes() {
        let _alone = alone();
        let (objects, list) = list(3);
        let read = members(&list, [2, 2]);
        settle();
        assert_eq!(references(&objects), [0, 0, 1]);
        drop(read);
        assert_eq!(references(&objects), [0, 0, 0]);
        assert!(list.member(3).is_none());
    }

    #[test]
    fn a_value_may_drop_its_references_while_it_is_read() {
        let _alone = alone();
        let (objects, list) = list(2);
        drop(list.member(0));
        let read = members(&list, [1]);
        settle();
        assert_eq!(references(&objects), [0, 1]);
        drop(read);
        assert_eq!(references(&objects), [0, 0]);
    }

    #[test]
    fn who_uses_all_takes_many_at_once_and_the_contents_go() {
        let _alone = alone();
        let (objects, list) = list(1_000);
        let read = members(&list, 0..1_000);
        let _ = read[0].shared();
        assert_eq!(list.lock().taken, 1);
        let mut asked = 1;
        for member in &read {
            let before = list.lock().taken;
            let _ = member.shared();
            asked += usize::from(list.lock().taken > before);
        }
        assert!(asked < 16, "the host was asked {asked} times");
        assert_eq!(references(&objects), vec![1; 1_000]);
        assert!(list.lock().contents.is_none());
        drop(read);
        assert_eq!(references(&objects), vec![0; 1_000]);
    }

    #[test]
    fn what_is_left_at_the_end_of_a_call_has_handles_of_its_own() {
        let _alone = alone();
        let (objects, list) = list(2);
        let read = members(&list, 0..2);
        end_call();
        assert_eq!(references(&objects), [1, 1]);
        assert!(list.lock().contents.is_none());
        drop(read);
        assert_eq!(references(&objects), [0, 0]);
    }

    #[test]
    fn who_uses_a_reference_while_reading_takes_no_others() {
        let _alone = alone();
        let (objects, list) = list(3);
        let first = list.member(0);
        let _ = first.as_ref().map(Member::shared);
        let rest = members(&list, 1..3);
        settle();
        assert_eq!(list.lock().taken, 1);
        drop((first, rest));
        assert_eq!(references(&objects), [0, 0, 0]);
    }

    #[test]
    fn lists_that_are_gone_need_no_settling() {
        let _alone = alone();
        let (objects, list) = list(2);
        let mut read = members(&list, 0..2);
        drop(read.pop());
        drop((read, list));
        assert_eq!(references(&objects), [0, 0]);
        settle();
    }
}
