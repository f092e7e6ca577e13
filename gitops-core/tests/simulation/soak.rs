//! Weeks of simulated time without a pause: what the engine keeps must not grow.

use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::run::paused;
use crate::world::{Plan, World};

/// What this process holds of the machine's memory, in KiB.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4
}

/// Of the time, this share is for getting warm: allocators and tables take what they need.
const WARM: f64 = 0.3;
/// What may come on top of that, in KiB.
const SLACK: u64 = 8 * 1024;

/// Runs worlds for so long in real time; answers with a line that says what was seen.
#[cfg(target_os = "linux")]
pub(crate) fn soak(seed: u64, time: Duration) -> String {
    let plan = Plan { seed, length: Duration::ZERO, mutant: None, trace_limit: 2_000 };
    paused(async |gate| {
        let begun = Instant::now();
        let mut world = World::new(plan, gate);
        let (mut warm, mut most, mut rounds) = (None, 0, 0);
        while begun.elapsed() < time {
            world.be_restless(Duration::from_secs(6 * 3600)).await;
            world.settle_down().await;
            let violations = world.shared.violations();
            assert!(violations.is_empty(), "{}\n{}", world.shared.trace().join("\n"), violations.join("\n"));
            world.tidy();
            rounds += 1;
            let tasks = Handle::current().metrics().num_alive_tasks();
            assert!(tasks < 40, "{tasks} tasks at rest");
            let now = resident();
            if begun.elapsed() < time.mul_f64(WARM) {
                continue;
            }
            let warm = *warm.get_or_insert(now);
            most = most.max(now);
            assert!(
                now < warm + warm / 10 + SLACK,
                "{now} KiB after {rounds} rounds, and {warm} KiB when warm"
            );
        }
        let days = world.shared.now().as_secs() / 86_400;
        let warm = warm.expect("the time is too short to say anything");
        format!("{days} simulated days in {rounds} rounds: {warm} KiB when warm, {most} KiB at most")
    })
}
