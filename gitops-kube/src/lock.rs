//! One writer per application: inside this process by a mutex, across processes by a lock in the record.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gitops_core::{AppId, Class, Clock, Cx, Fault, Intent, Timestamp};
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;

use crate::error::KubeError;
use crate::record::{Lock, Records, Stored};

/// How often a write is tried again when somebody else changed the record meanwhile.
const ATTEMPTS: usize = 5;

/// Who we are, and for how long we lock.
#[derive(Debug)]
pub(crate) struct Locks {
    holder: String,
    ttl: Duration,
    clock: Arc<dyn Clock>,
    here: Mutex<HashMap<AppId, Arc<tokio::sync::Mutex<()>>>>,
    /// Records as our last sessions left them: most are still so when the next begins.
    left: Mutex<HashMap<AppId, Stored>>,
}

/// A held lock, with the record as it was last written. Renewed until it is dropped; released by writing the record
/// without a lock.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) stored: Arc<tokio::sync::Mutex<Stored>>,
    renewal: JoinHandle<()>,
    _here: OwnedMutexGuard<()>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

impl Locks {
    pub(crate) fn new(holder: String, ttl: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { holder, ttl, clock, here: Mutex::default(), left: Mutex::default() }
    }

    /// Takes the lock of an application and records the intent with it, in one write.
    pub(crate) async fn take(
        self: &Arc<Self>,
        cx: &Cx,
        records: &Records,
        app: &AppId,
        intent: &Intent,
    ) -> Result<Held, Fault> {
        let mutex =
            self.here.lock().unwrap_or_else(PoisonError::into_inner).entry(app.clone()).or_default().clone();
        let here = cx.bound("the application's lock", mutex.lock_owned()).await?;
        let stored = self.try_take(cx, records, app, intent).await?;
        let stored = Arc::new(tokio::sync::Mutex::new(stored));
        let renewal = tokio::spawn(renew(self.clone(), records.clone(), stored.clone()));
        Ok(Held { stored, renewal, _here: here })
    }

    async fn try_take(
        &self,
        cx: &Cx,
        records: &Records,
        app: &AppId,
        intent: &Intent,
    ) -> Result<Stored, Fault> {
        let mut last = Fault::retry("the record keeps changing");
        let mut left = self.left().remove(app);
        for _ in 0..ATTEMPTS {
            let known = match left.take() {
                // If somebody has written it since, writing it fails, and it is read.
                Some(left) => Some(left),
                None => records.read(cx, app).await?,
            };
            let mut stored = match known {
                Some(stored) => stored,
                None => Stored::new(app.clone(), intent.source.clone())?,
            };
            self.check(&stored, intent)?;
            stored.record.begin(intent);
            stored.lock = Some(self.lock());
            match records.write(cx, &stored).await {
                Err(fault) if fault.class == Class::Precondition => last = fault,
                other => return other,
            }
        }
        Err(last)
    }

    /// Takes note of a record as a session leaves it, without a lock.
    pub(crate) fn leave(&self, stored: Stored) {
        self.left().insert(stored.app.clone(), stored);
    }

    fn left(&self) -> MutexGuard<'_, HashMap<AppId, Stored>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, stored: &Stored, intent: &Intent) -> Result<(), Fault> {
        if stored.record.source != intent.source {
            return Err(KubeError::OtherSource {
                app: stored.app.to_string(),
                recorded: stored.record.source.clone(),
                source_identity: intent.source.clone(),
            }
            .denied());
        }
        let Some(lock) = &stored.lock else { return Ok(()) };
        let left = lock.until.duration_since(self.clock.now());
        if lock.holder == self.holder || !left.is_positive() {
            return Ok(());
        }
        // A clock that is far ahead must not keep us away for longer than a lock can last.
        let after = Duration::try_from(left).unwrap_or_default().min(self.ttl.saturating_mul(2));
        Err(KubeError::Locked {
            app: stored.app.to_string(),
            holder: lock.holder.clone(),
            until: lock.until.to_string(),
        }
        .fault(Class::Retry { after: Some(after) }))
    }

    fn lock(&self) -> Lock {
        let now = self.clock.now();
        Lock { holder: self.holder.clone(), until: now.checked_add(self.ttl).unwrap_or(Timestamp::MAX) }
    }

    /// Fails when somebody else took the lock, because ours had run out.
    pub(crate) fn still_ours(&self, stored: &Stored) -> Result<(), Fault> {
        match &stored.lock {
            Some(lock) if lock.holder == self.holder => Ok(()),
            other => Err(KubeError::LockLost {
                app: stored.app.to_string(),
                holder: other.as_ref().map_or_else(|| "nobody".to_owned(), |lock| lock.holder.clone()),
            }
            .fault(Class::Precondition)),
        }
    }

    /// Changes the record and writes it. Where somebody else wrote it meanwhile, the change is made again on what they
    /// wrote, as long as the lock is ours.
    pub(crate) async fn update(
        &self,
        cx: &Cx,
        records: &Records,
        stored: &mut Stored,
        change: impl Fn(&mut Stored),
    ) -> Result<(), Fault> {
        let mut last = Fault::retry("the record keeps changing");
        for _ in 0..ATTEMPTS {
            self.still_ours(stored)?;
            let mut changed = stored.clone();
            change(&mut changed);
            match records.write(cx, &changed).await {
                Ok(written) => {
                    *stored = written;
                    return Ok(());
                }
                Err(fault) if fault.class == Class::Precondition => last = fault,
                Err(fault) => return Err(fault),
            }
            match records.read(cx, &stored.app).await? {
                Some(fresh) => *stored = fresh,
                None => stored.lock = None,
            }
        }
        Err(last)
    }
}

