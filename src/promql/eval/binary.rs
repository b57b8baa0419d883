//! Operators between scalars and vectors (`VectorBinop`, `VectorscalarBinop`, `VectorAnd`, `VectorOr`, `VectorUnless` in
//! `promql/engine.go`).

use std::collections::{HashMap, HashSet};

use super::labels::{LabelTable, Memo, SetId, SetMap};
use super::{EvalError, Evaluated, NodeMemory, Run, Sample};
use crate::promql::ast::{Binary, BinaryOp, Expr, Group, Matching, Type};
use crate::promql::{Options, Version};
use crate::tsdb::{Labels, METRIC_NAME, Queryable};

/// What an operator between vectors remembers: how label sets match, and what comes of two that do.
#[derive(Debug, Default)]
pub(super) struct Signatures {
    /// The labels that decide whether two elements match.
    of: Memo<SetId>,
    /// For look-ups only; never iterated.
    results: HashMap<(SetId, SetId), SetId>,
    /// The element of the one side, by signature, in this evaluation.
    one_side: SetMap<usize>,
    /// Signatures met on the many side.
    matched: SetMap<()>,
    /// Signatures and results met, where many elements may match one.
    produced: HashSet<(SetId, SetId)>,
}

impl Signatures {
    fn of(&mut self, set: SetId, matching: &Matching, table: &mut LabelTable) -> SetId {
        if let Some(signature) = self.of.get(set) {
            return signature;
        }
        let named = |name: &str| matching.labels.iter().any(|label| label == name);
        let labels = if matching.on {
            table[set].filter(named)
        } else {
            table[set].filter(|name| name != METRIC_NAME && !named(name))
        };
        let signature = table.intern(labels);
        self.of.set(set, signature);
        signature
    }
}

impl<Q: Queryable> Run<'_, Q> {
    pub(super) fn binary(
        &mut self,
        expr: &Expr,
        binary: &Binary,
        t: i64,
    ) -> Evaluated<Vec<Sample>> {
        if binary.left.value_type() == Type::Scalar {
            let scalar = self.scalar(&binary.left, t)?;
            let samples = self.vector(&binary.right, t)?;
            return self.with_scalar(expr, binary, samples, scalar, true);
        }
        if binary.right.value_type() == Type::Scalar {
            let samples = self.vector(&binary.left, t)?;
            let scalar = self.scalar(&binary.right, t)?;
            return self.with_scalar(expr, binary, samples, scalar, false);
        }
        let left = self.vector(&binary.left, t)?;
        let right = self.vector(&binary.right, t)?;
        let mut signatures = match self.recall(expr.id) {
            NodeMemory::Matching(signatures) => signatures,
            _ => Box::default(),
        };
        let result = if binary.op.is_set() {
            Ok(self.set_operation(binary, &left, &right, &mut signatures))
        } else {
            self.matched(expr, binary, &left, &right, &mut signatures)
        };
        self.remember(expr.id, NodeMemory::Matching(signatures));
        self.recycle(left);
        self.recycle(right);
        let result = result?;
        self.refuse_duplicates(&result, expr)?;
        Ok(result)
    }

    /// A vector and a scalar.
    fn with_scalar(
        &mut self,
        expr: &Expr,
        binary: &Binary,
        mut samples: Vec<Sample>,
        scalar: f64,
        scalar_left: bool,
    ) -> Evaluated<Vec<Sample>> {
        let op = binary.op;
        samples.retain_mut(|sample| {
            let (left, right) = if scalar_left {
                (scalar, sample.value)
            } else {
                (sample.value, scalar)
            };
            if !op.is_comparison() {
                sample.value = arithmetic(op, left, right);
                return true;
            }
            let holds = compare(op, left, right);
            if binary.bool_modifier {
                sample.value = f64::from(u8::from(holds));
                return true;
            }
            // The vector's value stays, on whichever side it stands.
            holds
        });
        if self.plan.options.changes_schema(op) || binary.bool_modifier {
            for sample in &mut samples {
                self.drop_name(sample);
            }
        }
        self.refuse_duplicates(&samples, expr)?;
        Ok(samples)
    }

    fn set_operation(
        &mut self,
        binary: &Binary,
        left: &[Sample],
        right: &[Sample],
        signatures: &mut Signatures,
    ) -> Vec<Sample> {
        let mut result = self.buffer();
        let present = if binary.op == BinaryOp::Or {
            left
        } else {
            right
        };
        signatures.matched.clear();
        for sample in present {
            let signature = signatures.of(sample.set, &binary.matching, self.table);
            signatures.matched.insert(signature, ());
        }
        let mut has = |sample: &Sample| {
            let signature = signatures.of(sample.set, &binary.matching, self.table);
            signatures.matched.get(signature).is_some()
        };
        match binary.op {
            BinaryOp::And => result.extend(left.iter().filter(|sample| has(sample))),
            BinaryOp::Unless => result.extend(left.iter().filter(|sample| !has(sample))),
            _ => {
                result.extend_from_slice(left);
                result.extend(right.iter().filter(|sample| !has(sample)));
            }
        }
        result
    }

    /// Arithmetic and comparisons between vectors: each element of the "many" side finds its partner on the "one" side.
    fn matched(
        &mut self,
        expr: &Expr,
        binary: &Binary,
        left: &[Sample],
        right: &[Sample],
        signatures: &mut Signatures,
    ) -> Evaluated<Vec<Sample>> {
        let mut result = self.buffer();
        if left.is_empty() || right.is_empty() {
            return Ok(result);
        }
        let matching = &binary.matching;
        let swapped = matching.group == Group::Right;
        let (many, one) = if swapped {
            (right, left)
        } else {
            (left, right)
        };
        signatures.one_side.clear();
        for (i, sample) in one.iter().enumerate() {
            let signature = signatures.of(sample.set, matching, self.table);
            if let Some(other) = signatures.one_side.insert(signature, i) {
                let side = if swapped { "left" } else { "right" };
                return Err(self.duplicate_match(expr, binary, sample, &one[other], side));
            }
        }
        let filters_first = self.plan.options.filters_before_matching();
        signatures.matched.clear();
        signatures.produced.clear();
        for sample in many {
            let signature = signatures.of(sample.set, matching, self.table);
            let Some(partner) = signatures.one_side.get(signature) else {
                continue;
            };
            let partner = one[partner];
            let (l, r) = if swapped {
                (partner.value, sample.value)
            } else {
                (sample.value, partner.value)
            };
            let (mut value, keep) = elements(binary.op, l, r);
            if binary.bool_modifier {
                value = f64::from(u8::from(keep));
            } else if filters_first && !keep {
                continue;
            }
            let set = self.result_labels(binary, sample.set, partner.set, signatures);
            if matching.group == Group::None {
                if signatures.matched.insert(signature, ()).is_some() {
                    return Err(EvalError::new(
                        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
                        &expr.span,
                    ));
                }
            } else if !signatures.produced.insert((signature, set)) {
                return Err(EvalError::new(
                    "multiple matches for labels: grouping labels must ensure unique matches",
                    &expr.span,
                ));
            }
            if keep || binary.bool_modifier {
                result.push(Sample {
                    set,
                    drop_name: binary.bool_modifier,
                    value,
                });
            }
        }
        Ok(result)
    }

    /// The labels of the result of two elements (`resultMetric`).
    fn result_labels(
        &mut self,
        binary: &Binary,
        many: SetId,
        one: SetId,
        signatures: &mut Signatures,
    ) -> SetId {
        if let Some(set) = signatures.results.get(&(many, one)) {
            return *set;
        }
        let options = &self.plan.options;
        let matching = &binary.matching;
        let drops_name = options.changes_schema(binary.op)
            || binary.bool_modifier && !options.delayed_name_removal;
        let named = |name: &str| matching.labels.iter().any(|label| label == name);
        let one_to_one = matching.group == Group::None;
        let labels = self.table[many].filter(|name| {
            let kept_by_matching = !one_to_one || named(name) == matching.on;
            kept_by_matching && !(drops_name && name == METRIC_NAME)
        });
        let labels = if matching.include.is_empty() {
            labels
        } else {
            let mut builder = labels.to_builder();
            for name in &matching.include {
                builder.set(name, self.table[one].get(name));
            }
            builder.build()
        };
        let set = self.table.intern(labels);
        signatures.results.insert((many, one), set);
        set
    }

    fn duplicate_match(
        &self,
        expr: &Expr,
        binary: &Binary,
        a: &Sample,
        b: &Sample,
        side: &str,
    ) -> EvalError {
        let matching = &binary.matching;
        let named = |name: &str| matching.labels.iter().any(|label| label == name);
        let group = self.table[a.set].filter(|name| {
            if matching.on {
                named(name)
            } else {
                name != METRIC_NAME && !named(name)
            }
        });
        let mut duplicates = [a, b].map(|sample| in_braces(&self.table[sample.set]));
        duplicates.sort();
        let [first, second] = duplicates;
        EvalError::new(
            format!(
                "found duplicate series for the match group {} on the {side} hand-side of the operation: [{first}, {second}];many-to-many matching not allowed: matching labels must be unique on one side",
                in_braces(&group),
            ),
            &expr.span,
        )
    }
}

