//! Registries that want to be left alone for some time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gitops_core::{Class, Fault};
use tokio::time::Instant;

/// Until when nobody asks which registry.
#[derive(Debug, Default)]
pub(crate) struct Pauses(Mutex<BTreeMap<String, Instant>>);

impl Pauses {
    /// Fails for a registry that is to be left alone still.
    pub(crate) fn check(&self, registry: &str, now: Instant) -> Result<(), Fault> {
        let pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = pauses.get(registry).map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        if wait.is_zero() {
            return Ok(());
        }
        let message = format!("not asked: the registry wants to be left alone for {} s more", wait.as_secs());
        Err(Fault::new(Class::Retry { after: Some(wait) }, message))
    }

    /// A registry asked to be left alone for so long.
    pub(crate) fn note(&self, registry: &str, now: Instant, wait: Duration) {
        let mut pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = pauses.entry(registry.to_owned()).or_insert(now);
        *until = (now + wait).max(*until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_left_alone_until_its_time_has_come() {
        let (pauses, begin) = (Pauses::default(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        let asked = |seconds| pauses.check("a.example", at(seconds)).is_ok();
        assert!(asked(0));
        pauses.note("a.example", begin, Duration::from_secs(90));
        assert!(!asked(0) && !asked(89) && asked(90) && pauses.check("b.example", begin).is_ok());
        let fault = pauses.check("a.example", at(30)).unwrap_err();
        assert_eq!(fault.class.retry_after(), Some(Duration::from_secs(60)));
        // Who was asked at the same time may have said less.
        pauses.note("a.example", at(1), Duration::from_secs(5));
        assert!(!asked(89));
        pauses.note("a.example", at(89), Duration::from_secs(5));
        assert!(!asked(93) && asked(94));
    }
}
