//! Questions to the head, and who waits for the answers.
//!
//! A question is kept until it is answered, so that a head that was away hears it again.

use std::collections::HashMap;
use std::sync::Arc;

use rayw_core::message::{RequestId, ToHead};
use rayw_core::{ActorId, ActorSpec, Error, ErrorKind, GroupStatus, NodeId};
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
    /// An answer is there. Answers with the actor that nobody is there for who asked for it: it got its name,
    /// and would wait for its constructor's arguments for ever.
    #[must_use]
    pub(crate) fn actor_found(&mut self, request: RequestId, result: Result<FoundActor, Error>) -> Option<ActorId> {
        let (question, Asker::Actor(asker)) = self.0.remove(&request)? else { return None };
        let Err(Ok((found, _))) = asker.send(result) else { return None };
        match question {
            ToHead::ActorRegister { spec, .. } if spec.id == found.id => Some(found.id),
            _ => None,
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

#[cfg(test)]
mod tests {
    use rayw_core::{Retries, TaskKind, TaskSpec};

    use super::*;
    use crate::sample;

    const HERE: NodeId = NodeId([1; 16]);

    fn actor(number: u64) -> Arc<ActorSpec> {
        let new: Arc<str> = Arc::from("Class.new");
        let creation = TaskSpec { kind: TaskKind::ActorCreation, ..sample::task(number) }.with_terms(|terms| {
            terms.function = Arc::clone(&new);
            terms.name = new;
            terms.num_returns = 0;
        });
        Arc::new(ActorSpec {
            id: ActorId::from(creation.id),
            class: Arc::from("Class"),
            name: Some(Arc::from("name")),
            namespace: Arc::from(""),
            detached: false,
            placement: Arc::default(),
            lifetime: Arc::default(),
            max_restarts: Retries::AtMost(0),
            max_task_retries: Retries::AtMost(0),
            max_pending_calls: None,
            out_of_order: false,
            creation: Arc::new(creation),
        })
    }

    /// What comes of an answer to somebody who registered actor 1 and is gone.
    fn unwanted(found: Arc<ActorSpec>) -> Option<ActorId> {
        let (sender, receiver) = oneshot::channel();
        let request = RequestId(1);
        let question =
            ToHead::ActorRegister { owner: HERE, request: Some(request), spec: actor(1), get_if_exists: true };
        let mut questions = Questions::default();
        questions.0.insert(request, (question, FoundActor::asker(sender)));
        drop(receiver);
        questions.actor_found(request, Ok((found, HERE)))
    }

    #[test]
    fn an_actor_whose_creator_is_gone_before_the_answer_is_ended_and_one_of_others_is_not() {
        assert_eq!(unwanted(actor(1)), Some(actor(1).id));
        assert_eq!(unwanted(actor(2)), None);
    }
}
