//! The functions of PromQL: names, signatures, and since when each exists (`promql/parser/functions.go`).

use super::Version;
use super::ast::Type;

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Absent,
    AbsentOverTime,
    AvgOverTime,
    Changes,
    Clamp,
    ClampMax,
    ClampMin,
    CountOverTime,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    DaysInMonth,
    Delta,
    Deriv,
    FirstOverTime,
    HistogramFraction,
    HistogramQuantile,
    /// Any of the functions that look at native histograms alone: of the floats here they make nothing.
    NativeHistogramOnly,
    HoltWinters,
    Hour,
    Idelta,
    Increase,
    Irate,
    LabelJoin,
    LabelReplace,
    LastOverTime,
    Math(MathFunction),
    MaxOverTime,
    MinOverTime,
    Minute,
    Month,
    Pi,
    PredictLinear,
    PresentOverTime,
    QuantileOverTime,
    Rate,
    Resets,
    Round,
    Scalar,
    Sort,
    SortDesc,
    StddevOverTime,
    StdvarOverTime,
    SumOverTime,
    Time,
    Timestamp,
    Vector,
    Year,
}

/// A function from float to float, applied to each element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MathFunction {
    Abs,
    Acos,
    Acosh,
    Asin,
    Asinh,
    Atan,
    Atanh,
    Ceil,
    Cos,
    Cosh,
    Deg,
    Exp,
    Floor,
    Ln,
    Log10,
    Log2,
    Rad,
    Sgn,
    Sin,
    Sinh,
    Sqrt,
    Tan,
    Tanh,
}

/// What a function takes and gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signature {
    pub(crate) args: &'static [Type],
    /// How many arguments may follow the first `args.len() - 1`; the last type repeats. `None`: exactly `args`.
    pub(crate) variadic: Option<usize>,
    pub(crate) returns: Type,
}

/// What a name stands for in some version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    Found(Function),
    /// Prometheus knows it, but evaluates it only with a feature flag set.
    Experimental,
    Unknown,
}

impl Function {
    /// The function of a name; names are case-sensitive.
    pub(crate) fn look_up(name: &str, version: Version) -> Lookup {
        use Function::*;
        use MathFunction::*;
        let modern = version == Version::V3;
        let function = match name {
            "abs" => Math(Abs),
            "absent" => Absent,
            "absent_over_time" => AbsentOverTime,
            "acos" => Math(Acos),
            "acosh" => Math(Acosh),
            "asin" => Math(Asin),
            "asinh" => Math(Asinh),
            "atan" => Math(Atan),
            "atanh" => Math(Atanh),
            "avg_over_time" => AvgOverTime,
            "ceil" => Math(Ceil),
            "changes" => Changes,
            "clamp" => Clamp,
            "clamp_max" => ClampMax,
            "clamp_min" => ClampMin,
            "cos" => Math(Cos),
            "cosh" => Math(Cosh),
            "count_over_time" => CountOverTime,
            "day_of_month" => DayOfMonth,
            "day_of_week" => DayOfWeek,
            "day_of_year" => DayOfYear,
            "days_in_month" => DaysInMonth,
            "deg" => Math(Deg),
            "delta" => Delta,
            "deriv" => Deriv,
            "exp" => Math(Exp),
            "first_over_time" if modern => FirstOverTime,
            "floor" => Math(Floor),
            "histogram_fraction" => HistogramFraction,
            "histogram_quantile" => HistogramQuantile,
            "histogram_count" | "histogram_sum" => NativeHistogramOnly,
            "histogram_avg" | "histogram_stddev" | "histogram_stdvar"
                if version != Version::V2_42 =>
            {
                NativeHistogramOnly
            }
            "holt_winters" if !modern => HoltWinters,
            "hour" => Hour,
            "idelta" => Idelta,
            "increase" => Increase,
            "irate" => Irate,
            "label_join" => LabelJoin,
            "label_replace" => LabelReplace,
            "last_over_time" => LastOverTime,
            "ln" => Math(Ln),
            "log10" => Math(Log10),
            "log2" => Math(Log2),
            "max_over_time" => MaxOverTime,
            "min_over_time" => MinOverTime,
            "minute" => Minute,
            "month" => Month,
            "pi" => Pi,
            "predict_linear" => PredictLinear,
            "present_over_time" => PresentOverTime,
            "quantile_over_time" => QuantileOverTime,
            "rad" => Math(Rad),
            "rate" => Rate,
            "resets" => Resets,
            "round" => Round,
            "scalar" => Scalar,
            "sgn" => Math(Sgn),
            "sin" => Math(Sin),
            "sinh" => Math(Sinh),
            "sort" => Sort,
            "sort_desc" => SortDesc,
            "sqrt" => Math(Sqrt),
            "stddev_over_time" => StddevOverTime,
            "stdvar_over_time" => StdvarOverTime,
            "sum_over_time" => SumOverTime,
            "tan" => Math(Tan),
            "tanh" => Math(Tanh),
            "time" => Time,
            "timestamp" => Timestamp,
            "vector" => Vector,
            "year" => Year,
            "mad_over_time" | "sort_by_label" | "sort_by_label_desc"
                if version != Version::V2_42 =>
            {
                return Lookup::Experimental;
            }
            "double_exponential_smoothing"
            | "end"
            | "histogram_quantiles"
            | "info"
            | "max_of"
            | "min_of"
            | "range"
            | "start"
            | "start_timestamp"
            | "step"
            | "ts_of_first_over_time"
            | "ts_of_last_over_time"
            | "ts_of_max_over_time"
            | "ts_of_min_over_time"
                if modern =>
            {
                return Lookup::Experimental;
            }
            _ => return Lookup::Unknown,
        };
        Lookup::Found(function)
    }

