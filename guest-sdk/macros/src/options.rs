//! What stands in an attribute's parentheses: `key = value, …`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprLit, ExprUnary, Ident, Lit, LitStr, Result, Token, UnOp, token};

/// What an attribute is for: it decides which keys there are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Task,
    Actor,
    Method,
}

impl Place {
    fn known(self) -> &'static [&'static str] {
        match self {
            Self::Task => &[
                "name",
                "num_cpus",
                "memory",
                "resources",
                "num_returns",
                "max_retries",
                "retry_exceptions",
                "max_calls",
                "timeout",
                "spread",
                "labels",
            ],
            Self::Actor => &[
                "num_cpus",
                "memory",
                "resources",
                "max_restarts",
                "max_task_retries",
                "max_pending_calls",
                "allow_out_of_order_execution",
                "durable",
                "spread",
                "labels",
            ],
            Self::Method => &["name", "num_returns", "max_task_retries", "retry_exceptions", "timeout", "skip"],
        }
    }

    fn attribute(self) -> &'static str {
        match self {
            Self::Task => "`#[rayw::task]`",
            Self::Actor => "`#[rayw::actor]`",
            Self::Method => "`#[rayw(…)]` on a method",
        }
    }
}

/// Options that an attribute sets.
pub(crate) struct Options {
    /// Statements that set them on `settings`.
    pub(crate) set: TokenStream,
    pub(crate) num_returns: u32,
    pub(crate) num_returns_at: Span,
    pub(crate) skip: bool,
    pub(crate) durable: bool,
}

impl Options {
    pub(crate) fn none() -> Self {
        Self { set: TokenStream::new(), num_returns: 1, num_returns_at: Span::call_site(), skip: false, durable: false }
    }

    pub(crate) fn parse(place: Place, attribute: TokenStream) -> Result<Self> {
        let entries = Punctuated::<Entry, Token![,]>::parse_terminated.parse2(attribute)?;
        let mut options = Self::none();
        let mut seen: Vec<String> = Vec::new();
        for entry in entries {
            let key = entry.key.to_string();
            if seen.contains(&key) {
                return Err(Error::new(entry.key.span(), format!("`{key}` is said twice")));
            }
            options.add(place, &key, &entry)?;
            seen.push(key);
        }
        Ok(options)
    }

