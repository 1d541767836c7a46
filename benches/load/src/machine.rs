//! What the machine tells and allows: cores, open files, CPU time and memory of a process. Linux only.

use std::{fs, io, path::Path, process::Command, sync::OnceLock, thread, time::Duration};

/// The core of every server that is measured.
pub const SERVER_CORE: usize = 0;

/// The core of everything else.
pub fn generator_core() -> usize {
    // Looked up once: a process that was put on one core sees no other any more.
    static CORE: OnceLock<usize> = OnceLock::new();
    *CORE.get_or_init(|| usize::from(thread::available_parallelism().is_ok_and(|cores| cores.get() > 1)))
}

/// Whether processes can be kept on a core.
pub fn has_taskset() -> bool {
    Command::new("taskset").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// `program` on one core.
pub fn on_core(core: usize, program: &Path) -> Command {
    if !has_taskset() {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.arg("-c").arg(core.to_string()).arg(program);
    command
}

/// From now on this process runs on this core.
pub fn stay_on_core(core: usize) {
    let (core, pid) = (core.to_string(), std::process::id().to_string());
    // Where it cannot be done the figures say so: both sides' CPU is printed.
    let _done = Command::new("taskset").args(["-a", "-c", "-p", &core, &pid]).output();
}

/// CPU time that a process has used so far, on its own behalf and in the kernel's calls.
///
/// Counted in nanoseconds for each thread; threads that ended are not in it, and the servers here end none.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let mut ns = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        ns += text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or_default();
    }
    Ok(Duration::from_nanos(ns))
}

/// Memory of a process that is its own: what it shares with others counts in part (PSS).
pub fn memory_bytes(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let kib =
        text.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.map(|kib: u64| kib * 1024).ok_or_else(|| io::Error::other("no Pss in smaps_rollup"))
}

/// Takes as many open files as the system lets this process have, and tells how many.
pub fn open_files() -> u64 {
    rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_what_it_used() {
        let own = std::process::id();
        assert!(memory_bytes(own).unwrap() > 100_000);
        let before = cpu_time(own).unwrap();
        let end = std::time::Instant::now() + Duration::from_millis(30);
        while std::time::Instant::now() < end {}
        assert!(cpu_time(own).unwrap() - before >= Duration::from_millis(5));
    }
}
