//! SVG and `MathML` in a page, where other rules hold: what of it a tokenizer cuts as browsers do, that builds no tree.

use super::{Tag, Token, Unreadable, VOID};

/// Elements of pictures that hold HTML (HTML §13.2.6), each beside the picture that it belongs to.
const INTEGRATION_POINTS: [(&str, &str); 9] = [
    ("svg", "foreignobject"),
    ("svg", "desc"),
    ("svg", "title"),
    ("math", "mi"),
    ("math", "mo"),
    ("math", "mn"),
    ("math", "ms"),
    ("math", "mtext"),
    ("math", "annotation-xml"),
];

/// In the HTML of a picture: these end a cell around the picture, or are no HTML after all.
const TREACHEROUS: [&str; 11] =
    ["caption", "col", "colgroup", "malignmark", "mglyph", "tbody", "td", "tfoot", "th", "thead", "tr"];

/// HTML that no picture holds: it ends the picture (HTML §13.2.6.5). Of `<font>` the attributes decide.
const ENDS_PICTURES: [&str; 45] = [
    "b",
    "big",
    "blockquote",
    "body",
    "br",
    "center",
    "code",
    "dd",
    "div",
    "dl",
    "dt",
    "em",
    "embed",
    "font",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "hr",
    "i",
    "img",
    "li",
    "listing",
    "menu",
    "meta",
    "nobr",
    "ol",
    "p",
    "pre",
    "ruby",
    "s",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "table",
    "tt",
    "u",
    "ul",
    "var",
];

/// Whether tokens end with a picture like `<svg/>`. What is around it goes on behind it: that must be HTML.
pub(super) fn ends_with_empty(tokens: &[Token]) -> Result<bool, Unreadable> {
    let Some((Token::Start(last), before)) = tokens.split_last().filter(|(last, _)| is_empty(last)) else {
        return Ok(false);
    };
    let open = before.iter().fold(0_usize, |open, token| match token {
        Token::Start(tag) if is_picture(&tag.name) => open + 1,
        Token::End { name, .. } if is_picture(name) => open.saturating_sub(1),
        _ => open,
    });
    if open == 0 { Ok(true) } else { Err(Unreadable(format!("`<{}/>` stands in another picture", last.name))) }
}

fn is_empty(token: &Token) -> bool {
    matches!(token, Token::Start(tag) if is_empty_picture(tag))
}

/// `<svg/>` or `<math/>`.
pub(super) fn is_empty_picture(tag: &Tag) -> bool {
    tag.self_closing && is_picture(&tag.name)
}

fn is_picture(name: &str) -> bool {
    matches!(name, "svg" | "math")
}

/// Whether the tokenizer knew at every tag whether HTML goes on there or a picture, as far as can be told. It counts
/// pictures and their ends; browsers keep all that is open, and what is nested well is the same to both.
pub(super) fn are_certain(tokens: &[Token], text: &str) -> bool {
    let has = |test: fn(&str) -> bool| tokens.iter().any(|token| matches!(token, Token::Start(tag) if test(&tag.name)));
    // Frames have no pictures beside them: browsers overlook the tags.
    if has(|name| name == "frameset") && has(is_picture) {
        return false;
    }
    if parts_a_select(tokens) {
        return false;
    }
    let mut open = Elements(Vec::new());
    tokens.iter().all(|token| match token {
        Token::Start(tag) => open.start(tag, text),
        Token::End { name, .. } => open.end(name),
        Token::Other(span) => open.0.is_empty() || !holds_end_tag(&text[span.clone()]),
        Token::Text { .. } | Token::Comment(_) | Token::Doctype(_) => true,
    })
}

/// Whether a picture without content stands in a `<select>`: what is behind it is read without knowing of that.
fn parts_a_select(tokens: &[Token]) -> bool {
    let mut in_select = false;
    tokens.iter().any(|token| match token {
        Token::Start(tag) if tag.name == "select" => {
            in_select = true;
            false
        }
        Token::End { name, .. } if name == "select" => {
            in_select = false;
            false
        }
        token => in_select && is_empty(token),
    })
}

/// The open elements of a picture, itself among them. Each step says whether it is certain.
struct Elements<'tokens>(Vec<Element<'tokens>>);

struct Element<'tokens> {
    name: &'tokens str,
    holds: Holds,
    /// The picture that it belongs to, or that it is.
    picture: Option<&'tokens str>,
    /// Where the last HTML ends and a picture begins, itself among them.
    html_end: usize,
    /// Pictures behind that, itself among them.
    pictures: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Html,
    Foreign,
}

impl<'tokens> Elements<'tokens> {
    fn start(&mut self, tag: &'tokens Tag, text: &str) -> bool {
        let name = tag.name.as_str();
        match (self.0.last().map(|element| element.holds), tag.foreign) {
            (None, false) => true,
            // In another picture it would be of that picture's kind.
            (Some(Holds::Foreign), true) if is_picture(name) && self.picture() != Some(name) => false,
            // The tokenizer takes it for a part of the outer one.
            (Some(Holds::Foreign), true) if ENDS_PICTURES.contains(&name) && self.pictures_that_end() > 1 => false,
            (Some(Holds::Foreign), true) => self.open_foreign(tag, text),
            // The tokenizer says of an element that holds HTML that it is HTML.
            (Some(Holds::Foreign), false) if self.holds_html(name) => self.open_foreign(tag, text),
            (Some(Holds::Foreign), false) => {
                ENDS_PICTURES.contains(&name) && self.break_out() && (self.0.is_empty() || self.open_html(name))
            }
            (None | Some(Holds::Html), true) => is_picture(name) && self.open_foreign(tag, text),
            (Some(Holds::Html), false) => self.open_html(name),
        }
    }

