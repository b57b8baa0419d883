//! Distributions of times: a quantity, or a table that names a shape.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scenario::units::FineTime;

/// A distribution of times: always the same ("20ms") or one of the shapes.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(in crate::scenario) enum DistributionKeys {
    /// Always the same.
    Constant(FineTime),
    /// A named distribution.
    Shape(Box<DistributionShape>),
}

/// A named distribution of times: exactly one of these.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(in crate::scenario) struct DistributionShape {
    /// Always the same.
    pub(in crate::scenario) constant: Option<FineTime>,
    /// The logarithm is normal: many short times and a long tail.
    pub(in crate::scenario) lognormal: Option<Lognormal>,
    /// Memoryless.
    pub(in crate::scenario) exponential: Option<Exponential>,
    /// Equally likely between two bounds.
    pub(in crate::scenario) uniform: Option<Uniform>,
    /// Narrower than exponential: the sum of several such times.
    pub(in crate::scenario) gamma: Option<Gamma>,
    /// Recorded times: a file, relative to this one, with the header `ms` and a line for each.
    pub(in crate::scenario) empirical: Option<String>,
    /// One of several, each so often.
    pub(in crate::scenario) mixture: Option<Vec<MixturePart>>,
}

/// An element of `mixture`: a weight and exactly one shape.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct MixturePart {
    /// How often, as the other parts' weights have it.
    pub(in crate::scenario) weight: f64,
    /// Always the same.
    pub(in crate::scenario) constant: Option<FineTime>,
    /// The logarithm is normal: many short times and a long tail.
    pub(in crate::scenario) lognormal: Option<Lognormal>,
    /// Memoryless.
    pub(in crate::scenario) exponential: Option<Exponential>,
    /// Equally likely between two bounds.
    pub(in crate::scenario) uniform: Option<Uniform>,
    /// Narrower than exponential: the sum of several such times.
    pub(in crate::scenario) gamma: Option<Gamma>,
    /// Recorded times: a file, relative to this one, with the header `ms` and a line for each.
    pub(in crate::scenario) empirical: Option<String>,
}

impl MixturePart {
    /// The part's shape.
    pub(in crate::scenario) fn shape(&self) -> DistributionShape {
        let MixturePart {
            weight: _,
            constant,
            lognormal,
            exponential,
            uniform,
            gamma,
            empirical,
        } = self.clone();
        DistributionShape {
            constant,
            lognormal,
            exponential,
            uniform,
            gamma,
            empirical,
            mixture: None,
        }
    }
}

/// `gamma`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Gamma {
    /// Mean.
    pub(in crate::scenario) mean: FineTime,
    /// From 0.1 to 1000; 1 is exponential, the larger the narrower.
    #[schemars(range(min = 0.1, max = 1000))]
    pub(in crate::scenario) shape: f64,
}

/// `lognormal`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Lognormal {
    /// Half of the times are below.
    pub(in crate::scenario) median: FineTime,
    /// Standard deviation of the logarithm, from 0 to 4; p99 is median * exp(2.326 * sigma).
    #[schemars(range(min = 0, max = 4))]
    pub(in crate::scenario) sigma: f64,
}

/// `exponential`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Exponential {
    /// Mean.
    pub(in crate::scenario) mean: FineTime,
}

/// `uniform`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Uniform {
    /// Lower bound.
    pub(in crate::scenario) min: FineTime,
    /// Upper bound.
    pub(in crate::scenario) max: FineTime,
}

impl DistributionShape {
    /// Whether it names nothing.
    pub(in crate::scenario) fn is_empty(&self) -> bool {
        self.constant.is_none()
            && self.lognormal.is_none()
            && self.exponential.is_none()
            && self.uniform.is_none()
            && self.gamma.is_none()
            && self.empirical.is_none()
            && self.mixture.is_none()
    }
}

/// Reads a quantity, or a table of one key that names a shape.
macro_rules! constant_or_shape {
    ($name:ident, $constant:ident, $shape:ident, $wanted:literal) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct ShapeVisitor;

                impl<'de> serde::de::Visitor<'de> for ShapeVisitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($wanted)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        <$constant as serde::Deserialize>::deserialize(
                            serde::de::value::StrDeserializer::new(text),
                        )
                        .map($name::Constant)
                    }

                    fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<$name, E> {
                        <$constant as serde::Deserialize>::deserialize(
                            serde::de::value::I64Deserializer::new(n),
                        )
                        .map($name::Constant)
                    }

                    fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<$name, E> {
                        <$constant as serde::Deserialize>::deserialize(
                            serde::de::value::U64Deserializer::new(n),
                        )
                        .map($name::Constant)
                    }

                    fn visit_f64<E: serde::de::Error>(self, n: f64) -> Result<$name, E> {
                        <$constant as serde::Deserialize>::deserialize(
                            serde::de::value::F64Deserializer::new(n),
                        )
                        .map($name::Constant)
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        map: A,
                    ) -> Result<$name, A::Error> {
                        <$shape as serde::Deserialize>::deserialize(
                            serde::de::value::MapAccessDeserializer::new(map),
                        )
                        .map(|shape| $name::Shape(Box::new(shape)))
                    }
                }

                deserializer.deserialize_any(ShapeVisitor)
            }
        }
    };
}

pub(in crate::scenario) use constant_or_shape;

constant_or_shape!(
    DistributionKeys,
    FineTime,
    DistributionShape,
    "a time such as \"20ms\", or a table with one of `lognormal`, `exponential`, `uniform`, `gamma`, `empirical` and `mixture`"
);
