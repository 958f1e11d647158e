//! `rayw get`.

use rayw_core::view::Resource;
use rayw_core::{Error, ErrorKind};

use super::ask::ask;
use crate::columns;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::printer::PrinterHandle;
use crate::settings::GetSettings;
use crate::table::{self, Clock};

pub(super) fn get(settings: GetSettings, printer: &PrinterHandle, clock: &Clock) -> Result<ExitStatus, Failure> {
    let GetSettings { resource, id, format, session } = settings;
    let asked = id.clone();
    let rows = ask(&session, printer, |client| async move { client.get(resource, asked).await })?;
    let records = rows.map(|rows| columns::records(&rows, true)).unwrap_or_default();
    if records.is_empty() {
        return Err(unknown(resource, &id));
    }
    printer.out(table::list(&records, format, clock)?);
    Ok(ExitStatus::Done)
}

fn unknown(resource: Resource, id: &str) -> Failure {
    let (one, all) = match resource {
        Resource::Tasks => ("task", "tasks"),
        Resource::Actors => ("actor", "actors"),
        Resource::Objects => ("object", "objects"),
        Resource::Nodes => ("node", "nodes"),
        Resource::Jobs => ("job", "jobs"),
        Resource::Leases => ("lease", "leases"),
        Resource::PlacementGroups => ("placement group", "placement-groups"),
    };
    let error = Error::new(ErrorKind::InvalidArgument, format!("no {one} has the id `{id}`"));
    Failure::new(ExitStatus::WorkFailed, error).hint(format!("`rayw list {all}` shows those that are known"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_id_is_named() {
        insta::assert_snapshot!(unknown(Resource::Actors, "6f1c").render(), @r"
        error: no actor has the id `6f1c`
          hint: `rayw list actors` shows those that are known
        ");
    }
}
