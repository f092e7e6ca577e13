//! Noticing that somebody keeps changing an object back.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::ResourceId;

/// Corrections of an object within about a minute before it counts as a fight.
const THRESHOLD: f64 = 5.0;
/// The first pause; it doubles with each further correction.
const PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Counts corrections per object; a count fades by a factor of e each minute, so that only what comes fast adds up.
#[derive(Debug, Default)]
pub(super) struct Fights(BTreeMap<ResourceId, Heat>);

#[derive(Debug, Clone, Copy)]
struct Heat {
    level: f64,
    at: Instant,
    pauses: u32,
}

impl Fights {
    /// How long an object is still to be left alone, if it is.
    pub(super) fn resting(&self, id: &ResourceId, now: Instant) -> Option<Duration> {
        let left = self.0.get(id)?.at.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// Notes that an object is about to be corrected. If it was corrected too often of late, says how long to leave it
    /// alone instead.
    pub(super) fn note(&mut self, id: &ResourceId, now: Instant) -> Option<Duration> {
        let heat = self.0.entry(id.clone()).or_insert(Heat { level: 0.0, at: now, pauses: 0 });
        let minutes = now.saturating_duration_since(heat.at).as_secs_f64() / 60.0;
        let faded = heat.level * (-minutes).exp();
        if faded >= THRESHOLD {
            let pause = PAUSE.saturating_mul(2_u32.saturating_pow(heat.pauses)).min(LONGEST_PAUSE);
            // After the pause there is room for one correction, and the next pause is longer.
            *heat = Heat { level: THRESHOLD - 0.5, at: now + pause, pauses: heat.pauses.saturating_add(1) };
            return Some(pause);
        }
        let pauses = if faded < 0.5 { 0 } else { heat.pauses };
        *heat = Heat { level: faded + 1.0, at: now.max(heat.at), pauses };
        None
    }

    /// Forgets objects that have been quiet.
    pub(super) fn fade(&mut self, now: Instant) {
        self.0.retain(|_, heat| now.saturating_duration_since(heat.at) < Duration::from_secs(1200));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> ResourceId {
        ResourceId::namespaced("apps", "Deployment", "shop", "web")
    }

    #[test]
    fn now_and_then_is_no_fight() {
        let (mut fights, start) = (Fights::default(), Instant::now());
        for minute in 0..100 {
            assert_eq!(fights.note(&id(), start + Duration::from_secs(60 * minute)), None);
        }
    }

    #[test]
    fn again_and_again_is_slowed_down() {
        let (mut fights, mut now) = (Fights::default(), Instant::now());
        let mut corrections = 0;
        let end = now + Duration::from_secs(3600);
        while now < end {
            assert_eq!(fights.resting(&id(), now), None);
            match fights.note(&id(), now) {
                Some(pause) => {
                    assert_eq!(fights.resting(&id(), now), Some(pause));
                    now += pause;
                }
                None => corrections += 1,
            }
            now += Duration::from_millis(5);
        }
        assert!((6..60).contains(&corrections), "{corrections} corrections in an hour");
        fights.fade(now + Duration::from_secs(7200));
        assert!(fights.0.is_empty());
    }
}
