//! What is deployed from where to where.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    Adoption, AppId, AppRecord, Capabilities, Comparison, Cx, Dirty, DriftPolicy, Events, Fault, GroupKind,
    IgnoreRules, Instance, Intent, InvalidAppId, InvalidPath, Live, Manifest, Observation, Observe, Placed,
    PlainManifests, Policy, Prune, RefSpec, Render, RepoPath, Revision, Session, Snapshot, Source, Target,
};

/// What is deployed from where to where: a source, a path in it, a renderer, a target and a policy.
///
/// Applications may share sources and targets: pass clones of one `Arc`, or of a source that says which
/// [instance](Source::instance) it is. Those that follow the same reference of one source poll it as one.
#[derive(Debug, Clone)]
pub struct Application {
    pub(crate) id: AppId,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) want: RefSpec,
    pub(crate) path: RepoPath,
    pub(crate) render: Arc<dyn Render>,
    pub(crate) target: Arc<dyn Target>,
    pub(crate) policy: Policy,
}

/// An application that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplicationError {
    /// The name is none.
    #[error(transparent)]
    Name(#[from] InvalidAppId),
    /// The path is none.
    #[error(transparent)]
    Path(#[from] InvalidPath),
    /// The percentage is none.
    #[error("a prune guard of {0} % does not guard: use 0 to 100, or Prune::Unguarded")]
    Percent(u8),
}

impl Application {
    /// Starts to describe an application. Source and target may be values, or `Arc`s that are shared.
    pub fn builder(name: impl Into<String>, source: impl Source, target: impl Target) -> ApplicationBuilder {
        ApplicationBuilder {
            name: name.into(),
            path: String::new(),
            app: Parts {
                source: Arc::new(source),
                want: RefSpec::Default,
                render: Arc::new(PlainManifests::new()),
                target: Arc::new(target),
                policy: Policy::default(),
            },
        }
    }

    /// Its name.
    pub fn id(&self) -> &AppId {
        &self.id
    }

    /// Where it is deployed to.
    pub fn target(&self) -> &Arc<dyn Target> {
        &self.target
    }

    /// Where it comes from.
    pub fn source(&self) -> &Arc<dyn Source> {
        &self.source
    }

    /// What it follows. Where that is left to the source, it is what the source says of itself: [`RefSpec::Default`] if
    /// that may be anything.
    pub fn reference(&self) -> RefSpec {
        match &self.want {
            RefSpec::Default => self.source.default_ref(),
            want => want.clone(),
        }
    }

    /// What it may do.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }
}

/// Describes an [`Application`].
#[derive(Debug, Clone)]
#[must_use]
pub struct ApplicationBuilder {
    name: String,
    path: String,
    app: Parts,
}

#[derive(Debug, Clone)]
struct Parts {
    source: Arc<dyn Source>,
    want: RefSpec,
    render: Arc<dyn Render>,
    target: Arc<dyn Target>,
    policy: Policy,
}

impl ApplicationBuilder {
    /// The directory, or the file, that holds the desired state. Without it, the root of the source.
    pub fn with_path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// What to follow. Without it, what the source was configured with.
    pub fn with_ref(mut self, want: RefSpec) -> Self {
        self.app.want = want;
        self
    }

    /// How files become manifests. Without it, [`PlainManifests`].
    pub fn with_render(mut self, render: impl Render) -> Self {
        self.app.render = Arc::new(render);
        self
    }

    /// Everything that the application may do.
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.app.policy = policy;
        self
    }

    /// Whether members that are no longer desired are deleted. Without it, they stay.
    pub fn with_prune(mut self, prune: Prune) -> Self {
        self.app.policy.prune = prune;
        self
    }

    /// Lets objects of a kind be pruned although deleting one destroys more than itself: namespaces, type definitions,
    /// volume claims. May be given several times. Where pruning is guarded, each such deletion waits for approval: what it
    /// takes along may be somebody else's.
    pub fn with_prune_kind(mut self, kind: GroupKind) -> Self {
        self.app.policy.prune_kinds.insert(kind);
        self
    }

    /// What to do with objects that exist and are not ours. Without it, they are reported.
    pub fn with_adoption(mut self, adoption: Adoption) -> Self {
        self.app.policy.adoption = adoption;
        self
    }

    /// What to do about drift. Without it, it is put back.
    pub fn with_drift(mut self, drift: DriftPolicy) -> Self {
        self.app.policy.drift = drift;
        self
    }

    /// Fields to leave to others although Git states them.
    ///
    /// A jq expression may take 100 milliseconds in one object, unless the rules have a
    /// [budget](IgnoreRules::with_budget) with another time. An object in which one is stopped is blocked, and says why:
    /// what the rule leaves to others is not written.
    pub fn with_ignore(mut self, rules: IgnoreRules) -> Self {
        self.app.policy.ignore = rules;
        self
    }

    /// Checks what was described.
    pub fn build(self) -> Result<Application, ApplicationError> {
        if let Prune::Guarded { max_percent } = self.app.policy.prune
            && max_percent > 100
        {
            return Err(ApplicationError::Percent(max_percent));
        }
        let Parts { source, want, render, target, policy } = self.app;
        let (id, path) = (AppId::new(&self.name)?, RepoPath::new(&self.path)?);
        Ok(Application { id, source, want, path, render, target, policy })
    }
}

#[async_trait]
impl<T: Source + ?Sized> Source for Arc<T> {
    fn identity(&self) -> String {
        (**self).identity()
    }

    fn default_ref(&self) -> RefSpec {
        (**self).default_ref()
    }

    fn instance(&self) -> Option<Instance> {
        (**self).instance()
    }

    async fn resolve(&self, cx: &Cx, want: &RefSpec) -> Result<Revision, Fault> {
        (**self).resolve(cx, want).await
    }

    async fn fetch(&self, cx: &Cx, revision: &Revision) -> Result<Arc<dyn Snapshot>, Fault> {
        (**self).fetch(cx, revision).await
    }

    async fn fetch_after(
        &self,
        cx: &Cx,
        revision: &Revision,
        in_force: Option<&Revision>,
    ) -> Result<Arc<dyn Snapshot>, Fault> {
        (**self).fetch_after(cx, revision, in_force).await
    }

    fn verifies(&self) -> bool {
        (**self).verifies()
    }

    fn hints(&self) -> Option<Events<()>> {
        (**self).hints()
    }
}

#[async_trait]
impl<T: Target + ?Sized> Target for Arc<T> {
    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }

    async fn place(&self, cx: &Cx, set: Vec<Manifest>) -> Result<Vec<Placed>, Fault> {
        (**self).place(cx, set).await
    }

    async fn observe(&self, cx: &Cx, app: &AppId, what: &Observe) -> Result<Observation, Fault> {
        (**self).observe(cx, app, what).await
    }

    fn compare(&self, desired: &Placed, live: &Live, rules: &IgnoreRules) -> Comparison {
        (**self).compare(desired, live, rules)
    }

    async fn begin(&self, cx: &Cx, app: &AppId, intent: &Intent) -> Result<Box<dyn Session>, Fault> {
        (**self).begin(cx, app, intent).await
    }

    async fn recall(&self, cx: &Cx, app: &AppId) -> Result<Option<AppRecord>, Fault> {
        (**self).recall(cx, app).await
    }

    fn watch(&self, app: &AppId) -> Events<Dirty> {
        (**self).watch(app)
    }
}
