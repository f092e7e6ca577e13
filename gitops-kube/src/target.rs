//! A cluster as a target.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gitops_core::{
    AppId, AppRecord, Capabilities, Clock, Comparison, Cx, Dirty, Events, Fault, HealthRule, IgnoreRules,
    Intent, Live, Manifest, Observation, Observe, Owner, Placed, Reach, Session, SystemClock, Target,
};
use gitops_diff::{Difference, Redaction};
use tokio::sync::Semaphore;

use crate::cache::{Applied, Cache, fingerprint};
use crate::compare::compare;
use crate::discovery::Discovery;
use crate::hub::{Hub, Listening};
use crate::lock::Locks;
use crate::observe::Observer;
use crate::place::{Rules, needs_refresh, place};
use crate::record::Records;
use crate::rest::Rest;
use crate::schemas::Schemas;
use crate::session::KubeSession;
use crate::shared::{Shared, holder};
use crate::view::View;

/// How many watches list at once: each has a page in memory.
const RELISTS: usize = 4;

/// A Kubernetes cluster as a target: one value for each cluster, shared by all applications that deploy to it. Cheap
/// to clone.
///
/// The namespace for the records of applications must exist, `gitops-system` unless the builder says otherwise; see the
/// documentation of the crate for the permissions that are needed.
///
/// # Cancellation
/// Every method may be dropped at any await. A write that was sent may have landed then, as after
/// [`gitops_core::Class::OutcomeUnknown`].
#[derive(Debug, Clone)]
pub struct KubeTarget {
    shared: Arc<Shared>,
}

/// Makes a [`KubeTarget`].
#[derive(Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct KubeTargetBuilder {
    client: Client,
    state_namespace: String,
    default_namespace: Option<String>,
    timeout: Duration,
    page: u32,
    lock_ttl: Duration,
    foreground: bool,
    health: Vec<Arc<dyn HealthRule>>,
    clock: Arc<dyn Clock>,
    redaction: Redaction,
}

/// A client has no `Debug`: it holds credentials.
struct Client(kube::Client);

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client(..)")
    }
}

impl KubeTargetBuilder {
    /// The namespace for the records of applications; `gitops-system` by default. It must exist.
    pub fn with_state_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.state_namespace = namespace.into();
        self
    }

    /// The namespace of objects that name none. By default such an object is an error, because where it goes would
    /// depend on who deploys it.
    pub fn with_default_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.default_namespace = Some(namespace.into());
        self
    }

    /// The longest time that one request may take, with its answer; 30 seconds by default. The deadline of the context
    /// holds besides.
    pub fn with_request_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many objects one page of a list holds; 500 by default, at least 1.
    pub fn with_page_size(mut self, objects: u32) -> Self {
        self.page = objects.max(1);
        self
    }

    /// How long a crashed process keeps others from writing for its applications; 15 seconds by default, at least one.
    /// A live session renews its lock at a third of that time. The clocks of the processes must agree to within it.
    pub fn with_lock_ttl(mut self, ttl: Duration) -> Self {
        self.lock_ttl = ttl.max(Duration::from_secs(1));
        self
    }

    /// Lets deletions wait until everything that the object owns is gone. By default the garbage collector follows.
    pub fn with_foreground_deletion(mut self) -> Self {
        self.foreground = true;
        self
    }

    /// Asks a rule for the health of objects before the built-in ones and those that were added earlier.
    pub fn with_health_rule(mut self, rule: Arc<dyn HealthRule>) -> Self {
        self.health.insert(0, rule);
        self
    }

    /// The clock for health and for locks.
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What differences do not show; the values of Secrets by default.
    pub fn with_redaction(mut self, redaction: Redaction) -> Self {
        self.redaction = redaction;
        self
    }

    /// The target. Sends nothing yet.
    pub fn build(self) -> KubeTarget {
        let rest = Rest::new(self.client.0, self.timeout);
        let view = View {
            cache: Arc::<Cache>::default(),
            health: self.health,
            clock: self.clock.clone(),
            state_namespace: self.state_namespace.clone(),
        };
        let shared = Shared {
            records: Records::new(rest.clone(), self.state_namespace),
            rest,
            discovery: Discovery::default(),
            schemas: Schemas::default(),
            view,
            hub: Hub::default(),
            locks: Arc::new(Locks::new(holder(), self.lock_ttl, self.clock)),
            redaction: self.redaction,
            page: self.page,
            relists: Arc::new(Semaphore::new(RELISTS)),
            default_namespace: self.default_namespace,
            foreground: self.foreground,
        };
        KubeTarget { shared: Arc::new(shared) }
    }
}

impl KubeTarget {
    /// The cluster that a client talks to, with everything else as it is by default.
    ///
    /// A client that [`connect`](crate::connect) made fails early; kube's own retries for minutes unless it is told not
    /// to, and only the deadline round each request bounds that.
    pub fn new(client: kube::Client) -> Self {
        Self::builder(client).build()
    }

