//! Typed view of a Deployment's `spec.strategy`, with the API server's defaults filled in.

use serde_json::Value;

/// How a new template replaces the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// All old pods go before the first new one comes.
    Recreate,
    /// Pods are replaced a few at a time.
    RollingUpdate {
        /// Pods above `spec.replicas` allowed meanwhile.
        max_surge: IntOrPercent,
        /// Pods below `spec.replicas` allowed meanwhile.
        max_unavailable: IntOrPercent,
    },
}

/// A number, or a percentage of `spec.replicas`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntOrPercent {
    /// A number.
    Int(i32),
    /// A percentage.
    Percent(i32),
}

impl Default for Strategy {
    /// `RollingUpdate` with 25 % and 25 % (`pkg/apis/apps/v1/defaults.go`).
    fn default() -> Self {
        Strategy::RollingUpdate {
            max_surge: IntOrPercent::Percent(25),
            max_unavailable: IntOrPercent::Percent(25),
        }
    }
}

impl Strategy {
    /// Reads `spec.strategy`. What is absent, or unreadable, is the API server's default.
    pub fn read(strategy: &Value) -> Self {
        if strategy.get("type").and_then(Value::as_str) == Some("Recreate") {
            return Strategy::Recreate;
        }
        let bound = |key: &str| {
            let value = strategy.get("rollingUpdate")?.get(key)?;
            IntOrPercent::read(value)
        };
        let quarter = IntOrPercent::Percent(25);
        Strategy::RollingUpdate {
            max_surge: bound("maxSurge").unwrap_or(quarter),
            max_unavailable: bound("maxUnavailable").unwrap_or(quarter),
        }
    }
}

impl IntOrPercent {
    /// Reads `3` or `"25%"`.
    pub fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Number(n) => Some(IntOrPercent::Int(i32::try_from(n.as_i64()?).ok()?)),
            Value::String(s) => s.strip_suffix('%')?.parse().ok().map(IntOrPercent::Percent),
            _ => None,
        }
    }

    /// The number meant for `total`, fractions rounded up.
    pub fn of_rounded_up(self, total: i32) -> i32 {
        match self {
            IntOrPercent::Int(n) => n,
            IntOrPercent::Percent(p) => {
                let hundredths = i64::from(p) * i64::from(total);
                saturate(hundredths.div_euclid(100) + i64::from(hundredths.rem_euclid(100) != 0))
            }
        }
    }

    /// The number meant for `total`, fractions rounded down.
    pub fn of_rounded_down(self, total: i32) -> i32 {
        match self {
            IntOrPercent::Int(n) => n,
            IntOrPercent::Percent(p) => saturate((i64::from(p) * i64::from(total)).div_euclid(100)),
        }
    }
}

fn saturate(n: i64) -> i32 {
    n.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_strategy_is_read_with_its_defaults() {
        let quarter = IntOrPercent::Percent(25);
        let rolling = |max_surge, max_unavailable| Strategy::RollingUpdate {
            max_surge,
            max_unavailable,
        };
        for (value, strategy) in [
            (json!(null), rolling(quarter, quarter)),
            (json!({"type": "Recreate"}), Strategy::Recreate),
            (
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2}}),
                rolling(IntOrPercent::Int(2), quarter),
            ),
            (
                json!({"rollingUpdate": {"maxSurge": "50%", "maxUnavailable": 0}}),
                rolling(IntOrPercent::Percent(50), IntOrPercent::Int(0)),
            ),
        ] {
            assert_eq!(Strategy::read(&value), strategy, "{value}");
        }
    }
}
