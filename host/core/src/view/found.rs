//! One thing among rows: by its id, by a name that people gave it, or by how its id begins.

use std::collections::BTreeSet;

use super::{ActorRow, GroupRow, JobRow, LeaseRow, NodeRow, ObjectRow, Rows, TaskRow};
use crate::{Error, ErrorKind, limits};

/// Ids that are named when several things are called alike: enough to choose from.
const NAMED_MAX: usize = 3;

/// A row about something with an id.
trait Row {
    fn id(&self) -> &str;

    /// What people call it; empty for what they do not.
    fn known_as(&self) -> &str {
        ""
    }
}

impl Row for TaskRow {
    fn id(&self) -> &str {
        &self.task_id
    }
}

impl Row for ActorRow {
    fn id(&self) -> &str {
        &self.actor_id
    }

    fn known_as(&self) -> &str {
        &self.name
    }
}

impl Row for ObjectRow {
    fn id(&self) -> &str {
        &self.object_id
    }
}

impl Row for NodeRow {
    fn id(&self) -> &str {
        &self.node_id
    }

    fn known_as(&self) -> &str {
        &self.node_name
    }
}

impl Row for JobRow {
    fn id(&self) -> &str {
        &self.job_id
    }

    fn known_as(&self) -> &str {
        &self.submission_id
    }
}

impl Row for LeaseRow {
    fn id(&self) -> &str {
        &self.lease_id
    }
}

impl Row for GroupRow {
    fn id(&self) -> &str {
        &self.placement_group_id
    }

    fn known_as(&self) -> &str {
        &self.name
    }
}

/// The rows with that id; where there is none, those with that name, and where there is none either, those whose id
/// begins so.
fn matching<T: Row>(mut rows: Vec<T>, called: &str) -> Vec<T> {
    let begins = |row: &T| row.id().get(..called.len()).is_some_and(|start| start.eq_ignore_ascii_case(called));
    let ways: [&dyn Fn(&T) -> bool; 3] =
        [&|row| row.id().eq_ignore_ascii_case(called), &|row| row.known_as() == called, &begins];
    match ways.into_iter().find(|is_it| !called.is_empty() && rows.iter().any(is_it)) {
        Some(is_it) => rows.retain(is_it),
        None => rows.clear(),
    }
    rows.truncate(limits::LIST_ROWS_MAX);
    rows
}

fn ids<T: Row>(rows: &[T]) -> BTreeSet<&str> {
    rows.iter().map(Row::id).collect()
}

impl Rows {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Tasks(rows) => rows.is_empty(),
            Self::Actors(rows) => rows.is_empty(),
            Self::Objects(rows) => rows.is_empty(),
            Self::Nodes(rows) => rows.is_empty(),
            Self::Jobs(rows) => rows.is_empty(),
            Self::Leases(rows) => rows.is_empty(),
            Self::PlacementGroups(rows) => rows.is_empty(),
        }
    }

    /// The rows of what is called so: by its id, in any case of letters; where nothing has that id, by its name (of an
    /// actor, a node or a placement group, or what a job was submitted under); else by how its id begins.
    #[must_use]
    pub fn called(self, called: &str) -> Self {
        match self {
            Self::Tasks(rows) => Self::Tasks(matching(rows, called)),
            Self::Actors(rows) => Self::Actors(matching(rows, called)),
            Self::Objects(rows) => Self::Objects(matching(rows, called)),
            Self::Nodes(rows) => Self::Nodes(matching(rows, called)),
            Self::Jobs(rows) => Self::Jobs(matching(rows, called)),
            Self::Leases(rows) => Self::Leases(matching(rows, called)),
            Self::PlacementGroups(rows) => Self::PlacementGroups(matching(rows, called)),
        }
    }

    /// The same, when it is one thing; `None` when nothing is called so. One thing may have several rows.
    ///
    /// # Errors
    /// `InvalidArgument` when several are called so, with the ids of some.
    pub fn the_one_called(self, called: &str) -> Result<Option<Self>, Error> {
        let rows = self.called(called);
        let (what, ids) = match &rows {
            Self::Tasks(rows) => ("tasks", ids(rows)),
            Self::Actors(rows) => ("actors", ids(rows)),
            Self::Objects(rows) => ("objects", ids(rows)),
            Self::Nodes(rows) => ("nodes", ids(rows)),
            Self::Jobs(rows) => ("jobs", ids(rows)),
            Self::Leases(rows) => ("leases", ids(rows)),
            Self::PlacementGroups(rows) => ("placement groups", ids(rows)),
        };
        match ids.len() {
            0 => Ok(None),
            1 => Ok(Some(rows)),
            count => {
                let some = ids.into_iter().take(NAMED_MAX).collect::<Vec<_>>().join(", ");
                let more = if count > NAMED_MAX { ", …" } else { "" };
                let message = format!(
                    "{count} {what} are called `{called}` or have ids that begin so ({some}{more}): give a whole id"
                );
                Err(Error::new(ErrorKind::InvalidArgument, message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actors() -> Rows {
        let actor = |id: &str, name: &str| ActorRow { actor_id: id.into(), name: name.into(), ..ActorRow::default() };
        Rows::Actors(vec![actor("ab01", "kept"), actor("ab02", ""), actor("cd03", "ab02"), actor("cd04", "kept")])
    }

    fn found(called: &str) -> Result<Vec<String>, String> {
        match actors().the_one_called(called).map_err(|error| error.to_string())? {
            Some(Rows::Actors(rows)) => Ok(rows.into_iter().map(|row| row.actor_id).collect()),
            _ => Ok(Vec::new()),
        }
    }

    #[test]
    fn an_id_goes_before_a_name_and_a_name_before_how_an_id_begins() {
        assert_eq!(found("AB02"), Ok(vec!["ab02".to_owned()]));
        assert_eq!(found("ab01"), Ok(vec!["ab01".to_owned()]));
        let job = |id: &str, name: &str| JobRow { job_id: id.into(), submission_id: name.into(), ..JobRow::default() };
        let jobs = || Rows::Jobs(vec![job("0a", "first"), job("0b", "0")]);
        assert_eq!(jobs().the_one_called("0").unwrap(), Some(Rows::Jobs(vec![job("0b", "0")])));
        assert_eq!(jobs().the_one_called("first").unwrap(), Some(Rows::Jobs(vec![job("0a", "first")])));
    }

    #[test]
    fn of_several_none_is_taken() {
        let why = "2 actors are called `ab` or have ids that begin so (ab01, ab02): give a whole id";
        assert_eq!(found("ab"), Err(why.to_owned()));
        assert_eq!(found("kept"), Err(why.replace("`ab`", "`kept`").replace("ab02", "cd04")));
    }

    #[test]
    fn nothing_is_called_by_nothing() {
        assert_eq!(found(""), Ok(Vec::new()));
        assert_eq!(found("x"), Ok(Vec::new()));
        assert_eq!(found("ab0123"), Ok(Vec::new()));
    }

    #[test]
    fn one_thing_may_have_several_rows() {
        let row = |kept_by: &str| ObjectRow {
            object_id: "ef".into(),
            reference_type: kept_by.into(),
            ..ObjectRow::default()
        };
        let rows = Rows::Objects(vec![row("LOCAL_REFERENCE"), row("CAPTURED_IN_OBJECT")]);
        assert_eq!(rows.clone().the_one_called("e").unwrap(), Some(rows));
    }
}
