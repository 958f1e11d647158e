//! Counts the words of every text file below the given folders: map, shuffle, reduce.
//!
//! ```text
//! file ─┬─ chunk ─▶ map ─┬─▶ bucket 0 ─▶ reduce ─┐
//!       └─ chunk ─▶ map ─┼─▶ bucket 1 ─▶ reduce ─┼─▶ the driver prints the top
//! file ─── chunk ─▶ map ─┴─▶ …        ─▶ reduce ─┘
//! ```
//!
//! The driver only handles names, places and references: the tasks read the
//! files themselves, and the counts go from task to task.

mod arguments;
mod files;
mod words;

use std::cmp::Reverse;

use rayw::ObjectRef;

use arguments::Arguments;
use files::Chunk;
use words::Counts;

/// A word is in the same bucket whoever found it, so each reducer has all of its words' counts.
const BUCKETS: u32 = 4;

/// Counts the words that begin in the chunk, bucket by bucket.
#[rayw::task]
fn map(chunk: Chunk) -> rayw::Result<Vec<Counts>> {
    let counts = words::count(&chunk).map_err(|error| {
        rayw::Error::from(error).context(format!("failed to count the words of `{}`", chunk.file.display()))
    })?;
    let mut buckets = vec![Counts::new(); BUCKETS as usize];
    for (word, count) in counts {
        buckets[words::bucket(&word, BUCKETS)].insert(word, count);
    }
    Ok(buckets)
}

/// Adds up one bucket of every map task, and keeps the `top` words of it.
///
/// The references are inside a list, so they arrive as references: the task
/// takes one part after the other, and never holds them all.
#[rayw::task]
fn reduce(parts: Vec<ObjectRef<Counts>>, top: usize) -> rayw::Result<Vec<(String, u64)>> {
    let mut sum = Counts::new();
    for part in parts {
        for (word, count) in part.get()? {
            *sum.entry(word).or_default() += count;
        }
    }
    Ok(most_frequent(sum.into_iter().collect(), top))
}

#[rayw::main]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse()?;
    let mut chunks = Vec::new();
    for folder in &arguments.folders {
        files::split(folder, arguments.chunk_bytes, &mut chunks)?;
    }
    for (word, count) in count(chunks, arguments.top)? {
        println!("{count} {word}");
    }
    Ok(())
}

/// The `top` words of all the chunks, the most frequent first.
fn count(chunks: Vec<Chunk>, top: usize) -> rayw::Result<Vec<(String, u64)>> {
    let mut buckets = vec![Vec::with_capacity(chunks.len()); BUCKETS as usize];
    for chunk in chunks {
        // Each bucket is an object of its own, so a reducer only gets what it adds up.
        for (bucket, part) in buckets.iter_mut().zip(map::options().num_returns(BUCKETS).remote(chunk)) {
            bucket.push(part);
        }
    }
    let tops: Vec<_> = buckets.into_iter().map(|parts| reduce::remote(parts, top)).collect();
    Ok(most_frequent(rayw::get_all(tops)?.concat(), top))
}

/// By count, the highest first; words of the same count in the order of the alphabet.
fn most_frequent(mut words: Vec<(String, u64)>, top: usize) -> Vec<(String, u64)> {
    words.sort_unstable_by(|(a, a_count), (b, b_count)| (Reverse(a_count), a).cmp(&(Reverse(b_count), b)));
    words.truncate(top);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one reader would count who sees each file as a whole.
    fn expected(top: usize) -> Vec<(String, u64)> {
        let mut counts = Counts::new();
        for text in [include_str!("../text/wind.txt"), include_str!("../text/sea/tides.txt")] {
            for word in text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()) {
                *counts.entry(word.to_ascii_lowercase()).or_default() += 1;
            }
        }
        most_frequent(counts.into_iter().collect(), top)
    }

    #[test]
    fn counts_do_not_depend_on_the_chunks() {
        for chunk_bytes in [1, 7, 100, 1 << 20] {
            let mut chunks = Vec::new();
            files::split("text".as_ref(), chunk_bytes, &mut chunks).unwrap();
            assert_eq!(count(chunks, 1000).unwrap(), expected(1000), "{chunk_bytes} bytes");
        }
    }

    #[test]
    fn the_top_is_cut_after_the_buckets_are_together() {
        let mut chunks = Vec::new();
        files::split("text".as_ref(), 50, &mut chunks).unwrap();
        assert_eq!(count(chunks, 3).unwrap(), expected(3));
    }

    #[test]
    fn no_files_are_no_words() {
        assert_eq!(count(Vec::new(), 10).unwrap(), []);
    }
}
