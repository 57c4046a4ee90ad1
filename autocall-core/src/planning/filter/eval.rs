//! The answer of an expression for one lead.

use super::parse::Filter;
use crate::{Priority, Timestamp};
use std::cmp::Ordering;

/// A value of a lead.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value<'a> {
    /// Text; a free column is always text.
    Text(&'a str),
    /// A number.
    Number(f64),
    /// A priority.
    Priority(Priority),
    /// An instant.
    Instant(Timestamp),
    /// Yes or no.
    Flag(bool),
}

/// Where an expression reads a lead's plain values.
pub trait Values {
    /// The value of a field (its name in small letters); `None` if the lead has none.
    fn value(&self, field: &str) -> Option<Value<'_>>;
}

impl<F: for<'a> Fn(&'a str) -> Option<Value<'static>>> Values for F {
    fn value(&self, field: &str) -> Option<Value<'_>> {
        self(field)
    }
}

/// An instant of an expression: a whole day, or a point in time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Instant {
    from: Timestamp,
    /// The first instant after it.
    to: Timestamp,
}

impl Instant {
    /// A date (the whole day, in UTC) or RFC 3339.
    pub(super) fn parse(text: &str) -> Option<Instant> {
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            let from = Timestamp::from_jiff(at);
            return Some(Instant { from, to: from + crate::Millis::from_ms(1) });
        }
        let date: jiff::civil::Date = text.parse().ok()?;
        let start = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        let from = Timestamp::from_jiff(start);
        Some(Instant { from, to: from + crate::Millis::from_days(1) })
    }
    fn compare(self, at: Timestamp) -> Ordering {
        if at < self.from {
            Ordering::Less
        } else if at >= self.to {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    }
}

/// A node of the tree.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Test { field: String, test: Test },
}

