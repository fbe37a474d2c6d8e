//! What gets one fingerprint: a file, or all files that shared a token of the bundler's.

use std::collections::{BTreeMap, BTreeSet};

use super::components::components;
use super::template::Template;
use crate::link::placeholder::Meaning;
use crate::link::{Naming, Node};
use crate::scan::SourcePath;

/// The units, in the order of their first members' logical paths.
#[derive(Debug)]
pub(super) struct Units<'a> {
    members: Vec<Vec<&'a SourcePath>>,
    by_file: BTreeMap<&'a SourcePath, usize>,
    by_token: BTreeMap<&'a str, usize>,
}

impl<'a> Units<'a> {
    /// The units of a graph's files.
    pub(super) fn of(nodes: &'a BTreeMap<SourcePath, Node>) -> Units<'a> {
        let mut ordered: Vec<(&SourcePath, &Node)> = nodes.iter().collect();
        ordered.sort_by_key(|(path, node)| (&node.logical, *path));
        let mut units = Units { members: Vec::new(), by_file: BTreeMap::new(), by_token: BTreeMap::new() };
        for (path, node) in ordered {
            let unit = match &node.naming {
                Naming::Hashed { token, .. } => *units.by_token.entry(token).or_insert(units.members.len()),
                Naming::Plain { .. } | Naming::Kept => units.members.len(),
            };
            if unit == units.members.len() {
                units.members.push(Vec::new());
            }
            units.members[unit].push(path);
            units.by_file.insert(path, unit);
        }
        units
    }

    /// The files of a unit, in the order of their logical paths.
    pub(super) fn members(&self, unit: usize) -> &[&'a SourcePath] {
        &self.members[unit]
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// The unit of a file of the graph.
    pub(super) fn of_file(&self, path: &SourcePath) -> usize {
        self.by_file[path]
    }

    /// The unit that a hole is about; `None` where it is about nothing of the graph.
    pub(super) fn meant(&self, meaning: &Meaning) -> Option<usize> {
        match meaning {
            Meaning::Token(token) => self.by_token.get(token.as_str()).copied(),
            Meaning::File(file) | Meaning::Integrity { file, .. } | Meaning::Revision(file) => {
                self.by_file.get(file).copied()
            }
        }
    }

    /// Groups of units that need each other: leaf first. The flag says whether a group is a circle: several units, or one
    /// that names itself.
    pub(super) fn groups(&self, templates: &BTreeMap<SourcePath, Template<'_>>) -> Vec<(Vec<usize>, bool)> {
        let needs = |unit: usize| -> Vec<usize> {
            let holes = self.members[unit].iter().flat_map(|path| templates[*path].holes());
            let needed: BTreeSet<usize> = holes.filter_map(|meaning| self.meant(meaning)).collect();
            needed.into_iter().collect()
        };
        let needs: Vec<Vec<usize>> = (0..self.len()).map(needs).collect();
        let is_circle = |group: &[usize]| group.len() > 1 || group.iter().any(|unit| needs[*unit].contains(unit));
        components(&needs)
            .into_iter()
            .map(|group| {
                let circle = is_circle(&group);
                (group, circle)
            })
            .collect()
    }
}
