//! Errors that cross a trait boundary, with a class that decides what happens next.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What kind of failure this is, and so what the engine does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Class {
    /// Passing: try again, no earlier than `after` if the other side asked for that.
    Retry {
        /// How long the other side asked us to stay away; in milliseconds where it is serialised.
        #[serde(
            rename = "after_ms",
            default,
            skip_serializing_if = "Option::is_none",
            with = "crate::report::optional_millis"
        )]
        after: Option<Duration>,
    },
    /// The object is no longer the one that was observed: observe again, plan again.
    Precondition,
    /// Not allowed: nothing changes until somebody grants the permission or renews the credential.
    Denied,
    /// The input is wrong: nothing changes until the input does.
    Invalid,
    /// The change is right, but the object cannot be changed in this field once it exists.
    Immutable,
    /// What was asked for does not exist.
    NotFound,
    /// The other side cannot do this at all.
    Unsupported,
    /// A write was sent and its answer was lost: it may have landed. Observe before trying again.
    OutcomeUnknown,
    /// Somebody asked us to stop.
    Cancelled,
    /// The code is wrong: an invariant does not hold.
    Bug,
}

/// Nobody keeps us away for longer, whatever it asks for.
const LONGEST_AWAY: Duration = Duration::from_secs(3600);

impl Class {
    /// A passing failure without a wish for when to come back.
    pub const RETRY: Self = Self::Retry { after: None };

    /// How long the other side asked us to stay away, if it did; an hour at most: who asks for more may have made a mistake, and
    /// is asked again then.
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Retry { after } => after.map(|after| after.min(LONGEST_AWAY)),
            _ => None,
        }
    }

    /// Whether trying again, with nothing changed but the time, can succeed.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Retry { .. } | Self::Precondition | Self::OutcomeUnknown)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Retry { .. } => "transient",
            Self::Precondition => "changed meanwhile",
            Self::Denied => "denied",
            Self::Invalid => "invalid",
            Self::Immutable => "immutable",
            Self::NotFound => "not found",
            Self::Unsupported => "unsupported",
            Self::OutcomeUnknown => "outcome unknown",
            Self::Cancelled => "cancelled",
            Self::Bug => "internal error",
        })
    }
}

/// An error from a source, a renderer or a target: its class, where it happened, and the cause.
///
/// Implementors never put values of Secrets or credentials into one: faults are printed, logged and sent as events.
///
/// ```
/// use gitops_core::{Class, Fault};
/// let fault = Fault::new(Class::Denied, "services is forbidden").at("Service/shop/web");
/// assert_eq!(fault.to_string(), "Service/shop/web: services is forbidden");
/// assert!(!fault.is_transient());
/// ```
#[derive(Debug)]
pub struct Fault {
    /// What kind of failure this is.
    pub class: Class,
    /// The object, the file and line, or the request that failed.
    pub at: Option<Arc<str>>,
    /// The cause.
    pub source: Box<dyn Error + Send + Sync>,
}

impl Fault {
    /// A fault of a class, with its cause (an error, or a text).
    pub fn new(class: Class, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { class, at: None, source: source.into() }
    }

    /// A passing fault.
    pub fn retry(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Class::RETRY, source)
    }

    /// A fault of the input.
    pub fn invalid(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Class::Invalid, source)
    }

    /// The fault of work that was asked to stop.
    pub fn cancelled() -> Self {
        Self::new(Class::Cancelled, "stopped on request")
    }

    /// Says where it happened.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.at = Some(place.to_string().into());
        self
    }

    /// Whether trying again, with nothing changed but the time, can succeed.
    pub fn is_transient(&self) -> bool {
        self.class.is_transient()
    }

    /// A copy that can be stored, compared and sent: class, place, and the whole chain of causes as one line.
    pub fn note(&self) -> FaultNote {
        FaultNote {
            class: self.class,
            at: self.at.as_deref().map(|at| one_line(at).into_owned()),
            message: self.chain(),
        }
    }

    fn chain(&self) -> String {
        let mut text = self.source.to_string();
        let mut cause = self.source.source();
        while let Some(error) = cause {
            let next = error.to_string();
            // Many crates repeat the cause in their own message.
            if !text.ends_with(&next) {
                let _ = write!(text, ": {next}");
            }
            cause = error.source();
        }
        one_line(&text).into_owned()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = &self.at {
            write!(f, "{}: ", one_line(at))?;
        }
        f.write_str(&self.chain())
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}

