//! Clocks and gauges: repeated timings, quantiles, processor time, resident memory.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// Figures of repeats, kept sorted.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Collects figures in any order.
    ///
    /// # Panics
    /// If one is not a number: a bench that divides by zero has measured nothing.
    pub fn new(values: impl IntoIterator<Item = f64>) -> Samples {
        let mut values: Vec<f64> = values.into_iter().collect();
        assert!(values.iter().all(|v| !v.is_nan()), "a sample is not a number");
        values.sort_by(f64::total_cmp);
        Samples(values)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The figure below which a share `q` (0 to 1) of the samples lies, interpolated linearly
    /// between neighbours (type 7 of Hyndman and Fan, 1996); `NaN` without samples.
    pub fn quantile(&self, q: f64) -> f64 {
        let Some(last) = self.0.len().checked_sub(1) else { return f64::NAN };
        let place = q.clamp(0.0, 1.0) * last as f64;
        let (low, high) = (place.floor() as usize, place.ceil() as usize);
        self.0[low] + (self.0[high] - self.0[low]) * (place - low as f64)
    }

    /// The middle figure.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The smallest figure; `NaN` without samples.
    pub fn min(&self) -> f64 {
        self.quantile(0.0)
    }

    /// The largest figure; `NaN` without samples.
    pub fn max(&self) -> f64 {
        self.quantile(1.0)
    }

    /// The mean; `NaN` without samples.
    pub fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }
}

/// How long a piece of work took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timed {
    /// By the wall clock.
    pub wall: Duration,
    /// Processor time of the calling thread: what a busy machine does not stretch.
    pub cpu: Duration,
}

/// Runs the work once and times it; the result comes back so that it can be checked, and so that
/// the work cannot be optimized away.
pub fn time<T>(work: impl FnOnce() -> T) -> (Timed, T) {
    let cpu_start = thread_cpu();
    let start = Instant::now();
    let result = std::hint::black_box(work());
    let wall = start.elapsed();
    (Timed { wall, cpu: thread_cpu().saturating_sub(cpu_start) }, result)
}

/// Runs the work once to warm up and then `repeats` times, each on a fresh input; gives the
/// processor seconds of each run. `check` sees every result and must panic when the work was not
/// done.
pub fn repeat<I, T>(
    repeats: usize,
    mut input: impl FnMut() -> I,
    mut work: impl FnMut(I) -> T,
    mut check: impl FnMut(T),
) -> Samples {
    check(work(input()));
    Samples::new((0..repeats.max(1)).map(|_| {
        let fresh = input();
        let (timed, result) = time(|| work(fresh));
        check(result);
        timed.cpu.as_secs_f64()
    }))
}

/// Processor time that this thread has used, to the nanosecond.
pub fn thread_cpu() -> Duration {
    since_start(ClockId::ThreadCPUTime)
}

/// Processor time that all threads of the process have used.
pub fn process_cpu() -> Duration {
    since_start(ClockId::ProcessCPUTime)
}

fn since_start(clock: ClockId) -> Duration {
    let spec = clock_gettime(clock);
    Duration::new(spec.tv_sec.unsigned_abs(), u32::try_from(spec.tv_nsec).unwrap_or(0))
}

/// Resident memory now, in bytes.
pub fn rss_bytes() -> Option<u64> {
    status_bytes("VmRSS:")
}

/// The most resident memory the process ever had, in bytes.
pub fn rss_peak_bytes() -> Option<u64> {
    status_bytes("VmHWM:")
}

fn status_bytes(key: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate() {
        let samples = Samples::new([4.0, 1.0, 3.0, 2.0]);
        assert_eq!(samples.median(), 2.5);
        assert_eq!((samples.min(), samples.max(), samples.mean()), (1.0, 4.0, 2.5));
        assert!((samples.quantile(0.95) - 3.85).abs() < 1e-12);
        assert!(Samples::default().median().is_nan());
    }

    #[test]
    fn every_repeat_is_checked_and_counted() {
        let (mut inputs, mut checks) = (0, 0);
        let samples = repeat(
            3,
            || {
                inputs += 1;
                inputs
            },
            |n| n * 2,
            |_| checks += 1,
        );
        assert_eq!((samples.len(), inputs, checks), (3, 4, 4), "three repeats and one to warm up");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_gauges_read_this_process() {
        let block = vec![1_u8; 32 << 20];
        let now = rss_bytes().expect("linux tells");
        assert!(now >= 32 << 20, "{now} with {} touched", block.len());
        assert!(rss_peak_bytes().expect("linux tells") >= now / 2);
        let before = thread_cpu();
        let (timed, sum) = time(|| (0..5_000_000_u64).fold(0_u64, |a, b| a.wrapping_mul(31).wrapping_add(b)));
        assert_ne!(sum, 0);
        assert!(thread_cpu() >= before + timed.cpu);
        assert!(timed.cpu > Duration::ZERO && process_cpu() >= timed.cpu);
    }
}
