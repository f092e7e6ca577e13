//! What a target does when the system behind it misbehaves.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::bench::{Bench, create, end, prune, refused, update};
use super::{TargetHarness, Trouble};
use crate::testing::{CALL, Checked, Failure, cx};
use crate::{Class, Cx, Observe, Reach, Step};

pub(super) async fn a_cancelled_context_writes_nothing(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    let placed = bench.desired("b", "v").await?;
    let session = bench.begin(&[&placed]).await?;
    let cancelled = cx();
    cancelled.cancel.cancel();
    for step in [create(&placed), prune(member.id(), member.token())] {
        let what = format!("{} with a context that is cancelled", step.action);
        refused(session.run(&cancelled, &step).await, Class::Cancelled, &what)?;
    }
    bench.stored(&placed.id, None, "after a create that was cancelled").await?;
    bench.stored(member.id(), Some("v"), "after a prune that was cancelled").await?;
    let begun = bench.other().target.begin(&cancelled, &h.app("two"), &Bench::intent(Reach::default())).await;
    refused(begun.map(drop), Class::Cancelled, "beginning with a context that is cancelled")?;
    let recorded = bench.other().target.recall(&cx(), &h.app("two")).await?;
    ensure!(recorded.is_none(), "beginning was cancelled, and recorded: {recorded:?}");
    session.finish(&cx(), &end()).await?;
    Ok(())
}

/// How a context ends while nothing answers.
#[derive(Clone, Copy, PartialEq)]
enum Ending {
    Deadline,
    Cancellation,
}

/// When it ends, and how much later the call may.
const AFTER: Duration = Duration::from_millis(200);
const GRACE: Duration = Duration::from_millis(1500);

/// Makes calls while nothing answers. A call that needs no answer may succeed.
async fn nothing_answers(h: &dyn TargetHarness, ending: Ending) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    let changed = bench.desired("a", "changed").await?;
    let placed = bench.desired("b", "v").await?;
    let session = bench.begin(&[&placed]).await?;
    let other = bench.other();
    let manifest = h.manifest("c", "v");
    h.trouble(Trouble::Silence).await?;
    let steps: [Step; 3] =
        [create(&placed), update(&changed, &member.live), prune(member.id(), member.token())];
    let everything = Observe::Everything { also: vec![placed.id.clone()] };
    let objects = Observe::Objects(vec![member.id().clone()]);
    let intent = Bench::intent(Reach::default());
    let call = Call::new(ending);
    call.read("place", bench.target.place(&call.cx, vec![manifest])).await?;
    for what in [&everything, &objects] {
        let call = Call::new(ending);
        // What nobody answered may also be named as unseen.
        call.read("observe", bench.target.observe(&call.cx, &bench.app, what)).await?;
    }
    let call = Call::new(ending);
    call.read("recall", bench.target.recall(&call.cx, &bench.app)).await?;
    let call = Call::new(ending);
    call.write("begin", other.target.begin(&call.cx, &other.app, &intent)).await?;
    for step in &steps {
        let call = Call::new(ending);
        call.write("run", session.run(&call.cx, step)).await?;
    }
    let call = Call::new(ending);
    call.write("finish", session.finish(&call.cx, &end())).await?;
    h.calm().await;
    // Afterwards everything goes on.
    let answered = bench.restarted().await;
    super::bench::until(h.patience(), || async { Ok(answered.members().await.ok()) }).await?;
    let members = answered.members().await?;
    ensure!(members == [member.id().clone()], "what nobody answered was done: {members:?}");
    Ok(())
}

/// One call, whose context ends while it waits.
struct Call {
    cx: Cx,
    ending: Ending,
    begun: Instant,
}

impl Call {
    fn new(ending: Ending) -> Self {
        let cx = Cx::with_timeout(if ending == Ending::Deadline { AFTER } else { CALL });
        let cancel = cx.cancel.clone();
        if ending == Ending::Cancellation {
            tokio::spawn(async move {
                tokio::time::sleep(AFTER).await;
                cancel.cancel();
            });
        }
        Self { cx, ending, begun: Instant::now() }
    }

    /// Whether the call succeeded.
    async fn ended<T>(
        &self,
        what: &str,
        call: impl Future<Output = Result<T, crate::Fault>>,
        may_be: &[Class],
    ) -> Result<bool, Failure> {
        match timeout(AFTER + GRACE, call).await {
            Err(_) => Err(Failure::violated(format!(
                "{what}: its context ended, and {GRACE:?} later it still waited ({:?} in all)",
                self.begun.elapsed()
            ))),
            Ok(Ok(_)) => Ok(true),
            Ok(Err(fault)) => {
                let class = if fault.class.retry_after().is_some() { Class::RETRY } else { fault.class };
                ensure!(
                    may_be.contains(&class),
                    "{what}: nothing answered, and it failed as \"{class}\": {fault}"
                );
                Ok(false)
            }
        }
    }

