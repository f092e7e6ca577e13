//! Sources that keep all of the contract but one thing.

use std::sync::{Arc, LazyLock, Mutex};

use gitops_core::testing::source::{Able, SourceHarness, Trouble, clause, run};
use gitops_core::testing::{Failure, Verdict, block_on};
use gitops_core::{
    Class, Cx, Entry, EntryKind, Events, Fault, Instance, RefSpec, RepoPath, Revision, Snapshot, Source,
    TreeId, async_trait,
};

use crate::source::Memory;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    Nothing,
    HasOneIdentity,
    RenamesItself,
    IsAlwaysAnother,
    IsTheSameAsAll,
    RemembersTheFirstAnswer,
    FindsEveryReference,
    FetchesTheNewest,
    CallsRefusalsMissing,
    AnswersAnOlderRevisionWhenRefused,
    IgnoresCancellation,
    HidesProvenance,
    CutsFiles,
    IgnoresTheLimit,
    ReadsNothingAsEmpty,
    ListsBackwards,
    ListsNothingAsEmpty,
    CallsDirectoriesFiles,
    HasOneIdForAll,
    HasAnIdForEachRevision,
    FailsWhereNothingIs,
    HintsWithoutEnd,
}

struct Broken {
    inner: Arc<dyn Source>,
    flaw: Flaw,
    number: usize,
    first: Mutex<Option<Revision>>,
    last: Mutex<Option<Arc<dyn Snapshot>>>,
}

impl std::fmt::Debug for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broken").field("flaw", &self.flaw).finish_non_exhaustive()
    }
}

impl Broken {
    fn cx(&self, cx: &Cx) -> Cx {
        if self.flaw == Flaw::IgnoresCancellation { Cx::with_timeout(cx.remaining()) } else { cx.clone() }
    }
}

#[async_trait]
impl Source for Broken {
    fn identity(&self) -> String {
        match self.flaw {
            Flaw::HasOneIdentity => "source".to_owned(),
            Flaw::RenamesItself => format!("{} {}", self.inner.identity(), self.number),
            _ => self.inner.identity(),
        }
    }

    fn instance(&self) -> Option<Instance> {
        static ALL: LazyLock<Instance> = LazyLock::new(Instance::new);
        match self.flaw {
            Flaw::IsAlwaysAnother => Some(Instance::new()),
            Flaw::IsTheSameAsAll => Some(ALL.clone()),
            _ => self.inner.instance(),
        }
    }

    async fn resolve(&self, cx: &Cx, want: &RefSpec) -> Result<Revision, Fault> {
        let resolved = match (self.flaw, self.inner.resolve(&self.cx(cx), want).await) {
            (Flaw::FindsEveryReference, Err(fault)) if fault.class == Class::NotFound => {
                return self.inner.resolve(cx, &RefSpec::Default).await;
            }
            (Flaw::CallsRefusalsMissing, Err(fault)) if fault.class == Class::Denied => {
                return Err(Fault::new(Class::NotFound, "there is nothing"));
            }
            (Flaw::AnswersAnOlderRevisionWhenRefused, Err(fault)) if fault.class == Class::Denied => {
                return self.first.lock().unwrap().clone().ok_or(fault);
            }
            (_, resolved) => resolved?,
        };
        let first = self.first.lock().unwrap().get_or_insert(resolved.clone()).clone();
        Ok(if self.flaw == Flaw::RemembersTheFirstAnswer { first } else { resolved })
    }

    async fn fetch(&self, cx: &Cx, revision: &Revision) -> Result<Arc<dyn Snapshot>, Fault> {
        let newest = if self.flaw == Flaw::FetchesTheNewest {
            self.inner.resolve(cx, &RefSpec::Default).await?
        } else {
            revision.clone()
        };
        let fetched = match self.inner.fetch(&self.cx(cx), &newest).await {
            Err(fault) if self.flaw == Flaw::AnswersAnOlderRevisionWhenRefused => {
                return self.last.lock().unwrap().clone().ok_or(fault);
            }
            fetched => fetched?,
        };
        *self.last.lock().unwrap() = Some(fetched.clone());
        self.first.lock().unwrap().get_or_insert(revision.clone());
        let mut told = fetched.revision().clone();
        if self.flaw == Flaw::HidesProvenance {
            told.provenance = None;
        }
        if self.flaw == Flaw::FetchesTheNewest {
            told.id.clone_from(&revision.id);
        }
        Ok(Arc::new(BrokenTree { inner: fetched, revision: told, flaw: self.flaw }))
    }

    fn hints(&self) -> Option<Events<()>> {
        if self.flaw == Flaw::HintsWithoutEnd {
            return Some(Box::pin(futures_util::stream::repeat(())));
        }
        self.inner.hints()
    }
}

struct BrokenTree {
    inner: Arc<dyn Snapshot>,
    revision: Revision,
    flaw: Flaw,
}

impl Snapshot for BrokenTree {
    fn revision(&self) -> &Revision {
        &self.revision
    }

    fn id(&self, path: &RepoPath) -> Result<Option<TreeId>, Fault> {
        let id = self.inner.id(path)?;
        match self.flaw {
            Flaw::FailsWhereNothingIs if id.is_none() => Err(Fault::new(Class::NotFound, "nothing is there")),
            Flaw::HasOneIdForAll => Ok(id.map(|_| TreeId::new("tree"))),
            Flaw::HasAnIdForEachRevision => {
                Ok(id.map(|id| TreeId::new(format!("{}{}", id.as_str(), self.revision.id))))
            }
            _ => Ok(id),
        }
    }