/// Renews a lock at a third of its time, so that two renewals may fail before it runs out.
async fn renew(locks: Arc<Locks>, records: Records, stored: Arc<tokio::sync::Mutex<Stored>>) {
    let period = (locks.ttl / 3).max(Duration::from_millis(10));
    loop {
        tokio::time::sleep(period).await;
        let cx = Cx::with_timeout(period);
        let mut stored = stored.lock().await;
        // Released while we waited for the record: the session is over.
        if stored.lock.is_none() {
            return;
        }
        let renewed = locks.update(&cx, &records, &mut stored, |s| s.lock = Some(locks.lock())).await;
        if let Err(fault) = renewed {
            tracing::warn!(app = %stored.app, %fault, "the lock of an application could not be renewed");
            if locks.still_ours(&stored).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use gitops_core::{End, ManualClock, Reach, Target as _};

    use super::*;
    use crate::membership::tests::app;
    use crate::mock::{Answer, server};

    const TTL: Duration = Duration::from_secs(15);

    fn stored(locks: &Locks, holder: &str) -> Stored {
        let mut stored = Stored::new(app("shop"), "git".into()).unwrap();
        stored.lock = Some(Lock { holder: holder.into(), ..locks.lock() });
        stored
    }

    fn locks() -> (Arc<ManualClock>, Locks) {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        (clock.clone(), Locks::new("me".into(), TTL, clock))
    }

    fn intent(source: &str) -> Intent {
        Intent::new(Timestamp::UNIX_EPOCH, source, None, Reach::default())
    }

    #[test]
    fn a_lock_holds_until_it_runs_out() {
        let (clock, locks) = locks();
        let other = stored(&locks, "other");
        clock.advance(Duration::from_secs(5));
        let fault = locks.check(&other, &intent("git")).unwrap_err();
        assert_eq!(fault.class, Class::Retry { after: Some(Duration::from_secs(10)) });
        assert!(locks.still_ours(&other).is_err() && locks.still_ours(&stored(&locks, "me")).is_ok());
        clock.advance(Duration::from_secs(10));
        assert!(locks.check(&other, &intent("git")).is_ok());
    }

    #[test]
    fn what_this_process_left_locked_is_its_own() {
        let (_, locks) = locks();
        assert!(locks.check(&stored(&locks, "me"), &intent("git")).is_ok());
    }

    #[test]
    fn a_clock_that_is_far_ahead_keeps_nobody_away_for_long() {
        let (_, locks) = locks();
        let mut other = stored(&locks, "other");
        other.lock = Some(Lock { holder: "other".into(), until: Timestamp::MAX });
        let fault = locks.check(&other, &intent("git")).unwrap_err();
        assert_eq!(fault.class, Class::Retry { after: Some(TTL * 2) });
    }

    #[test]
    fn another_source_is_refused_whoever_holds_the_lock() {
        let (_, locks) = locks();
        for holder in ["me", "other"] {
            let fault = locks.check(&stored(&locks, holder), &intent("elsewhere")).unwrap_err();
            assert_eq!(fault.class, Class::Denied);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_begins_from_what_the_last_one_left() {
        let missing = Answer::Now(404, serde_json::json!({"kind": "Status", "code": 404}).to_string());
        let conflict = Answer::Now(409, serde_json::json!({"kind": "Status", "code": 409}).to_string());
        let (client, asked) = server(vec![
            missing,
            Answer::Stored,
            Answer::Stored,
            Answer::Stored,
            Answer::Stored,
            // Somebody wrote it meanwhile.
            conflict,
            Answer::Stored,
            Answer::Stored,
        ]);
        let target = crate::KubeTarget::builder(client).with_state_namespace("state").build();
        let cx = Cx::with_timeout(Duration::from_secs(60));
        let mut requests = Vec::new();
        for _ in 0..3 {
            let before = asked.lock().unwrap().len();
            let session = target.begin(&cx, &app("shop"), &intent("git")).await.unwrap();
            requests.push(asked.lock().unwrap().len() - before);
            if requests.len() < 3 {
                session.finish(&cx, &End::new(Timestamp::UNIX_EPOCH, Vec::new())).await.unwrap();
            }
        }
        // Read and created; replaced; refused, read and replaced.
        assert_eq!(requests, [2, 1, 3]);
    }
}
