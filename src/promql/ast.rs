//! The query as a tree (`promql/parser/ast.go`). Durations are whole milliseconds; every node knows its place in the text.

use std::fmt;
use std::ops::Range;

use super::function::Function;
use crate::tsdb::Matcher;

/// A node of the tree.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) span: Range<usize>,
    /// Number of this node among all of the query, for what evaluation keeps per node.
    pub(crate) id: usize,
    /// How many levels of nodes there are from here down.
    pub(crate) depth: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum ExprKind {
    Number(f64),
    String(Text),
    Paren(Box<Expr>),
    /// `-x`; `+x` leaves no trace but its value's type, so it is kept too.
    Unary {
        negate: bool,
        operand: Box<Expr>,
    },
    Binary(Box<Binary>),
    Aggregate(Box<Aggregate>),
    Call {
        function: Function,
        name: String,
        args: Vec<Expr>,
    },
    Selector(Selector),
    /// `selector[range]`
    Range {
        selector: Selector,
        range_ms: i64,
    },
    Subquery(Box<Subquery>),
}

/// A string literal; not every one of Prometheus' is UTF-8.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text {
    pub(crate) bytes: Vec<u8>,
}

#[derive(Clone, Debug)]
pub(crate) struct Selector {
    /// The name before the braces, if there is one.
    pub(crate) name: Option<String>,
    /// All conditions; that of `name` is the last, as upstream puts it.
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) when: When,
}

/// The `offset` and `@` modifiers of a selector or subquery.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct When {
    pub(crate) offset_ms: i64,
    pub(crate) at: Option<At>,
}

/// What `@` says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum At {
    /// `@ 1609746000`, in milliseconds.
    Time(i64),
    /// `@ start()`
    Start,
    /// `@ end()`
    End,
}

#[derive(Clone, Debug)]
pub(crate) struct Subquery {
    pub(crate) expr: Expr,
    pub(crate) range_ms: i64,
    /// `None`: the engine's default.
    pub(crate) step_ms: Option<i64>,
    pub(crate) when: When,
}

#[derive(Clone, Debug)]
pub(crate) struct Binary {
    pub(crate) op: BinaryOp,
    pub(crate) op_span: Range<usize>,
    pub(crate) left: Expr,
    pub(crate) right: Expr,
    pub(crate) bool_modifier: bool,
    pub(crate) matching: Matching,
}

/// How the elements of two vectors find each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Matching {
    /// `on` rather than `ignoring`.
    pub(crate) on: bool,
    pub(crate) labels: Vec<String>,
    pub(crate) group: Group,
    /// Labels that `group_left` or `group_right` copies from the one side.
    pub(crate) include: Vec<String>,
}

/// Which side may have several elements for one match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Group {
    #[default]
    None,
    /// `group_left`
    Left,
    /// `group_right`
    Right,
}

#[derive(Clone, Debug)]
pub(crate) struct Aggregate {
    pub(crate) op: AggregateOp,
    pub(crate) expr: Expr,
    /// k, the quantile, or the label of `count_values`.
    pub(crate) param: Option<Expr>,
    pub(crate) without: bool,
    pub(crate) labels: Vec<String>,
}

/// An operator between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    And,
    Or,
    Unless,
}

impl BinaryOp {
    pub(crate) fn is_comparison(self) -> bool {
        use BinaryOp::*;
        matches!(
            self,
            Equal | NotEqual | Greater | GreaterOrEqual | Less | LessOrEqual
        )
    }

    pub(crate) fn is_set(self) -> bool {
        matches!(self, BinaryOp::And | BinaryOp::Or | BinaryOp::Unless)
    }

    /// Higher binds tighter; only `^` is right-associative.
    pub(crate) fn precedence(self) -> u8 {
        use BinaryOp::*;
        match self {
            Or => 1,
            And | Unless => 2,
            Equal | NotEqual | Greater | GreaterOrEqual | Less | LessOrEqual => 3,
            Add | Sub => 4,
            Mul | Div | Mod | Atan2 => 5,
            Pow => 6,
        }
    }
}

