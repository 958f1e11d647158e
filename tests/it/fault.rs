//! What goes wrong, and that it harms nobody else.

mod guest;
mod input;
