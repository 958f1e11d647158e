//! The fetching end: tries those who have the object, checks what comes.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use rayw_core::{NodeId, ObjectId, Value, limits};
use rayw_memory::{Buffer, Buffers};
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::{AT_ONCE, BUSY, HEADER, HEADER_BYTES_MAX, Header, MAGIC, NOT_HERE, PIECE_BYTES, WAITS, kib};

/// Why an object could not be fetched from any of its sources.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Some sources have no copy (any more): the owner should know.
    #[error("{} of the nodes asked have no copy", at.len())]
    NotHere {
        /// Those.
        at: Vec<NodeId>,
    },
    /// All sources served others for a while. These have copies by now: ask the owner where, then try again.
    #[error("those who have it serve others at the moment; try again")]
    Busy,
    /// No source could be reached, or it ended halfway.
    #[error("no node that has it could be reached: {why}")]
    Unreachable {
        /// What happened to the last one.
        why: String,
    },
    /// What came is not what was sent.
    #[error("what came does not match its checksum")]
    Corrupt,
}

/// What all transfers to this process share.
pub(crate) struct Fetching {
    /// One permit for each KiB that may come at once.
    room: Arc<Semaphore>,
    /// All of them: an object that is larger comes alone.
    room_max: AtomicU32,
    /// Rotates the sources, so that they share the load. Every process begins somewhere else.
    turn: AtomicUsize,
    /// Where they go.
    buffers: OnceLock<Buffers>,
}

/// Why one source did not help.
enum Failure {
    NotHere,
    Busy,
    Unreachable(String),
    Corrupt,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Unreachable(error.to_string())
    }
}

impl From<tokio::time::error::Elapsed> for Failure {
    fn from(_: tokio::time::error::Elapsed) -> Self {
        Self::Unreachable("it did not go on in time".to_owned())
    }
}

impl Default for Fetching {
    fn default() -> Self {
        let room_max = kib(limits::FETCH_BYTES_MAX);
        let room = Arc::new(Semaphore::new(room_max as usize));
        let turn = RandomState::new().build_hasher().finish() as u32;
        Self { room, room_max: room_max.into(), turn: AtomicUsize::new(turn as usize), buffers: OnceLock::new() }
    }
}

impl Fetching {
    /// No more than this may come at once. To be said before anything comes.
    pub(crate) fn limit(&self, bytes: u64) {
        let wanted = kib(bytes).max(1);
        let surplus = self.room_max.load(Ordering::Relaxed).saturating_sub(wanted);
        let taken = self.room.forget_permits(surplus as usize);
        self.room_max.fetch_sub(u32::try_from(taken).unwrap_or_default(), Ordering::Relaxed);
    }

    /// What comes is to go there. Said once, before anything comes; else large objects have memory of their own.
    pub(crate) fn fetch_into(&self, buffers: &Buffers) {
        self.buffers.get_or_init(|| buffers.clone());
    }

    /// What an object takes of the room.
    fn share(&self, total: u64) -> u32 {
        kib(total).min(self.room_max.load(Ordering::Relaxed))
    }

