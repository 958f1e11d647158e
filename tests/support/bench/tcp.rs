//! The network without rayw: bytes over one connection of the loopback network, into fresh memory.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// How much is given to the kernel at once.
const PIECE: usize = 4 << 20;

/// How long so many bytes take from one thread to another.
pub(super) fn copy(size: usize) -> Duration {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let from = vec![7_u8; size];
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let (mut stream, _) = listener.accept().expect("somebody dials");
            from.chunks(PIECE).for_each(|piece| stream.write_all(piece).expect("the other side reads"));
        });
        let mut stream = TcpStream::connect(address).expect("somebody listens");
        let started = Instant::now();
        let mut to = Vec::with_capacity(size);
        stream.read_to_end(&mut to).expect("the other side writes");
        let elapsed = started.elapsed();
        assert_eq!(to.len(), size, "all of it came");
        sender.join().expect("the sender ends");
        elapsed
    })
}