    fn list(&self, dir: &RepoPath) -> Result<Vec<Entry>, Fault> {
        let mut entries = match self.inner.list(dir) {
            Err(_) if self.flaw == Flaw::ListsNothingAsEmpty => Vec::new(),
            listed => listed?,
        };
        match self.flaw {
            Flaw::ListsBackwards => entries.reverse(),
            Flaw::CallsDirectoriesFiles => entries.iter_mut().for_each(|entry| entry.kind = EntryKind::File),
            _ => {}
        }
        Ok(entries)
    }

    fn read(&self, file: &RepoPath, max_bytes: u64) -> Result<Arc<[u8]>, Fault> {
        match self.flaw {
            Flaw::CutsFiles => {
                self.inner.read(file, max_bytes).map(|bytes| bytes[..bytes.len().min(1000)].into())
            }
            Flaw::IgnoresTheLimit => self.inner.read(file, u64::MAX),
            Flaw::ReadsNothingAsEmpty => Ok(self.inner.read(file, max_bytes).unwrap_or_default()),
            _ => self.inner.read(file, max_bytes),
        }
    }
}

struct Harness {
    memory: Memory,
    flaw: Flaw,
    opened: Mutex<usize>,
}

impl Harness {
    fn new(flaw: Flaw) -> Self {
        Self { memory: Memory::new(), flaw, opened: Mutex::default() }
    }

    fn broken(&self, inner: Arc<dyn Source>) -> Arc<dyn Source> {
        let mut number = self.opened.lock().unwrap();
        *number += 1;
        Arc::new(Broken {
            inner,
            flaw: self.flaw,
            number: *number,
            first: Mutex::default(),
            last: Mutex::default(),
        })
    }
}

#[async_trait]
impl SourceHarness for Harness {
    async fn open(&self) -> Arc<dyn Source> {
        self.broken(self.memory.open().await)
    }
    async fn elsewhere(&self) -> Arc<dyn Source> {
        self.broken(self.memory.elsewhere().await)
    }
    async fn commit(&self, message: &str, files: &[(&str, Option<&str>)]) -> String {
        self.memory.commit(message, files).await
    }
    fn missing(&self) -> RefSpec {
        self.memory.missing()
    }
    fn no_revision(&self) -> String {
        self.memory.no_revision()
    }
    async fn trouble(&self, trouble: Trouble) -> Able {
        self.memory.trouble(trouble).await
    }
    async fn calm(&self) {
        self.memory.calm().await;
    }
    fn author(&self) -> Able<String> {
        self.memory.author()
    }
    async fn reset(&self, revision: &str) -> Able {
        self.memory.reset(revision).await
    }
}

#[rustfmt::skip]
const CAUGHT: [(Flaw, &str); 22] = [
    (Flaw::HasOneIdentity, "two_places_have_two_identities"),
    (Flaw::RenamesItself, "the_identity_is_stable"),
    (Flaw::IsAlwaysAnother, "only_one_source_is_the_same_instance"),
    (Flaw::IsTheSameAsAll, "only_one_source_is_the_same_instance"),
    (Flaw::RemembersTheFirstAnswer, "resolving_finds_the_newest_revision"),
    (Flaw::FindsEveryReference, "a_reference_that_does_not_exist_is_not_found"),
    (Flaw::FetchesTheNewest, "what_is_fetched_is_what_was_asked_for"),
    (Flaw::FetchesTheNewest, "a_revision_never_changes"),
    (Flaw::CallsRefusalsMissing, "a_refused_credential_is_denied"),
    (Flaw::AnswersAnOlderRevisionWhenRefused, "a_refused_credential_is_denied"),
    (Flaw::IgnoresCancellation, "a_cancelled_context_is_cancelled"),
    (Flaw::HidesProvenance, "a_revision_tells_where_it_comes_from"),
    (Flaw::CutsFiles, "files_are_read_to_the_byte"),
    (Flaw::IgnoresTheLimit, "a_file_that_is_too_large_is_invalid"),
    (Flaw::ReadsNothingAsEmpty, "what_is_no_file_cannot_be_read"),
    (Flaw::ListsBackwards, "a_directory_is_listed_in_order"),
    (Flaw::CallsDirectoriesFiles, "a_directory_is_listed_in_order"),
    (Flaw::ListsNothingAsEmpty, "what_is_no_directory_cannot_be_listed"),
    (Flaw::HasOneIdForAll, "another_content_has_another_id"),
    (Flaw::HasAnIdForEachRevision, "the_same_id_means_the_same_content"),
    (Flaw::FailsWhereNothingIs, "where_nothing_is_there_is_no_id"),
    (Flaw::HintsWithoutEnd, "hints_do_not_make_a_hot_loop"),
];

#[test]
fn each_broken_source_fails_the_clause_that_it_breaks() {
    let mut missed = Vec::new();
    for (flaw, name) in CAUGHT {
        let checked = block_on(clause(name).unwrap().check(&Harness::new(flaw) as &dyn SourceHarness));
        match checked {
            Err(Failure::Violated(seen)) => println!("{flaw:?} fails {name}: {seen}"),
            other => missed.push(format!("{flaw:?} passes {name}: {other:?}")),
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn the_same_source_without_a_flaw_passes_all() {
    let report = block_on(run(|| async { Harness::new(Flaw::Nothing) }));
    println!("{report}");
    assert!(report.is_good(), "{report}");
    let holds = report.clauses.iter().filter(|(_, verdict, _)| *verdict == Verdict::Holds).count();
    assert_eq!(holds, gitops_core::testing::source::clauses().len() - 9, "nine are not applicable in memory");
}
