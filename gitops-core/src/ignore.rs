//! Fields that an application leaves to others although Git states them.

use std::sync::Arc;
use std::time::Duration;

use gitops_diff::Subject;
pub use gitops_diff::{IgnoreRule, IgnoreRules};

use crate::{Clock, ResourceId};

/// How long a jq expression may take in one object, unless its rules say otherwise.
const JQ_TIME: Duration = Duration::from_millis(100);

impl ResourceId {
    /// The object as ignore rules see it.
    pub fn subject(&self) -> Subject<'_> {
        let namespace = self.namespace.as_deref().unwrap_or_default();
        Subject::new(&self.group, &self.kind).in_namespace(namespace).named(&self.name)
    }
}

/// The rules with a bound on the time of their jq expressions, where they have none.
pub(crate) fn timed(rules: IgnoreRules, clock: Arc<dyn Clock>) -> IgnoreRules {
    if rules.budget().time_limit().is_some() {
        return rules;
    }
    let since_epoch =
        move || Duration::from_micros(u64::try_from(clock.now().as_microsecond()).unwrap_or_default());
    let budget = rules.budget().clone().with_time(JQ_TIME, since_epoch);
    rules.with_budget(budget)
}

#[cfg(test)]
mod tests {
    use gitops_diff::Budget;

    use super::*;
    use crate::SystemClock;

    #[test]
    fn rules_keep_the_bound_that_they_have() {
        let bound = timed(IgnoreRules::default(), Arc::new(SystemClock));
        assert_eq!(bound.budget().time_limit(), Some(JQ_TIME));
        let budget = Budget::default().with_steps(7).with_time(Duration::from_secs(1), || Duration::ZERO);
        let own = timed(IgnoreRules::default().with_budget(budget), Arc::new(SystemClock));
        assert_eq!((own.budget().time_limit(), own.budget().steps), (Some(Duration::from_secs(1)), 7));
    }
}
