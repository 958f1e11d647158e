//! What a component says is in it: asked once per digest, checked at submission.

use crate::{ActorOptions, CallOptions, Error, ErrorKind, TaskOptions};

/// A parameter, for people and for checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type in the guest's language.
    pub type_name: String,
}

/// A function that can be a task.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// The type of its result in the guest's language.
    pub returns: String,
    /// Defaults of its options.
    pub options: TaskOptions,
}

/// A method of an actor class.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Method {
    /// Its name.
    pub name: String,
    /// Its parameters, without the actor itself.
    pub parameters: Vec<Parameter>,
    /// The type of its result in the guest's language.
    pub returns: String,
    /// Defaults of its options.
    pub options: CallOptions,
}

/// A class of actors.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ActorClass {
    /// Its name.
    pub name: String,
    /// The parameters of its constructor.
    pub parameters: Vec<Parameter>,
    /// Its methods.
    pub methods: Vec<Method>,
    /// Defaults of its options.
    pub options: ActorOptions,
    /// Whether its actors can be written down while nobody calls them.
    pub durable: bool,
}

/// All that a component offers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Description {
    /// Its functions.
    pub functions: Vec<Function>,
    /// Its classes.
    pub actors: Vec<ActorClass>,
}

impl Description {
    /// The function of that name.
    ///
    /// # Errors
    /// `UnknownFunction`, naming those that are spelled alike.
    pub fn function(&self, name: &str) -> Result<&Function, Error> {
        let names = self.functions.iter().map(|function| function.name.as_str());
        find(&self.functions, |function| &function.name, name).ok_or_else(|| unknown("function", name, names))
    }

    /// The class of that name.
    ///
    /// # Errors
    /// `UnknownFunction`, naming those that are spelled alike.
    pub fn class(&self, name: &str) -> Result<&ActorClass, Error> {
        let names = self.actors.iter().map(|class| class.name.as_str());
        find(&self.actors, |class| &class.name, name).ok_or_else(|| unknown("actor class", name, names))
    }
}

impl ActorClass {
    /// The method of that name.
    ///
    /// # Errors
    /// `UnknownFunction`, naming those that are spelled alike.
    pub fn method(&self, name: &str) -> Result<&Method, Error> {
        let names = self.methods.iter().map(|method| method.name.as_str());
        find(&self.methods, |method| &method.name, name)
            .ok_or_else(|| unknown(&format!("method of `{}`", self.name), name, names))
    }
}

/// Checks the number of arguments against the parameters.
///
/// # Errors
/// `InvalidArgument` with both numbers and the parameters' names and types.
pub fn check_arity(function: &str, parameters: &[Parameter], given: usize) -> Result<(), Error> {
    if parameters.len() == given {
        return Ok(());
    }
    let wanted: Vec<_> =
        parameters.iter().map(|parameter| format!("{}: {}", parameter.name, parameter.type_name)).collect();
    let plural = if parameters.len() == 1 { "" } else { "s" };
    Err(Error::new(
        ErrorKind::InvalidArgument,
        format!("`{function}` takes {} argument{plural} ({}), {given} given", parameters.len(), wanted.join(", ")),
    ))
}

fn find<'a, T>(items: &'a [T], name_of: impl Fn(&T) -> &String, name: &str) -> Option<&'a T> {
    items.iter().find(|item| name_of(item) == name)
}

/// `UnknownFunction` for `name`, with what is spelled alike among `known`.
pub fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    /// Names shown beside an unknown one.
    const SHOWN_MAX: usize = 3;
    /// Bytes of names that are compared: the work grows with the product of two lengths.
    const COMPARED_BYTES_MAX: usize = 128;
    /// Names that an unknown one is compared with.
    const COMPARED_MAX: usize = 1_000;
    /// What stands for a name of any length.
    const SAID_CHARS_MAX: usize = 256;
    let is_short = |name: &str| name.len() <= COMPARED_BYTES_MAX;
    let far = |known: &str| if is_short(name) { distance(name, known) } else { usize::MAX };
    let comparable = known.filter(|known| is_short(known)).take(COMPARED_MAX);
    let mut near: Vec<(usize, &str)> = comparable.map(|known| (far(known), known)).collect();
    near.sort_unstable();
    let all_are_far = near.first().is_none_or(|(distance, _)| *distance > 2 + name.len() / 3);
    let shown: Vec<String> = near.iter().take(SHOWN_MAX).map(|(_, known)| format!("`{known}`")).collect();
    let hint = match (near.is_empty(), all_are_far) {
        (true, _) => "the component has none that could be meant".to_owned(),
        (false, true) => format!("there is {}", shown.join(", ")),
        (false, false) => format!("did you mean {}?", shown.join(", ")),
    };
    let said = match name.char_indices().nth(SAID_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    };
    Error::new(ErrorKind::UnknownFunction, format!("no {what} `{said}`; {hint}"))
}

/// Edits between two words (Levenshtein 1966), letters compared without case.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(l != *r);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(names: &[&str]) -> Description {
        let functions = names.iter().map(|name| Function { name: (*name).to_owned(), ..Function::default() }).collect();
        Description { functions, actors: Vec::new() }
    }

    #[test]
    fn an_unknown_function_is_answered_with_the_nearest_names() {
        let error = described(&["square", "cube", "sum"]).function("sqare").unwrap_err();
        assert_eq!(error.message, "no function `sqare`; did you mean `square`, `cube`, `sum`?");
        assert!(described(&[]).function("f").unwrap_err().message.contains("the component has none"));
    }

    #[test]
    fn names_of_any_length_are_compared_with_bounded_work() {
        let long = "a".repeat(10_000_000);
        let error = described(&["square", &long]).function(&format!("{long}b")).unwrap_err();
        assert!(error.message.ends_with("…`; there is `square`") && error.message.len() < 400, "{}", error.message);
    }

    #[test]
    fn a_wrong_number_of_arguments_names_the_parameters() {
        let parameters = [Parameter { name: "side".into(), type_name: "f64".into() }];
        let error = check_arity("square", &parameters, 3).unwrap_err();
        assert_eq!(error.message, "`square` takes 1 argument (side: f64), 3 given");
    }
}
