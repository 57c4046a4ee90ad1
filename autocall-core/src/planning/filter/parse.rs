//! From words to a checked tree.

use super::eval::{Instant, Node, Test};
use super::lex::{Placed, Token, lex};
use crate::Priority;
use std::fmt;

/// The longest expression, in bytes.
const BYTES_MAX: usize = 4_096;
/// The deepest nesting.
const DEPTH_MAX: usize = 32;
/// The longest `in (…)`.
const LIST_MAX: usize = 500;

/// What kind of value a field has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Text.
    Text,
    /// A number.
    Number,
    /// A priority.
    Priority,
    /// An instant.
    Instant,
    /// Yes or no.
    Flag,
    /// A free column: text, or a number where it is compared with one.
    Free,
}

/// Fields of a lead by name; everything else is a free column.
const FIELDS: &[(&str, Kind)] = &[
    ("state", Kind::Text),
    ("country", Kind::Text),
    ("postal_code", Kind::Text),
    ("timezone", Kind::Text),
    ("area_code", Kind::Number),
    ("type", Kind::Text),
    ("list", Kind::Text),
    ("priority", Kind::Priority),
    ("attempts", Kind::Number),
    ("last_outcome", Kind::Text),
    ("disposition", Kind::Text),
    ("created_at", Kind::Instant),
    ("last_attempt_at", Kind::Instant),
    ("has_callback", Kind::Flag),
];

/// A field that an expression asks about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its name, in small letters.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

impl Field {
    fn named(word: &str) -> Field {
        let name = word.to_lowercase();
        let kind = FIELDS.iter().find(|(known, _)| *known == name).map_or(Kind::Free, |(_, kind)| *kind);
        Field { name, kind }
    }
}

/// A mistake in an expression.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FilterError {
    /// The byte at which it is.
    pub at: usize,
    /// What is wrong.
    pub message: String,
}

impl FilterError {
    pub(super) fn new(at: usize, message: impl Into<String>) -> FilterError {
        FilterError { at, message: message.into() }
    }
    /// The expression with a mark under the mistake, for a terminal.
    pub fn show(&self, text: &str) -> String {
        let mut at = self.at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let start = text[..at].rfind('\n').map_or(0, |i| i + 1);
        let end = text[at..].find('\n').map_or(text.len(), |i| at + i);
        format!("{}\n{}^ {}", &text[start..end], " ".repeat(text[start..at].chars().count()), self.message)
    }
}
impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: {}", self.at + 1, self.message)
    }
}
impl std::error::Error for FilterError {}

/// A compiled expression.
#[derive(Clone, PartialEq, Debug)]
pub struct Filter {
    pub(super) root: Node,
    fields: Vec<Field>,
}

impl Filter {
    /// Compiles an expression; an empty one matches every lead.
    pub fn parse(text: &str) -> Result<Filter, FilterError> {
        if text.len() > BYTES_MAX {
            return Err(FilterError::new(BYTES_MAX, format!("an expression has at most {BYTES_MAX} bytes")));
        }
        let words = lex(text)?;
        let mut parser = Parser { words: &words, place: 0, end: text.len(), fields: Vec::new() };
        if words.is_empty() {
            return Ok(Filter { root: Node::All(Vec::new()), fields: Vec::new() });
        }
        let root = parser.any(0)?;
        match parser.peek() {
            None => Ok(Filter { root, fields: parser.fields }),
            Some(_) => Err(parser.wrong("expected and, or, or the end")),
        }
    }
    /// The fields that it asks about: only a change of one of them can change its answer.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }
}

