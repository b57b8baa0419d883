//! Running a template (`text/template/exec.go`).

use std::fmt;

use super::Model;
use super::funcs::{self, Arity};
use super::node::{Branch, Command, Node, Operand, Pipe, Term};
use super::number::Number;
use super::value::Value;

/// Iterations that a `range` may make here; Go has no limit.
const MAX_ITERATIONS: i64 = 10_000;

/// Fills a template in; the error is Go's, with its position.
pub(super) fn execute(text: &str, nodes: &[Node], model: &Model<'_>) -> Result<String, String> {
    let mut run = Run {
        text,
        at: None,
        model,
        out: String::with_capacity(text.len()),
        variables: vec![("$".to_owned(), Value::Nil)],
        iterations: 0,
    };
    run.walk(&Value::Nil, nodes)?;
    Ok(run.out)
}

/// How a list of nodes came to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Done,
    Break,
    Continue,
}

/// What a function wants an argument to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Anything,
    Text,
}

/// What is being evaluated: errors say where it is and show it.
#[derive(Clone, Copy)]
enum At<'n> {
    Pipe(&'n Pipe),
    Command(&'n Command),
    Operand(&'n Operand),
}

impl At<'_> {
    fn pos(self) -> usize {
        match self {
            At::Pipe(pipe) => pipe.pos,
            At::Command(command) => command.operands[0].pos,
            At::Operand(operand) => operand.pos,
        }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Pipe(pipe) => write!(f, "{pipe}"),
            At::Command(command) => write!(f, "{command}"),
            At::Operand(operand) => write!(f, "{}", operand.term),
        }
    }
}

struct Run<'m, 'n> {
    text: &'n str,
    model: &'m Model<'m>,
    out: String,
    variables: Vec<(String, Value<'m>)>,
    iterations: i64,
    /// What was looked at last; Go moves it in the same places.
    at: Option<At<'n>>,
}

impl<'m, 'n> Run<'m, 'n> {
    fn error(&self, what: impl AsRef<str>) -> String {
        let what = what.as_ref();
        let Some(at) = self.at else {
            return format!("template: tmpl: {what}");
        };
        let pos = at.pos();
        let before = &self.text[..pos];
        let line = 1 + before.matches('\n').count();
        let column = before.rfind('\n').map_or(pos, |newline| pos - newline - 1);
        format!("template: tmpl:{line}:{column}: executing \"tmpl\" at <{at}>: {what}")
    }

    fn walk(&mut self, dot: &Value<'m>, nodes: &'n [Node]) -> Result<Flow, String> {
        for node in nodes {
            let flow = match node {
                Node::Text(text) => {
                    self.out.push_str(text);
                    Flow::Done
                }
                Node::Action(pipe) => {
                    let value = self.pipeline(dot, pipe)?;
                    if pipe.variables.is_empty() {
                        match value {
                            Value::Nil => self.out.push_str("<no value>"),
                            value => self.out.push_str(&value.to_string()),
                        }
                    }
                    Flow::Done
                }
                Node::Branch(branch) => self.branch(dot, branch)?,
                Node::Range(range) => self.range(dot, range)?,
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if flow != Flow::Done {
                return Ok(flow);
            }
        }
        Ok(Flow::Done)
    }

    fn branch(&mut self, dot: &Value<'m>, branch: &'n Branch) -> Result<Flow, String> {
        let mark = self.variables.len();
        let value = self.pipeline(dot, &branch.pipe)?;
        let flow = match (value.is_true(), branch.sets_dot) {
            (true, true) => self.walk(&value, &branch.then),
            (true, false) => self.walk(dot, &branch.then),
            (false, _) => self.walk(dot, &branch.otherwise),
        };
        self.variables.truncate(mark);
        flow
    }

    fn range(&mut self, dot: &Value<'m>, range: &'n Branch) -> Result<Flow, String> {
        let mark = self.variables.len();
        let value = self.pipeline(dot, &range.pipe)?;
        let elements: Vec<(Value<'m>, Value<'m>)> = match &value {
            Value::Int(_) | Value::Byte(_) if range.pipe.variables.len() > 1 => {
                return Err(self.error(format!(
                    "can't use {value} to iterate over more than one variable"
                )));
            }
            Value::Int(count) if *count > MAX_ITERATIONS => {
                return Err(self.error(too_many()));
            }
            Value::Int(count) => (0..*count).map(|n| (Value::Nil, Value::Int(n))).collect(),
            Value::Byte(count) => (0..*count).map(|n| (Value::Nil, Value::Byte(n))).collect(),
            Value::Map(map) => map
                .iter()
                .map(|(key, value)| (Value::Text(key.clone()), Value::Text(value.clone())))
                .collect(),
            Value::Nil => Vec::new(),
            Value::Bool(_) | Value::Float(_) | Value::Text(_) => {
                return Err(self.error(format!("range can't iterate over {value}")));
            }
        };
        let inner = self.variables.len();
        let mut flow = Flow::Done;
        for (index, element) in &elements {
            // Nested ranges multiply, so all of them count.
            self.iterations += 1;
            if self.iterations > MAX_ITERATIONS {
                return Err(self.error(too_many()));
            }
            self.set_range_variables(&range.pipe, index, element)?;
            let left = self.walk(element, &range.then)?;
            self.variables.truncate(inner);
            if left == Flow::Break {
                break;
            }
        }
        if elements.is_empty() {
            flow = self.walk(dot, &range.otherwise)?;
        }
        self.variables.truncate(mark);
        Ok(flow)
    }

    /// With two variables the index comes first; with one it is the element.
    fn set_range_variables(
        &mut self,
        pipe: &Pipe,
        index: &Value<'m>,
        element: &Value<'m>,
    ) -> Result<(), String> {
        let values = [index, element];
        let skipped = values.len() - pipe.variables.len().min(2);
        for (name, value) in pipe.variables.iter().zip(&values[skipped..]) {
            self.assign(name, (*value).clone())?;
        }
        Ok(())
    }

    /// Overwrites the variable of this name that was declared last.
    fn assign(&mut self, name: &str, value: Value<'m>) -> Result<(), String> {
        match self.variables.iter_mut().rev().find(|(n, _)| n == name) {
            Some((_, present)) => {
                *present = value;
                Ok(())
            }
            None => Err(self.error(format!("undefined variable: {name}"))),
        }
    }

    fn pipeline(&mut self, dot: &Value<'m>, pipe: &'n Pipe) -> Result<Value<'m>, String> {
        self.at = Some(At::Pipe(pipe));
        let mut value = None;
        for command in &pipe.commands {
            value = Some(self.command(dot, command, value)?);
        }
        let value = value.unwrap_or(Value::Nil);
        for name in &pipe.variables {
            if pipe.is_assignment {
                self.assign(name, value.clone())?;
            } else {
                self.variables.push((name.clone(), value.clone()));
            }
        }
        Ok(value)
    }

