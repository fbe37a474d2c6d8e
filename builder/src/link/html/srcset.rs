//! The URLs of a `srcset` (HTML §4.8.4.3.10).

use std::ops::Range;

/// Where the URLs stand in a `srcset`, in order.
pub(super) fn urls(value: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let bytes = value.as_bytes();
    let mut at = 0;
    loop {
        at += bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == b',').count();
        if at >= bytes.len() {
            return found;
        }
        let end = at + bytes[at..].iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
        // A URL may hold commas (`data:`), but not end in one.
        let url = value[at..end].trim_end_matches(',');
        found.push(at..at + url.len());
        at = if url.len() == end - at { descriptors_end(bytes, end) } else { end };
    }
}

/// Behind the comma that ends the descriptors; commas in parentheses do not.
fn descriptors_end(bytes: &[u8], start: usize) -> usize {
    let mut in_parentheses = false;
    for (at, byte) in bytes.iter().enumerate().skip(start) {
        match byte {
            b'(' => in_parentheses = true,
            b')' => in_parentheses = false,
            b',' if !in_parentheses => return at + 1,
            _ => {}
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_stand_before_descriptors() {
        for (value, expected) in [
            ("a.png", &["a.png"][..]),
            (" a.png 1x , b.png 2x", &["a.png", "b.png"]),
            ("a.png,b.png 2x", &["a.png,b.png"]),
            ("a.png, b.png 100w 50h,c.png", &["a.png", "b.png", "c.png"]),
            ("data:image/png;base64,AA== 1x, b.png 2x,", &["data:image/png;base64,AA==", "b.png"]),
            ("a.png type(x,y) 1x,b.png", &["a.png", "b.png"]),
            ("", &[]),
            (",, ,", &[]),
            ("ü.png 1x", &["ü.png"]),
        ] {
            let found: Vec<&str> = urls(value).into_iter().map(|url| &value[url]).collect();
            assert_eq!(found, expected, "{value}");
        }
    }
}
