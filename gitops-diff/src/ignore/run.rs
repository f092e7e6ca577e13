//! Running jq expressions.

use std::cell::Cell;
use std::time::Duration;

use jaq_core::box_iter::box_once;
use jaq_core::data::HasLut;
use jaq_core::load::{Arena, File, Loader, parse::Def};
use jaq_core::native::{Fun, v};
use jaq_core::{Compiler, Ctx, DataT, Error, Exn, Filter, Lut, Native, ValT as _, Vars};
use jaq_json::Val;
use jaq_std::ValT as _;
use serde_json::Value;

use super::Budget;
use super::jq::{JqError, JqRunError};
use super::meter::{self, TICK, WEIGH};
use crate::nodes::Nodes;

/// The name of the expression among the definitions; longer than any that one would write by chance.
const MAIN: &str = "the_expression_itself";

/// A compiled expression.
pub(super) struct Program(Filter<Fueled>);

/// Why a run ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Fuel,
    Time,
    Mismatch,
    NoPath,
}

impl Stop {
    pub(super) fn of(self, text: &str, budget: &Budget) -> JqRunError {
        match self {
            Self::Time => JqRunError::TimedOut {
                expression: text.to_owned(),
                limit: budget.time_limit().unwrap_or_default(),
            },
            Self::Fuel => JqRunError::Stopped(text.to_owned()),
            Self::Mismatch => JqRunError::Mismatch(text.to_owned()),
            Self::NoPath => JqRunError::NoPath(text.to_owned()),
        }
    }
}

/// jq values, with a gauge that all filters can read.
struct Fueled;

impl DataT for Fueled {
    type V<'a> = Val;
    type Data<'a> = &'a Run<'a>;
}

struct Run<'a> {
    lut: &'a Lut<Fueled>,
    fuel: Cell<u64>,
    budget: &'a Budget,
    /// When it began, if time is bounded.
    began: Option<Duration>,
    is_late: Cell<bool>,
}

impl<'a> HasLut<'a, Fueled> for &'a Run<'a> {
    fn lut(&self) -> &'a Lut<Fueled> {
        self.lut
    }
}

impl<'a> Run<'a> {
    fn new(lut: &'a Lut<Fueled>, budget: &'a Budget) -> Self {
        Self { lut, fuel: Cell::new(budget.steps), budget, began: budget.now(), is_late: Cell::new(false) }
    }

    /// Takes fuel; false if there is not enough of it.
    fn take(&self, amount: u64) -> bool {
        const ASK_EVERY: u64 = 1024;
        let before = self.fuel.get();
        let Some(left) = before.checked_sub(amount) else {
            self.fuel.set(0);
            return false;
        };
        self.fuel.set(left);
        if left / ASK_EVERY != before / ASK_EVERY && self.is_interrupted() {
            self.fuel.set(0);
            return false;
        }
        true
    }

    fn is_interrupted(&self) -> bool {
        self.is_late.set(self.budget.is_late(self.began));
        self.is_late.get() || self.budget.interrupt.as_ref().is_some_and(|interrupt| interrupt())
    }

    /// Takes fuel for each node of a value.
    fn weigh(&self, value: &Val) -> bool {
        let here = match value {
            Val::BStr(text) | Val::TStr(text) => 1 + text.len() as u64 / 4,
            _ => 1,
        };
        self.take(here)
            && match value {
                Val::Arr(items) => items.iter().all(|item| self.weigh(item)),
                Val::Obj(map) => map.iter().all(|(key, item)| self.weigh(key) && self.weigh(item)),
                _ => true,
            }
    }

    /// jq's `contains`, which compares each item with each.
    fn contains(&self, whole: &Val, part: &Val) -> Option<bool> {
        if !self.take(1) {
            return None;
        }
        match (whole, part) {
            (Val::Arr(whole), Val::Arr(part)) => {
                for want in part.iter() {
                    let mut found = false;
                    for have in whole.iter() {
                        found = self.contains(have, want)?;
                        if found {
                            break;
                        }
                    }
                    if !found {
                        return Some(false);
                    }
                }
                Some(true)
            }
            (Val::Obj(whole), Val::Obj(part)) => {
                for (key, want) in part.iter() {
                    let Some(have) = whole.get(key) else { return Some(false) };
                    if !self.contains(have, want)? {
                        return Some(false);
                    }
                }
                Some(true)
            }
            (Val::TStr(whole), Val::TStr(part)) => {
                let steps = 1 + (whole.len() as u64 / 4).saturating_mul(1 + part.len() as u64 / 4);
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                self.take(steps).then(|| text(whole).contains(&text(part)))
            }
            _ => (self.weigh(whole) && self.weigh(part)).then(|| whole == part),
        }
    }
}

impl Run<'_> {
    /// jq's `test`. Making the search takes as long as the expression is, searching as long as that times the text.
    fn test<'e>(&self, value: &Val, expression: &Val) -> Result<Val, Exn<'e, Val>> {
        let text = |value: &Val| match value {
            Val::TStr(text) => std::str::from_utf8(text).map(str::to_owned).map_err(Error::str),
            other => Err(Error::typ(other.clone(), "string")),
        };
        let (value, expression) = (text(value)?, text(expression)?);
        if !self.take(100 + (1 + expression.len() as u64).saturating_mul(1 + value.len() as u64 / 16)) {
            return halt();
        }
        let search = regex_lite::Regex::new(&expression).map_err(Error::str)?;
        Ok(Val::from(search.is_match(&value)))
    }
}

