//! What a process is called by others.

/// A name for leases and claims that does not outlive this process of `program`. It has a number by chance: containers
/// often have one process number, and machines of one cluster one name.
#[must_use]
pub fn name(program: &str) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let (host, number) = (host.trim(), std::process::id());
    format!(
        "{program} process {number} on {host} ({:08x})",
        fastrand::u32(..)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_processes_with_one_number_on_machines_of_one_name_are_told_apart() {
        assert_ne!(name("x"), name("x"));
        let process = format!("x process {} on ", std::process::id());
        assert!(name("x").starts_with(&process), "{}", name("x"));
    }
}
