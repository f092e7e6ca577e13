//! What goes wrong between the engine and the world, when, and how often.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gitops_core::{Class, Fault};
use tokio::time::Instant;

use crate::chance::Chance;
use crate::shared::Shared;

/// A call from the engine to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Resolve,
    Fetch,
    Read,
    Place,
    Observe,
    Begin,
    Run,
    Finish,
    Recall,
}

const CALLS: [Call; 9] = [
    Call::Resolve,
    Call::Fetch,
    Call::Read,
    Call::Place,
    Call::Observe,
    Call::Begin,
    Call::Run,
    Call::Finish,
    Call::Recall,
];

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Trouble {
    /// It fails, and nothing happened.
    Fail(Class),
    /// It happened, and its answer is lost.
    Lost,
    /// It takes so long.
    Slow(Duration),
    /// It never answers, and nothing happened.
    Hang,
    /// It panics.
    Panic,
    /// The process dies before it is sent.
    CrashBefore,
    /// The process dies after it happened.
    CrashAfter,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail(class) => write!(f, "fail: {class}"),
            Self::Lost => f.write_str("lost answer"),
            Self::Slow(_) => f.write_str("slow"),
            Self::Hang => f.write_str("hang"),
            Self::Panic => f.write_str("panic"),
            Self::CrashBefore => f.write_str("crash before"),
            Self::CrashAfter => f.write_str("crash after"),
        }
    }
}

/// For a time, one thing goes wrong with many calls of one kind.
#[derive(Debug)]
struct Storm {
    call: Call,
    trouble: Trouble,
    permille: u64,
    until: Instant,
}

/// What goes wrong at random.
#[derive(Debug)]
pub(crate) struct Faults {
    chance: Chance,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Of a thousand calls, so many go wrong.
    rate: u64,
    storms: Vec<Storm>,
    has_ended: bool,
}

/// What a panic on purpose says.
pub(crate) const PANIC: &str = "simulated panic";

impl Faults {
    pub(crate) fn new(chance: Chance, rate: u64) -> Self {
        Self { chance, inner: Mutex::new(Inner { rate, storms: Vec::new(), has_ended: false }) }
    }

    /// From now on nothing goes wrong.
    pub(crate) fn end(&self) {
        *self.inner() = Inner { rate: 0, storms: Vec::new(), has_ended: true };
    }

    /// Things go wrong again.
    pub(crate) fn begin(&self, rate: u64) {
        *self.inner() = Inner { rate, storms: Vec::new(), has_ended: false };
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.inner().has_ended
    }

    /// A storm begins.
    pub(crate) fn storm(&self) -> String {
        let call = *self.chance.pick(&CALLS);
        let trouble = self.trouble(call);
        let permille = *self.chance.pick(&[200, 500, 1000]);
        let length = Duration::from_secs(5) + self.chance.time(Duration::from_secs(240));
        self.inner().storms.push(Storm { call, trouble, permille, until: Instant::now() + length });
        format!("{call:?}: {trouble} ({permille} of 1000) for {length:?}")
    }

    /// What goes wrong with a call.
    pub(crate) fn roll(&self, shared: &Shared, call: Call) -> Option<Trouble> {
        let trouble = self.next(call)?;
        shared.count(&format!("fault: {call:?}: {trouble}"));
        shared.tell(format_args!("fault: {call:?}: {trouble:?}"));
        shared.stir();
        Some(trouble)
    }

    fn next(&self, call: Call) -> Option<Trouble> {
        let now = Instant::now();
        let mut inner = self.inner();
        inner.storms.retain(|storm| storm.until > now);
        for storm in &inner.storms {
            if storm.call == call && self.chance.permille(storm.permille) {
                return Some(storm.trouble);
            }
        }
        (inner.rate > 0 && self.chance.permille(inner.rate)).then(|| self.trouble(call))
    }

    fn trouble(&self, call: Call) -> Trouble {
        match self.chance.below(20) {
            0..=9 => Trouble::Fail(self.class(call)),
            10..=12 if matches!(call, Call::Begin | Call::Run | Call::Finish) => Trouble::Lost,
            10..=12 => Trouble::Fail(Class::RETRY),
            _ if call == Call::Read => Trouble::Fail(Class::RETRY),
            13 | 14 => Trouble::Slow(self.chance.time(Duration::from_secs(90))),
            15 => Trouble::Hang,
            16 => Trouble::Panic,
            17 => Trouble::CrashBefore,
            _ => Trouble::CrashAfter,
        }
    }

    fn class(&self, call: Call) -> Class {
        let after = Duration::from_secs(1) + self.chance.time(Duration::from_secs(60));
        let classes = [
            Class::RETRY,
            Class::Retry { after: Some(after) },
            Class::Precondition,
            Class::Denied,
            Class::NotFound,
            Class::OutcomeUnknown,
            Class::Cancelled,
            Class::Bug,
            Class::Immutable,
            Class::Unsupported,
            Class::Invalid,
        ];
        // A revision that is said to be wrong is not read again.
        let known = if matches!(call, Call::Fetch | Call::Read) { 9 } else { classes.len() };
        *self.chance.pick(&classes[..known])
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets happen what goes wrong before a call has an effect.
pub(crate) async fn before(shared: &Shared, call: Call, trouble: Option<Trouble>) -> Result<(), Fault> {
    match trouble {
        Some(Trouble::Fail(class)) => Err(Fault::new(class, "injected").at(format!("{call:?}"))),
        Some(Trouble::Slow(time)) => {
            tokio::time::sleep(time).await;
            Ok(())
        }
        Some(Trouble::Hang) => std::future::pending().await,
        Some(Trouble::Panic) => std::panic::panic_any(PANIC),
        Some(Trouble::CrashBefore) => shared.die().await,
        Some(Trouble::Lost | Trouble::CrashAfter) | None => Ok(()),
    }
}

/// Lets happen what goes wrong after it had its effect.
pub(crate) async fn after(shared: &Shared, trouble: Option<Trouble>) -> Result<(), Fault> {
    match trouble {
        Some(Trouble::Lost) => Err(Fault::new(Class::OutcomeUnknown, "the answer is lost")),
        Some(Trouble::CrashAfter) => shared.die().await,
        _ => Ok(()),
    }
}