    /// What it takes and gives.
    pub(crate) fn signature(self) -> Signature {
        use Function as F;
        use Type::*;
        let of = |args: &'static [Type]| Signature {
            args,
            variadic: None,
            returns: Vector,
        };
        let variadic = |args: &'static [Type], most: usize| Signature {
            variadic: Some(most),
            ..of(args)
        };
        match self {
            F::AbsentOverTime
            | F::AvgOverTime
            | F::Changes
            | F::CountOverTime
            | F::Delta
            | F::Deriv
            | F::FirstOverTime
            | F::Idelta
            | F::Increase
            | F::Irate
            | F::LastOverTime
            | F::MaxOverTime
            | F::MinOverTime
            | F::PresentOverTime
            | F::Rate
            | F::Resets
            | F::StddevOverTime
            | F::StdvarOverTime
            | F::SumOverTime => of(&[Matrix]),
            F::Absent
            | F::Math(_)
            | F::NativeHistogramOnly
            | F::Sort
            | F::SortDesc
            | F::Timestamp => of(&[Vector]),
            F::DayOfMonth
            | F::DayOfWeek
            | F::DayOfYear
            | F::DaysInMonth
            | F::Hour
            | F::Minute
            | F::Month
            | F::Year => variadic(&[Vector], 1),
            F::Clamp => of(&[Vector, Scalar, Scalar]),
            F::ClampMax | F::ClampMin => of(&[Vector, Scalar]),
            F::HistogramFraction => of(&[Scalar, Scalar, Vector]),
            F::HistogramQuantile => of(&[Scalar, Vector]),
            F::HoltWinters => of(&[Matrix, Scalar, Scalar]),
            F::LabelReplace => of(&[Vector, String, String, String, String]),
            F::LabelJoin => variadic(&[Vector, String, String, String], usize::MAX),
            F::PredictLinear => of(&[Matrix, Scalar]),
            F::QuantileOverTime => of(&[Scalar, Matrix]),
            F::Round => variadic(&[Vector, Scalar], 1),
            F::Vector => of(&[Scalar]),
            F::Scalar => Signature {
                returns: Scalar,
                ..of(&[Vector])
            },
            F::Pi | F::Time => Signature {
                returns: Scalar,
                ..of(&[])
            },
        }
    }

    /// Whether it works on range vectors.
    pub(crate) fn takes_range(self) -> bool {
        self.signature().args.contains(&Type::Matrix)
    }
}
