//! Compiled components on disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::{component, engine_in, load};

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

async fn was_cached(dir: &Path) -> bool {
    load(&engine_in(Some(dir)), component("", "i32.const 5")).await.unwrap().was_cached()
}

#[tokio::test]
async fn a_second_engine_loads_what_the_first_compiled() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("deep/cache");
    assert!(!was_cached(&cache).await);
    assert!(was_cached(&cache).await);
    assert_eq!(files(&cache).len(), 2);
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_changed_file_is_not_trusted_but_made_again() {
    let dir = tempfile::tempdir().unwrap();
    assert!(!was_cached(dir.path()).await);
    let code = files(dir.path()).remove(0);
    let mut bytes = fs::read(&code).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&code, bytes).unwrap();
    assert!(!was_cached(dir.path()).await);
    assert!(was_cached(dir.path()).await);
    fs::write(&code, b"").unwrap();
    assert!(!was_cached(dir.path()).await);
}

#[tokio::test]
async fn a_folder_open_to_others_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    was_cached(dir.path()).await;
    assert_eq!(fs::metadata(dir.path()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn without_a_usable_folder_components_run_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(!was_cached(&file).await);
}
