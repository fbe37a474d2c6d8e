//! What `wrangler.toml` must say, so that nothing under `_rimward/` is ever served by its path.
//!
//! wrangler's other settings are the user's own: they are not looked at.

use std::ops::Range;

use rimward_edge::config::SettingsFile;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::build::{AssetsFrom, BuildSettings};
use super::findings::Findings;
use crate::diagnostic::Diagnostic;
use crate::worker;
use crate::workerd::{COMPATIBILITY_DATE, COMPATIBILITY_FLAGS, OBJECTS, Object};

/// The name of wrangler's file.
pub const WRANGLER_FILE: &str = "wrangler.toml";

/// Other names of it, which wrangler prefers, and which are not read here.
pub const WRANGLER_OTHERS: [&str; 2] = ["wrangler.json", "wrangler.jsonc"];

/// `run_worker_first` where the platform answers for assets.
const PLATFORM_FIRST: &str = "[\"/*\", \"!/assets/*\"]";

/// Checks the text of a `wrangler.toml` that lies beside the settings.
pub fn check_wrangler(text: &str, build: &BuildSettings, settings: &SettingsFile) -> Vec<Diagnostic> {
    let mut findings = Findings::new(WRANGLER_FILE, text);
    let (tree, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = error.span().unwrap_or(text.len()..text.len());
        findings.error("syntax", &span, format!("this is not TOML: {}", error.message()));
    }
    if !errors.is_empty() {
        return findings.into_sorted();
    }
    let top = tree.get_ref();
    let whole = 0..text.find('\n').unwrap_or(text.len());
    main(top, &whole, &mut findings);
    compatibility(top, &whole, &mut findings);
    match table(top, "assets") {
        Some((assets, span)) => check_assets(assets, &span, build, &mut findings),
        None => findings
            .error("missing-key", &whole, "there is no `[assets]`: the Worker would have nothing to serve")
            .hint(format!("add {}", assets_text(build).replace('\n', "; "))),
    }
    check_objects(top, top, &whole, &mut findings);
    check_store(top, &whole, persisting(settings, None), &mut findings);
    // An environment may bring assets of its own: the same holds for them. Objects and stores it must bring: wrangler takes
    // them over from nowhere.
    for (name, env) in table(top, "env").into_iter().flat_map(|(envs, _)| envs.iter()) {
        let Some(inside) = env.get_ref().as_table() else { continue };
        let mut inner = Findings::new(WRANGLER_FILE, text);
        if let Some((assets, span)) = table(inside, "assets") {
            check_assets(assets, &span, build, &mut inner);
        }
        check_objects(inside, top, &name.span(), &mut inner);
        check_store(inside, &name.span(), persisting(settings, Some(name.get_ref())), &mut inner);
        findings.append(inner, &format!(" (in `[env.{}]`)", name.get_ref()));
    }
    findings.into_sorted()
}

/// The objects as they must be bound, for a new file.
pub fn objects_text() -> String {
    let bindings: String = OBJECTS.map(|object| binding_text(&object) + "\n\n").concat();
    let classes = OBJECTS.map(|object| object.class);
    format!("{bindings}[[migrations]]\ntag = \"rimward-1\"\nnew_sqlite_classes = {classes:?}")
}

fn binding_text(Object { binding, class, .. }: &Object) -> String {
    format!("[[durable_objects.bindings]]\nname = {binding:?}\nclass_name = {class:?}")
}

