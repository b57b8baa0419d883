//! A container's working set, and when it meets its limit.
//!
//! A model: a leak grows in proportion to time. At the limit the kernel kills the container (`OOMKilled`, exit code
//! 137); the kubelet then restarts it as after any crash ([`super::backoff`]).

use crate::k8s::{PodTemplate, Quantity};
use crate::scenario::Memory;
use crate::time::Span;

/// Memory used over a container's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkingSet {
    /// At the start, in bytes.
    pub base_bytes: u64,
    /// Growth in bytes a second.
    pub leak_bytes_per_second: u64,
}

impl From<Memory> for WorkingSet {
    fn from(memory: Memory) -> Self {
        WorkingSet {
            base_bytes: memory.base_bytes,
            leak_bytes_per_second: memory.leak_bytes_per_second,
        }
    }
}

/// What the first container of a pod may use, in bytes; `None` where the template sets no limit.
pub fn limit_of(template: &PodTemplate) -> Option<u64> {
    let limit = template
        .json()
        .pointer("/spec/containers/0/resources/limits/memory")?;
    u64::try_from(Quantity::read(limit)?.value()).ok()
}

impl WorkingSet {
    /// Bytes used by a container that has run for `age`.
    pub fn at(&self, age: Span) -> u64 {
        let ms = u128::from(age.as_millis().max(0).unsigned_abs());
        let leaked = ms * u128::from(self.leak_bytes_per_second) / 1000;
        u64::try_from(leaked)
            .unwrap_or(u64::MAX)
            .saturating_add(self.base_bytes)
    }

    /// How long a container lives under a limit: the first millisecond at which it uses more. `None` where it never does.
    pub fn killed_after(&self, limit_bytes: u64) -> Option<Span> {
        if self.base_bytes > limit_bytes {
            return Some(Span::ZERO);
        }
        let room = u128::from(limit_bytes - self.base_bytes) + 1;
        let leak = u128::from(self.leak_bytes_per_second);
        let ms = (room * 1000).div_ceil((leak > 0).then_some(leak)?);
        i64::try_from(ms).ok().map(Span::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_first_containers() {
        let with = |limits: serde_json::Value| {
            PodTemplate::from(serde_json::json!({"spec": {"containers": [
                {"name": "app", "resources": {"limits": limits}},
                {"name": "proxy", "resources": {"limits": {"memory": "1Mi"}}},
            ]}}))
        };
        for (limits, bytes) in [
            (serde_json::json!({"memory": "128Mi"}), Some(128 << 20)),
            (serde_json::json!({"memory": 1000}), Some(1000)),
            (serde_json::json!({"cpu": "1"}), None),
        ] {
            assert_eq!(limit_of(&with(limits.clone())), bytes, "{limits}");
        }
    }

    #[test]
    fn a_leak_is_killed_in_the_first_millisecond_above_the_limit() {
        // Base, leak a second, limit; milliseconds lived.
        for (base, leak, limit, lived) in [
            (100, 0, 200, None),
            (300, 0, 200, Some(0)),
            (100, 10, 200, Some(10_100)),
            (100, 3, 100, Some(334)),
            (100, 1000, 200, Some(101)),
        ] {
            let set = WorkingSet {
                base_bytes: base,
                leak_bytes_per_second: leak,
            };
            let killed = set.killed_after(limit);
            assert_eq!(killed, lived.map(Span::from_millis), "{set:?}");
            if let Some(age) = killed.filter(|age| *age > Span::ZERO) {
                assert!(set.at(age) > limit);
                assert!(set.at(age - Span::from_millis(1)) <= limit);
            }
        }
    }
}