    /// A call that may need no answer, and succeed.
    async fn read<T>(&self, what: &str, call: impl Future<Output = Result<T, crate::Fault>>) -> Checked {
        let may_be = match self.ending {
            Ending::Deadline => Class::RETRY,
            Ending::Cancellation => Class::Cancelled,
        };
        self.ended(what, call, &[may_be]).await.map(drop)
    }

    async fn write<T>(&self, what: &str, call: impl Future<Output = Result<T, crate::Fault>>) -> Checked {
        let may_be = match self.ending {
            // Who knows that nothing was sent may say so.
            Ending::Deadline => [Class::OutcomeUnknown, Class::RETRY],
            Ending::Cancellation => [Class::OutcomeUnknown, Class::Cancelled],
        };
        let succeeded = self.ended(what, call, &may_be).await?;
        ensure!(!succeeded, "{what}: nothing answered, and it succeeded");
        Ok(())
    }
}

pub(super) async fn every_wait_ends_by_the_deadline(h: &dyn TargetHarness) -> Checked {
    nothing_answers(h, Ending::Deadline).await
}

pub(super) async fn every_wait_ends_by_cancellation(h: &dyn TargetHarness) -> Checked {
    nothing_answers(h, Ending::Cancellation).await
}

pub(super) async fn a_lost_answer_is_an_unknown_outcome(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    let doomed = bench.create("doomed", "v").await?;
    let changed = bench.desired("a", "changed").await?;
    let placed = bench.desired("b", "v").await?;
    let session = bench.begin(&[&placed]).await?;
    h.trouble(Trouble::AnswersLost).await?;
    for (step, value) in [
        (create(&placed), Some("v")),
        (update(&changed, &member.live), Some("changed")),
        (prune(doomed.id(), doomed.token()), None),
    ] {
        let what = format!("{} whose answer is lost", step.action);
        // A target that waits for answers for long is told that nobody else does.
        refused(session.run(&Cx::with_timeout(AFTER * 10), &step).await, Class::OutcomeUnknown, &what)?;
        bench.stored(&step.id, value, &format!("{what}, and which happened")).await?;
    }
    h.calm().await;
    session.finish(&cx(), &end()).await?;
    // What happened is found by looking again.
    let members = bench.restarted().await.members().await?;
    ensure!(
        members == [member.id().clone(), placed.id.clone()],
        "after the lost answers there are {members:?}"
    );
    Ok(())
}

pub(super) async fn a_refused_write_is_denied(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    let changed = bench.desired("a", "changed").await?;
    let placed = bench.desired("b", "v").await?;
    let session = bench.begin(&[&placed]).await?;
    h.trouble(Trouble::ReadOnly).await?;
    for step in [create(&placed), update(&changed, &member.live), prune(member.id(), member.token())] {
        let what = format!("{} without the permission", step.action);
        refused(session.run(&cx(), &step).await, Class::Denied, &what)?;
    }
    bench.stored(&placed.id, None, "after a create that was denied").await?;
    bench.stored(member.id(), Some("v"), "after an update that was denied").await?;
    ensure!(
        bench.members().await? == [member.id().clone()],
        "a write was denied, and the members are others"
    );
    h.calm().await;
    session.run(&cx(), &create(&placed)).await?;
    session.finish(&cx(), &end()).await?;
    Ok(())
}

pub(super) async fn requests_are_counted(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    h.requests()?;
    let placed = bench.desired("a", "v").await?;
    let (cx, intent) = (cx(), Bench::intent(super::bench::reach(&[&placed])));
    let mut before = (h.requests()?, cx.requests());
    let mut check = |what: &str| -> Checked {
        let now = (h.requests()?, cx.requests());
        let (sent, counted) = (now.0 - before.0, now.1 - before.1);
        before = now;
        ensure!(sent == counted, "{what} sent {sent} requests, and counted {counted}");
        Ok(())
    };
    bench.target.recall(&cx, &bench.app).await?;
    check("recall")?;
    let session = bench.target.begin(&cx, &bench.app, &intent).await?;
    check("begin")?;
    session.run(&cx, &create(&placed)).await?;
    check("run")?;
    session.finish(&cx, &end()).await?;
    check("finish")?;
    bench.target.observe(&cx, &bench.app, &Observe::Everything { also: Vec::new() }).await?;
    check("observe")?;
    let ids = Observe::Objects(vec![placed.id.clone(), h.manifest("b", "v").id]);
    bench.target.observe(&cx, &bench.app, &ids).await?;
    check("observe")?;
    bench.target.place(&cx, vec![h.manifest("c", "v")]).await?;
    check("place")?;
    ensure!(cx.requests() > 0, "the harness counts requests, and none was sent");
    Ok(())
}
