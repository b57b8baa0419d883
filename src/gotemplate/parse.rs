//! Tokens to nodes (`text/template/parse/parse.go`).

use super::funcs;
use super::lex::{Item, Kind, Lexer};
use super::node::{Branch, Command, Node, Operand, Pipe, Term};
use super::number;

/// How deep control structures and parentheses may nest here.
const MAX_DEPTH: usize = 100;

/// Reads a template; the error is Go's, with its position.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, String> {
    let mut parser = Parser {
        lexer: Lexer::new(text),
        tokens: std::array::from_fn(|_| Item {
            kind: Kind::Eof,
            pos: 0,
            text: String::new(),
            line: 1,
        }),
        peeked: 0,
        variables: vec!["$".to_owned()],
        action_line: 0,
        range_depth: 0,
        depth: 0,
    };
    let mut nodes = Vec::new();
    while parser.peek().kind != Kind::Eof {
        match parser.text_or_action()? {
            Parsed::Node(node) => nodes.push(node),
            Parsed::End => return Err(parser.error("unexpected {{end}}")),
            Parsed::Else => return Err(parser.error("unexpected {{else}}")),
        }
    }
    Ok(nodes)
}

/// What a piece of a list may be.
enum Parsed {
    Node(Node),
    End,
    Else,
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    /// Look-ahead; the first is the token last taken from the lexer.
    tokens: [Item; 3],
    peeked: usize,
    variables: Vec<String>,
    /// Line of the action being read, for errors at the end of the text.
    action_line: usize,
    range_depth: usize,
    depth: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Item {
        if self.peeked > 0 {
            self.peeked -= 1;
        } else {
            self.tokens[0] = self.lexer.next();
        }
        self.tokens[self.peeked].clone()
    }

    fn backup(&mut self) {
        self.peeked += 1;
    }

    fn peek(&mut self) -> Item {
        let token = self.next();
        self.backup();
        token
    }

