//! The answers of a provider, kept as long as they are good.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use gitops_core::{Class, Cx, Fault, FaultNote, Timestamp};
use tokio::time::Instant;

use super::provider::{CredentialProvider, CredentialRequest, Login};
use crate::stop::lock;

/// What was last answered for a server.
#[derive(Default)]
struct Kept {
    login: Option<Login>,
    /// Until when nobody is to come back, and why.
    pause: Option<(Instant, FaultNote)>,
}

impl Kept {
    /// Remembers a fault that says when to come back.
    fn pause(&mut self, fault: &Fault, now: Instant) {
        if let Some(wait) = fault.class.retry_after() {
            self.pause = Some((now + wait, fault.note()));
        }
    }

    /// The fault that still holds, with the time that is left of it.
    fn fault(&self, now: Instant) -> Option<Fault> {
        let (until, note) = self.pause.as_ref().filter(|(until, _)| now < *until)?;
        let class = Class::Retry { after: Some(*until - now) };
        Some(Fault { class, ..note.to_fault() })
    }
}

/// Locked while the provider is asked.
type Slot = Arc<tokio::sync::Mutex<Kept>>;

/// A provider and its answers, shared by all who have clones of one credential.
pub(crate) struct Provided {
    pub(super) provider: Box<dyn CredentialProvider>,
    /// For each server that the program has given the credential for; so there are few.
    slots: Mutex<HashMap<String, Slot>>,
}

impl Provided {
    pub(super) fn new(provider: impl CredentialProvider) -> Self {
        Self { provider: Box::new(provider), slots: Mutex::default() }
    }

    /// An answer that is good now, and is not the one that the server has refused. Whoever waits for another's question
    /// gets its answer.
    pub(crate) async fn login(
        &self,
        cx: &Cx,
        request: &CredentialRequest,
        refused: Option<&Login>,
    ) -> Result<Login, Fault> {
        let slot = lock(&self.slots).entry(request.origin.clone()).or_default().clone();
        let mut kept = slot.lock().await;
        if let Some(login) = &kept.login
            && login.is_good_at(Timestamp::now())
            && !refused.is_some_and(|refused| refused.is_same_as(login))
        {
            return Ok(login.clone());
        }
        if let Some(fault) = kept.fault(Instant::now()) {
            return Err(fault);
        }
        let request = match refused {
            Some(_) => request.clone().after_refusal(),
            None => request.clone(),
        };
        match self.provider.login(cx, &request).await {
            Ok(login) => {
                *kept = Kept { login: login.valid_until.is_some().then(|| login.clone()), pause: None };
                Ok(login)
            }
            Err(fault) => {
                kept.pause(&fault, Instant::now());
                Err(fault)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;

    /// Counts its answers, and takes its time.
    #[derive(Debug, Default, Clone)]
    struct Counter {
        asked: Arc<AtomicU32>,
        refused: Arc<AtomicU32>,
        lasting: Option<Duration>,
    }

    #[async_trait::async_trait]
    impl CredentialProvider for Counter {
        fn identity(&self) -> String {
            "counter".into()
        }

        async fn login(&self, _cx: &Cx, request: &CredentialRequest) -> Result<Login, Fault> {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let asked = self.asked.fetch_add(1, Ordering::SeqCst);
            self.refused.fetch_add(request.refused.into(), Ordering::SeqCst);
            let login = Login::new("git", asked.to_string());
            Ok(match self.lasting {
                Some(lasting) => login.with_valid_until(Timestamp::now() + lasting),
                None => login,
            })
        }
    }

    fn cx() -> Cx {
        Cx::with_timeout(Duration::from_secs(60))
    }

    #[tokio::test]
    async fn one_question_serves_all_who_wait_and_each_server_has_its_own() {
        let counter = Counter { lasting: Some(Duration::from_secs(3600)), ..Counter::default() };
        let provided = Provided::new(counter.clone());
        let request = CredentialRequest::new("https://git.example");
        let ask = |refused| {
            let (provided, request) = (&provided, &request);
            async move { provided.login(&cx(), request, refused).await.unwrap() }
        };
        let first: [Login; 3] = tokio::join!(ask(None), ask(None), ask(None)).into();
        assert!(first.iter().all(|login| login.is_same_as(&first[0])));
        assert!(ask(None).await.is_same_as(&first[0]));
        assert_eq!(counter.asked.load(Ordering::SeqCst), 1);
        // All three hear that it was refused; the first question after that is enough for all.
        let [a, b, c] = &first;
        let second: [Login; 3] = tokio::join!(ask(Some(a)), ask(Some(b)), ask(Some(c))).into();
        assert!(second.iter().all(|login| login.is_same_as(&second[0]) && !login.is_same_as(a)));
        assert_eq!(counter.asked.load(Ordering::SeqCst), 2);
        assert_eq!(counter.refused.load(Ordering::SeqCst), 1);
        provided.login(&cx(), &CredentialRequest::new("https://other.example"), None).await.unwrap();
        assert_eq!(counter.asked.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn what_is_not_said_to_last_is_asked_for_again() {
        for lasting in [None, Some(Duration::ZERO)] {
            let counter = Counter { lasting, ..Counter::default() };
            let provided = Provided::new(counter.clone());
            for _ in 0..2 {
                provided.login(&cx(), &CredentialRequest::new("https://git.example"), None).await.unwrap();
            }
            assert_eq!(counter.asked.load(Ordering::SeqCst), 2);
        }
    }

    #[test]
    fn a_fault_holds_until_the_time_that_it_said() {
        let (now, mut kept) = (Instant::now(), Kept::default());
        let seconds = Duration::from_secs;
        let fault = |after| Fault::new(Class::Retry { after }, "too many requests").at("the vault");
        kept.pause(&fault(None), now);
        kept.pause(&Fault::new(Class::Denied, "no"), now);
        assert!(kept.fault(now).is_none(), "who says no time is asked by each");
        kept.pause(&fault(Some(seconds(60))), now);
        let left = kept.fault(now + seconds(40)).unwrap();
        assert_eq!(left.class, Class::Retry { after: Some(seconds(20)) });
        assert_eq!(left.to_string(), "the vault: too many requests");
        assert!(kept.fault(now + seconds(60)).is_none());
        kept.pause(&fault(Some(Duration::MAX)), now);
        assert!(kept.fault(now + seconds(3599)).is_some() && kept.fault(now + seconds(3600)).is_none());
    }

    /// Limits its rate.
    #[derive(Debug, Clone, Default)]
    struct Limited(Arc<AtomicU32>);

    #[async_trait::async_trait]
    impl CredentialProvider for Limited {
        fn identity(&self) -> String {
            "limited".into()
        }

        async fn login(&self, _cx: &Cx, _request: &CredentialRequest) -> Result<Login, Fault> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Err(Fault::new(Class::Retry { after: Some(Duration::from_secs(60)) }, "too many requests"))
        }
    }

    #[tokio::test]
    async fn nobody_comes_back_before_that_time() {
        let limited = Limited::default();
        let provided = Provided::new(limited.clone());
        for _ in 0..3 {
            provided.login(&cx(), &CredentialRequest::new("https://git.example"), None).await.unwrap_err();
        }
        assert_eq!(limited.0.load(Ordering::SeqCst), 1);
    }
}
