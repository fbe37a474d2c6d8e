use super::*;
use crate::fs::{Faults, Memory, Unsynced};
use crate::manifest::{self, Compressed, Rules};
use crate::name::{AssetName, Named, NamedFile};
use crate::scan::Kind;
use crate::settings::PLATFORM_HEADERS_MARK;

/// A release of a page and one asset, and an encoding of it.
fn release(asset: &str, page: &str) -> Release {
    release_named(&format!("assets/app.{}.js", Digest::of(asset.as_bytes()).fingerprint()), asset, page)
}

fn release_named(path: &str, asset: &str, page: &str) -> Release {
    let script = NamedFile {
        source: None,
        logical: "assets/app.js".to_owned(),
        kind: Kind::Script,
        bytes: asset.as_bytes().into(),
        asset: Some(AssetName { path: path.to_owned(), aliases: Vec::new() }),
        document: None,
        references: Vec::new(),
        needs: Vec::new(),
    };
    let page = NamedFile {
        logical: "index.html".to_owned(),
        kind: Kind::Html,
        bytes: page.as_bytes().into(),
        asset: None,
        document: Some("index.html".to_owned()),
        ..script.clone()
    };
    let encodings = [(rimward_edge::release::manifest::Coding::Br, b"br".to_vec())].into();
    let maps = [(format!("{path}.map"), b"map".to_vec())].into();
    let compressed =
        Compressed { named: Named { files: vec![script, page], maps, ..Named::default() }, encodings: vec![encodings] };
    let rules = Rules { base: "/".to_owned(), headers: Vec::new(), redirects: Vec::new() };
    manifest::release(compressed, rules).unwrap()
}

fn place(keep_releases: usize) -> Place {
    Place { output: "/public".into(), state: "/.rimward".into(), keep_releases }
}

fn publish_to(memory: &Memory, release: &Release, settings: &str) -> Result<Published, PublishError> {
    let earlier = earlier(memory, Path::new("/public"))?;
    let beside = Beside { settings: settings.as_bytes(), platform_headers: None, changes: None };
    publish(memory, &place(2), release, &beside, &earlier)
}

