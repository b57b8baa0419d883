//! `label_replace` and `label_join` (`evalLabelReplace`, `evalLabelJoin` in `promql/functions.go`).
//!
//! One inside the other they can double a label at each level; upstream lets them. Here a value has a largest length, and the
//! bytes of what they make count as work.

use regex::Regex;

use super::aggregate::is_label_name;
use super::labels::{Memo, SetId};
use super::{EvalError, Evaluated, NodeMemory, Run, Sample, string_of};
use crate::promql::Options;
use crate::promql::ast::{Expr, Text};
use crate::tsdb::{Labels, METRIC_NAME, Queryable, RegexDialect, anchored};

/// Longest label value that is made, in bytes; far beyond what any exporter writes.
const MAX_VALUE: usize = 1 << 20;

/// What the functions remember: the new labels of each label set.
#[derive(Debug, Default)]
pub(super) struct Relabelled {
    /// `None` where the set stays as it is.
    sets: Memo<Option<SetId>>,
    regex: Option<Regex>,
}

/// A label value would be longer than [`MAX_VALUE`].
struct TooLong;

impl<Q: Queryable> Run<'_, Q> {
    pub(super) fn label_replace(
        &mut self,
        expr: &Expr,
        args: &[Expr],
        t: i64,
    ) -> Evaluated<Vec<Sample>> {
        let [input, target, replacement, source, pattern] = args else {
            unreachable!("checked: label_replace has five arguments");
        };
        let target = self.label_argument(target, "destination label name in label_replace()")?;
        let replacement = string_of(replacement).lossy();
        let source = string_of(source).lossy();
        let samples = self.vector(input, t)?;
        let mut memory = self.relabelled(expr);
        if memory.regex.is_none() {
            let text = string_of(pattern).lossy();
            let dialect = if self.plan.options.left_open() {
                RegexDialect::V3
            } else {
                RegexDialect::V2
            };
            let compiled = anchored(&text, dialect).map_err(|_| {
                EvalError::new(
                    format!("invalid regular expression in label_replace(): {text}"),
                    &pattern.span,
                )
            })?;
            memory.regex = Some(compiled);
        }
        let Relabelled { sets, regex } = &mut *memory;
        let samples = self.relabel(expr, samples, &target, sets, |labels| {
            let from = labels.get(&source);
            let captures = regex.as_ref()?.captures(from)?;
            // Each reference brings in the whole source at most.
            let references = replacement.matches('$').count();
            let longest = references.saturating_mul(from.len());
            if longest.saturating_add(replacement.len()) > MAX_VALUE {
                return Some(Err(TooLong));
            }
            Some(Ok(expand(&replacement, &captures)))
        });
        self.remember(expr.id, NodeMemory::Relabelled(memory));
        samples
    }

    pub(super) fn label_join(
        &mut self,
        expr: &Expr,
        args: &[Expr],
        t: i64,
    ) -> Evaluated<Vec<Sample>> {
        let [input, target, separator, sources @ ..] = args else {
            unreachable!("checked: label_join has at least three arguments");
        };
        let mut labels = Vec::new();
        for source in sources {
            labels.push(self.label_argument(source, "source label name in label_join()")?);
        }
        let target = self.label_argument(target, "destination label name in label_join()")?;
        let separator = string_of(separator).lossy();
        let samples = self.vector(input, t)?;
        let mut memory = self.relabelled(expr);
        let samples = self.relabel(expr, samples, &target, &mut memory.sets, |set| {
            let values: Vec<&str> = labels.iter().map(|label| set.get(label)).collect();
            let bytes = values.iter().map(|value| value.len() + separator.len());
            if bytes.sum::<usize>() > MAX_VALUE {
                return Some(Err(TooLong));
            }
            Some(Ok(values.join(&separator)))
        });
        self.remember(expr.id, NodeMemory::Relabelled(memory));
        samples
    }

    fn relabelled(&mut self, expr: &Expr) -> Box<Relabelled> {
        match self.recall(expr.id) {
            NodeMemory::Relabelled(memory) => memory,
            _ => Box::default(),
        }
    }

    /// Gives each element the label that `value` makes of its labels, if it makes one.
    fn relabel(
        &mut self,
        expr: &Expr,
        mut samples: Vec<Sample>,
        target: &str,
        known: &mut Memo<Option<SetId>>,
        value: impl Fn(&Labels) -> Option<Result<String, TooLong>>,
    ) -> Evaluated<Vec<Sample>> {
        for sample in &mut samples {
            let relabelled = match known.get(sample.set) {
                Some(relabelled) => relabelled,
                None => {
                    let relabelled = match value(&self.table[sample.set]) {
                        None => None,
                        Some(Ok(value)) => Some(self.with_label(expr, sample.set, target, &value)?),
                        Some(Err(TooLong)) => {
                            let message = format!(
                                "label \"{target}\" would have a value of more than {MAX_VALUE} bytes"
                            );
                            return Err(EvalError::new(message, &expr.span));
                        }
                    };
                    known.set(sample.set, relabelled);
                    relabelled
                }
            };
            if let Some(set) = relabelled {
                sample.set = set;
                // A name that was given on purpose stays.
                sample.drop_name &= target != METRIC_NAME;
            }
        }
        if self
            .table
            .has_duplicates(samples.iter().map(|sample| sample.set))
        {
            return Err(EvalError::new(super::SAME_LABELSET, &expr.span));
        }
        Ok(samples)
    }

    /// The set with one label given another value.
    fn with_label(
        &mut self,
        expr: &Expr,
        set: SetId,
        target: &str,
        value: &str,
    ) -> Evaluated<SetId> {
        let mut labels = self.table[set].to_builder();
        labels.set(target, value);
        let labels = labels.build();
        let bytes: usize = labels
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        self.spend(bytes as u64, expr)?;
        Ok(self.table.intern(labels))
    }

    /// The label that an argument names.
    fn label_argument(&self, arg: &Expr, what: &str) -> Evaluated<String> {
        let text: &Text = string_of(arg);
        let options: &Options = &self.plan.options;
        match text.as_str() {
            Some(name) if is_label_name(name, options) => Ok(name.to_owned()),
            _ => Err(EvalError::new(
                format!("invalid {what}: {}", text.lossy()),
                &arg.span,
            )),
        }
    }
}

/// A template with `$1`, `${1}`, `$name` and `$$` filled in as Go's `Regexp.Expand` does: a reference takes the longest
/// word, and one to no group is empty.
fn expand(template: &str, captures: &regex::Captures<'_>) -> String {
    let mut out = String::new();
    captures.expand(template, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled_in_as_go_does() {
        let regex = Regex::new("^(?s:(a)(?P<rest>.*))$").unwrap();
        let captures = regex.captures("abc").unwrap();
        for (template, expected) in [
            ("$1-$2", "a-bc"),
            ("${1}x", "ax"),
            ("$1x", ""),
            ("$rest", "bc"),
            ("$$1", "$1"),
            ("$", "$"),
            ("$9", ""),
        ] {
            assert_eq!(expand(template, &captures), expected, "{template}");
        }
    }
}
