//! jq expressions that cost what they do: a fuel gauge is put in front of every step.
//!
//! jaq runs a filter to its end, however long that takes. So an expression is rewritten before it is compiled: each of its
//! steps, and each of those of the library functions that it uses, first calls a native filter that takes fuel and, once
//! there is none, stops the run with an exception that no `try` of the expression can catch. A step costs one; one whose
//! time depends on a value costs as much as the value has nodes. What cannot be bounded so is not part of the language:
//! definitions (and with them recursion), arithmetic, assignments, interpolation, and library functions that are not listed
//! here.

use std::cell::Cell;

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::path::{Part, Path};

use super::jq::JqError;

/// Takes one unit of fuel.
pub(super) const TICK: &str = "!tick";
/// Takes as much fuel as the value that passes has nodes.
pub(super) const WEIGH: &str = "!weigh";

/// Library functions of the language, and what they cost: nothing besides their steps, or the weight of their input.
const FUNCTIONS: [(&str, usize, &str); 44] = [
    ("all", 0, TICK),
    ("all", 1, TICK),
    ("all", 2, TICK),
    ("any", 0, TICK),
    ("any", 1, TICK),
    ("any", 2, TICK),
    ("arrays", 0, TICK),
    ("ascii_downcase", 0, WEIGH),
    ("ascii_upcase", 0, WEIGH),
    ("booleans", 0, TICK),
    ("contains", 1, TICK),
    ("empty", 0, TICK),
    ("endswith", 1, WEIGH),
    ("error", 0, TICK),
    ("false", 0, TICK),
    ("first", 0, TICK),
    ("first", 1, TICK),
    ("has", 1, WEIGH),
    ("isempty", 1, TICK),
    ("iterables", 0, TICK),
    ("keys", 0, WEIGH),
    ("keys_unsorted", 0, WEIGH),
    ("last", 0, TICK),
    ("last", 1, TICK),
    ("length", 0, WEIGH),
    ("limit", 2, TICK),
    ("ltrimstr", 1, WEIGH),
    ("map", 1, TICK),
    ("not", 0, TICK),
    ("null", 0, TICK),
    ("nulls", 0, TICK),
    ("numbers", 0, TICK),
    ("objects", 0, TICK),
    ("recurse", 0, TICK),
    ("rtrimstr", 1, WEIGH),
    ("scalars", 0, TICK),
    ("select", 1, TICK),
    ("startswith", 1, WEIGH),
    ("strings", 0, TICK),
    ("test", 1, WEIGH),
    ("to_entries", 0, WEIGH),
    ("true", 0, TICK),
    ("type", 0, TICK),
    ("values", 0, TICK),
];

/// Functions that only those are made of.
const INNER: [(&str, usize, &str); 10] = [
    ("error_empty", 0, TICK),
    ("isarray", 0, TICK),
    ("isboolean", 0, TICK),
    ("isnumber", 0, TICK),
    ("isobject", 0, TICK),
    ("isstring", 0, TICK),
    ("key_values", 0, WEIGH),
    ("path", 1, TICK),
    ("sort", 0, WEIGH),
    ("!empty", 0, TICK),
];

/// How deep the steps of an expression may be within each other: each link of a chain is within the one before it.
const DEEPEST: usize = 64;

/// The longest regular expression: its length times that of a text is the time that a search takes.
const LONGEST_REGEX: usize = 256;

/// Whether a function is known to those who write expressions, or to the functions that they use.
pub(super) fn is_known(name: &str, arity: usize) -> bool {
    price(name, arity, true).is_some()
}

fn price(name: &str, arity: usize, inner: bool) -> Option<&'static str> {
    let inner: &[_] = if inner { &INNER } else { &[] };
    let found = FUNCTIONS.iter().chain(inner).find(|(known, takes, _)| *known == name && *takes == arity);
    found.map(|(_, _, price)| *price)
}

/// Rewrites an expression.
pub(super) fn expression(term: Term<&str>) -> Result<Term<&str>, JqError> {
    Meter { arguments: &[], library: false, depth: Cell::new(0) }.term(term)
}

