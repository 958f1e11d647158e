//! What a node does for guests that ask for placement groups.

use std::sync::Arc;

use rayw_core::{Error, GroupId, GroupOptions, GroupStatus, Labels, ObjectId};

use super::{Answer, Caller};

/// Placement groups, and what a guest may know of where it runs. Nobody counts references to groups.
pub trait GroupServices {
    /// Asks for a group.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty bundle or a name that is taken, `LimitExceeded`.
    fn create_group(&self, caller: Arc<Caller>, options: GroupOptions) -> Answer<'_, GroupId>;

    /// An object that is ready when the group is created.
    ///
    /// # Errors
    /// `LimitExceeded` when too many wait already.
    fn group_ready(&self, caller: &Caller, group: GroupId) -> Result<ObjectId, Error>;

    /// Removes a group and ends what runs in it.
    fn remove_group(&self, group: GroupId);

    /// The group of that name, in the caller's namespace unless another is given.
    ///
    /// # Errors
    /// `InvalidArgument` when there is none.
    fn named_group(&self, caller: Arc<Caller>, name: String, namespace: Option<String>) -> Answer<'_, GroupId>;

    /// How a group is right now.
    ///
    /// # Errors
    /// `PlacementGroupRemoved` when it was removed so long ago that nobody remembers.
    fn group_status(&self, group: GroupId) -> Answer<'_, GroupStatus>;

    /// The labels of this node.
    fn node_labels(&self) -> &Labels;
}
