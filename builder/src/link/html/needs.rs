//! What a page needs at once, in the order in which it needs it: for `Link` header fields.

use std::borrow::Cow;

use crate::link::Reference;
use crate::scan::SourcePath;
use crate::syntax::html::{Tag, Token, tokens};

/// One file that a page needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The file.
    pub file: SourcePath,
    /// What it is fetched as: `script`, `style`, `font`, `image`, `fetch`.
    pub destination: String,
    /// A module script.
    pub module: bool,
    /// Fetched in CORS mode.
    pub crossorigin: bool,
}

/// What the page says that it needs: its preloads, style sheets and scripts. Not what is loaded lazily or for other media.
/// `text` is the page as the bundler wrote it, `references` are those that were found in it.
pub fn needs(text: &str, references: &[Reference]) -> Vec<Need> {
    let mut needs: Vec<Need> = Vec::new();
    for token in &tokens(text).unwrap_or_default() {
        let Token::Start(tag) = token else { continue };
        let Some(wanted) = wanted(tag, text) else { continue };
        let Some(span) = tag.attribute(wanted.attribute).and_then(|found| found.value.clone()) else { continue };
        let named =
            references.iter().find(|reference| reference.span.start >= span.start && reference.span.end <= span.end);
        let Some(file) = named.map(|reference| reference.to.clone()) else { continue };
        if needs.iter().all(|need| need.file != file) {
            let destination = wanted.destination.into_owned();
            needs.push(Need { file, destination, module: wanted.module, crossorigin: wanted.crossorigin });
        }
    }
    needs
}

/// What a tag loads.
struct Wanted<'a> {
    attribute: &'static str,
    destination: Cow<'a, str>,
    module: bool,
    crossorigin: bool,
}

fn wanted<'a>(tag: &Tag, text: &'a str) -> Option<Wanted<'a>> {
    // With `media` a browser may not need it; with `nomodule` ours does not.
    if tag.attribute("media").is_some() || tag.attribute("nomodule").is_some() || tag.attribute("disabled").is_some() {
        return None;
    }
    let crossorigin = tag.attribute("crossorigin").is_some();
    let is = |attribute: &str, value: &str| {
        tag.value(text, attribute)
            .is_some_and(|found| found.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case(value)))
    };
    match tag.name.as_str() {
        "script" if is("type", "module") => Some(Wanted::script("src", true, true)),
        "script" => Some(Wanted::script("src", false, crossorigin)),
        "link" if is("rel", "alternate") => None,
        "link" if is("rel", "stylesheet") => {
            Some(Wanted { attribute: "href", destination: "style".into(), module: false, crossorigin })
        }
        // Without `as` it is a script; other kinds of module are rare enough to be found by the browser.
        "link" if is("rel", "modulepreload") => {
            (tag.attribute("as").is_none() || is("as", "script")).then(|| Wanted::script("href", true, true))
        }
        "link" if is("rel", "preload") => {
            let destination = tag.value(text, "as")?;
            let crossorigin = crossorigin || destination == "font";
            Some(Wanted { attribute: "href", destination, module: false, crossorigin })
        }
        _ => None,
    }
}

impl Wanted<'_> {
    fn script(attribute: &'static str, module: bool, crossorigin: bool) -> Self {
        Wanted { attribute, destination: "script".into(), module, crossorigin }
    }
}