    /// Tries the sources one after another.
    pub(crate) async fn fetch(
        &self,
        mut sources: Vec<(NodeId, String)>,
        object: ObjectId,
    ) -> Result<Value, FetchError> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        if let Some(first) = turn.checked_rem(sources.len()) {
            sources.rotate_left(first);
        }
        let (mut missing_at, mut busy, mut corrupt, mut unreachable) = (Vec::new(), None, false, None);
        for (node, address) in sources {
            match self.fetch_from(node, &address, object, AT_ONCE).await {
                Ok(value) => return Ok(value),
                Err(Failure::NotHere) => missing_at.push(node),
                Err(Failure::Busy) => busy = Some((node, address)),
                Err(Failure::Corrupt) => {
                    tracing::warn!(%node, address, "object {object} came with a wrong checksum");
                    corrupt = true;
                }
                Err(Failure::Unreachable(why)) => unreachable = Some(format!("node {node} at `{address}`: {why}")),
            }
        }
        if let Some((node, address)) = busy {
            // By the time that it has a place free, others may have the object too.
            return self.fetch_from(node, &address, object, WAITS).await.map_err(|_| FetchError::Busy);
        }
        Err(match unreachable {
            // Told before the rest: the owner then sends us to the others only.
            _ if !missing_at.is_empty() => FetchError::NotHere { at: missing_at },
            _ if corrupt => FetchError::Corrupt,
            Some(why) => FetchError::Unreachable { why },
            None => FetchError::NotHere { at: Vec::new() },
        })
    }

    async fn fetch_from(&self, node: NodeId, address: &str, object: ObjectId, patience: u8) -> Result<Value, Failure> {
        let (mut stream, mut header) = ask(node, address, object, patience).await?;
        let room = match self.room.clone().try_acquire_many_owned(self.share(header.total)) {
            Ok(room) => room,
            Err(_) => {
                // Whoever waits holds no connection: the source could serve others meanwhile.
                drop(stream);
                let room = self.room_for(header.total).await?;
                let announced = header.total;
                (stream, header) = ask(node, address, object, patience).await?;
                if header.total != announced {
                    return Err(Failure::Corrupt);
                }
                room
            }
        };
        let total = usize::try_from(header.total).map_err(|_| Failure::Corrupt)?;
        let buffer = self.buffers.get_or_init(Buffers::default).empty(total);
        let data = receive(&mut stream, buffer).await?;
        drop(room);
        Ok(Value { codec: header.codec, data: data.freeze(), refs: header.refs })
    }

    async fn room_for(&self, total: u64) -> Result<OwnedSemaphorePermit, Failure> {
        let room = self.room.clone().acquire_many_owned(self.share(total)).await;
        room.map_err(|_| Failure::Unreachable("this process ends".to_owned()))
    }
}

/// Asks one source and reads its answer up to the first chunk.
async fn ask(node: NodeId, address: &str, object: ObjectId, patience: u8) -> Result<(TcpStream, Header), Failure> {
    let mut stream = timeout(limits::LINK_CONNECT_TIMEOUT, TcpStream::connect(address)).await??;
    stream.set_nodelay(true)?;
    let request = [&MAGIC[..], &node.0[..], &object.0[..], &[patience]].concat();
    timeout(limits::LINK_CONNECT_TIMEOUT, stream.write_all(&request)).await??;
    // The source may have to read it from a file first.
    match timeout(limits::FETCH_STALL_TIMEOUT, stream.read_u8()).await?? {
        NOT_HERE => Err(Failure::NotHere),
        BUSY => Err(Failure::Busy),
        HEADER => {
            let header = timeout(limits::FETCH_STALL_TIMEOUT, header(&mut stream)).await??;
            Ok((stream, header))
        }
        _ => Err(Failure::Corrupt),
    }
}

async fn header(stream: &mut TcpStream) -> Result<Header, Failure> {
    let length = stream.read_u32().await? as usize;
    if length > HEADER_BYTES_MAX {
        return Err(Failure::Corrupt);
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    let header: Header = postcard::from_bytes(&bytes).map_err(|_| Failure::Corrupt)?;
    let fits = header.total <= limits::VALUE_BYTES_MAX as u64 && header.refs.len() <= limits::VALUE_REFS_MAX;
    if fits { Ok(header) } else { Err(Failure::Corrupt) }
}

/// Reads the chunks into a buffer that is as long as all of them, and checks each.
async fn receive(stream: &mut TcpStream, mut buffer: Buffer) -> Result<Buffer, Failure> {
    while !buffer.rest().is_empty() {
        let end = buffer.filled().len() + buffer.rest().len().min(limits::CHUNK_BYTES);
        let mut hasher = blake3::Hasher::new();
        while buffer.filled().len() < end {
            let start = buffer.filled().len();
            fill(stream, &mut buffer, PIECE_BYTES.min(end - start)).await?;
            hasher.update(&buffer.filled()[start..]);
        }
        let mut digest = [0; 32];
        timeout(limits::FETCH_STALL_TIMEOUT, stream.read_exact(&mut digest)).await??;
        if hasher.finalize() != digest {
            return Err(Failure::Corrupt);
        }
    }
    Ok(buffer)
}

/// Reads `size` bytes into the buffer, which has room for them, as long as there is progress.
async fn fill(stream: &mut TcpStream, buffer: &mut Buffer, size: usize) -> Result<(), Failure> {
    let end = buffer.filled().len() + size;
    while buffer.filled().len() < end {
        let missing = end - buffer.filled().len();
        let count = timeout(limits::FETCH_STALL_TIMEOUT, stream.read(&mut buffer.rest()[..missing])).await??;
        if count == 0 {
            return Err(Failure::Unreachable("it ended halfway".to_owned()));
        }
        buffer.fill(count);
    }
    Ok(())
}
