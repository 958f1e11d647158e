//! The folder that travels with a job: packed as a tar archive, up to a limit.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rayw_core::{ComponentDigest, Error, ErrorKind, limits};

use crate::failure::Failure;
use crate::table::printable;

/// Folders that no job needs and that are often large.
pub const LEFT_OUT: [&str; 4] = [".git", "target", "node_modules", "__pycache__"];

/// Names that are told at once: a person reads a few.
const NAMES_MAX: usize = 5;

/// The help of the option that names such a folder.
#[must_use]
pub fn help() -> String {
    format!(
        "Send a folder with the job, which its guests see as `.`, for reading; at most {} MiB, without symbolic \
         links and folders named {}",
        limits::BLOB_BYTES_MAX >> 20,
        LEFT_OUT.join(", ")
    )
}

/// A packed folder.
#[derive(Debug)]
pub struct Packed {
    /// Of the archive.
    pub digest: ComponentDigest,
    /// The archive.
    pub bytes: Bytes,
    /// What is not in it, in words for people.
    pub left_out: Vec<String>,
}

/// Packs a folder. The same files make the same archive, whenever they were written and however they lie on
/// the disk.
///
/// # Errors
/// When something in it cannot be read, or when it is too large.
pub fn pack(folder: &Path) -> Result<Packed, Failure> {
    pack_up_to(limits::BLOB_BYTES_MAX, folder)
}

fn pack_up_to(bytes_max: usize, folder: &Path) -> Result<Packed, Failure> {
    let mut archive = tar::Builder::new(Limited { bytes: Vec::new(), max: bytes_max, is_full: false });
    archive.mode(tar::HeaderMode::Deterministic);
    archive.follow_symlinks(false);
    // Holes are what a file system makes of zeros: a node has to hold them all.
    archive.sparse(false);
    let mut packing = Packing { archive, at: PathBuf::new(), folders: BTreeSet::new(), others: Vec::new() };
    if let Err(error) = packing.add(folder, Path::new("")).and_then(|()| packing.archive.finish()) {
        return Err(packing.failed(folder, &error));
    }
    let left_out = packing.left_out();
    let archive = packing.archive.into_inner();
    let bytes: Bytes = archive
        .map_err(|error| Failure::work(format!("failed to pack `{}`", folder.display())).caused_by(error))?
        .bytes
        .into();
    Ok(Packed { digest: ComponentDigest::of(&bytes), bytes, left_out })
}

struct Packing {
    archive: tar::Builder<Limited>,
    /// What was added last, as seen from the folder.
    at: PathBuf,
    /// Names of folders that were left out.
    folders: BTreeSet<&'static str>,
    /// What is neither a file nor a folder.
    others: Vec<String>,
}

impl Packing {
    fn add(&mut self, folder: &Path, inside: &Path) -> std::io::Result<()> {
        inside.clone_into(&mut self.at);
        let mut entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let (path, inside) = (entry.path(), inside.join(&name));
            self.at.clone_from(&inside);
            // Of a link itself: what it leads to may lie outside, or be one of the folders above it.
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if let Some(left_out) = LEFT_OUT.into_iter().find(|left_out| name == *left_out) {
                    self.folders.insert(left_out);
                } else {
                    self.archive.append_dir(&inside, &path)?;
                    self.add(&path, &inside)?;
                }
            } else if kind.is_file() {
                self.archive.append_path_with_name(&path, &inside)?;
            } else {
                self.others.push(inside.display().to_string());
            }
        }
        Ok(())
    }

    fn failed(&self, folder: &Path, error: &std::io::Error) -> Failure {
        let folder = folder.display();
        let inside = if self.at.as_os_str().is_empty() { Path::new(".") } else { &self.at }.display();
        let Limited { max, is_full, .. } = self.archive.get_ref();
        if !is_full {
            return Failure::work(format!("failed to pack `{inside}` of the working directory `{folder}`"))
                .caused_by(error);
        }
        let message = format!(
            "`{folder}` is too large: a working directory has at most {} MiB, and those ended at `{inside}`",
            max >> 20
        );
        Failure::from(Error::new(ErrorKind::LimitExceeded, message))
            .hint("leave large files out of it, or name a folder of the nodes with `--dir`")
    }

    fn left_out(&self) -> Vec<String> {
        let mut words = Vec::new();
        if !self.folders.is_empty() {
            let names: Vec<_> = self.folders.iter().map(|name| format!("`{name}`")).collect();
            words.push(format!("rayw: left out of the working directory: folders named {}", names.join(", ")));
        }
        if !self.others.is_empty() {
            let names: Vec<_> =
                self.others.iter().take(NAMES_MAX).map(|name| format!("`{}`", printable(name))).collect();
            let more = match self.others.len() - names.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            words.push(format!(
                "rayw: left out of the working directory: symbolic links, which are not followed, and what else is \
                 no file: {}{more}",
                names.join(", ")
            ));
        }
        words
    }
}