/// Rewrites a definition of the library.
pub(super) fn definition(def: Def<&'static str>) -> Result<Def<&'static str>, JqError> {
    let body = Meter { arguments: &def.args, library: true, depth: Cell::new(0) }.term(def.body)?;
    Ok(Def { name: def.name, args: def.args, body })
}

/// `l | r`
fn pipe<'s>(l: Term<&'s str>, r: Term<&'s str>) -> Term<&'s str> {
    Term::BinOp(Box::new(l), BinaryOp::Pipe(None), Box::new(r))
}

fn call(name: &'static str) -> Term<&'static str> {
    Term::Call(name, Vec::new())
}

struct Meter<'d> {
    /// The filters that the definition takes, which are metered where they are written.
    arguments: &'d [&'static str],
    library: bool,
    depth: Cell<usize>,
}

impl Meter<'_> {
    fn boxed<'s>(&self, term: Term<&'s str>) -> Result<Box<Term<&'s str>>, JqError> {
        self.term(term).map(Box::new)
    }

    fn all<'s>(&self, terms: Vec<Term<&'s str>>) -> Result<Vec<Term<&'s str>>, JqError> {
        terms.into_iter().map(|term| self.term(term)).collect()
    }

    fn term<'s>(&self, term: Term<&'s str>) -> Result<Term<&'s str>, JqError> {
        self.depth.set(self.depth.get() + 1);
        if self.depth.get() > DEEPEST {
            return Err(JqError::TooLarge);
        }
        let metered = self.step(term);
        self.depth.set(self.depth.get() - 1);
        metered
    }

    fn step<'s>(&self, term: Term<&'s str>) -> Result<Term<&'s str>, JqError> {
        let no = |what: &str| Err(JqError::NotAllowed(what.to_owned()));
        let metered = match term {
            Term::Id | Term::Num(_) | Term::Var(_) | Term::Arr(None) => return Ok(term),
            Term::Str(None, ref parts) if !parts.iter().any(|part| matches!(part, StrPart::Term(_))) => {
                return Ok(term);
            }
            Term::Str(..) => return no("interpolation and formats"),
            Term::Recurse => pipe(term, call(TICK)),
            Term::Arr(Some(items)) => pipe(Term::Arr(Some(self.boxed(*items)?)), call(WEIGH)),
            Term::Obj(entries) => {
                let entry = |(key, value): (_, Option<_>)| -> Result<_, JqError> {
                    Ok((self.term(key)?, value.map(|value| self.term(value)).transpose()?))
                };
                pipe(Term::Obj(entries.into_iter().map(entry).collect::<Result<_, _>>()?), call(WEIGH))
            }
            Term::Neg(term) => Term::Neg(self.boxed(*term)?),
            Term::BinOp(l, op, r) => self.operation(*l, op, *r)?,
            Term::Label(name, term) => Term::Label(name, self.boxed(*term)?),
            Term::Break(_) => term,
            Term::Fold(..) => return no("reduce and foreach"),
            Term::TryCatch(body, catch) => {
                Term::TryCatch(self.boxed(*body)?, catch.map(|catch| self.boxed(*catch)).transpose()?)
            }
            Term::IfThenElse(branches, otherwise) => {
                let branch = |(condition, then)| Ok((self.term(condition)?, self.term(then)?));
                Term::IfThenElse(
                    branches.into_iter().map(branch).collect::<Result<_, JqError>>()?,
                    otherwise.map(|term| self.boxed(*term)).transpose()?,
                )
            }
            Term::Def(..) => return no("definitions"),
            Term::Call(name, arguments) => return self.call(name, arguments),
            Term::Path(of, path) => pipe(Term::Path(self.boxed(*of)?, self.path(path)?), call(TICK)),
        };
        Ok(pipe(call(TICK), metered))
    }

    fn operation<'s>(
        &self,
        l: Term<&'s str>,
        op: BinaryOp<&'s str>,
        r: Term<&'s str>,
    ) -> Result<Term<&'s str>, JqError> {
        let (l, r) = (self.boxed(l)?, self.boxed(r)?);
        Ok(match op {
            // What is compared is looked through on both sides.
            BinaryOp::Cmp(_) => {
                Term::BinOp(Box::new(pipe(*l, call(WEIGH))), op, Box::new(pipe(*r, call(WEIGH))))
            }
            BinaryOp::Pipe(Some(pattern)) => Term::BinOp(l, BinaryOp::Pipe(Some(self.pattern(pattern)?)), r),
            BinaryOp::Pipe(None) | BinaryOp::Comma | BinaryOp::Alt | BinaryOp::Or | BinaryOp::And => {
                Term::BinOp(l, op, r)
            }
            BinaryOp::Math(_) => return Err(JqError::NotAllowed("arithmetic".to_owned())),
            _ => return Err(JqError::NotAllowed("assignments".to_owned())),
        })
    }

    fn pattern<'s>(&self, pattern: Pattern<&'s str>) -> Result<Pattern<&'s str>, JqError> {
        Ok(match pattern {
            Pattern::Var(_) => pattern,
            Pattern::Arr(items) => {
                Pattern::Arr(items.into_iter().map(|item| self.pattern(item)).collect::<Result<_, _>>()?)
            }
            Pattern::Obj(entries) => {
                let entry = |(key, value)| Ok((self.term(key)?, self.pattern(value)?));
                Pattern::Obj(entries.into_iter().map(entry).collect::<Result<_, JqError>>()?)
            }
        })
    }

    fn path<'s>(&self, Path(parts): Path<Term<&'s str>>) -> Result<Path<Term<&'s str>>, JqError> {
        // An index may only be written out: with an array for an index, jq searches.
        let index = |term: Term<&'s str>| match term {
            Term::Num(_) | Term::Str(None, _) => self.term(term),
            Term::Neg(ref number) if matches!(**number, Term::Num(_)) => Ok(term),
            _ if self.library => self.term(term),
            _ => Err(JqError::NotAllowed("indices that are computed".to_owned())),
        };
        let part = |part| {
            Ok(match part {
                Part::Index(at) => Part::Index(index(at)?),
                Part::Range(None, None) => Part::Range(None, None),
                Part::Range(..) => return Err(JqError::NotAllowed("slices".to_owned())),
            })
        };
        let parts = parts.into_iter().map(|(at, opt)| Ok((part(at)?, opt)));
        Ok(Path(parts.collect::<Result<_, JqError>>()?))
    }

    fn call<'s>(&self, name: &'s str, arguments: Vec<Term<&'s str>>) -> Result<Term<&'s str>, JqError> {
        let arity = arguments.len();
        if self.arguments.contains(&name) {
            return Ok(Term::Call(name, arguments));
        }
        let Some(price) = price(name, arity, self.library) else {
            return Err(JqError::NotAllowed(format!("{name}/{arity}")));
        };
        if !self.library && name == "test" {
            is_simple_regex(arguments.first())?;
        }
        Ok(pipe(call(price), pipe(Term::Call(name, self.all(arguments)?), call(TICK))))
    }
}

/// A regular expression whose search takes no longer than its length times that of the text.
fn is_simple_regex(term: Option<&Term<&str>>) -> Result<(), JqError> {
    let no = |what: &str| Err(JqError::NotAllowed(what.to_owned()));
    let Some(Term::Str(None, parts)) = term else { return no("regular expressions that are computed") };
    let mut length = 0;
    for part in parts {
        match part {
            StrPart::Str(text) if text.contains('{') => return no("counted repetitions"),
            StrPart::Char('{') => return no("counted repetitions"),
            StrPart::Str(text) => length += text.len(),
            StrPart::Char(c) => length += c.len_utf8(),
            StrPart::Term(_) => return no("regular expressions that are computed"),
        }
    }
    if length > LONGEST_REGEX { no("regular expressions of more than 256 bytes") } else { Ok(()) }
}
