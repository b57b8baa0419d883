//! What a template is made of, and how error messages write it (`text/template/parse/node.go`).

use std::fmt;

use super::number::Number;

/// An element of a template.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    /// `{{pipeline}}`
    Action(Pipe),
    /// `{{if}}` and `{{with}}`
    Branch(Branch),
    /// `{{range}}`
    Range(Branch),
    Break,
    Continue,
}

/// A control structure.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    /// The pipeline's value becomes the dot.
    pub(super) sets_dot: bool,
    pub(super) pipe: Pipe,
    pub(super) then: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

/// `$x, $y := command | command`
#[derive(Clone, Debug)]
pub(super) struct Pipe {
    pub(super) pos: usize,
    /// Variables that it declares, or assigns to.
    pub(super) variables: Vec<String>,
    pub(super) is_assignment: bool,
    pub(super) commands: Vec<Command>,
}

/// Operands separated by spaces; there is at least one.
#[derive(Clone, Debug)]
pub(super) struct Command {
    pub(super) operands: Vec<Operand>,
}

/// One operand.
#[derive(Clone, Debug)]
pub(super) struct Operand {
    /// Byte offset in the template.
    pub(super) pos: usize,
    pub(super) term: Term,
}

/// What an operand is.
#[derive(Clone, Debug)]
pub(super) enum Term {
    Bool(bool),
    Dot,
    Nil,
    Number(Number),
    /// As written, and what it says.
    String {
        written: String,
        text: String,
    },
    /// A function.
    Identifier(String),
    /// `.X.Y`
    Field(Vec<String>),
    /// `$x.Y`; the name includes the dollar.
    Variable {
        name: String,
        fields: Vec<String>,
    },
    /// A term with fields behind it.
    Chain {
        operand: Box<Operand>,
        fields: Vec<String>,
    },
    /// `(pipeline)`
    Pipe(Pipe),
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            let sign = if self.is_assignment { "=" } else { ":=" };
            write!(f, "{} {sign} ", self.variables.join(", "))?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            if index > 0 {
                f.write_str(" | ")?;
            }
            write!(f, "{command}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, operand) in self.operands.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            match &operand.term {
                Term::Pipe(pipe) => write!(f, "({pipe})")?,
                term => write!(f, "{term}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::Bool(value) => write!(f, "{value}"),
            Term::Dot => f.write_str("."),
            Term::Nil => f.write_str("nil"),
            Term::Number(number) => f.write_str(&number.written),
            Term::String { written, .. } => f.write_str(written),
            Term::Identifier(name) => f.write_str(name),
            Term::Field(fields) => write_fields(f, fields),
            Term::Variable { name, fields } => {
                f.write_str(name)?;
                write_fields(f, fields)
            }
            Term::Chain { operand, fields } => {
                match &operand.term {
                    Term::Pipe(pipe) => write!(f, "({pipe})")?,
                    term => write!(f, "{term}")?,
                }
                write_fields(f, fields)
            }
            Term::Pipe(pipe) => write!(f, "{pipe}"),
        }
    }
}

fn write_fields(f: &mut fmt::Formatter<'_>, fields: &[String]) -> fmt::Result {
    fields.iter().try_for_each(|field| write!(f, ".{field}"))
}
