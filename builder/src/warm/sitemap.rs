//! Sitemaps (sitemaps.org, protocol 0.9), and indexes of them: untrusted XML, perhaps packed. No entity that a file
//! declares is ever expanded, and everything has the protocol's limits.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// Largest sitemap, unpacked: the protocol's own limit.
pub const SITEMAP_LIMIT_BYTES: usize = 50 * 1024 * 1024;
/// Most URLs of a sitemap, and most sitemaps of an index: the protocol's own limit.
const LOCATIONS_LIMIT: usize = 50_000;
/// Longest URL of a sitemap: the protocol says less than 2,048 characters.
const LOCATION_LIMIT_BYTES: usize = 2_048;
/// Elements within one another: extensions use five.
const DEPTH_LIMIT: usize = 32;

/// What a sitemap lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sitemap {
    /// Pages, as they are written.
    Pages(Vec<String>),
    /// Other sitemaps.
    Index(Vec<String>),
}

/// Why a text is not a sitemap.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SitemapError {
    /// Packed or not.
    #[error("it is larger than {} MiB", SITEMAP_LIMIT_BYTES / 1024 / 1024)]
    TooLarge,
    /// What looks like gzip is not.
    #[error("it cannot be unpacked")]
    Packing,
    /// Sitemaps are UTF-8.
    #[error("it is not UTF-8")]
    Encoding,
    /// Not well-formed: why.
    #[error("it is not XML: {0}")]
    Xml(String),
    /// Only a document type declares entities.
    #[error("it declares a document type, which no sitemap needs")]
    DocumentType,
    /// An entity that XML does not know by itself.
    #[error("it uses the entity `&{0};`, which XML does not know")]
    Entity(String),
    /// The root is something else.
    #[error("its root is `{0}`, not `urlset` or `sitemapindex`")]
    Root(String),
    /// More addresses than one sitemap may have.
    #[error("it lists more than {LOCATIONS_LIMIT} URLs")]
    TooMany,
    /// An address is longer than the protocol allows.
    #[error("it lists a URL of more than {LOCATION_LIMIT_BYTES} characters")]
    TooLong,
    /// Elements in elements.
    #[error("its elements lie more than {DEPTH_LIMIT} deep")]
    TooDeep,
}

/// Unpacks what is packed by gzip; other bytes are as they are.
pub fn unpack(bytes: Vec<u8>) -> Result<Vec<u8>, SitemapError> {
    let is_packed = bytes.starts_with(&[0x1f, 0x8b]);
    let unpacked = if is_packed {
        let mut unpacked = Vec::new();
        let mut reader = MultiGzDecoder::new(bytes.as_slice()).take(SITEMAP_LIMIT_BYTES as u64 + 1);
        reader.read_to_end(&mut unpacked).map_err(|_| SitemapError::Packing)?;
        unpacked
    } else {
        bytes
    };
    if unpacked.len() > SITEMAP_LIMIT_BYTES { Err(SitemapError::TooLarge) } else { Ok(unpacked) }
}

/// Reads a sitemap or an index of them.
pub fn parse_sitemap(bytes: &[u8]) -> Result<Sitemap, SitemapError> {
    if bytes.len() > SITEMAP_LIMIT_BYTES {
        return Err(SitemapError::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| SitemapError::Encoding)?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}').trim_start());
    let mut reading = Reading::default();
    loop {
        let event = reader.read_event().map_err(|error| malformed(&error))?;
        match &event {
            Event::Start(tag) => reading.start(tag)?,
            // What opens and closes at once holds no text.
            Event::Empty(tag) => {
                reading.start(tag)?;
                reading.end();
            }
            Event::End(_) => reading.end(),
            Event::Text(part) => reading.text(part)?,
            Event::CData(part) => reading.text(part)?,
            Event::GeneralRef(reference) => reading.text(&resolved(reference)?)?,
            Event::DocType(_) => return Err(SitemapError::DocumentType),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => return reading.finish(),
        }
    }
}

