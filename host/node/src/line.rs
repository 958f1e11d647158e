//! What lines of calls have in common: several calls in one entry into an instance, each told of when the next begins.

use std::sync::Arc;

use rayw_core::ownership::{Input, Order, Outcome};
use rayw_core::{Error, ErrorKind, Value};
use rayw_engine::{Backlog, Handles, Returned};

use crate::Node;

/// Whether a call can begin at once and may run as long as it likes: an entry as a whole has no time of its own.
pub(crate) fn may_follow(order: &Order) -> bool {
    order.spec.timeout.is_none() && order.inputs.iter().all(|input| matches!(input, Input::Inline(_)))
}

/// The arguments of a call that [may follow](may_follow) another one.
pub(crate) fn inline_values(order: &Order) -> Vec<Arc<Value>> {
    let values = order.inputs.iter().filter_map(|input| match input {
        Input::Inline(value) => Some(Arc::clone(value)),
        Input::Stored(_) => None,
    });
    values.collect()
}

/// What is said of a call whose guest left the line without handing in what it returned.
pub(crate) fn no_answer(order: &Order) -> Error {
    let message = format!("`{}` ended without an answer: the component breaks `rayw:core/line`", order.spec.function);
    Error::new(ErrorKind::System, message)
}

impl Node {
    /// How a call ended that handed in this answer, and the references in it: they are to be dropped when its end is
    /// told.
    pub(crate) fn outcome(
        self: &Arc<Self>,
        order: &Order,
        answer: Result<Returned, Error>,
        backlog: &Backlog,
    ) -> (Outcome, Option<Handles>) {
        match answer {
            Ok(returned) => (Outcome::Returned(self.outputs(order, returned.values, backlog)), Some(returned.handles)),
            Err(error) => (Outcome::Failed(error.from_task(&order.spec.name, order.spec.id)), None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sample;

    fn order(timeout: Option<Duration>, inputs: Vec<Input>) -> Order {
        let mut spec = sample::task(1);
        Arc::make_mut(&mut spec.terms).timeout = timeout;
        let owner = rayw_core::NodeId([1; 16]);
        Order { spec: Arc::new(spec), attempt: 0, inputs, lease: None, owner, stores_returns: false }
    }

    #[test]
    fn a_call_follows_that_waits_for_nothing_and_has_no_time_of_its_own() {
        let value = Arc::new(Value { codec: rayw_core::Codec::Raw, data: [1].as_slice().into(), refs: Vec::new() });
        let here = order(None, vec![Input::Inline(Arc::clone(&value))]);
        assert!(may_follow(&here));
        assert_eq!(inline_values(&here), [value]);
        assert!(!may_follow(&order(Some(Duration::from_secs(1)), Vec::new())));
        let object = here.spec.id.output(0);
        let stored = rayw_core::ownership::Stored { object, size: 1, owner: here.owner, at: Vec::new() };
        assert!(!may_follow(&order(None, vec![Input::Stored(stored)])), "it is to be brought here first");
    }
}
