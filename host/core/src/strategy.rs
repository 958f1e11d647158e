//! Where work may run: strategies, and labels of nodes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, GroupId, NodeId, check_name};

/// How the node of a task or an actor is chosen; the names are Ray's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Strategy {
    /// Ray's hybrid: pack until half of a node is used, then the least used one.
    #[default]
    Default,
    /// Evenly over the nodes.
    Spread,
    /// That node.
    NodeAffinity {
        /// The node.
        node: NodeId,
        /// Whether another one will do when it is gone or too small for ever.
        soft: bool,
    },
    /// Within what a placement group has reserved.
    Group {
        /// The group.
        group: GroupId,
        /// The bundle; any with room when absent.
        bundle: Option<u32>,
        /// Whether tasks and actors that it submits run in the group too, unless they say otherwise.
        capture: bool,
    },
}

/// Where a piece of work may run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Placement {
    /// How the node is chosen.
    pub strategy: Strategy,
    /// Labels that it must have.
    pub selector: LabelSelector,
}

/// The labels of a node: `key → value`.
pub type Labels = BTreeMap<String, String>;

/// What one label must be.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LabelMatch {
    /// `"v"`: exactly that.
    Is(String),
    /// `"!v"`: anything but that, or absent.
    IsNot(String),
    /// `"in(a,b)"`: one of them.
    In(Vec<String>),
    /// `"!in(a,b)"`: none of them, or absent.
    NotIn(Vec<String>),
}

/// Labels that a node must have, all of them. The grammar is that of Ray's `label_selector`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct LabelSelector(Arc<[(String, LabelMatch)]>);

impl LabelSelector {
    /// From pairs such as `("zone", "in(a,b)")`.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty key or value, or an `in` without an end; `LimitExceeded` for longer ones
    /// than [`limits::NAME_BYTES_MAX`](crate::limits::NAME_BYTES_MAX), and for more than
    /// [`limits::SELECTOR_LABELS_MAX`](crate::limits::SELECTOR_LABELS_MAX).
    pub fn parse<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Error> {
        let most = crate::limits::SELECTOR_LABELS_MAX;
        let matches = pairs.into_iter().enumerate().map(|(index, (key, value))| {
            if index >= most {
                let message = format!("a label selector names more than the {most} labels that are allowed");
                return Err(Error::new(ErrorKind::LimitExceeded, message));
            }
            if key.is_empty() {
                return Err(Error::new(ErrorKind::InvalidArgument, "a label selector has an empty key: name a label"));
            }
            check_name("a label", key)?;
            check_name("the values of a label", value)?;
            Ok((key.to_owned(), LabelMatch::parse(key, value)?))
        });
        let mut matches = matches.collect::<Result<Vec<_>, Error>>()?;
        matches.sort();
        Ok(Self(matches.into()))
    }

    /// Whether it asks for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a node with these labels will do.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|(key, wanted)| wanted.holds(labels.get(key).map(String::as_str)))
    }
}

impl LabelMatch {
    fn parse(key: &str, text: &str) -> Result<Self, Error> {
        let fail = |why: &str| {
            let message = format!("the label selector `{key}={text}` {why}: write `v`, `!v`, `in(a,b)` or `!in(a,b)`");
            Error::new(ErrorKind::InvalidArgument, message)
        };
        let (negated, rest) = match text.trim().strip_prefix('!') {
            Some(rest) => (true, rest.trim()),
            None => (false, text.trim()),
        };
        if rest.is_empty() {
            return Err(fail("asks for an empty value"));
        }
        let Some(list) = rest.strip_prefix("in(") else {
            return Ok(if negated { Self::IsNot(rest.to_owned()) } else { Self::Is(rest.to_owned()) });
        };
        let list = list.strip_suffix(')').ok_or_else(|| fail("has no closing bracket"))?;
        let values: Vec<String> = list.split(',').map(|value| value.trim().to_owned()).collect();
        if values.iter().any(String::is_empty) {
            return Err(fail("lists an empty value"));
        }
        Ok(if negated { Self::NotIn(values) } else { Self::In(values) })
    }

    fn holds(&self, value: Option<&str>) -> bool {
        match self {
            Self::Is(wanted) => value == Some(wanted),
            Self::IsNot(unwanted) => value != Some(unwanted),
            Self::In(wanted) => value.is_some_and(|value| wanted.iter().any(|one| one == value)),
            Self::NotIn(unwanted) => value.is_none_or(|value| unwanted.iter().all(|one| one != value)),
        }
    }
}

impl fmt::Display for LabelSelector {
    /// Ray's form, such as `{'zone': 'in(a,b)'}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(|(key, wanted)| format!("'{key}': '{wanted}'")).collect();
        write!(f, "{{{}}}", words.join(", "))
    }
}

impl fmt::Display for LabelMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(value) => f.write_str(value),
            Self::IsNot(value) => write!(f, "!{value}"),
            Self::In(values) => write!(f, "in({})", values.join(",")),
            Self::NotIn(values) => write!(f, "!in({})", values.join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selects(selector: &str, zone: Option<&str>) -> bool {
        let labels = zone.map(|zone| ("zone".to_owned(), zone.to_owned())).into_iter().collect();
        LabelSelector::parse([("zone", selector)]).unwrap().matches(&labels)
    }

    #[test]
    fn the_four_forms_select() {
        assert!(selects("a", Some("a")) && !selects("a", Some("b")) && !selects("a", None));
        assert!(selects("!a", Some("b")) && !selects("!a", Some("a")) && selects("!a", None));
        assert!(selects("in(a, b)", Some("b")) && !selects("in(a,b)", None));
        assert!(selects("!in(a,b)", Some("c")) && !selects("!in(a,b)", Some("a")) && selects("!in(a,b)", None));
    }

    #[test]
    fn a_selector_that_cannot_be_read_says_so() {
        let error = LabelSelector::parse([("zone", "in(a")]).unwrap_err();
        assert!(error.message.contains("no closing bracket"), "{error}");
    }
}