/// What a reference stands for: a character, or one of the five entities of XML.
fn resolved(reference: &BytesRef<'_>) -> Result<String, SitemapError> {
    match reference.resolve_char_ref() {
        Ok(Some(character)) => Ok(character.to_string()),
        Ok(None) => match resolve_xml_entity(reference) {
            Some(text) => Ok(text.to_owned()),
            None => Err(SitemapError::Entity(reference.chars().take(32).collect())),
        },
        Err(error) => Err(malformed(&error)),
    }
}

/// What the reader says may quote the file: as much of it as fits on a line.
fn malformed(error: &quick_xml::Error) -> SitemapError {
    let said = error.to_string();
    SitemapError::Xml(said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(160).collect())
}

/// Where the reader is: only the text of `loc` in `url` in `urlset` counts, or of `loc` in `sitemap` in `sitemapindex`.
/// (Extensions have a `loc` of their own, deeper down.)
#[derive(Default)]
struct Reading {
    /// The root and what lies in it, by local names; deeper elements are counted only.
    path: Vec<String>,
    depth: usize,
    location: String,
    found: Vec<String>,
    root: Option<Root>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Root {
    Pages,
    Index,
}

impl Reading {
    fn start(&mut self, tag: &BytesStart<'_>) -> Result<(), SitemapError> {
        let name = tag.local_name();
        let name: &str = name.as_ref();
        if self.depth == 0 {
            self.root = match name {
                _ if self.root.is_some() => return Err(SitemapError::Xml("it has two roots".to_owned())),
                "urlset" => Some(Root::Pages),
                "sitemapindex" => Some(Root::Index),
                other => return Err(SitemapError::Root(other.chars().take(32).collect())),
            };
        }
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            return Err(SitemapError::TooDeep);
        }
        if self.depth <= 3 {
            self.path.push(name.to_owned());
        }
        self.location.clear();
        Ok(())
    }

    fn end(&mut self) {
        if self.is_location() && !self.location.trim().is_empty() {
            self.found.push(self.location.trim().to_owned());
        }
        self.location.clear();
        self.depth = self.depth.saturating_sub(1);
        self.path.truncate(self.depth);
    }

    fn is_location(&self) -> bool {
        let item = match self.root {
            Some(Root::Pages) => "url",
            Some(Root::Index) => "sitemap",
            None => return false,
        };
        self.depth == 3 && self.path[1] == item && self.path[2] == "loc"
    }

    fn text(&mut self, part: &str) -> Result<(), SitemapError> {
        if !self.is_location() {
            return Ok(());
        }
        if self.found.len() == LOCATIONS_LIMIT {
            return Err(SitemapError::TooMany);
        }
        if self.location.len() + part.len() > LOCATION_LIMIT_BYTES {
            return Err(SitemapError::TooLong);
        }
        self.location.push_str(part);
        Ok(())
    }