impl fmt::Display for BinaryOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Mod => "%",
            BinaryOp::Pow => "^",
            BinaryOp::Atan2 => "atan2",
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
            BinaryOp::Greater => ">",
            BinaryOp::GreaterOrEqual => ">=",
            BinaryOp::Less => "<",
            BinaryOp::LessOrEqual => "<=",
            BinaryOp::And => "and",
            BinaryOp::Or => "or",
            BinaryOp::Unless => "unless",
        })
    }
}

/// What an aggregation computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AggregateOp {
    Sum,
    Avg,
    Count,
    Min,
    Max,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    CountValues,
    Quantile,
    Limitk,
    LimitRatio,
}

impl AggregateOp {
    /// The aggregation a lower-case word names.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "sum" => AggregateOp::Sum,
            "avg" => AggregateOp::Avg,
            "count" => AggregateOp::Count,
            "min" => AggregateOp::Min,
            "max" => AggregateOp::Max,
            "group" => AggregateOp::Group,
            "stddev" => AggregateOp::Stddev,
            "stdvar" => AggregateOp::Stdvar,
            "topk" => AggregateOp::Topk,
            "bottomk" => AggregateOp::Bottomk,
            "count_values" => AggregateOp::CountValues,
            "quantile" => AggregateOp::Quantile,
            "limitk" => AggregateOp::Limitk,
            "limit_ratio" => AggregateOp::LimitRatio,
            _ => return None,
        })
    }

    pub(crate) fn has_param(self) -> bool {
        use AggregateOp::*;
        matches!(
            self,
            Topk | Bottomk | CountValues | Quantile | Limitk | LimitRatio
        )
    }
}

/// The types of PromQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Scalar,
    Vector,
    Matrix,
    String,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Scalar => "scalar",
            Type::Vector => "instant vector",
            Type::Matrix => "range vector",
            Type::String => "string",
        })
    }
}

impl Expr {
    /// The type of what this evaluates to.
    pub(crate) fn value_type(&self) -> Type {
        match &self.kind {
            ExprKind::Number(_) => Type::Scalar,
            ExprKind::String(_) => Type::String,
            ExprKind::Paren(inner) => inner.value_type(),
            ExprKind::Unary { operand, .. } => operand.value_type(),
            ExprKind::Binary(binary) => {
                let scalar = |side: &Expr| side.value_type() == Type::Scalar;
                if scalar(&binary.left) && scalar(&binary.right) {
                    Type::Scalar
                } else {
                    Type::Vector
                }
            }
            ExprKind::Aggregate(_) | ExprKind::Selector(_) => Type::Vector,
            ExprKind::Call { function, .. } => function.signature().returns,
            ExprKind::Range { .. } | ExprKind::Subquery(_) => Type::Matrix,
        }
    }

    /// The expression without the parentheses around it.
    pub(crate) fn unwrapped(&self) -> &Expr {
        let mut expr = self;
        while let ExprKind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }

    /// The nodes right below this one.
    pub(crate) fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            ExprKind::Number(_)
            | ExprKind::String(_)
            | ExprKind::Selector(_)
            | ExprKind::Range { .. } => Vec::new(),
            ExprKind::Paren(inner) => vec![inner],
            ExprKind::Unary { operand, .. } => vec![operand],
            ExprKind::Binary(binary) => vec![&binary.left, &binary.right],
            ExprKind::Aggregate(aggregate) => {
                aggregate.param.iter().chain([&aggregate.expr]).collect()
            }
            ExprKind::Call { args, .. } => args.iter().collect(),
            ExprKind::Subquery(subquery) => vec![&subquery.expr],
        }
    }
}

impl Text {
    /// The text, where it is UTF-8.
    pub(crate) fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }

    /// The text, with U+FFFD for what is not UTF-8.
    pub(crate) fn lossy(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The text as Go's `%q` shows it.
    pub(crate) fn quoted(&self) -> String {
        let mut out = String::from("\"");
        for chunk in self.bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\'' => out.push(c),
                    _ => out.extend(c.escape_debug()),
                }
            }
            for byte in chunk.invalid() {
                out.push_str(&format!("\\x{byte:02x}"));
            }
        }
        out.push('"');
        out
    }
}