    /// A builder for the cluster that a client talks to.
    pub fn builder(client: kube::Client) -> KubeTargetBuilder {
        KubeTargetBuilder {
            client: Client(client),
            state_namespace: "gitops-system".to_owned(),
            default_namespace: None,
            timeout: Duration::from_secs(30),
            page: 500,
            lock_ttl: Duration::from_secs(15),
            foreground: false,
            health: crate::health::rules(),
            clock: Arc::new(SystemClock),
            redaction: Redaction::default(),
        }
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn observer<'a>(&'a self, app: &'a AppId) -> Observer<'a> {
        let shared = &*self.shared;
        Observer {
            rest: &shared.rest,
            discovery: &shared.discovery,
            view: &shared.view,
            hub: &shared.hub,
            page: shared.page,
            app,
            unserved: tokio::sync::Mutex::default(),
        }
    }

    /// Reads the record of an application, and takes note of it.
    async fn read(&self, cx: &Cx, app: &AppId) -> Result<Option<AppRecord>, Fault> {
        let stored = self.shared.records.read(cx, app).await?;
        if let Some(stored) = &stored {
            self.shared.know(stored);
        }
        Ok(stored.map(|stored| stored.record))
    }

    async fn reach(&self, cx: &Cx, app: &AppId) -> Result<Arc<Reach>, Fault> {
        match self.shared.view.cache.known(app) {
            Some(known) => Ok(known.reach),
            None => Ok(Arc::new(self.read(cx, app).await?.map(|record| record.reach).unwrap_or_default())),
        }
    }
}

/// The overruled fields of an object that is as its last apply left it.
fn as_applied(comparison: &Comparison) -> Option<Vec<Difference>> {
    match comparison {
        Comparison::InSync => Some(Vec::new()),
        Comparison::Overruled(fields) => Some(fields.clone()),
        _ => None,
    }
}

#[async_trait]
impl Target for KubeTarget {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new().with_watches()
    }

    async fn place(&self, cx: &Cx, set: Vec<Manifest>) -> Result<Vec<Placed>, Fault> {
        let shared = &*self.shared;
        let mut discovered = shared.discovery.get(cx, &shared.rest).await?;
        if needs_refresh(&set, &discovered) {
            discovered = shared.discovery.refresh(cx, &shared.rest).await?;
        }
        shared.schemas.learn(cx, &shared.rest, &set).await;
        let rules = Rules {
            default_namespace: shared.default_namespace.as_deref(),
            state_namespace: &shared.records.namespace,
        };
        Ok(place(set, &discovered, rules))
    }

    async fn observe(&self, cx: &Cx, app: &AppId, what: &Observe) -> Result<Observation, Fault> {
        match what {
            Observe::Everything { also } => {
                // Somebody may have deleted the record; then what we remember of it is better than nothing.
                let stored = self.shared.records.read(cx, app).await?;
                let is_news = stored.as_ref().is_some_and(|stored| self.shared.note(stored));
                // What was just read of it is noted there too.
                let reach = self.shared.view.cache.known(app).map(|known| known.reach).unwrap_or_default();
                let observed = self.observer(app).everything(cx, &reach, also).await;
                if is_news {
                    // Watches begin where these lists end.
                    self.shared.hub.reach_changed(&self.shared);
                }
                Ok(Observation { record: stored.map(|stored| stored.record), ..observed? })
            }
            Observe::Objects(ids) => {
                let reach = self.reach(cx, app).await?;
                self.observer(app).objects(cx, ids, &reach, |id| self.shared.hub.watches(id)).await
            }
            Observe::Anew(ids) => {
                let reach = self.reach(cx, app).await?;
                self.observer(app).objects(cx, ids, &reach, |_| false).await
            }
            _ => Err(Fault::new(
                gitops_core::Class::Unsupported,
                "this target does not know this way of observing",
            )),
        }
    }

    fn compare(&self, desired: &Placed, live: &Live, rules: &IgnoreRules) -> Comparison {
        let (shared, object) = (&self.shared, live.object.as_deref());
        let comparison = compare(desired, live, rules, &shared.context(object));
        // After a restart it is remembered that the object is as it was applied, so that events that change nothing cost
        // no request. That changes no answer.
        let is_whole = rules.of(&desired.id.subject()).next().is_none();
        if live.owner == Owner::This
            && live.memo.is_none()
            && is_whole
            && let (Some(object), Some(app)) = (object, shared.context(object).app)
            && let Some(overruled) = as_applied(&comparison)
        {
            let applied = Applied {
                incarnation: live.token.incarnation.clone(),
                desired: desired.digest,
                fingerprint: fingerprint(object, &app),
                overruled,
            };
            shared.view.cache.applied(&desired.id, applied);
        }
        comparison
    }

    async fn begin(&self, cx: &Cx, app: &AppId, intent: &Intent) -> Result<Box<dyn Session>, Fault> {
        let shared = &self.shared;
        let mut intent = intent.clone();
        if let Some(known) = shared.view.cache.known(app) {
            // Already recorded, unless somebody deleted the record.
            intent.reach.0.extend(known.reach.0.iter().cloned());
        }
        let held = shared.locks.take(cx, &shared.records, app, &intent).await?;
        shared.know(&*held.stored.lock().await);
        Ok(Box::new(KubeSession::new(shared.clone(), app.clone(), held)))
    }

    async fn recall(&self, cx: &Cx, app: &AppId) -> Result<Option<AppRecord>, Fault> {
        self.read(cx, app).await
    }

    fn watch(&self, app: &AppId) -> Events<Dirty> {
        Box::pin(Listening::new(self.shared.clone(), app))
    }
}
