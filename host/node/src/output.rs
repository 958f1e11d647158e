//! Lines that guests write.

use std::sync::Arc;

use rayw_core::{ActorId, JobId, NodeId, TaskId};

/// A line of a guest's output.
#[derive(Debug, Clone)]
pub struct Line {
    /// Whether it came from standard error.
    pub stderr: bool,
    /// Whether the job's driver wrote it.
    pub driver: bool,
    /// The job.
    pub job: JobId,
    /// Name of the task.
    pub name: Arc<str>,
    /// The task.
    pub task: TaskId,
    /// The actor, within one.
    pub actor: Option<ActorId>,
    /// The node it ran on.
    pub node: NodeId,
    /// The line, without its end.
    pub text: String,
    /// Whether the line ends here; a driver's may go on.
    pub ends: bool,
}

/// Where lines go. Called from any thread; must keep the order of its calls, and must not block but for
/// a driver's lines.
pub type OutputSink = Arc<dyn Fn(Line) + Send + Sync>;
