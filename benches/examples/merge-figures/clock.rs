//! The processor time of this process. On one core that is the time that passes, less that of whatever else runs there.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

pub(crate) fn now() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), nanos)
}

pub(crate) fn since(began: Duration) -> Duration {
    now().saturating_sub(began)
}
