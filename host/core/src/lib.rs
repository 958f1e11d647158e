//! Decides and does nothing: ids, resources, errors and the two state machines of rayw.
