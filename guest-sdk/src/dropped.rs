//! References that are dropped many at a time, told to the host by one call for all.
//!
//! After `get_all` those are dropped that it was given, a thousand perhaps. One by one that is a call into the host for
//! each, while the program has nothing under way.

use std::cell::RefCell;

use crate::runtime::objects;
use crate::runtime::types::ObjectRef as Raw;

thread_local! {
    /// The handles of what is dropped just now, where many are dropped.
    static GATHERED: RefCell<Option<Vec<Raw>>> = const { RefCell::new(None) };
}

/// A gathering; what is dropped here may itself read objects, and so begin one within it.
struct Gathering {
    around: Option<Vec<Raw>>,
}

impl Drop for Gathering {
    /// Also when a drop panicked: the handles are the host's, whoever gives them back.
    fn drop(&mut self) {
        let gathered = GATHERED.replace(self.around.take()).unwrap_or_default();
        if !gathered.is_empty() {
            objects::drop_all(gathered);
        }
    }
}

/// Drops references to small objects. The host hears of them at once, and its node before the program next waits or
/// ends.
pub(crate) fn drop_all<R>(references: Vec<R>) {
    let _gathering = Gathering { around: GATHERED.replace(Some(Vec::with_capacity(references.len()))) };
    drop(references);
}

/// Takes a handle over that is dropped, if many are dropped just now; hands it back otherwise.
pub(crate) fn take(handle: Raw) -> Option<Raw> {
    let mut handle = Some(handle);
    // Where a thread ends, in local mode, the list may be gone before the last references are.
    let _ = GATHERED.try_with(|gathered| {
        if let Some(handles) = &mut *gathered.borrow_mut() {
            handles.extend(handle.take());
        }
    });
    handle
}