impl Options {
    /// Whether a comparison that does not hold spares the check for several matches (until 3.9).
    fn filters_before_matching(&self) -> bool {
        self.version != Version::V3
    }

    /// Whether an operator makes something else of a metric, so that its name goes. In 2.42 `atan2` did not count as such.
    fn changes_schema(&self, op: BinaryOp) -> bool {
        let arithmetic = !op.is_comparison() && !op.is_set();
        arithmetic && !(op == BinaryOp::Atan2 && self.version == Version::V2_42)
    }
}

/// The value of an operator between scalars; comparisons have the bool modifier.
pub(super) fn scalars(op: BinaryOp, left: f64, right: f64) -> f64 {
    if op.is_comparison() {
        return f64::from(u8::from(compare(op, left, right)));
    }
    arithmetic(op, left, right)
}

/// The value of an operator between two elements, and whether it stays in the result.
fn elements(op: BinaryOp, left: f64, right: f64) -> (f64, bool) {
    if op.is_comparison() {
        return (left, compare(op, left, right));
    }
    (arithmetic(op, left, right), true)
}

fn arithmetic(op: BinaryOp, left: f64, right: f64) -> f64 {
    match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div => left / right,
        BinaryOp::Mod => libm::fmod(left, right),
        BinaryOp::Pow => libm::pow(left, right),
        BinaryOp::Atan2 => libm::atan2(left, right),
        other => unreachable!("{other} is not arithmetic"),
    }
}

fn compare(op: BinaryOp, left: f64, right: f64) -> bool {
    match op {
        BinaryOp::Equal => left == right,
        BinaryOp::NotEqual => left != right,
        BinaryOp::Greater => left > right,
        BinaryOp::GreaterOrEqual => left >= right,
        BinaryOp::Less => left < right,
        BinaryOp::LessOrEqual => left <= right,
        other => unreachable!("{other} is not a comparison"),
    }
}

/// Labels as Go's `Labels.String` shows them, the name inside the braces.
fn in_braces(labels: &Labels) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}