/// Whether the objects are bound. Without them the site is served all the same. `top` is the whole file.
fn check_objects(of: &DeTable<'_>, top: &DeTable<'_>, whole: &Range<usize>, findings: &mut Findings<'_>) {
    let objects = table(of, "durable_objects").map(|(objects, _)| objects);
    let bindings = objects.map(|objects| tables(objects, "bindings")).unwrap_or_default();
    // These alone environments take over.
    let migrations = if of.contains_key("migrations") { of } else { top };
    let made = made_classes(&tables(migrations, "migrations"));
    for object in &OBJECTS {
        let Object { binding: name, class, loss } = *object;
        match bindings.iter().find(|binding| text(binding, "name") == Some(name)) {
            Some(binding) if text(binding, "class_name") == Some(class) => {
                // What another Worker's object is, that one's file says.
                if !made.contains(&class) && !binding.contains_key("script_name") {
                    findings
                        .warning(
                            "missing-key",
                            &span_of(binding, "class_name", whole),
                            format!("no [[migrations]] makes {class:?}: wrangler would refuse to deploy its object"),
                        )
                        .hint(format!("add {class:?} to `new_sqlite_classes` of a new [[migrations]]"));
                }
            }
            Some(binding) => findings
                .error(
                    "wrong-value",
                    &span_of(binding, "class_name", whole),
                    format!("`class_name` of `{name}` must be {class:?}: the Worker has no other class"),
                )
                .hint(format!("write class_name = {class:?}")),
            None => findings.warning("missing-key", whole, format!("there is no `{name}`: {loss}")).hint(format!(
                "add {}; and {class:?} to `new_sqlite_classes` of a new [[migrations]]",
                binding_text(object).replace('\n', "; ")
            )),
        }
    }
}

/// The classes that migrations leave with a store of rows.
fn made_classes<'t>(migrations: &[&'t DeTable<'_>]) -> Vec<&'t str> {
    let mut classes = Vec::new();
    for migration in migrations {
        let new = migration.get("new_sqlite_classes").and_then(|list| list.get_ref().as_array());
        classes.extend(new.into_iter().flat_map(|list| list.iter()).filter_map(|class| class.get_ref().as_str()));
        for key in ["renamed_classes", "transferred_classes"] {
            classes.extend(tables(migration, key).into_iter().filter_map(|class| text(class, "to")));
        }
    }
    classes
}

/// The key-value store's binding, for a new file.
pub const STORE_TEXT: &str = "[[kv_namespaces]]\nbinding = \"KV\"\nid = \"(its id)\"";

/// Whether there is a key-value store, where a cache wants one.
fn check_store(of: &DeTable<'_>, whole: &Range<usize>, cache: Option<&str>, findings: &mut Findings<'_>) {
    let Some(cache) = cache else { return };
    if !tables(of, "kv_namespaces").iter().any(|store| text(store, "binding") == Some("KV")) {
        findings
            .warning(
                "missing-key",
                whole,
                format!("there is no `KV`: `persist` of `[cache.{cache}]` would keep nothing for all locations"),
            )
            .hint(format!(
                "`npx wrangler kv namespace create KV` makes one and says its id; then add {}",
                STORE_TEXT.replace('\n', "; ")
            ));
    }
}

/// A cache that keeps answers for all locations, in an environment of the Worker.
fn persisting<'s>(settings: &'s SettingsFile, env: Option<&str>) -> Option<&'s str> {
    let of_env = env.and_then(|env| settings.envs.get(env));
    let caches = &of_env.unwrap_or_else(|| settings.chosen()).caches;
    caches.iter().find(|(_, cache)| cache.persist).map(|(name, _)| name.as_str())
}

/// `[assets]` as it must be, for a new file and for hints.
pub fn assets_text(build: &BuildSettings) -> String {
    let first = match build.assets {
        AssetsFrom::Worker => "true".to_owned(),
        AssetsFrom::Platform => PLATFORM_FIRST.to_owned(),
    };
    format!(
        "[assets]\ndirectory = {:?}\nbinding = \"ASSETS\"\nrun_worker_first = {first}\nhtml_handling = \"none\"\nnot_found_handling = \"none\"",
        build.output
    )
}

fn table<'t, 'i>(of: &'t DeTable<'i>, key: &str) -> Option<(&'t DeTable<'i>, Range<usize>)> {
    let value = of.get(key)?;
    Some((value.get_ref().as_table()?, value.span()))
}

/// The tables of an array; none where it is not there.
fn tables<'t, 'i>(of: &'t DeTable<'i>, key: &str) -> Vec<&'t DeTable<'i>> {
    let list = of.get(key).and_then(|list| list.get_ref().as_array()).into_iter().flat_map(|list| list.iter());
    list.filter_map(|item| item.get_ref().as_table()).collect()
}

fn text<'t>(of: &'t DeTable<'_>, key: &str) -> Option<&'t str> {
    of.get(key)?.get_ref().as_str()
}

