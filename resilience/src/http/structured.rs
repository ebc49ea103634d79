//! As much of RFC 9651 (structured fields) as the rate-limit fields use: lists of items with parameters.
//!
//! A list is parsed whole or not at all, as the RFC asks; unknown parameters are kept, for it asks that too. A number has at
//! most fifteen digits, so it fits. Inner lists do not occur in these fields and are an error.

use super::Malformed;

/// A list's item: a name (string or token), and parameters in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) parameters: Vec<(String, Value)>,
}

/// What a parameter can be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Value {
    Integer(u64),
    /// Of a byte sequence what is between the colons: base64.
    Bytes(String),
    /// A string, token, boolean, negative number or decimal: none of ours.
    Other,
}

impl Item {
    pub(super) fn integer(&self, key: &str) -> Option<u64> {
        match self.parameter(key)? {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn bytes(&self, key: &str) -> Option<String> {
        match self.parameter(key)? {
            Value::Bytes(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// The last of that name, as the RFC says.
    fn parameter(&self, key: &str) -> Option<&Value> {
        self.parameters.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}

/// Writes a string: quoted, with what has to be escaped. Anything that a string cannot hold becomes a question mark.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => out.push('?'),
        }
    }
    out.push('"');
    out
}

/// Parses a field's value.
pub(super) fn list(text: &str) -> Result<Vec<Item>, Malformed> {
    let mut rest = Rest(text.trim_matches(' '));
    let mut items = Vec::new();
    while !rest.0.is_empty() {
        items.push(rest.item()?);
        rest.skip(&[' ', '\t']);
        if rest.0.is_empty() {
            break;
        }
        rest.expect(',')?;
        rest.skip(&[' ', '\t']);
        if rest.0.is_empty() {
            return Err(Malformed);
        }
    }
    Ok(items)
}

/// What is still to be parsed.
struct Rest<'t>(&'t str);

impl<'t> Rest<'t> {
    fn skip(&mut self, these: &[char]) {
        self.0 = self.0.trim_start_matches(these);
    }

    fn expect(&mut self, c: char) -> Result<(), Malformed> {
        self.0 = self.0.strip_prefix(c).ok_or(Malformed)?;
        Ok(())
    }

    fn take_while(&mut self, of: impl Fn(char) -> bool) -> &'t str {
        let end = self.0.find(|c| !of(c)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn item(&mut self) -> Result<Item, Malformed> {
        let name = match self.0.chars().next() {
            Some('"') => self.string()?,
            Some('a'..='z' | 'A'..='Z' | '*') => self.token().to_owned(),
            _ => return Err(Malformed),
        };
        let mut parameters = Vec::new();
        while self.0.starts_with(';') {
            self.expect(';')?;
            self.skip(&[' ']);
            let key = self.key()?;
            let value = if self.0.starts_with('=') {
                self.expect('=')?;
                self.value()?
            } else {
                Value::Other
            };
            parameters.push((key, value));
        }
        Ok(Item { name, parameters })
    }

    fn key(&mut self) -> Result<String, Malformed> {
        let key = self.take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.*".contains(c));
        if key.starts_with(|c: char| c.is_ascii_lowercase() || c == '*') { Ok(key.to_owned()) } else { Err(Malformed) }
    }

    fn token(&mut self) -> &'t str {
        self.take_while(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:/".contains(c))
    }

    fn value(&mut self) -> Result<Value, Malformed> {
        match self.0.chars().next() {
            Some('0'..='9') => self.integer(),
            Some('-') => {
                self.expect('-')?;
                self.integer().map(|_| Value::Other)
            }
            Some(':') => self.byte_sequence(),
            Some('"') => self.string().map(|_| Value::Other),
            Some('?') => {
                self.expect('?')?;
                if matches!(self.take_while(|c| "01".contains(c)), "0" | "1") {
                    Ok(Value::Other)
                } else {
                    Err(Malformed)
                }
            }
            Some('a'..='z' | 'A'..='Z' | '*') => {
                self.token();
                Ok(Value::Other)
            }
            _ => Err(Malformed),
        }
    }

    fn integer(&mut self) -> Result<Value, Malformed> {
        let digits = self.take_while(|c| c.is_ascii_digit());
        if self.0.starts_with('.') {
            self.expect('.')?;
            let fraction = self.take_while(|c| c.is_ascii_digit());
            let fits = (1..=12).contains(&digits.len()) && (1..=3).contains(&fraction.len());
            return if fits { Ok(Value::Other) } else { Err(Malformed) };
        }
        if digits.len() > 15 {
            return Err(Malformed);
        }
        digits.parse().map(Value::Integer).map_err(|_| Malformed)
    }

    fn byte_sequence(&mut self) -> Result<Value, Malformed> {
        self.expect(':')?;
        let text = self.take_while(|c| c.is_ascii_alphanumeric() || "+/=".contains(c));
        self.expect(':')?;
        Ok(Value::Bytes(text.to_owned()))
    }

    fn string(&mut self) -> Result<String, Malformed> {
        self.expect('"')?;
        let mut out = String::new();
        let mut chars = self.0.char_indices();
        loop {
            match chars.next().ok_or(Malformed)? {
                (at, '"') => {
                    self.0 = &self.0[at + 1..];
                    return Ok(out);
                }
                (_, '\\') => match chars.next() {
                    Some((_, c @ ('"' | '\\'))) => out.push(c),
                    _ => return Err(Malformed),
                },
                (_, c @ ' '..='~') => out.push(c),
                _ => return Err(Malformed),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_list_is_refused_whole() {
        for text in ["", " ", "\"a\"", "a;q=1, b;q=2", "\"a\";q=1;x;y=?1;z=-3;w=1.5;t=tok;s=\"s\"", "a;pk=:Zm8=:"] {
            assert!(list(text).is_ok(), "{text}");
        }
        for text in [
            "a,",
            ",a",
            "a b",
            "\"a",
            "a;Q=1",
            "a;q=",
            "a;q=1234567890123456",
            "(a b)",
            "1",
            "a;pk=:?:",
            "\"\\n\"",
            "a;b=?2",
        ] {
            assert_eq!(list(text), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn the_last_parameter_of_a_name_counts() {
        assert_eq!(list("a;q=1;q=2").unwrap()[0].integer("q"), Some(2));
        assert_eq!(list("a;q=1;q=x").unwrap()[0].integer("q"), None);
    }

    proptest! {
        #[test]
        fn strings_come_back(text in "[ -~]{0,40}") {
            let item = &list(&quoted(&text)).unwrap()[0];
            prop_assert_eq!(&item.name, &text);
        }

        #[test]
        fn nothing_makes_it_panic(text: String) {
            let _ = list(&text);
        }

        #[test]
        fn nothing_like_a_list_makes_it_panic(text in "[a\";=,:?0-9 \\\\.-]{0,60}") {
            let _ = list(&text);
        }
    }
}
