//! What a word is: a run of ASCII letters, as long as it goes, in lower case.
//!
//! That is what `tr -cs A-Za-z '\n' | tr A-Z a-z` makes of a file, without the
//! empty line it begins with if the file does not begin with a letter.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};

use crate::files::Chunk;

pub type Counts = HashMap<String, u64>;

/// Counts the words that begin in the chunk: one that reaches into it belongs
/// to the chunk before, one that reaches out of it is read to its end.
pub fn count(chunk: &Chunk) -> io::Result<Counts> {
    let mut counts = Counts::new();
    // The byte in front tells whether a word reaches in.
    let start = chunk.start.saturating_sub(1);
    let text = read(chunk, start)?;
    let mut words = text.split(|byte| !byte.is_ascii_alphabetic());
    if chunk.start > 0 {
        // The end of such a word, or nothing.
        words.next();
    }
    for word in words.filter(|word| !word.is_empty()) {
        let word = word.iter().map(|letter| char::from(letter.to_ascii_lowercase())).collect();
        *counts.entry(word).or_default() += 1;
    }
    Ok(counts)
}

/// The same in every sandbox: `DefaultHasher::new` has no random seed.
pub fn bucket(word: &str, buckets: u32) -> usize {
    let mut hasher = DefaultHasher::new();
    word.hash(&mut hasher);
    (hasher.finish() % u64::from(buckets)) as usize
}

/// From `start` to the end of the last word that begins in the chunk.
fn read(chunk: &Chunk, start: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(&chunk.file)?;
    file.seek(SeekFrom::Start(start))?;
    let mut text = Vec::new();
    let mut reader = BufReader::new(file);
    reader.by_ref().take(chunk.end - start).read_to_end(&mut text)?;
    if text.last().is_some_and(u8::is_ascii_alphabetic) {
        for byte in reader.bytes() {
            let byte = byte?;
            if !byte.is_ascii_alphabetic() {
                break;
            }
            text.push(byte);
        }
    }
    Ok(text)
}
