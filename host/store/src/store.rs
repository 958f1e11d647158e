//! The store itself: a table of objects and how many bytes they take.
//!
//! ```text
//!            put                  too full                written
//!   (nothing) ──▶ Memory ────────────────────▶ Leaving ───────────▶ Disk
//!                   ▲  └── a copy: dropped        │                  │
//!                   │                             └─ failed: Memory  │
//!                   └──────────────── get, and there is room ────────┘
//! ```
//!
//! Files are written and read without the table's lock: whoever needs memory
//! only is never held up by a disk.

use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rayw_core::{Codec, Error, ErrorKind, IdMap, ObjectId, RefId, Value, limits};
use rayw_memory::Buffers;

use crate::evict::{Order, victims};
use crate::remains::Remains;
use crate::spill::{SpillDir, SpillFile};

/// How a store is set up.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// Bytes of memory that objects may take.
    pub bytes_max: u64,
    /// Where objects go that memory has no room for; `None` for nowhere.
    pub spill_dir: Option<PathBuf>,
    /// Part of that disk that may be full after an object was written, in percent: 1–100.
    pub disk_percent_max: u64,
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
/// that may touch files say so.
#[derive(Debug)]
pub struct Store {
    bytes_max: u64,
    spill: Option<Arc<SpillDir>>,
    /// Where the memory of large values comes from. What it keeps has the room that objects leave.
    buffers: Buffers,
    table: Mutex<Table>,
    /// Objects that were on their way to disk have arrived there.
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Table {
    objects: IdMap<ObjectId, Stored>,
    /// What may leave memory, in order.
    order: Order,
    memory_bytes: u64,
    /// Part of `memory_bytes` that is on its way to disk.
    leaving_bytes: u64,
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
    /// Being written to a file.
    Leaving(Arc<Value>),
    Disk {
        file: SpillFile,
        codec: Codec,
        refs: Vec<RefId>,
        data_bytes: usize,
    },
}

/// Where a value was found.
enum Found {
    Memory(Arc<Value>),
    Disk { file: SpillFile, codec: Codec, refs: Vec<RefId>, data_bytes: usize },
}

impl Store {
    /// A store with nothing in it.
    ///
    /// # Errors
    /// `OutOfDisk` when the spill directory cannot be made or opened.
    pub fn new(settings: &StoreSettings) -> Result<Self, Error> {
        let spill = settings.spill_dir.as_deref().map(|dir| SpillDir::open(dir, settings.disk_percent_max));
        let spill = spill.transpose()?.map(Arc::new);
        let (buffers, table) = (Buffers::default(), Mutex::default());
        let store = Self { bytes_max: settings.bytes_max, spill, buffers, table, arrived: Condvar::new() };
        store.let_go(store.lock());
        Ok(store)
    }

    /// A store whose files are on a disk of the test's.
    #[cfg(test)]
    pub(crate) fn on_disk(
        settings: &StoreSettings,
        wrap: impl FnOnce(Box<dyn crate::spill::Disk>) -> Box<dyn crate::spill::Disk>,
    ) -> Self {
        let mut spill = SpillDir::open(settings.spill_dir.as_deref().unwrap(), settings.disk_percent_max).unwrap();
        spill.over(wrap);
        Self {
            spill: Some(Arc::new(spill)),
            ..Self::new(&StoreSettings { spill_dir: None, ..settings.clone() }).unwrap()
        }
    }

