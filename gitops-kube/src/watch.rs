//! One watch: list, follow, resume, and list again when the resume point has expired.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use gitops_core::{Class, Cx, Dice, Fault, GroupKind, Token};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cache::News;
use crate::discovery::Served;
use crate::error::{Effect, KubeError, unanswered};
use crate::events::Event;
use crate::hub::Scope;
use crate::list::{Item, Listing};
use crate::membership::PART_OF;
use crate::rest::{Call, Rest, escape, read};
use crate::shared::Shared;
use crate::stamp::{self, Stamp};

/// How long the API server keeps one watch open; kube's and client-go's watches are as long.
const LONGEST: Duration = Duration::from_secs(290);
/// Bookmarks come about once a minute: a watch that is silent for longer is dead.
const SILENCE: Duration = Duration::from_secs(320);
/// For reading a list, with all its pages.
const LISTING: Duration = Duration::from_secs(300);
/// A watch that ends sooner than this counts as failed.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Failures in a row after which listeners are told that changes cannot be seen: about three seconds, in which the
/// definition of a new kind is usually established.
const PATIENCE: u32 = 5;

/// Waits that grow, with jitter, so that many watches do not come back at one instant.
#[derive(Debug)]
pub(crate) struct Backoff {
    failures: u32,
    dice: Dice,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { failures: 0, dice: Dice::random() }
    }
}

impl Backoff {
    fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// 0.1 to 0.2 s after the first failure, at most 30 s.
    fn next(&mut self) -> Duration {
        let longest =
            Duration::from_millis(200).saturating_mul(1 << self.failures.min(8)).min(Duration::from_secs(30));
        self.failures = self.failures.saturating_add(1);
        let half = u64::try_from(longest.as_millis() / 2).unwrap_or(u64::MAX).max(1);
        Duration::from_millis(half + self.dice.roll() % half)
    }

    /// Waits; false when the work is no longer wanted.
    pub(crate) async fn wait(&mut self, stop: &CancellationToken) -> bool {
        tokio::select! {
            biased;
            () = stop.cancelled() => false,
            () = tokio::time::sleep(self.next()) => true,
        }
    }
}

/// How following ended.
enum Ended {
    /// The server closed it, or the connection broke: go on from the last version.
    Resume,
    /// The version is too old: list again.
    Expired,
}

/// Runs until it is stopped, or the target is gone.
pub(crate) async fn run(shared: Weak<Shared>, scope: Scope, stop: CancellationToken, sees: Arc<AtomicBool>) {
    let work = Watch { shared, scope, sees, stop: stop.clone() }.run();
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = work => {}
    }
}

struct Watch {
    shared: Weak<Shared>,
    scope: Scope,
    sees: Arc<AtomicBool>,
    stop: CancellationToken,
}

impl Watch {
    async fn run(self) {
        let mut backoff = Backoff::default();
        let mut blind = false;
        let mut first = true;
        // The version to go on from, once a list was read.
        let mut version: Option<(Served, String)> = None;
        loop {
            let ended = match version.take() {
                None => match self.start(first).await {
                    Ok(listed) => {
                        first = false;
                        version = Some(listed);
                        continue;
                    }
                    Err(fault) => Err(fault),
                },
                Some((served, mut from)) => {
                    let followed = self.follow(&served, &mut from, &mut backoff, &mut blind).await;
                    self.sees.store(false, Ordering::Release);
                    match followed {
                        Ok(Ended::Resume) => {
                            version = Some((served, from));
                            Ok(())
                        }
                        // Told apart from a failure only by its wait: a server that always says so must not spin us.
                        Ok(Ended::Expired) => {
                            if !backoff.wait(&self.stop).await {
                                return;
                            }
                            Ok(())
                        }
                        Err(fault) if fault.is_transient() => {
                            version = Some((served, from));
                            Err(fault)
                        }
                        Err(fault) => Err(fault),
                    }
                }
            };
            let Some(shared) = self.shared.upgrade() else { return };
            let Err(fault) = ended else { continue };
            let denied = fault.class == Class::Denied;
            // Whose token is not known now (401) may see everything again when it is.
            if has_code(&fault, 403)
                && self.scope.namespace.is_none()
                && shared.hub.forbidden_everywhere(&shared, &self.scope)
            {
                // Watches by namespace take over; this one is stopped by that.
                shared.hub.reach_changed(&shared);
                return;
            }
            if fault.class == Class::NotFound {
                shared.discovery.forget();
            }
            tracing::debug!(kind = %self.kind(), %fault, "a watch failed");
            if denied || backoff.failures >= PATIENCE {
                if !blind {
                    shared.hub.scope(&shared, &self.scope, |queue| queue.blind(fault.note()));
                }
                blind = true;
            }
            drop(shared);
            if !backoff.wait(&self.stop).await {
                return;
            }
        }
    }

