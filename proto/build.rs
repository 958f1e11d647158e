//! Compiles `rayw/v1/*.proto` without `protoc`: protox is a compiler in Rust.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=rayw");
    let files = protox::compile(
        [
            "rayw/v1/control.proto",
            "rayw/v1/error.proto",
            "rayw/v1/link.proto",
            "rayw/v1/resources.proto",
            "rayw/v1/state.proto",
        ],
        ["."],
    )?;
    // Payloads of links are cut out of what was received, not copied.
    tonic_prost_build::configure().bytes(".rayw.v1.Packet").bytes(".rayw.v1.BlobPiece").compile_fds(files)?;
    Ok(())
}