    /// Stores an object. Doing it twice changes nothing. May write objects to files: others first, and
    /// this one itself where nothing else can go.
    ///
    /// # Errors
    /// `ObjectStoreFull` when there is no room and nowhere to spill to,
    /// `OutOfDisk` when what should go to disk does not fit there.
    pub fn put(&self, id: ObjectId, value: Value) -> Result<(), Error> {
        let size = value.size();
        let mut spilled = None;
        let mut value = Some(Arc::new(value));
        for _ in 0..=limits::STORE_WAITS_MAX {
            let mut table = self.lock();
            if table.objects.contains_key(&id) {
                table.keep(id);
                return Ok(());
            }
            let excess = (table.memory_bytes + size).saturating_sub(self.threshold());
            let dropped = table.drop_copies(excess);
            // Above the threshold spilling is a precaution, and tried once.
            if let (Some(dir), None) = (&self.spill, &spilled) {
                let staying = table.memory_bytes - table.leaving_bytes;
                let leaving = table.send_off((staying + size).saturating_sub(self.threshold()));
                drop(table);
                drop(dropped);
                spilled = Some(self.write_all(dir, leaving));
                table = self.lock();
            }
            if table.memory_bytes + size <= self.bytes_max {
                if let Some(value) = value.take() {
                    table.add(id, value, size, false);
                }
                self.let_go(table);
                return Ok(());
            }
            if table.leaving_bytes == 0 || size > self.bytes_max {
                break;
            }
            // Others are making room.
            drop(self.arrived.wait(table));
        }
        // Above the limit, what could not be spilled must be known.
        let (Some(dir), Some(value)) = (&self.spill, value) else { return Err(self.full(id, size)) };
        spilled.unwrap_or(Ok(()))?;
        let file = dir.write(id, &value.data)?;
        let place = Place::Disk { file, codec: value.codec, refs: value.refs.clone(), data_bytes: value.data.len() };
        let mut table = self.lock();
        match table.objects.entry(id) {
            Entry::Vacant(entry) => {
                entry.insert(Stored { place, size, used: 0, is_copy: false });
                table.spilled_bytes += size;
            }
            Entry::Occupied(_) => dir.remove(file),
        }
        Ok(())
    }

    /// Keeps a copy of an object that another store has too, if there is room in memory; it is dropped
    /// when room is short. Answers whether it was kept.
    pub fn put_copy(&self, id: ObjectId, value: &Arc<Value>) -> bool {
        let size = value.size();
        let mut table = self.lock();
        if table.objects.contains_key(&id) {
            return true;
        }
        let excess = (table.memory_bytes + size).saturating_sub(self.threshold());
        let dropped = table.drop_copies(excess);
        let has_room = table.memory_bytes + size <= self.bytes_max;
        if has_room {
            table.add(id, Arc::clone(value), size, true);
        }
        self.let_go(table);
        drop(dropped);
        has_room
    }

    /// Makes a copy the primary one: it is not dropped any more. Answers whether it is here.
    pub fn keep(&self, id: ObjectId) -> bool {
        self.lock().keep(id)
    }

    /// Whether the object is here, in memory or on disk.
    #[must_use]
    pub fn contains(&self, id: ObjectId) -> bool {
        self.lock().objects.contains_key(&id)
    }

    /// Bytes that have to be read from a file to have an object; 0 when it is in memory, or not here.
    #[must_use]
    pub fn spilled_bytes(&self, id: ObjectId) -> u64 {
        let table = self.lock();
        let spilled = table.objects.get(&id).filter(|stored| matches!(stored.place, Place::Disk { .. }));
        spilled.map_or(0, |stored| stored.size)
    }

    /// The value of an object that is in memory.
    #[must_use]
    pub fn get_from_memory(&self, id: ObjectId) -> Option<Arc<Value>> {
        match self.lock().find(id) {
            Some(Found::Memory(value)) => Some(value),
            Some(Found::Disk { .. }) | None => None,
        }
    }

    /// The value of an object. Reads a file when the object was spilled.
    ///
    /// # Errors
    /// `ObjectLost` when the object is not here or its file cannot be read.
    pub fn get(&self, id: ObjectId) -> Result<Arc<Value>, Error> {
        loop {
            let found = self.lock().find(id);
            let (file, codec, refs, data_bytes) = match found {
                Some(Found::Memory(value)) => return Ok(value),
                Some(Found::Disk { file, codec, refs, data_bytes }) => (file, codec, refs, data_bytes),
                None => {
                    let message = format!("object `{id}` is not in the store of its node");
                    return Err(Error::new(ErrorKind::ObjectLost, message));
                }
            };
            let Some(spill) = &self.spill else {
                return Err(Error::new(ErrorKind::System, "an object is spilled and there is no spill directory"));
            };
            let read = spill.read(file, self.buffers.empty(data_bytes));
            let mut table = self.lock();
            let is_there = table
                .objects
                .get(&id)
                .is_some_and(|stored| matches!(stored.place, Place::Disk { file: f, .. } if f == file));
            if !is_there {
                // It was brought to memory, or dropped, meanwhile.
                continue;
            }
            let value = Arc::new(Value { codec, data: read?, refs });
            let dropped = table.restore(id, &value, self.bytes_max);
            let is_restored = dropped.is_some();
            self.let_go(table);
            if is_restored {
                spill.remove(file);
            }
            return Ok(value);
        }
    }

