//! From text to words, each with its place.

use super::parse::FilterError;

/// A word of an expression.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Token {
    /// A name or a keyword.
    Word(String),
    /// Quoted text.
    Text(String),
    /// A number.
    Number(f64),
    /// A sign: `==`, `(`, `,`…
    Sign(&'static str),
}

/// A word and the byte at which it begins.
pub(super) type Placed = (Token, usize);

const SIGNS: [&str; 11] = ["==", "!=", "<=", ">=", "<", ">", "(", ")", ",", "=", "-"];

/// Splits an expression. The number of words is bounded by the length of the text, which the
/// caller has limited.
pub(super) fn lex(text: &str) -> Result<Vec<Placed>, FilterError> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if first.is_whitespace() {
            at += first.len_utf8();
        } else if first == '"' || first == '\'' {
            let (value, used) = quoted(rest, first).ok_or_else(|| FilterError::new(at, "this text does not end"))?;
            out.push((Token::Text(value), at));
            at += used;
        } else if first.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let number = rest[..end].parse().map_err(|_| FilterError::new(at, "this is not a number"))?;
            out.push((Token::Number(number), at));
            at += end;
        } else if first.is_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').unwrap_or(rest.len());
            out.push((Token::Word(rest[..end].to_owned()), at));
            at += end;
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            out.push((Token::Sign(sign), at));
            at += sign.len();
        } else {
            return Err(FilterError::new(at, format!("what is {first:?} doing here?")));
        }
    }
    Ok(out)
}

/// Quoted text and the bytes it takes; a backslash keeps the next character as it is.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.push(chars.next()?.1),
            _ if c == quote => return Some((value, at + 1)),
            _ => value.push(c),
        }
    }
    None
}
