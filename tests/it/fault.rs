//! What goes wrong, and that it harms nobody else.