    fn kind(&self) -> GroupKind {
        GroupKind::new(&self.scope.group, &self.scope.kind)
    }

    /// The version to follow from: at the start that of a list that somebody has just read, else of one of our own.
    async fn start(&self, first: bool) -> Result<(Served, String), Fault> {
        let shared = self.shared.upgrade().ok_or_else(Fault::cancelled)?;
        let offer = shared.hub.take_offer(&self.scope).filter(|_| first);
        let rest = shared.rest.clone();
        drop(shared);
        match offer {
            Some(version) => {
                let cx = Cx::new(self.stop.clone(), LISTING);
                Ok((self.served(&cx, &rest).await?, version))
            }
            None => self.relist(first).await,
        }
    }

    /// Lists the members of all applications, and tells what differs from what was known.
    async fn relist(&self, first: bool) -> Result<(Served, String), Fault> {
        let gone = || Fault::cancelled();
        let (rest, page, turn) = {
            let shared = self.shared.upgrade().ok_or_else(gone)?;
            (shared.rest.clone(), shared.page, shared.relists.clone())
        };
        let cx = Cx::new(self.stop.clone(), LISTING);
        let served = self.served(&cx, &rest).await?;
        // Lists that are read at once are in memory at once.
        let _turn = turn.acquire().await.map_err(|_| gone())?;
        let namespace = self.scope.namespace.as_deref();
        let listing = Listing { namespace, ..Listing::members(&served, PART_OF, page) };
        let mut present = BTreeSet::new();
        let see = |item: Item<'_>| {
            let shared = self.shared.upgrade().ok_or_else(gone)?;
            let stamp = item.stamp()?;
            // Most of it has not changed: the rest need not be read.
            if !shared.view.cache.has_seen(&stamp.id, &stamp.uid, &stamp.version) {
                let (id, object) = item.object()?;
                let (news, apps) = shared.view.see(&id, &object);
                // At the start nobody has been told anything yet, so that nothing that is new to us is news to them.
                if news == News::Changed || (news == News::New && !first) {
                    shared.hub.object(&apps, &id);
                }
            }
            present.insert(stamp.id);
            Ok(())
        };
        let version = listing.each(&cx, &rest, see).await?.ok_or_else(endless)?;
        let shared = self.shared.upgrade().ok_or_else(gone)?;
        for id in shared.view.cache.ids(&self.scope.group, &self.scope.kind, namespace) {
            if !present.contains(&id)
                && let Some(Token { incarnation, .. }) = shared.view.cache.seen(&id).map(|seen| seen.token)
                && let Some(seen) =
                    shared.view.cache.ended(&id, Token { incarnation, version: version.as_str().into() })
            {
                shared.hub.object(&seen.app.into_iter().collect::<Vec<_>>(), &id);
            }
        }
        Ok((served, version))
    }

    async fn served(&self, cx: &Cx, rest: &Rest) -> Result<Served, Fault> {
        let shared = self.shared.upgrade().ok_or_else(Fault::cancelled)?;
        let kind = self.kind();
        if let Some(served) = shared.discovery.get(cx, rest).await?.find_any(&kind, &self.scope.version) {
            return Ok(served.clone());
        }
        let found = shared.discovery.refresh(cx, rest).await?;
        found.find_any(&kind, &self.scope.version).cloned().ok_or_else(|| {
            KubeError::UnknownKind(format!("the cluster does not serve {kind}")).fault(Class::NotFound)
        })
    }

    async fn follow(
        &self,
        served: &Served,
        version: &mut String,
        backoff: &mut Backoff,
        blind: &mut bool,
    ) -> Result<Ended, Fault> {
        let rest = self.shared.upgrade().ok_or_else(Fault::cancelled)?.rest.clone();
        // Spread over half the time, so that the watches of a process do not all end at once.
        let seconds = LONGEST.as_secs() / 2 + backoff.dice.roll() % (LONGEST.as_secs() / 2);
        let uri = format!(
            "{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={seconds}&labelSelector={}&resourceVersion={}",
            served.collection(self.scope.namespace.as_deref()),
            escape(PART_OF),
            escape(version),
        );
        let opened = rest.watch(Call::get(uri, format!("the watch of {}", self.kind()))).await;
        let mut events = match opened {
            Ok(events) => pin!(events),
            Err(fault) if is_expired(&fault) => return Ok(Ended::Expired),
            Err(fault) => return Err(fault),
        };
        let opened = Instant::now();
        self.sees.store(true, Ordering::Release);
        if std::mem::take(blind) {
            let shared = self.shared.upgrade().ok_or_else(Fault::cancelled)?;
            shared.hub.scope(&shared, &self.scope, crate::queue::Queue::everything);
        }
        loop {
            let Ok(next) = tokio::time::timeout(SILENCE, events.next()).await else {
                return Err(unanswered(KubeError::Timeout { after: SILENCE }, Effect::Read, true));
            };
            match next {
                None if opened.elapsed() < AT_ONCE => {
                    return Err(Fault::retry("the watch was closed at once"));
                }
                None => return Ok(Ended::Resume),
                Some(Err(fault)) if is_expired(&fault) => return Ok(Ended::Expired),
                Some(Err(fault)) => return Err(fault),
                Some(Ok(event)) => {
                    if let Some(ended) = self.event(&event, version)? {
                        return Ok(ended);
                    }
                    backoff.succeeded();
                }
            }
        }
    }

    fn event(&self, event: &Event, version: &mut String) -> Result<Option<Ended>, Fault> {
        let shared = self.shared.upgrade().ok_or_else(Fault::cancelled)?;
        if event.kind == "ERROR" {
            let fault = event.error();
            return if is_expired(&fault) { Ok(Some(Ended::Expired)) } else { Err(fault) };
        }
        if event.kind == "BOOKMARK" {
            *version = stamp::version(&event.object).unwrap_or_else(|| std::mem::take(version));
            return Ok(None);
        }
        let Some(stamp) = Stamp::read(&event.object, &self.scope.group, &self.scope.kind) else {
            return Ok(None);
        };
        if !stamp.version.is_empty() {
            stamp.version.as_ref().clone_into(version);
        }
        match event.kind.as_str() {
            // Most events are the echo of our own writes.
            "ADDED" | "MODIFIED" if !shared.view.cache.has_seen(&stamp.id, &stamp.uid, &stamp.version) => {
                let object = read(event.object.get().as_bytes(), Effect::Read)?;
                let (news, apps) = shared.view.see(&stamp.id, &object);
                if news != News::Nothing {
                    shared.hub.object(&apps, &stamp.id);
                }
            }
            // Deleted, or its label was taken away: whoever is told reads the object and sees which.
            "DELETED" => {
                if let Some(seen) = shared.view.cache.ended(&stamp.id, stamp.token()) {
                    shared.hub.object(&seen.app.into_iter().collect::<Vec<_>>(), &stamp.id);
                }
            }
            _ => {}
        }
        Ok(None)
    }
}

fn endless() -> Fault {
    Fault::new(Class::Bug, "a list without an end")
}

fn is_expired(fault: &Fault) -> bool {
    has_code(fault, 410)
}

fn has_code(fault: &Fault, code: u16) -> bool {
    matches!(fault.source.downcast_ref::<KubeError>(), Some(KubeError::Api { code: answered, .. }) if *answered == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_bounded() {
        let mut backoff = Backoff { failures: 0, dice: Dice::seeded(1) };
        let waits: Vec<_> = (0..20).map(|_| backoff.next()).collect();
        assert!(waits[0] >= Duration::from_millis(100) && waits[0] < Duration::from_millis(200));
        assert!(waits[19] >= Duration::from_secs(15) && waits[19] <= Duration::from_secs(30));
        backoff.succeeded();
        assert!(backoff.next() < Duration::from_millis(200));
    }
}
