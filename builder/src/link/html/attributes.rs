//! What the attributes of HTML's elements mean (HTML §4, and the older ones of §16.3).

#![allow(clippy::match_same_arms, reason = "tables: one line for each thing that the standard says")]

use crate::link::ReferenceKind;
use crate::link::finder::Certainty;
use crate::syntax::html::Tag;

/// What an attribute's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// No reference.
    Nothing,
    /// A URL.
    Url(ReferenceKind, Certainty),
    /// `srcset`: URLs with descriptors.
    Candidates,
    /// CSS.
    Declarations,
}

/// What an attribute of a tag means.
pub(super) fn meaning(tag: &Tag, attribute: &str, text: &str) -> Meaning {
    use ReferenceKind::{Image, Name, Navigation};
    let image = Meaning::Url(Image, Certainty::Url);
    let name = Meaning::Url(Name, Certainty::Url);
    match (tag.name.as_str(), attribute) {
        (_, "style") => Meaning::Declarations,
        ("img" | "source", "srcset") | ("link", "imagesrcset") => Meaning::Candidates,
        ("script", "src") => Meaning::Url(script(tag, text), Certainty::Url),
        ("script", "href" | "xlink:href") if tag.foreign => Meaning::Url(script(tag, text), Certainty::Url),
        ("link", "href") => link(tag, text),
        // What a client-side router answers is no file.
        ("a" | "area", "href" | "xlink:href") => Meaning::Url(Navigation, Certainty::Perhaps),
        ("iframe" | "frame", "src") => Meaning::Url(Navigation, Certainty::Perhaps),
        ("img", "src") | ("video", "poster") => image,
        ("input", "src") | ("body" | "table" | "td" | "th", "background") => image,
        (
            "use" | "image" | "feimage" | "pattern" | "lineargradient" | "radialgradient" | "mpath" | "textpath",
            "href" | "xlink:href",
        ) => image,
        ("source" | "video" | "audio" | "track" | "embed", "src") | ("object", "data") => name,
        // The page does not load it: others do, and keep its URL.
        ("meta", "content") if names_a_picture(tag, text) => Meaning::Url(Navigation, Certainty::Perhaps),
        // Where a form goes and what a tag is called are no files; a CSP is not a URL.
        (_, "action" | "formaction" | "id" | "class" | "name" | "integrity" | "content" | "alt" | "title") => {
            Meaning::Nothing
        }
        // What lazy loaders and islands read: names with a bundler's fingerprint are taken, others may be anything.
        _ => Meaning::Url(Name, Certainty::Text),
    }
}

fn script(tag: &Tag, text: &str) -> ReferenceKind {
    let module = tag.value(text, "type").is_some_and(|kind| kind.trim().eq_ignore_ascii_case("module"));
    if module { ReferenceKind::ModuleScript } else { ReferenceKind::Script }
}

/// By `rel`; of several values the one that loads something says what it is.
fn link(tag: &Tag, text: &str) -> Meaning {
    let rel = tag.value(text, "rel").unwrap_or_default().to_ascii_lowercase();
    let destination = tag.value(text, "as").unwrap_or_default().trim().to_ascii_lowercase();
    let mut found = Meaning::Nothing;
    for value in rel.split_ascii_whitespace() {
        let (kind, certainty) = match value {
            "stylesheet" => (ReferenceKind::Stylesheet, Certainty::Url),
            "modulepreload" => (module_destination(&destination), Certainty::Url),
            "preload" => (loaded_as(&destination), Certainty::Url),
            // For later: nothing that this page needs.
            "prefetch" => (ReferenceKind::Name, Certainty::Url),
            "manifest" => (ReferenceKind::Name, Certainty::Url),
            "prerender" => (ReferenceKind::Navigation, Certainty::Perhaps),
            value if value.contains("icon") || value == "apple-touch-startup-image" => {
                (ReferenceKind::Image, Certainty::Url)
            }
            "preconnect" | "dns-prefetch" => return Meaning::Nothing,
            _ => (ReferenceKind::Navigation, Certainty::Perhaps),
        };
        if !matches!(found, Meaning::Url(kind, _) if kind != ReferenceKind::Navigation) {
            found = Meaning::Url(kind, certainty);
        }
    }
    found
}

fn module_destination(destination: &str) -> ReferenceKind {
    match destination {
        "worker" | "sharedworker" => ReferenceKind::ModuleWorker,
        "style" => ReferenceKind::Stylesheet,
        "json" | "text" => ReferenceKind::Name,
        _ => ReferenceKind::ModuleScript,
    }
}

fn loaded_as(destination: &str) -> ReferenceKind {
    match destination {
        // Not a script: whether it is one or a module, the tag that runs it says.
        "style" => ReferenceKind::Stylesheet,
        "font" => ReferenceKind::Font,
        "image" => ReferenceKind::Image,
        "document" => ReferenceKind::Navigation,
        _ => ReferenceKind::Name,
    }
}

/// `<meta>` whose content is the URL of a picture, for what shows previews and tiles.
fn names_a_picture(tag: &Tag, text: &str) -> bool {
    let pictures = [
        "og:image",
        "og:image:url",
        "og:image:secure_url",
        "twitter:image",
        "twitter:image:src",
        "image",
        "thumbnail",
        "msapplication-tileimage",
        "msapplication-square70x70logo",
        "msapplication-square150x150logo",
        "msapplication-wide310x150logo",
        "msapplication-square310x310logo",
    ];
    ["property", "name", "itemprop"].iter().any(|attribute| {
        let value = tag.value(text, attribute).unwrap_or_default();
        pictures.iter().any(|picture| value.trim().eq_ignore_ascii_case(picture))
    })
}
