//! Large objects, from store to store, over streams of their own.

use std::sync::Arc;

use tokio::net::TcpStream;

use crate::ends::Ends;

pub(crate) const MAGIC: [u8; 8] = *b"rayw-obj";

#[derive(Default)]
pub(crate) struct Serving;

pub(crate) async fn serve(_ends: &Ends, _stream: TcpStream, _serving: &Arc<Serving>) {}
