//! The answers of a provider, kept as long as they are good.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use gitops_core::{Cx, Fault, Timestamp};

use super::provider::{CredentialProvider, CredentialRequest, Login};
use crate::stop::lock;

/// What a server was last given; locked while the provider is asked.
type Slot = Arc<tokio::sync::Mutex<Option<Login>>>;

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
        if let Some(login) = &*kept
            && login.is_good_at(Timestamp::now())
            && !refused.is_some_and(|refused| refused.is_same_as(login))
        {
            return Ok(login.clone());
        }
        let request = match refused {
            Some(_) => request.clone().after_refusal(),
            None => request.clone(),
        };
        let login = self.provider.login(cx, &request).await?;
        *kept = login.valid_until.is_some().then(|| login.clone());
        Ok(login)
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
}