    fn add(&mut self, place: Place, key: &str, entry: &Entry) -> Result<()> {
        if !place.known().contains(&key) {
            let known: Vec<_> = place.known().iter().map(|known| format!("`{known}`")).collect();
            let attribute = place.attribute();
            let of_one_actor = ["name", "namespace", "get_if_exists", "detached"];
            let of_one_run = ["placement_group", "bundle", "capture_child_tasks", "node_affinity"];
            let hint = match place {
                Place::Actor if of_one_actor.contains(&key) || of_one_run.contains(&key) => {
                    "; it belongs to one actor, not to the class: say it by `Class::options()`"
                }
                Place::Task if of_one_run.contains(&key) => {
                    "; it belongs to one task, not to the function: say it by `f::options()`"
                }
                Place::Actor | Place::Task | Place::Method => "",
            };
            let message = format!("{attribute} knows no option `{key}`{hint}; it knows {}", known.join(", "));
            return Err(Error::new(entry.key.span(), message));
        }
        let setter = &entry.key;
        self.set.extend(match key {
            "skip" => {
                entry.no_value()?;
                self.skip = true;
                return Ok(());
            }
            "durable" => {
                entry.no_value()?;
                self.durable = true;
                return Ok(());
            }
            "spread" => {
                entry.no_value()?;
                quote!(settings.spread();)
            }
            "labels" => entry
                .labels()?
                .into_iter()
                .map(|(key, selector)| {
                    quote! {
                        settings.label(::std::string::String::from(#key), ::std::string::String::from(#selector));
                    }
                })
                .collect(),
            "num_returns" => {
                let number = entry.whole(0, i64::from(u32::MAX))?;
                self.num_returns = u32::try_from(number).unwrap_or(1);
                self.num_returns_at = entry.key.span();
                if number == 1 {
                    TokenStream::new()
                } else {
                    let number = self.num_returns;
                    quote!(settings.num_returns(#number);)
                }
            }
            "name" => {
                let text = entry.text()?;
                quote!(settings.name(::std::string::String::from(#text));)
            }
            "num_cpus" => {
                let number = entry.amount()?;
                quote!(settings.num_cpus(#number);)
            }
            "memory" => {
                let bytes = entry.memory()?;
                quote!(settings.memory(::rayw::MemorySize::from(#bytes));)
            }
            "resources" => entry
                .resources()?
                .into_iter()
                .map(|(name, amount)| quote!(settings.resource(::std::string::String::from(#name), #amount);))
                .collect(),
            "timeout" => {
                let milliseconds = entry.milliseconds()?;
                quote!(settings.timeout(::std::time::Duration::from_millis(#milliseconds));)
            }
            "retry_exceptions" | "allow_out_of_order_execution" => {
                let yes = entry.yes_or_no()?;
                quote!(settings.#setter(#yes);)
            }
            "max_calls" => {
                let number = entry.whole(0, i64::from(u32::MAX))? as u32;
                quote!(settings.max_calls(#number);)
            }
            _ => {
                let number = entry.whole(-1, i64::from(i32::MAX))? as i32;
                quote!(settings.#setter(#number);)
            }
        });
        Ok(())
    }
}

/// `key`, `key = value` or `key(…)`.
struct Entry {
    key: Ident,
    value: Option<Value>,
}

enum Value {
    Expr(Expr),
    List(TokenStream, Span),
}

impl Parse for Entry {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let key = input.parse::<Ident>()?;
        let value = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Some(Value::Expr(input.parse()?))
        } else if input.peek(token::Paren) {
            let content;
            let parentheses = syn::parenthesized!(content in input);
            Some(Value::List(content.parse()?, parentheses.span.join()))
        } else {
            None
        };
        Ok(Self { key, value })
    }
}

impl Entry {
    fn wrong(&self, expected: &str) -> Error {
        let at = match &self.value {
            None => self.key.span(),
            Some(Value::Expr(expr)) => expr.span(),
            Some(Value::List(_, span)) => *span,
        };
        Error::new(at, format!("`{}` expects {expected}", self.key))
    }

    /// The literal, and whether there is a minus before it.
    fn literal(&self) -> Option<(&Lit, bool)> {
        match &self.value {
            Some(Value::Expr(Expr::Lit(ExprLit { lit, .. }))) => Some((lit, false)),
            Some(Value::Expr(Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }))) => match &**expr {
                Expr::Lit(ExprLit { lit, .. }) => Some((lit, true)),
                _ => None,
            },
            _ => None,
        }
    }

    fn no_value(&self) -> Result<()> {
        if self.value.is_some() { Err(self.wrong("no value: write only its name")) } else { Ok(()) }
    }

    fn whole(&self, min: i64, max: i64) -> Result<i64> {
        let expected = match min {
            0 => "a whole number of at least 0, like `2`",
            _ => "a whole number, like `2`, or `-1` for no end",
        };
        let number = match self.literal() {
            Some((Lit::Int(number), negative)) => {
                number.base10_parse::<i64>().ok().map(|n| if negative { -n } else { n })
            }
            _ => None,
        };
        number.filter(|number| (min..=max).contains(number)).ok_or_else(|| self.wrong(expected))
    }

    fn amount(&self) -> Result<f64> {
        self.literal().and_then(amount).ok_or_else(|| self.wrong("a number of at least 0, like `2` or `0.5`"))
    }

    fn text(&self) -> Result<&LitStr> {
        match self.literal() {
            Some((Lit::Str(text), false)) => Ok(text),
            _ => Err(self.wrong("a text, like `\"name\"`")),
        }
    }

    fn yes_or_no(&self) -> Result<bool> {
        match self.literal() {
            Some((Lit::Bool(yes), _)) => Ok(yes.value),
            _ => Err(self.wrong("`true` or `false`")),
        }
    }

    fn memory(&self) -> Result<u64> {
        let bytes = match self.literal() {
            Some((Lit::Int(bytes), false)) => bytes.base10_parse().ok(),
            Some((Lit::Str(text), false)) => scaled(&text.value(), &MEMORY_UNITS).map(|bytes| bytes as u64),
            _ => None,
        };
        bytes.ok_or_else(|| self.wrong("an amount of memory, like `\"64MiB\"`, or a number of bytes"))
    }

    fn milliseconds(&self) -> Result<u64> {
        let milliseconds = match self.literal() {
            Some((Lit::Str(text), false)) => scaled(&text.value(), &TIME_UNITS),
            _ => None,
        };
        milliseconds
            .filter(|milliseconds| *milliseconds >= 1.0)
            .map(|milliseconds| milliseconds as u64)
            .ok_or_else(|| self.wrong("a time, like `\"500ms\"`, `\"5s\"`, `\"2m\"` or `\"1h\"`"))
    }

    fn resources(&self) -> Result<Vec<(String, f64)>> {
        let expected = "names and amounts, like `resources(gpu = 1.0, \"my-chip\" = 2)`";
        let Some(Value::List(list, _)) = &self.value else {
            return Err(self.wrong(expected));
        };
        let entries = Punctuated::<Named, Token![,]>::parse_terminated.parse2(list.clone())?;
        entries
            .into_iter()
            .map(|Named { name, value }| {
                let entry = Entry { key: self.key.clone(), value: Some(Value::Expr(value)) };
                let number = entry.literal().and_then(amount).ok_or_else(|| entry.wrong(expected))?;
                Ok((name, number))
            })
            .collect()
    }

    fn labels(&self) -> Result<Vec<(String, String)>> {
        let expected = "labels and what they must be, like `labels(zone = \"in(a,b)\", \"my.org/disk\" = \"!slow\")`";
        let Some(Value::List(list, _)) = &self.value else {
            return Err(self.wrong(expected));
        };
        let entries = Punctuated::<Named, Token![,]>::parse_terminated.parse2(list.clone())?;
        entries
            .into_iter()
            .map(|Named { name, value }| {
                let entry = Entry { key: self.key.clone(), value: Some(Value::Expr(value)) };
                let selector = entry.text().map_err(|_| entry.wrong(expected))?.value();
                let bare = selector.trim().trim_start_matches('!').trim_start();
                if bare.is_empty() || (bare.starts_with("in(") && !bare.ends_with(')')) {
                    let message = "each label to be like `\"v\"`, `\"!v\"`, `\"in(a,b)\"` or `\"!in(a,b)\"`";
                    return Err(entry.wrong(message));
                }
                Ok((name, selector))
            })
            .collect()
    }
}

/// `name = value`, where the name may be a text.
struct Named {
    name: String,
    value: Expr,
}

impl Parse for Named {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name =
            if input.peek(LitStr) { input.parse::<LitStr>()?.value() } else { input.parse::<Ident>()?.to_string() };
        input.parse::<Token![=]>()?;
        Ok(Self { name, value: input.parse()? })
    }
}

fn amount(literal: (&Lit, bool)) -> Option<f64> {
    match literal {
        (Lit::Int(number), false) => number.base10_parse().ok(),
        (Lit::Float(number), false) => number.base10_parse().ok(),
        _ => None,
    }
}

const MEMORY_UNITS: [(&str, f64); 10] = [
    ("", 1.0),
    ("b", 1.0),
    ("kib", 1024.0),
    ("mib", 1_048_576.0),
    ("gib", 1_073_741_824.0),
    ("tib", 1_099_511_627_776.0),
    ("kb", 1e3),
    ("mb", 1e6),
    ("gb", 1e9),
    ("tb", 1e12),
];
const TIME_UNITS: [(&str, f64); 4] = [("ms", 1.0), ("s", 1e3), ("m", 6e4), ("h", 3.6e6)];

fn scaled(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let text = text.trim();
    let unit_start = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_start);
    let unit = unit.to_ascii_lowercase();
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    let number = number.trim().parse::<f64>().ok()? * factor;
    (0.0..1.8e19).contains(&number).then_some(number)
}
