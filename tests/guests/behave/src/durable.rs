//! Actors that sleep while nobody calls them.

use std::sync::atomic::{AtomicU32, Ordering};

use rayw::ObjectRef;
use serde::{Deserialize, Serialize};

use crate::{Scenario, scenarios};

pub const SCENARIOS: &[Scenario] = scenarios![sleepers, wake_the_sleepers];

/// Calls that this very sandbox has served: it begins anew in a fresh one.
static SERVED: AtomicU32 = AtomicU32::new(0);

/// Remembers.
#[derive(Serialize, Deserialize)]
struct Diary {
    lines: Vec<String>,
    kept: ObjectRef<String>,
    friend: Option<DiaryHandle>,
}

#[rayw::actor(durable)]
impl Diary {
    fn new(first: String, kept: Vec<ObjectRef<String>>, friend: Option<DiaryHandle>) -> rayw::Result<Self> {
        let kept = kept.into_iter().next().ok_or_else(|| rayw::Error::new("there is nothing to keep"))?;
        Ok(Self { lines: vec![first], kept, friend })
    }

    /// Writes a line; answers with how many calls this sandbox has served before, and with all lines.
    fn write(&mut self, line: String) -> (u32, Vec<String>) {
        self.lines.push(line);
        (SERVED.fetch_add(1, Ordering::Relaxed), self.lines.clone())
    }

    /// What it keeps a reference to, and what its friend has written.
    fn keeps(&self) -> rayw::Result<(String, usize)> {
        let friend = match &self.friend {
            Some(friend) => friend.write("hello".to_owned()).get()?.1.len(),
            None => 0,
        };
        Ok((self.kept.get()?, friend))
    }
}

/// Puts an object when it is made, and another one whenever it is brought back.
#[derive(Serialize)]
struct Riser {
    put: Vec<ObjectRef<u32>>,
}

impl<'de> Deserialize<'de> for Riser {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct State {
            put: Vec<ObjectRef<u32>>,
        }
        let State { mut put } = State::deserialize(deserializer)?;
        put.push(rayw::put(&(put.len() as u32)).map_err(serde::de::Error::custom)?);
        Ok(Self { put })
    }
}

#[rayw::actor(durable)]
impl Riser {
    fn new() -> rayw::Result<Self> {
        Ok(Self { put: vec![rayw::put(&0)?] })
    }

    fn put(&self) -> Vec<ObjectRef<u32>> {
        self.put.clone()
    }
}

/// Two actors, of whom one knows the other, and an object that only their states refer to; and one that rises.
fn sleepers() -> rayw::Result<()> {
    let kept = rayw::put(&"treasure".to_owned())?;
    let friend = Diary::options().name("friend").detached().remote("f".to_owned(), vec![kept.clone()], None)?;
    let diary = Diary::options().name("diary").detached().remote("a".to_owned(), vec![kept], Some(friend))?;
    Riser::options().name("riser").detached().remote()?.put().get()?;
    diary.write("b".to_owned()).get()?;
    println!("{:?}", diary.write("c".to_owned()).get()?);
    Ok(())
}

/// Calls them again.
fn wake_the_sleepers() -> rayw::Result<()> {
    let diary = Diary::get_actor("diary")?;
    println!("{:?}", diary.write("d".to_owned()).get()?);
    println!("{:?}", diary.keeps().get()?);
    println!("{:?}", diary.write("e".to_owned()).get()?);
    Diary::get_actor("friend")?.kill()?;
    let riser = Riser::get_actor("riser")?;
    println!("{:?}", rayw::get_all(&riser.put().get()?)?);
    riser.kill()?;
    diary.kill()
}
