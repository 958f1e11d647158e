//! The wire: messages, services and their conversion to and from core.
