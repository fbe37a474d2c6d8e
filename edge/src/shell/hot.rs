//! Files at hand: a bounded memory of bodies, the ones asked for last kept longest.
//!
//! Knows nothing of what a body is. It may forget anything at any time.

use std::collections::{BTreeMap, HashMap};

/// Of all files together: an isolate has 128 MB for everything.
const TOTAL_BYTES: usize = 32 * 1024 * 1024;

/// Of one file. Larger ones are streamed.
const FILE_BYTES: usize = 1024 * 1024;

/// Bodies by path.
#[derive(Debug)]
pub(super) struct Hot<B> {
    files: HashMap<String, File<B>>,
    /// The paths by the turn in which they were asked for last.
    turns: BTreeMap<u64, String>,
    turn: u64,
    bytes: usize,
}

#[derive(Debug)]
struct File<B> {
    body: B,
    bytes: usize,
    turn: u64,
}

impl<B: Clone> Hot<B> {
    /// An empty one.
    pub(super) fn new() -> Hot<B> {
        Hot { files: HashMap::new(), turns: BTreeMap::new(), turn: 0, bytes: 0 }
    }

    /// The body of `path`, if it is at hand.
    pub(super) fn get(&mut self, path: &str) -> Option<B> {
        let file = self.files.get_mut(path)?;
        // A file that was asked for just now stays where it is: a site's few hot files change places all the time.
        if self.turn - file.turn > self.turns.len() as u64 / 2
            && let Some(path) = self.turns.remove(&file.turn)
        {
            self.turn += 1;
            file.turn = self.turn;
            self.turns.insert(self.turn, path);
        }
        Some(file.body.clone())
    }

    /// Keeps the body of `path`, of `bytes` length, and forgets others where there is no room.
    pub(super) fn insert(&mut self, path: &str, body: B, bytes: usize) {
        if bytes > FILE_BYTES {
            return;
        }
        self.remove(path);
        while self.bytes + bytes > TOTAL_BYTES
            && let Some((_, oldest)) = self.turns.pop_first()
        {
            self.remove(&oldest);
        }
        self.turn += 1;
        self.bytes += bytes;
        self.turns.insert(self.turn, path.to_owned());
        self.files.insert(path.to_owned(), File { body, bytes, turn: self.turn });
    }

    fn remove(&mut self, path: &str) {
        if let Some(file) = self.files.remove(path) {
            self.turns.remove(&file.turn);
            self.bytes -= file.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGEST: usize = FILE_BYTES;
    const ROOM: usize = TOTAL_BYTES / FILE_BYTES;

    fn path(number: usize) -> String {
        format!("assets/{number}.js")
    }

    fn full() -> Hot<usize> {
        let mut hot = Hot::new();
        (0..ROOM).for_each(|number| hot.insert(&path(number), number, LARGEST));
        hot
    }

    #[test]
    fn what_was_asked_for_last_is_kept_longest() {
        let mut hot = full();
        assert_eq!(hot.get(&path(0)), Some(0));
        hot.insert("assets/new.js", 99, LARGEST);
        assert_eq!(hot.get(&path(0)), Some(0), "asked for just now");
        assert_eq!(hot.get(&path(1)), None, "the one not asked for longest makes room");
        assert_eq!(hot.get("assets/new.js"), Some(99));
    }

    #[test]
    fn the_bytes_never_exceed_the_limit() {
        let mut hot = full();
        for number in 0..3 * ROOM {
            hot.insert(&path(number * 7 % 50), number, LARGEST - number);
            let kept: usize = hot.files.values().map(|file| file.bytes).sum();
            assert!(kept == hot.bytes && kept <= TOTAL_BYTES, "{kept} bytes after {number}");
            assert_eq!(hot.files.len(), hot.turns.len());
        }
    }

    #[test]
    fn a_file_that_is_too_large_drives_nothing_out() {
        let mut hot = full();
        hot.insert("assets/video.mp4", 99, FILE_BYTES + 1);
        assert_eq!(hot.get("assets/video.mp4"), None);
        assert_eq!(hot.get(&path(0)), Some(0));
    }

    #[test]
    fn the_same_path_twice_is_counted_once() {
        let mut hot = Hot::new();
        hot.insert("a", 1, 10);
        hot.insert("a", 2, 20);
        assert_eq!((hot.get("a"), hot.bytes, hot.turns.len()), (Some(2), 20, 1));
    }
}