/// What a reader of `public/` gets: the current release's files and the settings, each checked against its digest.
#[track_caller]
fn served(memory: &Memory) -> Option<(String, Vec<Vec<u8>>, Vec<u8>)> {
    let found = earlier(memory, Path::new("/public")).unwrap();
    let read =
        |path: &str| memory.read(&Path::new("/public").join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    // Every release of the list is whole, not the current one only.
    for id in found.retained().map(|retained| retained.id.clone()) {
        found.files_of_releases(&[id.as_str()].into()).iter().for_each(|path| drop(read(path)));
    }
    let manifest = found.current()?;
    let mut contents = Vec::new();
    for asset in manifest.assets.values() {
        let bytes = read(&asset.path);
        assert_eq!(Digest::of(&bytes).hex(), asset.content.sha256);
        for (coding, encoded) in &asset.content.encodings {
            assert_eq!(Digest::of(&read(&format!("{}{}", asset.path, coding.extension()))).hex(), encoded.sha256);
        }
        contents.push(bytes);
    }
    let list: Releases = serde_json::from_slice(&read(RELEASES_PATH)).unwrap();
    for (path, document) in &manifest.documents {
        let bytes = read(&rimward_edge::release::manifest::document_path(&list.current, path));
        assert_eq!(Digest::of(&bytes).hex(), document.content.sha256);
        contents.push(bytes);
    }
    let settings = read(&settings_path(&list.settings_sha256));
    assert_eq!(Digest::of(&settings).hex(), list.settings_sha256);
    Some((list.current, contents, settings))
}

#[test]
fn a_power_failure_at_any_step_leaves_the_old_release_or_the_new_one() {
    let releases = [release("one", "page one"), release("two", "page two"), release("three", "page three")];
    let before = Memory::default();
    publish_to(&before, &releases[0], "settings one").unwrap();
    publish_to(&before, &releases[1], "settings two").unwrap();
    let old = served(&before).unwrap();

    let whole = before.restart(Unsynced::Kept);
    whole.fail(Faults::default());
    publish_to(&whole, &releases[2], "settings three").unwrap();
    let steps = whole.steps();
    let new = served(&whole).unwrap();
    assert!(steps > 15, "the story must have steps to fail at, not {steps}");

    let mut seen = BTreeSet::new();
    for step in 0..steps {
        for unsynced in [Unsynced::Kept, Unsynced::Lost] {
            let memory = before.restart(Unsynced::Kept);
            memory.fail(Faults { crash_at: Some(step), ..Faults::default() });
            publish_to(&memory, &releases[2], "settings three").unwrap_err();
            let after = memory.restart(unsynced);
            let answer = served(&after).unwrap();
            assert!(answer == old || answer == new, "step {step}, unsynced changes {unsynced:?}: {answer:?}");
            seen.insert(answer == new);

            // The next build makes up for it, to the byte.
            publish_to(&after, &releases[2], "settings three").unwrap();
            assert_eq!(after.snapshot(), whole.snapshot(), "step {step}, unsynced changes {unsynced:?}");
        }
    }
    assert_eq!(seen.len(), 2, "some failures come before the pointer moves, some after");
}

#[test]
fn publishing_twice_changes_nothing() {
    let memory = Memory::default();
    let release = release("one", "page");
    publish_to(&memory, &release, "settings").unwrap();
    memory.fail(Faults::default());
    let again = publish_to(&memory, &release, "settings").unwrap();
    assert_eq!((memory.steps(), again.written, again.removed), (0, 0, 0));
}

#[test]
fn files_of_kept_releases_stay_and_of_others_go() {
    let memory = Memory::default();
    let shared = "shared";
    publish_to(&memory, &release("one", "1"), "s").unwrap();
    publish_to(&memory, &release(shared, "2"), "s").unwrap();
    let third = publish_to(&memory, &release(shared, "3"), "s").unwrap();
    assert_eq!(third.kept.len(), 2);
    let names: Vec<String> = memory.snapshot().into_keys().collect();
    let of = |text: &str| names.iter().filter(|name| name.contains(&Digest::of(text.as_bytes()).fingerprint())).count();
    assert_eq!((of("one"), of(shared)), (0, 2 + 2), "the file, its encoding, a private map for each release");
    assert_eq!(names.iter().filter(|name| name.ends_with("manifest.json")).count(), 2);
}

#[test]
fn other_bytes_under_a_published_name_are_refused_with_both_named() {
    let memory = Memory::default();
    publish_to(&memory, &release_named("assets/app.x.js", "one", "1"), "s").unwrap();
    let before = memory.snapshot();
    let error = publish_to(&memory, &release_named("assets/app.x.js", "two", "2"), "s").unwrap_err().to_string();
    for part in ["`assets/app.x.js`", "`assets/app.js`", &Digest::of(b"one").hex(), &Digest::of(b"two").hex()] {
        assert!(error.contains(part), "{error} lacks {part}");
    }
    assert_eq!(memory.snapshot(), before);

    // A file that lies there without any release is somebody's too.
    let foreign = Memory::new([("/public/assets/app.x.js", b"mine".as_slice())]);
    publish_to(&foreign, &release_named("assets/app.x.js", "one", "1"), "s").unwrap_err();
    assert_eq!(foreign.snapshot().into_keys().collect::<Vec<_>>(), ["/public/assets/app.x.js"]);
}

#[test]
fn a_damaged_file_is_written_anew_and_said() {
    let memory = Memory::default();
    let release = release("one", "1");
    publish_to(&memory, &release, "s").unwrap();
    let path = release.manifest.assets.get("assets/app.js").unwrap().path.clone();
    memory.put(&format!("/public/{path}"), b"damaged");
    let published = publish_to(&memory, &release, "s").unwrap();
    assert_eq!(published.repaired, [path]);
    served(&memory).unwrap();
}

#[test]
fn a_full_disk_leaves_the_old_release_and_no_litter() {
    let memory = Memory::default();
    publish_to(&memory, &release("one", "1"), "s").unwrap();
    let before = memory.snapshot();
    let new = release(&"two".repeat(500), "2");
    for space in (0..2_500).step_by(97) {
        memory.fail(Faults { space: Some(space), ..Faults::default() });
        let error = publish_to(&memory, &new, "t").unwrap_err().to_string();
        assert!(error.contains("hint: make room on the disk"), "{error}");
        assert_eq!(memory.snapshot(), before, "space for {space} bytes");
    }
}

#[test]
fn what_cannot_be_understood_is_refused_with_the_way_out() {
    #[track_caller]
    fn check(path: &str, bytes: &[u8], expected: &[&str]) {
        let memory = Memory::default();
        let old = release("one", "1");
        publish_to(&memory, &old, "s").unwrap();
        memory.put(&path.replace("ID", &old.id), bytes);
        let before = memory.snapshot();
        let error = publish_to(&memory, &release("two", "2"), "s").unwrap_err().to_string();
        for part in expected {
            assert!(error.contains(part), "{error:?} lacks {part:?}");
        }
        assert_eq!(memory.snapshot(), before);
    }
    let list = "/public/_rimward/releases.json";
    let manifest = "/public/_rimward/releases/ID/manifest.json";
    check(
        list,
        b"{",
        &["cannot read `/public/_rimward/releases.json`: EOF", "hint: restore `_rimward` from a copy; or move it away"],
    );
    check(list, b"", &["cannot read"]);
    check(list, br#"{"format":2,"other":[]}"#, &["has format 2, this version of rimward knows 1"]);
    check(
        list,
        br#"{"format":1,"current":"x","settings_sha256":"","releases":[]}"#,
        &["the current release is not in the list"],
    );
    check(
        list,
        br#"{"format":1,"current":"../../x","settings_sha256":"","releases":[{"id":"../../x","manifest_sha256":""}]}"#,
        &["`../../x` is not the id of a release"],
    );
    check(manifest, b"{}", &["manifest.json`: missing field `format`"]);
    check(manifest, br#"{"format":7}"#, &["has format 7"]);
    check(manifest, br#"{"format":1,"base":"/","assets":{},"documents":{}}"#, &["its digest is not the one"]);
}

#[test]
fn files_of_others_are_left_alone_and_told() {
    let memory = Memory::new([("/public/mine.txt", b"m".as_slice()), ("/public/.gitignore", b"*")]);
    let published = publish_to(&memory, &release("one", "1"), "s").unwrap();
    assert_eq!(published.foreign, ["mine.txt"]);
    assert_eq!(memory.snapshot()["/public/mine.txt"], b"m");
}

#[test]
fn a_second_build_at_the_same_time_is_refused() {
    let memory = Memory::default();
    let held = lock(&memory, Path::new("/.rimward")).unwrap();
    let error = lock(&memory, Path::new("/.rimward")).err().unwrap().to_string();
    assert!(error.starts_with("another build is at work"), "{error}");
    drop(held);
    lock(&memory, Path::new("/.rimward")).unwrap();
}

#[test]
fn encodings_that_were_published_stay_when_an_encoder_changes() {
    let memory = Memory::default();
    let old = release("one", "1");
    publish_to(&memory, &old, "s").unwrap();
    let asset = old.manifest.assets.get("assets/app.js").unwrap().clone();
    let file = NamedFile {
        source: None,
        logical: "assets/app.js".to_owned(),
        kind: Kind::Script,
        bytes: b"one".as_slice().into(),
        asset: Some(AssetName { path: asset.path, aliases: Vec::new() }),
        document: None,
        references: Vec::new(),
        needs: Vec::new(),
    };
    let coding = rimward_edge::release::manifest::Coding::Br;
    let named = Named { files: vec![file], ..Named::default() };
    let mut compressed = Compressed { named, encodings: vec![[(coding, b"otherwise".to_vec())].into()] };
    let earlier = earlier(&memory, Path::new("/public")).unwrap();
    reuse_encodings(&memory, Path::new("/public"), &mut compressed, &earlier);
    assert_eq!(compressed.encodings[0][&coding], b"br");
}

#[test]
fn what_the_platform_is_told_comes_and_goes_with_the_setting() {
    let memory = Memory::default();
    let publish_with = |text: Option<&str>| {
        let earlier = earlier(&memory, Path::new("/public")).unwrap();
        let beside = Beside { settings: b"{}", platform_headers: text, changes: None };
        publish(&memory, &place(2), &release("a", "p"), &beside, &earlier)
    };
    let there = || memory.read(Path::new("/public/_headers")).ok();
    let (one, two) = (format!("{PLATFORM_HEADERS_MARK} 1"), format!("{PLATFORM_HEADERS_MARK} 2"));
    assert_eq!(publish_with(Some(&one)).unwrap().foreign, [""; 0]);
    assert_eq!(there(), Some(one.into_bytes()));
    publish_with(Some(&two)).unwrap();
    assert_eq!(there(), Some(two.into_bytes()));
    assert_eq!(publish_with(None).unwrap().removed, 1);
    assert_eq!(there(), None);

    memory.put("/public/_headers", b"/*\n  X-Own: 1\n");
    let refused = publish_with(Some("x")).unwrap_err().to_string();
    assert!(refused.contains("`/public/_headers` was not written by rimward"), "{refused}");
    assert_eq!(publish_with(None).unwrap().foreign, ["_headers"]);
    assert!(there().is_some(), "it is somebody's");
}
