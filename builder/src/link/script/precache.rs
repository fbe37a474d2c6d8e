//! Workbox's precache list: `{url: "index.html", revision: "5c32…"}`.
//!
//! A service worker fetches an entry anew when its revision changes, so a revision must change with the bytes that are
//! published. An entry without a revision has a fingerprint in its URL.

use oxc::ast::ast::{Expression, ObjectExpression, ObjectPropertyKind, PropertyKey, StringLiteral};
use oxc::span::GetSpan;

use super::visit::{Role, Visitor};
use super::{Edit, How, Reference, ReferenceKind, Resolved};
use crate::link::Naming;
use crate::scan::Kind;

impl Visitor<'_> {
    /// Looks at an object that has a URL and a revision and nothing else but, perhaps, an integrity value.
    pub(super) fn precache_entry(&mut self, object: &ObjectExpression<'_>) {
        let place = self.place();
        let Some((url, revision)) = entry(object) else { return };
        let Resolved::File { to, .. } = place.names.resolve(place.from, &url.value, How::File) else { return };
        if place.names.kind(&to) == Some(Kind::SourceMap) {
            return;
        }
        let absolute = |at: u32| place.start + at as usize;
        if let Expression::StringLiteral(old) = revision {
            let span = absolute(old.span.start) + 1..absolute(old.span.end) - 1;
            self.edit(Edit { span: span.clone(), text: place.names.revision(&to) });
            self.refer(Reference { to: to.clone(), kind: ReferenceKind::Name, span });
            self.done(old.span);
        }
        if matches!(place.names.naming(&to), Some(Naming::Plain { .. })) {
            let raw = (url.span.start as usize + 1)..(url.span.end as usize - 1);
            self.precached(to, place.script.get(raw).unwrap_or_default(), object.span.end);
        }
        self.is_precached(url);
    }

    fn is_precached(&mut self, url: &StringLiteral<'_>) {
        self.set_role(url.span(), Role::Precached);
    }
}

fn entry<'o, 'a>(object: &'o ObjectExpression<'a>) -> Option<(&'o StringLiteral<'a>, &'o Expression<'a>)> {
    let (mut url, mut revision) = (None, None);
    for property in &object.properties {
        let ObjectPropertyKind::ObjectProperty(property) = property else { return None };
        match (key_of(&property.key)?, &property.value) {
            ("url", Expression::StringLiteral(text)) => url = Some(&**text),
            ("revision", value @ (Expression::StringLiteral(_) | Expression::NullLiteral(_))) => revision = Some(value),
            ("integrity", _) => {}
            _ => return None,
        }
    }
    Some((url?, revision?))
}

fn key_of<'o>(key: &'o PropertyKey<'_>) -> Option<&'o str> {
    match key {
        PropertyKey::StaticIdentifier(name) => Some(name.name.as_str()),
        PropertyKey::StringLiteral(name) => Some(name.value.as_str()),
        _ => None,
    }
}
