//! Whether a series of measurements is flat.

/// How much a series may grow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    /// Of its middle, this share.
    pub(crate) share: f64,
    /// And no more than this.
    pub(crate) most: f64,
}

/// By how much a series grows from its first to its last measurement: the median of the slopes between any two (Theil
/// and Sen), times its length. A few measurements that stand out change nothing; a step does, once a part of the series
/// lies behind it that is not small.
pub(crate) fn growth(series: &[f64]) -> f64 {
    let points = || series.iter().zip(0_u32..);
    let slope = |(a, at): (&f64, u32), (b, then): (&f64, u32)| (b - a) / f64::from(then - at);
    let slopes = points()
        .enumerate()
        .flat_map(|(index, first)| points().skip(index + 1).map(move |second| slope(first, second)));
    median(slopes.collect()) * points().last().map_or(0.0, |(_, at)| f64::from(at))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// What is wrong with a series that should not grow, if anything.
pub(crate) fn leak(name: &str, series: &[f64], bound: Bound) -> Option<String> {
    let (grown, usual) = (growth(series), median(series.to_vec()));
    let limit = bound.most.min(usual * bound.share);
    (grown > limit)
        .then(|| format!("{name} grows by {grown:.0} around {usual:.0}; {limit:.0} would be allowed"))
}

/// What is wrong with a series whose peaks should stay within so much of each other, if anything.
pub(crate) fn climb(name: &str, series: &[f64], slack: f64) -> Option<String> {
    let peak = |part: &[f64]| part.iter().copied().fold(0.0, f64::max);
    let third = series.len() / 3;
    let (middle, last) = (peak(&series[third..2 * third]), peak(&series[2 * third..]));
    (last > middle + slack).then(|| format!("{name} climbs from {middle} to {last}"))
}

#[cfg(test)]
mod tests {
    use gitops_core::Dice;

    use super::*;

    const MEMORY: Bound = Bound { share: 0.1, most: 8192.0 };

    /// Seven minutes around 60 MiB, in KiB, with noise of 4 MiB, and with what `more` adds in each second.
    fn memory(more: impl Fn(u32) -> f64) -> Vec<f64> {
        let dice = Dice::seeded(7);
        let noise = || f64::from(u32::try_from(dice.roll() % 4096).unwrap());
        (0..450).map(|second| 60.0 * 1024.0 + noise() + more(second)).collect()
    }

    #[test]
    fn noise_is_flat() {
        let series = memory(|_| 0.0);
        assert!(growth(&series).abs() < 512.0, "{}", growth(&series));
        assert_eq!(leak("memory", &series, MEMORY), None);
        assert_eq!(climb("memory", &series, 64.0), None);
        assert!(growth(&[]).abs() < f64::EPSILON && growth(&[5.0]).abs() < f64::EPSILON);
    }

    #[test]
    fn a_leak_is_found_under_noise() {
        let series = memory(|second| 16.0 * f64::from(second));
        assert!((6500.0..7900.0).contains(&growth(&series)), "{}", growth(&series));
        let found = leak("memory", &series, MEMORY).unwrap();
        assert!(found.starts_with("memory grows by "), "{found}");
        // Half of a process that takes ten times as much is still too much.
        let large: Vec<f64> = memory(|second| 20.0 * f64::from(second)).iter().map(|kib| kib + 5e5).collect();
        assert!(leak("memory", &large, MEMORY).is_some());
    }

    #[test]
    fn a_step_is_a_leak_and_a_peak_is_none() {
        let step = memory(|second| if second > 200 { 10_000.0 } else { 0.0 });
        assert!(leak("memory", &step, MEMORY).is_some());
        let peak = memory(|second| if (100..110).contains(&second) { 90_000.0 } else { 0.0 });
        assert_eq!(leak("memory", &peak, MEMORY), None);
    }

    #[test]
    fn handles_that_are_not_given_back_are_found() {
        let handles =
            |kept: u32| (0..450).map(move |second| f64::from(20 + second % 5 + second / 100 * kept));
        assert_eq!(climb("open files", &handles(0).collect::<Vec<_>>(), 3.0), None);
        assert!(climb("open files", &handles(3).collect::<Vec<_>>(), 3.0).is_some());
    }
}
