//! Client and server meet over a real socket.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rayw_core::control::ClusterStatus;
use rayw_core::view::{Answer, Filter, NodeRow, Query, Resource, Rows, TaskRow, TaskSummary, TaskSummaryRow};
use rayw_core::{Error, ErrorKind};
use tokio::net::UnixListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::{BoxFuture, StateClient, StateSource, serve_state};

/// Answers with what it was asked, so that a test sees both ways.
struct Echo;

impl StateSource for Echo {
    fn list(&self, query: Query) -> BoxFuture<Result<Answer, Error>> {
        Box::pin(async move {
            match query.resource {
                Resource::Tasks => {
                    let name: Vec<_> = query.filters.iter().map(|filter| filter.value.clone()).collect();
                    let row = TaskRow { name: name.join(","), ..TaskRow::default() };
                    Ok(Answer { rows: Rows::Tasks(vec![row]), total: query.limit, filtered: 1, unheard: 0 })
                }
                Resource::Objects => {
                    let row = TaskRow { name: "x".repeat(1 << 20), ..TaskRow::default() };
                    Ok(Answer { rows: Rows::Tasks(vec![row; 65]), total: 65, filtered: 65, unheard: 0 })
                }
                Resource::Jobs => {
                    tokio::time::sleep(Duration::from_secs(3600)).await;
                    Err(Error::new(ErrorKind::System, "never"))
                }
                Resource::Actors | Resource::Nodes | Resource::Leases | Resource::PlacementGroups => {
                    let mut error = Error::new(ErrorKind::InvalidArgument, "no column `x`").caused_by("a typo");
                    error.backtrace = Some("frame\n".repeat(10_000));
                    Err(error)
                }
            }
        })
    }

    fn get(&self, resource: Resource, id: String) -> BoxFuture<Result<Option<Rows>, Error>> {
        Box::pin(async move {
            assert_eq!(resource, Resource::Nodes);
            Ok((id == "known").then(|| Rows::Nodes(vec![NodeRow { node_id: id, ..NodeRow::default() }])))
        })
    }

    fn summary(&self) -> BoxFuture<Result<TaskSummary, Error>> {
        Box::pin(async {
            let state_counts = vec![("FINISHED".to_owned(), 4)];
            let row = TaskSummaryRow { func_or_class_name: "f".into(), r#type: "NORMAL_TASK".into(), state_counts };
            Ok(TaskSummary { rows: vec![row], unheard: 2 })
        })
    }

    fn status(&self) -> BoxFuture<Result<ClusterStatus, Error>> {
        Box::pin(async { Ok(ClusterStatus { time_ms: 7, ..ClusterStatus::default() }) })
    }
}

struct Served {
    socket: PathBuf,
    stop: oneshot::Sender<()>,
    server: JoinSet<Result<(), Error>>,
    _folder: tempfile::TempDir,
}

fn served() -> Served {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("state.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let (stop, stopped) = oneshot::channel();
    let mut server = JoinSet::new();
    server.spawn(serve_state(listener, Arc::new(Echo), async {
        let _ = stopped.await;
    }));
    Served { socket, stop, server, _folder: folder }
}

fn query(resource: Resource, limit: usize) -> Query {
    Query { resource, filters: Vec::new(), limit }
}

#[tokio::test]
async fn questions_and_answers_arrive() {
    let served = served();
    let client = StateClient::connect(&served.socket).await.unwrap();

    let filter = Filter { key: "name".into(), negated: true, value: "f".into() };
    let answer = client.list(Query { resource: Resource::Tasks, filters: vec![filter], limit: 7 }).await.unwrap();
    let row = TaskRow { name: "f".into(), ..TaskRow::default() };
    assert_eq!(answer, Answer { rows: Rows::Tasks(vec![row]), total: 7, filtered: 1, unheard: 0 });

    assert!(client.get(Resource::Nodes, "known".into()).await.unwrap().is_some());
    assert_eq!(client.get(Resource::Nodes, "unknown".into()).await.unwrap(), None);
    assert_eq!(client.summary().await.unwrap().rows[0].state_counts, [("FINISHED".to_owned(), 4)]);
    assert_eq!(client.status().await.unwrap().time_ms, 7);
}

#[tokio::test]
async fn an_error_arrives_whole_even_a_long_one() {
    let served = served();
    let client = StateClient::connect(&served.socket).await.unwrap();
    let error = client.list(query(Resource::Actors, 1)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidArgument);
    assert_eq!(error.to_string(), "no column `x`: a typo");
    assert_eq!(error.backtrace.as_ref().unwrap().lines().count(), 10_000);
}

#[tokio::test]
async fn a_limit_beyond_the_limit_is_refused() {
    let served = served();
    let client = StateClient::connect(&served.socket).await.unwrap();
    let error = client.list(query(Resource::Tasks, 10_001)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidArgument);
    assert!(error.message.contains("at most 10000 rows"), "{error}");
}

#[tokio::test]
async fn an_answer_beyond_its_size_is_refused_with_a_remedy() {
    let served = served();
    let client = StateClient::connect(&served.socket).await.unwrap();
    let error = client.list(query(Resource::Objects, 1)).await.unwrap_err();
    assert!(error.message.contains("`--limit`"), "{error}");
}

#[tokio::test]
async fn a_silent_source_ends_in_a_time_out() {
    let served = served();
    let client = StateClient::connect(&served.socket).await.unwrap().with_timeout(Duration::from_millis(50));
    let error = client.list(query(Resource::Jobs, 1)).await.unwrap_err();
    assert!(error.message.contains("no answer within 50ms"), "{error}");
}

#[tokio::test]
async fn a_missing_socket_is_named() {
    let error = StateClient::connect(std::path::Path::new("/nowhere/state.sock")).await.unwrap_err();
    assert_eq!(error.message, "failed to reach rayw at `/nowhere/state.sock`");
    assert!(error.causes[0].contains("No such file"), "{error}");
}

#[tokio::test]
async fn the_server_ends_when_it_is_told_even_with_an_idle_client() {
    let mut served = served();
    let client = StateClient::connect(&served.socket).await.unwrap();
    client.summary().await.unwrap();
    served.stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(5), served.server.join_next()).await.unwrap().unwrap().unwrap().unwrap();
    assert!(client.summary().await.unwrap_err().message.contains("the connection broke"));
}
