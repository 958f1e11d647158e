//! Components and working directories that this node got from the head, by digest: each travels once,
//! however many jobs use it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use rayw_core::{ComponentDigest, Error, limits, oldest_beyond};
use rayw_node::Turns;

/// The folder, and whose turn it is for each digest.
pub(super) struct Kept {
    folder: PathBuf,
    turns: Turns<ComponentDigest, ()>,
}

impl Kept {
    pub(super) fn new(folder: PathBuf) -> Arc<Self> {
        Arc::new(Self { folder, turns: Turns::default() })
    }

    /// What has that digest: from the folder, or from `fetch`, which is called once however many ask.
    pub(super) async fn get(
        self: Arc<Self>,
        digest: ComponentDigest,
        fetch: impl Future<Output = Result<Bytes, Error>>,
    ) -> Result<Bytes, Error> {
        let turn = self.turns.of(digest);
        let _turn = turn.take().await;
        if let Some(bytes) = self.read(digest).await {
            return Ok(bytes);
        }
        let bytes = fetch.await?;
        self.keep(digest, bytes.clone()).await;
        Ok(bytes)
    }

    async fn read(&self, digest: ComponentDigest) -> Option<Bytes> {
        let path = self.folder.join(digest.to_string());
        let read = tokio::task::spawn_blocking(move || {
            let bytes = std::fs::read(&path).ok()?;
            if ComponentDigest::of(&bytes) == digest {
                return Some(Bytes::from(bytes));
            }
            tracing::warn!("`{}` was changed on this node's disk: fetching it again", path.display());
            // What cannot be removed is written over.
            let _ = std::fs::remove_file(path);
            None
        });
        read.await.ok().flatten()
    }

    /// Keeps what came. A disk that is full costs another journey, not the job.
    async fn keep(&self, digest: ComponentDigest, bytes: Bytes) {
        let folder = self.folder.clone();
        let kept = tokio::task::spawn_blocking(move || {
            tracing::info!(%digest, bytes = bytes.len(), "got from the head");
            write(&folder, digest, &bytes).and_then(|()| make_room(&folder, limits::NODE_BLOBS_BYTES_MAX))
        });
        match kept.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%digest, %error, "failed to keep what came from the head"),
            Err(error) => tracing::warn!(%digest, %error, "keeping what came from the head broke down"),
        }
    }
}

/// Writes beside its place and moves it there, so that what is there is whole.
fn write(folder: &Path, digest: ComponentDigest, bytes: &Bytes) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let beside = folder.join(format!(".{digest}"));
    std::fs::write(&beside, bytes)?;
    std::fs::rename(beside, folder.join(digest.to_string()))
}

/// Removes what was written longest ago until the rest fits.
fn make_room(folder: &Path, bytes_max: u64) -> std::io::Result<()> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        files.push((about.modified().unwrap_or(SystemTime::UNIX_EPOCH), about.len(), entry.path()));
    }
    // The newest stays even if it alone is too large.
    let newest = files.iter().max().map(|(_, _, path)| path.clone());
    oldest_beyond(files, |path| Some(path) == newest.as_ref(), bytes_max).into_iter().try_for_each(std::fs::remove_file)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn blob(bytes: &'static [u8]) -> (ComponentDigest, Bytes) {
        (ComponentDigest::of(bytes), Bytes::from_static(bytes))
    }

    #[tokio::test]
    async fn what_many_ask_for_is_fetched_once() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path().join("kept"));
        let fetched = AtomicUsize::new(0);
        let (digest, bytes) = blob(b"x");
        let fetch = || async {
            fetched.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok(bytes.clone())
        };
        let (one, other) = tokio::join!(Arc::clone(&kept).get(digest, fetch()), Arc::clone(&kept).get(digest, fetch()));
        assert_eq!((one.unwrap(), other.unwrap()), (bytes.clone(), bytes.clone()));
        // What is damaged is fetched again.
        std::fs::write(folder.path().join("kept").join(digest.to_string()), "y").unwrap();
        assert_eq!(Arc::clone(&kept).get(digest, fetch()).await.unwrap(), bytes);
        assert_eq!(fetched.load(Ordering::Relaxed), 2);
        assert!(kept.turns.is_empty());
    }

    #[test]
    fn the_oldest_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = [blob(b"aaaa"), blob(b"bbbb"), blob(b"cccc")];
        for (age, (digest, bytes)) in blobs.iter().enumerate() {
            write(folder.path(), *digest, bytes).unwrap();
            let file = std::fs::File::open(folder.path().join(digest.to_string())).unwrap();
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(age as u64);
            file.set_modified(time).unwrap();
        }
        make_room(folder.path(), 8).unwrap();
        let is_there = blobs.map(|(digest, _)| folder.path().join(digest.to_string()).exists());
        assert_eq!(is_there, [false, true, true]);
        make_room(folder.path(), 0).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
