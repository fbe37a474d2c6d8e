//! Every mistake in `rimward.toml` and beside it, as a person sees it: `tests/data/settings/*` with the expected text beside it.
//!
//! `RIMWARD_UPDATE=1` writes the expected texts anew; read the difference before you keep it.

use std::fs;
use std::path::{Path, PathBuf};

use rimward::diagnostic::{Color, Diagnostic, Severity};
use serde_json::Value;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/settings")
}

fn rendered(findings: &[Diagnostic]) -> String {
    let mut texts: Vec<String> = findings.iter().map(|finding| finding.render(Color::Plain)).collect();
    texts.push(String::new());
    texts.join("\n\n")
}

/// Compares with the expected text beside a file.
fn compare(path: &Path, actual: &str) -> Result<(), String> {
    let expected_path = path.with_added_extension("txt");
    if std::env::var_os("RIMWARD_UPDATE").is_some() {
        fs::write(&expected_path, actual).unwrap();
    }
    let expected = fs::read_to_string(&expected_path).unwrap_or_default();
    if expected == actual { Ok(()) } else { Err(format!("{}:\n{actual}\n--- expected:\n{expected}", path.display())) }
}

#[test]
fn every_mistake_has_a_place_and_a_hint() {
    let mut wrong = Vec::new();
    let mut cases = 0;
    for entry in fs::read_dir(data()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        cases += 1;
        let text = fs::read_to_string(&path).unwrap();
        let (compiled, findings) = rimward::settings::compile(&text, "rimward.toml", None);
        let errors = findings.iter().any(|finding| finding.severity == Severity::Error);
        assert_eq!(compiled.is_none(), errors, "{}: settings come only without errors", path.display());
        for finding in &findings {
            assert!(finding.place.is_some(), "{}: {finding}", path.display());
            assert!(finding.hint.is_some() || finding.code == "syntax", "{}: {finding}", path.display());
        }
        wrong.extend(compare(&path, &rendered(&findings)).err());
    }
    assert!(cases >= 12, "the cases lie in {}", data().display());
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_mistake_beside_the_settings_has_a_place_and_a_hint() {
    let mut wrong = Vec::new();
    for name in ["mistakes._headers", "mistakes._redirects"] {
        let path = data().join(name);
        let text = fs::read_to_string(&path).unwrap();
        let (rules, findings) = if name.ends_with("_headers") {
            let (rules, findings) = rimward::settings::parse_headers(&text, "/shop/");
            (serde_json::to_string_pretty(&rules).unwrap(), findings)
        } else {
            let (rules, findings) = rimward::settings::parse_redirects(&text, "/shop/");
            (serde_json::to_string_pretty(&rules).unwrap(), findings)
        };
        for finding in &findings {
            assert!(finding.place.is_some() && finding.hint.is_some(), "{name}: {finding}");
        }
        let actual = format!("{rules}\n\n{}", rendered(&findings));
        wrong.extend(compare(&path, &actual).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_is_kept_is_explained() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/explained/caches.toml");
    let text = fs::read_to_string(&path).unwrap();
    let (compiled, findings) = rimward::settings::compile(&text, "rimward.toml", None);
    let settings = compiled.unwrap_or_else(|| panic!("{}", rendered(&findings))).file.settings;
    let explained = rimward::settings::explain(&settings);
    let texts: Vec<String> = explained.iter().map(rimward::settings::Explained::text).collect();
    let json = serde_json::to_string_pretty(&explained[0]).unwrap();
    compare(&path, &format!("{}\n{json}\n", texts.join("\n"))).unwrap();
}

#[test]
fn what_is_limited_is_explained() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/explained/limits.toml");
    let text = fs::read_to_string(&path).unwrap();
    let (compiled, findings) = rimward::settings::compile(&text, "rimward.toml", None);
    let settings = compiled.unwrap_or_else(|| panic!("{}", rendered(&findings))).file.settings;
    let explained = rimward::settings::explain_limits(&settings);
    let texts: Vec<String> = explained.iter().map(rimward::settings::ExplainedLimit::text).collect();
    let json = serde_json::to_string_pretty(&explained[0]).unwrap();
    compare(&path, &format!("{}\n{json}\n", texts.join("\n"))).unwrap();
}

#[test]
fn what_is_asked_of_pools_is_explained() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/explained/pools.toml");
    let text = fs::read_to_string(&path).unwrap();
    let (compiled, findings) = rimward::settings::compile(&text, "rimward.toml", None);
    let settings = compiled.unwrap_or_else(|| panic!("{}", rendered(&findings))).file.settings;
    let explained = rimward::settings::explain_pools(&settings);
    let texts: Vec<String> = explained.iter().map(rimward::settings::ExplainedPool::text).collect();
    let json = serde_json::to_string_pretty(&explained[0]).unwrap();
    compare(&path, &format!("{}\n{json}\n", texts.join("\n"))).unwrap();
}

#[test]
fn the_files_of_a_real_app_are_understood() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("app/public");
    let (headers, findings) =
        rimward::settings::parse_headers(&fs::read_to_string(folder.join("_headers")).unwrap(), "/");
    assert!(findings.is_empty() && !headers.is_empty(), "{}", rendered(&findings));
    let (redirects, findings) =
        rimward::settings::parse_redirects(&fs::read_to_string(folder.join("_redirects")).unwrap(), "/");
    assert!(findings.is_empty() && !redirects.is_empty(), "{}", rendered(&findings));
}

