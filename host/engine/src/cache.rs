//! Compiled code on disk.
//!
//! ```text
//! <cache dir, 0700>/<blake3 of the component>-<hash of compiler and settings>.cwasm
//!                   … .cwasm.b3     blake3 of that file, written after it
//! ```
//!
//! Compiled code is native code: whoever can write it owns the process. So the
//! folder must belong to us alone, a file is only loaded when its digest is
//! the one that was noted when it was written, and nothing is ever loaded that
//! came from elsewhere. What does not fit is compiled again.
//!
//! The folder has a limit. Beyond it, those files go that were loaded longest
//! ago; their times say so.

use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;
use std::{fs, io};

use rayw_core::{ComponentDigest, limits, oldest_beyond};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Changes when a component is made from the same bytes in another way than before.
const GENERATION: u32 = 2;

/// A folder of compiled components.
#[derive(Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
    /// What code depends on beside its source: the compiler, its settings, the processor.
    compatibility: u64,
    /// Bytes that all files may have together.
    bytes_max: u64,
    /// Makes names of unfinished files unique in this process.
    unfinished: AtomicU64,
}

impl Cache {
    /// Opens the folder, making it when it is not there.
    pub(crate) fn open(dir: &Path, engine: &Engine, bytes_max: u64) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let metadata = fs::symlink_metadata(dir)?;
        if !metadata.is_dir() || metadata.uid() != fs::metadata("/proc/self")?.uid() {
            return Err(io::Error::other("it is not a folder of ours"));
        }
        if metadata.mode() & 0o077 != 0 {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
        }
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        GENERATION.hash(&mut hasher);
        let (dir, compatibility) = (dir.to_owned(), hasher.finish());
        Ok(Self { dir, compatibility, bytes_max, unfinished: AtomicU64::new(0) })
    }

    /// The compiled component, if it is there and whole.
    pub(crate) fn load(&self, engine: &Engine, digest: &ComponentDigest) -> Option<Component> {
        let path = self.path(digest);
        let noted = fs::read_to_string(checksum_path(&path)).ok()?;
        match load_if(engine, &path, &noted) {
            Ok(component) => Some(component),
            // It had to make room just now.
            Err(_) if !path.exists() => None,
            Err(cause) => {
                tracing::warn!(file = %path.display(), "compiled component is not usable, compiling it again: {cause}");
                None
            }
        }
    }

    /// Keeps a compiled component. That it cannot be kept is no error for whoever wants to run it.
    pub(crate) fn store(&self, digest: &ComponentDigest, component: &Component) {
        let path = self.path(digest);
        let stored = component.serialize().map_err(io::Error::other).and_then(|code| {
            let checksum = blake3::hash(&code).to_hex();
            self.write(&path, &code)?;
            self.write(&checksum_path(&path), checksum.as_bytes())
        });
        if let Err(cause) = stored {
            tracing::warn!(file = %path.display(), "cannot keep the compiled component: {cause}");
        }
        if let Err(cause) = self.make_room(&path) {
            tracing::warn!(dir = %self.dir.display(), "cannot look how much compiled code there is: {cause}");
        }
    }

    /// Takes out what was loaded longest ago while there is too much, and what a killed process left behind. Others
    /// may do the same at the same time: a file that is gone already is none to worry about, and one that goes while
    /// somebody has it mapped stays until they are done.
    fn make_room(&self, newest: &Path) -> io::Result<()> {
        let now = SystemTime::now();
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            let used = metadata.modified()?;
            match path.file_name().and_then(OsStr::to_str).map(kind) {
                Some(Kind::Code) => kept.push((used, metadata.len(), path)),
                Some(Kind::Checksum) if !path.with_extension("").exists() => drop(fs::remove_file(&path)),
                Some(Kind::Unfinished) => {
                    if now.duration_since(used).is_ok_and(|age| age > limits::COMPILED_UNFINISHED_KEPT) {
                        drop(fs::remove_file(&path));
                    }
                }
                Some(Kind::Checksum | Kind::Foreign) | None => {}
            }
        }
        for path in oldest_beyond(kept, |path| path == newest, self.bytes_max) {
            // The checksum first: without it nobody loads the other.
            drop(fs::remove_file(checksum_path(&path)));
            drop(fs::remove_file(path));
        }
        Ok(())
    }

    fn path(&self, digest: &ComponentDigest) -> PathBuf {
        self.dir.join(format!("{digest}-{:016x}.cwasm", self.compatibility))
    }

    /// Writes a file whole or not at all.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let number = self.unfinished.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.dir.join(format!(".{}-{number}.tmp", std::process::id()));
        let written = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| fs::rename(&unfinished, path));
        if written.is_err() {
            // Nothing to tell: it may not exist, and the first error is the one that matters.
            drop(fs::remove_file(&unfinished));
        }
        written
    }
}