/// What is written, as long as it fits.
struct Limited {
    bytes: Vec<u8>,
    max: usize,
    is_full: bool,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.max {
            self.is_full = true;
            return Err(std::io::Error::other("the archive is full"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn names(packed: &Packed) -> Vec<String> {
        let mut archive = tar::Archive::new(packed.bytes.as_ref());
        archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect()
    }

    #[test]
    fn the_same_folder_makes_the_same_archive_without_what_is_left_out() {
        let make = || {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir_all(folder.path().join("data/target")).unwrap();
            fs::create_dir_all(folder.path().join(".git")).unwrap();
            fs::write(folder.path().join("data/a.txt"), "a").unwrap();
            fs::write(folder.path().join("data/target/c"), "c").unwrap();
            fs::write(folder.path().join(".git/b"), "b").unwrap();
            pack(folder.path()).unwrap()
        };
        let packed = make();
        assert_eq!(packed.digest, make().digest);
        assert_eq!(names(&packed), ["data", "data/a.txt"]);
        insta::assert_snapshot!(packed.left_out.join("\n"), @"rayw: left out of the working directory: folders named `.git`, `target`");
    }

    #[test]
    fn links_are_not_followed_and_that_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "a").unwrap();
        symlink(".", folder.path().join("round")).unwrap();
        symlink("/proc/self/status", folder.path().join("outside")).unwrap();
        symlink("nowhere", folder.path().join("broken")).unwrap();
        let packed = pack(folder.path()).unwrap();
        assert_eq!(names(&packed), ["a"]);
        insta::assert_snapshot!(packed.left_out.join("\n"), @"rayw: left out of the working directory: symbolic links, which are not followed, and what else is no file: `broken`, `outside`, `round`");
        for number in 0..4 {
            symlink("a", folder.path().join(format!("link-{number}"))).unwrap();
        }
        let said = pack(folder.path()).unwrap().left_out.join("\n");
        assert!(said.ends_with(" `link-3` and 2 more"), "{said}");
    }

    #[test]
    fn a_folder_that_holds_all_that_it_should_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "a").unwrap();
        assert!(pack(folder.path()).unwrap().left_out.is_empty());
    }

    #[test]
    fn packing_ends_where_the_limit_is() {
        let folder = tempfile::tempdir().unwrap();
        for (name, kibibytes) in [("a", 600), ("b", 600), ("c", 1)] {
            fs::write(folder.path().join(name), vec![1; kibibytes << 10]).unwrap();
        }
        let failure = pack_up_to(1 << 20, folder.path()).unwrap_err();
        assert_eq!(failure.status.code(), 1);
        let said = failure.render().replace(&folder.path().display().to_string(), "…");
        insta::assert_snapshot!(said, @r"
        error: `…` is too large: a working directory has at most 1 MiB, and those ended at `b`
          hint: leave large files out of it, or name a folder of the nodes with `--dir`
        ");
        // A hole takes room at the nodes too.
        let hole = fs::File::create(folder.path().join("b")).unwrap();
        hole.set_len(1 << 30).unwrap();
        assert!(pack_up_to(1 << 20, folder.path()).unwrap_err().render().contains("`b`"));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let failure = pack(Path::new("/nowhere")).unwrap_err();
        insta::assert_snapshot!(failure.render(), @r"
        error: failed to pack `.` of the working directory `/nowhere`
          caused by: No such file or directory (os error 2)
        ");
    }
}
