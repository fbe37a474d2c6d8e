//! Patterns of many rules, laid out so that a path is matched in as many steps as it has segments, however many rules there are.
//!
//! A tree by segments. Where a `*` stands, its rules lie by the text before it in its segment and by the text that the path
//! ends in; what else its pattern says of the path's end is tested by the pattern itself. Each node knows the first of the rules
//! below it: what cannot be better than what was found already is not looked at.

use super::pattern::Pattern;

/// The places of rules, ascending.
type Places = Vec<usize>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Index {
    root: Node,
}

/// Between two segments.
#[derive(Debug)]
struct Node {
    /// The first rule here and below.
    first: usize,
    /// What the segment may be, in order, and what comes behind it.
    literals: Vec<(String, Node)>,
    /// Behind any segment that is not empty.
    named: Option<Box<Node>>,
    /// Rules whose `*` stands in the next segment, by the texts of [`Star`].
    stars: Vec<Star>,
    /// The lengths of those texts, each pair once.
    lengths: Vec<(usize, usize)>,
    /// Rules that end here.
    ends: Places,
}

impl Default for Node {
    fn default() -> Node {
        let (literals, stars, lengths) = (Vec::new(), Vec::new(), Vec::new());
        Node { first: usize::MAX, literals, named: None, stars, lengths, ends: Vec::new() }
    }
}

/// Rules with a `*`.
#[derive(Debug)]
struct Star {
    /// How its segment begins.
    begins: String,
    /// How the path ends.
    ends: String,
    places: Places,
}

impl Star {
    fn texts(&self) -> (&str, &str) {
        (&self.begins, &self.ends)
    }
}

impl Index {
    /// Of patterns in their one spelling.
    pub(super) fn new<'patterns>(patterns: impl Iterator<Item = &'patterns Pattern>) -> Index {
        let mut root = Node::default();
        for (place, pattern) in patterns.enumerate() {
            root.add(place, pattern.as_str());
        }
        Index { root }
    }

    /// The first rule from `from` on whose pattern matches; `fits` says whether that of a rule does.
    pub(super) fn first(&self, path: &str, from: usize, fits: &dyn Fn(usize) -> bool) -> Option<usize> {
        let mut search = Search { path, from, best: usize::MAX, fits };
        search.visit(&self.root, path.strip_prefix('/')?);
        (search.best != usize::MAX).then_some(search.best)
    }
}

impl Node {
    fn add(&mut self, place: usize, text: &str) {
        let (before, after) = text.split_once('*').map_or((text, None), |(before, after)| (before, Some(after)));
        let mut node = self;
        let mut rest = before.strip_prefix('/').unwrap_or(before);
        node.first = node.first.min(place);
        loop {
            let (segment, tail) = rest.split_once('/').map_or((rest, None), |(segment, tail)| (segment, Some(tail)));
            match (after, tail) {
                (Some(after), None) => return node.add_star(place, segment, after),
                (_, Some(tail)) => {
                    node = node.child(segment);
                    rest = tail;
                    node.first = node.first.min(place);
                }
                (None, None) => {
                    node = node.child(segment);
                    node.first = node.first.min(place);
                    return node.ends.push(place);
                }
            }
        }
    }

    fn child(&mut self, segment: &str) -> &mut Node {
        if segment.starts_with(':') {
            return self.named.get_or_insert_default();
        }
        let at = match self.literals.binary_search_by(|(literal, _)| literal.as_str().cmp(segment)) {
            Ok(at) => at,
            Err(at) => {
                self.literals.insert(at, (segment.to_owned(), Node::default()));
                at
            }
        };
        &mut self.literals[at].1
    }

    fn add_star(&mut self, place: usize, segment: &str, after: &str) {
        // A whole segment may stand before a star, too; what a name behind one is followed by is a text again.
        let begins = if segment.starts_with(':') { "" } else { segment };
        let ends = match after.rsplit_once("/:") {
            None => after,
            Some((_, name)) => name.find('/').map_or("", |at| &name[at..]),
        };
        match self.stars.binary_search_by(|star| star.texts().cmp(&(begins, ends))) {
            Ok(at) => self.stars[at].places.push(place),
            Err(at) => {
                let (begins, ends) = (begins.to_owned(), ends.to_owned());
                let lengths = (begins.len(), ends.len());
                if !self.lengths.contains(&lengths) {
                    self.lengths.push(lengths);
                }
                self.stars.insert(at, Star { begins, ends, places: vec![place] });
            }
        }
    }
}