fn halt<'a, T>() -> Result<T, Exn<'a, Val>> {
    // Not an error: no `try` of the expression catches it.
    Err(Exn::halt(1))
}

/// A filter that passes what comes, for fuel. One that makes paths passes those.
macro_rules! gauge {
    ($name:expr, $pays:expr) => {
        (
            $name,
            v(0),
            Native::<Fueled>::new(|(ctx, value)| {
                let pays: fn(&Run<'_>, &Val) -> bool = $pays;
                box_once(if pays(ctx.data(), &value) { Ok(value) } else { halt() })
            })
            .with_paths(|(ctx, (value, path))| {
                let pays: fn(&Run<'_>, &Val) -> bool = $pays;
                box_once(if pays(ctx.data(), &value) { Ok((value, path)) } else { halt() })
            }),
        )
    };
}

fn natives() -> impl Iterator<Item = Fun<Fueled>> {
    let ours: [Fun<Fueled>; 4] = [
        gauge!(TICK, |run, _| run.take(1)),
        gauge!(WEIGH, |run, value| run.weigh(value)),
        (
            "contains",
            v(1),
            Native::new(|(mut ctx, value)| {
                let part = ctx.pop_var();
                box_once(match ctx.data().contains(&value, &part) {
                    Some(found) => Ok(Val::from(found)),
                    None => halt(),
                })
            }),
        ),
        (
            "test",
            v(1),
            Native::new(|(mut ctx, value)| {
                let expression = ctx.pop_var();
                box_once(ctx.data().test(&value, &expression))
            }),
        ),
    ];
    let theirs = jaq_core::funs().chain(jaq_std::base_funs()).chain(jaq_json::funs());
    let theirs = theirs.filter(|(name, binds, _)| {
        !matches!(*name, "contains" | "test") && meter::is_known(name, binds.len())
    });
    ours.into_iter().chain(theirs)
}

fn library() -> Result<Vec<Def<&'static str>>, JqError> {
    let theirs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let known = theirs.filter(|def| def.name != "test" && meter::is_known(def.name, def.args.len()));
    known.map(definition).collect()
}

/// A definition as it is, but for those whose own one is recursive.
fn definition(def: Def<&'static str>) -> Result<Def<&'static str>, JqError> {
    if def.name == "recurse" {
        let body = jaq_core::load::parse("..", |parser| parser.term()).unwrap_or_default();
        return meter::definition(Def { body, ..def });
    }
    meter::definition(def)
}

impl Program {
    pub(super) fn new(text: &str) -> Result<Self, JqError> {
        let syntax = || JqError::Syntax(text.to_owned());
        let term = jaq_core::load::parse(text, |parser| parser.term()).ok_or_else(syntax)?;
        let body = meter::expression(term)?;
        let main = Def { name: MAIN, args: Vec::new(), body };
        let arena = Arena::default();
        let code = format!("path({MAIN})");
        let file = File { code: code.as_str(), path: () };
        let defs = library()?.into_iter().chain([main]);
        let modules = Loader::new(defs).load(&arena, file).map_err(|_| syntax())?;
        let filter = Compiler::default().with_funs(natives()).compile(modules).map_err(|errors| {
            let name =
                errors.iter().flat_map(|(_, errors)| errors).map(|(name, _)| (*name).to_owned()).next();
            JqError::Undefined(name.unwrap_or_default())
        })?;
        Ok(Self(filter))
    }

    pub(super) fn select<'v>(
        &self,
        object: &'v Value,
        budget: &Budget,
        nodes: &mut Nodes<'v>,
    ) -> Result<(), Stop> {
        let run = Run::new(&self.0.lut, budget);
        let input = read(object);
        let mut found = Vec::new();
        for output in self.0.id.run((Ctx::<Fueled>::new(&run, Vars::new([])), input)) {
            match output {
                Ok(path) => found.push(follow(object, &path)?),
                Err(exception) => {
                    return Err(match exception.get_err() {
                        Ok(_) => Stop::Mismatch,
                        Err(_) if run.is_late.get() => Stop::Time,
                        Err(_) => Stop::Fuel,
                    });
                }
            }
        }
        found.into_iter().flatten().for_each(|node| nodes.insert(node));
        Ok(())
    }
}

/// A tree as jq sees it.
fn read(tree: &Value) -> Val {
    match tree {
        Value::Null => Val::Null,
        Value::Bool(flag) => Val::from(*flag),
        Value::Number(number) => Val::from_num(&number.to_string()).unwrap_or(Val::Null),
        Value::String(text) => Val::from(text.clone()),
        Value::Array(items) => items.iter().map(read).collect(),
        Value::Object(map) => {
            Val::obj(map.iter().map(|(key, item)| (Val::from(key.clone()), read(item))).collect())
        }
    }
}

/// The node at a path of jq's, where there is one.
fn follow<'v>(tree: &'v Value, path: &Val) -> Result<Option<&'v Value>, Stop> {
    let Val::Arr(steps) = path else { return Err(Stop::NoPath) };
    let mut at = tree;
    for step in steps.iter() {
        let next = match (step, at) {
            (Val::TStr(name), Value::Object(map)) => map.get(std::str::from_utf8(name).unwrap_or_default()),
            (Val::Num(_), Value::Array(items)) => {
                let index = step.as_isize().unwrap_or(isize::MAX);
                let index =
                    if index < 0 { items.len().checked_add_signed(index) } else { index.try_into().ok() };
                index.and_then(|index| items.get(index))
            }
            (Val::TStr(_) | Val::Num(_), _) => None,
            _ => return Err(Stop::NoPath),
        };
        match next {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}