/// Where a key's value stands, else where its table does.
fn span_of(of: &DeTable<'_>, key: &str, otherwise: &Range<usize>) -> Range<usize> {
    of.get(key).map_or_else(|| otherwise.clone(), Spanned::span)
}

fn main(top: &DeTable<'_>, whole: &Range<usize>, findings: &mut Findings<'_>) {
    let expected = format!("{}/{}", worker::FOLDER, worker::ENTRY);
    match text(top, "main") {
        Some(main) if main.trim_start_matches("./") == expected => {}
        // Another entry point may well import ours: that is somebody's own Worker.
        Some(main) => findings
            .warning("other-worker", &span_of(top, "main", whole), format!("`main` is {main:?}, not Rimward's Worker"))
            .hint(format!("`rimward build` writes the Worker to {expected:?}")),
        None => findings
            .error("missing-key", whole, "there is no `main`: no Worker would run")
            .hint(format!("add main = {expected:?}")),
    }
}

fn compatibility(top: &DeTable<'_>, whole: &Range<usize>, findings: &mut Findings<'_>) {
    match text(top, "compatibility_date") {
        // Dates of this form are ordered as texts.
        Some(date) if date >= COMPATIBILITY_DATE => {}
        Some(date) => findings
            .error(
                "wrong-value",
                &span_of(top, "compatibility_date", whole),
                format!("`compatibility_date` is {date:?}: the Worker needs a later platform"),
            )
            .hint(format!("write {COMPATIBILITY_DATE:?}")),
        None => findings
            .error("missing-key", whole, "there is no `compatibility_date`")
            .hint(format!("add compatibility_date = {COMPATIBILITY_DATE:?}")),
    }
    let flags = top.get("compatibility_flags").and_then(|flags| flags.get_ref().as_array());
    let has =
        |wanted: &str| flags.is_some_and(|flags| flags.iter().any(|flag| flag.get_ref().as_str() == Some(wanted)));
    for wanted in COMPATIBILITY_FLAGS.iter().filter(|wanted| !has(wanted)) {
        findings
            .error(
                "missing-key",
                &span_of(top, "compatibility_flags", whole),
                format!("`compatibility_flags` lacks {wanted:?}"),
            )
            .hint(format!("write compatibility_flags = {COMPATIBILITY_FLAGS:?}"));
    }
}

fn check_assets(assets: &DeTable<'_>, span: &Range<usize>, build: &BuildSettings, findings: &mut Findings<'_>) {
    let run_first = assets.get("run_worker_first").map(Spanned::get_ref);
    if !runs_first(run_first, build) {
        let wanted = match build.assets {
            AssetsFrom::Worker => "true".to_owned(),
            AssetsFrom::Platform => PLATFORM_FIRST.to_owned(),
        };
        findings
            .error(
                "wrong-value",
                &span_of(assets, "run_worker_first", span),
                "files under `_rimward/` would be public: the Worker must run first",
            )
            .hint(format!("write run_worker_first = {wanted}"));
    } else if matches!((run_first, build.assets), (Some(DeValue::Boolean(true)), AssetsFrom::Platform)) {
        findings
            .warning(
                "unused",
                &span_of(assets, "run_worker_first", span),
                "`assets = \"platform\"` of `[site]` has no effect: the Worker runs for every asset all the same",
            )
            .hint(format!("write run_worker_first = {PLATFORM_FIRST}"));
    }
    for (key, why) in [
        ("html_handling", "the platform would answer pages by other URLs than Rimward"),
        ("not_found_handling", "the platform would answer missing files, with a page even for scripts"),
    ] {
        if text(assets, key) != Some("none") {
            findings
                .error(
                    "wrong-value",
                    &span_of(assets, key, span),
                    format!("`{key}` of `[assets]` must be \"none\": {why}"),
                )
                .hint(format!("write {key} = \"none\""));
        }
    }
    if text(assets, "binding") != Some("ASSETS") {
        findings
            .error(
                "wrong-value",
                &span_of(assets, "binding", span),
                "`binding` of `[assets]` must be \"ASSETS\": the Worker reads the release by it",
            )
            .hint("write binding = \"ASSETS\"");
    }
    let directory = text(assets, "directory").unwrap_or_default();
    if directory.trim_start_matches("./").trim_end_matches('/') != build.output.trim_start_matches("./") {
        findings
            .error(
                "wrong-value",
                &span_of(assets, "directory", span),
                format!(
                    "`directory` of `[assets]` must be the folder that releases are written to, {:?}",
                    build.output
                ),
            )
            .hint(format!("write directory = {:?}, or change `output` of `[build]` in rimward.toml", build.output));
    }
}

