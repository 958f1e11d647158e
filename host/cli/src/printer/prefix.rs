//! Whose line it is: `(square task=6f1c2a90 node=01d4b7c3) text`.

use std::io::Write as _;

use crate::embedded::Line;
use crate::table::printable;

const DIM: &str = "\u{1b}[2m";
const PLAIN: &str = "\u{1b}[0m";

/// Digits of an id that are enough to tell two lines apart.
const ID_DIGITS: usize = 8;

/// The prefix alone, for lines that travel.
pub(crate) fn prefix_of(line: &Line) -> String {
    let mut prefix = Vec::new();
    push(&mut prefix, &Line { text: String::new(), ends: false, driver: false, ..line.clone() }, false);
    String::from_utf8_lossy(&prefix).trim_end().to_owned()
}

/// Adds the line to `to`: a driver's as it is, others with their prefix.
pub(super) fn push(to: &mut Vec<u8>, line: &Line, colour: bool) {
    if !line.driver {
        let (dim, plain) = if colour { (DIM, PLAIN) } else { ("", "") };
        let (what, id) = match line.actor {
            Some(actor) => ("actor", actor.to_string()),
            None => ("task", line.task.to_string()),
        };
        let node = line.node.to_string();
        // The name is the guest's; the ids are ours. Writing to a Vec cannot fail.
        let _ = write!(
            to,
            "{dim}({name} {what}={id} node={node}){plain} ",
            name = printable(&line.name),
            id = id.get(..ID_DIGITS).unwrap_or(&id),
            node = node.get(..ID_DIGITS).unwrap_or(&node),
        );
    }
    to.extend_from_slice(line.text.as_bytes());
    if line.ends {
        to.push(b'\n');
    }
}
