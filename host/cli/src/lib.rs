//! The `rayw` command.
//!
//! ```text
//! words ─▶ args (clap) ─▶ settings (flag > env > default) ─▶ commands ─▶ exit status
//!           env ────────────┘                                  │
//!                                   printer ◀── text, lines ───┘   the only one that writes
//! ```
//!
//! | file | what it is |
//! |---|---|
//! | `args parse env settings` | what was said, and what it comes to |
//! | `commands/*` | one file a command |
//! | `embedded` | head and node inside this process |
//! | `serve machine` | a process of a cluster, and what a node is made of |
//! | `session interrupt progress stall` | what a run has around it: a directory, signals, signs of life |
//! | `toolchain cargo` | from a crate's folder to a component |
//! | `working_dir` | the folder that travels with a job |
//! | `columns table overview failure` | rows, summaries, the status and errors as text |
//! | `printer logging exit` | how the process speaks and ends |

pub mod args;
pub mod cargo;
pub mod columns;
pub mod commands;
pub mod embedded;
pub mod env;
pub mod exit;
pub mod failure;
pub mod interrupt;
pub mod logging;
pub mod machine;
pub mod overview;
pub mod parse;
pub mod printer;
pub mod progress;
pub mod serve;
pub mod session;
pub mod settings;
pub mod stall;
pub mod table;
pub mod toolchain;
pub mod working_dir;
