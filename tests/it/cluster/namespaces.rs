//! Networks of a test's own: namespaces of the kernel behind a bridge, with private addresses that lead
//! nowhere else. They take root and `ip` of iproute2, and are removed with the test, however it ends.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Namespaces behind a bridge.
pub(super) struct Network {
    bridge: String,
    /// The third part of its addresses.
    subnet: u8,
    size: u8,
}

impl Network {
    /// A network with that many namespaces, or none where this machine cannot have one, with a word.
    #[expect(clippy::print_stdout, reason = "a test that is skipped says so to whoever runs it")]
    pub(super) fn make(size: u8) -> Option<Self> {
        if !rustix::process::geteuid().is_root() || ip("netns list").is_err() {
            println!("skipped: network namespaces take root and `ip` (Debian's package iproute2)");
            return None;
        }
        let process = std::process::id();
        let network = Self { bridge: format!("rw{process}"), subnet: (process % 250) as u8, size };
        match network.build() {
            Ok(()) => Some(network),
            Err(why) => {
                println!("skipped: this machine cannot have such a network: {why}");
                None
            }
        }
    }

    fn build(&self) -> Result<(), String> {
        let bridge = &self.bridge;
        ip(&format!("link add name {bridge} type bridge"))?;
        ip(&format!("addr add {}/24 dev {bridge}", self.here()))?;
        ip(&format!("link set {bridge} up"))?;
        for member in 0..self.size {
            let (namespace, port, address) = (self.namespace(member), self.port(member), self.address(member));
            ip(&format!("netns add {namespace}"))?;
            ip(&format!("link add {port} type veth peer name eth0 netns {namespace}"))?;
            ip(&format!("link set {port} master {bridge} up"))?;
            ip(&format!("-n {namespace} addr add {address}/24 dev eth0"))?;
            ip(&format!("-n {namespace} link set lo up"))?;
            ip(&format!("-n {namespace} link set eth0 up"))?;
        }
        Ok(())
    }

    /// The name of one of its namespaces.
    pub(super) fn namespace(&self, member: u8) -> String {
        format!("{}-{member}", self.bridge)
    }

    fn port(&self, member: u8) -> String {
        format!("{}p{member}", self.bridge)
    }

    /// The address of the test itself.
    pub(super) fn here(&self) -> IpAddr {
        Ipv4Addr::new(10, 213, self.subnet, 1).into()
    }

    /// The address of a namespace.
    pub(super) fn address(&self, member: u8) -> IpAddr {
        Ipv4Addr::new(10, 213, self.subnet, 10 + member).into()
    }

    /// Takes a namespace off the bridge: its packets go nowhere, and nobody is told.
    pub(super) fn cut(&self, member: u8) {
        ip(&format!("link set {} nomaster", self.port(member))).expect("a port can leave its bridge");
    }

    /// Puts it back.
    pub(super) fn heal(&self, member: u8) {
        ip(&format!("link set {} master {}", self.port(member), self.bridge)).expect("a port can join a bridge");
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for member in 0..self.size {
            // The other end of the cable goes with its namespace. What was never made cannot be removed.
            let _ = ip(&format!("netns del {}", self.namespace(member)));
        }
        let _ = ip(&format!("link del {}", self.bridge));
    }
}

fn ip(words: &str) -> Result<(), String> {
    let output = Command::new("ip").args(words.split(' ')).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("`ip {words}`: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// A slow and unreliable way to a server: everything comes later, and now and then a connection breaks.
///
/// It stands in for the kernel's `netem`, which not every kernel has.
pub(super) struct SlowWay {
    pub(super) address: SocketAddr,
    stop: Arc<AtomicBool>,
    broken: Arc<AtomicU64>,
}

impl SlowWay {
    /// A way that ends where `to` says, later. Each connection breaks after some megabytes.
    pub(super) fn open(here: IpAddr, to: Arc<std::sync::OnceLock<SocketAddr>>, delay: Duration) -> Self {
        let listener = TcpListener::bind((here, 0)).expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        let (stop, broken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, breaks) = (Arc::clone(&stop), Arc::clone(&broken));
        std::thread::spawn(move || {
            let mut number = 0_u64;
            for from in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Some(Ok(to)) = to.get().map(TcpStream::connect) else { continue };
                number += 1;
                // Any numbers will do that differ from connection to connection.
                let bytes = 300_000 + number.wrapping_mul(2_654_435_761) % 4_000_000;
                for (from, to) in [(from.try_clone(), to.try_clone()), (to.try_clone(), from.try_clone())] {
                    let (Ok(from), Ok(to)) = (from, to) else { continue };
                    let breaks = Arc::clone(&breaks);
                    std::thread::spawn(move || carry(from, to, delay, bytes, &breaks));
                }
            }
        });
        Self { address, stop, broken }
    }

    /// Connections that it broke.
    pub(super) fn broken(&self) -> u64 {
        self.broken.load(Ordering::Relaxed)
    }
}

impl Drop for SlowWay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // So that the thread that accepts looks.
        drop(TcpStream::connect_timeout(&self.address, Duration::from_secs(1)));
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, delay: Duration, mut left: u64, broken: &AtomicU64) {
    let mut piece = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        if left < count as u64 {
            broken.fetch_add(1, Ordering::Relaxed);
            break;
        }
        left -= count as u64;
        // The delay itself, which is what this is about; nothing is waited for.
        std::thread::sleep(delay);
        if to.write_all(&piece[..count]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
