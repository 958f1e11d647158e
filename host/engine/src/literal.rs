//! Values as people write and read them: `fib(30)` on the command line, and
//! results on the terminal.

use bytes::Bytes;
use rayw_core::{Codec, Error, ErrorKind, Value, check_arity};
use wasm_wave::untyped::UntypedValue;

use crate::Program;

/// Bytes of a raw value that are shown.
const RAW_BYTES_SHOWN: usize = 1024;

/// Splits `fib(30)` into the function's name and its arguments as they were written.
///
/// # Errors
/// `InvalidArgument` saying what is wrong with the text.
pub fn parse_call(text: &str) -> Result<(String, Vec<String>), Error> {
    let (name, arguments) = split(text)?;
    if arguments.trim().is_empty() {
        return Ok((name.to_owned(), Vec::new()));
    }
    let list = format!("[{arguments}]");
    let parsed = UntypedValue::parse(&list).map_err(|error| not_values(text, &error))?;
    let nodes = parsed.node().as_list().map_err(|error| not_values(text, &error))?;
    Ok((name.to_owned(), nodes.map(|node| list[node.span()].to_owned()).collect()))
}

fn not_values(text: &str, cause: &dyn std::fmt::Display) -> Error {
    let message = format!("the arguments of `{text}` are no values: write them like `f(1, \"two\", [3, 4])`");
    Error::new(ErrorKind::InvalidArgument, message).caused_by(cause)
}

/// The name and what stands between the parentheses. A name alone is a call without arguments.
fn split(text: &str) -> Result<(&str, &str), Error> {
    let text = text.trim();
    let (name, rest) = text.split_once('(').map_or((text, ""), |(name, rest)| (name.trim(), rest));
    let wrong = |why: &str| {
        let message = format!("`{text}` is not a call, {why}: write it like `f(1, \"two\")`");
        Error::new(ErrorKind::InvalidArgument, message)
    };
    if name.is_empty() {
        return Err(wrong("the function's name is missing"));
    }
    if !text.contains('(') {
        return Ok((name, ""));
    }
    match rest.strip_suffix(')') {
        Some(arguments) => Ok((name, arguments)),
        None => Err(wrong("its last character is not `)`")),
    }
}

impl Program {
    /// Turns `square(7)` into a function's name and the values of its arguments: WAVE for typed
    /// components, JSON for the others.
    ///
    /// # Errors
    /// `UnknownFunction` with the nearest names, or `InvalidArgument` naming what does not fit.
    pub fn encode_call(&self, text: &str) -> Result<(String, Vec<Value>), Error> {
        if self.is_typed() {
            let name = split(text)?.0;
            let function = self.exports.typed(name)?;
            let (_, args) = parse_call(text)?;
            return Ok((function.name.clone(), function.encode(&args)?));
        }
        let (name, arguments) = split(text)?;
        let function = self.description().function(name)?;
        let args: Vec<serde_json::Value> = serde_json::from_str(&format!("[{arguments}]")).map_err(|error| {
            let message =
                format!("the arguments of `{text}` are no JSON values: write them like `f(1, \"two\", [3, 4])`");
            Error::new(ErrorKind::InvalidArgument, message).caused_by(error)
        })?;
        check_arity(name, &function.parameters, args.len())?;
        let values: Result<Vec<Value>, Error> = args.iter().map(msgpack).collect();
        Ok((name.to_owned(), values?))
    }

    /// A value for people: MessagePack as JSON, WAVE as it is, raw bytes as text where they are text.
    #[must_use]
    pub fn display(&self, value: &Value) -> String {
        match value.codec {
            Codec::Wave => String::from_utf8_lossy(&value.data).into_owned(),
            Codec::Msgpack => json(&value.data).unwrap_or_else(|| raw(&value.data)),
            Codec::Raw => raw(&value.data),
        }
    }
}

fn msgpack(value: &serde_json::Value) -> Result<Value, Error> {
    let data = rmp_serde::to_vec_named(value)
        .map_err(|error| Error::new(ErrorKind::Serialization, "an argument cannot be encoded").caused_by(error))?;
    Ok(Value { codec: Codec::Msgpack, data: Bytes::from(data), refs: Vec::new() })
}

fn json(data: &[u8]) -> Option<String> {
    let mut text = Vec::new();
    let mut from = rmp_serde::Deserializer::new(data);
    let mut to = serde_json::Serializer::new(&mut text);
    serde_transcode::transcode(&mut from, &mut to).ok()?;
    String::from_utf8(text).ok()
}

fn raw(data: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(data) {
        return text.to_owned();
    }
    let shown: String = data.iter().take(RAW_BYTES_SHOWN).map(|byte| format!("{byte:02x}")).collect();
    if data.len() > RAW_BYTES_SHOWN { format!("{shown}… ({} bytes)", data.len()) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_a_name_and_its_arguments_as_written() {
        let (name, args) = parse_call("a:b/c.f(1, \"x, y)\", [2, 3], {k: some(4)})").unwrap();
        assert_eq!(name, "a:b/c.f");
        assert_eq!(args, ["1", "\"x, y)\"", "[2, 3]", "{k: some(4)}"]);
        assert_eq!(parse_call("f()").unwrap(), ("f".to_owned(), Vec::new()));
        assert_eq!(parse_call(" f ").unwrap(), ("f".to_owned(), Vec::new()));
    }

    #[test]
    fn a_call_that_is_none_says_why() {
        for (text, why) in [("(1)", "name is missing"), ("f(1", "last character"), ("f(1 2)", "are no values")] {
            let message = parse_call(text).unwrap_err().to_string();
            assert!(message.contains(why), "{message}");
        }
    }

    #[test]
    fn messagepack_is_shown_as_json() {
        let data = msgpack(&serde_json::json!({"a": [1, 2.5, null, "x"]})).unwrap();
        assert_eq!(json(&data.data).unwrap(), r#"{"a":[1,2.5,null,"x"]}"#);
    }
}
