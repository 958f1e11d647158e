//! The command line: `[--top N] [--chunk-bytes N] FOLDER...`

use std::path::PathBuf;

/// What the user asked for.
pub struct Arguments {
    /// Where the texts are, as the guest sees it.
    pub folders: Vec<PathBuf>,
    /// Words to print.
    pub top: usize,
    /// Bytes of a file that one map task counts.
    pub chunk_bytes: u64,
}

impl Arguments {
    pub fn parse() -> Result<Self, Box<dyn std::error::Error>> {
        let mut given = pico_args::Arguments::from_env();
        let top = given.opt_value_from_str("--top")?.unwrap_or(10);
        let chunk_bytes = given.opt_value_from_str("--chunk-bytes")?.unwrap_or(1 << 20);
        let folders: Vec<_> = given.finish().into_iter().map(PathBuf::from).collect();
        if chunk_bytes == 0 {
            return Err("`--chunk-bytes 0` would never end; give at least 1".into());
        }
        if let Some(option) = folders.iter().find(|folder| folder.to_string_lossy().starts_with('-')) {
            return Err(format!("unknown option `{}`; there are --top and --chunk-bytes", option.display()).into());
        }
        if folders.is_empty() {
            return Err("no folder given; grant one by `--dir HOST::/text:ro` and name it: `-- /text`".into());
        }
        Ok(Self { folders, top, chunk_bytes })
    }
}
