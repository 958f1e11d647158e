//! Questions to the head, and who waits for the answers.
//!
//! A question is kept until it is answered, so that a head that was away hears it again.

use std::collections::HashMap;
use std::sync::Arc;

use rayw_core::message::{RequestId, ToHead};
use rayw_core::{ActorSpec, Error, ErrorKind, GroupStatus, NodeId};
use tokio::sync::oneshot;

use crate::Node;

/// What the head answered about an actor: the actor and the node that owns it.
pub(crate) type FoundActor = (Arc<ActorSpec>, NodeId);

type Sender<T> = oneshot::Sender<Result<T, Error>>;

/// Who waits for an answer.
pub(crate) enum Asker {
    Actor(Sender<FoundActor>),
    Group(Sender<GroupStatus>),
}

/// What can be asked for.
pub(crate) trait Askable: Sized + Send {
    fn asker(sender: Sender<Self>) -> Asker;
}

impl Askable for FoundActor {
    fn asker(sender: Sender<Self>) -> Asker {
        Asker::Actor(sender)
    }
}

impl Askable for GroupStatus {
    fn asker(sender: Sender<Self>) -> Asker {
        Asker::Group(sender)
    }
}

/// Questions without an answer yet.
#[derive(Default)]
pub(crate) struct Questions(HashMap<RequestId, (ToHead, Asker)>);

impl Questions {
    /// An answer is there. Nobody may be waiting any more; then it is not needed.
    pub(crate) fn actor_found(&mut self, request: RequestId, result: Result<FoundActor, Error>) {
        if let Some((_, Asker::Actor(asker))) = self.0.remove(&request) {
            let _ = asker.send(result);
        }
    }

    /// The same for a group.
    pub(crate) fn group_found(&mut self, request: RequestId, result: Result<GroupStatus, Error>) {
        if let Some((_, Asker::Group(asker))) = self.0.remove(&request) {
            let _ = asker.send(result);
        }
    }

    /// What has no answer yet, to be asked again.
    pub(crate) fn open(&self) -> impl Iterator<Item = &ToHead> {
        self.0.values().map(|(question, _)| question)
    }
}

impl Node {
    /// Asks the head, and waits for its answer.
    pub(crate) async fn ask<T: Askable>(&self, question: impl FnOnce(RequestId) -> ToHead) -> Result<T, Error> {
        let request = self.next_request();
        let (sender, receiver) = oneshot::channel();
        let question = question(request);
        self.lock().asked.0.insert(request, (question.clone(), T::asker(sender)));
        self.head.send(question);
        self.head.flush();
        receiver.await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::System, "the head went away before it answered: is the cluster shutting down?"))
        })
    }
}