fn runs_first(value: Option<&DeValue<'_>>, build: &BuildSettings) -> bool {
    match (value, build.assets) {
        (Some(DeValue::Boolean(true)), _) => true,
        (Some(DeValue::Array(patterns)), AssetsFrom::Platform) => {
            let fine = |pattern: &str| matches!(pattern, "/*" | "!/assets/*");
            patterns.iter().any(|pattern| pattern.get_ref().as_str() == Some("/*"))
                && patterns.iter().all(|pattern| pattern.get_ref().as_str().is_some_and(fine))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(build: &BuildSettings) -> String {
        format!(
            "name = \"shop\"\nmain = \".rimward/worker/rimward.js\"\ncompatibility_date = {COMPATIBILITY_DATE:?}\n\
             compatibility_flags = {COMPATIBILITY_FLAGS:?}\n\n{}\n\n{}\n",
            assets_text(build),
            objects_text()
        )
    }

    fn settings(text: &str) -> SettingsFile {
        let (compiled, findings) = crate::settings::compile(text, "rimward.toml", None);
        compiled.unwrap_or_else(|| panic!("{findings:?}")).file
    }

    #[track_caller]
    fn check_beside(settings: &SettingsFile, text: &str, build: &BuildSettings, expected: &[&str]) {
        let found = check_wrangler(text, build, settings).into_iter().map(|finding| finding.message);
        assert_eq!(found.collect::<Vec<String>>(), expected, "{text}");
    }

    #[track_caller]
    fn check(text: &str, build: &BuildSettings, expected: &[&str]) {
        check_beside(&settings(""), text, build, expected);
    }

    const NO_LOG: &str = "there is no `CONTROL_LOG`: nothing that is cached could be purged";
    const NO_SHIELD: &str = "there is no `SHIELD`: `shield` of `[[route]]` would have no effect";
    const NO_LIMITS: &str =
        "there is no `LIMITS`: `limit` of `[[route]]` could not count: `when_unreachable` would decide every request";
    const NO_HEALTH: &str = "there is no `HEALTH`: `health` of `[[pool]]` would check nothing";
    const NO_METRICS: &str = "there is no `METRICS`: nothing would be counted for `/.rimward/metrics`";

    fn without_objects(env: &str) -> [String; 5] {
        [NO_LOG, NO_SHIELD, NO_LIMITS, NO_HEALTH, NO_METRICS].map(|message| format!("{message} (in `[env.{env}]`)"))
    }

    #[test]
    fn every_object_must_be_bound() {
        let build = BuildSettings::default();
        check(&whole(&build).replace("CONTROL_LOG", "OTHER"), &build, &[NO_LOG]);
        let other = whole(&build).replace("class_name = \"ControlLog\"", "class_name = \"Other\"");
        check(&other, &build, &["`class_name` of `CONTROL_LOG` must be \"ControlLog\": the Worker has no other class"]);
        let env = format!("{}\n[env.staging]\nname = \"shop-staging\"\n", whole(&build));
        check(&env, &build, &without_objects("staging").each_ref().map(String::as_str));
        let bound = objects_text().replace("[[", "[[env.staging.");
        check(&format!("{env}\n{bound}\n"), &build, &[]);
    }

    #[test]
    fn an_object_that_no_migration_makes_is_not_deployed() {
        let build = BuildSettings::default();
        let no_log = "no [[migrations]] makes \"ControlLog\": wrangler would refuse to deploy its object";
        let less = whole(&build).replace("[\"ControlLog\", ", "[");
        check(&less, &build, &[no_log]);
        check(&format!("{less}[[migrations]]\ntag = \"2\"\nnew_sqlite_classes = [\"ControlLog\"]\n"), &build, &[]);
        let renamed = "renamed_classes = [{ from = \"Log\", to = \"ControlLog\" }]";
        check(&format!("{less}[[migrations]]\ntag = \"2\"\n{renamed}\n"), &build, &[]);
        let elsewhere = "class_name = \"ControlLog\"\nscript_name = \"other\"";
        check(&less.replace("class_name = \"ControlLog\"", elsewhere), &build, &[]);
    }

    #[test]
    fn what_is_kept_for_all_locations_needs_a_store() {
        let build = BuildSettings::default();
        let pool = "[[pool]]\nname = \"api\"\norigin = [{ url = \"https://api.example.com\" }]\n\
                    [[route]]\npath = \"/*\"\npool = \"api\"\ncache = \"api\"\n[cache.api]\n";
        let none = "there is no `KV`: `persist` of `[cache.api]` would keep nothing for all locations";
        let kept = settings(&format!("{pool}persist = true\n"));
        check_beside(&kept, &whole(&build), &build, &[none]);
        let bound = format!("{}{STORE_TEXT}\n", whole(&build));
        check_beside(&kept, &bound, &build, &[]);
        check_beside(&kept, &bound.replace("\"KV\"", "\"CACHE\""), &build, &[none]);
        let env = objects_text().replace("[[", "[[env.staging.");
        check_beside(&kept, &format!("{bound}{env}"), &build, &[&format!("{none} (in `[env.staging]`)")]);
        let of_staging = settings(&format!("{pool}[env.staging.cache.api]\npersist = true\n"));
        check_beside(&of_staging, &whole(&build), &build, &[]);
        check_beside(
            &of_staging,
            &format!("{}{env}", whole(&build)),
            &build,
            &[&format!("{none} (in `[env.staging]`)")],
        );
    }

    #[test]
    fn what_init_writes_is_fine() {
        for assets in [AssetsFrom::Worker, AssetsFrom::Platform] {
            let build = BuildSettings { assets, ..BuildSettings::default() };
            check(&whole(&build), &build, &[]);
        }
    }

    #[test]
    fn what_would_make_private_files_public_is_an_error() {
        let build = BuildSettings::default();
        let public = "files under `_rimward/` would be public: the Worker must run first";
        check(&whole(&build).replace("run_worker_first = true", ""), &build, &[public]);
        check(&whole(&build).replace("run_worker_first = true", "run_worker_first = false"), &build, &[public]);
        check(&whole(&build).replace("run_worker_first = true", "run_worker_first = [\"/api/*\"]"), &build, &[public]);
        let platform = BuildSettings { assets: AssetsFrom::Platform, ..BuildSettings::default() };
        let all = whole(&platform).replace("[\"/*\", \"!/assets/*\"]", "true");
        let useless = "`assets = \"platform\"` of `[site]` has no effect: the Worker runs for every asset all the same";
        check(&all, &platform, &[useless]);
        let leak = whole(&platform).replace("\"!/assets/*\"", "\"!/_rimward/*\"");
        check(&leak, &platform, &[public]);
        let html = "`html_handling` of `[assets]` must be \"none\": the platform would answer pages by other URLs than Rimward";
        check(
            &whole(&build).replace("html_handling = \"none\"", "html_handling = \"auto-trailing-slash\""),
            &build,
            &[html],
        );
        let env = format!(
            "{}\n[env.x]\n{}\n",
            whole(&build),
            assets_text(&build).replace("[assets]", "[env.x.assets]").replace("= true", "= false")
        );
        let [log, shield, limits, health, metrics] = without_objects("x");
        check(&env, &build, &[&log, &shield, &limits, &health, &metrics, &format!("{public} (in `[env.x]`)")]);
    }

    #[test]
    fn an_empty_file_lacks_everything() {
        check(
            "",
            &BuildSettings::default(),
            &[
                "there is no `main`: no Worker would run",
                "there is no `compatibility_date`",
                "`compatibility_flags` lacks \"enable_request_signal\"",
                "there is no `[assets]`: the Worker would have nothing to serve",
                NO_LOG,
                NO_SHIELD,
                NO_LIMITS,
                NO_HEALTH,
                NO_METRICS,
            ],
        );
    }
}
