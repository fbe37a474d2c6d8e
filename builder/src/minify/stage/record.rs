//! A minifier's result as an entry of the build cache: parts with their lengths in front.

use crate::minify::Minified;

/// What is kept of a result that has nothing to say.
pub(super) fn write(minified: &Minified) -> Vec<u8> {
    let map = minified.map.as_deref().unwrap_or_default();
    let mut bytes = Vec::with_capacity(minified.text.len() + map.len() + 64);
    for part in [&*minified.text, map].into_iter().chain(minified.licences.iter().map(String::as_str)) {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

/// `None` for what `write` did not write.
pub(super) fn read(bytes: &[u8]) -> Option<Minified> {
    let mut rest = bytes;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (length, behind) = rest.split_first_chunk()?;
        let (part, behind) = behind.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        parts.push(std::str::from_utf8(part).ok()?.to_owned());
        rest = behind;
    }
    let mut parts = parts.into_iter();
    let (text, map) = (parts.next()?, parts.next()?);
    let map = (!map.is_empty()).then_some(map);
    Some(Minified { text, map, licences: parts.collect(), diagnostics: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        for licences in [vec![], vec!["/*! ü */".to_owned(), String::new()]] {
            for map in [None, Some("{}".to_owned())] {
                let minified =
                    Minified { text: "a\0b".to_owned(), map, licences: licences.clone(), diagnostics: Vec::new() };
                assert_eq!(read(&write(&minified)), Some(minified));
            }
        }
    }

    #[test]
    fn what_is_cut_off_is_not() {
        let whole = write(&Minified { text: "abc".to_owned(), licences: vec!["d".to_owned()], ..Minified::default() });
        let complete = [whole.len(), whole.len() - 9];
        for length in (0..whole.len()).filter(|length| !complete.contains(length)) {
            assert_eq!(read(&whole[..length]), None, "{length} bytes");
        }
    }
}