/// What a file in the folder is, which somebody may have chosen for other things, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Checksum,
    Unfinished,
    Foreign,
}

fn kind(name: &str) -> Kind {
    let is_ours = |stem: &str| {
        let hex = |part: &str, len| part.len() == len && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        stem.split_once('-').is_some_and(|(digest, compatibility)| hex(digest, 64) && hex(compatibility, 16))
    };
    let is_numbered = |stem: &str| {
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        stem.split_once('-').is_some_and(|(process, number)| is_number(process) && is_number(number))
    };
    if name.strip_suffix(".cwasm").is_some_and(is_ours) {
        Kind::Code
    } else if name.strip_suffix(".cwasm.b3").is_some_and(is_ours) {
        Kind::Checksum
    } else if name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp")).is_some_and(is_numbered) {
        Kind::Unfinished
    } else {
        Kind::Foreign
    }
}

fn checksum_path(path: &Path) -> PathBuf {
    path.with_extension("cwasm.b3")
}

fn load_if(engine: &Engine, path: &Path, noted: &str) -> Result<Component, String> {
    let mut hasher = blake3::Hasher::new();
    let mut file = fs::File::open(path).map_err(|error| error.to_string())?;
    io::copy(&mut file, &mut hasher).map_err(|error| error.to_string())?;
    if hasher.finalize().to_hex().as_str() != noted {
        return Err("its bytes are not the ones that were written".to_owned());
    }
    // It stays longer than what is not used. Where that cannot be noted, it is compiled again some day.
    drop(file.set_modified(SystemTime::now()));
    load(engine, path).map_err(|error| format!("{error:#}"))
}

/// Maps a file of compiled code into memory.
#[expect(unsafe_code, reason = "wasmtime cannot check native code; we only load what we wrote ourselves")]
pub(crate) fn load(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: `Component::deserialize_file` asks that the file was made by wasmtime and is not
    // changed while it is mapped. `Cache` only comes here with files in a folder that belongs to
    // this user alone (0700), whose digest is the one noted when this program wrote them; files
    // are replaced by renaming and never written in place, so a mapping keeps the old one.
    unsafe { Component::deserialize_file(engine, path) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sample::COMPONENT;

    fn make_old(path: &Path, age: Duration) {
        fs::File::open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
    }

    #[test]
    fn what_was_loaded_longest_ago_goes_when_there_is_too_much() {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let component = Component::new(&engine, COMPONENT).unwrap();
        let size = component.serialize().unwrap().len() as u64;
        let cache = Cache::open(dir.path(), &engine, 2 * size).unwrap();
        let digests = [1, 2, 3].map(|number| ComponentDigest::of(&[number]));
        let [one, two, three] = &digests;
        for (digest, minutes) in [(one, 3), (two, 2)] {
            cache.store(digest, &component);
            make_old(&cache.path(digest), Duration::from_secs(60 * minutes));
        }
        assert!(cache.load(&engine, one).is_some());
        cache.store(three, &component);
        let there = digests.each_ref().map(|digest| cache.load(&engine, digest).is_some());
        assert_eq!(there, [true, false, true], "two is the one that nobody has loaded");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4, "each with its checksum");

        let small = Cache::open(dir.path(), &engine, 1).unwrap();
        small.store(two, &component);
        assert!(small.load(&engine, two).is_some(), "the newest is kept whatever its size");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_a_killed_process_left_half_written_goes() {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let cache = Cache::open(dir.path(), &engine, u64::MAX).unwrap();
        let gone = cache.path(&ComponentDigest::of(&[2]));
        let names = [".1-0.tmp", ".2-0.tmp", "other.tmp", "other.cwasm.b3"];
        let [old, new, foreign, other] = names.map(|name| dir.path().join(name));
        for path in [&old, &new, &foreign, &other, &checksum_path(&gone)] {
            fs::write(path, "half").unwrap();
        }
        [&old, &foreign].into_iter().for_each(|path| make_old(path, 2 * limits::COMPILED_UNFINISHED_KEPT));
        cache.store(&ComponentDigest::of(&[1]), &Component::new(&engine, COMPONENT).unwrap());
        assert!(!old.exists() && new.exists(), "somebody may be writing the other");
        assert!(!checksum_path(&gone).exists(), "what it was of is not there");
        assert!(foreign.exists() && other.exists(), "they are not ours");
    }
}
