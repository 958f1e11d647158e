//! Sessions are found while they live and leave nothing behind.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn roots(folder: &tempfile::TempDir) -> Vec<PathBuf> {
    vec![folder.path().to_owned()]
}

#[test]
fn a_session_is_found_while_it_lives_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let roots = roots(&folder);
    let session = Session::create(&roots, &About::run("app.wasm")).unwrap();
    let directory = session.directory().to_owned();
    assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);

    let found = find(&roots).unwrap();
    assert_eq!(found.place(), Place::Socket(session.socket()));
    assert_eq!((found.file.pid, found.file.about.app.as_str()), (std::process::id(), "app.wasm"));

    drop(session);
    assert!(!directory.exists());
    insta::assert_snapshot!(find(&roots).unwrap_err().render(), @r"
    error: nothing of rayw is running here, and no cluster is named
      hint: `rayw start --head` starts a cluster, `rayw run APP` runs one program; `--address HOST:PORT` or RAYW_ADDRESS names a cluster elsewhere
    ");
}

#[test]
fn what_a_dead_session_left_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let roots = roots(&folder);
    let dead = our_directory(folder.path()).join("session-20200101-000000-1");
    let session = Session::create(&roots, &About::run("app.wasm")).unwrap();
    DirBuilder::new().create(&dead).unwrap();
    let about = SessionFile { pid: 1, start_time_ms: i64::MAX, about: About::run("old.wasm") };
    fs::write(dead.join(SESSION_FILE), serde_json::to_vec(&about).unwrap()).unwrap();

    let found = find(&roots).unwrap();
    assert_eq!((found.directory.as_path(), found.others), (session.directory(), 0));
    assert!(!dead.exists());
}

#[test]
fn a_directory_in_the_making_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let young = our_directory(folder.path()).join("session-20200101-000000-1");
    make_ours(young.parent().unwrap()).unwrap();
    DirBuilder::new().create(&young).unwrap();
    assert!(find(&roots(&folder)).is_err());
    assert!(young.exists());
}

#[test]
fn the_second_root_is_taken_when_the_first_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("x".repeat(SOCKET_PATH_BYTES_MAX));
    let roots = [long, folder.path().to_owned()];
    let session = Session::create(&roots, &About::run("app.wasm")).unwrap();
    assert!(session.directory().starts_with(&roots[1]));
    let failure = Session::create(&roots[..1], &About::run("app.wasm")).unwrap_err();
    assert!(failure.render().contains("too long for a unix socket"), "{}", failure.render());
}

#[test]
fn a_directory_open_to_others_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let roots = roots(&folder);
    drop(Session::create(&roots, &About::run("app.wasm")).unwrap());
    fs::set_permissions(our_directory(folder.path()), fs::Permissions::from_mode(0o755)).unwrap();
    let failure = Session::create(&roots, &About::run("app.wasm")).unwrap_err();
    assert!(failure.render().contains("chmod 700"), "{}", failure.render());
}

#[test]
fn an_address_is_a_directory_or_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join(STATE_SOCKET);
    assert!(place_of(folder.path()).is_err());
    fs::write(&socket, "").unwrap();
    assert_eq!(place_of(folder.path()).unwrap(), Place::Socket(socket.clone()));
    assert_eq!(place_of(&socket).unwrap(), Place::Socket(socket));
    assert!(place_of(Path::new("/nowhere")).unwrap_err().render().contains("`/nowhere`"));
}

fn member(roots: &[PathBuf], part: Part, address: &str) -> Session {
    Session::create(roots, &About { part, address: Some(address.to_owned()), ..About::run("x") }).unwrap()
}

#[test]
fn a_head_is_asked_before_the_head_of_a_node() {
    let folder = tempfile::tempdir().unwrap();
    let roots = roots(&folder);
    assert_eq!(cluster(&roots).unwrap_err(), find(&roots).unwrap_err());
    let head = member(&roots, Part::Head, "head:1");
    let node = member(&roots, Part::Node, "far:1");
    assert_eq!(cluster(&roots).unwrap(), ("head:1".to_owned(), 0));
    assert_eq!(find(&roots).unwrap().place(), Place::Cluster("head:1".into()));
    assert_eq!(place_of(head.directory()).unwrap(), Place::Cluster("head:1".into()));
    assert_eq!(members(&roots).len(), 2);
    drop(head);
    assert_eq!(cluster(&roots).unwrap(), ("far:1".to_owned(), 0));
    assert_eq!(find(&roots).unwrap().place(), Place::Cluster("far:1".into()));
    drop(node);
    assert!(members(&roots).is_empty());
}

#[test]
fn a_cluster_is_asked_before_a_newer_run() {
    let folder = tempfile::tempdir().unwrap();
    let roots = roots(&folder);
    let node = member(&roots, Part::Node, "far:1");
    let older = Session::create(&roots, &About::run("older.wasm")).unwrap();
    let newer = Session::create(&roots, &About::run("newer.wasm")).unwrap();
    let found = find(&roots).unwrap();
    assert_eq!((found.place(), found.others), (Place::Cluster("far:1".into()), 2));
    assert_eq!(cluster(&roots).unwrap(), ("far:1".to_owned(), 2));
    drop(node);
    let found = find(&roots).unwrap();
    assert!(matches!(found.place(), Place::Socket(_)));
    assert_eq!(found.others, 1);
    let failure = cluster(&roots).unwrap_err();
    assert_eq!(failure.status.code(), 2);
    insta::assert_snapshot!(failure.render(), @r"
    error: no cluster is running here, only a `rayw run`, which takes no other jobs
      hint: `rayw start --head` starts a cluster, `rayw run APP` runs one program; `--address HOST:PORT` or RAYW_ADDRESS names a cluster elsewhere
    ");
    drop((older, newer));
}

#[test]
fn the_process_that_holds_a_session_is_told_from_others() {
    let folder = tempfile::tempdir().unwrap();
    let roots = roots(&folder);
    let _session = Session::create(&roots, &About::run("app.wasm")).unwrap();
    let found = find(&roots).unwrap();
    assert!(found.is_alive() && found.is_held_by(std::process::id()));
    assert!(!found.is_held_by(1));
}
