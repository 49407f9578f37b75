//! What the figures were measured on.

use std::fs;
use std::process::Command;

use serde::Serialize;

/// A machine and a moment, as far as they say.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) date: String,
    pub(crate) command: String,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    /// Bytes.
    pub(crate) memory: u64,
    pub(crate) kernel: String,
    /// The registry's version.
    pub(crate) registry: String,
    /// The load average of the last minute when the benchmark began: above 0.5 something else ran.
    pub(crate) load: f64,
}

impl Machine {
    /// This one, now.
    pub(crate) fn look() -> Self {
        let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (cpus, load) = (file("/proc/cpuinfo"), file("/proc/loadavg"));
        let cpu = cpus.lines().find(|line| line.starts_with("model name"));
        let cpu = cpu.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()));
        let version = Command::new("docker-registry").arg("--version").output();
        let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let version = version.unwrap_or_default();
        let unknown = || "unknown".to_owned();
        Self {
            date: jiff::Timestamp::now()
                .strftime("%Y-%m-%d %H:%M UTC")
                .to_string(),
            command: command(),
            cpu: cpu.unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory: of_meminfo("MemTotal:"),
            kernel: file("/proc/sys/kernel/osrelease").trim().to_owned(),
            registry: version
                .split_whitespace()
                .last()
                .map_or_else(unknown, str::to_owned),
            load: load
                .split(' ')
                .next()
                .and_then(|text| text.parse().ok())
                .unwrap_or(f64::NAN),
        }
    }

    /// In one sentence.
    pub(crate) fn to_text(&self) -> String {
        let gigabytes = self.memory as f64 / 1e9;
        format!(
            "{}, `{}`, on {} cores of {}, {gigabytes:.0} GB of memory, Linux {}, docker-registry {}; load average before {:.2}",
            self.date, self.command, self.cores, self.cpu, self.kernel, self.registry, self.load
        )
    }
}

/// CPU time of all cores since the machine started, in ticks: busy, and altogether.
pub(crate) fn cpu_ticks() -> (u64, u64) {
    ticks(&fs::read_to_string("/proc/stat").unwrap_or_default())
}

/// What part of all cores was busy between two looks, from 0 to 1.
pub(crate) fn busy(before: (u64, u64), after: (u64, u64)) -> f64 {
    (after.0 - before.0) as f64 / (after.1 - before.1).max(1) as f64
}

fn ticks(stat: &str) -> (u64, u64) {
    let line = stat.lines().next().unwrap_or_default();
    let fields: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        // user, nice, system, idle, waiting for disks, interrupts (two), stolen; what follows is counted twice
        .take(8)
        .filter_map(|field| field.parse().ok())
        .collect();
    let all: u64 = fields.iter().sum();
    let idle: u64 = fields.iter().skip(3).take(2).sum();
    (all - idle, all)
}

/// Memory that programs can have now, in bytes.
pub(crate) fn available_memory() -> u64 {
    of_meminfo("MemAvailable:")
}

fn of_meminfo(key: &str) -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    kilobytes(&text, key)
}

/// A figure of a file of `/proc` that counts in kB, in bytes; 0 where it is not.
pub(crate) fn kilobytes(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) << 10
}

/// The command a reader repeats it with.
fn command() -> String {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    [&["./tests/bench/run".to_owned()], arguments.as_slice()]
        .concat()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_proc_are_read_in_bytes() {
        let text = "VmPeak:\t  100 kB\nVmHWM:\t    7 kB\n";
        assert_eq!(kilobytes(text, "VmHWM:"), 7 << 10);
        assert_eq!(kilobytes(text, "RssAnon:"), 0);
    }

    #[test]
    fn waiting_is_not_being_busy() {
        let stat = "cpu  10 1 20 60 5 1 2 1 9 9\ncpu0 1 1 1 1\n";
        assert_eq!(ticks(stat), (35, 100));
        let (busy, all) = cpu_ticks();
        assert!(0 < busy && busy < all, "{busy} of {all}");
    }

    #[test]
    fn this_machine_says_what_it_is() {
        let machine = Machine::look();
        assert!(machine.cores > 0 && machine.memory > 0, "{machine:?}");
        assert!(machine.to_text().contains(&machine.kernel));
    }
}
