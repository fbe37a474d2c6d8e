//! The stage: every text of the graph through its format's minifier, in parallel, with results in order.

mod job;
mod record;

use std::collections::{BTreeMap, BTreeSet};

use rayon::ThreadPool;

use super::{Minified, Minimal, Options, minifier_of};
use crate::cache::Cache;
use crate::diagnostic::Diagnostic;
use crate::link::{Graph, Node};
use crate::scan::{Kind, Source, SourcePath};
use crate::settings::SourceMaps;
use crate::threads::work_on;
use job::Job;

/// Minifies what has a minifier; everything else is passed on as it is.
pub fn minify(mut graph: Graph, options: Options, cache: &Cache, pool: &ThreadPool) -> (Minimal, Vec<Diagnostic>) {
    let mut source_maps = take_maps(&mut graph);
    let jobs: Vec<Job> = graph.nodes.values().filter_map(|node| Job::of(node, options, &source_maps)).collect();
    let done = work_on(pool, &jobs, |job| job.text.len(), |job| job.run(&graph.placeholders, cache));
    let used: BTreeSet<SourcePath> = jobs.iter().filter_map(|job| job.map_file.cloned()).collect();
    let mut texts: BTreeMap<SourcePath, Minified> =
        jobs.iter().map(|job| job.node.source.path.clone()).zip(done).collect();
    drop(jobs);
    let mut findings: Vec<Diagnostic> =
        texts.values_mut().flat_map(|minified| std::mem::take(&mut minified.diagnostics)).collect();
    findings.extend(graph.nodes.values().filter(|node| is_unreadable(node)).map(unreadable));
    take_texts(&mut graph, &texts);
    source_maps.retain(|path, _| options.source_maps != SourceMaps::Drop && !used.contains(path));
    (Minimal { graph, texts, stray_maps: source_maps }, findings)
}

/// Source maps are not files of the release like others: they leave the graph.
fn take_maps(graph: &mut Graph) -> BTreeMap<SourcePath, Source> {
    let is_map = |_: &SourcePath, node: &mut Node| node.source.kind == Kind::SourceMap;
    graph.nodes.extract_if(.., is_map).map(|(path, node)| (path, node.source)).collect()
}

/// What has a minimal text needs no linked one; what has left the graph is not referred to.
fn take_texts(graph: &mut Graph, texts: &BTreeMap<SourcePath, Minified>) {
    let remaining: BTreeSet<SourcePath> = graph.nodes.keys().cloned().collect();
    for (path, node) in &mut graph.nodes {
        if texts.contains_key(path) {
            (node.text, node.edits) = (None, Vec::new());
        }
        node.references.retain(|reference| remaining.contains(&reference.to));
    }
}

fn is_unreadable(node: &Node) -> bool {
    minifier_of(node.source.kind).is_some() && node.text.is_none() && node.source.text().is_none()
}

fn unreadable(node: &Node) -> Diagnostic {
    let message = "cannot minify: it is not UTF-8; it is published as it is";
    Diagnostic::warning(node.source.path.as_str(), "not-utf8", message)
        .hint("have the bundler write UTF-8: files are served with that charset")
}

#[cfg(test)]
mod tests;