struct Search<'search> {
    path: &'search str,
    from: usize,
    best: usize,
    fits: &'search dyn Fn(usize) -> bool,
}

impl Search<'_> {
    /// Looks behind a slash of the path.
    fn visit(&mut self, node: &Node, rest: &str) {
        if node.first >= self.best {
            return;
        }
        for &(begins, ends) in &node.lengths {
            let texts = (rest.get(..begins), self.path.get(self.path.len().saturating_sub(ends)..));
            if let (Some(begins), Some(ends)) = texts
                && let Ok(at) = node.stars.binary_search_by(|star| star.texts().cmp(&(begins, ends)))
            {
                self.note(&node.stars[at].places);
            }
        }
        let (segment, tail) = rest.split_once('/').map_or((rest, None), |(segment, tail)| (segment, Some(tail)));
        let literal = node.literals.binary_search_by(|(literal, _)| literal.as_str().cmp(segment)).ok();
        let named = node.named.as_deref().filter(|_| !segment.is_empty());
        for child in literal.map(|at| &node.literals[at].1).into_iter().chain(named) {
            match tail {
                Some(tail) => self.visit(child, tail),
                None => self.note(&child.ends),
            }
        }
    }

    fn note(&mut self, places: &[usize]) {
        let later = places.partition_point(|place| *place < self.from);
        let better = places[later..].iter().take_while(|place| **place < self.best);
        if let Some(place) = better.copied().find(|place| (self.fits)(*place)) {
            self.best = place;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    fn patterns(texts: &[String]) -> Vec<Pattern> {
        texts.iter().filter_map(|text| Pattern::parse(text).ok()).collect()
    }

    /// All matches, in order, and how many patterns were tried for them.
    fn found(patterns: &[Pattern], path: &str) -> (Vec<usize>, usize) {
        let index = Index::new(patterns.iter());
        let tried = Cell::new(0);
        let fits = |place: usize| {
            tried.set(tried.get() + 1);
            patterns[place].fits(path)
        };
        let mut found = Vec::new();
        while let Some(place) = index.first(path, found.last().map_or(0, |last| last + 1), &fits) {
            found.push(place);
        }
        (found, tried.get())
    }

    const PATTERN: &str = "(/(:a|:b|a|b|ab|a:b|)){1,4}(\\*(|a|b|/a|:a|/:c|\\.b|/:c/a|/:c/:d|/b/a))?";

    proptest! {
        #[test]
        fn the_answers_are_those_of_a_linear_scan(
            texts in prop::collection::vec(PATTERN, 1..40),
            paths in prop::collection::vec("(/(a|b|ab|ba|a:b|a\\.b|)){1,5}", 10),
        ) {
            let patterns = patterns(&texts);
            for path in &paths {
                let expected: Vec<usize> = (0..patterns.len()).filter(|at| patterns[*at].fits(path)).collect();
                prop_assert_eq!(&found(&patterns, path).0, &expected, "{}", path);
            }
        }
    }

    #[test]
    fn what_cannot_match_is_not_tried() {
        let many = |form: &dyn Fn(usize) -> String| patterns(&(0..1000).map(form).collect::<Vec<_>>());
        for (patterns, path) in [
            (many(&|n| format!("/api/{n}/*")), "/api/700/x"),
            (many(&|n| format!("/{n}/:id")), "/700/x"),
            (many(&|n| format!("/*.{n}")), "/a/b.700"),
            (many(&|n| format!("/a{n}*")), "/a700"),
            (many(&|n| format!("/x/*/{n}/print")), "/x/y/700/print"),
        ] {
            let (found, tried) = found(&patterns, path);
            assert!(found.contains(&700) && tried <= 4, "{path}: {found:?}, {tried} tried");
        }
    }
}