/// A [`Fault`] as a value: what is stored in plans, events and records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultNote {
    /// What kind of failure it was.
    pub class: Class,
    /// The object, the file and line, or the request that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The chain of causes, in one line, without control characters.
    pub message: String,
}

impl FaultNote {
    /// A note of a class with a message.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, at: None, message: one_line(&message.into()).into_owned() }
    }

    /// A fault again, for code that has to return one.
    pub fn to_fault(&self) -> Fault {
        Fault {
            class: self.class,
            at: self.at.as_deref().map(Into::into),
            source: self.message.clone().into(),
        }
    }
}

impl fmt::Display for FaultNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = &self.at {
            write!(f, "{}: ", one_line(at))?;
        }
        f.write_str(&one_line(&self.message))
    }
}

/// Text from outside (commit messages, server messages, paths) made safe for a terminal and a log: line breaks become
/// spaces; other control characters and those that reorder text are written as escapes.
///
/// ```
/// assert_eq!(gitops_core::one_line("a\nb\u{1b}[31m"), "a b\\u{1b}[31m");
/// ```
pub fn one_line(text: &str) -> Cow<'_, str> {
    fn reorders(c: char) -> bool {
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{061c}' | '\u{feff}')
    }
    if !text.chars().any(|c| c.is_control() || reorders(c) || matches!(c, '\u{2028}' | '\u{2029}')) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len());
    for c in text.trim_end_matches(['\n', '\r']).chars() {
        match c {
            '\n' | '\t' | '\u{2028}' | '\u{2029}' => line.push(' '),
            '\r' => {}
            c if c.is_control() || reorders(c) => line.extend(c.escape_unicode()),
            c => line.push(c),
        }
    }
    Cow::Owned(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("connection refused")]
    struct Cause;

    #[derive(Debug, thiserror::Error)]
    #[error("could not list services")]
    struct Outer(#[source] Cause);

    #[test]
    fn the_whole_chain_is_told_once() {
        let fault = Fault::retry(Outer(Cause)).at("cluster");
        assert_eq!(fault.to_string(), "cluster: could not list services: connection refused");
        assert_eq!(fault.note().to_string(), fault.to_string());
        assert!(fault.is_transient());
    }

    #[test]
    fn nobody_keeps_us_away_for_more_than_an_hour() {
        let away = |seconds| Class::Retry { after: Some(Duration::from_secs(seconds)) }.retry_after();
        assert_eq!(away(90), Some(Duration::from_secs(90)));
        assert_eq!(away(31_536_000), Some(Duration::from_secs(3600)));
        assert_eq!(Class::RETRY.retry_after(), None);
    }

    #[test]
    fn foreign_text_cannot_steer_a_terminal() {
        assert_eq!(one_line("plain"), "plain");
        assert_eq!(one_line("two\nlines\n"), "two lines");
        assert_eq!(one_line("\u{202e}evil"), "\\u{202e}evil");
        assert_eq!(one_line("\u{9b}31m"), "\\u{9b}31m");
    }

    #[test]
    fn classes_say_what_may_pass() {
        for class in [Class::RETRY, Class::Precondition, Class::OutcomeUnknown] {
            assert!(class.is_transient());
        }
        for class in
            [Class::Denied, Class::Invalid, Class::Immutable, Class::NotFound, Class::Cancelled, Class::Bug]
        {
            assert!(!class.is_transient());
        }
    }
}
