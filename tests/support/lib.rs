//! What the tests share: building guests, starting `rayw`, waiting for things with a deadline.
