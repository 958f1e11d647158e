//! What people ask: rows of the head's own, and of all nodes together.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;

use rayw_core::control::ClusterStatus;
use rayw_core::scheduler::Scheduler;
use rayw_core::view::{Answer, Query, Resource, Rows, TaskSummary, TaskSummaryRow, unheard};
use rayw_core::{Error, ErrorKind, limits};
use rayw_proto::{BoxFuture, StateSource};
use tokio::task::JoinSet;

use crate::Head;
use crate::head::now;

impl Head {
    /// Rows of the head's own; `None` for what the nodes know.
    fn own_rows(&self, resource: Resource) -> Option<Rows> {
        match resource {
            Resource::Actors => Some(Rows::Actors(self.look(Scheduler::actor_rows))),
            Resource::Nodes => Some(Rows::Nodes(self.look(Scheduler::node_rows))),
            Resource::Jobs => Some(Rows::Jobs(self.look(Scheduler::job_rows))),
            Resource::Leases => Some(Rows::Leases(self.look(Scheduler::lease_rows))),
            Resource::PlacementGroups => Some(Rows::PlacementGroups(self.look(Scheduler::group_rows))),
            Resource::Tasks | Resource::Objects => None,
        }
    }

    fn answer(&self, query: Query) -> BoxFuture<Result<Answer, Error>> {
        if let Some(rows) = self.own_rows(query.resource) {
            return Box::pin(ready(Answer::of(rows, &query)));
        }
        let states = self.states();
        Box::pin(of_all(states, query))
    }
}

/// Asks all nodes at once. One that does not answer in time is left out, with a word in the log; how many
/// there were of these is the second part of the answer.
async fn from_each<T: Send + 'static>(answers: impl Iterator<Item = BoxFuture<Result<T, Error>>>) -> (Vec<T>, usize) {
    let mut asked = JoinSet::new();
    for answer in answers {
        asked.spawn(tokio::time::timeout(limits::STATE_OF_NODE_TIMEOUT, answer));
    }
    let count = asked.len();
    let mut got = Vec::new();
    while let Some(answer) = asked.join_next().await {
        match answer {
            Ok(Ok(Ok(answer))) => got.push(answer),
            Ok(Ok(Err(error))) => tracing::warn!(%error, "a node did not tell its state"),
            Ok(Err(_)) => tracing::warn!("a node did not tell its state in {:?}", limits::STATE_OF_NODE_TIMEOUT),
            Err(error) => tracing::warn!(%error, "asking a node for its state broke down"),
        }
    }
    let unheard = count - got.len();
    (got, unheard)
}

/// No rows of what nodes know.
fn nothing_of(resource: Resource) -> Rows {
    if resource == Resource::Objects { Rows::Objects(Vec::new()) } else { Rows::Tasks(Vec::new()) }
}

/// Rows of several nodes together.
fn merged(mut all: Rows, more: impl Iterator<Item = Rows>) -> Rows {
    for more in more {
        match (&mut all, more) {
            (Rows::Tasks(rows), Rows::Tasks(more)) => rows.extend(more),
            (Rows::Objects(rows), Rows::Objects(more)) => rows.extend(more),
            _ => {}
        }
    }
    all
}

/// Filters are applied by each node, so that only rows travel which somebody will see.
async fn of_all(states: Vec<Arc<dyn StateSource>>, query: Query) -> Result<Answer, Error> {
    let mut all = Answer::of(nothing_of(query.resource), &query)?;
    let (answers, unheard) = from_each(states.iter().map(|state| state.list(query.clone()))).await;
    all.unheard = unheard;
    for answer in answers {
        all.total += answer.total;
        all.filtered += answer.filtered;
        all.rows = merged(all.rows, [answer.rows].into_iter());
    }
    match &mut all.rows {
        Rows::Tasks(rows) => rows.truncate(query.limit),
        Rows::Objects(rows) => rows.truncate(query.limit),
        // The head has these itself.
        Rows::Actors(_) | Rows::Nodes(_) | Rows::Jobs(_) | Rows::Leases(_) | Rows::PlacementGroups(_) => {}
    }
    Ok(all)
}

impl StateSource for Head {
    fn list(&self, query: Query) -> BoxFuture<Result<Answer, Error>> {
        self.answer(query)
    }

    fn get(&self, resource: Resource, id: String) -> BoxFuture<Result<Option<Rows>, Error>> {
        if let Some(rows) = self.own_rows(resource) {
            return Box::pin(ready(rows.the_one_called(&id)));
        }
        let states = self.states();
        Box::pin(async move {
            let (answers, unheard_of) = from_each(states.iter().map(|state| state.get(resource, id.clone()))).await;
            let found = merged(nothing_of(resource), answers.into_iter().flatten()).the_one_called(&id)?;
            if found.is_none() && unheard_of > 0 {
                let message = format!("nobody told of that id, and {}; try again", unheard(unheard_of));
                return Err(Error::new(ErrorKind::System, message));
            }
            Ok(found)
        })
    }

    fn status(&self) -> BoxFuture<Result<ClusterStatus, Error>> {
        Box::pin(ready(Ok(self.look(|machine| machine.status(now())))))
    }

    fn summary(&self) -> BoxFuture<Result<TaskSummary, Error>> {
        let states = self.states();
        Box::pin(async move {
            let mut counts: BTreeMap<(String, String), BTreeMap<String, u64>> = BTreeMap::new();
            let (summaries, unheard) = from_each(states.iter().map(|state| state.summary())).await;
            for row in summaries.into_iter().flat_map(|summary| summary.rows) {
                let states = counts.entry((row.func_or_class_name, row.r#type)).or_default();
                for (state, count) in row.state_counts {
                    *states.entry(state).or_default() += count;
                }
            }
            let rows = counts.into_iter().map(|((func_or_class_name, r#type), states)| TaskSummaryRow {
                func_or_class_name,
                r#type,
                state_counts: states.into_iter().collect(),
            });
            Ok(TaskSummary { rows: rows.collect(), unheard })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nodes_that_do_not_tell_are_counted() {
        let told: BoxFuture<Result<u32, Error>> = Box::pin(ready(Ok(7)));
        let failed: BoxFuture<Result<u32, Error>> = Box::pin(ready(Err(Error::new(ErrorKind::System, "it is gone"))));
        assert_eq!(from_each([told, failed].into_iter()).await, (vec![7], 1));
    }
}
