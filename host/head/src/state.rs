//! What people ask: rows of the head's own, and of all nodes together.

use std::collections::BTreeMap;
use std::future::ready;

use rayw_core::view::{Answer, Query, Resource, Rows, TaskSummaryRow};
use rayw_core::{Error, limits};
use rayw_proto::{BoxFuture, StateSource};

use crate::Head;

impl Head {
    fn rows(&self, resource: Resource) -> Rows {
        match resource {
            Resource::Actors => Rows::Actors(self.machine().actor_rows()),
            Resource::Nodes => Rows::Nodes(self.machine().node_rows()),
            Resource::Jobs => Rows::Jobs(self.machine().job_rows()),
            Resource::Tasks => {
                let mut rows = Vec::new();
                for link in self.links() {
                    if let Rows::Tasks(of_node) = link.rows(resource) {
                        rows.extend(of_node);
                    }
                }
                Rows::Tasks(rows)
            }
            Resource::Objects => {
                let mut rows = Vec::new();
                for link in self.links() {
                    if let Rows::Objects(of_node) = link.rows(resource) {
                        rows.extend(of_node);
                    }
                }
                Rows::Objects(rows)
            }
        }
    }
}

impl StateSource for Head {
    fn list(&self, query: Query) -> BoxFuture<Result<Answer, Error>> {
        Box::pin(ready(Answer::of(self.rows(query.resource), &query)))
    }

    fn get(&self, resource: Resource, id: String) -> BoxFuture<Result<Option<Rows>, Error>> {
        let key = match resource {
            Resource::Tasks => "task_id",
            Resource::Actors => "actor_id",
            Resource::Objects => "object_id",
            Resource::Nodes => "node_id",
            Resource::Jobs => "job_id",
        };
        let filter = rayw_core::view::Filter { key: key.to_owned(), negated: false, value: id };
        let query = Query { resource, filters: vec![filter], limit: limits::LIST_ROWS_MAX };
        let answer = Answer::of(self.rows(resource), &query);
        Box::pin(ready(answer.map(|answer| (answer.filtered > 0).then_some(answer.rows))))
    }

    fn summary(&self) -> BoxFuture<Result<Vec<TaskSummaryRow>, Error>> {
        let mut counts: BTreeMap<(String, String), BTreeMap<String, u64>> = BTreeMap::new();
        for row in self.links().iter().flat_map(|link| link.summary()) {
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
        Box::pin(ready(Ok(rows.collect())))
    }
}