/// A question about one field. Text is in small letters.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Test {
    Empty,
    Present,
    Contains(String),
    Starts(String),
    Text(&'static str, String),
    Number(&'static str, f64),
    Priority(&'static str, Priority),
    Instant(&'static str, Instant),
    Flag(bool),
    In { texts: Vec<String>, numbers: Vec<f64> },
}

impl Filter {
    /// Whether the lead matches. Total: whatever does not fit does not match.
    pub fn matches(&self, lead: &impl Values) -> bool {
        answer(&self.root, lead)
    }
}

fn answer(node: &Node, lead: &impl Values) -> bool {
    match node {
        Node::All(nodes) => nodes.iter().all(|node| answer(node, lead)),
        Node::Any(nodes) => nodes.iter().any(|node| answer(node, lead)),
        Node::Not(node) => !answer(node, lead),
        Node::Test { field, test } => {
            let value = lead.value(field).filter(|value| !matches!(value, Value::Text(text) if text.trim().is_empty()));
            match (test, value) {
                (Test::Empty, value) => value.is_none(),
                (_, None) => false,
                (test, Some(value)) => asked(test, value),
            }
        }
    }
}

fn asked(test: &Test, value: Value<'_>) -> bool {
    match (test, value) {
        (Test::Present, _) => true,
        (Test::Contains(part), Value::Text(text)) => text.to_lowercase().contains(part.as_str()),
        (Test::Starts(part), Value::Text(text)) => text.trim().to_lowercase().starts_with(part.as_str()),
        (Test::Text(sign, wanted), Value::Text(text)) => (text.trim().to_lowercase() == *wanted) == (*sign == "=="),
        (Test::Number(sign, wanted), value) => {
            number(value).and_then(|n| n.partial_cmp(wanted)).is_some_and(|order| holds(sign, order))
        }
        (Test::Priority(sign, wanted), Value::Priority(own)) => holds(sign, own.cmp(wanted)),
        (Test::Instant(sign, wanted), Value::Instant(at)) => holds(sign, wanted.compare(at)),
        (Test::Flag(wanted), Value::Flag(own)) => own == *wanted,
        (Test::In { texts, numbers }, value) => {
            let text = matches!(value, Value::Text(text) if texts.contains(&text.trim().to_lowercase()));
            text || number(value).is_some_and(|n| numbers.contains(&n))
        }
        _ => false,
    }
}

/// A number, also one that a free column holds as text.
fn number(value: Value<'_>) -> Option<f64> {
    match value {
        Value::Number(n) => Some(n),
        Value::Text(text) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()),
        _ => None,
    }
}

fn holds(sign: &str, order: Ordering) -> bool {
    match sign {
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lead(field: &str) -> Option<Value<'static>> {
        Some(match field {
            "state" => Value::Text("TX"),
            "priority" => Value::Priority(Priority::High),
            "attempts" => Value::Number(2.0),
            "created_at" => Value::Instant(Timestamp::from_secs(1_795_352_400)), // 2026-11-22T13:00:00Z
            "has_callback" => Value::Flag(false),
            "age" => Value::Text(" 29 "),
            "company" => Value::Text("Müller & Söhne"),
            "blank" => Value::Text("  "),
            _ => return None,
        })
    }
    fn matches(text: &str) -> bool {
        Filter::parse(text).unwrap_or_else(|e| panic!("{}", e.show(text))).matches(&lead)
    }

    #[test]
    fn expressions_mean_what_they_say() {
        for yes in [
            "",
            "state == \"TX\" and priority >= high and age < 30",
            "state in ('fl', 'tx')",
            "not (state == 'FL' or attempts > 2)",
            "state == 'FL' or state == 'CA' and attempts == 9 or attempts == 2",
            "company contains 'müll' and company starts 'MÜLLER'",
            "created_at == \"2026-11-22\" and created_at < \"2026-11-22T13:00:00.001Z\" and created_at > '2026-11-21'",
            "has_callback == false and not has_callback and has_callback != true",
            "blank is empty and nothing is empty and age is not empty",
            "age in (28, 29) and age != 30 and age > -1",
            "priority != low and priority < urgent and priority in_list is empty or priority == \"HIGH\"",
        ] {
            if yes.contains("in_list") {
                assert!(Filter::parse(yes).is_err());
                continue;
            }
            assert!(matches(yes), "{yes}");
        }
        for no in [
            "state != 'tx'",
            "nothing == 'x'",
            "nothing != 'x'",
            "company < 5",
            "age > 29",
            "state in ()  or state == 'x'",
            "has_callback",
        ] {
            match Filter::parse(no) {
                Ok(filter) => assert!(!filter.matches(&lead), "{no}"),
                Err(_) => assert!(no.contains("()")),
            }
        }
    }

    #[test]
    fn a_mistake_is_shown_where_it_is() {
        for (text, at, message) in [
            ("state = 'TX'", 6, "write == to compare"),
            ("state == TX", 9, "state is text: put the value in quotes"),
            ("priority >= soon", 12, "expected low, normal, high or urgent"),
            ("attempts > 'many'", 11, "attempts is a number"),
            ("state > 'A'", 6, "text has no order"),
            ("state == 'TX", 9, "this text does not end"),
            ("(state == 'TX'", 14, "expected )"),
            ("state == 'TX' state", 14, "expected and, or, or the end"),
            ("and", 0, "expected the name of a field"),
            ("state", 5, "expected a comparison"),
            ("created_at > 'soon'", 13, "expected an instant"),
            ("attempts contains '1'", 9, "attempts is not text"),
            ("état == 'x' ; drop", 13, "what is ';' doing here?"),
            ("age > 1.2.3", 6, "this is not a number"),
            ("state in ('a' 'b')", 14, "expected , or )"),
            ("x is full", 5, "expected empty"),
        ] {
            let error = Filter::parse(text).expect_err(text);
            assert_eq!((error.at, error.message.starts_with(message)), (at, true), "{text}: {error:?}");
        }
        let text = "état == 'x' and\n  state = 'TX'";
        assert_eq!(Filter::parse(text).expect_err("=").show(text), "  state = 'TX'\n        ^ write == to compare");
        assert!(Filter::parse(&"(".repeat(3_000)).expect_err("deep").message.contains("32 deep"));
        assert!(Filter::parse(&"x".repeat(5_000)).is_err());
        let long = format!("x in ({})", vec!["1"; 501].join(","));
        assert!(Filter::parse(&long).expect_err("long").message.contains("500 values"));
    }

    #[test]
    fn it_tells_which_fields_it_asks_about() {
        let filter = Filter::parse("State == 'x' and (Age > 1 or state is empty)").expect("fine");
        let names: Vec<&str> = filter.fields().iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["state", "age"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-z0-9 ()<>=!,'\"\\.é-]{0,60}") {
            if let Ok(filter) = Filter::parse(&text) {
                filter.matches(&lead);
            }
        }
        #[test]
        fn not_turns_every_answer_around(a in 0usize..4, b in 0usize..4) {
            let parts = ["state == 'TX'", "attempts > 5", "nothing == 'x'", "has_callback"];
            let (a, b) = (parts[a], parts[b]);
            prop_assert_eq!(matches(&format!("not ({a} and {b})")), matches(&format!("not {a} or not {b}")));
        }
    }

    #[test]
    fn signs_text_and_lists_are_read_to_the_letter() {
        for (text, yes) in [
            ("attempts == 2", true),
            ("attempts != 2", false),
            ("attempts < 2", false),
            ("attempts <= 2", true),
            ("attempts > 2", false),
            ("attempts >= 2", true),
            ("attempts >= 2.5", false),
            ("attempts in (1, 3)", false),
            ("attempts in (-2, 2)", true),
            ("age > -29.5 and age < 29.5", true),
            ("state == 'TX' or state == 'FL' and attempts == 9", true),
            ("(state == 'TX' or state == 'FL') and attempts == 9", false),
            ("NOT state == 'FL' AND STATE == 'tx'", true),
            ("not not has_callback", false),
            ("has_callback != false", false),
            ("has_callback == true or has_callback == false", true),
            ("company == \"Müller & Söhne\"", true),
            ("company == 'M\\'s'", false),
            ("company contains '\\&'", true),
            ("company starts 'öhne'", false),
            ("company contains 'öhne'", true),
            ("state contains 'tx' and state starts 't'", true),
            ("created_at == '2026-11-22T13:00:00Z'", true),
            ("created_at <= '2026-11-21'", false),
            ("created_at >= '2026-11-22' and created_at <= '2026-11-22'", true),
            ("created_at < '2026-11-23' and created_at != '2026-11-23'", true),
            ("created_at > '2026-11-22T12:59:59.999Z'", true),
            ("created_at > '2026-11-22T13:00:00Z'", false),
            ("priority in_x is empty", false),
            ("_odd.name is empty", true),
            ("blank in ('')", false),
        ] {
            match Filter::parse(text) {
                Ok(filter) => assert_eq!(filter.matches(&lead), yes, "{text}"),
                Err(error) => assert!(text.contains("in_x"), "{text}: {error}"),
            }
        }
    }

    #[test]
    fn more_mistakes_are_shown_where_they_are() {
        for (text, at, message) in [
            ("state == -'TX'", 10, "expected a value"),
            ("state == and", 9, "expected a value"),
            ("state ==", 8, "expected a value"),
            ("priority == -high", 13, "expected a value"),
            ("priority == ' '", 12, "expected low, normal, high or urgent"),
            ("priority == 3", 12, "priority is a priority"),
            ("has_callback > true", 15, "has_callback is yes or no"),
            ("has_callback == maybe", 16, "has_callback is yes or no"),
            ("created_at > 5", 13, "created_at is an instant"),
            ("age == high", 7, "age is a column"),
            ("state in 'TX'", 9, "expected ( and a list"),
            ("state in (5)", 10, "state is text"),
            ("attempts in ('x')", 13, "attempts is a number"),
            ("company contains 5", 17, "expected text in quotes"),
            ("company starts", 14, "expected text in quotes"),
            ("state 'TX'", 6, "expected a comparison"),
            ("x == 'a\\", 5, "this text does not end"),
            ("not", 3, "expected the name of a field"),
        ] {
            let error = Filter::parse(text).expect_err(text);
            assert_eq!((error.at, error.message.starts_with(message)), (at, true), "{text}: {error:?}");
        }
        let error = Filter::parse("état = 1").expect_err("=");
        assert_eq!(error.to_string(), "at character 7: write == to compare");
        assert_eq!(error.show("état = 1"), "état = 1\n     ^ write == to compare");
        // Of another text, and from the middle of a letter, it still shows a place.
        assert_eq!(
            crate::planning::filter::FilterError { at: 1, ..error.clone() }.show("é"),
            "é\n^ write == to compare"
        );
        assert_eq!(error.show("a\nb\nc"), "c\n ^ write == to compare");
    }

    #[test]
    fn an_expression_may_be_as_long_and_deep_as_it_is_said() {
        let padded = |bytes: usize| format!("x is empty{}", " ".repeat(bytes - 10));
        assert!(Filter::parse(&padded(4_096)).is_ok() && Filter::parse(&padded(4_097)).is_err());
        let nested = |depth: usize| format!("{}x is empty{}", "(".repeat(depth), ")".repeat(depth));
        assert!(Filter::parse(&nested(31)).is_ok() && Filter::parse(&nested(32)).is_err());
        let not = |depth: usize| format!("{}x is empty", "not ".repeat(depth));
        assert!(Filter::parse(&not(31)).is_ok() && Filter::parse(&not(32)).is_err());
        let list = |n: usize| format!("x in ('a', {})", vec!["1"; n - 1].join(","));
        assert!(Filter::parse(&list(500)).is_ok() && Filter::parse(&list(501)).is_err());
    }
}
