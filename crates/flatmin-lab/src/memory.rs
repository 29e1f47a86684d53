//! The peak of this process's resident memory, where the system keeps it (Linux).

use std::fs;

/// Starts the peak afresh, at what is resident now. Where that is not possible the peak goes on being
/// that of the whole run.
pub(crate) fn forget_peak() {
    // An older kernel, or another system, has no such file; the peak is then an upper bound.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The most bytes that were resident at once, since [`forget_peak`].
pub(crate) fn peak() -> Option<u64> {
    read_peak(&fs::read_to_string("/proc/self/status").ok()?)
}

/// Reads the line `VmHWM:    1234 kB`.
fn read_peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_peak_is_read() {
        assert_eq!(read_peak("VmPeak:\t 99 kB\nVmHWM:\t  2048 kB\n"), Some(2 << 20));
        for other in ["", "VmHWM:", "VmHWM: 12", "VmHWM: -1 kB"] {
            assert_eq!(read_peak(other), None);
        }
    }
}
