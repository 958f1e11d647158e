//! The generated messages and services of `rayw/v1/*.proto`.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    clippy::derive_partial_eq_without_eq,
    clippy::doc_markdown,
    clippy::pedantic,
    reason = "generated: the .proto files are what people read"
)]

tonic::include_proto!("rayw.v1");
