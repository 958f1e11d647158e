//! The store itself: a table of objects and how many bytes they take.

use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayw_core::{Codec, Error, ErrorKind, IdMap, ObjectId, RefId, Value, limits};

use crate::evict::{Candidate, victims};
use crate::spill::SpillDir;

/// How a store is set up.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// Bytes of memory that objects may take.
    pub bytes_max: u64,
    /// Where objects go that memory has no room for; `None` for nowhere.
    pub spill_dir: Option<PathBuf>,
}

/// How full a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Objects in memory and on disk.
    pub objects: usize,
    /// Bytes in memory.
    pub memory_bytes: u64,
    /// Bytes on disk.
    pub spilled_bytes: u64,
    /// Bytes of memory that objects may take.
    pub bytes_max: u64,
}

/// The objects of one node. All methods may be called from any thread; those
/// that touch files say so.
#[derive(Debug)]
pub struct Store {
    bytes_max: u64,
    spill: Option<SpillDir>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    objects: IdMap<ObjectId, Stored>,
    memory_bytes: u64,
    spilled_bytes: u64,
    uses: u64,
}

#[derive(Debug)]
struct Stored {
    place: Place,
    size: u64,
    used: u64,
    /// Others have it too: it is dropped rather than written to a file.
    is_copy: bool,
}

#[derive(Debug)]
enum Place {
    Memory(Arc<Value>),
    Disk { codec: Codec, refs: Vec<RefId>, data_bytes: usize },
}

impl Store {
    /// A store with nothing in it.
    ///
    /// # Errors
    /// `OutOfDisk` when the spill directory cannot be made or opened.
    pub fn new(settings: &StoreSettings) -> Result<Self, Error> {
        let spill = settings.spill_dir.as_deref().map(SpillDir::open).transpose()?;
        Ok(Self { bytes_max: settings.bytes_max, spill, table: Mutex::default() })
    }

    /// Stores an object. Doing it twice changes nothing. May write other objects to files.
    ///
    /// # Errors
    /// `ObjectStoreFull` when there is no room and nothing can be spilled,
    /// `OutOfDisk` when what should go to disk does not fit there.
    pub fn put(&self, id: ObjectId, value: Value) -> Result<(), Error> {
        self.insert(id, value, false)
    }

    /// Stores a copy of an object that another store has too. Where room is short it is dropped.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn put_copy(&self, id: ObjectId, value: Value) -> Result<(), Error> {
        self.insert(id, value, true)
    }

    /// Whether the object is here, in memory or on disk.
    #[must_use]
    pub fn contains(&self, id: ObjectId) -> bool {
        self.lock().objects.contains_key(&id)
    }

    fn insert(&self, id: ObjectId, value: Value, is_copy: bool) -> Result<(), Error> {
        let size = value.size();
        let mut table = self.lock();
        if table.objects.contains_key(&id) {
            return Ok(());
        }
        let after = table.memory_bytes + size;
        let threshold = self.bytes_max / 100 * limits::STORE_SPILL_PERCENT;
        if after > threshold
            && let Some(spill) = &self.spill
        {
            let spilled = table.spill_down(spill, after - threshold);
            // Above the threshold spilling is a precaution; above the limit it is a must.
            if table.memory_bytes + size > self.bytes_max {
                spilled?;
            }
        }
        if table.memory_bytes + size > self.bytes_max {
            return Err(Error::new(
                ErrorKind::ObjectStoreFull,
                format!(
                    "no room for object `{id}` of {size} bytes: {} of {} bytes are in use and cannot be spilled; \
                     drop references, or give more with `--object-store-memory`",
                    table.memory_bytes, self.bytes_max
                ),
            ));
        }
        table.memory_bytes += size;
        table.uses += 1;
        let used = table.uses;
        table.objects.insert(id, Stored { place: Place::Memory(Arc::new(value)), size, used, is_copy });
        Ok(())
    }

    /// The value of an object. Reads a file when the object was spilled.
    ///
    /// # Errors
    /// `ObjectLost` when the object is not here or its file cannot be read.
    pub fn get(&self, id: ObjectId) -> Result<Arc<Value>, Error> {
        let mut table = self.lock();
        table.uses += 1;
        let used = table.uses;
        let Some(stored) = table.objects.get_mut(&id) else {
            return Err(Error::new(ErrorKind::ObjectLost, format!("object `{id}` is not in the store of its node")));
        };
        stored.used = used;
        let (codec, refs, data_bytes) = match &stored.place {
            Place::Memory(value) => return Ok(Arc::clone(value)),
            Place::Disk { codec, refs, data_bytes } => (*codec, refs.clone(), *data_bytes),
        };
        let Some(spill) = &self.spill else {
            return Err(Error::new(ErrorKind::System, "an object is spilled and there is no spill directory"));
        };
        let data = spill.read(id, data_bytes)?;
        let value = Arc::new(Value { codec, data, refs });
        // Where memory has no room the reader gets a copy of its own and the file stays.
        if table.memory_bytes + value.size() <= self.bytes_max
            && let Some(stored) = table.objects.get_mut(&id)
        {
            stored.place = Place::Memory(Arc::clone(&value));
            let size = stored.size;
            table.memory_bytes += size;
            table.spilled_bytes -= size;
            spill.remove(id);
        }
        Ok(value)
    }

    /// Drops an object; its bytes go when the last reader is done.
    pub fn forget(&self, id: ObjectId) {
        let mut table = self.lock();
        let Entry::Occupied(entry) = table.objects.entry(id) else { return };
        let stored = entry.remove();
        match stored.place {
            Place::Memory(_) => table.memory_bytes -= stored.size,
            Place::Disk { .. } => {
                table.spilled_bytes -= stored.size;
                if let Some(spill) = &self.spill {
                    spill.remove(id);
                }
            }
        }
    }

    /// How full it is.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let table = self.lock();
        Usage {
            objects: table.objects.len(),
            memory_bytes: table.memory_bytes,
            spilled_bytes: table.spilled_bytes,
            bytes_max: self.bytes_max,
        }
    }

    /// Whether an object of that size can be stored without touching files.
    #[must_use]
    pub fn has_room(&self, size: u64) -> bool {
        self.spill.is_none() || self.lock().memory_bytes + size <= self.bytes_max / 100 * limits::STORE_SPILL_PERCENT
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Writes the least recently used objects that nobody reads to files, until `bytes` are free.
    fn spill_down(&mut self, spill: &SpillDir, bytes: u64) -> Result<(), Error> {
        let unread = self.objects.iter().filter_map(|(id, stored)| match &stored.place {
            Place::Memory(value) if Arc::strong_count(value) == 1 => {
                Some(Candidate { id: *id, size: stored.size, used: stored.used })
            }
            Place::Memory(_) | Place::Disk { .. } => None,
        });
        for id in victims(unread.collect(), bytes) {
            let Some(stored) = self.objects.get_mut(&id) else { continue };
            let Place::Memory(value) = &stored.place else { continue };
            if stored.is_copy {
                self.memory_bytes -= stored.size;
                self.objects.remove(&id);
                continue;
            }
            spill.write(id, &value.data)?;
            let place = Place::Disk { codec: value.codec, refs: value.refs.clone(), data_bytes: value.data.len() };
            stored.place = place;
            self.memory_bytes -= stored.size;
            self.spilled_bytes += stored.size;
        }
        Ok(())
    }
}