#[test]
fn the_committed_schema_is_that_of_the_reader() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rimward.schema.json");
    let actual = rimward::settings::schema();
    if std::env::var_os("RIMWARD_UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("{}\n", serde_json::to_string_pretty(&actual).unwrap())).unwrap();
    }
    let committed: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&path).unwrap_or_default()).unwrap_or_default();
    assert!(committed == actual, "write it anew: `rimward check --schema > docs/rimward.schema.json`");
}

/// The settings that the README shows under the heading of that name.
fn readme() -> String {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let section = readme.split("\n## Settings\n").nth(1).unwrap();
    section.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap().to_owned()
}

#[test]
fn the_settings_in_the_readme_are_right() {
    let settings = readme();
    let (compiled, findings) = rimward::settings::compile(&settings, "rimward.toml", Some("staging"));
    assert_eq!(rendered(&findings), "", "{settings}");
    assert!(compiled.is_some());
}

#[test]
fn the_readme_shows_every_key() {
    let shown: Value = toml::from_str(&readme()).unwrap();
    let mut missing = Vec::new();
    lacking(&rimward::settings::schema(), &[&shown], "", &mut missing);
    assert_eq!(missing, [""; 0]);
}

/// The keys of a schema that no table of the values has.
fn lacking(schema: &Value, shown: &[&Value], place: &str, missing: &mut Vec<String>) {
    for alternative in schema["anyOf"].as_array().into_iter().flatten() {
        lacking(alternative, shown, place, missing);
    }
    if schema.get("items").is_some() {
        let items: Vec<&Value> = shown.iter().filter_map(|value| value.as_array()).flatten().collect();
        lacking(&schema["items"], &items, &format!("{place}[]"), missing);
    }
    if schema["additionalProperties"].is_object() {
        let named: Vec<&Value> =
            shown.iter().filter_map(|value| value.as_object()).flat_map(|of| of.values()).collect();
        lacking(&schema["additionalProperties"], &named, &format!("{place}.*"), missing);
    }
    for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
        let values: Vec<&Value> = shown.iter().filter_map(|value| value.get(key)).collect();
        let place = format!("{place}.{key}");
        match values.is_empty() {
            true => missing.push(place),
            // Environments override any key: one example says it.
            false if key == "env" => {}
            false => lacking(schema, &values, &place, missing),
        }
    }
}