struct Parser<'a> {
    words: &'a [Placed],
    place: usize,
    end: usize,
    fields: Vec<Field>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.words.get(self.place).map(|(token, _)| token)
    }
    fn at(&self) -> usize {
        self.words.get(self.place).map_or(self.end, |(_, at)| *at)
    }
    fn wrong(&self, message: impl Into<String>) -> FilterError {
        FilterError::new(self.at(), message)
    }
    fn next(&mut self) -> Option<&'a Token> {
        let token = self.peek();
        self.place += 1;
        token
    }
    /// Takes the keyword if it comes next.
    fn keyword(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(word));
        self.place += usize::from(found);
        found
    }
    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(s)) if *s == sign);
        self.place += usize::from(found);
        found
    }

    fn any(&mut self, depth: usize) -> Result<Node, FilterError> {
        let mut nodes = vec![self.all(depth)?];
        while self.keyword("or") {
            nodes.push(self.all(depth)?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::Any(nodes) })
    }

    fn all(&mut self, depth: usize) -> Result<Node, FilterError> {
        let mut nodes = vec![self.one(depth)?];
        while self.keyword("and") {
            nodes.push(self.one(depth)?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::All(nodes) })
    }

    fn one(&mut self, depth: usize) -> Result<Node, FilterError> {
        if depth >= DEPTH_MAX {
            return Err(self.wrong(format!("brackets and `not` are nested more than {DEPTH_MAX} deep")));
        }
        if self.keyword("not") {
            return Ok(Node::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.sign("(") {
            let node = self.any(depth + 1)?;
            return if self.sign(")") { Ok(node) } else { Err(self.wrong("expected )")) };
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Node, FilterError> {
        let name = match self.peek() {
            Some(Token::Word(word)) if !is_keyword(word) => word,
            _ => return Err(self.wrong("expected the name of a field")),
        };
        self.place += 1;
        let field = Field::named(name);
        let index = self.fields.iter().position(|known| *known == field).unwrap_or_else(|| {
            self.fields.push(field.clone());
            self.fields.len() - 1
        });
        let test = self.test(&field)?;
        Ok(Node::Test { field: self.fields[index].name.clone(), test })
    }

    fn test(&mut self, field: &Field) -> Result<Test, FilterError> {
        if self.keyword("is") {
            let negated = self.keyword("not");
            if !self.keyword("empty") {
                return Err(self.wrong("expected empty"));
            }
            return Ok(if negated { Test::Present } else { Test::Empty });
        }
        if self.keyword("in") {
            return self.list(field);
        }
        for (word, whole) in [("contains", false), ("starts", true)] {
            let at = self.at();
            if self.keyword(word) {
                if !matches!(field.kind, Kind::Text | Kind::Free) {
                    return Err(FilterError::new(at, format!("{} is not text", field.name)));
                }
                return match self.next() {
                    Some(Token::Text(text)) if whole => Ok(Test::Starts(text.to_lowercase())),
                    Some(Token::Text(text)) => Ok(Test::Contains(text.to_lowercase())),
                    _ => {
                        self.place -= 1;
                        Err(self.wrong("expected text in quotes"))
                    }
                };
            }
        }
        let at = self.at();
        let Some(Token::Sign(sign @ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "="))) = self.next() else {
            self.place -= 1;
            // A flag alone is a question.
            return if field.kind == Kind::Flag {
                Ok(Test::Flag(true))
            } else {
                Err(self.wrong("expected a comparison"))
            };
        };
        if *sign == "=" {
            return Err(FilterError::new(at, "write == to compare"));
        }
        self.against(field, sign, at)
    }

    /// The right side of a comparison, which must fit the field.
    fn against(&mut self, field: &Field, sign: &'static str, at: usize) -> Result<Test, FilterError> {
        let value_at = self.at();
        let ordered = !matches!(sign, "==" | "!=");
        match (field.kind, self.value()?) {
            (Kind::Number | Kind::Free, Literal::Number(n)) => Ok(Test::Number(sign, n)),
            (Kind::Text | Kind::Free, Literal::Text(text)) if !ordered => Ok(Test::Text(sign, text.to_lowercase())),
            (Kind::Text | Kind::Free, Literal::Text(_)) => {
                Err(FilterError::new(at, format!("text has no order; use == or != with {}", field.name)))
            }
            (Kind::Priority, Literal::Word(word) | Literal::Text(word)) => match Priority::parse(&word) {
                Some(priority) if !word.trim().is_empty() => Ok(Test::Priority(sign, priority)),
                _ => Err(FilterError::new(value_at, "expected low, normal, high or urgent")),
            },
            (Kind::Instant, Literal::Text(text)) => match Instant::parse(&text) {
                Some(instant) => Ok(Test::Instant(sign, instant)),
                None => Err(FilterError::new(value_at, "expected an instant such as \"2026-11-22\"")),
            },
            (Kind::Flag, Literal::Word(word)) if !ordered && matches!(word.as_str(), "true" | "false") => {
                Ok(Test::Flag((word == "true") == (sign == "==")))
            }
            (kind, _) => Err(FilterError::new(value_at, format!("{} is {}", field.name, expects(kind)))),
        }
    }

    fn list(&mut self, field: &Field) -> Result<Test, FilterError> {
        if !self.sign("(") {
            return Err(self.wrong("expected ( and a list"));
        }
        let (mut texts, mut numbers) = (Vec::new(), Vec::new());
        loop {
            let at = self.at();
            match (field.kind, self.value()?) {
                (Kind::Text | Kind::Free, Literal::Text(text)) => texts.push(text.to_lowercase()),
                (Kind::Number | Kind::Free, Literal::Number(n)) => numbers.push(n),
                (kind, _) => return Err(FilterError::new(at, format!("{} is {}", field.name, expects(kind)))),
            }
            if texts.len() + numbers.len() > LIST_MAX {
                return Err(FilterError::new(at, format!("a list has at most {LIST_MAX} values")));
            }
            if self.sign(")") {
                return Ok(Test::In { texts, numbers });
            }
            if !self.sign(",") {
                return Err(self.wrong("expected , or )"));
            }
        }
    }

    fn value(&mut self) -> Result<Literal, FilterError> {
        let negative = self.sign("-");
        match self.next() {
            Some(Token::Number(n)) => Ok(Literal::Number(if negative { -n } else { *n })),
            Some(Token::Text(text)) if !negative => Ok(Literal::Text(text.clone())),
            Some(Token::Word(word)) if !negative && !is_keyword(word) => Ok(Literal::Word(word.to_lowercase())),
            _ => {
                self.place -= 1;
                Err(self.wrong("expected a value: \"text\", 42, high"))
            }
        }
    }
}

enum Literal {
    Text(String),
    Number(f64),
    Word(String),
}

fn is_keyword(word: &str) -> bool {
    ["and", "or", "not", "in", "is", "empty", "contains", "starts"].iter().any(|k| word.eq_ignore_ascii_case(k))
}

fn expects(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text: put the value in quotes",
        Kind::Number => "a number",
        Kind::Priority => "a priority: low, normal, high or urgent",
        Kind::Instant => "an instant: \"2026-11-22\" or \"2026-11-22T15:00:00Z\"",
        Kind::Flag => "yes or no: true or false",
        Kind::Free => "a column: compare it with \"text\" or a number",
    }
}