    fn finish(self) -> Result<Sitemap, SitemapError> {
        match self.root {
            _ if self.depth > 0 => Err(SitemapError::Xml("it ends in the middle".to_owned())),
            Some(Root::Pages) => Ok(Sitemap::Pages(self.found)),
            Some(Root::Index) => Ok(Sitemap::Index(self.found)),
            None => Err(SitemapError::Xml("it is empty".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Sitemap, SitemapError> {
        parse_sitemap(&unpack(bytes.to_vec())?)
    }

    #[track_caller]
    fn pages(text: &str, expected: &[&str]) {
        let expected = Sitemap::Pages(expected.iter().map(|&url| url.to_owned()).collect());
        assert_eq!(read(text.as_bytes()), Ok(expected.clone()), "{text}");
        assert_eq!(read(&packed(text.as_bytes())), Ok(expected), "packed: {text}");
    }

    #[test]
    fn pages_are_listed_whatever_extensions_stand_between_them() {
        pages(
            "\u{feff}<?xml version='1.0' encoding='UTF-8'?>\n<!-- c --><urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9' \
             xmlns:image='http://www.google.com/schemas/sitemap-image/1.1'>\n <url>\n  <loc> https://e.example/a </loc><lastmod>2026-11-01</lastmod>\
             <image:image><image:loc>https://e.example/a.png</image:loc></image:image></url><url><lastmod/></url><url><loc/></url>\
             <s:url xmlns:s='x'><s:loc><![CDATA[https://e.example/?a=1&b=2]]></s:loc></s:url></urlset>\n",
            &["https://e.example/a", "https://e.example/?a=1&b=2"],
        );
        pages("<urlset/>", &[]);
    }

    #[test]
    fn the_entities_of_xml_are_known_and_no_others() {
        pages("<urlset><url><loc>/?a=1&amp;b=&#39;&#x2F;</loc></url></urlset>", &["/?a=1&b='/"]);
        let unknown = read(b"<urlset><url><loc>/&nbsp;</loc></url></urlset>");
        assert_eq!(unknown, Err(SitemapError::Entity("nbsp".to_owned())));
        let laughs = "<!DOCTYPE urlset [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]><urlset><url><loc>&b;</loc></url></urlset>";
        assert_eq!(read(laughs.as_bytes()), Err(SitemapError::DocumentType));
        let outside = "<!DOCTYPE urlset [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><urlset/>";
        assert_eq!(read(outside.as_bytes()), Err(SitemapError::DocumentType));
    }

    #[test]
    fn an_index_lists_sitemaps() {
        let text = "<sitemapindex><sitemap><loc>/a.xml</loc></sitemap><url><loc>/no</loc></url></sitemapindex>";
        assert_eq!(read(text.as_bytes()), Ok(Sitemap::Index(vec!["/a.xml".to_owned()])));
    }

    #[test]
    fn what_is_no_sitemap_is_refused() {
        for (text, expected) in [
            (&b"<html><body/></html>"[..], SitemapError::Root("html".to_owned())),
            (b"\xff<urlset/>", SitemapError::Encoding),
            (b"\x1f\x8b\x08nonsense", SitemapError::Packing),
            (&packed(b"<urlset/>")[..24], SitemapError::Packing),
            (b"<urlset/><urlset/>", SitemapError::Xml("it has two roots".to_owned())),
            (b"<urlset><url>", SitemapError::Xml("it ends in the middle".to_owned())),
            (b"", SitemapError::Xml("it is empty".to_owned())),
        ] {
            assert_eq!(read(text), Err(expected), "{}", String::from_utf8_lossy(text));
        }
        for text in [format!("<urlset></{}>", "a\n\u{1b}[0m".repeat(99)), format!("<a>&#{};</a>", "\n".repeat(999))] {
            let Err(error) = read(text.replace("<a>", "<urlset><url><loc>").as_bytes()) else { panic!("{text}") };
            let said = error.to_string();
            assert!(said.len() < 250 && !said.contains(char::is_control), "{said:?}");
        }
    }

    #[test]
    fn everything_has_its_limit() {
        let list = |count: usize| format!("<urlset>{}</urlset>", "<url><loc>/</loc></url>".repeat(count));
        assert!(
            matches!(read(list(LOCATIONS_LIMIT).as_bytes()), Ok(Sitemap::Pages(pages)) if pages.len() == LOCATIONS_LIMIT)
        );
        assert_eq!(read(list(LOCATIONS_LIMIT + 1).as_bytes()), Err(SitemapError::TooMany));
        let long = |length: usize| format!("<urlset><url><loc>{}</loc></url></urlset>", "a".repeat(length));
        assert!(read(long(LOCATION_LIMIT_BYTES).as_bytes()).is_ok());
        assert_eq!(read(long(LOCATION_LIMIT_BYTES + 1).as_bytes()), Err(SitemapError::TooLong));
        let deep = |depth: usize| format!("<urlset>{}{}</urlset>", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(read(deep(DEPTH_LIMIT - 1).as_bytes()).is_ok());
        assert_eq!(read(deep(DEPTH_LIMIT).as_bytes()), Err(SitemapError::TooDeep));
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let mut text = b"<urlset>".to_vec();
        text.resize(SITEMAP_LIMIT_BYTES - 9, b' ');
        text.extend(b"</urlset>");
        let bomb = packed(&text);
        assert!(bomb.len() < 100_000);
        assert!(read(&bomb).is_ok());
        text.push(b' ');
        assert_eq!(read(&packed(&text)), Err(SitemapError::TooLarge));
        assert_eq!(read(&text), Err(SitemapError::TooLarge));
        // Members behind one another are one text, and have one limit.
        assert_eq!(unpack([bomb.clone(), bomb].concat()), Err(SitemapError::TooLarge));
    }
}