    /// Drops an object; its bytes go when the last reader is done.
    pub fn forget(&self, id: ObjectId) {
        drop(self.take_out(id));
    }

    /// Takes an object out, for somebody who drops it where that holds nobody up. `None` when it is not here.
    pub fn take_out(&self, id: ObjectId) -> Option<Remains> {
        let mut table = self.lock();
        let Stored { place, size, .. } = table.remove(id)?;
        self.let_go(table);
        match place {
            Place::Memory(value) | Place::Leaving(value) => {
                let is_kept = self.buffers.would_keep(value.data.len());
                Some(Remains::in_memory(if is_kept { 0 } else { size }, value))
            }
            Place::Disk { file, .. } => {
                let dir = self.spill.as_ref()?;
                Some(Remains::on_disk(size, Arc::clone(dir), file))
            }
        }
    }

    /// Where the memory of large values comes from: one that is copied, fetched or read.
    #[must_use]
    pub fn buffers(&self) -> &Buffers {
        &self.buffers
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

    /// Bytes that may be in memory.
    #[must_use]
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Whether an object of that size can be stored without touching files.
    #[must_use]
    pub fn has_room(&self, size: u64) -> bool {
        self.spill.is_none() || self.lock().memory_bytes + size <= self.threshold()
    }

    /// Bytes above which objects go to disk.
    fn threshold(&self) -> u64 {
        self.bytes_max / 100 * limits::STORE_SPILL_PERCENT
    }

    /// Writes objects to files that were sent off. The first that fails ends it; those that are left
    /// stay in memory.
    fn write_all(&self, dir: &SpillDir, leaving: Vec<(ObjectId, Arc<Value>)>) -> Result<(), Error> {
        let mut result = Ok(());
        for (id, value) in leaving {
            let written = match &result {
                Ok(()) => dir.write(id, &value.data).map(Some),
                Err(_) => Ok(None),
            };
            let file = written.unwrap_or_else(|error| {
                result = Err(error);
                None
            });
            let mut table = self.lock();
            let surplus = table.arrive(id, &value, file);
            self.let_go(table);
            drop(value);
            if let Some(surplus) = surplus {
                dir.remove(surplus);
            }
            self.arrived.notify_all();
        }
        result
    }

    /// Lets go of the table after a change of what objects take. They and what is kept for those to come take no more
    /// than the store's limit together, where objects count by their length and what is kept by its mapping, which is up
    /// to an eighth longer.
    fn let_go(&self, table: MutexGuard<'_, Table>) {
        let over = self.buffers.keep_at_most(self.bytes_max.saturating_sub(table.memory_bytes));
        drop(table);
        drop(over);
    }

    fn full(&self, id: ObjectId, size: u64) -> Error {
        let used = self.lock().memory_bytes;
        let message = format!(
            "no room for object `{id}` of {size} bytes: {used} of {} bytes are in use and cannot be spilled; drop \
             references, or give more with `--object-store-memory`",
            self.bytes_max
        );
        Error::new(ErrorKind::ObjectStoreFull, message)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn add(&mut self, id: ObjectId, value: Arc<Value>, size: u64, is_copy: bool) {
        self.memory_bytes += size;
        self.uses += 1;
        let used = self.uses;
        self.order.add(used, id, is_copy);
        self.objects.insert(id, Stored { place: Place::Memory(value), size, used, is_copy });
    }

    /// Finds an object, which counts as a use.
    fn find(&mut self, id: ObjectId) -> Option<Found> {
        let stored = self.objects.get_mut(&id)?;
        let (before, is_copy) = (stored.used, stored.is_copy);
        let found = match &stored.place {
            Place::Memory(value) => Found::Memory(Arc::clone(value)),
            Place::Leaving(value) => return Some(Found::Memory(Arc::clone(value))),
            Place::Disk { file, codec, refs, data_bytes } => {
                let (file, codec, refs, data_bytes) = (*file, *codec, refs.clone(), *data_bytes);
                return Some(Found::Disk { file, codec, refs, data_bytes });
            }
        };
        // Who is last already stays so: most uses follow upon another of the same object.
        if before != self.uses {
            self.uses += 1;
            stored.used = self.uses;
            self.order.remove(before, is_copy);
            self.order.add(self.uses, id, is_copy);
        }
        Some(found)
    }

    fn keep(&mut self, id: ObjectId) -> bool {
        let Some(stored) = self.objects.get_mut(&id) else { return false };
        if std::mem::replace(&mut stored.is_copy, false) && matches!(stored.place, Place::Memory(_)) {
            self.order.remove(stored.used, true);
            self.order.add(stored.used, id, false);
        }
        true
    }

    fn remove(&mut self, id: ObjectId) -> Option<Stored> {
        let stored = self.objects.remove(&id)?;
        match stored.place {
            Place::Memory(_) => {
                self.memory_bytes -= stored.size;
                self.order.remove(stored.used, stored.is_copy);
            }
            Place::Leaving(_) => {
                self.memory_bytes -= stored.size;
                self.leaving_bytes -= stored.size;
            }
            Place::Disk { .. } => self.spilled_bytes -= stored.size,
        }
        Some(stored)
    }

    /// Drops copies that nobody reads until so many bytes are free. Answers with them: freeing much
    /// memory takes its time, which is better spent without the lock.
    fn drop_copies(&mut self, bytes: u64) -> Vec<Stored> {
        if bytes == 0 {
            return Vec::new();
        }
        let unread = self.order.copies().filter_map(|id| Some((id, self.objects.get(&id)?.unread_bytes()?)));
        let victims = victims(unread, bytes);
        victims.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Sends primary copies that nobody reads to disk, so many bytes of them. They are written by the caller.
    fn send_off(&mut self, bytes: u64) -> Vec<(ObjectId, Arc<Value>)> {
        if bytes == 0 {
            return Vec::new();
        }
        let unread = self.order.primaries().filter_map(|id| Some((id, self.objects.get(&id)?.unread_bytes()?)));
        let mut leaving = Vec::new();
        for id in victims(unread, bytes) {
            let Some(stored) = self.objects.get_mut(&id) else { continue };
            let Place::Memory(value) = &stored.place else { continue };
            let value = Arc::clone(value);
            stored.place = Place::Leaving(Arc::clone(&value));
            self.leaving_bytes += stored.size;
            self.order.remove(stored.used, false);
            leaving.push((id, value));
        }
        leaving
    }

    /// An object that was sent off is on disk, or could not be written. Answers with the file when nobody
    /// needs it: the object was dropped meanwhile.
    fn arrive(&mut self, id: ObjectId, value: &Arc<Value>, file: Option<SpillFile>) -> Option<SpillFile> {
        let stored = self.objects.get_mut(&id);
        let is_same =
            |stored: &&mut Stored| matches!(&stored.place, Place::Leaving(leaving) if Arc::ptr_eq(leaving, value));
        let Some(stored) = stored.filter(is_same) else { return file };
        self.leaving_bytes -= stored.size;
        match file {
            Some(file) => {
                let (codec, refs, data_bytes) = (value.codec, value.refs.clone(), value.data.len());
                stored.place = Place::Disk { file, codec, refs, data_bytes };
                self.memory_bytes -= stored.size;
                self.spilled_bytes += stored.size;
            }
            None => {
                stored.place = Place::Memory(Arc::clone(value));
                self.order.add(stored.used, id, stored.is_copy);
            }
        }
        None
    }

    /// Brings an object back to memory, if there is room or copies can make some. Where there is none,
    /// the reader has a copy of its own and the file stays.
    fn restore(&mut self, id: ObjectId, value: &Arc<Value>, bytes_max: u64) -> Option<Vec<Stored>> {
        let size = self.objects.get(&id)?.size;
        let dropped = self.drop_copies((self.memory_bytes + size).saturating_sub(bytes_max));
        if self.memory_bytes + size > bytes_max {
            return None;
        }
        self.uses += 1;
        let stored = self.objects.get_mut(&id)?;
        stored.place = Place::Memory(Arc::clone(value));
        stored.used = self.uses;
        self.order.add(stored.used, id, stored.is_copy);
        self.memory_bytes += size;
        self.spilled_bytes -= size;
        Some(dropped)
    }
}

impl Stored {
    /// Its size, if nobody reads it.
    fn unread_bytes(&self) -> Option<u64> {
        match &self.place {
            Place::Memory(value) if Arc::strong_count(value) == 1 => Some(self.size),
            Place::Memory(_) | Place::Leaving(_) | Place::Disk { .. } => None,
        }
    }
}
