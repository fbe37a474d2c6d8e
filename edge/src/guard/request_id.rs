//! The id by which an answer is found again in the logs.

/// Our own id: the platform's where it has one that is sane, else made of random bits.
pub fn choose(of_platform: Option<&str>, random: u128) -> String {
    match of_platform.filter(|id| is_sane(id)) {
        Some(id) => id.to_owned(),
        None => hexadecimal(random),
    }
}

/// As `{:032x}` writes it, without the machinery: each answer has one.
fn hexadecimal(number: u128) -> String {
    let mut digits = [0; 32];
    for (place, byte) in number.to_be_bytes().into_iter().enumerate() {
        digits[place * 2] = b"0123456789abcdef"[usize::from(byte >> 4)];
        digits[place * 2 + 1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
    std::str::from_utf8(&digits).expect("hexadecimal digits are ASCII").to_owned()
}

/// A client's own id, for the log and the origin, where it is fit to be repeated.
pub fn of_client(sent: Option<&str>) -> Option<&str> {
    sent.filter(|id| is_sane(id))
}

fn is_sane(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:=+/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platforms_id_is_used_where_it_is_sane() {
        assert_eq!(choose(Some("8f1c2b3a4d5e6f70-AMS"), 1), "8f1c2b3a4d5e6f70-AMS");
        for strange in ["", "a b", "<script>", "a\r\nb", &"a".repeat(129)] {
            let random = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210;
            assert_eq!(choose(Some(strange), random), "0123456789abcdeffedcba9876543210", "{strange}");
        }
        assert_eq!(of_client(Some("trace-1")), Some("trace-1"));
        assert_eq!(of_client(Some("a\"b")), None);
    }
}