    /// One command; `piped` is the value of the one before it.
    fn command(
        &mut self,
        dot: &Value<'m>,
        command: &'n Command,
        piped: Option<Value<'m>>,
    ) -> Result<Value<'m>, String> {
        let (first, args) = command
            .operands
            .split_first()
            .expect("commands have an operand");
        let has_args = !args.is_empty() || piped.is_some();
        let not_a_function = || format!("can't give argument to non-function {}", first.term);
        match &first.term {
            // Go tests a parenthesized pipeline before it looks at it.
            Term::Pipe(_) if has_args => return Err(self.error(not_a_function())),
            Term::Pipe(pipe) => return self.pipeline(dot, pipe),
            _ => self.at = Some(At::Operand(first)),
        }
        match &first.term {
            Term::Identifier(name) => {
                let call = At::Command(command);
                self.call(dot, call, name, args, piped)
            }
            Term::Field(fields) => self.fields(dot.clone(), fields, has_args),
            Term::Chain { operand, fields } => self.chain(dot, operand, fields, has_args),
            Term::Variable { name, fields } if !fields.is_empty() => {
                let value = self.variable(name);
                self.fields(value, fields, has_args)
            }
            _ if has_args => Err(self.error(not_a_function())),
            Term::Nil => Err(self.error("nil is not a command")),
            _ => self.argument(dot, first, Wanted::Anything),
        }
    }

    /// Calls a function; `call` is where its own errors are put.
    fn call(
        &mut self,
        dot: &Value<'m>,
        call: At<'n>,
        name: &str,
        args: &'n [Operand],
        piped: Option<Value<'m>>,
    ) -> Result<Value<'m>, String> {
        let given = args.len() + usize::from(piped.is_some());
        let wrong = match funcs::arity(name) {
            Arity::Exactly(wanted) if given != wanted => Some(format!("{wanted} got {given}")),
            Arity::AtLeast(wanted) if given < wanted => {
                Some(format!("at least {wanted} got {}", args.len()))
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            return Err(self.error(format!("wrong number of args for {name}: want {wrong}")));
        }
        if matches!(name, "and" | "or") {
            let mut value = Value::Nil;
            for arg in args {
                value = self.argument(dot, arg, Wanted::Anything)?;
                if value.is_true() == (name == "or") {
                    return Ok(value);
                }
            }
            return Ok(piped.unwrap_or(value));
        }
        if funcs::MODEL.contains(&name) {
            return Ok(self.model_value(name));
        }
        let wanted = |index: usize| {
            if name == "printf" && index == 0 {
                Wanted::Text
            } else {
                Wanted::Anything
            }
        };
        let mut values = Vec::with_capacity(given);
        for (index, arg) in args.iter().enumerate() {
            values.push(self.argument(dot, arg, wanted(index))?);
        }
        if let Some(piped) = piped {
            values.push(self.validated(piped, wanted(values.len()))?);
        }
        funcs::call(name, &values).map_err(|error| {
            self.at = Some(call);
            self.error(format!("error calling {name}: {error}"))
        })
    }

