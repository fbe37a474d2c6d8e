//! The cache on a real folder: found, corrupt, unwritable, shared, evicted.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::eviction::{self, Entry, condemned};
use super::*;

/// Long after the epoch, so that there are times before it.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + days(20_000)
}

fn days(count: u64) -> Duration {
    Duration::from_hours(24 * count)
}

fn key(name: &str) -> Key {
    Key::new("stage", "1").with(name.as_bytes())
}

/// All entries' files.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(folder.join(LAYOUT)).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = folders
        .flat_map(|folder| fs::read_dir(folder.path()).expect("readable").flatten())
        .map(|file| file.path())
        .collect();
    files.sort();
    files
}

#[test]
fn a_result_is_made_once() {
    let folder = tempfile::tempdir().expect("a folder");
    for (expected, counts) in [(b"made", (0, 1)), (b"made", (1, 0))] {
        let cache = Cache::open(folder.path(), now());
        let make = || if counts.0 == 0 { b"made".to_vec() } else { panic!("it was made before") };
        assert_eq!(cache.remember(&key("a"), make), expected);
        assert_eq!((cache.counts().found, cache.counts().made), counts);
        assert_eq!(cache.finish(), None);
    }
}

#[test]
fn keys_keep_their_parts_apart() {
    let digests = [
        Key::new("stage", "1").with(b"ab").with(b"c"),
        Key::new("stage", "1").with(b"a").with(b"bc"),
        Key::new("stage", "1").with(b"abc"),
        Key::new("stage", "1").with(b"abc").with(b""),
        Key::new("stage", "2").with(b"abc"),
        Key::new("other", "1").with(b"abc"),
    ]
    .map(|key| key.digest());
    let different: std::collections::BTreeSet<_> = digests.iter().collect();
    assert_eq!(different.len(), digests.len());
}

#[test]
fn a_corrupt_entry_is_made_again() {
    let spoil: [fn(&mut Vec<u8>); 5] = [
        |bytes| bytes.clear(),
        |bytes| bytes.truncate(DIGEST_BYTES - 1),
        |bytes| bytes.truncate(DIGEST_BYTES),
        |bytes| *bytes.last_mut().expect("a byte") ^= 1,
        |bytes| bytes[0] ^= 1,
    ];
    for spoil in spoil {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::open(folder.path(), now());
        cache.store(&key("a"), b"right");
        let [entry] = &entries(folder.path())[..] else { panic!("one entry") };
        let mut bytes = fs::read(entry).expect("readable");
        spoil(&mut bytes);
        fs::write(entry, bytes).expect("writable");
        assert_eq!(cache.remember(&key("a"), || b"again".to_vec()), b"again");
        assert_eq!(cache.find(&key("a")).as_deref(), Some(&b"again"[..]));
    }
}

#[test]
fn an_entry_under_another_name_is_not_believed() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::open(folder.path(), now());
    cache.store(&key("a"), b"of a");
    let of_a = entries(folder.path()).remove(0);
    let of_b = entry_path(&folder.path().join(LAYOUT), &key("b").digest());
    fs::create_dir_all(of_b.parent().expect("a folder")).expect("writable");
    fs::copy(of_a, of_b).expect("writable");
    assert_eq!(cache.find(&key("b")), None);
}

#[test]
fn a_folder_that_cannot_be_used_costs_a_warning() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cache");
    fs::write(&file, "a file, no folder").expect("writable");
    let cache = Cache::open(&file, now());
    for _ in 0..2 {
        assert_eq!(cache.remember(&key("a"), || b"made".to_vec()), b"made");
    }
    assert_eq!((cache.counts().found, cache.counts().made), (0, 2));
    let finding = cache.finish().expect("a warning").to_string();
    assert!(finding.contains("cannot keep results for the next build") && finding.contains("hint: "), "{finding}");
}

#[test]
fn without_a_folder_everything_is_made() {
    let cache = Cache::none();
    cache.store(&key("a"), b"a");
    assert_eq!(cache.find(&key("a")), None);
    assert_eq!(cache.finish(), None);
}

#[test]
fn builds_share_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let cache = Cache::open(folder.path(), now());
                for round in 0..200_u32 {
                    let name = (round % 7).to_string();
                    let value = name.repeat(10_000).into_bytes();
                    assert_eq!(cache.remember(&key(&name), || value.clone()), value);
                }
                assert_eq!(cache.finish(), None);
            });
        }
    });
    assert_eq!(entries(folder.path()).len(), 7, "and nothing half written is left");
}

#[test]
fn what_is_used_stays_and_what_is_not_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::open(folder.path(), now());
    cache.store(&key("used"), b"a");
    cache.store(&key("unused"), b"b");
    for entry in entries(folder.path()) {
        fs::File::options().append(true).open(entry).and_then(|file| file.set_modified(now())).expect("writable");
    }
    Cache::open(folder.path(), now() + days(20)).find(&key("used")).expect("it is there");
    let later = Cache::open(folder.path(), now() + days(40));
    later.remember(&key("new"), || b"c".to_vec());
    assert_eq!(later.finish(), None);
    assert!(later.find(&key("used")).is_some());
    assert!(later.find(&key("unused")).is_none());
}

#[test]
fn a_build_in_which_nothing_changed_writes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    Cache::open(folder.path(), now()).store(&key("a"), b"a");
    let entry = entries(folder.path()).remove(0);
    let touched = now() - days(1) + Duration::from_mins(1);
    fs::File::options().append(true).open(&entry).and_then(|file| file.set_modified(touched)).expect("writable");
    let cache = Cache::open(folder.path(), now());
    assert!(cache.find(&key("a")).is_some());
    assert_eq!(cache.finish(), None);
    assert_eq!(fs::metadata(entry).and_then(|metadata| metadata.modified()).expect("readable"), touched);
}

#[track_caller]
fn check_condemned(entries: &[(&str, u64, Duration)], largest_bytes: u64, expected: &[&str]) {
    let entry = |&(name, bytes, unused_for): &(&str, u64, Duration)| Entry {
        path: name.into(),
        bytes,
        unused_for,
        temporary: name.starts_with(eviction::TEMPORARY),
    };
    let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
    assert_eq!(condemned(entries.iter().map(entry).collect(), largest_bytes), expected);
}

#[test]
fn the_longest_unused_go_until_the_rest_fits() {
    let entries = [("a", 40, days(3)), ("b", 40, days(1)), ("c", 40, days(2))];
    check_condemned(&entries, 120, &[]);
    check_condemned(&entries, 119, &["a"]);
    check_condemned(&entries, 79, &["c", "a"]);
}

#[test]
fn a_month_without_use_is_the_end() {
    check_condemned(&[("a", 1, days(30)), ("b", 1, days(30) + Duration::from_secs(1))], 100, &["b"]);
}

#[test]
fn what_a_crash_left_behind_goes_after_a_day() {
    check_condemned(&[(".new-a", 1, days(1)), (".new-b", 1, days(2)), ("c", 1, days(2))], 100, &[".new-b"]);
    check_condemned(&[(".new-a", 200, Duration::ZERO)], 100, &[]);
}
