//! The source of an object: serves those who ask.

use std::collections::HashMap;
use std::io::{Error, ErrorKind, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayw_core::{NodeId, ObjectId, Value, limits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::digests::{Digests, KnownDigests};
use super::{BUSY, HEADER, Header, MAGIC, NOT_HERE, PIECE_BYTES, REQUEST_BYTES, WAITS, kib};
use crate::ends::Ends;

/// Which objects are being served, and how often each.
pub(crate) struct Serving {
    open: Mutex<HashMap<ObjectId, usize>>,
    /// A place was given back, of whichever object.
    freed: Notify,
    /// Memory for what is read from files, in KiB.
    room: Semaphore,
    digests: KnownDigests,
}

/// One of the places of an object.
struct Place {
    serving: Arc<Serving>,
    object: ObjectId,
}

impl Default for Serving {
    fn default() -> Self {
        let room = Semaphore::new(kib(limits::SERVED_FROM_DISK_BYTES_MAX) as usize);
        Self { open: Mutex::default(), freed: Notify::new(), room, digests: KnownDigests::default() }
    }
}

impl Serving {
    fn open(&self) -> MutexGuard<'_, HashMap<ObjectId, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(self: &Arc<Self>, object: ObjectId) -> Option<Place> {
        let mut open = self.open();
        let served = open.entry(object).or_default();
        if *served >= limits::SERVED_AT_ONCE_MAX {
            return None;
        }
        *served += 1;
        Some(Place { serving: self.clone(), object })
    }

    /// A place, waited for a little.
    async fn place_soon(self: &Arc<Self>, object: ObjectId) -> Option<Place> {
        let free = async {
            loop {
                let mut freed = std::pin::pin!(self.freed.notified());
                freed.as_mut().enable();
                if let Some(place) = self.place(object) {
                    return place;
                }
                freed.await;
            }
        };
        timeout(limits::BUSY_WAIT_MAX, free).await.ok()
    }

    /// Memory for an object that has to be read from a file, for as long as it is served. One that is larger than all
    /// of it takes all.
    fn room(&self, bytes: u64) -> Option<SemaphorePermit<'_>> {
        self.room.try_acquire_many(share(bytes)).ok()
    }

    /// The same, waited for a little.
    async fn room_soon(&self, bytes: u64) -> Option<SemaphorePermit<'_>> {
        timeout(limits::BUSY_WAIT_MAX, self.room.acquire_many(share(bytes))).await.ok()?.ok()
    }
}

/// Bytes of a spilled object that count: small ones are never kept waiting behind large ones.
fn counted(bytes: u64) -> u64 {
    if bytes < limits::LARGE_VALUE_BYTES_MIN as u64 { 0 } else { bytes }
}

/// What an object takes of the memory for what is read from files.
fn share(bytes: u64) -> u32 {
    kib(bytes.min(limits::SERVED_FROM_DISK_BYTES_MAX))
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.serving.open();
        if let Some(served) = open.get_mut(&self.object) {
            *served -= 1;
            if *served == 0 {
                open.remove(&self.object);
            }
        }
        drop(open);
        self.serving.freed.notify_waiters();
    }
}

/// Answers one request.
pub(crate) async fn serve(ends: &Ends, mut stream: TcpStream, serving: &Arc<Serving>) {
    if let Err(error) = serve_impl(ends, &mut stream, serving).await {
        // The one who asked sees it too, and goes elsewhere.
        tracing::debug!("the transfer of an object ended early: {error}");
    }
}

async fn serve_impl(ends: &Ends, stream: &mut TcpStream, serving: &Arc<Serving>) -> Result<()> {
    let mut request = [0; REQUEST_BYTES];
    timeout(limits::LINK_CONNECT_TIMEOUT, stream.read_exact(&mut request)).await??;
    let (node, object, patience) = parse(&request)?;
    let Some(local) = ends.node().filter(|local| local.id == node) else {
        return stream.write_all(&[NOT_HERE]).await;
    };
    let place = match patience {
        WAITS => serving.place_soon(object).await,
        _ => serving.place(object),
    };
    let Some(_place) = place else {
        return stream.write_all(&[BUSY]).await;
    };
    let bytes = counted(local.objects.spilled_bytes(object));
    let room = match patience {
        WAITS => serving.room_soon(bytes).await,
        _ => serving.room(bytes),
    };
    let Some(room) = room else {
        return stream.write_all(&[BUSY]).await;
    };
    let Some(value) = local.objects.open(object).await else {
        return stream.write_all(&[NOT_HERE]).await;
    };
    // What the store has in its memory again is counted there.
    let _room = (local.objects.spilled_bytes(object) > 0).then_some(room);
    send(stream, &value, &serving.digests.of(object, &value)).await
}

fn parse(request: &[u8; REQUEST_BYTES]) -> Result<(NodeId, ObjectId, u8)> {
    let fail = || Error::new(ErrorKind::InvalidData, "this is no request for an object");
    let (magic, ids) = request.split_first_chunk().ok_or_else(fail)?;
    let (node, object) = ids.split_first_chunk().ok_or_else(fail)?;
    let (object, patience) = object.split_first_chunk().ok_or_else(fail)?;
    let [patience] = patience else { return Err(fail()) };
    if *magic == MAGIC { Ok((NodeId(*node), ObjectId(*object), *patience)) } else { Err(fail()) }
}

async fn send(stream: &mut TcpStream, value: &Value, digests: &Digests) -> Result<()> {
    let header = Header { codec: value.codec, refs: value.refs.clone(), total: value.data.len() as u64 };
    let header = postcard::to_stdvec(&header).map_err(Error::other)?;
    let mut answer = vec![HEADER];
    answer.extend(u32::try_from(header.len()).map_err(Error::other)?.to_be_bytes());
    answer.extend(header);
    steadily(stream, &answer).await?;

    for (chunk, digest) in value.data.chunks(limits::CHUNK_BYTES).zip(digests.iter()) {
        if let Some(digest) = digest.get() {
            steadily(stream, chunk).await?;
            steadily(stream, digest.as_bytes()).await?;
            continue;
        }
        let mut hasher = blake3::Hasher::new();
        for piece in chunk.chunks(PIECE_BYTES) {
            hasher.update(piece);
            steadily(stream, piece).await?;
        }
        steadily(stream, digest.get_or_init(|| hasher.finalize()).as_bytes()).await?;
    }
    stream.shutdown().await
}

/// Writes as long as there is progress.
async fn steadily(stream: &mut TcpStream, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        let written = timeout(limits::FETCH_STALL_TIMEOUT, stream.write(bytes)).await??;
        bytes = &bytes[written..];
    }
    Ok(())
}