    fn model_value(&self, name: &str) -> Value<'m> {
        let model = self.model;
        let text = match name {
            "name" => model.name,
            "namespace" => model.namespace,
            "target" => model.target,
            "service" => model.service,
            "ingress" => model.ingress,
            "route" => model.route,
            "interval" => model.interval,
            _ => return Value::Map(model.variables),
        };
        Value::Text(text.to_owned())
    }

    /// An operand as an argument.
    fn argument(
        &mut self,
        dot: &Value<'m>,
        operand: &'n Operand,
        wanted: Wanted,
    ) -> Result<Value<'m>, String> {
        self.at = Some(At::Operand(operand));
        let value = match &operand.term {
            Term::String { text, .. } => return Ok(Value::Text(text.clone())),
            Term::Bool(_) | Term::Number(_) if wanted == Wanted::Text => {
                return Err(self.error(format!("expected string; found {}", operand.term)));
            }
            Term::Nil if wanted == Wanted::Text => {
                return Err(self.error("cannot assign nil to string"));
            }
            Term::Bool(value) => return Ok(Value::Bool(*value)),
            Term::Number(number) => return self.constant(number),
            Term::Nil => return Ok(Value::Nil),
            Term::Dot => dot.clone(),
            Term::Field(fields) => self.fields(dot.clone(), fields, false)?,
            Term::Variable { name, fields } => {
                let value = self.variable(name);
                self.fields(value, fields, false)?
            }
            Term::Identifier(name) => self.call(dot, At::Operand(operand), name, &[], None)?,
            Term::Chain { operand, fields } => self.chain(dot, operand, fields, false)?,
            Term::Pipe(pipe) => self.pipeline(dot, pipe)?,
        };
        self.validated(value, wanted)
    }

    /// A number where nothing says which kind it is to be: its looks do (`idealConstant`).
    fn constant(&self, number: &Number) -> Result<Value<'m>, String> {
        let written = &number.written;
        let is_float = written.contains(['.', 'e', 'E'])
            && !written.starts_with("0x")
            && !written.starts_with("0X")
            && !written.starts_with('\'');
        match (number.float, number.int) {
            (Some(float), _) if is_float => Ok(Value::Float(float)),
            (_, Some(int)) => Ok(Value::Int(int)),
            _ => Err(self.error(format!("{written} overflows int"))),
        }
    }

    fn validated(&self, value: Value<'m>, wanted: Wanted) -> Result<Value<'m>, String> {
        match (wanted, &value) {
            (Wanted::Anything, _) | (Wanted::Text, Value::Text(_)) => Ok(value),
            (Wanted::Text, Value::Nil) => Err(self.error("invalid value; expected string")),
            (Wanted::Text, other) => Err(self.error(format!(
                "wrong type for value; expected string; got {}",
                other.type_name()
            ))),
        }
    }

    fn variable(&self, name: &str) -> Value<'m> {
        let found = self.variables.iter().rev().find(|(n, _)| n == name);
        found.map_or(Value::Nil, |(_, value)| value.clone())
    }

    fn chain(
        &mut self,
        dot: &Value<'m>,
        inner: &'n Operand,
        fields: &[String],
        has_args: bool,
    ) -> Result<Value<'m>, String> {
        let value = self.argument(dot, inner, Wanted::Anything)?;
        self.fields(value, fields, has_args)
    }

    /// `.X.Y` of a value.
    fn fields(
        &self,
        mut value: Value<'m>,
        fields: &[String],
        has_args: bool,
    ) -> Result<Value<'m>, String> {
        for (index, field) in fields.iter().enumerate() {
            let last = index + 1 == fields.len();
            let found = match &value {
                Value::Nil => Err(format!("nil data; no entry for key {field:?}")),
                Value::Map(_) if has_args && last => {
                    Err(format!("{field} is not a method but has arguments"))
                }
                Value::Map(map) => match map.get(field) {
                    Some(text) => Ok(Value::Text(text.clone())),
                    None => Err(format!("map has no entry for key {field:?}")),
                },
                other => Err(format!(
                    "can't evaluate field {field} in type {}",
                    other.type_name()
                )),
            };
            value = found.map_err(|what| self.error(what))?;
        }
        Ok(value)
    }
}

fn too_many() -> String {
    format!("more than {MAX_ITERATIONS} iterations are not modelled")
}
