//! Label sets: what identifies a series (`model/labels/labels.go`).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The label that holds the metric's name.
pub const METRIC_NAME: &str = "__name__";

/// A set of labels, sorted by name; none has an empty value, since Prometheus takes an empty label for an absent one.
///
/// Cloning is cheap: the set is shared. So is looking one up: its hash is worked out once. Sets order label by label, names
/// before values, as upstream's `labels.Compare` does.
#[derive(Clone)]
pub struct Labels {
    pairs: Arc<[Label]>,
    hash: u64,
}

type Label = (Arc<str>, Arc<str>);

impl Labels {
    /// The set of these pairs. Of two pairs with one name the later counts; pairs with an empty value are dropped.
    pub fn new<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut builder = LabelsBuilder::default();
        for (name, value) in pairs {
            builder.set(name.as_ref(), value.as_ref());
        }
        builder.build()
    }

    /// `{}`.
    pub fn empty() -> Self {
        Labels::of(Arc::from([]))
    }

    /// The set of these pairs, which are sorted and have no empty value.
    fn of(pairs: Arc<[Label]>) -> Self {
        let hash = hash(&pairs);
        Labels { pairs, hash }
    }

    /// A number that equal sets share, the same on every machine.
    pub(super) fn fingerprint(&self) -> u64 {
        self.hash
    }

    /// The value of a label; empty where the set has none of this name.
    pub fn get(&self, name: &str) -> &str {
        // Sets are small: a scan beats a search.
        self.pairs
            .iter()
            .find(|(n, _)| &**n == name)
            .map_or("", |(_, v)| v)
    }

    /// The metric's name; empty where it was dropped.
    pub fn metric_name(&self) -> &str {
        self.get(METRIC_NAME)
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (&**name, &**value))
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there is no label at all.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The labels whose name satisfies `keep`.
    pub fn filter(&self, mut keep: impl FnMut(&str) -> bool) -> Labels {
        if self.pairs.iter().all(|(name, _)| keep(name)) {
            return self.clone();
        }
        let kept = self.pairs.iter().filter(|(name, _)| keep(name));
        Labels::of(kept.cloned().collect())
    }

    /// The set without the metric's name.
    pub fn without_name(&self) -> Labels {
        self.filter(|name| name != METRIC_NAME)
    }

    /// A builder that starts from this set.
    pub fn to_builder(&self) -> LabelsBuilder {
        LabelsBuilder {
            labels: self.pairs.to_vec(),
        }
    }
}

impl PartialEq for Labels {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.pairs, &other.pairs)
            || self.hash == other.hash && self.pairs == other.pairs
    }
}

impl Eq for Labels {}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.pairs.cmp(&other.pairs)
    }
}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

fn hash(pairs: &[Label]) -> u64 {
    let texts = pairs.iter().flat_map(|(name, value)| [name, value]);
    fnv1a(texts.flat_map(|text| text.bytes().chain([0xff])))
}

/// FNV-1a of 64 bits.
pub(super) fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl Default for Labels {
    fn default() -> Self {
        Labels::empty()
    }
}

/// As Prometheus prints a series: `requests{status="200"}`, `{}` for the empty set.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.metric_name();
        f.write_str(name)?;
        if !name.is_empty() && self.len() == 1 {
            return Ok(());
        }
        f.write_str("{")?;
        let others = self.iter().filter(|(name, _)| *name != METRIC_NAME);
        for (i, (name, value)) in others.enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{name}={value:?}")?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A label set being put together.
#[derive(Clone, Debug, Default)]
pub struct LabelsBuilder {
    /// Sorted by name, no empty values.
    labels: Vec<Label>,
}

impl LabelsBuilder {
    /// Sets a label; an empty value removes it.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        match self.labels.binary_search_by(|(n, _)| (**n).cmp(name)) {
            Ok(at) if value.is_empty() => {
                self.labels.remove(at);
            }
            Ok(at) => self.labels[at].1 = Arc::from(value),
            Err(_) if value.is_empty() => {}
            Err(at) => self.labels.insert(at, (Arc::from(name), Arc::from(value))),
        }
        self
    }

    /// Removes a label, if it is there.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.set(name, "")
    }

    /// The value of a label; empty where there is none.
    pub fn get(&self, name: &str) -> &str {
        match self.labels.binary_search_by(|(n, _)| (**n).cmp(name)) {
            Ok(at) => &self.labels[at].1,
            Err(_) => "",
        }
    }

    /// The set.
    pub fn build(self) -> Labels {
        Labels::of(self.labels.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_sorted_and_hold_no_empty_value() {
        let labels = Labels::new([("b", "2"), ("a", "1"), ("c", ""), ("b", "3")]);
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "3")]);
        assert_eq!(labels.get("c"), "");
    }

    #[test]
    fn sets_print_as_prometheus_prints_series() {
        for (pairs, text) in [
            (vec![], "{}"),
            (vec![("__name__", "up")], "up"),
            (vec![("a", "x\"y")], "{a=\"x\\\"y\"}"),
            (
                vec![("__name__", "up"), ("b", "2"), ("a", "1")],
                "up{a=\"1\", b=\"2\"}",
            ),
        ] {
            assert_eq!(Labels::new(pairs).to_string(), text);
        }
    }

    #[test]
    fn sets_order_label_by_label() {
        let short = Labels::new([("a", "1")]);
        let longer = Labels::new([("a", "1"), ("b", "1")]);
        let other = Labels::new([("a", "2")]);
        assert!(short < longer && longer < other);
    }
}