    fn end(&mut self, name: &str) -> bool {
        match self.0.last() {
            None => true,
            Some(Element { holds: Holds::Html, name: last, .. }) => {
                let is_last = *last == name;
                self.0.pop();
                is_last
            }
            Some(_) => match self.0[self.html_end()..].iter().rposition(|element| element.name == name) {
                Some(place) => self.close(self.html_end() + place) == usize::from(is_picture(name)),
                None => matches!(name, "p" | "br") && self.break_out(),
            },
        }
    }

    fn open_foreign(&mut self, tag: &'tokens Tag, text: &str) -> bool {
        let name = tag.name.as_str();
        let encoding = if name == "annotation-xml" { raw_value(tag, text, "encoding") } else { "text/html" };
        let is_html = ["text/html", "application/xhtml+xml"].iter().any(|html| encoding.eq_ignore_ascii_case(html));
        if !tag.self_closing {
            let holds = if self.holds_html(name) && is_html { Holds::Html } else { Holds::Foreign };
            self.push(name, holds);
        }
        // The tokenizer reads no character references there.
        !encoding.contains('&')
    }

    fn holds_html(&self, name: &str) -> bool {
        self.picture().is_some_and(|picture| INTEGRATION_POINTS.contains(&(picture, name)))
    }

    fn open_html(&mut self, name: &'tokens str) -> bool {
        if !VOID.contains(&name) {
            self.push(name, Holds::Html);
        }
        // The tokenizer takes the ends of HTML's own `<title>` and the like for those of the picture's.
        !TREACHEROUS.contains(&name) && INTEGRATION_POINTS.iter().all(|(_, point)| *point != name)
    }

    /// All pictures end up to the last HTML: the tokenizer ends one.
    fn break_out(&mut self) -> bool {
        self.close(self.html_end()) == 1
    }

    /// How many pictures were among those that end.
    fn close(&mut self, from: usize) -> usize {
        self.0.drain(from..).filter(|element| is_picture(element.name)).count()
    }

    /// What is known of all that is open is kept with each: a page may open a hundred thousand.
    fn push(&mut self, name: &'tokens str, holds: Holds) {
        let is_one = is_picture(name);
        let (html_end, pictures) = match holds {
            Holds::Html => (self.0.len() + 1, 0),
            Holds::Foreign => (self.html_end(), self.pictures_that_end() + usize::from(is_one)),
        };
        let picture = if is_one { Some(name) } else { self.picture() };
        self.0.push(Element { name, holds, picture, html_end, pictures });
    }

    fn pictures_that_end(&self) -> usize {
        self.0.last().map_or(0, |element| element.pictures)
    }

    /// Where the last HTML ends and a picture begins.
    fn html_end(&self) -> usize {
        self.0.last().map_or(0, |element| element.html_end)
    }

    fn picture(&self) -> Option<&'tokens str> {
        self.0.last().and_then(|element| element.picture)
    }
}

/// Not one that the text's end cuts off: that is nothing.
fn holds_end_tag(other: &str) -> bool {
    other.starts_with("</") && other.contains('>')
}

fn raw_value<'text>(tag: &Tag, text: &'text str, name: &str) -> &'text str {
    tag.attribute(name).and_then(|attribute| attribute.value.clone()).map_or("", |value| &text[value])
}

#[cfg(test)]
mod tests {
    use super::super::{certain_tokens, tokens};

    #[track_caller]
    fn check(text: &str, is_certain: bool) {
        assert!(tokens(text).is_ok(), "{text}");
        assert_eq!(certain_tokens(text).is_ok(), is_certain, "{text}");
    }

    #[test]
    fn pictures_that_are_nested_well_are_certain() {
        check("<svg><g><path d=a><path/></g><circle></svg></div>", true);
        check(
            "<svg><title>a <b>b</b><br></title><foreignObject><div><svg><g/></svg></div></foreignObject></svg>",
            true,
        );
        check("<svg><style>a > b {}</style><![CDATA[</a>]]></svg>", true);
        check("<math><mi>a</mi><annotation-xml encoding=text/HTML><p>b</p></annotation-xml></math>", true);
        check("<math><annotation-xml><c></c></annotation-xml></math>", true);
        check("<svg><p>behind it</svg><svg></p></svg>", true);
    }

    #[test]
    fn a_hundred_thousand_open_elements_are_looked_at_once() {
        check(&["<svg>", &"<g>".repeat(100_000)].concat(), true);
    }

    #[test]
    fn what_ends_more_or_less_than_it_seems_to_is_not() {
        for text in [
            "<svg><svg><p>",
            "<math><math><br/><title>",
            "<frameset><svg><noframes>",
            "<svg><g><svg></g>",
            "<div><svg></div>",
            "<svg><math>",
            "<svg><foreignObject></title>",
            "<svg><foreignObject><title></title>",
            "<svg><foreignObject><div></foreignObject>",
            "<td><svg><foreignObject><td>",
            "<math><mi><mglyph>",
            "<math><annotation-xml encoding=text&#47;html><b>",
            "<svg></svg a><svg><g></svg a>",
            "<svg><foreignObject><svg><p></foreignObject>",
            "<math><annotation-xml encoding=a encoding=text/html><style>",
            "<select><svg/><style>a { b : c }</style></select>",
        ] {
            check(text, false);
        }
    }
}