    fn next_non_space(&mut self) -> Item {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek_non_space(&mut self) -> Item {
        let token = self.next_non_space();
        self.backup();
        token
    }

    fn error(&self, what: impl AsRef<str>) -> String {
        format!("template: tmpl:{}: {}", self.tokens[0].line, what.as_ref())
    }

    fn unexpected(&self, token: &Item, context: &str) -> String {
        if token.kind != Kind::Error {
            return self.error(format!("unexpected {} in {context}", token.shown()));
        }
        let mut extra = String::new();
        if self.action_line != 0 && self.action_line != token.line {
            let words = if token.text.ends_with(" action") {
                ""
            } else {
                " in action"
            };
            extra = format!("{words} started at tmpl:{}", self.action_line);
        }
        self.error(format!("{}{extra}", token.text))
    }

    fn not_modelled(&self, what: &str) -> String {
        self.error(format!("{what} is not modelled"))
    }

    fn expect_right_delim(&mut self, context: &str) -> Result<(), String> {
        let token = self.next_non_space();
        if token.kind == Kind::RightDelim {
            Ok(())
        } else {
            Err(self.unexpected(&token, context))
        }
    }

    /// Nodes up to `{{end}}` or `{{else}}`.
    fn list(&mut self) -> Result<(Vec<Node>, Parsed), String> {
        let mut nodes = Vec::new();
        while self.peek_non_space().kind != Kind::Eof {
            match self.text_or_action()? {
                Parsed::Node(node) => nodes.push(node),
                end => return Ok((nodes, end)),
            }
        }
        Err(self.error("unexpected EOF"))
    }

    fn text_or_action(&mut self) -> Result<Parsed, String> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => Ok(Parsed::Node(Node::Text(token.text))),
            Kind::LeftDelim => {
                self.action_line = token.line;
                let parsed = self.action();
                self.action_line = 0;
                parsed
            }
            _ => Err(self.unexpected(&token, "input")),
        }
    }

    /// The inside of `{{ }}`; the left delimiter is past.
    fn action(&mut self) -> Result<Parsed, String> {
        let token = self.next_non_space();
        if token.kind == Kind::Keyword {
            return match token.text.as_str() {
                "if" => Ok(Parsed::Node(Node::Branch(self.control("if")?))),
                "with" => Ok(Parsed::Node(Node::Branch(self.control("with")?))),
                "range" => Ok(Parsed::Node(Node::Range(self.control("range")?))),
                "end" => self.expect_right_delim("end").map(|()| Parsed::End),
                "else" => self.else_control(),
                "break" => self.leave_range("{{break}}", Node::Break),
                "continue" => self.leave_range("{{continue}}", Node::Continue),
                other => Err(self.not_modelled(&format!("{{{{{other}}}}}"))),
            };
        }
        self.backup();
        let pipe = self.pipeline("command", Kind::RightDelim)?;
        Ok(Parsed::Node(Node::Action(pipe)))
    }

    fn else_control(&mut self) -> Result<Parsed, String> {
        // `{{else if` is `{{else}}{{if`: the keyword stays for the control structure to find.
        let token = self.peek_non_space();
        if token.kind != Kind::Keyword || !matches!(token.text.as_str(), "if" | "with") {
            self.expect_right_delim("else")?;
        }
        Ok(Parsed::Else)
    }

    fn leave_range(&mut self, keyword: &str, node: Node) -> Result<Parsed, String> {
        let token = self.next_non_space();
        if token.kind != Kind::RightDelim {
            return Err(self.unexpected(&token, keyword));
        }
        if self.range_depth == 0 {
            return Err(self.error(format!("{keyword} outside {{{{range}}}}")));
        }
        Ok(Parsed::Node(node))
    }

    /// `if`, `with` or `range` up to its `{{end}}`; the keyword is past.
    fn control(&mut self, keyword: &str) -> Result<Branch, String> {
        self.descend()?;
        let variables = self.variables.len();
        let ranges = usize::from(keyword == "range");
        let pipe = self.pipeline(keyword, Kind::RightDelim)?;
        self.range_depth += ranges;
        let (then, end) = self.list()?;
        self.range_depth -= ranges;
        let mut otherwise = Vec::new();
        if matches!(end, Parsed::Else) {
            let token = self.peek();
            let chained = token.kind == Kind::Keyword && token.text == keyword && ranges == 0;
            if chained {
                self.next();
                otherwise.push(Node::Branch(self.control(keyword)?));
            } else {
                let (nodes, end) = self.list()?;
                if !matches!(end, Parsed::End) {
                    return Err(self.error("expected end; found {{else}}"));
                }
                otherwise = nodes;
            }
        }
        self.variables.truncate(variables);
        self.depth -= 1;
        Ok(Branch {
            sets_dot: keyword == "with",
            pipe,
            then,
            otherwise,
        })
    }

    fn descend(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.not_modelled(&format!("nesting deeper than {MAX_DEPTH}")));
        }
        Ok(())
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Result<Pipe, String> {
        let mut pipe = Pipe {
            pos: self.peek_non_space().pos,
            variables: Vec::new(),
            is_assignment: false,
            commands: Vec::new(),
        };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => break,
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.backup();
                    pipe.commands.push(self.command()?);
                }
                _ => return Err(self.unexpected(&token, context)),
            }
        }
        if pipe.commands.is_empty() {
            return Err(self.error(format!("missing value for {context}")));
        }
        // Only the first command may be a plain value.
        for (stage, command) in pipe.commands.iter().enumerate().skip(1) {
            if matches!(
                command.operands[0].term,
                Term::Bool(_) | Term::Dot | Term::Nil | Term::Number(_) | Term::String { .. }
            ) {
                return Err(self.error(format!(
                    "non executable command in pipeline stage {}",
                    stage + 1
                )));
            }
        }
        Ok(pipe)
    }

    /// `$x :=`, `$x =`, and in a range `$i, $x :=`.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Result<(), String> {
        loop {
            let variable = self.peek_non_space();
            if variable.kind != Kind::Variable {
                return Ok(());
            }
            self.next();
            // Three tokens of look-ahead: in `$x foo` the space and `foo` have to be seen before `$x` is known to be an operand.
            let after = self.peek();
            let next = self.peek_non_space();
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    pipe.is_assignment = next.kind == Kind::Assign;
                    self.next_non_space();
                    pipe.variables.push(variable.text.clone());
                    self.variables.push(variable.text);
                    return Ok(());
                }
                Kind::Char if next.text == "," => {
                    self.next_non_space();
                    pipe.variables.push(variable.text.clone());
                    self.variables.push(variable.text);
                    if context != "range" || pipe.variables.len() > 1 {
                        return Err(self.error(format!("too many declarations in {context}")));
                    }
                    if !matches!(
                        self.peek_non_space().kind,
                        Kind::Variable | Kind::RightDelim | Kind::RightParen
                    ) {
                        return Err(self.error("range can only initialize variables"));
                    }
                }
                _ => {
                    if after.kind == Kind::Space {
                        self.tokens[1] = after;
                        self.tokens[2] = variable;
                        self.peeked = 3;
                    } else {
                        self.tokens[1] = variable;
                        self.peeked = 2;
                    }
                    return Ok(());
                }
            }
        }
    }

    fn command(&mut self) -> Result<Command, String> {
        let mut operands = Vec::new();
        loop {
            self.peek_non_space();
            operands.extend(self.operand()?);
            let token = self.next();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.backup(),
                Kind::Pipe => {}
                _ => return Err(self.unexpected(&token, "operand")),
            }
            break;
        }
        if operands.is_empty() {
            return Err(self.error("empty command"));
        }
        Ok(Command { operands })
    }

    /// A term and the fields behind it; none if what follows is no operand.
    fn operand(&mut self) -> Result<Option<Operand>, String> {
        let Some(mut operand) = self.term()? else {
            return Ok(None);
        };
        let first = self.peek();
        if first.kind != Kind::Field {
            return Ok(Some(operand));
        }
        let mut fields = Vec::new();
        while self.peek().kind == Kind::Field {
            fields.push(self.next().text[1..].to_owned());
        }
        match &mut operand.term {
            Term::Field(own) | Term::Variable { fields: own, .. } => {
                own.extend(fields);
                operand.pos = first.pos;
            }
            Term::Bool(_) | Term::String { .. } | Term::Number(_) | Term::Nil | Term::Dot => {
                let shown = operand.term.to_string();
                return Err(self.error(format!("unexpected . after term {shown:?}")));
            }
            Term::Identifier(_) | Term::Chain { .. } | Term::Pipe(_) => {
                operand = Operand {
                    pos: first.pos,
                    term: Term::Chain {
                        operand: Box::new(operand),
                        fields,
                    },
                };
            }
        }
        Ok(Some(operand))
    }

    fn term(&mut self) -> Result<Option<Operand>, String> {
        let token = self.next_non_space();
        let term = match token.kind {
            Kind::Identifier => {
                match funcs::known(&token.text) {
                    funcs::Known::Modelled => {}
                    funcs::Known::NotModelled => {
                        return Err(self.not_modelled(&format!("function {:?}", token.text)));
                    }
                    funcs::Known::No => {
                        return Err(self.error(format!("function {:?} not defined", token.text)));
                    }
                }
                Term::Identifier(token.text)
            }
            Kind::Dot => Term::Dot,
            Kind::Nil => Term::Nil,
            Kind::Variable => {
                if !self.variables.contains(&token.text) {
                    return Err(self.error(format!("undefined variable {:?}", token.text)));
                }
                Term::Variable {
                    name: token.text,
                    fields: Vec::new(),
                }
            }
            Kind::Field => Term::Field(vec![token.text[1..].to_owned()]),
            Kind::Bool => Term::Bool(token.text == "true"),
            Kind::CharConstant => {
                Term::Number(number::parse_char(&token.text).map_err(|e| self.error(e))?)
            }
            Kind::Complex => return Err(self.not_modelled("a complex number")),
            Kind::Number if token.text.ends_with('i') => {
                return Err(self.not_modelled("a complex number"));
            }
            Kind::Number => Term::Number(number::parse(&token.text).map_err(|e| self.error(e))?),
            Kind::LeftParen => {
                self.descend()?;
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
                self.depth -= 1;
                return Ok(Some(Operand {
                    pos: pipe.pos,
                    term: Term::Pipe(pipe),
                }));
            }
            Kind::String | Kind::RawString => Term::String {
                text: number::unquote(&token.text).map_err(|e| self.error(e))?,
                written: token.text,
            },
            _ => {
                self.backup();
                return Ok(None);
            }
        };
        Ok(Some(Operand {
            pos: token.pos,
            term,
        }))
    }
}
