//! Which files are counted, and in which pieces.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A file with a NUL within so many bytes is no text (the rule of git and grep).
const LOOKED_AT_BYTES: u64 = 8000;

/// A piece of a file: the work of one map task.
#[derive(Serialize, Deserialize)]
pub struct Chunk {
    pub file: PathBuf,
    pub start: u64,
    pub end: u64,
}

/// Adds the chunks of every text file below `folder`. Symbolic links are not followed.
pub fn split(folder: &Path, chunk_bytes: u64, chunks: &mut Vec<Chunk>) -> io::Result<()> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("cannot read `{}`: {error}", folder.display()));
    for entry in fs::read_dir(folder).map_err(named)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            split(&path, chunk_bytes, chunks)?;
        } else if kind.is_file() && is_text(&path)? {
            let size = entry.metadata()?.len();
            let mut start = 0;
            while start < size {
                let end = size.min(start.saturating_add(chunk_bytes));
                chunks.push(Chunk { file: path.clone(), start, end });
                start = end;
            }
        }
    }
    Ok(())
}

fn is_text(file: &Path) -> io::Result<bool> {
    let mut beginning = Vec::new();
    File::open(file)?.take(LOOKED_AT_BYTES).read_to_end(&mut beginning)?;
    Ok(!beginning.contains(&0))
}
